/* SPDX-License-Identifier: MIT */
/* Behind the public header in header.c and header.cpp: what it declared is
 * there and links, what it hides is hidden. */
#include <stdio.h>

#if defined(LOAM_EXPERIMENTAL) != defined(LOAM_GRAPH_H)
#error "graph.h is seen after #define LOAM_EXPERIMENTAL, and only then"
#endif

int main(void)
{
    loam_engine *engine = NULL;
    loam_error error = {sizeof error, LOAM_OK, 0, {0}};
    int created = loam_engine_create(&engine, NULL, &error) == LOAM_OK && engine;
    int same = loam_version() ==
               LOAM_VERSION_MAJOR * 1000000u + LOAM_VERSION_MINOR * 1000u + LOAM_VERSION_PATCH;
    loam_engine_release(engine);
    printf("%s 1 - an engine is made\n", created ? "ok" : "not ok");
    printf("%s 2 - header and library are of one version\n1..2\n", same ? "ok" : "not ok");
    return !(created && same);
}

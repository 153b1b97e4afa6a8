/* SPDX-License-Identifier: MIT */
/* Files that are complete or not there. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Fills and closes `out`. */
static int write_open(FILE *out, const char *name, int (*fill)(FILE *out, void *context),
                      void *context)
{
    int code = fill(out, context);
    if (fclose(out) != 0 && !code)
        code = fail("%s: cannot write: %s", name, strerror(errno));
    return code;
}

int write_whole(const char *name, int (*fill)(FILE *out, void *context), void *context)
{
    struct stat facts;
    int device = stat(name, &facts) == 0 && !S_ISREG(facts.st_mode);
    char *partial = malloc(strlen(name) + 6);
    if (!partial)
        return fail("%s: out of memory", name);
    sprintf(partial, device ? "%s" : "%s.part", name);
    FILE *out = fopen(partial, "wb");
    int code = out ? write_open(out, name, fill, context)
                   : fail("%s: cannot write: %s", partial, strerror(errno));
    if (!code && !device && rename(partial, name) != 0)
        code = fail("%s: cannot rename %s to it: %s", name, partial, strerror(errno));
    if (code && out && !device)
        remove(partial);
    free(partial);
    return code;
}

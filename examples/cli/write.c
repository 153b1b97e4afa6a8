/* SPDX-License-Identifier: MIT */
/* Files that are complete or not there. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fills and closes `out`. A file is on the disk before it gets its name. */
static int write_open(FILE *out, const char *name, int device,
                      int (*fill)(FILE *out, void *context), void *context)
{
    int code = fill(out, context);
    if (!code && !device && (fflush(out) != 0 || fsync(fileno(out)) != 0))
        code = fail("%s: cannot write: %s", name, strerror(errno));
    if (fclose(out) != 0 && !code)
        code = fail("%s: cannot write: %s", name, strerror(errno));
    return code;
}

int same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
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
    int code = out ? write_open(out, name, device, fill, context)
                   : fail("%s: cannot write: %s", partial, strerror(errno));
    if (!code && !device && rename(partial, name) != 0)
        code = fail("%s: cannot rename %s to it: %s", name, partial, strerror(errno));
    if (code && out && !device)
        remove(partial);
    free(partial);
    return code;
}

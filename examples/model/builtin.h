/* SPDX-License-Identifier: MIT */
/* A tiny model in the data of the program, for those who name no file. The
 * library knows nothing of it. */
#ifndef LOAM_EXAMPLES_MODEL_BUILTIN_H
#define LOAM_EXAMPLES_MODEL_BUILTIN_H

#include <loam/loam.h>

/* Where to read a model: the file at `path`, or, if that is NULL, the model
 * built in. The latter is said on standard error in one line that begins with
 * the program's name; NULL says nothing. */
void builtin_source(loam_source *out, const char *path, const char *program);

#endif

/* SPDX-License-Identifier: MIT */
#include "builtin.h"

#include <stdio.h>

/* Written by embed.py at build time: the bytes of loam-tiny.gguf, in order. */
extern const uint64_t builtin_words[];
extern const uint64_t builtin_size;

void builtin_source(loam_source *out, const char *path, const char *program)
{
    loam_source source = {.struct_size = sizeof source};
    source.kind = path ? LOAM_SOURCE_PATH : LOAM_SOURCE_MEMORY;
    source.path.data = path ? path : "the built-in model";
    source.path.length = LOAM_NUL_TERMINATED;
    if (!path) {
        source.data = builtin_words;
        source.size = builtin_size;
    }
    if (!path && program)
        fprintf(stderr, "%s: no model named, using the tiny one built in\n", program);
    *out = source;
}

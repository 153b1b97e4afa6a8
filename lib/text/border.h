/* SPDX-License-Identifier: MIT */
/* Places where a document may be cut: between blocks, sentences, lines, words. */
#ifndef LOAM_TEXT_BORDER_H
#define LOAM_TEXT_BORDER_H

#include "base/base.h"

/* The fence of a code block of Markdown that is open; count 0: none. */
struct fence {
    char mark; /* '`' or '~' */
    uint32_t count;
};

struct border {
    size_t at;          /* byte where what follows begins: a line with its indentation, or a word */
    int32_t kind;       /* LOAM_BORDER_... */
    struct fence fence; /* before the line that begins here */
};

/* A walk over the borders of a text, in order. */
struct border_walk {
    const char *text;
    size_t length, at;
    struct fence fence;
    bool closed; /* the present line closes a code block */
};

/* From `at` on, with the fence that is open there. */
void loam_border_begin(struct border_walk *walk, const char *text, size_t length, size_t at,
                       struct fence fence);

/* The next border behind the position; false at the end of the text, which is
 * none. */
bool loam_border_next(struct border_walk *walk, struct border *out);

/* `at`, or a little less: not inside a character. Bytes that are no UTF-8 are
 * characters each. Not before `least`. */
size_t loam_border_align(const char *text, size_t length, size_t at, size_t least);

#endif

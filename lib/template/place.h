/* SPDX-License-Identifier: MIT */
/* Where in a text a byte stands. */
#ifndef LOAM_TEMPLATE_PLACE_H
#define LOAM_TEMPLATE_PLACE_H

#include "base/base.h"

/* Both from 1; the column in characters. */
struct place {
    unsigned line, column;
};

static inline struct place loam_place_of(const char *text, size_t length, size_t at)
{
    struct place place = {1, 1};
    for (size_t i = 0; i < at && i < length; i++) {
        if (text[i] == '\n')
            place = (struct place){place.line + 1, 1};
        else
            place.column += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return place;
}

#endif

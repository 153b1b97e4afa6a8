/* SPDX-License-Identifier: MIT */
/*
 * SentencePiece's "precompiled_charsmap": texts and what they are replaced by,
 * as a double array (of the Darts-clone library) and a list of texts. A unit of
 * the array holds, from the low end: a byte to compare with (8 bits), whether a
 * value hangs on it (1 bit), whether its offset is shifted by 8 (1 bit), and the
 * offset (22 bits); or, with the top bit set, a value (31 bits).
 */
#ifndef LOAM_TEXT_CHARSMAP_H
#define LOAM_TEXT_CHARSMAP_H

#include "base/error.h"

struct charsmap {
    const unsigned char *units; /* [unit_count * 4], little-endian */
    size_t unit_count;
    const char *texts; /* [text_bytes], NUL behind each, the last included */
    size_t text_bytes;
};

/* Checks the sizes. The bytes are not copied; none are no map.
 * [errors: FORMAT] */
loam_status loam_charsmap_read(struct charsmap *out, const unsigned char *bytes, size_t size,
                               loam_error *error);

/* The longest entry that text[length] begins with: its length, 0 if there is
 * none, and its replacement. Hostile maps match wrongly at worst. */
size_t loam_charsmap_match(const struct charsmap *map, const char *text, size_t length,
                           loam_string *replacement);

#endif

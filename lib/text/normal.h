/* SPDX-License-Identifier: MIT */
/* Normalization forms (Unicode Standard Annex 15). */
#ifndef LOAM_TEXT_NORMAL_H
#define LOAM_TEXT_NORMAL_H

#include "base/error.h"
#include "base/memory.h"

/* Bytes of a growing text. */
struct text_buffer {
    struct memory *memory;
    char *bytes;
    size_t count, capacity;
};

/* Appends; false without memory. */
bool loam_normal_add(struct text_buffer *buffer, const char *bytes, size_t count);

enum normal_form { NORMAL_NFC, NORMAL_NFD, NORMAL_NFKC, NORMAL_NFKD };

/* Code points being put in order; zero-initialised but for `memory`. The caller
 * frees `points`. */
struct normal_scratch {
    struct memory *memory;
    uint32_t *points; /* code point | combining class << 21 */
    size_t count, capacity;
    uint32_t *sorted;
    size_t sorted_capacity;
};

/* Appends text[length] in that form. Bytes that are no UTF-8 stay what they are
 * and combine with nothing. Time: linear. False without memory. */
bool loam_normal_append(struct text_buffer *out, struct normal_scratch *scratch, const char *text,
                        size_t length, enum normal_form form);

/* ---- the tables ---- */

struct normal_parts {
    uint32_t code_point;
    uint16_t at;    /* in loam_normal_texts */
    uint8_t length; /* bytes of UTF-8 */
    uint8_t compatible;
};

struct normal_pair {
    uint32_t first, second, composed;
};

extern const uint32_t loam_normal_classes[];
extern const size_t loam_normal_class_count;
extern const struct normal_parts loam_normal_parts[]; /* the compatible one behind the canonical */
extern const size_t loam_normal_part_count;
extern const unsigned char loam_normal_texts[];
extern const struct normal_pair loam_normal_pairs[];
extern const size_t loam_normal_pair_count;

#endif

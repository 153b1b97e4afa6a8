/* SPDX-License-Identifier: MIT */
/*
 * Types that give integers (quant/integers.h), row by row: the numbers of eight rows of
 * a unit, as products along a row read them. A type that is not here takes the panels of
 * linear_integers.h.
 */
#ifndef LOAM_BACKENDS_CPU_X86_INTEGER_ROWS_H
#define LOAM_BACKENDS_CPU_X86_INTEGER_ROWS_H

#include "quant/integers.h"

enum { EIGHT_ROWS = 8 };

/* What struct block_integers has, of rows o, each with up to INTEGERS numbers. */
struct integer_rows {
    _Alignas(64) int8_t q[EIGHT_ROWS][INTEGERS]; /* plus the type's offset */
    int16_t scales[EIGHT_ROWS][INTEGERS / 16], mins[EIGHT_ROWS][INTEGERS / 16];
    float d[INTEGERS / 16][EIGHT_ROWS], dmin[INTEGERS / 16][EIGHT_ROWS]; /* of each step */
};

struct row_unpacker {
    const struct weight_type *type;
    /* The first `blocks` blocks of eight rows, which begin row_bytes apart. */
    void (*unpack)(struct integer_rows *out, const unsigned char *rows, size_t row_bytes,
                   size_t blocks);
    bool has_signs; /* else numbers plus the offset are at least 0; always with steps of 16 */
    int offset;     /* at most 16, and 8 for steps of 256 */
    int most_rows;  /* of activations: at the level avx2 more are faster in panels */
};

/* The type's, or NULL. */
const struct row_unpacker *loam_avx2_row_unpacker(const struct weight_type *type);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Types whose numbers are entries of code books (quant/grids.h), row by row: the numbers of
 * eight rows of a unit, as products along a row read them.
 */
#ifndef LOAM_BACKENDS_CPU_X86_GRID_ROWS_H
#define LOAM_BACKENDS_CPU_X86_GRID_ROWS_H

#include "quant/integers.h"

enum { EIGHT_ROWS = 8 };

/* What struct block_integers has, of rows o: one step of 256, without minima. */
struct grid_rows {
    _Alignas(64) int8_t q[EIGHT_ROWS][INTEGERS];
    _Alignas(32) int16_t scales[EIGHT_ROWS][INTEGERS / 16];
    float d[EIGHT_ROWS];
};

/* The blocks of eight rows, which begin row_bytes apart. */
typedef void (*row_unpacker)(struct grid_rows *out, const unsigned char *rows, size_t row_bytes);

/* The type's, or NULL. */
row_unpacker loam_avx2_row_unpacker(const struct weight_type *type);

#endif

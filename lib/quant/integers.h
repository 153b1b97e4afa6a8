/* SPDX-License-Identifier: MIT */
/*
 * Weights as integers, the one form from which products of most types are
 * computed: a block of one row in ascending order (the definition of a type),
 * and a unit of 16 rows in the order that product kernels read.
 */
#ifndef LOAM_QUANT_INTEGERS_H
#define LOAM_QUANT_INTEGERS_H

#include "base/half.h"
#include "quant/types.h"

enum { INTEGERS = 256 /* of a row, at most, in a block and in a unit */ };

/* Number i: d[i / step] * scales[i / 16] * q[i], minus dmin[i / step] *
 * mins[i / 16] where the type has minima. */
struct block_integers {
    float d[INTEGERS / 16], dmin[INTEGERS / 16];
    int16_t scales[INTEGERS / 16], mins[INTEGERS / 16]; /* written for steps of 256 only */
    int8_t q[INTEGERS];
};

/* 16 rows o. For steps of 256 scales and mins, of 32 numbers p and 16 i; for
 * others only d and dmin, of each step s. */
struct unit_integers {
    _Alignas(64) int8_t q[INTEGERS / 4][PANEL_ROWS][4]; /* [v][o][j]: number 4 v + j */
    int16_t scales[INTEGERS / 32][PANEL_ROWS][2];       /* [p][o][i] */
    int16_t mins[INTEGERS / 32][PANEL_ROWS][2];
    float d[INTEGERS / 16][PANEL_ROWS], dmin[INTEGERS / 16][PANEL_ROWS]; /* [s][o] */
};

/* The unit's first `blocks` blocks of all 16 rows. */
void loam_integers_unit(struct unit_integers *out, const struct weight_type *type, const void *unit,
                        size_t blocks);

/* A dequantiser for any type with integers: products of two of the three
 * factors are exact, so their order does not matter; with minima one
 * difference is rounded. */
void loam_integers_dequantize(const struct weight_type *type, float *out, const void *blocks,
                              size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/* What a nibble stands for in types that are not linear. */
#ifndef LOAM_QUANT_CURVES_H
#define LOAM_QUANT_CURVES_H

#include "base/base.h"

/* IQ4_NL and IQ4_XS, as published in ggml. */
static const int8_t loam_curve_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

/* Twice the float E2M1 of the OCP microscaling formats; -0 is 0. */
static const int8_t loam_curve_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static const int8_t loam_curve_e2m1_ascending[15] = {-12, -8, -6, -4, -3, -2, -1, 0,
                                                     1,   2,  3,  4,  6,  8,  12};

/* Both nibbles of each byte: the low one's number in the low byte. */
extern const uint16_t loam_curve_iq4_pairs[256], loam_curve_e2m1_pairs[256];

/* The numbers of `count` bytes, at most 16: of low nibbles, of high ones. */
static inline void loam_curve_numbers(int8_t *low, int8_t *high, const uint8_t *bytes,
                                      const uint16_t pairs[256], size_t count)
{
    uint16_t both[16];
    for (size_t j = 0; j < count; j++)
        both[j] = pairs[bytes[j]];
    for (size_t j = 0; j < count; j++) {
        low[j] = (int8_t)(uint8_t)both[j];
        high[j] = (int8_t)(both[j] >> 8);
    }
}

/* The index of one of a curve's numbers. */
static inline uint8_t loam_curve_index(const int8_t curve[16], int8_t number)
{
    uint8_t i = 0;
    while (i < 15 && curve[i] != number)
        i++;
    return i;
}

#endif

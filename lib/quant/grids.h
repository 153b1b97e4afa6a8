/* SPDX-License-Identifier: MIT */
/* The code books of the IQ types, as bytes in a word: number 0 lowest. And what
 * works on eight numbers in a word: bits spread over bytes, signs, storing. */
#ifndef LOAM_QUANT_GRIDS_H
#define LOAM_QUANT_GRIDS_H

#include "base/base.h"

extern const uint64_t loam_grid_iq2_xxs[256], loam_grid_iq2_xs[512], loam_grid_iq2_s[1024];
extern const uint64_t loam_grid_iq1[2048]; /* signed bytes */
extern const uint32_t loam_grid_iq3_xxs[256], loam_grid_iq3_s[512];

#define LOAM_BYTES_OF_ONE 0x0101010101010101u

/* Byte i is bit i of eight. */
static inline uint64_t loam_grid_spread_bits(uint32_t eight)
{
    uint64_t bits = (eight & 255) * LOAM_BYTES_OF_ONE & 0x8040201008040201u; /* bit i in byte i */
    return ((bits + 0x7F * LOAM_BYTES_OF_ONE) & 0x80 * LOAM_BYTES_OF_ONE) >> 7;
}

/* Each byte i of a word without zeros, negated if bit i of signs is set. */
static inline uint64_t loam_grid_signed(uint64_t bytes, uint32_t signs)
{
    uint64_t negative = loam_grid_spread_bits(signs);
    return (bytes ^ negative * 255) + negative; /* ~b + 1: no carry, since b is not 0 */
}

/* 8 signs from 7: the number of set bits is even. */
static inline uint32_t loam_grid_even_signs(uint32_t seven)
{
    uint32_t signs = seven & 127, folded = (signs ^ signs >> 4) & 15;
    return signs | (0x6996u >> folded & 1) << 7; /* 0x6996: parity of four bits */
}

/* Bytes of a word to numbers in ascending order. */
static inline void loam_grid_store(int8_t out[8], uint64_t bytes)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (int8_t)(uint8_t)(bytes >> 8 * i);
}

#endif

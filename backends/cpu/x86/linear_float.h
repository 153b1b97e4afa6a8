/* SPDX-License-Identifier: MIT */
/* What products of few and of many rows with F32, F16 and BF16 weights share. */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_FLOAT_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_FLOAT_H

#include "base/half.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

/* x86/linear_float_rows.c: as many of the first rows as are enough for it, for all
 * outputs of the tile; returns their number. */
size_t loam_avx2_float_rows(const struct linear_tile *tile, uint32_t type);

/* 8 weights as f32, exactly. */
INLINE __m256 widen(const unsigned char *at, uint32_t type)
{
    if (type == LOAM_TYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)at);
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)at);
    if (type == LOAM_TYPE_F16)
        return _mm256_cvtph_ps(bits);
    /* each half of the register takes four of the numbers, above 16 zero bits */
    const __m256i place =
        _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7, -1, -1, 8, 9, -1,
                         -1, 10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
    return _mm256_castsi256_ps(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bits), place));
}

INLINE size_t size_of(uint32_t type)
{
    return type == LOAM_TYPE_F32 ? 4 : 2;
}

/* 8 floats in a register: gcc would load them again for each fma. */
INLINE __m256 loaded(const float *x)
{
    __m256 eight = _mm256_loadu_ps(x);
    __asm__("" : "+x"(eight));
    return eight;
}

#endif

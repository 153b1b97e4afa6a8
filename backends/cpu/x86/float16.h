/* SPDX-License-Identifier: MIT */
/* 16 floats at a time: what several kernels of the level avx512 need. */
#ifndef LOAM_BACKENDS_CPU_X86_FLOAT16_H
#define LOAM_BACKENDS_CPU_X86_FLOAT16_H

#include "cpu/x86/float8.h"

/* The tree of rule 5 over the lanes of one register. */
INLINE float tree_of_16(__m512 x)
{
    return tree8(_mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1)));
}

/* loam_expf(x) for x up to 0, as exp8_negative: the limit comes first in its
 * max, which so leaves NaN. */
INLINE __m512 exp16_negative(__m512 x)
{
    const __m512 per_ln2 = _mm512_set1_ps(0x1.715476p0f), round = _mm512_set1_ps(0x1.8p23f + 127);
    x = _mm512_max_ps(_mm512_set1_ps(-88), x);
    __m512 shifted = _mm512_fmadd_ps(x, per_ln2, round);
    __m512 r = _mm512_fmsub_ps(x, per_ln2, _mm512_sub_ps(shifted, round));
    __m512 p = _mm512_set1_ps(0x1.5ec866p-10f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.3cbf6p-7f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.c6afeep-5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.ebfa4cp-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.62e43p-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    __m512i power = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_mul_ps(p, _mm512_castsi512_ps(power));
}

/* The first `count` (0 to 16) lanes. */
INLINE __mmask16 first_of_16(size_t count)
{
    return (__mmask16)((1u << count) - 1);
}

#endif

/* SPDX-License-Identifier: MIT */
/* What several free kernels need (free.h). */
#ifndef LOAM_TESTS_KERNELS_FREE_FLOAT8_H
#define LOAM_TESTS_KERNELS_FREE_FLOAT8_H

#include "cpu/x86/float8.h"

INLINE float free_sum8(__m256 x)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

/* e^x for x at most 88: the polynomial of loam_expf, its only guard that what is
 * below -87 gives e^-87, and 2^n added to the exponent. NaN gives anything. */
INLINE __m256 free_exp8(__m256 x)
{
    const __m256 per_ln2 = _mm256_set1_ps(0x1.715476p0f), round = _mm256_set1_ps(0x1.8p23f);
    x = _mm256_max_ps(x, _mm256_set1_ps(-87));
    __m256 shifted = _mm256_fmadd_ps(x, per_ln2, round);
    __m256 r = _mm256_fmsub_ps(x, per_ln2, _mm256_sub_ps(shifted, round));
    __m256 p = _mm256_set1_ps(0x1.5ec866p-10f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.3cbf6p-7f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.c6afeep-5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.ebfa4cp-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.62e43p-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1));
    __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}

#endif

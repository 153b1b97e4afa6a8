/* SPDX-License-Identifier: MIT */
/* 8 floats at a time: what several kernels of the level avx2 need. */
#ifndef LOAM_BACKENDS_CPU_X86_FLOAT8_H
#define LOAM_BACKENDS_CPU_X86_FLOAT8_H

#include "base/base.h"

#include <immintrin.h>

/* Kernels for many shapes are one function whose constant arguments fold away.
 * Without optimisation nothing folds and each copy would take stack: 200 KB. */
#ifdef __OPTIMIZE__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* The tree of rule 5 over 16 lanes: 0 to 7 in `low`, 8 to 15 in `high`. */
INLINE float tree16(__m256 low, __m256 high)
{
    __m256 eight = _mm256_add_ps(low, high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* loam_expf of lib/base/numeric.c, the same sequence in each lane; its early
 * returns are choices at the end. */
INLINE __m256 exp8(__m256 x)
{
    const __m256 round = _mm256_set1_ps(0x1.8p23f);
    __m256 n = _mm256_sub_ps(_mm256_fmadd_ps(x, _mm256_set1_ps(0x1.715476p0f), round), round);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.62e43p-1f), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(0x1.05c61p-29f), r);
    __m256 q = _mm256_set1_ps(0x1.6d113cp-10f);
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0x1.120ba2p-7f));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0x1.55551ap-5f));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0x1.5554dcp-3f));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0.5f));
    __m256 p = _mm256_add_ps(_mm256_fmadd_ps(q, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1));
    /* 2^exponent in two factors, as it may be below 2^-126 */
    __m256i exponent = _mm256_cvttps_epi32(n), half = _mm256_srai_epi32(exponent, 1);
    __m256i rest = _mm256_sub_epi32(exponent, half), bias = _mm256_set1_epi32(127);
    __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    __m256 y = _mm256_mul_ps(_mm256_mul_ps(p, first), second);
    __m256 small = _mm256_or_ps(_mm256_cmp_ps(y, _mm256_set1_ps(0x1p-126f), _CMP_LT_OQ),
                                _mm256_cmp_ps(x, _mm256_set1_ps(-0x1.5d58ap6f), _CMP_LT_OQ));
    y = _mm256_andnot_ps(small, y);
    const __m256 infinity = _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000));
    y = _mm256_blendv_ps(y, infinity, _mm256_cmp_ps(x, _mm256_set1_ps(0x1.62e43p6f), _CMP_GT_OQ));
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* A mask of the first `count` (0 to 8) lanes for maskload and maskstore. */
INLINE __m256i first_lanes(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#endif

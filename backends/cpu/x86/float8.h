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

/*
 * loam_expf of lib/base/numeric.c, the same sequence in each lane, without its
 * early returns: x = n * ln 2 + r, and 2^n goes straight to the exponent, which
 * is exact. n is the one next to `near` / ln 2. `round` is 1.5 * 2^23, or less 1,
 * which halves the result (no float is in the middle of two n).
 */
INLINE __m256 exp8_near(__m256 x, __m256 near, __m256 round)
{
    __m256 shifted = _mm256_fmadd_ps(near, _mm256_set1_ps(0x1.715476p0f), round);
    __m256 n = _mm256_sub_ps(shifted, round);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.62e43p-1f), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(0x1.05c61p-29f), r);
    __m256 q = _mm256_set1_ps(0x1.6d113cp-10f);
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0x1.120ba2p-7f));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0x1.55551ap-5f));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0x1.5554dcp-3f));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(0.5f));
    __m256 p = _mm256_add_ps(_mm256_fmadd_ps(q, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1));
    /* the low bits of `shifted` are those of n, or n - 1 */
    __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}

/* loam_expf(x) for x up to 0. For NaN n is 0, so that it stays NaN.
 * -0x1.5d589ep6 is the least x whose result is not below 2^-126, and so not +0.
 * All such x were compared once. */
INLINE __m256 exp8_negative(__m256 x)
{
    __m256 y = exp8_near(x, _mm256_min_ps(x, _mm256_setzero_ps()), _mm256_set1_ps(0x1.8p23f));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, _mm256_set1_ps(-0x1.5d589ep6f), _CMP_LT_OQ), y);
}

/* 1 + loam_expf(x): below -86 nothing is added, and up to 89 half of the
 * exponential is finite. NaN gives infinity. All 2^32 x were compared once. */
INLINE __m256 one_plus_exp8(__m256 x)
{
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(89)), _mm256_set1_ps(-86));
    __m256 half = exp8_near(x, x, _mm256_set1_ps(0x1.7ffffep23f));
    return _mm256_fmadd_ps(half, _mm256_set1_ps(2), _mm256_set1_ps(1));
}

/* A mask of the first `count` (0 to 8) lanes for maskload and maskstore. */
INLINE __m256i first_lanes(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#endif

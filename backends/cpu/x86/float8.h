/* SPDX-License-Identifier: MIT */
/* 8 floats at a time: what several kernels of the level avx2 need. */
#ifndef LOAM_BACKENDS_CPU_X86_FLOAT8_H
#define LOAM_BACKENDS_CPU_X86_FLOAT8_H

#include "base/base.h"

#include <immintrin.h>

/* Kernels for many shapes are one function whose constant arguments fold away.
 * Without optimisation nothing folds and each copy would take stack: 200 KB. With clang's
 * address sanitizer each copy is looked at for minutes. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__OPTIMIZE__) && !__has_feature(address_sanitizer)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* There is one of it: gcc makes no copies for arguments that are constants. */
#ifdef __clang__
#define ONCE static __attribute__((noinline))
#else
#define ONCE static __attribute__((noinline, noclone))
#endif

/* The tree of rule 5, from 8 lanes on. */
INLINE float tree8(__m256 eight)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The same of four, a lane each. */
INLINE __m128 four_trees8(const __m256 x[4])
{
    __m128 four[4];
    for (int i = 0; i < 4; i++)
        four[i] = _mm_add_ps(_mm256_castps256_ps128(x[i]), _mm256_extractf128_ps(x[i], 1));
    __m128 a = _mm_add_ps(_mm_movelh_ps(four[0], four[1]), _mm_movehl_ps(four[1], four[0]));
    __m128 b = _mm_add_ps(_mm_movelh_ps(four[2], four[3]), _mm_movehl_ps(four[3], four[2]));
    return _mm_add_ps(_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xDD));
}

/* The tree over 16 lanes: 0 to 7 in `low`, 8 to 15 in `high`. */
INLINE float tree16(__m256 low, __m256 high)
{
    return tree8(_mm256_add_ps(low, high));
}

/* The end of loam_expf (lib/base/numeric.c): e^x of x / ln 2 = n + r. */
INLINE __m256 power8(__m256 shifted, __m256 r)
{
    __m256 p = _mm256_set1_ps(0x1.5ec866p-10f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.3cbf6p-7f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.c6afeep-5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.ebfa4cp-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.62e43p-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1));
    return _mm256_mul_ps(p,
                         _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(shifted), 23)));
}

/* loam_expf(x) for x up to 0, the same sequence in each lane. The limit comes
 * first in its max, which so leaves NaN. */
INLINE __m256 exp8_negative(__m256 x)
{
    const __m256 per_ln2 = _mm256_set1_ps(0x1.715476p0f), round = _mm256_set1_ps(0x1.8p23f + 127);
    x = _mm256_max_ps(_mm256_set1_ps(-88), x);
    __m256 shifted = _mm256_fmadd_ps(x, per_ln2, round);
    return power8(shifted, _mm256_fmsub_ps(x, per_ln2, _mm256_sub_ps(shifted, round)));
}

/* loam_expf(-x) for any x: the sign goes to 1 / ln 2. */
INLINE __m256 exp8_of_minus(__m256 x)
{
    const __m256 per_ln2 = _mm256_set1_ps(-0x1.715476p0f), round = _mm256_set1_ps(0x1.8p23f + 127);
    x = _mm256_min_ps(_mm256_set1_ps(88), _mm256_max_ps(_mm256_set1_ps(-88), x));
    __m256 shifted = _mm256_fmadd_ps(x, per_ln2, round);
    return power8(shifted, _mm256_fmsub_ps(x, per_ln2, _mm256_sub_ps(shifted, round)));
}

/* The middle of loam_tanhf: (e - 1) / (e + 1), e = loam_exp(2 x), of x from 0 to 10. */
INLINE __m128 tanh4_middle(__m128 x)
{
    static const double inverse_factorial[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
        1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5};
    const __m256d one = _mm256_set1_pd(1), round = _mm256_set1_pd(0x1.8p52);
    __m256d x2 = _mm256_mul_pd(_mm256_set1_pd(2), _mm256_cvtps_pd(x));
    __m256d shifted = _mm256_fmadd_pd(x2, _mm256_set1_pd(0x1.71547652b82fep0), round);
    __m256d n = _mm256_sub_pd(shifted, round);
    __m256d r = _mm256_fnmadd_pd(n, _mm256_set1_pd(0x1.62e42fefa39efp-1), x2);
    r = _mm256_fnmadd_pd(n, _mm256_set1_pd(0x1.abc9e3b39803fp-56), r);
    __m256d q = _mm256_set1_pd(inverse_factorial[0]);
    for (size_t i = 1; i < LOAM_COUNT_OF(inverse_factorial); i++)
        q = _mm256_fmadd_pd(q, r, _mm256_set1_pd(inverse_factorial[i]));
    __m256d p = _mm256_add_pd(_mm256_fmadd_pd(q, _mm256_mul_pd(r, r), r), one);
    /* n from 0 to 29: one factor of 2^n is exact, as are loam_exp's two */
    __m256i power = _mm256_add_epi64(_mm256_castpd_si256(shifted), _mm256_set1_epi64x(1023));
    __m256d e = _mm256_mul_pd(p, _mm256_castsi256_pd(_mm256_slli_epi64(power, 52)));
    return _mm256_cvtpd_ps(_mm256_div_pd(_mm256_sub_pd(e, one), _mm256_add_pd(e, one)));
}

/* loam_tanhf(x). */
INLINE __m256 tanh8(__m256 x)
{
    const __m256 sign_bit = _mm256_set1_ps(-0.0f);
    __m256 a = _mm256_andnot_ps(sign_bit, x), sign = _mm256_and_ps(sign_bit, x);
    __m256 y = _mm256_set_m128(tanh4_middle(_mm256_extractf128_ps(a, 1)),
                               tanh4_middle(_mm256_castps256_ps128(a)));
    __m256 is_large = _mm256_cmp_ps(a, _mm256_set1_ps(10), _CMP_GT_OQ);
    __m256 is_small = _mm256_cmp_ps(a, _mm256_set1_ps(0x1p-12f), _CMP_LT_OQ);
    y = _mm256_blendv_ps(y, _mm256_set1_ps(1), is_large);
    return _mm256_blendv_ps(_mm256_or_ps(y, sign), x, is_small);
}

/* A mask of the first `count` (0 to 8) lanes for maskload and maskstore. */
INLINE __m256i first_lanes(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#endif

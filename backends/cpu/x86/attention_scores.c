/* SPDX-License-Identifier: MIT */
/*
 * Rule 7: what models with a soft cap or with slopes by distance do to scores. Others
 * have no part in it, and the loops of scores know nothing of it.
 */
#include "cpu/x86/attention.h"

#include <math.h>

/* |first|, |first + 1|, ... */
INLINE __m256 distances(ptrdiff_t first)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i from = _mm256_set1_epi32((int32_t)first);
    return _mm256_cvtepi32_ps(_mm256_abs_epi32(_mm256_add_epi32(lanes, from)));
}

__m256 loam_avx2_adjust_scores(float *scores, const struct adjustment *adjustment)
{
    const struct adjustment a = *adjustment;
    const __m256 cap = _mm256_set1_ps(a.soft_cap), slope = _mm256_set1_ps(a.slope);
    __m256 most = _mm256_set1_ps(-INFINITY);
    size_t end = (a.end + 15) & ~(size_t)15; /* weights are made of 16 at a time */
    for (size_t p = a.begin & ~(size_t)15; p < end; p += 8) {
        __m256 s = _mm256_loadu_ps(scores + p);
        if (a.soft_cap != 0)
            s = _mm256_mul_ps(cap, tanh8(_mm256_div_ps(s, cap)));
        if (a.slope != 0)
            s = _mm256_fnmadd_ps(slope, distances(a.distance + (ptrdiff_t)p), s);
        s = visible8(s, a.query_begin, a.query_end, p);
        most = _mm256_max_ps(most, s);
        _mm256_storeu_ps(scores + p, s);
    }
    return most;
}

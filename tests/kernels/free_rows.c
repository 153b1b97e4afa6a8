/* SPDX-License-Identifier: MIT */
/*
 * Norm, gate and quantising without their rules: the norm's sum in as many
 * lanes as cover the latency of fma, an approximate reciprocal (one step of
 * Newton's method) in place of divisions, an exponential without guards.
 */
#include "free.h"
#include "free_float8.h"

#include <math.h>

enum { SUMS = 8 };

/* 1 / x, off by some 2^-22. */
INLINE __m256 reciprocal8(__m256 x)
{
    __m256 r = _mm256_rcp_ps(x);
    return _mm256_mul_ps(r, _mm256_fnmadd_ps(x, r, _mm256_set1_ps(2)));
}

void free_rms_norm(const struct norm_tile *tile)
{
    size_t n = tile->width;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        const float *x = tile->x + row * n;
        float *out = tile->out + row * n, sum = 0;
        __m256 sums[SUMS];
        size_t i = 0;
        for (int j = 0; j < SUMS; j++)
            sums[j] = _mm256_setzero_ps();
        for (; i + 8 * SUMS <= n; i += 8 * SUMS)
            for (int j = 0; j < SUMS; j++) {
                __m256 a = _mm256_loadu_ps(x + i + 8 * (size_t)j);
                sums[j] = _mm256_fmadd_ps(a, a, sums[j]);
            }
        for (; i < n; i++)
            sum += x[i] * x[i];
        for (int j = SUMS / 2; j > 0; j /= 2)
            for (int k = 0; k < j; k++)
                sums[k] = _mm256_add_ps(sums[k], sums[k + j]);
        sum += free_sum8(sums[0]);
        float scale = 1.0f / sqrtf(sum / (float)n + tile->epsilon);
        for (i = 0; i < n; i++)
            out[i] = (x[i] * scale) * tile->weight[i];
    }
}

INLINE __m256 gate(__m256 a, __m256 b)
{
    __m256 negative = _mm256_xor_ps(a, _mm256_set1_ps(-0.0f));
    __m256 e = free_exp8(_mm256_min_ps(negative, _mm256_set1_ps(80)));
    __m256 below = _mm256_add_ps(_mm256_set1_ps(1), e);
    return _mm256_mul_ps(_mm256_mul_ps(a, b), reciprocal8(below));
}

void free_gate_silu(const struct elementwise_tile *tile)
{
    size_t i = tile->first, end = tile->first + tile->count;
    for (; i + 8 <= end; i += 8)
        _mm256_storeu_ps(tile->out + i,
                         gate(_mm256_loadu_ps(tile->a + i), _mm256_loadu_ps(tile->b + i)));
    if (i < end) {
        __m256i mask = first_lanes(end - i);
        _mm256_maskstore_ps(
            tile->out + i, mask,
            gate(_mm256_maskload_ps(tile->a + i, mask), _mm256_maskload_ps(tile->b + i, mask)));
    }
}

/* ---- quantising --------------------------------------------------------------- */

INLINE __m256i rounded(const float *x, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

INLINE void quantize32(int8_t *q, int16_t *sums32, int16_t *sums16, const float *x, __m256 inverse)
{
    __m256i a = _mm256_packs_epi32(rounded(x, inverse), rounded(x + 8, inverse));
    __m256i b = _mm256_packs_epi32(rounded(x + 16, inverse), rounded(x + 24, inverse));
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b),
                                                _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)q, bytes);
    __m256i sums =
        _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4E));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xB1));
    int32_t first = _mm256_cvtsi256_si32(sums), second = _mm256_extract_epi32(sums, 4);
    sums16[0] = (int16_t)first;
    sums16[1] = (int16_t)second;
    sums32[0] = (int16_t)(first + second);
}

/* No threshold: a tiny number is the least of the largest magnitudes. As integers
 * they are found sooner than as floats (a cycle instead of four each). */
INLINE float quantize_group(int8_t *q, int16_t *sums32, int16_t *sums16, const float *x, size_t n)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i bits = _mm256_castps_si256(_mm256_set1_ps(1e-30f));
    for (size_t i = 0; i < n; i += 8)
        bits = _mm256_max_epu32(
            bits, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), magnitude));
    bits = _mm256_max_epu32(bits, _mm256_permute2x128_si256(bits, bits, 1));
    bits = _mm256_max_epu32(bits, _mm256_shuffle_epi32(bits, 0x4E));
    bits = _mm256_max_epu32(bits, _mm256_shuffle_epi32(bits, 0xB1));
    __m256 most = _mm256_castsi256_ps(bits);
    __m256 inverse = _mm256_mul_ps(reciprocal8(most), _mm256_set1_ps(127));
    for (size_t i = 0; i < n; i += 32)
        quantize32(q + i, sums32 + i / 32, sums16 + i / 16, x + i, inverse);
    return _mm256_cvtss_f32(most) * (1.0f / 127);
}

void free_quantize(const struct quantize_tile *tile)
{
    size_t width = tile->width, group = tile->group;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t i = 0; i < width; i += group)
            tile->scales[(row * width + i) / group] = quantize_group(
                tile->q + row * width + i, tile->sums32 + (row * width + i) / 32,
                tile->sums16 + (row * width + i) / 16, tile->x + row * tile->x_stride + i, group);
}

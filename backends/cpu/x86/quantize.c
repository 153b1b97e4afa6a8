/* SPDX-License-Identifier: MIT */
/*
 * Rule 3: a pass for the largest magnitude, one for the integers and their
 * sums. Bound: reading the row, which is in cache.
 */
#include "base/half.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

static uint32_t largest_bits(const float *x, size_t n)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i most = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 8)
        most = _mm256_max_epu32(
            most, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), magnitude));
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

/* x * inverse rounded, halves to even: as loam_round, whose way and cvtps2dq
 * agree below 2^22. */
INLINE __m256i rounded(const float *x, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
}

/* 32 numbers and their sums. */
INLINE void quantize32(int8_t *q, int16_t *sums32, int16_t *sums16, const float *x, __m256 inverse)
{
    __m256i a = _mm256_packs_epi32(rounded(x, inverse), rounded(x + 8, inverse));
    __m256i b = _mm256_packs_epi32(rounded(x + 16, inverse), rounded(x + 24, inverse));
    /* packing works in halves of registers: words 0 4 1 5 | 2 6 3 7 */
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

/* One group; returns its scale. */
static float quantize_group(int8_t *q, int16_t *sums32, int16_t *sums16, const float *x, size_t n)
{
    uint32_t most = largest_bits(x, n);
    float m = loam_float_from_bits(most);
    if (!(m >= 0x1p-100f) || most >= 0x7F800000u) {
        memset(q, 0, n);
        memset(sums32, 0, n / 32 * sizeof *sums32);
        memset(sums16, 0, n / 16 * sizeof *sums16);
        return most >= 0x7F800000u ? m : 0; /* not finite stays visible */
    }
    __m256 inverse = _mm256_set1_ps(127 / m);
    for (size_t i = 0; i < n; i += 32)
        quantize32(q + i, sums32 + i / 32, sums16 + i / 16, x + i, inverse);
    return m / 127;
}

void loam_avx2_quantize(const struct quantize_tile *tile)
{
    size_t width = tile->width, group = tile->group;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t i = 0; i < width; i += group)
            tile->scales[(row * width + i) / group] = quantize_group(
                tile->q + row * width + i, tile->sums32 + (row * width + i) / 32,
                tile->sums16 + (row * width + i) / 16, tile->x + row * tile->x_stride + i, group);
}

/* SPDX-License-Identifier: MIT */
/*
 * Panels of packed weights (quant/blocks.h) in 256-bit registers, with AVX2 alone or with
 * AVX-VNNI: words of four weights of 8 outputs (half a panel), their scales, and products
 * with words of activations.
 */
#ifndef LOAM_BACKENDS_CPU_X86_PANEL256_H
#define LOAM_BACKENDS_CPU_X86_PANEL256_H

#include "cpu/kernels.h"
#include "cpu/x86/stream.h"
#include "quant/blocks.h"

INLINE __m256i words(const void *bytes)
{
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm256_set1_epi32(word);
}

INLINE __m256i load(const void *bytes)
{
    return _mm256_load_si256(bytes);
}

/* Half a line of weights for `rows` rows. */
INLINE __m256i load_half(const void *line, size_t half, int rows)
{
    if (rows == 1 && half == 0)
        stream_line(line);
    return load((const unsigned char *)line + 32 * half);
}

INLINE __m256i nibble_mask(void)
{
    return _mm256_set1_epi8(15);
}

INLINE __m256i high_nibbles(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble_mask());
}

INLINE __m256 halves(const uint16_t *from)
{
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)from));
}

/* acc = fma(d * d_x, (float)sum, acc) */
INLINE __m256 step(__m256 acc, __m256 d, float d_x, __m256i sum)
{
    return _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(d_x)), _mm256_cvtepi32_ps(sum), acc);
}

/* acc = fma(-(dmin * d_x), (float)sum, acc) */
INLINE __m256 min_step(__m256 acc, __m256 dmin, float d_x, __m256i sum)
{
    return _mm256_fnmadd_ps(_mm256_mul_ps(dmin, _mm256_set1_ps(d_x)), _mm256_cvtepi32_ps(sum), acc);
}

INLINE __m256i madd_ones(__m256i pairs)
{
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/*
 * Sums of products, added up over words: with VNNI 32-bit lanes, without it
 * pairs of 16 bits. total_... gives 32-bit lanes.
 */
#ifdef __AVXVNNI__
/* Words of four numbers below 32, and below 64, whose products may be added up. */
enum { FIFTHS = 4, SIXTHS = 4 };

INLINE __m256i multiply(__m256i sum, __m256i weights, __m256i x)
{
    return _mm256_dpbusd_avx_epi32(sum, weights, x);
}

INLINE __m256i total(__m256i sum)
{
    return sum;
}

/* sum + the products of pairs of 16 bits */
INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpwssd_avx_epi32(sum, a, b);
}

/* scaled + sum * scale, for sums of up to 24 bits: the lowest byte and the 16 bits
 * above it meet scale and 256 * scale. One operation on the ports of products, where
 * a 32-bit multiplication has two. */
INLINE __m256i add_scaled(__m256i scaled, __m256i sum, __m256i scale)
{
    const __m256i parts = _mm256_setr_epi8(0, -1, 1, 2, 4, -1, 5, 6, 8, -1, 9, 10, 12, -1, 13, 14,
                                           0, -1, 1, 2, 4, -1, 5, 6, 8, -1, 9, 10, 12, -1, 13, 14);
    return add_pairs(scaled, _mm256_shuffle_epi8(sum, parts), scale);
}
#else
enum { FIFTHS = 2, SIXTHS = 2 };

/* Sums are added up in the order written: gcc 12 would keep all products in memory and add
 * them last. */
#define IN_ORDER(sum) __asm__ volatile("" : "+x"(sum))

INLINE __m256i multiply(__m256i sum, __m256i weights, __m256i x)
{
    sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(weights, x));
    IN_ORDER(sum);
    return sum;
}

INLINE __m256i total(__m256i sum)
{
    return madd_ones(sum);
}

INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

INLINE __m256i add_scaled(__m256i scaled, __m256i sum, __m256i scale)
{
    return add_pairs(scaled, sum, scale);
}
#endif

/* ---- scales and words of the types ------------------------------------------- */

/* The scales of one sub-block for 8 outputs as add_scaled takes them: twice in
 * 16 bits, with VNNI the second time times 256. */
INLINE __m256i k_scale(const uint8_t scales[16], size_t half)
{
    __m256i all = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)scales));
#ifdef __AVXVNNI__
    __m256i pick = _mm256_setr_epi8(0, -1, -1, 0, 1, -1, -1, 1, 2, -1, -1, 2, 3, -1, -1, 3, 4, -1,
                                    -1, 4, 5, -1, -1, 5, 6, -1, -1, 6, 7, -1, -1, 7);
#else
    __m256i pick = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1, 4, -1,
                                    4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
#endif
    /* -1 stays negative: the high bit asks for zero */
    pick = half ? _mm256_or_si256(pick, _mm256_set1_epi8(8)) : pick;
    return _mm256_shuffle_epi8(all, pick);
}

/* Words v and v + 4 of a sub-block of Q5_K: 4 + 1 bits. */
INLINE void q5_k_words(__m256i *low, __m256i *high, __m256i bytes, __m256i fifths, size_t v)
{
    const __m256i bit = _mm256_set1_epi8(16);
    __m256i first = _mm256_and_si256(_mm256_slli_epi16(fifths, 4 - (int)v), bit);
    __m256i second = _mm256_and_si256(_mm256_srli_epi16(fifths, (int)v), bit);
    *low = _mm256_or_si256(_mm256_and_si256(bytes, nibble_mask()), first);
    *high = _mm256_or_si256(high_nibbles(bytes), second);
}

/* Word v of sub-block i of pair p: 4 + 2 bits. */
INLINE __m256i q6_k_word(const struct unit_q6_k *unit, size_t p, size_t i, size_t v, size_t half,
                         int rows)
{
    __m256i bytes = load_half(unit->pairs[p].q[v], half, i == 0 ? rows : 0);
    __m256i high = load_half(unit->pairs[p].high[i], half, v == 0 ? rows : 0);
    high = v < 3 ? _mm256_slli_epi16(high, 4 - 2 * (int)v) : _mm256_srli_epi16(high, 2);
    bytes = i ? high_nibbles(bytes) : _mm256_and_si256(bytes, nibble_mask());
    return _mm256_or_si256(bytes, _mm256_and_si256(high, _mm256_set1_epi8(48)));
}

INLINE __m256i q6_k_scales(const struct unit_q6_k *unit, size_t p, size_t half)
{
    return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)unit->scales[p][8 * half]));
}

/* What comes off each number, times the scales. */
INLINE __m256i q6_k_offsets(__m256i scales)
{
    return _mm256_mullo_epi16(scales, _mm256_set1_epi16(-32));
}

/* The scale of sub-block i of the pair as add_scaled takes it. */
INLINE __m256i pair_scale(__m256i scales, int i)
{
#ifdef __AVXVNNI__
    __m256i pick = _mm256_setr_epi8(0, 1, -1, 0, 4, 5, -1, 4, 8, 9, -1, 8, 12, 13, -1, 12, 0, 1, -1,
                                    0, 4, 5, -1, 4, 8, 9, -1, 8, 12, 13, -1, 12);
#else
    __m256i pick = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1, 0, 1,
                                    4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
#endif
    /* -1 stays negative */
    pick = i ? _mm256_or_si256(pick, _mm256_set1_epi8(2)) : pick;
    return _mm256_shuffle_epi8(scales, pick);
}

/* `count` outputs from `output` of row `row`. */
INLINE void store(const struct linear_tile *tile, size_t row, size_t output, size_t count,
                  const __m256 acc[2])
{
    float *out = tile->out + row * tile->out_stride + output, values[PANEL_ROWS];
    const float *bias = tile->bias ? tile->bias + output : NULL;
    if (count == PANEL_ROWS) {
        for (size_t half = 0; half < 16; half += 8)
            _mm256_storeu_ps(out + half,
                             bias ? _mm256_add_ps(acc[half / 8], _mm256_loadu_ps(bias + half))
                                  : acc[half / 8]);
        return;
    }
    _mm256_storeu_ps(values, acc[0]);
    _mm256_storeu_ps(values + 8, acc[1]);
    for (size_t i = 0; i < count; i++)
        out[i] = bias ? values[i] + bias[i] : values[i];
}

#endif

/* SPDX-License-Identifier: MIT */
/* Words of packed weights in 512-bit registers, and their scales: what products of the
 * levels avx512 and amx share beside panel512.h. */
#ifndef LOAM_BACKENDS_CPU_X86_UNPACK512_H
#define LOAM_BACKENDS_CPU_X86_UNPACK512_H

#include "cpu/x86/panel512.h"
#include "quant/blocks.h"

/* scaled + sum * scale, for sums of up to 24 bits: the lowest byte and the 16 bits
 * above it meet scale and 256 * scale. */
INLINE __m512i add_scaled(__m512i scaled, __m512i sum, __m512i scale)
{
    const __m512i parts = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, -1, 1, 2, 4, -1, 5, 6, 8, -1, 9, 10, 12, -1, 13, 14));
    return _mm512_dpwssd_epi32(scaled, _mm512_shuffle_epi8(sum, parts), scale);
}

/* scale and 256 * scale of the low (i = 0) or high 16 bits of each lane. */
INLINE __m512i pair_scale(__m512i scales, size_t i)
{
    const __m128i low = _mm_setr_epi8(0, 1, -1, 0, 4, 5, -1, 4, 8, 9, -1, 8, 12, 13, -1, 12);
    const __m128i high = _mm_setr_epi8(2, 3, -1, 2, 6, 7, -1, 6, 10, 11, -1, 10, 14, 15, -1, 14);
    return _mm512_shuffle_epi8(scales, _mm512_broadcast_i32x4(i ? high : low));
}

/* Words v and v + 4 of a sub-block of Q5_K, from their nibbles and its fifth bits. */
INLINE void q5_k_words(__m512i *low, __m512i *high, __m512i bytes, __m512i fifths, size_t v)
{
    const __m512i bit = _mm512_set1_epi8(16);
    /* 0xF8: nibble | (fifth & bit) */
    *low = _mm512_ternarylogic_epi32(low_nibbles(bytes), _mm512_slli_epi16(fifths, 4 - (unsigned)v),
                                     bit, 0xF8);
    *high = _mm512_ternarylogic_epi32(high_nibbles(bytes), _mm512_srli_epi16(fifths, (unsigned)v),
                                      bit, 0xF8);
}

/* The two bits of word v of a sub-block of Q6_K in their place, beside others. */
INLINE __m512i q6_k_bits(__m512i high, size_t v)
{
    return v < 3 ? _mm512_slli_epi16(high, (unsigned)(4 - 2 * v) & 7) : _mm512_srli_epi16(high, 2);
}

/* Words v of both sub-blocks of a pair of Q6_K, from their nibbles and the upper bits of
 * both. */
INLINE void q6_k_words(__m512i *first, __m512i *second, __m512i bytes, __m512i high0, __m512i high1,
                       size_t v)
{
    const __m512i bits = _mm512_set1_epi8(48);
    *first = _mm512_ternarylogic_epi32(low_nibbles(bytes), q6_k_bits(high0, v), bits, 0xF8);
    *second = _mm512_ternarylogic_epi32(high_nibbles(bytes), q6_k_bits(high1, v), bits, 0xF8);
}

/* Of pair p of sub-blocks; for pair_scale. */
INLINE __m512i q6_k_scales(const struct unit_q6_k *unit, size_t p)
{
    return _mm512_cvtepi8_epi16(_mm256_load_si256((const __m256i *)(const void *)unit->scales[p]));
}

/* What 32, which comes off each number, is in products with pairs of sums. */
INLINE __m512i q6_k_offsets(__m512i scales)
{
    return _mm512_mullo_epi16(scales, _mm512_set1_epi16(-32));
}

#endif

/* SPDX-License-Identifier: MIT */
/* The 16 outputs of a panel in the lanes of a 512-bit register: what products of
 * the levels avx512 and amx share. */
#ifndef LOAM_BACKENDS_CPU_X86_PANEL512_H
#define LOAM_BACKENDS_CPU_X86_PANEL512_H

#include "cpu/x86/float8.h"

INLINE __m512i words(const void *bytes)
{
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm512_set1_epi32(word);
}

INLINE __m512i load(const void *bytes)
{
    return _mm512_load_si512(bytes);
}

INLINE __m512i low_nibbles(__m512i bytes)
{
    return _mm512_and_si512(bytes, _mm512_set1_epi8(15));
}

INLINE __m512i high_nibbles(__m512i bytes)
{
    return low_nibbles(_mm512_srli_epi16(bytes, 4));
}

INLINE __m512 halves(const uint16_t *from)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)from));
}

/* acc = fma(d * d_x, sum, acc) */
INLINE __m512 step(__m512 acc, __m512 d, float d_x, __m512 sum)
{
    return _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(d_x)), sum, acc);
}

/* acc = fma(-(dmin * d_x), (float)sum, acc) */
INLINE __m512 min_step(__m512 acc, __m512 dmin, float d_x, __m512i sum)
{
    return _mm512_fnmadd_ps(_mm512_mul_ps(dmin, _mm512_set1_ps(d_x)), _mm512_cvtepi32_ps(sum), acc);
}

INLINE __m512i k_scale(const uint8_t scales[16])
{
    return _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)(const void *)scales));
}

#endif

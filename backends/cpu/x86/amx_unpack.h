/* SPDX-License-Identifier: MIT */
/*
 * Blocks of 16 outputs made operands of tile products: bytes in the order of
 * units, 16 words of 64 bytes to a tile, with scales multiplied in.
 *
 * Q4_K and Q5_K: q * scale = 8 * (q * (scale / 8)) + q * (scale % 8), of which no part
 * exceeds 31 * 7, so that one 16-bit multiplication makes the products of two bytes
 * side by side, without a carry. Others: the two bytes of the 16-bit product.
 */
#ifndef LOAM_BACKENDS_CPU_X86_AMX_UNPACK_H
#define LOAM_BACKENDS_CPU_X86_AMX_UNPACK_H

#include "cpu/x86/amx_scaled.h"
#include "cpu/x86/unpack512.h"
#include "cpu/x86/x86.h"

/* Words v of both planes: even and odd are products of the even and the odd bytes. */
INLINE void store_products(struct scaled_chunk *out, size_t v, __m512i even, __m512i odd)
{
    /* 0xCA: where the first operand has ones the second, elsewhere the third */
    const __m512i low_bytes = _mm512_set1_epi16(255);
    __m512i low = _mm512_ternarylogic_epi32(low_bytes, even, _mm512_slli_epi16(odd, 8), 0xCA);
    __m512i high = _mm512_ternarylogic_epi32(low_bytes, _mm512_srli_epi16(even, 8), odd, 0xCA);
    _mm512_store_si512(out->low[v], low);
    _mm512_store_si512(out->high[v], high);
}

/* The low (i = 0) or high 16 bits of each lane, in both halves. */
INLINE __m512i both_halves(__m512i scales, size_t i)
{
    const __m128i low = _mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
    const __m128i high = _mm_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15);
    return _mm512_shuffle_epi8(scales, _mm512_broadcast_i32x4(i ? high : low));
}

/* ---- Q4_K and Q5_K --------------------------------------------------------- */

INLINE void store_eighths(struct scaled_chunk *out, size_t v, __m512i q, __m512i scale)
{
    __m512i rest = _mm512_and_si512(scale, _mm512_set1_epi16(7));
    _mm512_store_si512(out->low[v], _mm512_mullo_epi16(q, rest));
    _mm512_store_si512(out->high[v], _mm512_mullo_epi16(q, _mm512_srli_epi16(scale, 3)));
}

INLINE void k_scales_of(struct scaled_chunk *out, const uint16_t *d, const uint16_t *dmin,
                        const uint8_t (*mins)[PANEL_ROWS][2])
{
    _mm512_store_ps(out->d, halves(d));
    _mm512_store_ps(out->dmin, halves(dmin));
    for (size_t p = 0; p < 4; p++) {
        __m256i pairs = _mm256_load_si256((const __m256i *)(const void *)mins[p]);
        _mm512_store_si512(out->mins[p], _mm512_cvtepu8_epi16(pairs));
    }
}

/* 7 operations and 4 stores for 128 numbers of 16 outputs: 128 cycles for the stores. */
static void unpack_q4_k(struct scaled_chunk *out, const void *weights)
{
    const struct unit_q4_k *unit = weights;
    k_scales_of(out, unit->d, unit->dmin, unit->mins);
    for (size_t b = 0; b < 8; b++) {
        __m512i scale = both_halves(k_scale(unit->scales[b]), 0);
        for (size_t v = 0; v < 4; v++) {
            __m512i bytes = load(unit->q[b][v]);
            store_eighths(out, 8 * b + v, low_nibbles(bytes), scale);
            store_eighths(out, 8 * b + 4 + v, high_nibbles(bytes), scale);
        }
    }
}

/* 11 operations for 128 numbers: 176 cycles. */
static void unpack_q5_k(struct scaled_chunk *out, const void *weights)
{
    const struct unit_q5_k *unit = weights;
    k_scales_of(out, unit->d, unit->dmin, unit->mins);
    for (size_t b = 0; b < 8; b++) {
        __m512i scale = both_halves(k_scale(unit->scales[b]), 0),
                fifths = load(unit->sub_blocks[b].high);
        for (size_t v = 0; v < 4; v++) {
            __m512i low, high;
            q5_k_words(&low, &high, load(unit->sub_blocks[b].q[v]), fifths, v);
            store_eighths(out, 8 * b + v, low, scale);
            store_eighths(out, 8 * b + 4 + v, high, scale);
        }
    }
}

/* ---- Q6_K -------------------------------------------------------------------- */

/* (q - 32) * scale, of at most 2^12. */
INLINE void store_sixths(struct scaled_chunk *out, size_t v, __m512i q, __m512i scale)
{
    __m512i offset = _mm512_mullo_epi16(scale, _mm512_set1_epi16(-32));
    __m512i even = _mm512_and_si512(q, _mm512_set1_epi16(255)), odd = _mm512_srli_epi16(q, 8);
    store_products(out, v, _mm512_add_epi16(_mm512_mullo_epi16(even, scale), offset),
                   _mm512_add_epi16(_mm512_mullo_epi16(odd, scale), offset));
}

/* 27 operations for 128 numbers: 432 cycles. */
static void unpack_q6_k(struct scaled_chunk *out, const void *weights)
{
    const struct unit_q6_k *unit = weights;
    _mm512_store_ps(out->d, halves(unit->d));
    for (size_t p = 0; p < 8; p++) {
        __m512i scales = q6_k_scales(unit, p);
        __m512i high0 = load(unit->pairs[p].high[0]), high1 = load(unit->pairs[p].high[1]);
        for (size_t v = 0; v < 4; v++) {
            __m512i q0, q1;
            q6_k_words(&q0, &q1, load(unit->pairs[p].q[v]), high0, high1, v);
            store_sixths(out, 8 * p + v, q0, both_halves(scales, 0));
            store_sixths(out, 8 * p + 4 + v, q1, both_halves(scales, 1));
        }
    }
}

/* ---- types of quant/integers.h -------------------------------------------------- */

/* Multiplies the scales in; whether all products are bytes. 15 operations for 64
 * numbers, 480 cycles, and before them the type's own unpacking, which is plain C. */
static __attribute__((noinline)) bool
unpack_integers(struct scaled_chunk *out, const struct weight_type *type, const void *weights)
{
    struct unit_integers unit;
    __m512i beyond = _mm512_setzero_si512();
    loam_avx2_integers_unit(&unit, type, weights, 1);
    for (size_t v = 0; v < INTEGERS / 4; v++) {
        __m512i scale = both_halves(load(unit.scales[v / 8]), v / 4 % 2), q = load(unit.q[v]);
        __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(q, 8), 8);
        __m512i odd = _mm512_srai_epi16(q, 8);
        even = _mm512_mullo_epi16(even, scale);
        odd = _mm512_mullo_epi16(odd, scale);
        store_products(out, v, even, odd);
        /* 0xF6: first | (second ^ third), which has ones where bits from the seventh on differ */
        beyond = _mm512_ternarylogic_epi32(beyond, _mm512_srai_epi16(even, 7),
                                           _mm512_srai_epi16(even, 15), 0xF6);
        beyond = _mm512_ternarylogic_epi32(beyond, _mm512_srai_epi16(odd, 7),
                                           _mm512_srai_epi16(odd, 15), 0xF6);
    }
    memcpy(out->d, unit.d[0], sizeof out->d);
    if (type->integers->minima) {
        memcpy(out->dmin, unit.dmin[0], sizeof out->dmin);
        memcpy(out->mins, unit.mins, sizeof out->mins);
    }
    return _mm512_test_epi32_mask(beyond, beyond) == 0;
}

#endif

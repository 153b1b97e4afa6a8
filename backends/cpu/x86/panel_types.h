/* SPDX-License-Identifier: MIT */
/*
 * Types that give integers (quant/integers.h) and whose packed form has words of 16 rows
 * side by side, in 256-bit registers: of a unit and 8 outputs (half a panel) the numbers of
 * word v (0 to 7) of run b of 32, less the type's offset, and what goes with them.
 * Layouts of units are in quant/blocks.h, bits in the types' files in lib/quant.
 */
#ifndef LOAM_BACKENDS_CPU_X86_PANEL_TYPES_H
#define LOAM_BACKENDS_CPU_X86_PANEL_TYPES_H

#include "cpu/x86/panel256.h"
#include "quant/codecs.h"
#include "quant/curves.h"

/* Constants, which fold away where a product of the type is made. */
struct panel_type {
    __m256i (*word)(const void *unit, size_t b, size_t v, size_t half);
    /* Of step s of the unit; the second is what comes with each sum of activations, NULL: none. */
    __m256 (*d)(const void *unit, size_t s, size_t half);
    __m256 (*less)(const void *unit, size_t s, size_t half);
    /* Steps of 256: signed bytes, of each output those of runs of 16 4 k to 4 k + 3; and
     * those that come with `less`. */
    __m256i (*scales)(const void *unit, size_t k, size_t half);
    __m256i (*mins)(const void *unit, size_t k, size_t half);
    bool has_signs; /* else numbers plus the offset are at least 0 */
    size_t depth;   /* words whose products fit in 16 bits together: 1, 4, 8 */
    int32_t offset;
    size_t step, elements, bytes; /* numbers of a step and of a unit, bytes of a unit */
};

/* Defines what reads an f16 field of steps. */
#define HALVES(name, unit_type, field)                                                             \
    INLINE __m256 name(const void *unit, size_t s, size_t half)                                    \
    {                                                                                              \
        const char *first = (const char *)unit + offsetof(struct unit_type, field);                \
        return halves((const uint16_t *)(const void *)first + PANEL_ROWS * s + 8 * half);          \
    }

/* ---- numbers ---------------------------------------------------------------------- */

/* Byte i of each four, four times. */
INLINE __m256i byte_of_each(__m256i words_of_four, size_t i)
{
    const __m256i from = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 0, 0,
                                          0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    return _mm256_shuffle_epi8(words_of_four, _mm256_add_epi8(from, _mm256_set1_epi8((char)i)));
}

/* Nibbles of the line that has words v and v + 4 of a run. */
INLINE __m256i run_nibbles(const uint8_t (*q)[16][4], size_t v, size_t half)
{
    __m256i bytes = load(q[v % 4][8 * half]);
    return v < 4 ? _mm256_and_si256(bytes, nibble_mask()) : high_nibbles(bytes);
}

INLINE __m256i on_curve(const int8_t curve[16], int offset, __m256i nibbles)
{
    __m128i numbers = _mm_loadu_si128((const void *)curve);
    numbers = _mm_add_epi8(numbers, _mm_set1_epi8((char)offset));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(numbers), nibbles);
}

/* `value` (up to 16) where bit 4 v + j of an output's 32 is set, for byte j. */
INLINE __m256i bits_of(const uint8_t (*line)[4], size_t v, size_t half, char value)
{
    const __m256i bit = _mm256_set1_epi32((int32_t)0x80402010u);
    __m256i bits = load(line[8 * half]);
    bits = v % 2 ? bits : _mm256_slli_epi16(bits, 4);
    bits = _mm256_and_si256(byte_of_each(bits, v / 2), bit);
    return _mm256_min_epu8(bits, _mm256_set1_epi8(value));
}

/* A number's fifth bit. */
INLINE __m256i fifth_bits(const uint8_t (*high)[4], size_t v, size_t half)
{
    return bits_of(high, v, half, 16);
}

/* Bits 2 j of a line: run 4 h + j. */
INLINE __m256i two_bits(const uint8_t (*q)[8][16][4], size_t b, size_t v, size_t half)
{
    __m256i bytes = load(q[b / 4][v][8 * half]);
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 2 * (int)(b % 4)), _mm256_set1_epi8(3));
}

/* ---- steps of 32 and 16 -------------------------------------------------------------- */

INLINE __m256i q4_1_word(const void *unit, size_t b, size_t v, size_t half)
{
    return run_nibbles(((const struct unit_q4_1 *)unit)->q[b], v, half);
}

HALVES(q4_1_d, unit_q4_1, d)

HALVES(q4_1_m, unit_q4_1, m)

INLINE __m256i q5_0_word(const void *weights, size_t b, size_t v, size_t half)
{
    const struct unit_q5_0 *unit = weights;
    return _mm256_or_si256(run_nibbles(unit->q[b], v, half), fifth_bits(unit->high[b], v, half));
}

HALVES(q5_0_d, unit_q5_0, d)

INLINE __m256i q5_1_word(const void *weights, size_t b, size_t v, size_t half)
{
    const struct unit_q5_1 *unit = weights;
    return _mm256_or_si256(run_nibbles(unit->q[b], v, half), fifth_bits(unit->high[b], v, half));
}

HALVES(q5_1_d, unit_q5_1, d)

HALVES(q5_1_m, unit_q5_1, m)

INLINE __m256i iq4_nl_word(const void *unit, size_t b, size_t v, size_t half)
{
    return on_curve(loam_curve_iq4, 0,
                    run_nibbles(((const struct unit_iq4_nl *)unit)->q[b], v, half));
}

HALVES(iq4_nl_d, unit_iq4_nl, d)

enum { E2M1_OFFSET = 12 };

INLINE __m256i mxfp4_word(const void *unit, size_t b, size_t v, size_t half)
{
    return on_curve(loam_curve_e2m1, E2M1_OFFSET,
                    run_nibbles(((const struct unit_mxfp4 *)unit)->q[b], v, half));
}

/* 2^(e - 128): subnormal for 0 and 1. */
INLINE __m256 mxfp4_d(const void *unit, size_t s, size_t half)
{
    const uint8_t *bytes = ((const struct unit_mxfp4 *)unit)->e[s] + 8 * half;
    __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)bytes));
    __m256i one = _mm256_set1_epi32(1);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, one), 23);
    __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, _mm256_cmpgt_epi32(e, one)));
}

INLINE __m256i nvfp4_word(const void *weights, size_t b, size_t v, size_t half)
{
    const struct unit_nvfp4 *unit = weights;
    __m256i bytes = load(unit->q[2 * b + v / 4][v % 2][8 * half]);
    bytes = v % 4 < 2 ? _mm256_and_si256(bytes, nibble_mask()) : high_nibbles(bytes);
    return on_curve(loam_curve_e2m1, E2M1_OFFSET, bytes);
}

/* Half of each E4M3 without sign, of which 0x7F is 0. Its bits make an f16 of 2^-8 times the
 * value, subnormal ones included, which costs nothing as a subnormal f32 would. */
INLINE __m256 nvfp4_d(const void *unit, size_t s, size_t half)
{
    const uint8_t *bytes = ((const struct unit_nvfp4 *)unit)->d[s] + 8 * half;
    __m128i all = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)bytes));
    __m128i none = _mm_cmpeq_epi16(all, _mm_set1_epi16(127)); /* the whole byte: 0xFF is a number */
    all = _mm_andnot_si128(none, _mm_and_si128(all, _mm_set1_epi16(127)));
    return _mm256_mul_ps(_mm256_cvtph_ps(_mm_slli_epi16(all, 7)), _mm256_set1_ps(0x1p7f));
}

INLINE __m256i q1_0_word(const void *unit, size_t b, size_t v, size_t half)
{
    return bits_of(((const struct unit_q1_0 *)unit)->q[b / 4][b % 4], v, half, 2);
}

INLINE __m256 q1_0_d(const void *unit, size_t s, size_t half)
{
    return halves(((const struct unit_q1_0 *)unit)->d[s / 4] + 8 * half);
}

/* Byte v % 4 has all four numbers of a word. */
INLINE __m256i q2_0_word(const void *weights, size_t b, size_t v, size_t half)
{
    const struct unit_q2_0 *unit = weights;
    __m256i all = load(unit->q[b / 2][b % 2 * 2 + v / 4][8 * half]);
    all = _mm256_and_si256(_mm256_srli_epi32(all, 8 * (int)(v % 4)), _mm256_set1_epi32(255));
    all = _mm256_or_si256(all, _mm256_slli_epi32(all, 6));
    all = _mm256_or_si256(all, _mm256_slli_epi32(all, 12));
    return _mm256_and_si256(all, _mm256_set1_epi8(3));
}

INLINE __m256 q2_0_d(const void *unit, size_t s, size_t half)
{
    return halves(((const struct unit_q2_0 *)unit)->d[s / 2] + 8 * half);
}

/* ---- steps of 256 ------------------------------------------------------------------- */

INLINE __m256i iq4_xs_word(const void *unit, size_t b, size_t v, size_t half)
{
    return on_curve(loam_curve_iq4, 0,
                    run_nibbles(((const struct unit_iq4_xs *)unit)->q[b], v, half));
}

HALVES(iq4_xs_d, unit_iq4_xs, d)

/* Byte k of an output's low nibbles has those of runs 2 k and 2 k + 1 of 32, bits 4 k on of
 * its high bits the others. */
INLINE __m256i iq4_xs_scales(const void *weights, size_t k, size_t half)
{
    const struct unit_iq4_xs *unit = weights;
    __m256i low = byte_of_each(load(unit->scales[8 * half]), k);
    low = _mm256_blend_epi16(low, _mm256_srli_epi16(low, 4), 0xAA);
    __m256i high = _mm256_cvtepu16_epi32(_mm_load_si128((const void *)(unit->high + 8 * half)));
    high = _mm256_or_si256(high, _mm256_slli_epi32(high, 14)); /* the second twice 16 bits up */
    high = _mm256_slli_epi16(_mm256_srli_epi16(high, 4 * (int)k), 12);
    high = _mm256_and_si256(high, _mm256_set1_epi16(0x3000));
    high = _mm256_or_si256(high, _mm256_srli_epi16(high, 8));
    low = _mm256_or_si256(_mm256_and_si256(low, nibble_mask()), high);
    return _mm256_sub_epi8(low, _mm256_set1_epi8(32));
}

INLINE __m256i q2_k_word(const void *unit, size_t b, size_t v, size_t half)
{
    return two_bits(((const struct unit_q2_k *)unit)->q, b, v, half);
}

HALVES(q2_k_d, unit_q2_k, d)

HALVES(q2_k_dmin, unit_q2_k, dmin)

INLINE __m256 q2_k_less(const void *unit, size_t s, size_t half)
{
    return _mm256_xor_ps(q2_k_dmin(unit, s, half), _mm256_set1_ps(-0.0f));
}

INLINE __m256i q2_k_scales(const void *unit, size_t k, size_t half)
{
    return _mm256_and_si256(load(((const struct unit_q2_k *)unit)->scales[k][8 * half]),
                            nibble_mask());
}

INLINE __m256i q2_k_mins(const void *unit, size_t k, size_t half)
{
    return high_nibbles(load(((const struct unit_q2_k *)unit)->scales[k][8 * half]));
}

INLINE __m256i q3_k_word(const void *weights, size_t b, size_t v, size_t half)
{
    const struct unit_q3_k *unit = weights;
    __m256i third = load(unit->high[v][8 * half]);
    third = b < 2 ? _mm256_slli_epi16(third, 2 - (int)b) : _mm256_srli_epi16(third, (int)b - 2);
    third = _mm256_and_si256(third, _mm256_set1_epi8(4));
    return _mm256_or_si256(two_bits(unit->q, b, v, half), third);
}

HALVES(q3_k_d, unit_q3_k, d)

/* Low nibbles in words 0 and 1, then the high nibbles there; bits 2 k of word 2. */
INLINE __m256i q3_k_scales(const void *weights, size_t k, size_t half)
{
    const struct unit_q3_k *unit = weights;
    __m256i low = load(unit->scales[k % 2][8 * half]), high = load(unit->scales[2][8 * half]);
    low = k < 2 ? _mm256_and_si256(low, nibble_mask()) : high_nibbles(low);
    high = _mm256_and_si256(_mm256_srli_epi16(high, 2 * (int)k), _mm256_set1_epi8(3));
    low = _mm256_or_si256(low, _mm256_slli_epi16(high, 4));
    return _mm256_sub_epi8(low, _mm256_set1_epi8(32));
}

INLINE __m256i scales_of_one(const void *unit, size_t k, size_t half)
{
    (void)unit, (void)k, (void)half;
    return _mm256_set1_epi8(1);
}

INLINE __m256i tq2_0_word(const void *unit, size_t b, size_t v, size_t half)
{
    return two_bits(((const struct unit_tq2_0 *)unit)->q, b, v, half);
}

HALVES(tq2_0_d, unit_tq2_0, d)

/* Digit n of bytes x is the upper byte of 3 * (x * 3^n mod 256): whether that byte is
 * at least 86, and 171. */
INLINE __m256i digits_of(__m256i bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes = _mm256_add_epi8(bytes, _mm256_add_epi8(bytes, bytes));
    __m256i one = _mm256_set1_epi8(1);
    __m256i first = _mm256_min_epu8(_mm256_subs_epu8(bytes, _mm256_set1_epi8(85)), one);
    __m256i second = _mm256_min_epu8(_mm256_subs_epu8(bytes, _mm256_set1_epi8((char)170)), one);
    return _mm256_add_epi8(first, second);
}

/* Digits 0 to 4 of words 0 to 7, then of words 8 to 11, then 0 to 3 of word 12. */
INLINE __m256i tq1_0_word(const void *unit, size_t b, size_t v, size_t half)
{
    size_t at = 8 * b + v;
    size_t word = at < 40 ? v : at < 60 ? 8 + at % 4 : 12;
    size_t n = at < 40 ? b : at < 60 ? (at - 40) / 4 : at - 60;
    return digits_of(load(((const struct unit_tq1_0 *)unit)->q[word][8 * half]), n);
}

HALVES(tq1_0_d, unit_tq1_0, d)

/* ---- types -------------------------------------------------------------------------- */

/* clang-format off */
/* A line for each: its numbers in a step and in a unit, what else struct panel_type has. */
#define PANEL_TYPES(TYPE) \
    TYPE(q4_1, 32, 64, .less = q4_1_m, .depth = 8) \
    TYPE(q5_0, 32, 64, .depth = 4, .offset = 16) \
    TYPE(q5_1, 32, 64, .less = q5_1_m, .depth = 4) \
    TYPE(q1_0, 32, 256, .depth = 8, .offset = 1) \
    TYPE(q2_0, 32, 128, .depth = 8, .offset = 1) \
    TYPE(iq4_nl, 32, 64, .has_signs = true, .depth = 1) \
    TYPE(mxfp4, 32, 128, .depth = 4, .offset = E2M1_OFFSET) \
    TYPE(nvfp4, 16, 64, .depth = 4, .offset = E2M1_OFFSET) \
    TYPE(iq4_xs, 256, 256, .scales = iq4_xs_scales, .has_signs = true, .depth = 1) \
    TYPE(q2_k, 256, 256, .less = q2_k_less, .scales = q2_k_scales, .mins = q2_k_mins, .depth = 4) \
    TYPE(q3_k, 256, 256, .scales = q3_k_scales, .depth = 4, .offset = 4) \
    TYPE(tq1_0, 256, 256, .scales = scales_of_one, .depth = 4, .offset = 1) \
    TYPE(tq2_0, 256, 256, .scales = scales_of_one, .depth = 4, .offset = 1)
/* clang-format on */

/* NAME_panel() of loam_type_NAME */
#define PANEL(name, numbers, of_unit, ...)                                                         \
    INLINE struct panel_type name##_panel(void)                                                    \
    {                                                                                              \
        return (struct panel_type){.word = name##_word,                                            \
                                   .d = name##_d,                                                  \
                                   .step = numbers,                                                \
                                   .elements = of_unit,                                            \
                                   .bytes = sizeof(struct unit_##name),                            \
                                   __VA_ARGS__};                                                   \
    }

PANEL_TYPES(PANEL)

#endif

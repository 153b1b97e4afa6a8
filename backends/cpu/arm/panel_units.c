/* SPDX-License-Identifier: MIT */
/*
 * Units of the types that give integers (quant/integers.h) and whose packed form has words
 * of 16 rows side by side (quant/blocks.h), as products read them: 16 bytes, four outputs
 * (a quad of the panel), at a time. Bits are those of the types' files in lib/quant.
 */
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/integers.h"

/* Of a unit and four outputs; constants, which fold away. */
struct unit_reader {
    /* Numbers of word v (0 to 7) of run b of 32. */
    int8x16_t (*word)(const void *unit, size_t b, size_t v, size_t quad);
    /* Of step s; the second NULL: no minima. */
    float32x4_t (*d)(const void *unit, size_t s, size_t quad);
    float32x4_t (*dmin)(const void *unit, size_t s, size_t quad);
    /* Steps of 256: bytes, of each output those of runs of 16 4 k to 4 k + 3. */
    int8x16_t (*scales)(const void *unit, size_t k, size_t quad);
    int8x16_t (*mins)(const void *unit, size_t k, size_t quad);
    size_t step;
};

/* ---- parts ---------------------------------------------------------------------- */

INLINE uint8x16_t load_quad(const uint8_t (*line)[4], size_t quad)
{
    return vld1q_u8(line[4 * quad]);
}

INLINE int8x16_t less(uint8x16_t numbers, int8_t offset)
{
    return vsubq_s8(vreinterpretq_s8_u8(numbers), vdupq_n_s8(offset));
}

INLINE uint8x16_t nibbles(uint8x16_t bytes, bool high)
{
    return high ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15));
}

/* Nibbles of the line that has words v and v + 4 of a run. */
INLINE uint8x16_t run_nibbles(const uint8_t (*q)[16][4], size_t v, size_t quad)
{
    return nibbles(load_quad(q[v % 4], quad), v >= 4);
}

INLINE int8x16_t on_curve(const int8_t curve[16], uint8x16_t numbers)
{
    return vqtbl1q_s8(vld1q_s8(curve), numbers);
}

/* Byte i of each output's four, four times. */
INLINE uint8x16_t byte_of_each(uint8x16_t bytes, size_t i)
{
    static const uint8_t from[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    return vqtbl1q_u8(bytes, vaddq_u8(vld1q_u8(from), vdupq_n_u8((uint8_t)i)));
}

/* 255 where bit 4 v + j of an output's 32 is set, for byte j. */
INLINE uint8x16_t bits_of(const uint8_t (*line)[4], size_t v, size_t quad)
{
    const uint8x16_t bit = vreinterpretq_u8_u32(vdupq_n_u32(v % 2 ? 0x80402010u : 0x08040201u));
    return vtstq_u8(byte_of_each(load_quad(line, quad), v / 2), bit);
}

INLINE uint8x16_t fifth_bits(const uint8_t (*high)[4], size_t v, size_t quad)
{
    return vandq_u8(bits_of(high, v, quad), vdupq_n_u8(16));
}

/* Bits `shift` and `shift` + 1. */
INLINE uint8x16_t pairs_at(uint8x16_t bytes, size_t shift)
{
    return vandq_u8(vshlq_u8(bytes, vdupq_n_s8((int8_t) - (int8_t)shift)), vdupq_n_u8(3));
}

INLINE uint8x16_t two_bits(const uint8_t (*q)[8][16][4], size_t b, size_t v, size_t quad)
{
    return pairs_at(load_quad(q[b / 4][v], quad), 2 * (b % 4));
}

/* Defines what reads an f16 field of steps. */
#define HALVES(name, unit_type, field)                                                             \
    INLINE float32x4_t name(const void *unit, size_t s, size_t quad)                               \
    {                                                                                              \
        const char *first = (const char *)unit + offsetof(struct unit_type, field);                \
        const void *at = first + 2 * (PANEL_ROWS * s + 4 * quad);                                  \
        return widen_halves(vld1_u16(at));                                                         \
    }

/* Bytes of four outputs in 32 bits each. */
INLINE uint32x4_t widen_bytes(const uint8_t *four)
{
    uint32_t all;
    memcpy(&all, four, sizeof all);
    return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(all))));
}

/* ---- steps of 32 and 16 -------------------------------------------------------------- */

INLINE int8x16_t q4_1_word(const void *unit, size_t b, size_t v, size_t quad)
{
    return less(run_nibbles(((const struct unit_q4_1 *)unit)->q[b], v, quad), 0);
}

HALVES(q4_1_d, unit_q4_1, d)
HALVES(q4_1_m, unit_q4_1, m)

INLINE float32x4_t q4_1_dmin(const void *unit, size_t s, size_t quad)
{
    return vnegq_f32(q4_1_m(unit, s, quad));
}

INLINE int8x16_t q5_0_word(const void *weights, size_t b, size_t v, size_t quad)
{
    const struct unit_q5_0 *unit = weights;
    return less(vorrq_u8(run_nibbles(unit->q[b], v, quad), fifth_bits(unit->high[b], v, quad)), 16);
}

HALVES(q5_0_d, unit_q5_0, d)

INLINE int8x16_t q5_1_word(const void *weights, size_t b, size_t v, size_t quad)
{
    const struct unit_q5_1 *unit = weights;
    return less(vorrq_u8(run_nibbles(unit->q[b], v, quad), fifth_bits(unit->high[b], v, quad)), 0);
}

HALVES(q5_1_d, unit_q5_1, d)
HALVES(q5_1_m, unit_q5_1, m)

INLINE float32x4_t q5_1_dmin(const void *unit, size_t s, size_t quad)
{
    return vnegq_f32(q5_1_m(unit, s, quad));
}

INLINE int8x16_t iq4_nl_word(const void *unit, size_t b, size_t v, size_t quad)
{
    return on_curve(loam_curve_iq4, run_nibbles(((const struct unit_iq4_nl *)unit)->q[b], v, quad));
}

HALVES(iq4_nl_d, unit_iq4_nl, d)

INLINE int8x16_t mxfp4_word(const void *unit, size_t b, size_t v, size_t quad)
{
    return on_curve(loam_curve_e2m1, run_nibbles(((const struct unit_mxfp4 *)unit)->q[b], v, quad));
}

/* 2^(e - 128): subnormal for 0 and 1. */
INLINE float32x4_t mxfp4_d(const void *unit, size_t s, size_t quad)
{
    uint32x4_t e = widen_bytes(((const struct unit_mxfp4 *)unit)->e[s] + 4 * quad);
    uint32x4_t one = vdupq_n_u32(1);
    uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, one), 23);
    uint32x4_t subnormal = vshlq_u32(vdupq_n_u32(0x200000), vreinterpretq_s32_u32(e));
    return vreinterpretq_f32_u32(vbslq_u32(vcgtq_u32(e, one), normal, subnormal));
}

INLINE int8x16_t nvfp4_word(const void *weights, size_t b, size_t v, size_t quad)
{
    const struct unit_nvfp4 *unit = weights;
    uint8x16_t bytes = load_quad(unit->q[2 * b + v / 4][v % 2], quad);
    return on_curve(loam_curve_e2m1, nibbles(bytes, v % 4 >= 2));
}

/* Half of each E4M3 without sign, of which 0x7F is 0: as the upper bits of a float it is
 * 2^-119 times that, subnormal ones included. */
INLINE float32x4_t nvfp4_d(const void *unit, size_t s, size_t quad)
{
    uint32x4_t all = widen_bytes(((const struct unit_nvfp4 *)unit)->d[s] + 4 * quad);
    uint32x4_t none = vceqq_u32(all, vdupq_n_u32(127));
    uint32x4_t bits = vshlq_n_u32(vandq_u32(all, vdupq_n_u32(127)), 20);
    return vmulq_n_f32(vreinterpretq_f32_u32(vbicq_u32(bits, none)), 0x1p119f);
}

INLINE int8x16_t q1_0_word(const void *unit, size_t b, size_t v, size_t quad)
{
    uint8x16_t set = bits_of(((const struct unit_q1_0 *)unit)->q[b / 4][b % 4], v, quad);
    return vreinterpretq_s8_u8(vbslq_u8(set, vdupq_n_u8(1), vdupq_n_u8(255)));
}

HALVES(q1_0_of_block, unit_q1_0, d)

INLINE float32x4_t q1_0_d(const void *unit, size_t s, size_t quad)
{
    return q1_0_of_block(unit, s / 4, quad);
}

/* Byte v % 4 has all four numbers of a word. */
INLINE int8x16_t q2_0_word(const void *weights, size_t b, size_t v, size_t quad)
{
    const struct unit_q2_0 *unit = weights;
    const int8x16_t shifts = vreinterpretq_s8_u32(vdupq_n_u32(0xFAFCFE00u)); /* 0, -2, -4, -6 */
    uint8x16_t all = load_quad(unit->q[b / 2][b % 2 * 2 + v / 4], quad);
    all = vshlq_u8(byte_of_each(all, v % 4), shifts);
    return less(vandq_u8(all, vdupq_n_u8(3)), 1);
}

HALVES(q2_0_of_block, unit_q2_0, d)

INLINE float32x4_t q2_0_d(const void *unit, size_t s, size_t quad)
{
    return q2_0_of_block(unit, s / 2, quad);
}

/* ---- steps of 256 ------------------------------------------------------------------- */

INLINE int8x16_t iq4_xs_word(const void *unit, size_t b, size_t v, size_t quad)
{
    return on_curve(loam_curve_iq4, run_nibbles(((const struct unit_iq4_xs *)unit)->q[b], v, quad));
}

HALVES(iq4_xs_d, unit_iq4_xs, d)

/* Byte k of an output's low nibbles has those of runs 2 k and 2 k + 1 of 32, bits 4 k on of
 * its high bits the others. */
INLINE int8x16_t iq4_xs_scales(const void *weights, size_t k, size_t quad)
{
    const struct unit_iq4_xs *unit = weights;
    const uint8x16_t second = vreinterpretq_u8_u32(vdupq_n_u32(0xFFFF0000u));
    uint8x16_t low = byte_of_each(load_quad(unit->scales, quad), k);
    low = vbslq_u8(second, nibbles(low, true), nibbles(low, false));
    uint32x4_t pairs = vmovl_u16(vld1_u16(unit->high + 4 * quad));
    uint8x16_t high = byte_of_each(vreinterpretq_u8_u32(pairs), k / 2);
    high = vbslq_u8(second, pairs_at(high, k % 2 * 4 + 2), pairs_at(high, k % 2 * 4));
    return less(vorrq_u8(low, vshlq_n_u8(high, 4)), 32);
}

INLINE int8x16_t q2_k_word(const void *unit, size_t b, size_t v, size_t quad)
{
    return less(two_bits(((const struct unit_q2_k *)unit)->q, b, v, quad), 0);
}

HALVES(q2_k_d, unit_q2_k, d)
HALVES(q2_k_dmin, unit_q2_k, dmin)

INLINE int8x16_t q2_k_scales(const void *unit, size_t k, size_t quad)
{
    return less(nibbles(load_quad(((const struct unit_q2_k *)unit)->scales[k], quad), false), 0);
}

INLINE int8x16_t q2_k_mins(const void *unit, size_t k, size_t quad)
{
    return less(nibbles(load_quad(((const struct unit_q2_k *)unit)->scales[k], quad), true), 0);
}

INLINE int8x16_t q3_k_word(const void *weights, size_t b, size_t v, size_t quad)
{
    const struct unit_q3_k *unit = weights;
    uint8x16_t third = vtstq_u8(load_quad(unit->high[v], quad), vdupq_n_u8((uint8_t)(1u << b)));
    third = vandq_u8(third, vdupq_n_u8(4));
    return less(vorrq_u8(two_bits(unit->q, b, v, quad), third), 4);
}

HALVES(q3_k_d, unit_q3_k, d)

/* Low nibbles in words 0 and 1, then the high nibbles there; bits 2 k of word 2. */
INLINE int8x16_t q3_k_scales(const void *weights, size_t k, size_t quad)
{
    const struct unit_q3_k *unit = weights;
    uint8x16_t low = nibbles(load_quad(unit->scales[k % 2], quad), k >= 2);
    uint8x16_t high = pairs_at(load_quad(unit->scales[2], quad), 2 * k);
    return less(vorrq_u8(low, vshlq_n_u8(high, 4)), 32);
}

INLINE int8x16_t scales_of_one(const void *unit, size_t k, size_t quad)
{
    (void)unit, (void)k, (void)quad;
    return vdupq_n_s8(1);
}

INLINE int8x16_t tq2_0_word(const void *unit, size_t b, size_t v, size_t quad)
{
    return less(two_bits(((const struct unit_tq2_0 *)unit)->q, b, v, quad), 1);
}

HALVES(tq2_0_d, unit_tq2_0, d)

/* Digits 0 to 4 of words 0 to 7, then of words 8 to 11, then 0 to 3 of word 12. Digit n of x is
 * the upper byte of 3 * (x * 3^n mod 256): whether that byte is at least 86, and 171. */
INLINE int8x16_t tq1_0_word(const void *unit, size_t b, size_t v, size_t quad)
{
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    size_t at = 8 * b + v;
    size_t word = at < 40 ? v : at < 60 ? 8 + at % 4 : 12;
    size_t n = at < 40 ? b : at < 60 ? (at - 40) / 4 : at - 60;
    uint8x16_t bytes = load_quad(((const struct unit_tq1_0 *)unit)->q[word], quad);
    bytes = vmulq_u8(bytes, vdupq_n_u8(powers[n]));
    uint8x16_t digit = vaddq_u8(vcgeq_u8(bytes, vdupq_n_u8(86)), vcgeq_u8(bytes, vdupq_n_u8(171)));
    return vsubq_s8(vdupq_n_s8(-1), vreinterpretq_s8_u8(digit));
}

HALVES(tq1_0_d, unit_tq1_0, d)

/* ---- units ---------------------------------------------------------------------- */

/* Scales of runs 2 p and 2 p + 1 of 16 of four outputs. */
INLINE void put_pairs(int16_t (*out)[2], int8x16_t line, size_t p)
{
    uint16x8_t pairs = vreinterpretq_u16_s8(line);
    pairs = p % 2 ? vuzp2q_u16(pairs, pairs) : vuzp1q_u16(pairs, pairs);
    vst1q_s16(out[0], vmovl_s8(vreinterpret_s8_u16(vget_low_u16(pairs))));
}

INLINE void read_unit(struct unit_integers *out, const void *unit, size_t runs,
                      const struct unit_reader reader)
{
    for (size_t b = 0; b < runs; b++)
        for (size_t quad = 0; quad < 4; quad++) {
#pragma GCC unroll 8
            for (size_t v = 0; v < 8; v++)
                vst1q_s8(out->q[8 * b + v][4 * quad], reader.word(unit, b, v, quad));
            if (reader.scales)
                put_pairs(out->scales[b] + 4 * quad, reader.scales(unit, b / 2, quad), b);
            if (reader.mins)
                put_pairs(out->mins[b] + 4 * quad, reader.mins(unit, b / 2, quad), b);
        }
    for (size_t s = 0; s < (32 * runs + reader.step - 1) / reader.step; s++)
        for (size_t quad = 0; quad < 4; quad++) {
            vst1q_f32(out->d[s] + 4 * quad, reader.d(unit, s, quad));
            if (reader.dmin)
                vst1q_f32(out->dmin[s] + 4 * quad, reader.dmin(unit, s, quad));
        }
}

/* clang-format off */
/* A type: its numbers in a step, what else it has. */
#define READERS(TYPE) \
    TYPE(q4_1, 32, .dmin = q4_1_dmin) \
    TYPE(q5_0, 32, .dmin = NULL) \
    TYPE(q5_1, 32, .dmin = q5_1_dmin) \
    TYPE(iq4_nl, 32, .dmin = NULL) \
    TYPE(mxfp4, 32, .dmin = NULL) \
    TYPE(nvfp4, 16, .dmin = NULL) \
    TYPE(q1_0, 32, .dmin = NULL) \
    TYPE(q2_0, 32, .dmin = NULL) \
    TYPE(iq4_xs, 256, .scales = iq4_xs_scales) \
    TYPE(q2_k, 256, .dmin = q2_k_dmin, .scales = q2_k_scales, .mins = q2_k_mins) \
    TYPE(q3_k, 256, .scales = q3_k_scales) \
    TYPE(tq1_0, 256, .scales = scales_of_one) \
    TYPE(tq2_0, 256, .scales = scales_of_one)
/* clang-format on */

#define FUNCTION(name, numbers, ...)                                                               \
    static void read_##name(struct unit_integers *out, const void *unit, size_t runs)              \
    {                                                                                              \
        const struct unit_reader reader = {                                                        \
            .word = name##_word, .d = name##_d, .step = numbers, __VA_ARGS__};                     \
        read_unit(out, unit, runs, reader);                                                        \
    }

READERS(FUNCTION)

#define ENTRY(name, ...) {&loam_type_##name, read_##name},

void loam_neon_integers_unit(struct unit_integers *out, const struct weight_type *type,
                             const void *unit, size_t blocks)
{
    static const struct {
        const struct weight_type *type;
        void (*read)(struct unit_integers *out, const void *unit, size_t runs);
    } all[] = {READERS(ENTRY)};
    for (size_t i = 0; i < LOAM_COUNT_OF(all); i++)
        if (all[i].type == type) {
            all[i].read(out, unit, blocks * type->block_elements / 32);
            return;
        }
    loam_integers_unit(out, type, unit, blocks);
}

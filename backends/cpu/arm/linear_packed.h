/* SPDX-License-Identifier: MIT */
/*
 * Products with packed weights, compiled once for each level, with
 * LINEAR(type) naming the result; dots.h has what differs.
 *
 * Half a panel, 8 outputs, is taken at a time, for up to ROWS rows, which share
 * each load and unpacking of weights. Nibbles stay unsigned; the offsets 8
 * (Q4_0) and 32 (Q6_K) come off by the sums of the activations, with which the
 * integer sums begin. The loop runs over a panel for some rows, then for the
 * next rows: the panel stays in L1 or L2.
 * Bound for one row: reading the weights. For many: the byte products.
 */
#ifndef LOAM_BACKENDS_CPU_ARM_LINEAR_PACKED_H
#define LOAM_BACKENDS_CPU_ARM_LINEAR_PACKED_H

#include "cpu/arm/arm.h"
#include "cpu/arm/dots.h"
#include "quant/blocks.h"

enum { PREFETCH = 2048 /* bytes ahead of the weights in use */ };

/* Up to ROWS rows of quantised activations at one unit. */
struct rows {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups; /* strides of q and scales; sums have width / 32 and width / 16 */
};

static const int32_t no_offset[ROWS] = {0};

/* The word v of both quads of a half of 16 rows of 4 bytes. */
INLINE void load(uint8x16_t out[QUADS], const void *words, size_t v, size_t half)
{
    const uint8_t *at = (const uint8_t *)words + 64 * v + 32 * half;
    out[0] = vld1q_u8(at);
    out[1] = vld1q_u8(at + 16);
}

/* acc = fma(d * d_x, (float)sum, acc) */
INLINE float32x4_t step(float32x4_t acc, float32x4_t d, float d_x, int32x4_t sum)
{
    return vfmaq_f32(acc, vmulq_n_f32(d, d_x), vcvtq_f32_s32(sum));
}

/* That for 8 outputs of all rows; d: scales of 16 outputs; group: in the unit. */
INLINE void steps(float32x4_t acc[4][ROWS], const uint16_t *d, size_t half,
                  int32x4_t sum[QUADS][ROWS], const struct rows *x, size_t group, size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++) {
        float32x4_t scale = widen_halves(vld1_u16(d + 8 * half + 4 * quad));
        for (size_t r = 0; r < rows; r++) {
            size_t at = 2 * half + quad;
            acc[at][r] = step(acc[at][r], scale, x->scales[r * x->groups + group], sum[quad][r]);
        }
    }
}

/* total += sum * scale, with the scales of 8 outputs */
INLINE void add_scaled(int32x4_t total[QUADS][ROWS], int32x4_t sum[QUADS][ROWS], int16x8_t scales,
                       size_t rows)
{
    int32x4_t scale[QUADS] = {vmovl_s16(vget_low_s16(scales)), vmovl_high_s16(scales)};
    for (size_t quad = 0; quad < QUADS; quad++)
        for (size_t r = 0; r < rows; r++)
            total[quad][r] = vmlaq_s32(total[quad][r], sum[quad][r], scale[quad]);
}

INLINE void set_zero(int32x4_t total[QUADS][ROWS], size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++)
        for (size_t r = 0; r < rows; r++)
            total[quad][r] = vdupq_n_s32(0);
}

/* ---- Q8_0 -------------------------------------------------------------------- */

INLINE void unit_q8_0(float32x4_t acc[4][ROWS], const void *weights, const struct rows *x,
                      size_t blocks, size_t rows)
{
    const struct unit_q8_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++)
        for (size_t half = 0; half < 2; half++) {
            struct dots dots;
            int32x4_t sum[QUADS][ROWS];
            dots_start(&dots, no_offset, rows);
            for (size_t v = 0; v < 8; v += 2) {
                uint8x16_t first[QUADS], second[QUADS];
                load(first, unit->q[b], v, half);
                load(second, unit->q[b], v + 1, half);
                int8x16_t a[QUADS] = {vreinterpretq_s8_u8(first[0]), vreinterpretq_s8_u8(first[1])};
                int8x16_t c[QUADS] = {vreinterpretq_s8_u8(second[0]),
                                      vreinterpretq_s8_u8(second[1])};
                dots_multiply_bytes(&dots, a, c, x->q + 32 * b + 4 * v, x->width, rows);
            }
            dots_finish_bytes(sum, &dots, rows);
            steps(acc, unit->d[b], half, sum, x, b, rows);
        }
}

/* ---- 32 numbers of 4 bits: Q4_0 and the sub-blocks of Q4_K and Q5_K ----------- */

/* Numbers from the low or the high nibbles, with bits above them. */
INLINE int8x16_t low_nibbles(uint8x16_t bytes, uint8x16_t above)
{
    return vreinterpretq_s8_u8(vorrq_u8(vandq_u8(bytes, vdupq_n_u8(15)), above));
}

INLINE int8x16_t high_nibbles(uint8x16_t bytes, uint8x16_t above)
{
    return vreinterpretq_s8_u8(vorrq_u8(vshrq_n_u8(bytes, 4), above));
}

/* Bits of `from` moved left by `by` (negative: right), those of mask. */
INLINE uint8x16_t bits(uint8x16_t from, int by, uint8_t mask)
{
    return vandq_u8(vshlq_u8(from, vdupq_n_s8((int8_t)by)), vdupq_n_u8(mask));
}

/* A run of nibbles times 32 activations of each row; fifths, unless NULL, are
 * the fifth bits of the quads. At most 31 * 127 * 8, which fits in 16 bits. */
INLINE void multiply_nibbles(struct dots *dots, const void *q, const uint8x16_t *fifths,
                             size_t half, const int8_t *x, size_t width, size_t rows)
{
    for (size_t v = 0; v < 4; v += 2) {
        int8x16_t low[2][QUADS], high[2][QUADS];
        for (size_t i = 0; i < 2; i++) {
            uint8x16_t bytes[QUADS];
            int by = (int)(v + i);
            load(bytes, q, v + i, half);
            for (size_t quad = 0; quad < QUADS; quad++) {
                uint8x16_t none = vdupq_n_u8(0);
                uint8x16_t a = fifths ? bits(fifths[quad], 4 - by, 16) : none;
                uint8x16_t b = fifths ? bits(fifths[quad], -by, 16) : none;
                low[i][quad] = low_nibbles(bytes[quad], a);
                high[i][quad] = high_nibbles(bytes[quad], b);
            }
        }
        dots_multiply(dots, low[0], low[1], x + 4 * v, width, rows);
        dots_multiply(dots, high[0], high[1], x + 4 * v + 16, width, rows);
    }
}

INLINE void unit_q4_0(float32x4_t acc[4][ROWS], const void *weights, const struct rows *x,
                      size_t blocks, size_t rows)
{
    const struct unit_q4_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++) {
        int32_t offset[ROWS];
        for (size_t r = 0; r < rows; r++)
            offset[r] = -8 * x->sums32[r * (x->width / 32) + b];
        for (size_t half = 0; half < 2; half++) {
            struct dots dots;
            int32x4_t sum[QUADS][ROWS];
            dots_start(&dots, offset, rows);
            multiply_nibbles(&dots, unit->q[b], NULL, half, x->q + 32 * b, x->width, rows);
            dots_finish(sum, &dots, rows);
            steps(acc, unit->d[b], half, sum, x, b, rows);
        }
    }
}

/* ---- Q4_K and Q5_K ----------------------------------------------------------- */

/* acc = fma(-(dmin * d_x), (float)min_sum, acc) */
INLINE void min_steps(float32x4_t acc[4][ROWS], const uint16_t *dmin, const uint8_t (*mins)[16][2],
                      size_t half, const struct rows *x, size_t rows)
{
    int16x8_t min[8];
    for (size_t p = 0; p < 4; p++) {
        uint8x8x2_t pair = vld2_u8((const uint8_t *)mins + 32 * p + 16 * half);
        min[2 * p] = vreinterpretq_s16_u16(vmovl_u8(pair.val[0]));
        min[2 * p + 1] = vreinterpretq_s16_u16(vmovl_u8(pair.val[1]));
    }
    for (size_t r = 0; r < rows; r++) {
        const int16_t *sums = x->sums32 + r * (x->width / 32);
        int32x4_t sum[QUADS] = {vdupq_n_s32(0), vdupq_n_s32(0)};
        for (size_t b = 0; b < 8; b++) {
            sum[0] = vmlal_n_s16(sum[0], vget_low_s16(min[b]), sums[b]);
            sum[1] = vmlal_n_s16(sum[1], vget_high_s16(min[b]), sums[b]);
        }
        for (size_t quad = 0; quad < QUADS; quad++) {
            size_t at = 2 * half + quad;
            float32x4_t d = widen_halves(vld1_u16(dmin + 8 * half + 4 * quad));
            float32x4_t both = vmulq_n_f32(d, x->scales[r * x->groups]);
            acc[at][r] = vfmsq_f32(acc[at][r], both, vcvtq_f32_s32(sum[quad]));
        }
    }
}

/* The scales of one sub-block for 8 outputs. */
INLINE int16x8_t k_scales(const uint8_t scales[16], size_t half)
{
    return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(scales + 8 * half)));
}

INLINE void unit_q4_k(float32x4_t acc[4][ROWS], const void *weights, const struct rows *x,
                      size_t blocks, size_t rows)
{
    const struct unit_q4_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        int32x4_t total[QUADS][ROWS], sum[QUADS][ROWS];
        set_zero(total, rows);
        for (size_t b = 0; b < 8; b++) {
            struct dots dots;
            dots_start(&dots, no_offset, rows);
            multiply_nibbles(&dots, unit->q[b], NULL, half, x->q + 32 * b, x->width, rows);
            dots_finish(sum, &dots, rows);
            add_scaled(total, sum, k_scales(unit->scales[b], half), rows);
        }
        steps(acc, unit->d, half, total, x, 0, rows);
        min_steps(acc, unit->dmin, unit->mins, half, x, rows);
    }
}

INLINE void unit_q5_k(float32x4_t acc[4][ROWS], const void *weights, const struct rows *x,
                      size_t blocks, size_t rows)
{
    const struct unit_q5_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        int32x4_t total[QUADS][ROWS], sum[QUADS][ROWS];
        set_zero(total, rows);
        for (size_t b = 0; b < 8; b++) {
            struct dots dots;
            uint8x16_t fifths[QUADS];
            load(fifths, unit->sub_blocks[b].high, 0, half);
            dots_start(&dots, no_offset, rows);
            multiply_nibbles(&dots, unit->sub_blocks[b].q, fifths, half, x->q + 32 * b, x->width,
                             rows);
            dots_finish(sum, &dots, rows);
            add_scaled(total, sum, k_scales(unit->scales[b], half), rows);
        }
        steps(acc, unit->d, half, total, x, 0, rows);
        min_steps(acc, unit->dmin, unit->mins, half, x, rows);
    }
}

/* ---- Q6_K -------------------------------------------------------------------- */

/* Sub-block i of pair p: the low (0) or high (1) nibbles with two bits above.
 * At most 63 * 127 * 4, which fits in 16 bits. */
INLINE void multiply_sixths(struct dots *dots, const struct unit_q6_k *unit, size_t p, size_t i,
                            size_t half, const struct rows *x, size_t rows)
{
    uint8x16_t high[QUADS];
    load(high, unit->pairs[p].high[i], 0, half);
    for (size_t v = 0; v < 4; v += 2) {
        int8x16_t words[2][QUADS];
        for (size_t j = 0; j < 2; j++) {
            uint8x16_t bytes[QUADS];
            load(bytes, unit->pairs[p].q, v + j, half);
            for (size_t quad = 0; quad < QUADS; quad++) {
                uint8x16_t above = bits(high[quad], 4 - 2 * (int)(v + j), 48);
                words[j][quad] =
                    i ? high_nibbles(bytes[quad], above) : low_nibbles(bytes[quad], above);
            }
        }
        dots_multiply(dots, words[0], words[1], x->q + 32 * p + 16 * i + 4 * v, x->width, rows);
    }
}

INLINE void unit_q6_k(float32x4_t acc[4][ROWS], const void *weights, const struct rows *x,
                      size_t blocks, size_t rows)
{
    const struct unit_q6_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        int32x4_t total[QUADS][ROWS], sum[QUADS][ROWS];
        set_zero(total, rows);
        for (size_t p = 0; p < 8; p++) {
            int8x8x2_t scales = vld2_s8((const int8_t *)unit->scales[p] + 16 * half);
            for (size_t i = 0; i < 2; i++) {
                struct dots dots;
                int32_t offset[ROWS];
                for (size_t r = 0; r < rows; r++)
                    offset[r] = -32 * x->sums16[r * (x->width / 16) + 2 * p + i];
                dots_start(&dots, offset, rows);
                multiply_sixths(&dots, unit, p, i, half, x, rows);
                dots_finish(sum, &dots, rows);
                add_scaled(total, sum, vmovl_s8(scales.val[i]), rows);
            }
        }
        steps(acc, unit->d, half, total, x, 0, rows);
    }
}

/* ---- panels ------------------------------------------------------------------ */

typedef void (*unit_function)(float32x4_t acc[4][ROWS], const void *weights, const struct rows *x,
                              size_t blocks, size_t rows);

/* `count` outputs from `output` of rows from first_row. */
INLINE void store(const struct linear_tile *tile, size_t first_row, size_t rows, size_t output,
                  size_t count, float32x4_t acc[4][ROWS])
{
    for (size_t r = 0; r < rows; r++) {
        float values[PANEL_ROWS];
        float *out = tile->out + (first_row + r) * tile->out_stride + output;
        for (size_t quad = 0; quad < 4; quad++)
            vst1q_f32(values + 4 * quad, acc[quad][r]);
        for (size_t i = 0; i < count; i++)
            out[i] = tile->bias ? values[i] + tile->bias[output + i] : values[i];
    }
}

/* One panel for `rows` rows from first_row. elements: numbers of a unit;
 * block: numbers that share a scale. */
INLINE void panel(const struct linear_tile *tile, size_t output, size_t first_row, size_t rows,
                  unit_function unit, size_t elements, size_t block, size_t unit_bytes)
{
    size_t width = tile->width, groups = width / block;
    size_t end = tile->first_output + tile->output_count;
    const unsigned char *weights =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct rows x = {.q = tile->q + first_row * width,
                     .scales = tile->scales + first_row * groups,
                     .sums32 = tile->sums32 + first_row * (width / 32),
                     .sums16 = tile->sums16 + first_row * (width / 16),
                     .width = width,
                     .groups = groups};
    float32x4_t acc[4][ROWS];
    for (size_t quad = 0; quad < 4; quad++)
        for (size_t r = 0; r < rows; r++)
            acc[quad][r] = vdupq_n_f32(0);
    for (size_t k = 0; k < width; k += elements) {
        size_t blocks = loam_min(elements, width - k) / block;
        if (rows == 1) /* the stream of weights goes on across pages */
            for (size_t line = 0; line < unit_bytes; line += 64)
                __builtin_prefetch(weights + PREFETCH + line);
        unit(acc, weights, &x, blocks, rows);
        weights += unit_bytes;
        x.q += elements;
        x.scales += elements / block;
        x.sums32 += elements / 32;
        x.sums16 += elements / 16;
    }
    store(tile, first_row, rows, output, loam_min(PANEL_ROWS, end - output), acc);
}

INLINE void linear(const struct linear_tile *tile, unit_function unit, size_t elements,
                   size_t block, size_t unit_bytes)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        size_t row = 0;
        for (; row + 4 <= tile->rows; row += 4)
            panel(tile, output, row, 4, unit, elements, block, unit_bytes);
        if (row + 2 <= tile->rows) {
            panel(tile, output, row, 2, unit, elements, block, unit_bytes);
            row += 2;
        }
        if (row < tile->rows)
            panel(tile, output, row, 1, unit, elements, block, unit_bytes);
    }
}

void LINEAR(q8_0)(const struct linear_tile *tile)
{
    linear(tile, unit_q8_0, 64, 32, sizeof(struct unit_q8_0));
}

void LINEAR(q4_0)(const struct linear_tile *tile)
{
    linear(tile, unit_q4_0, 64, 32, sizeof(struct unit_q4_0));
}

void LINEAR(q4_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q4_k, 256, 256, sizeof(struct unit_q4_k));
}

void LINEAR(q5_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q5_k, 256, 256, sizeof(struct unit_q5_k));
}

void LINEAR(q6_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q6_k, 256, 256, sizeof(struct unit_q6_k));
}

#endif

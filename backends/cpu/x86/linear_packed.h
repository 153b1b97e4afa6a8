/* SPDX-License-Identifier: MIT */
/*
 * Products with packed weights in 256-bit registers, for AVX2 alone and with
 * AVX-VNNI: compiled once for each, with LINEAR(type) naming the result.
 *
 * A register holds 8 outputs (half a panel), a 32-bit lane for each. A word
 * of 4 activations is broadcast and multiplied by the 4 bytes of each output:
 * weights as unsigned bytes, activations as signed ones. Without VNNI pairs of
 * products are summed in 16 bits, as often as cannot overflow (15 * 127 * 2
 * eight times, 31 * 127 * 2 four times, 63 * 127 * 2 twice, 128 * 127 * 2
 * once), and the step to 32 bits multiplies by the sub-scale for nothing.
 * Offsets (8, 32, 128) come off by the sums of the activations.
 *
 * Up to ROWS rows share each load of weights; the loop runs over a panel for
 * some rows, then for the next rows: the panel stays in L1 or L2. At the level avx2
 * linear_rows.c takes over where rows are many.
 * Bound for one row: reading the weights. For more: per 32 products one
 * multiply and one addition (VNNI: one operation) on two or three ports.
 */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_PACKED_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_PACKED_H

#include "cpu/x86/panel256.h"
#include "cpu/x86/units.h"
#include "cpu/x86/x86.h"

enum { ROWS = 4 };

/* Up to ROWS rows of quantised activations at one block. */
struct rows {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups; /* strides of q and scales; sums have width / 32 and width / 16 */
};

/* ---- 32 numbers of 4 bits: Q4_0 and the sub-blocks of Q4_K ------------------ */

/* sum[r] += products of a nibble run with 32 activations of each row. */
INLINE void multiply_nibbles(__m256i sum[ROWS], const uint8_t (*q)[16][4], size_t half,
                             const int8_t *x, size_t width, int rows)
{
    for (size_t v = 0; v < 4; v++) {
        __m256i bytes = load_half(q[v], half, rows);
        __m256i low = _mm256_and_si256(bytes, nibble_mask()), high = high_nibbles(bytes);
        for (int r = 0; r < rows; r++) {
            const int8_t *at = x + (size_t)r * width + 4 * v;
            sum[r] = multiply(sum[r], low, words(at));
            sum[r] = multiply(sum[r], high, words(at + 16));
        }
    }
}

INLINE void unit_q4_0(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q4_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++)
        for (size_t half = 0; half < 2; half++) {
            __m256i sum[ROWS];
            for (int r = 0; r < rows; r++)
                sum[r] = _mm256_setzero_si256();
            multiply_nibbles(sum, unit->q[b], half, x->q + 32 * b, x->width, rows);
            __m256 d = halves(unit->d[b] + 8 * half);
            for (int r = 0; r < rows; r++) {
                int32_t offset = 8 * x->sums32[(size_t)r * (x->width / 32) + b];
                __m256i dot = _mm256_sub_epi32(total(sum[r]), _mm256_set1_epi32(offset));
                acc[half][r] = step(acc[half][r], d, x->scales[(size_t)r * x->groups + b], dot);
            }
        }
}

/* ---- Q8_0 ------------------------------------------------------------------ */

INLINE void unit_q8_0(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q8_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++)
        for (size_t half = 0; half < 2; half++) {
            __m256i sum[ROWS];
            for (int r = 0; r < rows; r++)
                sum[r] = _mm256_setzero_si256();
            for (size_t v = 0; v < 8; v++) {
                __m256i bytes = load_half(unit->q[b][v], half, rows);
#ifdef __AVXVNNI__
                /* q + 128 as unsigned; 128 times the sum of x comes off below */
                __m256i shifted = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
                for (int r = 0; r < rows; r++)
                    sum[r] = multiply(sum[r], shifted,
                                      words(x->q + (size_t)r * x->width + 32 * b + 4 * v));
#else
                /* |q| times x with the sign of q: -128 becomes 128, x is never -128 */
                __m256i magnitude = _mm256_abs_epi8(bytes);
                for (int r = 0; r < rows; r++) {
                    __m256i at = words(x->q + (size_t)r * x->width + 32 * b + 4 * v);
                    __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(at, bytes));
                    sum[r] = _mm256_add_epi32(sum[r], madd_ones(pairs));
                }
#endif
            }
            __m256 d = halves(unit->d[b] + 8 * half);
            for (int r = 0; r < rows; r++) {
#ifdef __AVXVNNI__
                int32_t offset = 128 * x->sums32[(size_t)r * (x->width / 32) + b];
                sum[r] = _mm256_sub_epi32(sum[r], _mm256_set1_epi32(offset));
#endif
                acc[half][r] = step(acc[half][r], d, x->scales[(size_t)r * x->groups + b], sum[r]);
            }
        }
}

/* ---- Q4_K and Q5_K ----------------------------------------------------------- */

/* Takes one block's step with its minima. */
INLINE void k_step(__m256 acc[ROWS], const __m256i sum[ROWS], const uint16_t *d,
                   const uint16_t *dmin, const uint8_t (*mins)[16][2], size_t half,
                   const struct rows *x, int rows)
{
    __m256 scale = halves(d + 8 * half), min_scale = halves(dmin + 8 * half);
    __m256i pairs[4];
    for (size_t p = 0; p < 4; p++)
        pairs[p] = _mm256_cvtepu8_epi16(_mm_load_si128((const __m128i *)mins[p][8 * half]));
    for (int r = 0; r < rows; r++) {
        const int16_t *sums = x->sums32 + (size_t)r * (x->width / 32);
        float d_x = x->scales[(size_t)r * x->groups];
        __m256i min_sum = _mm256_madd_epi16(pairs[0], words(sums));
        for (size_t p = 1; p < 4; p++)
            min_sum = add_pairs(min_sum, pairs[p], words(sums + 2 * p));
        acc[r] = step(acc[r], scale, d_x, sum[r]);
        acc[r] = _mm256_fnmadd_ps(_mm256_mul_ps(min_scale, _mm256_set1_ps(d_x)),
                                  _mm256_cvtepi32_ps(min_sum), acc[r]);
    }
}

INLINE void unit_q4_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q4_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_si256();
        for (size_t b = 0; b < 8; b++) {
            __m256i dot[ROWS], scale = k_scale(unit->scales[b], half);
            for (int r = 0; r < rows; r++)
                dot[r] = _mm256_setzero_si256();
            multiply_nibbles(dot, unit->q[b], half, x->q + 32 * b, x->width, rows);
            for (int r = 0; r < rows; r++)
                sum[r] = add_scaled(sum[r], dot[r], scale);
        }
        k_step(acc[half], sum, unit->d, unit->dmin, unit->mins, half, x, rows);
    }
}

/* Half of a sub-block: 4 words at `v`, with their fifth bits. */
INLINE void multiply_fifths(__m256i sum[ROWS], const uint8_t (*q)[16][4], __m256i fifths, size_t v,
                            size_t half, const int8_t *x, size_t width, int rows)
{
    __m256i low, high;
    q5_k_words(&low, &high, load_half(q[v], half, rows), fifths, v);
    for (int r = 0; r < rows; r++) {
        const int8_t *at = x + (size_t)r * width + 4 * v;
        sum[r] = multiply(sum[r], low, words(at));
        sum[r] = multiply(sum[r], high, words(at + 16));
    }
}

INLINE void unit_q5_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q5_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_si256();
        for (size_t b = 0; b < 8; b++) {
            __m256i scale = k_scale(unit->scales[b], half),
                    fifths = load_half(unit->sub_blocks[b].high, half, rows);
            for (size_t v = 0; v < 4; v += FIFTHS) {
                __m256i dot[ROWS];
                for (int r = 0; r < rows; r++)
                    dot[r] = _mm256_setzero_si256();
                for (size_t i = v; i < v + FIFTHS; i++)
                    multiply_fifths(dot, unit->sub_blocks[b].q, fifths, i, half, x->q + 32 * b,
                                    x->width, rows);
                for (int r = 0; r < rows; r++)
                    sum[r] = add_scaled(sum[r], dot[r], scale);
            }
        }
        k_step(acc[half], sum, unit->d, unit->dmin, unit->mins, half, x, rows);
    }
}

/* ---- Q6_K -------------------------------------------------------------------- */

/* The sub-blocks one after the other, so that their sums have registers. */
INLINE void multiply_sixths(__m256i sum[ROWS], const struct unit_q6_k *unit, size_t p, size_t i,
                            size_t v, size_t half, const struct rows *x, int rows)
{
    __m256i bytes = q6_k_word(unit, p, i, v, half, rows);
    for (int r = 0; r < rows; r++)
        sum[r] =
            multiply(sum[r], bytes, words(x->q + (size_t)r * x->width + 32 * p + 16 * i + 4 * v));
}

INLINE void unit_q6_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q6_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_si256();
        for (size_t p = 0; p < 8; p++) {
            __m256i scales = q6_k_scales(unit, p, half);
            for (size_t i = 0; i < 2; i++) {
                __m256i scale = pair_scale(scales, (int)i);
                for (size_t v = 0; v < 4; v += SIXTHS) {
                    __m256i dot[ROWS];
                    for (int r = 0; r < rows; r++)
                        dot[r] = _mm256_setzero_si256();
                    for (size_t w = v; w < v + SIXTHS; w++)
                        multiply_sixths(dot, unit, p, i, w, half, x, rows);
                    for (int r = 0; r < rows; r++)
                        sum[r] = add_scaled(sum[r], dot[r], scale);
                }
            }
            __m256i offsets = q6_k_offsets(scales);
            for (int r = 0; r < rows; r++)
                sum[r] = add_pairs(sum[r], offsets,
                                   words(x->sums16 + (size_t)r * (x->width / 16) + 2 * p));
        }
        __m256 d = halves(unit->d + 8 * half);
        for (int r = 0; r < rows; r++)
            acc[half][r] = step(acc[half][r], d, x->scales[(size_t)r * x->groups], sum[r]);
    }
}

/* ---- panels ------------------------------------------------------------------ */

typedef void (*unit_function)(__m256 acc[2][ROWS], const void *weights, const struct rows *x,
                              size_t blocks, int rows);

/* One panel for `rows` rows from first_row. */
INLINE void panel(const struct linear_tile *tile, const unsigned char *weights, size_t output,
                  size_t count, size_t first_row, int rows, unit_function unit,
                  struct unit_shape shape)
{
    size_t width = tile->width, groups = width / shape.block;
    struct rows x = {.q = tile->q + first_row * width,
                     .scales = tile->scales + first_row * groups,
                     .sums32 = tile->sums32 + first_row * (width / 32),
                     .sums16 = tile->sums16 + first_row * (width / 16),
                     .width = width,
                     .groups = groups};
    __m256 acc[2][ROWS];
    for (int r = 0; r < rows; r++)
        acc[0][r] = acc[1][r] = _mm256_setzero_ps();
    for (size_t k = 0; k < width; k += shape.elements) {
        size_t blocks = loam_min(shape.elements, width - k) / shape.block;
        stream_unit(weights, shape, first_row, rows);
        unit(acc, weights, &x, blocks, rows);
        weights += shape.bytes;
        x.q += shape.elements;
        x.scales += shape.elements / shape.block;
        x.sums32 += shape.elements / 32;
        x.sums16 += shape.elements / 16;
    }
    for (int r = 0; r < rows; r++)
        store(tile, first_row + (size_t)r, output, count, (__m256[2]){acc[0][r], acc[1][r]});
}

INLINE void linear(const struct linear_tile *tile, unit_function unit, struct unit_shape shape)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights =
            (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
        size_t count = loam_min(PANEL_ROWS, end - output), row = 0;
        for (; row + 4 <= tile->rows; row += 4)
            panel(tile, weights, output, count, row, 4, unit, shape);
        if (row + 2 <= tile->rows) {
            panel(tile, weights, output, count, row, 2, unit, shape);
            row += 2;
        }
        if (row < tile->rows)
            panel(tile, weights, output, count, row, 1, unit, shape);
    }
}

void LINEAR(q8_0)(const struct linear_tile *tile)
{
    linear(tile, unit_q8_0, UNIT_Q8_0);
}

void LINEAR(q4_0)(const struct linear_tile *tile)
{
    linear(tile, unit_q4_0, UNIT_Q4_0);
}

void LINEAR(q4_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q4_k, UNIT_Q4_K);
}

void LINEAR(q5_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q5_k, UNIT_Q5_K);
}

void LINEAR(q6_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q6_k, UNIT_Q6_K);
}

#endif

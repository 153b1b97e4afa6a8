/* SPDX-License-Identifier: MIT */
/*
 * The level avx512: AVX-512 F, BW, DQ, VL and VNNI. Products of few rows with packed
 * weights; those of many are in linear_rows512.c and attention in attention512.c. The
 * rest is the level avx2's.
 *
 * A register holds the 16 outputs of a panel, a 32-bit lane for each. A word of
 * 4 activations is broadcast from memory and multiplied by the 4 bytes of each
 * output, weights as unsigned bytes. Up to ROWS rows share each load of weights.
 *
 * Sub-scales of Q4_K are applied in floats, where they are exact: a product is
 * at most 15 * 127 * 32 * 63, four of them are below 2^24, and the one sum of
 * two such sums rounds like the conversion of their integer sum. A conversion
 * and an fma cost less than a 32-bit product (two operations) and a sum.
 *
 * Bound for one row: reading the weights. For many: two operations a cycle, of
 * 64 multiply-adds for vpdpbusd; for 32 numbers of 16 outputs 8 of those and, for
 * sub-scales, 2 (Q4_K), 3 (Q5_K) or 6 (Q6_K) others.
 */
#include "cpu/x86/panel512.h"
#include "cpu/x86/stream.h"
#include "cpu/x86/units.h"
#include "cpu/x86/unpack512.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

enum { ROWS = 8 };

/* Up to ROWS rows of quantised activations at one block. */
struct rows {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups; /* strides of q and scales; sums have width / 32 and width / 16 */
};

/* A line of weights for `rows` rows. */
INLINE __m512i load_line(const void *line, int rows)
{
    if (rows == 1)
        stream_line(line);
    return load(line);
}

INLINE void clear(__m512i sum[ROWS], int rows)
{
    for (int r = 0; r < rows; r++)
        sum[r] = _mm512_setzero_si512();
}

/* sum[r] += products of words v and v + 4 of 32 activations of each row. */
INLINE void multiply(__m512i sum[ROWS], __m512i low, __m512i high, const int8_t *x, size_t v,
                     size_t width, int rows)
{
    for (int r = 0; r < rows; r++) {
        const int8_t *at = x + (size_t)r * width + 4 * v;
        sum[r] = _mm512_dpbusd_epi32(sum[r], low, words(at));
        sum[r] = _mm512_dpbusd_epi32(sum[r], high, words(at + 16));
    }
}

INLINE void multiply_nibbles(__m512i sum[ROWS], const uint8_t (*q)[16][4], const int8_t *x,
                             size_t width, int rows)
{
    for (size_t v = 0; v < 4; v++) {
        __m512i bytes = load_line(q[v], rows);
        multiply(sum, low_nibbles(bytes), high_nibbles(bytes), x, v, width, rows);
    }
}

/* ---- Q4_0 and Q8_0: offsets come off by the sums of the activations ----------- */

INLINE void unit_q4_0(__m512 acc[ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q4_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++) {
        __m512i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm512_set1_epi32(-8 * x->sums32[(size_t)r * (x->width / 32) + b]);
        multiply_nibbles(sum, unit->q[b], x->q + 32 * b, x->width, rows);
        __m512 d = halves(unit->d[b]);
        for (int r = 0; r < rows; r++)
            acc[r] =
                step(acc[r], d, x->scales[(size_t)r * x->groups + b], _mm512_cvtepi32_ps(sum[r]));
    }
}

INLINE void unit_q8_0(__m512 acc[ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q8_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++) {
        __m512i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm512_set1_epi32(-128 * x->sums32[(size_t)r * (x->width / 32) + b]);
        for (size_t v = 0; v < 4; v++) {
            __m512i low = _mm512_xor_si512(load_line(unit->q[b][v], rows), _mm512_set1_epi8(-128));
            __m512i high =
                _mm512_xor_si512(load_line(unit->q[b][v + 4], rows), _mm512_set1_epi8(-128));
            multiply(sum, low, high, x->q + 32 * b, v, x->width, rows);
        }
        __m512 d = halves(unit->d[b]);
        for (int r = 0; r < rows; r++)
            acc[r] =
                step(acc[r], d, x->scales[(size_t)r * x->groups + b], _mm512_cvtepi32_ps(sum[r]));
    }
}

/* ---- Q4_K and Q5_K ------------------------------------------------------------- */

/* Takes one block's step with its minima. */
INLINE void k_step(__m512 acc[ROWS], const __m512 sum[ROWS], const uint16_t *d,
                   const uint16_t *dmin, const uint8_t (*mins)[16][2], const struct rows *x,
                   int rows)
{
    __m512 scale = halves(d), min_scale = halves(dmin);
    __m512i pairs[4];
    for (size_t p = 0; p < 4; p++)
        pairs[p] = _mm512_cvtepu8_epi16(_mm256_load_si256((const __m256i *)(const void *)mins[p]));
    for (int r = 0; r < rows; r++) {
        const int16_t *sums = x->sums32 + (size_t)r * (x->width / 32);
        float d_x = x->scales[(size_t)r * x->groups];
        __m512i min_sum = _mm512_setzero_si512();
        for (size_t p = 0; p < 4; p++)
            min_sum = _mm512_dpwssd_epi32(min_sum, pairs[p], words(sums + 2 * p));
        acc[r] = step(acc[r], scale, d_x, sum[r]);
        acc[r] = _mm512_fnmadd_ps(_mm512_mul_ps(min_scale, _mm512_set1_ps(d_x)),
                                  _mm512_cvtepi32_ps(min_sum), acc[r]);
    }
}

/* Four sub-blocks, exact in floats. */
INLINE void four_q4_k(__m512 sum[ROWS], const struct unit_q4_k *unit, size_t first,
                      const struct rows *x, int rows)
{
    for (int r = 0; r < rows; r++)
        sum[r] = _mm512_setzero_ps();
    for (size_t b = first; b < first + 4; b++) {
        __m512 scale = _mm512_cvtepi32_ps(k_scale(unit->scales[b]));
        __m512i dot[ROWS];
        clear(dot, rows);
        multiply_nibbles(dot, unit->q[b], x->q + 32 * b, x->width, rows);
        for (int r = 0; r < rows; r++)
            sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]), scale, sum[r]);
    }
}

INLINE void unit_q4_k(__m512 acc[ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q4_k *unit = weights;
    __m512 first[ROWS], second[ROWS];
    (void)blocks; /* one */
    four_q4_k(first, unit, 0, x, rows);
    four_q4_k(second, unit, 4, x, rows);
    for (int r = 0; r < rows; r++)
        first[r] = _mm512_add_ps(first[r], second[r]);
    k_step(acc, first, unit->d, unit->dmin, unit->mins, x, rows);
}

INLINE void unit_q5_k(__m512 acc[ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q5_k *unit = weights;
    __m512i sum[ROWS];
    __m512 sums[ROWS];
    (void)blocks; /* one */
    clear(sum, rows);
    for (size_t b = 0; b < 8; b++) {
        __m512i fifths = load_line(unit->sub_blocks[b].high, rows), dot[ROWS];
        __m512i scale = pair_scale(k_scale(unit->scales[b]), 0);
        clear(dot, rows);
        for (size_t v = 0; v < 4; v++) {
            __m512i low, high;
            q5_k_words(&low, &high, load_line(unit->sub_blocks[b].q[v], rows), fifths, v);
            multiply(dot, low, high, x->q + 32 * b, v, x->width, rows);
        }
        for (int r = 0; r < rows; r++)
            sum[r] = add_scaled(sum[r], dot[r], scale);
    }
    for (int r = 0; r < rows; r++)
        sums[r] = _mm512_cvtepi32_ps(sum[r]);
    k_step(acc, sums, unit->d, unit->dmin, unit->mins, x, rows);
}

/* ---- Q6_K ------------------------------------------------------------------------ */

/* first[r], second[r] = dot products of the pair p of sub-blocks. */
INLINE void pair_q6_k(__m512i first[ROWS], __m512i second[ROWS], const struct unit_q6_k *unit,
                      size_t p, const struct rows *x, int rows)
{
    __m512i high0 = load_line(unit->pairs[p].high[0], rows),
            high1 = load_line(unit->pairs[p].high[1], rows);
    clear(first, rows);
    clear(second, rows);
    for (size_t v = 0; v < 4; v++) {
        __m512i low, high;
        q6_k_words(&low, &high, load_line(unit->pairs[p].q[v], rows), high0, high1, v);
        for (int r = 0; r < rows; r++) {
            const int8_t *at = x->q + (size_t)r * x->width + 32 * p + 4 * v;
            first[r] = _mm512_dpbusd_epi32(first[r], low, words(at));
            second[r] = _mm512_dpbusd_epi32(second[r], high, words(at + 16));
        }
    }
}

INLINE void unit_q6_k(__m512 acc[ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q6_k *unit = weights;
    __m512i sum[ROWS];
    (void)blocks; /* one */
    clear(sum, rows);
    for (size_t p = 0; p < 8; p++) {
        __m512i first[ROWS], second[ROWS];
        __m512i scales = q6_k_scales(unit, p), offsets = q6_k_offsets(scales);
        __m512i scale0 = pair_scale(scales, 0), scale1 = pair_scale(scales, 1);
        pair_q6_k(first, second, unit, p, x, rows);
        for (int r = 0; r < rows; r++) {
            const int16_t *sums = x->sums16 + (size_t)r * (x->width / 16) + 2 * p;
            sum[r] = add_scaled(sum[r], first[r], scale0);
            sum[r] = add_scaled(sum[r], second[r], scale1);
            sum[r] = _mm512_dpwssd_epi32(sum[r], offsets, words(sums));
        }
    }
    __m512 d = halves(unit->d);
    for (int r = 0; r < rows; r++)
        acc[r] = step(acc[r], d, x->scales[(size_t)r * x->groups], _mm512_cvtepi32_ps(sum[r]));
}

/* ---- panels ------------------------------------------------------------------------ */

typedef void (*unit_function)(__m512 acc[ROWS], const void *weights, const struct rows *x,
                              size_t blocks, int rows);

/* One panel for `rows` rows from first_row. */
INLINE void panel(const struct linear_tile *tile, const unsigned char *weights, size_t output,
                  __mmask16 outputs, size_t first_row, int rows, unit_function unit,
                  struct unit_shape shape)
{
    size_t width = tile->width, groups = width / shape.block;
    struct rows x = {.q = tile->q + first_row * width,
                     .scales = tile->scales + first_row * groups,
                     .sums32 = tile->sums32 + first_row * (width / 32),
                     .sums16 = tile->sums16 + first_row * (width / 16),
                     .width = width,
                     .groups = groups};
    __m512 acc[ROWS];
    for (int r = 0; r < rows; r++)
        acc[r] = _mm512_setzero_ps();
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
    for (int r = 0; r < rows; r++) {
        float *out = tile->out + (first_row + (size_t)r) * tile->out_stride + output;
        if (tile->bias)
            acc[r] = _mm512_add_ps(acc[r], _mm512_maskz_loadu_ps(outputs, tile->bias + output));
        _mm512_mask_storeu_ps(out, outputs, acc[r]);
    }
}

INLINE void linear(const struct linear_tile *tile, unit_function unit, struct unit_shape shape)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights =
            (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
        size_t count = loam_min(PANEL_ROWS, end - output), row = 0;
        __mmask16 outputs = (__mmask16)((1u << count) - 1);
        for (; row + 8 <= tile->rows; row += 8)
            panel(tile, weights, output, outputs, row, 8, unit, shape);
        if (row + 4 <= tile->rows) {
            panel(tile, weights, output, outputs, row, 4, unit, shape);
            row += 4;
        }
        if (row + 2 <= tile->rows) {
            panel(tile, weights, output, outputs, row, 2, unit, shape);
            row += 2;
        }
        if (row < tile->rows)
            panel(tile, weights, output, outputs, row, 1, unit, shape);
    }
}

void loam_avx512_few_rows_q8_0(const struct linear_tile *tile)
{
    linear(tile, unit_q8_0, UNIT_Q8_0);
}

void loam_avx512_few_rows_q4_0(const struct linear_tile *tile)
{
    linear(tile, unit_q4_0, UNIT_Q4_0);
}

void loam_avx512_few_rows_q4_k(const struct linear_tile *tile)
{
    linear(tile, unit_q4_k, UNIT_Q4_K);
}

void loam_avx512_few_rows_q5_k(const struct linear_tile *tile)
{
    linear(tile, unit_q5_k, UNIT_Q5_K);
}

void loam_avx512_few_rows_q6_k(const struct linear_tile *tile)
{
    linear(tile, unit_q6_k, UNIT_Q6_K);
}

#include "cpu/x86/linear_integers512.h"

void loam_kernels_avx512(struct cpu_kernels *kernels)
{
    kernels->linear[LOAM_TYPE_Q8_0] = loam_avx512_linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = loam_avx512_linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = loam_avx512_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = loam_avx512_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = loam_avx512_linear_q6_k;
    fill_integers(kernels);
    kernels->linear_products = 48 << 20;
    kernels->linear_outputs = 2 * PANEL_ROWS;
    kernels->row_outputs = PANEL_ROWS;
    kernels->attention = loam_avx512_attention;
    kernels->attention_heads = 8;
}

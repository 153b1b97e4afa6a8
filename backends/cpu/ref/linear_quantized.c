/* SPDX-License-Identifier: MIT */
/*
 * Rule 4, on blocks as they lie in files; packed weights are unpacked one by
 * one. Per block the exact integer sum of products, sub-scales included, then
 * one float step from +0, blocks ascending:
 *
 *   acc = fma(d * d_x, (float)sum, acc)
 *
 * and for types with minima, with the sum of min times sum of q:
 *
 *   acc = fma(-(dmin * d_x), (float)min_sum, acc)
 *
 * d and dmin are the block's f16 scales, exact in f32; the products of two
 * scales are rounded once. The bias is added last.
 */
#include "base/half.h"
#include "cpu/ref/ref.h"
#include "quant/blocks.h"
#include "quant/k_scales.h"

#include <loam/graph.h>
#include <math.h>

/* acc after one block, with the activations and the scale of its group. */
typedef float (*block_step)(float acc, const void *block, const int8_t *q, float d_x);

static float step_q8_0(float acc, const void *weights, const int8_t *q, float d_x)
{
    const struct block_q8_0 *block = weights;
    int32_t sum = 0;
    for (size_t i = 0; i < 32; i++)
        sum += (int32_t)block->qs[i] * q[i];
    return fmaf(loam_half_to_float(block->d) * d_x, (float)sum, acc);
}

static float step_q4_0(float acc, const void *weights, const int8_t *q, float d_x)
{
    const struct block_q4_0 *block = weights;
    int32_t sum = 0;
    for (size_t i = 0; i < 16; i++) {
        sum += ((block->qs[i] & 15) - 8) * q[i];
        sum += ((block->qs[i] >> 4) - 8) * q[i + 16];
    }
    return fmaf(loam_half_to_float(block->d) * d_x, (float)sum, acc);
}

/* Q4_K and Q5_K; high NULL: no fifth bits. */
static float step_k(float acc, uint16_t d, uint16_t dmin, const uint8_t *s, const uint8_t *low,
                    const uint8_t *high, const int8_t *q, float d_x)
{
    int32_t sum = 0, min_sum = 0;
    for (size_t b = 0; b < 8; b++) {
        int32_t scale = loam_k_scale(s, b), min = loam_k_min(s, b), dot = 0, total = 0;
        for (size_t l = 0; l < 32; l++) {
            int32_t w = low[32 * (b / 2) + l] >> 4 * (b % 2) & 15;
            if (high)
                w += (high[l] >> b & 1) * 16;
            dot += w * q[32 * b + l];
            total += q[32 * b + l];
        }
        sum += scale * dot;
        min_sum += min * total;
    }
    acc = fmaf(loam_half_to_float(d) * d_x, (float)sum, acc);
    return fmaf(-(loam_half_to_float(dmin) * d_x), (float)min_sum, acc);
}

static float step_q4_k(float acc, const void *weights, const int8_t *q, float d_x)
{
    const struct block_q4_k *block = weights;
    return step_k(acc, block->d, block->dmin, block->s, block->qs, NULL, q, d_x);
}

static float step_q5_k(float acc, const void *weights, const int8_t *q, float d_x)
{
    const struct block_q5_k *block = weights;
    return step_k(acc, block->d, block->dmin, block->s, block->qs, block->qh, q, d_x);
}

static float step_q6_k(float acc, const void *weights, const int8_t *q, float d_x)
{
    const struct block_q6_k *block = weights;
    int32_t sum = 0;
    for (size_t k = 0; k < 16; k++) {
        size_t h = k / 8, g = k / 2 % 4, l = k % 2 * 16;
        const uint8_t *low = block->ql + 64 * h + 32 * (g % 2) + l;
        const uint8_t *high = block->qh + 32 * h + l;
        int32_t dot = 0;
        for (size_t i = 0; i < 16; i++) {
            int32_t w = (low[i] >> 4 * (g / 2) & 15) + (high[i] >> 2 * g & 3) * 16 - 32;
            dot += w * q[16 * k + i];
        }
        sum += block->scales[k] * dot;
    }
    return fmaf(loam_half_to_float(block->d) * d_x, (float)sum, acc);
}

/* Rows are taken in parts, so that a block is unpacked once for many. */
enum { PART = 32 };

static void rows_of_output(const struct linear_tile *tile, const struct weight_type *type,
                           block_step step, size_t output, size_t first_row, size_t count)
{
    _Alignas(16) unsigned char block[256];
    const char *panel = (const char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    size_t n = type->block_elements, blocks = tile->width / n;
    float acc[PART] = {0};
    for (size_t b = 0; b < blocks; b++) {
        loam_unpack_blocks(type, block, panel, output % PANEL_ROWS, b, 1);
        for (size_t i = 0; i < count; i++) {
            size_t row = first_row + i;
            acc[i] = step(acc[i], block, tile->q + row * tile->width + b * n,
                          tile->scales[row * blocks + b]);
        }
    }
    for (size_t i = 0; i < count; i++)
        tile->out[(first_row + i) * tile->out_stride + output] =
            tile->bias ? acc[i] + tile->bias[output] : acc[i];
}

static void linear(const struct linear_tile *tile, uint32_t type, block_step step)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output++)
        for (size_t row = 0; row < tile->rows; row += PART)
            rows_of_output(tile, loam_weight_type(type), step, output, row,
                           loam_min(PART, tile->rows - row));
}

void loam_ref_linear_q8_0(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_Q8_0, step_q8_0);
}

void loam_ref_linear_q4_0(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_Q4_0, step_q4_0);
}

void loam_ref_linear_q4_k(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_Q4_K, step_q4_k);
}

void loam_ref_linear_q5_k(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_Q5_K, step_q5_k);
}

void loam_ref_linear_q6_k(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_Q6_K, step_q6_k);
}

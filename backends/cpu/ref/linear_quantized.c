/* SPDX-License-Identifier: MIT */
/*
 * Rule 4: per block the exact integer sum of products, then one step
 * acc = fma(d_w * d_x, (float)sum, acc) from +0, blocks ascending; the bias is
 * added last. d_w is the block's f16 scale, exact in f32; d_w * d_x is rounded
 * once.
 */
#include "base/half.h"
#include "cpu/ref/ref.h"

#include <math.h>

enum { BLOCK = 32 };

static int32_t sum_q8_0(const struct block_q8_0 *block, const int8_t *q)
{
    int32_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += (int32_t)block->qs[i] * q[i];
    return sum;
}

static int32_t sum_q4_0(const struct block_q4_0 *block, const int8_t *q)
{
    int32_t sum = 0;
    for (size_t i = 0; i < BLOCK / 2; i++) {
        sum += ((block->qs[i] & 15) - 8) * q[i];
        sum += ((block->qs[i] >> 4) - 8) * q[i + BLOCK / 2];
    }
    return sum;
}

static void put(const struct linear_tile *tile, size_t row, size_t output, float sum)
{
    tile->out[row * tile->out_stride + output] = tile->bias ? sum + tile->bias[output] : sum;
}

void loam_ref_linear_q8_0(const struct linear_tile *tile)
{
    size_t blocks = tile->width / BLOCK;
    for (size_t output = tile->first_output; output < tile->first_output + tile->output_count;
         output++) {
        const struct block_q8_0 *weights =
            (const void *)((const char *)tile->weights + output * tile->row_bytes);
        for (size_t row = 0; row < tile->rows; row++) {
            const int8_t *q = tile->q + row * tile->width;
            float acc = 0;
            for (size_t b = 0; b < blocks; b++) {
                float scale = loam_half_to_float(weights[b].d) * tile->scales[row * blocks + b];
                acc = fmaf(scale, (float)sum_q8_0(&weights[b], q + b * BLOCK), acc);
            }
            put(tile, row, output, acc);
        }
    }
}

void loam_ref_linear_q4_0(const struct linear_tile *tile)
{
    size_t blocks = tile->width / BLOCK;
    for (size_t output = tile->first_output; output < tile->first_output + tile->output_count;
         output++) {
        const struct block_q4_0 *weights =
            (const void *)((const char *)tile->weights + output * tile->row_bytes);
        for (size_t row = 0; row < tile->rows; row++) {
            const int8_t *q = tile->q + row * tile->width;
            float acc = 0;
            for (size_t b = 0; b < blocks; b++) {
                float scale = loam_half_to_float(weights[b].d) * tile->scales[row * blocks + b];
                acc = fmaf(scale, (float)sum_q4_0(&weights[b], q + b * BLOCK), acc);
            }
            put(tile, row, output, acc);
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Rule 4: per block the exact integer sum of products, then one step
 * acc = fma(d_w * d_x, (float)sum, acc) from +0, blocks ascending; the bias is
 * added last. d_w is the block's f16 scale, exact in f32; d_w * d_x is rounded
 * once.
 */
#include "base/half.h"
#include "cpu/ref/ref.h"
#include "quant/blocks.h"

#include <math.h>

enum { BLOCK = 32 };

static int32_t sum_q8_0(const void *weights, const int8_t *q)
{
    const struct block_q8_0 *block = weights;
    int32_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += (int32_t)block->qs[i] * q[i];
    return sum;
}

static int32_t sum_q4_0(const void *weights, const int8_t *q)
{
    const struct block_q4_0 *block = weights;
    int32_t sum = 0;
    for (size_t i = 0; i < BLOCK / 2; i++) {
        sum += ((block->qs[i] & 15) - 8) * q[i];
        sum += ((block->qs[i] >> 4) - 8) * q[i + BLOCK / 2];
    }
    return sum;
}

/* One output of one row. Blocks begin with their f16 scale. */
static float product(const struct linear_tile *tile, size_t output, size_t row, size_t block_bytes,
                     int32_t (*sum)(const void *weights, const int8_t *q))
{
    const char *weights = (const char *)tile->weights + output * tile->row_bytes;
    size_t blocks = tile->width / BLOCK;
    float acc = 0;
    for (size_t b = 0; b < blocks; b++) {
        uint16_t half;
        memcpy(&half, weights + b * block_bytes, sizeof half);
        float scale = loam_half_to_float(half) * tile->scales[row * blocks + b];
        int32_t isum = sum(weights + b * block_bytes, tile->q + row * tile->width + b * BLOCK);
        acc = fmaf(scale, (float)isum, acc);
    }
    return tile->bias ? acc + tile->bias[output] : acc;
}

static void linear(const struct linear_tile *tile, size_t block_bytes,
                   int32_t (*sum)(const void *weights, const int8_t *q))
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output++)
        for (size_t row = 0; row < tile->rows; row++)
            tile->out[row * tile->out_stride + output] =
                product(tile, output, row, block_bytes, sum);
}

void loam_ref_linear_q8_0(const struct linear_tile *tile)
{
    linear(tile, sizeof(struct block_q8_0), sum_q8_0);
}

void loam_ref_linear_q4_0(const struct linear_tile *tile)
{
    linear(tile, sizeof(struct block_q4_0), sum_q4_0);
}

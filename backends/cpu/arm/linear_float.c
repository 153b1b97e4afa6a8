/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: products with F32, F16 and BF16 weights, row-major; two registers
 * are the 8 lanes of one output of one row. Up to 8 outputs of one row, or 3
 * outputs of 4 rows, run side by side, so that fma's latency is covered and
 * loads are shared. Bound for one row: reading the weights; for many: fma.
 */
#include "base/half.h"
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"

#include <loam/graph.h>

enum { MAX_OUTPUTS = 8, MAX_ROWS = 4 };

/* 4 weights as f32, exactly. */
INLINE float32x4_t widen(const unsigned char *at, uint32_t type)
{
    if (type == LOAM_TYPE_F32)
        return vld1q_f32((const float *)(const void *)at);
    uint16x4_t bits = vld1_u16((const uint16_t *)(const void *)at);
    if (type == LOAM_TYPE_F16)
        return widen_halves(bits);
    return vreinterpretq_f32_u32(vshll_n_u16(bits, 16));
}

INLINE size_t size_of(uint32_t type)
{
    return type == LOAM_TYPE_F32 ? 4 : 2;
}

/* The last sum of a row's product: its tail padded with +0, then the tree. */
INLINE float sum_with_tail(float32x4_t lanes[2], const unsigned char *weights, const float *x,
                           size_t count, uint32_t type)
{
    if (count > 0) {
        unsigned char w[PRODUCT_LANES * 4] = {0};
        float tail[PRODUCT_LANES] = {0};
        memcpy(w, weights, count * size_of(type));
        memcpy(tail, x, count * sizeof *x);
        for (size_t j = 0; j < 2; j++)
            lanes[j] = vfmaq_f32(lanes[j], widen(w + 4 * j * size_of(type), type),
                                 vld1q_f32(tail + 4 * j));
    }
    return tree8(lanes);
}

/* `outputs` by `rows` sums over the whole width. */
INLINE void block(const struct linear_tile *tile, size_t output, size_t row, const size_t outputs,
                  const size_t rows, uint32_t type)
{
    float32x4_t sum[MAX_OUTPUTS][MAX_ROWS][2];
    size_t width = tile->width, whole = width & ~(size_t)(PRODUCT_LANES - 1), bytes = size_of(type);
    const unsigned char *weights = (const unsigned char *)tile->weights + output * tile->row_bytes;
    const float *x = tile->x + row * tile->x_stride;
    for (size_t o = 0; o < outputs; o++)
        for (size_t r = 0; r < rows; r++)
            for (size_t j = 0; j < 2; j++)
                sum[o][r][j] = vdupq_n_f32(0);
    for (size_t i = 0; i < whole; i += PRODUCT_LANES)
        for (size_t j = 0; j < 2; j++) {
            float32x4_t xs[MAX_ROWS];
            for (size_t r = 0; r < rows; r++)
                xs[r] = vld1q_f32(x + r * tile->x_stride + i + 4 * j);
            for (size_t o = 0; o < outputs; o++) {
                float32x4_t w = widen(weights + o * tile->row_bytes + (i + 4 * j) * bytes, type);
                for (size_t r = 0; r < rows; r++)
                    sum[o][r][j] = vfmaq_f32(sum[o][r][j], w, xs[r]);
            }
        }
    for (size_t o = 0; o < outputs; o++)
        for (size_t r = 0; r < rows; r++) {
            float all = sum_with_tail(sum[o][r], weights + o * tile->row_bytes + whole * bytes,
                                      x + r * tile->x_stride + whole, width - whole, type);
            tile->out[(row + r) * tile->out_stride + output + o] =
                tile->bias ? all + tile->bias[output + o] : all;
        }
}

INLINE void linear(const struct linear_tile *tile, uint32_t type)
{
    size_t output = tile->first_output, end = output + tile->output_count;
    if (tile->rows == 1)
        for (; output + 8 <= end; output += 8)
            block(tile, output, 0, 8, 1, type);
    for (; output < end; output += 3) {
        size_t row = 0;
        if (output + 3 <= end) {
            for (; row + 4 <= tile->rows; row += 4)
                block(tile, output, row, 3, 4, type);
            for (; row < tile->rows; row++)
                block(tile, output, row, 3, 1, type);
            continue;
        }
        for (; row < tile->rows; row++)
            for (size_t o = output; o < end; o++)
                block(tile, o, row, 1, 1, type);
    }
}

void loam_neon_linear_f32(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_F32);
}

void loam_neon_linear_f16(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_F16);
}

void loam_neon_linear_bf16(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_BF16);
}

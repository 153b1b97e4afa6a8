/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: 8 lanes from +0, lane l takes elements l, l + 8, ... by
 * fma(weight, x, lane); the tail is padded with +0 and executed; the tree;
 * the bias is added last.
 */
#include "cpu/ref/lanes.h"
#include "cpu/ref/ref.h"
#include "quant/codecs.h"

#include <math.h>

/* Weights are widened in pieces of this many, a multiple of the lanes. */
enum { PIECE = 256 };

static void dot(const struct linear_tile *tile, size_t output,
                void (*widen)(float *out, const void *blocks, size_t n), size_t element_bytes)
{
    const char *weights = (const char *)tile->weights + output * tile->row_bytes;
    for (size_t row = 0; row < tile->rows; row++) {
        const float *x = tile->x + row * tile->x_stride;
        float lane[PRODUCT_LANES] = {0}, w[PIECE], padded[PRODUCT_LANES];
        for (size_t begin = 0; begin < tile->width; begin += PIECE) {
            size_t count = loam_min(PIECE, tile->width - begin), whole = count / PRODUCT_LANES * PRODUCT_LANES;
            widen(w, weights + begin * element_bytes, count);
            for (size_t i = 0; i < whole; i += PRODUCT_LANES)
                for (size_t l = 0; l < PRODUCT_LANES; l++)
                    lane[l] = fmaf(w[i + l], x[begin + i + l], lane[l]);
            if (whole == count)
                continue;
            memset(padded, 0, sizeof padded);
            memcpy(padded, x + begin + whole, (count - whole) * sizeof *x);
            memset(w + count, 0, (whole + PRODUCT_LANES - count) * sizeof *w);
            for (size_t l = 0; l < PRODUCT_LANES; l++)
                lane[l] = fmaf(w[whole + l], padded[l], lane[l]);
        }
        float sum = loam_lanes_sum(lane, PRODUCT_LANES);
        tile->out[row * tile->out_stride + output] = tile->bias ? sum + tile->bias[output] : sum;
    }
}

static void linear(const struct linear_tile *tile,
                   void (*widen)(float *out, const void *blocks, size_t n), size_t element_bytes)
{
    for (size_t i = 0; i < tile->output_count; i++)
        dot(tile, tile->first_output + i, widen, element_bytes);
}

void loam_ref_linear_f32(const struct linear_tile *tile)
{
    linear(tile, loam_type_f32.dequantize, 4);
}

void loam_ref_linear_f16(const struct linear_tile *tile)
{
    linear(tile, loam_type_f16.dequantize, 2);
}

void loam_ref_linear_bf16(const struct linear_tile *tile)
{
    linear(tile, loam_type_bf16.dequantize, 2);
}

/* SPDX-License-Identifier: MIT */
/*
 * Rule 4 for all types that give their blocks as integers (quant/integers.h).
 * For each step of a block, ascending, from +0: the exact sums of
 *
 *   scale * q * x    and, where the type has minima,    min * x
 *
 * over the step's numbers, x the quantised activations, then
 *
 *   acc = fma(d * d_x, (float)sum, acc)
 *   acc = fma(-(dmin * d_x), (float)min_sum, acc)
 *
 * The bias is added last.
 */
#include "cpu/ref/ref.h"
#include "quant/integers.h"

#include <math.h>

/* acc after one step: numbers [first, first + step) of the block, x its activations. */
static float take_step(float acc, const struct weight_integers *integers,
                       const struct block_integers *block, size_t first, const int8_t *x, float d_x)
{
    int32_t sum = 0, min_sum = 0; /* at most 256 * 127 * 127 * 32 */
    size_t s = first / integers->step;
    for (size_t i = first; i < first + integers->step; i++) {
        bool scaled = integers->step == 256;
        sum += (scaled ? block->scales[i / 16] : 1) * block->q[i] * x[i];
        if (integers->minima)
            min_sum += (scaled ? block->mins[i / 16] : 1) * x[i];
    }
    acc = fmaf(block->d[s] * d_x, (float)sum, acc);
    return integers->minima ? fmaf(-(block->dmin[s] * d_x), (float)min_sum, acc) : acc;
}

/* Rows are taken in parts, so that a block is unpacked once for many. */
enum { PART = 32 };

static void rows_of_output(const struct linear_tile *tile, size_t output, size_t first_row,
                           size_t count)
{
    const struct weight_type *type = tile->type;
    const char *panel = (const char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    size_t n = type->block_elements, group = type->activation_group, groups = tile->width / group;
    float acc[PART] = {0};
    for (size_t b = 0; b < tile->width / n; b++) {
        unsigned char bytes[256]; /* the largest has 136 */
        struct block_integers block;
        loam_unpack_blocks(type, bytes, panel, output % PANEL_ROWS, b, 1);
        type->integers->block(&block, bytes);
        for (size_t i = 0; i < count; i++) {
            size_t row = first_row + i;
            for (size_t first = 0; first < n; first += type->integers->step)
                acc[i] = take_step(acc[i], type->integers, &block, first,
                                   tile->q + row * tile->width + b * n,
                                   tile->scales[row * groups + (b * n + first) / group]);
        }
    }
    for (size_t i = 0; i < count; i++)
        tile->out[(first_row + i) * tile->out_stride + output] =
            tile->bias ? acc[i] + tile->bias[output] : acc[i];
}

void loam_ref_linear_integers(const struct linear_tile *tile)
{
    for (size_t i = 0; i < tile->output_count; i++)
        for (size_t row = 0; row < tile->rows; row += PART)
            rows_of_output(tile, tile->first_output + i, row, loam_min(PART, tile->rows - row));
}

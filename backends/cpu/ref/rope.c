/* SPDX-License-Identifier: MIT */
/* Rule 6: y0 = fma(x0, c, -(x1 * s)), y1 = fma(x1, c, x0 * s). */
#include "cpu/ref/ref.h"

#include <loam/graph.h>
#include <math.h>

static void rotate_head(const struct rope_tile *tile, const float *x, float *out,
                        const float *cosines)
{
    size_t pairs = tile->dimensions / 2;
    const float *sines = cosines + pairs;
    bool adjacent = tile->pairing == LOAM_ROPE_ADJACENT;
    for (size_t i = 0; i < pairs; i++) {
        size_t first = adjacent ? 2 * i : i, second = adjacent ? 2 * i + 1 : i + pairs;
        float x0 = x[first], x1 = x[second];
        out[first] = fmaf(x0, cosines[i], -(x1 * sines[i]));
        out[second] = fmaf(x1, cosines[i], x0 * sines[i]);
    }
    for (size_t i = tile->dimensions; i < tile->head_width; i++)
        out[i] = x[i];
}

void loam_ref_rope(const struct rope_tile *tile)
{
    size_t width = tile->heads * tile->head_width;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t head = 0; head < tile->heads; head++) {
            size_t at = row * width + head * tile->head_width;
            rotate_head(tile, tile->x + at, tile->out + at,
                        tile->rotation + row * tile->dimensions);
        }
}

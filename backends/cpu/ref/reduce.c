/* SPDX-License-Identifier: MIT */
/*
 * Rule 5, as norms do. Numbers of a group, and sums of parts of a row.
 *   LENGTH     sqrt(sum(x * x)), by fma(x, x, lane) in 64 lanes, then the tree
 *   DEVIATION  m = sum(x) / n, by lane + x; d = x - m; s = sqrt(sum(d * d) / (n - 1)),
 *              by fma(d, d, lane); m + factor * s: one product, one sum
 *   mix        acc = base, or +0; then for each part in order acc = acc + factor * x:
 *              one product, one sum
 */
#include "cpu/ref/lanes.h"

#include <loam/graph.h>
#include <math.h>

static float mean_of(const float *x, size_t n)
{
    float lane[NORM_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % NORM_LANES] += x[i];
    return loam_lanes_sum(lane, NORM_LANES) / (float)n;
}

/* Of (x - mean)^2. */
static float squares_of(const float *x, size_t n, float mean)
{
    float lane[NORM_LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        float d = x[i] - mean;
        lane[i % NORM_LANES] = fmaf(d, d, lane[i % NORM_LANES]);
    }
    return loam_lanes_sum(lane, NORM_LANES);
}

void loam_cpu_reduce(const struct reduce_tile *tile)
{
    size_t n = tile->group_width;
    for (size_t i = tile->first; i < tile->first + tile->count; i++) {
        const float *x = tile->x + i * n;
        if (tile->kind == LOAM_REDUCE_LENGTH) {
            tile->out[i] = sqrtf(squares_of(x, n, 0));
            continue;
        }
        float mean = mean_of(x, n);
        float deviation = sqrtf(squares_of(x, n, mean) / (float)(n - 1));
        tile->out[i] = mean + tile->factor * deviation;
    }
}

void loam_cpu_mix(const struct mix_tile *tile)
{
    size_t width = tile->width, inputs = tile->inputs;
    for (size_t i = tile->first_row * tile->outputs;
         i < (tile->first_row + tile->row_count) * tile->outputs; i++) {
        const float *x = tile->x + i / tile->outputs * inputs * width;
        const float *factors = tile->factors + i * inputs;
        float *out = tile->out + i * width;
        if (tile->base)
            memcpy(out, tile->base + i * width, width * sizeof *out);
        else
            memset(out, 0, width * sizeof *out);
        for (size_t j = 0; j < inputs; j++, x += width)
            for (size_t k = 0; k < width; k++)
                out[k] += factors[j] * x[k];
    }
}

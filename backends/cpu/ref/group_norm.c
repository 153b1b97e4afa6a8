/* SPDX-License-Identifier: MIT */
/*
 * Rule 5, for each group of n numbers of a row. Sums are in 64 lanes, a short
 * tail padded with +0, then the tree:
 *   RMS    r = 1 / sqrt(sum(x * x) / n + epsilon), y = x * r
 *   layer  m = sum(x) / n, d = x - m, r = 1 / sqrt(sum(d * d) / n + epsilon),
 *          y = d * r
 *   L2     s = sqrt(sum(x * x)), r = 1 / (s > epsilon ? s : epsilon), y = x * r
 * Squares are summed by fma(x, x, lane), the mean by lane + x. The result is
 * y * weight + bias: one product, then one sum, each where there is one.
 */
#include "cpu/ref/lanes.h"
#include "cpu/ref/ref.h"

#include <loam/graph.h>
#include <math.h>

static float sum_of(const float *x, size_t n)
{
    float lane[NORM_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % NORM_LANES] += x[i];
    return loam_lanes_sum(lane, NORM_LANES);
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

static void norm(const struct group_norm_tile *tile, const float *x, float *out, size_t at)
{
    size_t n = tile->group_width;
    float mean = tile->kind == LOAM_NORM_LAYER ? sum_of(x, n) / (float)n : 0.0f;
    float squares = squares_of(x, n, mean), r;
    if (tile->kind == LOAM_NORM_L2) {
        float length = sqrtf(squares);
        r = 1.0f / (length > tile->epsilon ? length : tile->epsilon);
    } else {
        r = 1.0f / sqrtf(squares / (float)n + tile->epsilon);
    }
    for (size_t i = 0; i < n; i++) {
        float y = (x[i] - mean) * r;
        if (tile->weight)
            y *= tile->weight[(at + i) % tile->weight_width];
        if (tile->bias)
            y += tile->bias[(at + i) % tile->bias_width];
        out[i] = y;
    }
}

void loam_ref_group_norm(const struct group_norm_tile *tile)
{
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t at = 0; at < tile->width; at += tile->group_width)
            norm(tile, tile->x + row * tile->width + at, tile->out + row * tile->width + at, at);
}

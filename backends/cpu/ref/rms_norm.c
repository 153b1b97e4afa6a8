/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: the sum of squares in 64 lanes by fma(x, x, lane), a short tail
 * padded with +0; r = 1 / sqrt(sum / n + epsilon); out = (x * r) * weight.
 */
#include "cpu/ref/lanes.h"
#include "cpu/ref/ref.h"

#include <math.h>

void loam_ref_rms_norm(const struct norm_tile *tile)
{
    size_t n = tile->width;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        const float *x = tile->x + row * n;
        float *out = tile->out + row * n;
        float lane[NORM_LANES] = {0};
        for (size_t i = 0; i < n; i++)
            lane[i % NORM_LANES] = fmaf(x[i], x[i], lane[i % NORM_LANES]);
        float r = 1.0f / sqrtf(loam_lanes_sum(lane, NORM_LANES) / (float)n + tile->epsilon);
        for (size_t i = 0; i < n; i++)
            out[i] = (x[i] * r) * tile->weight[i];
    }
}

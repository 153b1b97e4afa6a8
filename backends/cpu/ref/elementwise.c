/* SPDX-License-Identifier: MIT */
/* gate: (a / (1 + exp(-a))) * b; add: a + b; add_scaled: fma(factor, x, out). */
#include "base/numeric.h"
#include "cpu/ref/ref.h"

#include <math.h>

void loam_ref_gate_silu(const struct elementwise_tile *tile)
{
    for (size_t i = tile->first; i < tile->first + tile->count; i++) {
        float a = tile->a[i];
        tile->out[i] = (a / (1.0f + loam_expf(-a))) * tile->b[i];
    }
}

void loam_ref_add(const struct elementwise_tile *tile)
{
    for (size_t i = tile->first; i < tile->first + tile->count; i++)
        tile->out[i] = tile->a[i] + tile->b[i];
}

void loam_ref_add_scaled(const struct scaled_tile *tile)
{
    for (size_t i = 0; i < tile->count; i++)
        tile->out[i] = fmaf(tile->factor, tile->x[i], tile->out[i]);
}

/* SPDX-License-Identifier: MIT */
/*
 * backends/cpu/ref: the scalar kernels, which are the definition of every
 * result (docs/numerics.md). Obvious before fast; each file states its
 * sequence of operations. What another level computes must have these bits.
 *
 * lanes.h: sums in 16 lanes (rule 5).
 */
#ifndef LOAM_BACKENDS_CPU_REF_LANES_H
#define LOAM_BACKENDS_CPU_REF_LANES_H

#include "cpu/kernels.h"

/* The fixed tree: lane l takes lane l + 8, then 4, 2, 1. */
static inline float loam_lanes_sum(float lane[LANES])
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

#endif

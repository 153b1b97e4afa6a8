/* SPDX-License-Identifier: MIT */
/*
 * backends/cpu/ref: the scalar kernels, which are the definition of every
 * result (docs/numerics.md). Obvious before fast; each file states its
 * sequence of operations. What another level computes must have these bits.
 *
 * lanes.h: sums in lanes (rule 5).
 */
#ifndef LOAM_BACKENDS_CPU_REF_LANES_H
#define LOAM_BACKENDS_CPU_REF_LANES_H

#include "cpu/kernels.h"

/* The fixed tree over `count` lanes, a power of two: lane l takes lane
 * l + count / 2, then l + count / 4, and so on to 1. */
static inline float loam_lanes_sum(float *lane, size_t count)
{
    for (size_t half = count / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

#endif

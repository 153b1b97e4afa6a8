/* SPDX-License-Identifier: MIT */
/*
 * Four floats at once, in plain C with the vector types of gcc and clang: for
 * the loops of quantisers that compilers do not turn into vectors by
 * themselves. Every operation rounds as on one float, so that results are
 * the same on every machine.
 */
#ifndef LOAM_QUANT_LANES_H
#define LOAM_QUANT_LANES_H

#include "base/base.h"

enum { LANE_COUNT = 4 };

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t lane_masks __attribute__((vector_size(16)));

static inline lanes loam_lanes_load(const float *x)
{
    lanes out;
    memcpy(&out, x, sizeof out);
    return out;
}

static inline lanes loam_lanes_all(float x)
{
    return (lanes){x, x, x, x};
}

/* x where the mask is set, y elsewhere. */
static inline lanes loam_lanes_choose(lane_masks mask, lanes x, lanes y)
{
    return (lanes)((mask & (lane_masks)x) | (~mask & (lane_masks)y));
}

/* Between lo and hi; NaN becomes lo. */
static inline lanes loam_lanes_clamped(lanes x, lanes lo, lanes hi)
{
    x = loam_lanes_choose(x > lo, x, lo);
    return loam_lanes_choose(x < hi, x, hi);
}

/* To the nearest integer, halves to even; below 2^22. */
static inline lanes loam_lanes_nearest(lanes x)
{
    const lanes magic = loam_lanes_all(0x1.8p23f);
    return (x + magic) - magic;
}

static inline float loam_lanes_sum(lanes x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}

#endif

/* SPDX-License-Identifier: MIT */
/* What the CPU in front of us can do, and the system lets us use. */
#ifndef LOAM_BASE_FEATURES_H
#define LOAM_BASE_FEATURES_H

#include "base/base.h"

/* Bits of loam_cpu_features. */
enum {
    CPU_AVX2 = 1 << 0, /* with FMA, F16C and BMI2, which came with it */
    CPU_AVX_VNNI = 1 << 1,
    CPU_AVX512 = 1 << 2, /* F, BW, DQ, VL and VNNI, of 512 bits */
    CPU_AMX = 1 << 3,    /* tiles and their int8 products, which the system lends on request */
    CPU_AMD = 1 << 4,    /* the maker, where what is best for speed differs */
    CPU_NEON = 1 << 8,
    CPU_DOTPROD = 1 << 9,
    CPU_I8MM = 1 << 10
};

/* Asks the CPU each time: some hundred nanoseconds, no state.
 * [any thread] */
uint32_t loam_cpu_features(void);

/* Asks the system to lend this process the tiles of AMX, for good; whether it
 * does. Without it the first instruction with tiles is a fatal signal. May be
 * repeated.
 * [any thread] */
bool loam_cpu_request_tiles(void);

#endif

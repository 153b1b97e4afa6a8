/* SPDX-License-Identifier: MIT */
/* The CPU levels: which there are, which can run here, and their kernels. */
#ifndef LOAM_BACKENDS_CPU_LEVELS_H
#define LOAM_BACKENDS_CPU_LEVELS_H

#include "cpu/kernels.h"

/* The level's name, or NULL beyond the last. */
const char *loam_cpu_levels_name(int32_t level);

/* Whether the kernels of a level are in this build. */
bool loam_cpu_levels_built(int32_t level);

/* Whether they are, and this machine can run them. BEST can always. */
bool loam_cpu_levels_available(int32_t level);

/* The level that BEST stands for here. */
int32_t loam_cpu_levels_best(void);

/* Asks the system for what an available level needs of it: the level amx the tiles, which
 * the process then keeps. False: refused. To be called before kernels of the level run. */
bool loam_cpu_levels_request(int32_t level);

/* The level that a level stands on; 0 below the lowest. */
int32_t loam_cpu_levels_below(int32_t level);

/* Fills the table for an available level, never BEST. */
void loam_cpu_levels_fill(struct cpu_kernels *kernels, int32_t level);

#endif

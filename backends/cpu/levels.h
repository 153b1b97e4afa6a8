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

/* Fills the table for an available level, never BEST. */
void loam_cpu_levels_fill(struct cpu_kernels *kernels, int32_t level);

#endif

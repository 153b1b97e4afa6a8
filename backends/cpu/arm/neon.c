/* SPDX-License-Identifier: MIT */
#include "cpu/kernels.h"

void loam_kernels_neon(struct cpu_kernels *kernels)
{
    (void)kernels;
}

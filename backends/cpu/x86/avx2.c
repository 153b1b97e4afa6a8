/* SPDX-License-Identifier: MIT */
#include "cpu/kernels.h"

void loam_kernels_avx2(struct cpu_kernels *kernels)
{
    (void)kernels;
}

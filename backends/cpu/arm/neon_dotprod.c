/* SPDX-License-Identifier: MIT */
/* The level neon-dotprod: byte products by sdot. */
#define LINEAR(type) loam_neon_dotprod_linear_##type
#include "cpu/arm/linear_packed.h"

#include "cpu/arm/linear_integers.h"

#include <loam/graph.h>

void loam_kernels_neon_dotprod(struct cpu_kernels *kernels)
{
    kernels->linear[LOAM_TYPE_Q8_0] = loam_neon_dotprod_linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = loam_neon_dotprod_linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = loam_neon_dotprod_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = loam_neon_dotprod_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = loam_neon_dotprod_linear_q6_k;
    fill_integers(kernels);
    kernels->linear_products = 8 << 20;
}

/* SPDX-License-Identifier: MIT */
/* The level avx-vnni: byte products of the level avx2 by AVX-VNNI. */
#define LINEAR(type) loam_avx_vnni_linear_##type
#include "cpu/x86/linear_packed.h"

#include "cpu/x86/linear_integers.h"

#include <loam/graph.h>

void loam_kernels_avx_vnni(struct cpu_kernels *kernels)
{
    kernels->row_outputs = PANEL_ROWS;
    kernels->linear[LOAM_TYPE_Q8_0] = loam_avx_vnni_linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = loam_avx_vnni_linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = loam_avx_vnni_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = loam_avx_vnni_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = loam_avx_vnni_linear_q6_k;
    fill_integers(kernels);
}

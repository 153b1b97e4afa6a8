/* SPDX-License-Identifier: MIT */
#include "free.h"

#include <loam/graph.h>

void free_kernels_avx2(struct cpu_kernels *kernels)
{
    kernels->quantize = free_quantize;
    kernels->linear[LOAM_TYPE_F32] = free_linear_f32;
    kernels->linear[LOAM_TYPE_F16] = free_linear_f16;
    kernels->linear[LOAM_TYPE_BF16] = free_linear_bf16;
    kernels->rms_norm = free_rms_norm;
    kernels->attention = free_attention;
    kernels->gate_silu = free_gate_silu;
}

/* SPDX-License-Identifier: MIT */
/* The level neon: Armv8.0 with Advanced SIMD. */
#define LINEAR(type) loam_neon_linear_##type
#include "cpu/arm/linear_packed.h"

#include "cpu/arm/linear_integers.h"

#include <loam/graph.h>

void loam_kernels_neon(struct cpu_kernels *kernels)
{
    kernels->quantize = loam_neon_quantize;
    kernels->linear[LOAM_TYPE_F32] = loam_neon_linear_f32;
    kernels->linear[LOAM_TYPE_F16] = loam_neon_linear_f16;
    kernels->linear[LOAM_TYPE_BF16] = loam_neon_linear_bf16;
    kernels->linear[LOAM_TYPE_Q8_0] = loam_neon_linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = loam_neon_linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = loam_neon_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = loam_neon_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = loam_neon_linear_q6_k;
    fill_integers(kernels);
    kernels->linear_products = 2 << 20; /* small cores of this level do some 4 G/s */
    kernels->rms_norm = loam_neon_rms_norm;
    kernels->rope = loam_neon_rope;
    kernels->store = loam_neon_store;
    kernels->attention = loam_neon_attention;
    kernels->attention_rows = 4;
    kernels->attention_heads = 4;
    kernels->gate_silu = loam_neon_gate_silu;
    kernels->add = loam_neon_add;
    kernels->map = loam_neon_map;
}

/* SPDX-License-Identifier: MIT */
#include "cpu/ref/ref.h"

#include <loam/graph.h>

/* All types with integers share one product. */
static void fill_integers(struct cpu_kernels *kernels)
{
    const struct weight_type *type;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++)
        if (type->integers)
            kernels->linear[type->id] = loam_ref_linear_integers;
}

void loam_kernels_ref(struct cpu_kernels *kernels)
{
    kernels->quantize = loam_ref_quantize;
    kernels->linear[LOAM_TYPE_F32] = loam_ref_linear_f32;
    kernels->linear[LOAM_TYPE_F16] = loam_ref_linear_f16;
    kernels->linear[LOAM_TYPE_BF16] = loam_ref_linear_bf16;
    kernels->linear[LOAM_TYPE_Q8_0] = loam_ref_linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = loam_ref_linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = loam_ref_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = loam_ref_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = loam_ref_linear_q6_k;
    fill_integers(kernels);
    kernels->linear_products = 1 << 18;
    kernels->linear_outputs = PANEL_ROWS;
    kernels->row_outputs = PANEL_ROWS;
    kernels->float_outputs = 1;
    kernels->attention_rows = 4;
    kernels->rms_norm = loam_ref_rms_norm;
    kernels->rope = loam_ref_rope;
    kernels->store = loam_ref_store;
    kernels->attention = loam_ref_attention;
    kernels->attention_merge = loam_ref_attention_merge;
    kernels->attention_heads = 1;
    kernels->gate_silu = loam_ref_gate_silu;
    kernels->add = loam_ref_add;
    kernels->add_scaled = loam_ref_add_scaled;
    kernels->group_norm = loam_ref_group_norm;
    kernels->map = loam_ref_map;
    kernels->route = loam_ref_route;
    kernels->sum = loam_ref_sum;
    kernels->convolve = loam_ref_convolve;
    kernels->scan = loam_ref_scan;
    kernels->scan_products = 1 << 17;
    kernels->scan_columns = 1;
}

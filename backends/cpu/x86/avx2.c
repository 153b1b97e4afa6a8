/* SPDX-License-Identifier: MIT */
/* The level avx2: AVX2, FMA, F16C; and products for few rows. */
#define LINEAR(type) loam_avx2_few_rows_##type
#include "cpu/x86/linear_packed.h"

#include "base/features.h"
#include "quant/integers.h"

#include <loam/graph.h>

bool loam_avx2_linear_integers(const struct linear_tile *tile)
{
    bool has_panels = loam_avx2_has_panels(tile->type);
    if (!has_panels && !loam_avx2_has_grids(tile->type))
        return false;
    (has_panels ? loam_avx2_linear_panels : loam_avx2_linear_grids)(tile);
    return true;
}

void loam_avx2_integers_unit(struct unit_integers *out, const struct weight_type *type,
                             const void *unit, size_t blocks)
{
    if (loam_avx2_has_panels(type))
        loam_avx2_panel_unit(out, type, unit, blocks);
    else if (loam_avx2_has_grids(type))
        loam_avx2_grid_unit(out, type, unit);
    else
        loam_integers_unit(out, type, unit, blocks);
}

static void fill_integers(struct cpu_kernels *kernels)
{
    const struct weight_type *type;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++)
        if (loam_avx2_has_panels(type))
            kernels->linear[type->id] = loam_avx2_linear_panels;
        else if (loam_avx2_has_grids(type))
            kernels->linear[type->id] = loam_avx2_linear_grids;
}

void loam_kernels_avx2(struct cpu_kernels *kernels)
{
    kernels->quantize = loam_avx2_quantize;
    kernels->linear[LOAM_TYPE_F32] = loam_avx2_linear_f32;
    kernels->linear[LOAM_TYPE_F16] = loam_avx2_linear_f16;
    kernels->linear[LOAM_TYPE_BF16] = loam_avx2_linear_bf16;
    kernels->linear[LOAM_TYPE_Q8_0] = loam_avx2_linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = loam_avx2_linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = loam_avx2_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = loam_avx2_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = loam_avx2_linear_q6_k;
    fill_integers(kernels);
    kernels->linear_products = 16 << 20;
    kernels->row_outputs = 2 * PANEL_ROWS; /* Q8_0 takes two panels side by side */
    kernels->float_outputs = 12;
    kernels->linear_ahead = loam_cpu_features() & CPU_AMD
                                ? (struct stream_distances){STREAM_FAR_AMD, STREAM_NEAR_AMD}
                                : (struct stream_distances){STREAM_FAR, STREAM_NEAR};
    kernels->rms_norm = loam_avx2_rms_norm;
    kernels->group_norm = loam_avx2_group_norm;
    kernels->rope = loam_avx2_rope;
    kernels->store = loam_avx2_store;
    kernels->attention = loam_avx2_attention;
    kernels->attention_merge = loam_avx2_attention_merge;
    kernels->attention_rows = 8;
    kernels->attention_heads = 4;
    kernels->gate_silu = loam_avx2_gate_silu;
    kernels->add = loam_avx2_add;
    kernels->add_scaled = loam_avx2_add_scaled;
    kernels->convolve = loam_avx2_convolve;
    kernels->scan = loam_avx2_scan;
    kernels->scan_products = 1 << 23;
    kernels->scan_columns = 16;
    kernels->map = loam_avx2_map;
}

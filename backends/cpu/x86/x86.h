/* SPDX-License-Identifier: MIT */
/* Kernels of the x86 levels by name; see kernels.h. */
#ifndef LOAM_BACKENDS_CPU_X86_X86_H
#define LOAM_BACKENDS_CPU_X86_X86_H

#include "cpu/kernels.h"

struct unit_integers;

void loam_avx2_quantize(const struct quantize_tile *tile);
void loam_avx2_linear_f32(const struct linear_tile *tile);
void loam_avx2_linear_f16(const struct linear_tile *tile);
void loam_avx2_linear_bf16(const struct linear_tile *tile);
void loam_avx2_rms_norm(const struct norm_tile *tile);
void loam_avx2_group_norm(const struct group_norm_tile *tile);
void loam_avx2_rope(const struct rope_tile *tile);
bool loam_avx2_store(const struct store_tile *tile);
void loam_avx2_attention(const struct attention_tile *tile);
void loam_avx2_attention_merge(const struct attention_tile *tile);
void loam_avx512_attention(const struct attention_tile *tile);
void loam_avx2_gate_silu(const struct elementwise_tile *tile);
void loam_avx2_add(const struct elementwise_tile *tile);
void loam_avx2_add_scaled(const struct scaled_tile *tile);
bool loam_avx2_convolve(const struct convolve_tile *tile);
bool loam_avx2_scan(const struct scan_tile *tile);
void loam_avx2_map(const struct map_tile *tile);

/* Products with packed weights. */
void loam_avx2_linear_q8_0(const struct linear_tile *tile);
void loam_avx2_linear_q4_0(const struct linear_tile *tile);
void loam_avx2_linear_q4_k(const struct linear_tile *tile);
void loam_avx2_linear_q5_k(const struct linear_tile *tile);
void loam_avx2_linear_q6_k(const struct linear_tile *tile);
void loam_avx_vnni_linear_q8_0(const struct linear_tile *tile);
void loam_avx_vnni_linear_q4_0(const struct linear_tile *tile);
void loam_avx_vnni_linear_q4_k(const struct linear_tile *tile);
void loam_avx_vnni_linear_q5_k(const struct linear_tile *tile);
void loam_avx_vnni_linear_q6_k(const struct linear_tile *tile);
void loam_avx_vnni_linear_integers(const struct linear_tile *tile);
void loam_avx512_linear_q8_0(const struct linear_tile *tile);
void loam_avx512_linear_q4_0(const struct linear_tile *tile);
void loam_avx512_linear_q4_k(const struct linear_tile *tile);
void loam_avx512_linear_q5_k(const struct linear_tile *tile);
void loam_avx512_linear_q6_k(const struct linear_tile *tile);
/* For one row and for few, with which those above fill up. */
void loam_avx2_one_row_q8_0(const struct linear_tile *tile);
void loam_avx2_one_row_q4_0(const struct linear_tile *tile);
void loam_avx2_one_row_q4_k(const struct linear_tile *tile);
void loam_avx2_one_row_q5_k(const struct linear_tile *tile);
void loam_avx2_one_row_q6_k(const struct linear_tile *tile);
void loam_avx2_few_rows_q8_0(const struct linear_tile *tile);
void loam_avx2_few_rows_q4_0(const struct linear_tile *tile);
void loam_avx2_few_rows_q4_k(const struct linear_tile *tile);
void loam_avx2_few_rows_q5_k(const struct linear_tile *tile);
void loam_avx2_few_rows_q6_k(const struct linear_tile *tile);
/* Types of panel_types.h, and of grid_blocks.h; and their unpacking for other levels. */
bool loam_avx2_has_panels(const struct weight_type *type);
void loam_avx2_linear_panels(const struct linear_tile *tile);
void loam_avx2_panel_unit(struct unit_integers *out, const struct weight_type *type,
                          const void *unit, size_t blocks);
bool loam_avx2_has_grids(const struct weight_type *type);
void loam_avx2_linear_grids(const struct linear_tile *tile);
void loam_avx2_grid_unit(struct unit_integers *out, const struct weight_type *type,
                         const void *unit);
/* Either; false: neither. */
bool loam_avx2_linear_integers(const struct linear_tile *tile);
/* loam_integers_unit(), fast for both. */
void loam_avx2_integers_unit(struct unit_integers *out, const struct weight_type *type,
                             const void *unit, size_t blocks);
void loam_avx512_few_rows_q8_0(const struct linear_tile *tile);
void loam_avx512_few_rows_q4_0(const struct linear_tile *tile);
void loam_avx512_few_rows_q4_k(const struct linear_tile *tile);
void loam_avx512_few_rows_q5_k(const struct linear_tile *tile);
void loam_avx512_few_rows_q6_k(const struct linear_tile *tile);
void loam_avx512_linear_integers(const struct linear_tile *tile);

#endif

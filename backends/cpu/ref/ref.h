/* SPDX-License-Identifier: MIT */
/* The scalar kernels by name; see kernels.h. */
#ifndef LOAM_BACKENDS_CPU_REF_REF_H
#define LOAM_BACKENDS_CPU_REF_REF_H

#include "cpu/kernels.h"

void loam_ref_quantize(const struct quantize_tile *tile);
void loam_ref_linear_f32(const struct linear_tile *tile);
void loam_ref_linear_f16(const struct linear_tile *tile);
void loam_ref_linear_bf16(const struct linear_tile *tile);
void loam_ref_linear_q8_0(const struct linear_tile *tile);
void loam_ref_linear_q4_0(const struct linear_tile *tile);
void loam_ref_linear_q4_k(const struct linear_tile *tile);
void loam_ref_linear_q5_k(const struct linear_tile *tile);
void loam_ref_linear_q6_k(const struct linear_tile *tile);
void loam_ref_linear_integers(const struct linear_tile *tile);
void loam_ref_rms_norm(const struct norm_tile *tile);
void loam_ref_rope(const struct rope_tile *tile);
bool loam_ref_store(const struct store_tile *tile);
void loam_ref_attention(const struct attention_tile *tile);
void loam_ref_attention_merge(const struct attention_tile *tile);
void loam_ref_gate_silu(const struct elementwise_tile *tile);
void loam_ref_add(const struct elementwise_tile *tile);
void loam_ref_add_scaled(const struct scaled_tile *tile);
void loam_ref_group_norm(const struct group_norm_tile *tile);
void loam_ref_route(const struct route_tile *tile);
void loam_ref_map(const struct map_tile *tile);
void loam_ref_sum(const struct sum_tile *tile);
bool loam_ref_convolve(const struct convolve_tile *tile);
bool loam_ref_scan(const struct scan_tile *tile);

#endif

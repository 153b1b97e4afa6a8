/* SPDX-License-Identifier: MIT */
/* Kernels of the Arm levels by name; see kernels.h. */
#ifndef LOAM_BACKENDS_CPU_ARM_ARM_H
#define LOAM_BACKENDS_CPU_ARM_ARM_H

#include "cpu/kernels.h"

struct unit_integers;

void loam_neon_quantize(const struct quantize_tile *tile);
void loam_neon_linear_f32(const struct linear_tile *tile);
void loam_neon_linear_f16(const struct linear_tile *tile);
void loam_neon_linear_bf16(const struct linear_tile *tile);
void loam_neon_rms_norm(const struct norm_tile *tile);
void loam_neon_rope(const struct rope_tile *tile);
bool loam_neon_store(const struct store_tile *tile);
void loam_neon_attention(const struct attention_tile *tile);
void loam_neon_gate_silu(const struct elementwise_tile *tile);
void loam_neon_add(const struct elementwise_tile *tile);
void loam_neon_map(const struct map_tile *tile);

/* Products with packed weights. */
void loam_neon_linear_q8_0(const struct linear_tile *tile);
void loam_neon_linear_q4_0(const struct linear_tile *tile);
void loam_neon_linear_q4_k(const struct linear_tile *tile);
void loam_neon_linear_q5_k(const struct linear_tile *tile);
void loam_neon_linear_q6_k(const struct linear_tile *tile);
void loam_neon_linear_integers(const struct linear_tile *tile);
/* loam_integers_unit(), fast for types with words of 16 rows side by side. */
void loam_neon_integers_unit(struct unit_integers *out, const struct weight_type *type,
                             const void *unit, size_t blocks);
void loam_neon_dotprod_linear_q8_0(const struct linear_tile *tile);
void loam_neon_dotprod_linear_q4_0(const struct linear_tile *tile);
void loam_neon_dotprod_linear_q4_k(const struct linear_tile *tile);
void loam_neon_dotprod_linear_q5_k(const struct linear_tile *tile);
void loam_neon_dotprod_linear_q6_k(const struct linear_tile *tile);
void loam_neon_dotprod_linear_integers(const struct linear_tile *tile);
void loam_neon_i8mm_linear_q8_0(const struct linear_tile *tile);
void loam_neon_i8mm_linear_q4_0(const struct linear_tile *tile);
void loam_neon_i8mm_linear_q4_k(const struct linear_tile *tile);
void loam_neon_i8mm_linear_q5_k(const struct linear_tile *tile);
void loam_neon_i8mm_linear_q6_k(const struct linear_tile *tile);
void loam_neon_i8mm_linear_integers(const struct linear_tile *tile);

#endif

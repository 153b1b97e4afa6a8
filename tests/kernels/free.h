/* SPDX-License-Identifier: MIT */
/*
 * What the numeric contract costs: kernels of the x86 levels written once more
 * without it ("free": any order of a sum, any number of lanes, approximate
 * reciprocals, fewer guards), as fast as they get. They are for comparison
 * alone and never part of the library. Kernels that no rule slows down have no
 * free form; docs/numerics.md says which and why.
 */
#ifndef LOAM_TESTS_KERNELS_FREE_H
#define LOAM_TESTS_KERNELS_FREE_H

#include "cpu/kernels.h"

/* Fill in the free kernels of a level, those of the level before included;
 * others stay NULL. */
void free_kernels_avx2(struct cpu_kernels *kernels);
void free_kernels_avx_vnni(struct cpu_kernels *kernels);

void free_attention(const struct attention_tile *tile);
void free_linear_f32(const struct linear_tile *tile);
void free_linear_f16(const struct linear_tile *tile);
void free_linear_bf16(const struct linear_tile *tile);
void free_quantize(const struct quantize_tile *tile);
void free_rms_norm(const struct norm_tile *tile);
void free_gate_silu(const struct elementwise_tile *tile);

#endif

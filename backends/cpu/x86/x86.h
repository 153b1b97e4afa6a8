/* SPDX-License-Identifier: MIT */
/* Kernels of the x86 levels by name; see kernels.h. */
#ifndef LOAM_BACKENDS_CPU_X86_X86_H
#define LOAM_BACKENDS_CPU_X86_X86_H

#include "cpu/kernels.h"

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

#endif

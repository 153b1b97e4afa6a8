/* SPDX-License-Identifier: MIT */
/* The functions behind the table of weight types: n is a multiple of the
 * type's block; blocks need no alignment. */
#ifndef LOAM_QUANT_CODECS_H
#define LOAM_QUANT_CODECS_H

#include "quant/blocks.h"
#include "quant/types.h"

void loam_dequantize_f32(float *out, const void *blocks, size_t n);
void loam_dequantize_f16(float *out, const void *blocks, size_t n);
void loam_dequantize_bf16(float *out, const void *blocks, size_t n);
void loam_dequantize_q8_0(float *out, const void *blocks, size_t n);
void loam_dequantize_q4_0(float *out, const void *blocks, size_t n);
void loam_dequantize_q4_k(float *out, const void *blocks, size_t n);
void loam_dequantize_q5_k(float *out, const void *blocks, size_t n);
void loam_dequantize_q6_k(float *out, const void *blocks, size_t n);

void loam_quantize_f32(void *blocks, const float *x, size_t n);
void loam_quantize_f16(void *blocks, const float *x, size_t n);
void loam_quantize_bf16(void *blocks, const float *x, size_t n);
void loam_quantize_q8_0(void *blocks, const float *x, size_t n);
void loam_quantize_q4_0(void *blocks, const float *x, size_t n);

extern const struct weight_packing loam_packing_q8_0;
extern const struct weight_packing loam_packing_q4_0;
extern const struct weight_packing loam_packing_q4_k;
extern const struct weight_packing loam_packing_q5_k;
extern const struct weight_packing loam_packing_q6_k;

/* x rounded to the nearest integer, ties to even; |x| below 2^22: adding
 * 1.5 * 2^23 leaves no bits below 1, and IEEE addition rounds to even. */
static inline int32_t loam_round(float x)
{
    return (int32_t)((x + 0x1.8p23f) - 0x1.8p23f);
}

#endif

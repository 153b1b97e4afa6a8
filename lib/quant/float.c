/* SPDX-License-Identifier: MIT */
/* F32, F16, BF16: numbers one by one. */
#include "base/half.h"
#include "quant/codecs.h"

void loam_dequantize_f32(float *out, const void *blocks, size_t n)
{
    memcpy(out, blocks, n * sizeof *out);
}

void loam_quantize_f32(void *blocks, const float *x, size_t n)
{
    memcpy(blocks, x, n * sizeof *x);
}

void loam_dequantize_f16(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const char *)blocks + 2 * i, 2);
        out[i] = loam_half_to_float(half);
    }
}

void loam_quantize_f16(void *blocks, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half = loam_half_from_float(x[i]);
        memcpy((char *)blocks + 2 * i, &half, 2);
    }
}

void loam_dequantize_bf16(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bfloat;
        memcpy(&bfloat, (const char *)blocks + 2 * i, 2);
        out[i] = loam_bfloat_to_float(bfloat);
    }
}

void loam_quantize_bf16(void *blocks, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bfloat = loam_bfloat_from_float(x[i]);
        memcpy((char *)blocks + 2 * i, &bfloat, 2);
    }
}

/* SPDX-License-Identifier: MIT */
/* F32, F16, BF16: numbers one by one. */
#include "base/half.h"
#include "quant/codecs.h"

static void dequantize_f32(float *out, const void *blocks, size_t n)
{
    memcpy(out, blocks, n * sizeof *out);
}

static void quantize_f32(void *blocks, const float *x, const float *importance, size_t n)
{
    (void)importance;
    memcpy(blocks, x, n * sizeof *x);
}

static void dequantize_f16(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const char *)blocks + 2 * i, 2);
        out[i] = loam_half_to_float(half);
    }
}

static void quantize_f16(void *blocks, const float *x, const float *importance, size_t n)
{
    (void)importance;
    for (size_t i = 0; i < n; i++) {
        uint16_t half = loam_half_from_float(x[i]);
        memcpy((char *)blocks + 2 * i, &half, 2);
    }
}

static void dequantize_bf16(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bfloat;
        memcpy(&bfloat, (const char *)blocks + 2 * i, 2);
        out[i] = loam_bfloat_to_float(bfloat);
    }
}

static void quantize_bf16(void *blocks, const float *x, const float *importance, size_t n)
{
    (void)importance;
    for (size_t i = 0; i < n; i++) {
        uint16_t bfloat = loam_bfloat_from_float(x[i]);
        memcpy((char *)blocks + 2 * i, &bfloat, 2);
    }
}

const struct weight_type loam_type_f32 = {.id = 0,
                                          .name = "F32",
                                          .block_elements = 1,
                                          .block_bytes = 4,
                                          .dequantize = dequantize_f32,
                                          .quantize = quantize_f32};

const struct weight_type loam_type_f16 = {.id = 1,
                                          .name = "F16",
                                          .block_elements = 1,
                                          .block_bytes = 2,
                                          .dequantize = dequantize_f16,
                                          .quantize = quantize_f16};

const struct weight_type loam_type_bf16 = {.id = 30,
                                           .name = "BF16",
                                           .block_elements = 1,
                                           .block_bytes = 2,
                                           .dequantize = dequantize_bf16,
                                           .quantize = quantize_bf16};

/* SPDX-License-Identifier: MIT */
/* Q8_0: 32 signed bytes and a scale; value d * q. */
#include "base/half.h"
#include "quant/codecs.h"

void loam_dequantize_q8_0(float *out, const void *blocks, size_t n)
{
    const struct block_q8_0 *block = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        float d = loam_half_to_float(block[i].d);
        for (size_t j = 0; j < 32; j++)
            out[i * 32 + j] = d * (float)block[i].qs[j];
    }
}

/* The largest magnitude becomes 127. */
void loam_quantize_q8_0(void *blocks, const float *x, size_t n)
{
    struct block_q8_0 *block = blocks;
    for (size_t i = 0; i < n / 32; i++) {
        float most = 0;
        for (size_t j = 0; j < 32; j++) {
            float magnitude = x[i * 32 + j] < 0 ? -x[i * 32 + j] : x[i * 32 + j];
            most = magnitude > most ? magnitude : most;
        }
        float d = most / 127, inverse = most >= 0x1p-100f ? 127 / most : 0;
        block[i].d = loam_half_from_float(d);
        for (size_t j = 0; j < 32; j++)
            block[i].qs[j] = (int8_t)loam_round(x[i * 32 + j] * inverse);
    }
}

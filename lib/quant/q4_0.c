/* SPDX-License-Identifier: MIT */
/* Q4_0: 32 nibbles and a scale; value d * (q - 8). */
#include "base/half.h"
#include "quant/codecs.h"

void loam_dequantize_q4_0(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n / 32; i++) {
        struct block_q4_0 block; /* copied: blocks may lie at odd addresses */
        memcpy(&block, (const char *)blocks + i * sizeof block, sizeof block);
        float d = loam_half_to_float(block.d);
        for (size_t j = 0; j < 16; j++) {
            out[i * 32 + j] = d * (float)((block.qs[j] & 15) - 8);
            out[i * 32 + j + 16] = d * (float)((block.qs[j] >> 4) - 8);
        }
    }
}

static uint8_t nibble(float x, float inverse)
{
    float shifted = x * inverse + 8.5f;
    int32_t q = shifted > 0 ? (int32_t)shifted : 0;
    return (uint8_t)(q > 15 ? 15 : q);
}

/* The number of largest magnitude becomes -8, with its sign in the scale:
 * the range -8 to 7 is then used to its longer end. */
void loam_quantize_q4_0(void *blocks, const float *x, size_t n)
{
    for (size_t i = 0; i < n / 32; i++) {
        struct block_q4_0 block;
        const float *values = x + i * 32;
        float most = 0, extreme = 0;
        for (size_t j = 0; j < 32; j++) {
            float magnitude = values[j] < 0 ? -values[j] : values[j];
            if (magnitude > most) {
                most = magnitude;
                extreme = values[j];
            }
        }
        float d = extreme / -8, inverse = most >= 0x1p-100f ? 1 / d : 0;
        block.d = loam_half_from_float(d);
        for (size_t j = 0; j < 16; j++)
            block.qs[j] =
                (uint8_t)(nibble(values[j], inverse) | nibble(values[j + 16], inverse) << 4);
        memcpy((char *)blocks + i * sizeof block, &block, sizeof block);
    }
}

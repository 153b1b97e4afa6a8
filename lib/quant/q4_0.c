/* SPDX-License-Identifier: MIT */
/* Q4_0: 32 nibbles and a scale; value d * (q - 8). */
#include "base/half.h"
#include "quant/codecs.h"
#include "quant/fit.h"

static void dequantize(float *out, const void *blocks, size_t n)
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
static float plain_scale(const float *x)
{
    float most = 0, extreme = 0;
    for (size_t j = 0; j < 32; j++) {
        float magnitude = x[j] < 0 ? -x[j] : x[j];
        if (magnitude > most) {
            most = magnitude;
            extreme = x[j];
        }
    }
    return extreme / -8;
}

static float weighted_scale(const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -8, .hi = 7};
    float w[32];
    loam_fit_weights(w, importance, 32);
    return loam_fit_scale(x, w, 32, &levels);
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 32) {
        struct block_q4_0 block;
        const float *values = x + i;
        float d = importance ? weighted_scale(values, importance + i) : plain_scale(values);
        float magnitude = d < 0 ? -d : d, inverse = magnitude >= 0x1p-103f ? 1 / d : 0;
        block.d = loam_half_from_float(d);
        for (size_t j = 0; j < 16; j++)
            block.qs[j] =
                (uint8_t)(nibble(values[j], inverse) | nibble(values[j + 16], inverse) << 4);
        memcpy((char *)blocks + i / 32 * sizeof block, &block, sizeof block);
    }
}

static const struct packed_field fields[] = {
    {offsetof(struct block_q4_0, d), 2, 1}, {offsetof(struct block_q4_0, qs), 4, 4}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 64, .unit_bytes = sizeof(struct unit_q4_0), .fields = fields};

const struct weight_type loam_type_q4_0 = {.id = 2,
                                           .name = "Q4_0",
                                           .block_elements = 32,
                                           .block_bytes = 18,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing};

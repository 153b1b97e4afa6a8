/* SPDX-License-Identifier: MIT */
/* Q8_0: 32 signed bytes and a scale; value d * q. */
#include "base/half.h"
#include "quant/codecs.h"

static void dequantize(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n / 32; i++) {
        struct block_q8_0 block; /* copied: blocks may lie at odd addresses */
        memcpy(&block, (const char *)blocks + i * sizeof block, sizeof block);
        float d = loam_half_to_float(block.d);
        for (size_t j = 0; j < 32; j++)
            out[i * 32 + j] = d * (float)block.qs[j];
    }
}

/* The largest magnitude becomes 127. Of numbers that are not finite the
 * integers are 0; an infinity stays visible in the scale. */
static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    (void)importance;
    for (size_t i = 0; i < n / 32; i++) {
        struct block_q8_0 block;
        float most = 0;
        for (size_t j = 0; j < 32; j++) {
            float magnitude = x[i * 32 + j] < 0 ? -x[i * 32 + j] : x[i * 32 + j];
            most = magnitude > most ? magnitude : most;
        }
        float d = most / 127, inverse = most >= 0x1p-100f ? 127 / most : 0;
        block.d = loam_half_from_float(d);
        for (size_t j = 0; j < 32; j++) {
            float scaled = x[i * 32 + j] * inverse;
            block.qs[j] = scaled == scaled ? (int8_t)loam_round(scaled) : 0;
        }
        memcpy((char *)blocks + i * sizeof block, &block, sizeof block);
    }
}

static const struct packed_field fields[] = {
    {offsetof(struct block_q8_0, d), 2, 1}, {offsetof(struct block_q8_0, qs), 4, 8}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 64, .unit_bytes = sizeof(struct unit_q8_0), .fields = fields};

const struct weight_type loam_type_q8_0 = {.id = 8,
                                           .name = "Q8_0",
                                           .block_elements = 32,
                                           .block_bytes = 34,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing};

/* SPDX-License-Identifier: MIT */
/* Q2_0: 64 numbers of 2 bits and a scale; value d * (q - 1), number i at bits 2 (i % 4)
 * of byte i / 4. */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    uint8_t qs[16];
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    float d = loam_half_to_float(block.d);
    for (size_t s = 0; s < 2; s++)
        out->d[s] = d;
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < 4; j++)
            out->q[4 * i + j] = (int8_t)((block.qs[i] >> 2 * j & 3) - 1);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q2_0, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -1, .hi = 2};
    float w[64], d;
    int8_t q[64];
    loam_fit_weights(w, importance, 64);
    out->d = loam_fit_half(&d, loam_fit_scale(x, w, 64, &levels));
    loam_fit_assign(q, x, 64, d, &levels);
    memset(out->qs, 0, sizeof out->qs);
    for (size_t i = 0; i < 64; i++)
        out->qs[i / 4] |= (uint8_t)((q[i] + 1) << 2 * (i % 4));
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 64) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 64 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 32, .largest = 2, .minima = false, .block = block_of};

static const struct packed_field fields[] = {
    {offsetof(struct block, d), 2, 1}, {offsetof(struct block, qs), 4, 4}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 128, .unit_bytes = sizeof(struct unit_q2_0), .fields = fields};

const struct weight_type loam_type_q2_0 = {.id = 42,
                                           .name = "Q2_0",
                                           .block_elements = 64,
                                           .block_bytes = 18,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing,
                                           .integers = &integers};

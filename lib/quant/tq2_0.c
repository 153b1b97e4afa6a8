/* SPDX-License-Identifier: MIT */
/*
 * TQ2_0: 256 numbers of 2 bits; value d * (q - 1). Number 128 h + 32 j + l is at
 * bits 2 j of qs[32 h + l].
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint8_t qs[64];
    uint16_t d;
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = 1;
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++)
            for (size_t l = 0; l < 32; l++)
                out->q[128 * h + 32 * j + l] = (int8_t)((block.qs[32 * h + l] >> 2 * j & 3) - 1);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_tq2_0, out, blocks, n);
}

/* Digits -1, 0, 1 and a scale above 0. */
static void fit(int8_t q[256], uint16_t *half, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -1, .hi = 1};
    float w[256], d, scale;
    loam_fit_weights(w, importance, 256);
    scale = loam_fit_scale(x, w, 256, &levels);
    *half = loam_fit_half(&d, scale < 0 ? -scale : scale);
    loam_fit_assign(q, x, 256, d, &levels);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    int8_t q[256];
    fit(q, &out->d, x, importance);
    memset(out->qs, 0, sizeof out->qs);
    for (size_t i = 0; i < 256; i++)
        out->qs[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] + 1) << 2 * (i / 32 % 4));
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 256) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 256, .largest = 2, .minima = false, .block = block_of};

static const struct packed_field fields[] = {
    {offsetof(struct block, qs), 4, 16}, {offsetof(struct block, d), 2, 1}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_tq2_0), .fields = fields};

const struct weight_type loam_type_tq2_0 = {.id = 35,
                                            .name = "TQ2_0",
                                            .block_elements = 256,
                                            .block_bytes = 66,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

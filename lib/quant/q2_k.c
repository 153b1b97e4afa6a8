/* SPDX-License-Identifier: MIT */
/*
 * Q2_K: 16 sub-blocks of 16 numbers of 2 bits; value d * scale * q - dmin * min,
 * scale and min of 4 bits. Number 128 h + 32 j + l is at bits 2 j of qs[32 h + l].
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint8_t scales[16]; /* scale low, min high */
    uint8_t qs[64];
    uint16_t d, dmin;
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    out->dmin[0] = loam_half_to_float(block.dmin);
    for (size_t k = 0; k < 16; k++) {
        out->scales[k] = block.scales[k] & 15;
        out->mins[k] = block.scales[k] >> 4;
    }
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++)
            for (size_t l = 0; l < 32; l++)
                out->q[128 * h + 32 * j + l] = block.qs[32 * h + l] >> 2 * j & 3;
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q2_k, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    float w[256];
    struct fit_minima fit;
    loam_fit_weights(w, importance, 256);
    loam_fit_minima(&fit, x, w, 16, 16, 15, 3);
    memset(out, 0, sizeof *out);
    out->d = loam_half_from_float(fit.d);
    out->dmin = loam_half_from_float(fit.dmin);
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = (uint8_t)(fit.scales[k] | fit.mins[k] << 4);
    for (size_t i = 0; i < 256; i++)
        out->qs[i / 128 * 32 + i % 32] |= (uint8_t)(fit.q[i] << 2 * (i / 32 % 4));
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
    .step = 256, .largest = 3, .minima = true, .block = block_of};

static const struct packed_field fields[] = {{offsetof(struct block, scales), 4, 4},
                                             {offsetof(struct block, qs), 4, 16},
                                             {offsetof(struct block, d), 2, 1},
                                             {offsetof(struct block, dmin), 2, 1},
                                             {0}};
static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_q2_k), .fields = fields};

const struct weight_type loam_type_q2_k = {.id = 10,
                                           .name = "Q2_K",
                                           .block_elements = 256,
                                           .block_bytes = 84,
                                           .activation_group = 256,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing,
                                           .integers = &integers};

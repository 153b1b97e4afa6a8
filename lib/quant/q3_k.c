/* SPDX-License-Identifier: MIT */
/*
 * Q3_K: 16 sub-blocks of 16 numbers of 3 bits; value d * (scale - 32) * (q - 4),
 * scale of 6 bits. Number 128 h + 32 j + l has its low bits at 2 j of
 * qs[32 h + l], its high bit at 4 h + j of high[l].
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint8_t high[32];
    uint8_t qs[64];
    uint8_t scales[12]; /* 4 bits each in bytes 0 to 7, 2 bits in the others */
    uint16_t d;
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    for (size_t k = 0; k < 16; k++) {
        int32_t low = k < 8 ? block.scales[k] & 15 : block.scales[k - 8] >> 4;
        int32_t high = block.scales[8 + k % 4] >> 2 * (k / 4) & 3;
        out->scales[k] = (int16_t)(low + 16 * high - 32);
    }
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++)
            for (size_t l = 0; l < 32; l++) {
                int32_t low = block.qs[32 * h + l] >> 2 * j & 3;
                int32_t high = block.high[l] >> (4 * h + j) & 1;
                out->q[128 * h + 32 * j + l] = (int8_t)(low + 4 * high - 4);
            }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q3_k, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -4, .hi = 3};
    float w[256];
    struct fit_block fit;
    loam_fit_weights(w, importance, 256);
    loam_fit_blocks(&fit, x, w, 16, 16, -32, 31, &levels);
    memset(out, 0, sizeof *out);
    out->d = loam_half_from_float(fit.d);
    for (size_t k = 0; k < 16; k++) {
        int32_t scale = fit.scales[k] + 32;
        out->scales[k % 8] |= (uint8_t)((scale & 15) << (k < 8 ? 0 : 4));
        out->scales[8 + k % 4] |= (uint8_t)((scale >> 4) << 2 * (k / 4));
    }
    for (size_t i = 0; i < 256; i++) {
        int32_t q = fit.q[i] + 4;
        out->qs[i / 128 * 32 + i % 32] |= (uint8_t)((q & 3) << 2 * (i / 32 % 4));
        out->high[i % 32] |= (uint8_t)((q >> 2) << i / 32);
    }
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
    .step = 256, .largest = 4, .minima = false, .block = block_of};

static const struct packed_field fields[] = {{offsetof(struct block, scales), 4, 3},
                                             {offsetof(struct block, high), 4, 8},
                                             {offsetof(struct block, qs), 4, 16},
                                             {offsetof(struct block, d), 2, 1},
                                             {0}};
static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_q3_k), .fields = fields};

const struct weight_type loam_type_q3_k = {.id = 11,
                                           .name = "Q3_K",
                                           .block_elements = 256,
                                           .block_bytes = 110,
                                           .activation_group = 256,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing,
                                           .integers = &integers};

/* SPDX-License-Identifier: MIT */
/*
 * IQ4_XS: 8 sub-blocks of 32 nibbles on the curve of IQ4_NL; value
 * d * (scale - 32) * curve[q], scale of 6 bits.
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint16_t d, high;  /* bits 2 b and 2 b + 1: high bits of scale b */
    uint8_t scales[4]; /* nibble b: its low bits */
    uint8_t qs[128];   /* byte 16 b + j: numbers j and j + 16 of sub-block b */
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    for (size_t b = 0; b < 8; b++) {
        int32_t low = block.scales[b / 2] >> 4 * (b % 2) & 15, high = block.high >> 2 * b & 3;
        out->scales[2 * b] = out->scales[2 * b + 1] = (int16_t)(low + 16 * high - 32);
        int8_t *q = out->q + 32 * b;
        loam_curve_numbers(q, q + 16, block.qs + 16 * b, loam_curve_iq4_pairs, 16);
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq4_xs, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.curve = loam_curve_iq4, .count = 16};
    float w[256];
    struct fit_block fit;
    loam_fit_weights(w, importance, 256);
    loam_fit_blocks(&fit, x, w, 8, 32, -32, 31, &levels);
    memset(out, 0, sizeof *out);
    out->d = loam_half_from_float(fit.d);
    for (size_t b = 0; b < 8; b++) {
        int32_t scale = fit.scales[b] + 32;
        const int8_t *q = fit.q + 32 * b;
        out->scales[b / 2] |= (uint8_t)((scale & 15) << 4 * (b % 2));
        out->high = (uint16_t)(out->high | (scale >> 4) << 2 * b);
        for (size_t j = 0; j < 16; j++)
            out->qs[16 * b + j] = (uint8_t)(loam_curve_index(loam_curve_iq4, q[j]) |
                                            loam_curve_index(loam_curve_iq4, q[j + 16]) << 4);
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
    .step = 256, .largest = 127, .minima = false, .block = block_of};

static const struct packed_field fields[] = {{offsetof(struct block, d), 2, 1},
                                             {offsetof(struct block, high), 2, 1},
                                             {offsetof(struct block, scales), 4, 1},
                                             {offsetof(struct block, qs), 4, 32},
                                             {0}};
static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_iq4_xs), .fields = fields};

const struct weight_type loam_type_iq4_xs = {.id = 23,
                                             .name = "IQ4_XS",
                                             .block_elements = 256,
                                             .block_bytes = 136,
                                             .activation_group = 256,
                                             .dequantize = dequantize,
                                             .quantize = quantize,
                                             .packing = &packing,
                                             .integers = &integers};

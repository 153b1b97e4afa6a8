/* SPDX-License-Identifier: MIT */
/* IQ4_NL: 32 nibbles that choose from a curve of 16 values; value d * curve[q]. */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    uint8_t qs[16]; /* byte j: number j in the low nibble, j + 16 in the high */
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    loam_curve_numbers(out->q, out->q + 16, block.qs, loam_curve_iq4_pairs, 16);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq4_nl, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.curve = loam_curve_iq4, .count = 16};
    float w[32], d;
    int8_t q[32];
    loam_fit_weights(w, importance, 32);
    out->d = loam_fit_half(&d, loam_fit_scale(x, w, 32, &levels));
    loam_fit_assign(q, x, 32, d, &levels);
    for (size_t j = 0; j < 16; j++)
        out->qs[j] = (uint8_t)(loam_curve_index(loam_curve_iq4, q[j]) |
                               loam_curve_index(loam_curve_iq4, q[j + 16]) << 4);
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 32) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 32 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 32, .largest = 127, .minima = false, .block = block_of};

static const struct packed_field fields[] = {
    {offsetof(struct block, d), 2, 1}, {offsetof(struct block, qs), 4, 4}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 64, .unit_bytes = sizeof(struct unit_iq4_nl), .fields = fields};

const struct weight_type loam_type_iq4_nl = {.id = 20,
                                             .name = "IQ4_NL",
                                             .block_elements = 32,
                                             .block_bytes = 18,
                                             .activation_group = 32,
                                             .dequantize = dequantize,
                                             .quantize = quantize,
                                             .packing = &packing,
                                             .integers = &integers};

/* SPDX-License-Identifier: MIT */
/* IQ4_NL: 32 nibbles that choose from a curve of 16 values; value d * curve[q]. */
#include "quant/codecs.h"
#include "quant/curves.h"
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
    for (size_t j = 0; j < 16; j++) {
        out->q[j] = loam_curve_iq4[block.qs[j] & 15];
        out->q[j + 16] = loam_curve_iq4[block.qs[j] >> 4];
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq4_nl, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 32, .largest = 127, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 64, .unit_bytes = 576};

const struct weight_type loam_type_iq4_nl = {.id = 20,
                                             .name = "IQ4_NL",
                                             .block_elements = 32,
                                             .block_bytes = 18,
                                             .activation_group = 32,
                                             .dequantize = dequantize,
                                             .packing = &packing,
                                             .integers = &integers};

/* SPDX-License-Identifier: MIT */
/* Q2_0: 64 numbers of 2 bits and a scale; value d * (q - 1), number i at bits 2 (i % 4)
 * of byte i / 4. */
#include "quant/codecs.h"
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
    for (size_t i = 0; i < 64; i++)
        out->q[i] = (int8_t)((block.qs[i / 4] >> 2 * (i % 4) & 3) - 1);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q2_0, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 32, .largest = 2, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 128, .unit_bytes = 576};

const struct weight_type loam_type_q2_0 = {.id = 42,
                                           .name = "Q2_0",
                                           .block_elements = 64,
                                           .block_bytes = 18,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .packing = &packing,
                                           .integers = &integers};

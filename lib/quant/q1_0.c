/* SPDX-License-Identifier: MIT */
/* Q1_0: 128 signs and a scale; value d where bit i % 8 of byte i / 8 is set, else -d. */
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
    for (size_t s = 0; s < 4; s++)
        out->d[s] = d;
    for (size_t i = 0; i < 128; i++)
        out->q[i] = (int8_t)(2 * (block.qs[i / 8] >> i % 8 & 1) - 1);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q1_0, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 32, .largest = 1, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 576};

const struct weight_type loam_type_q1_0 = {.id = 41,
                                           .name = "Q1_0",
                                           .block_elements = 128,
                                           .block_bytes = 18,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .packing = &packing,
                                           .integers = &integers};

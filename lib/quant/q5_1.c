/* SPDX-License-Identifier: MIT */
/* Q5_1: 32 numbers of 5 bits, a scale and a minimum; value d * q + m. */
#include "quant/codecs.h"
#include "quant/integers.h"

struct block {
    uint16_t d, m;
    uint8_t qh[4];  /* bit i: bit 4 of number i */
    uint8_t qs[16]; /* byte j: number j in the low nibble, j + 16 in the high */
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    uint32_t high = (uint32_t)(block.qh[0] | block.qh[1] << 8 | block.qh[2] << 16) |
                    (uint32_t)block.qh[3] << 24;
    out->d[0] = loam_half_to_float(block.d);
    out->dmin[0] = -loam_half_to_float(block.m);
    for (size_t j = 0; j < 16; j++) {
        int32_t first = (int32_t)(high >> j & 1), second = (int32_t)(high >> (j + 16) & 1);
        out->q[j] = (int8_t)((block.qs[j] & 15) + 16 * first);
        out->q[j + 16] = (int8_t)((block.qs[j] >> 4) + 16 * second);
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q5_1, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 32, .largest = 31, .minima = true, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 64, .unit_bytes = 768};

const struct weight_type loam_type_q5_1 = {.id = 7,
                                           .name = "Q5_1",
                                           .block_elements = 32,
                                           .block_bytes = 24,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .packing = &packing,
                                           .integers = &integers};

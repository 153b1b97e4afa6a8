/* SPDX-License-Identifier: MIT */
/*
 * MXFP4: 32 floats of 4 bits (E2M1) and an exponent; value 2^(e - 128) * twice
 * the float, which is an integer.
 */
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/integers.h"

struct block {
    uint8_t e;
    uint8_t qs[16]; /* byte j: number j in the low nibble, j + 16 in the high */
};

/* 2^(e - 128), exact: subnormal for 0 and 1. */
static float power_of_two(uint8_t e)
{
    return loam_float_from_bits(e < 2 ? 0x200000u << e : (uint32_t)(e - 1) << 23);
}

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = power_of_two(block.e);
    for (size_t j = 0; j < 16; j++) {
        out->q[j] = loam_curve_e2m1[block.qs[j] & 15];
        out->q[j + 16] = loam_curve_e2m1[block.qs[j] >> 4];
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_mxfp4, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 32, .largest = 12, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 128, .unit_bytes = 1088};

const struct weight_type loam_type_mxfp4 = {.id = 39,
                                            .name = "MXFP4",
                                            .block_elements = 32,
                                            .block_bytes = 17,
                                            .activation_group = 32,
                                            .dequantize = dequantize,
                                            .packing = &packing,
                                            .integers = &integers};

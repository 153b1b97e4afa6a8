/* SPDX-License-Identifier: MIT */
/*
 * MXFP4: 32 floats of 4 bits (E2M1) and an exponent; value 2^(e - 128) * twice
 * the float, which is an integer.
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/fit.h"
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
    loam_curve_numbers(out->q, out->q + 16, block.qs, loam_curve_e2m1_pairs, 16);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_mxfp4, out, blocks, n);
}

static float squared_error(const float *x, const float *w, const int8_t *q, float d)
{
    float error = 0;
    for (size_t i = 0; i < 32; i++) {
        float difference = x[i] - d * (float)q[i];
        error += w[i] * difference * difference;
    }
    return error;
}

/* The exponents next to the best scale are tried. */
static void quantize_block(struct block *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.curve = loam_curve_e2m1_ascending, .count = 15};
    float w[32], best = 0;
    loam_fit_weights(w, importance, 32);
    float scale = loam_fit_scale(x, w, 32, &levels);
    int32_t middle = (int32_t)(loam_float_bits(scale < 0 ? -scale : scale) >> 23) + 1;
    memset(out, 0, sizeof *out);
    for (int32_t e = middle - 1; scale != 0 && e <= middle + 2; e++) {
        int8_t q[32];
        if (e < 0 || e > 254)
            continue;
        loam_fit_assign(q, x, 32, power_of_two((uint8_t)e), &levels);
        float error = squared_error(x, w, q, power_of_two((uint8_t)e));
        if (out->e != 0 && error >= best)
            continue;
        best = error;
        out->e = (uint8_t)e;
        for (size_t j = 0; j < 16; j++)
            out->qs[j] = (uint8_t)(loam_curve_index(loam_curve_e2m1, q[j]) |
                                   loam_curve_index(loam_curve_e2m1, q[j + 16]) << 4);
    }
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
    .step = 32, .largest = 12, .minima = false, .block = block_of};

static const struct packed_field fields[] = {
    {offsetof(struct block, e), 1, 1}, {offsetof(struct block, qs), 4, 4}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 128, .unit_bytes = sizeof(struct unit_mxfp4), .fields = fields};

const struct weight_type loam_type_mxfp4 = {.id = 39,
                                            .name = "MXFP4",
                                            .block_elements = 32,
                                            .block_bytes = 17,
                                            .activation_group = 32,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

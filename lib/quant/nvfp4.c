/* SPDX-License-Identifier: MIT */
/*
 * NVFP4: 4 sub-blocks of 16 floats of 4 bits (E2M1), each with a float of 8 bits
 * (E4M3 without sign) as scale; value scale / 2 * twice the float.
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/curves.h"
#include "quant/fit.h"
#include "quant/integers.h"

struct block {
    uint8_t d[4];
    uint8_t qs[32]; /* byte 8 s + j: numbers j and j + 8 of sub-block s */
};

/* Half of an unsigned E4M3: (8 + m) * 2^(e - 11), or m * 2^-10 for e 0. */
static float half_of(uint8_t scale)
{
    int32_t e = scale >> 3 & 15, m = scale & 7;
    if (scale == 0x7F) /* not a number: the format takes it as 0 */
        return 0;
    return e ? loam_float_from_bits((uint32_t)(116 + e) << 23) * (float)(8 + m)
             : (float)m * 0x1p-10f;
}

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    for (size_t s = 0; s < 4; s++) {
        out->d[s] = half_of(block.d[s]);
        int8_t *q = out->q + 16 * s;
        loam_curve_numbers(q, q + 8, block.qs + 8 * s, loam_curve_e2m1_pairs, 8);
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_nvfp4, out, blocks, n);
}

/* The scale next to d from below, and those beside it, are tried. */
static void quantize_sixteen(uint8_t *scale, uint8_t *qs, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.curve = loam_curve_e2m1_ascending, .count = 15};
    float w[16], best = 0;
    loam_fit_weights(w, importance, 16);
    float d = loam_fit_scale(x, w, 16, &levels);
    int32_t below = 0;
    d = d < 0 ? -d : d;
    while (below < 126 && half_of((uint8_t)(below + 1)) <= d)
        below++;
    *scale = 0;
    memset(qs, 0, 8);
    for (int32_t s = below - 2; s <= below + 3; s++) {
        int8_t q[16];
        float error = 0, value = s < 1 || s > 126 ? 0 : half_of((uint8_t)s);
        if (d == 0 || value == 0)
            continue;
        loam_fit_assign(q, x, 16, value, &levels);
        for (size_t i = 0; i < 16; i++)
            error += w[i] * (x[i] - value * (float)q[i]) * (x[i] - value * (float)q[i]);
        if (*scale != 0 && error >= best)
            continue;
        best = error;
        *scale = (uint8_t)s;
        for (size_t j = 0; j < 8; j++)
            qs[j] = (uint8_t)(loam_curve_index(loam_curve_e2m1, q[j]) |
                              loam_curve_index(loam_curve_e2m1, q[j + 8]) << 4);
    }
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    for (size_t s = 0; s < 4; s++)
        quantize_sixteen(&out->d[s], out->qs + 8 * s, x + 16 * s,
                         importance ? importance + 16 * s : NULL);
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 64) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 64 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 16, .largest = 12, .minima = false, .block = block_of};

static const struct packed_field fields[] = {
    {offsetof(struct block, d), 1, 4}, {offsetof(struct block, qs), 4, 8}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 64, .unit_bytes = sizeof(struct unit_nvfp4), .fields = fields};

const struct weight_type loam_type_nvfp4 = {.id = 40,
                                            .name = "NVFP4",
                                            .block_elements = 64,
                                            .block_bytes = 36,
                                            .activation_group = 32,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

/* SPDX-License-Identifier: MIT */
/* Q5_0: 32 numbers of 5 bits and a scale; value d * (q - 16). */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/grids.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    uint8_t qh[4];  /* bit i: bit 4 of number i */
    uint8_t qs[16]; /* byte j: number j in the low nibble, j + 16 in the high */
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    int8_t high[32];
    for (size_t i = 0; i < 4; i++)
        loam_grid_store(high + 8 * i, loam_grid_spread_bits(block.qh[i]) * 16);
    for (size_t j = 0; j < 16; j++) {
        out->q[j] = (int8_t)((block.qs[j] & 15) + high[j] - 16);
        out->q[j + 16] = (int8_t)((block.qs[j] >> 4) + high[j + 16] - 16);
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q5_0, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -16, .hi = 15};
    float w[32], d;
    int8_t q[32];
    loam_fit_weights(w, importance, 32);
    out->d = loam_fit_half(&d, loam_fit_scale(x, w, 32, &levels));
    loam_fit_assign(q, x, 32, d, &levels);
    memset(out->qh, 0, sizeof out->qh);
    for (size_t j = 0; j < 32; j++)
        out->qh[j / 8] |= (uint8_t)(((q[j] + 16) >> 4) << j % 8);
    for (size_t j = 0; j < 16; j++)
        out->qs[j] = (uint8_t)(((q[j] + 16) & 15) | ((q[j + 16] + 16) & 15) << 4);
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
    .step = 32, .largest = 16, .minima = false, .block = block_of};

static const struct packed_field fields[] = {{offsetof(struct block, d), 2, 1},
                                             {offsetof(struct block, qh), 4, 1},
                                             {offsetof(struct block, qs), 4, 4},
                                             {0}};
static const struct weight_packing packing = {
    .unit_elements = 64, .unit_bytes = sizeof(struct unit_q5_0), .fields = fields};

const struct weight_type loam_type_q5_0 = {.id = 6,
                                           .name = "Q5_0",
                                           .block_elements = 32,
                                           .block_bytes = 22,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing,
                                           .integers = &integers};

/* SPDX-License-Identifier: MIT */
/* Q1_0: 128 signs and a scale; value d where bit i % 8 of byte i / 8 is set, else -d. */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/grids.h"
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
    for (size_t i = 0; i < 16; i++) /* of bit 0 -1, which is 0xFF, of bit 1 1 */
        loam_grid_store(out->q + 8 * i,
                        loam_grid_spread_bits(block.qs[i]) * 0xFE ^ LOAM_BYTES_OF_ONE * 0xFF);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_q1_0, out, blocks, n);
}

/* The mean magnitude is the best scale. */
static void quantize_block(struct block *out, const float *x, const float *importance)
{
    float w[128], total = 0, count = 0;
    loam_fit_weights(w, importance, 128);
    memset(out->qs, 0, sizeof out->qs);
    for (size_t i = 0; i < 128; i++) {
        total += w[i] * (x[i] < 0 ? -x[i] : x[i]);
        count += w[i];
        out->qs[i / 8] |= (uint8_t)((x[i] >= 0) << i % 8);
    }
    out->d = loam_half_from_float(total / count);
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 128) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 128 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 32, .largest = 1, .minima = false, .block = block_of};

static const struct packed_field fields[] = {
    {offsetof(struct block, d), 2, 1}, {offsetof(struct block, qs), 4, 4}, {0}};
static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_q1_0), .fields = fields};

const struct weight_type loam_type_q1_0 = {.id = 41,
                                           .name = "Q1_0",
                                           .block_elements = 128,
                                           .block_bytes = 18,
                                           .activation_group = 32,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing,
                                           .integers = &integers};

/* SPDX-License-Identifier: MIT */
/*
 * IQ1_M: 32 runs of 8 numbers: an entry (11 bits) of a code book of numbers -1, 0,
 * 1, and a shift by 1/8 up or down, with a scale of 3 bits for two runs; value
 * d / 8 * (2 scale + 1) * (8 number +- 1).
 */
#include "quant/codecs.h"
#include "quant/grids.h"
#include "quant/integers.h"
#include "quant/shifted.h"

struct block {
    uint8_t entries[32];
    uint8_t high[16];   /* nibble i: 3 high bits of entry i, 1: down */
    uint16_t scales[4]; /* 4 x 3 bits of scale, and a nibble of d each */
};

/* Eight times each number, plus or minus 1. */
static void run(int8_t out[8], uint32_t entry, bool minus)
{
    int8_t eighths[8];
    loam_grid_store(eighths, loam_grid_iq1[entry]);
    for (size_t i = 0; i < 8; i++)
        out[i] = (int8_t)(eighths[i] + (minus ? -1 : 1));
}

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    uint32_t d = 0;
    for (size_t i = 0; i < 4; i++)
        d |= (uint32_t)(block.scales[i] >> 12) << 4 * i;
    out->d[0] = loam_half_to_float((uint16_t)d) * 0.125f;
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = (int16_t)(2 * (block.scales[k / 4] >> 3 * (k % 4) & 7) + 1);
    for (size_t i = 0; i < 32; i++) {
        uint32_t high = block.high[i / 2] >> 4 * (i % 2) & 15u;
        run(out->q + 8 * i, block.entries[i] | (high & 7) << 8, high >> 3);
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq1_m, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance,
                           const struct book_index *index)
{
    struct shifted_fit fit = {.index = index, .sub_block = 16, .shift_run = 8};
    loam_shifted_fit(&fit, x, importance);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < 32; i++) {
        uint32_t high = (uint32_t)fit.entries[i] >> 8 | (uint32_t)fit.down[i] << 3;
        out->entries[i] = (uint8_t)fit.entries[i];
        out->high[i / 2] |= (uint8_t)(high << 4 * (i % 2));
    }
    for (size_t k = 0; k < 16; k++)
        out->scales[k / 4] |= (uint16_t)(fit.scales[k] << 3 * (k % 4));
    for (size_t i = 0; i < 4; i++)
        out->scales[i] |= (uint16_t)((fit.d >> 4 * i & 15) << 12);
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    struct book_index index;
    loam_shifted_index(&index);
    for (size_t i = 0; i < n; i += 256) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL, &index);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 256, .largest = 9, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 896};

const struct weight_type loam_type_iq1_m = {.id = 29,
                                            .name = "IQ1_M",
                                            .block_elements = 256,
                                            .block_bytes = 56,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

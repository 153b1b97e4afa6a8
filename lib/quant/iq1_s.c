/* SPDX-License-Identifier: MIT */
/*
 * IQ1_S: 8 sub-blocks of 32 numbers: four entries (11 bits) of a code book of 8
 * numbers -1, 0, 1, a scale of 3 bits, and a shift by 1/8 up or down; value
 * d / 8 * (2 scale + 1) * (8 number +- 1).
 */
#include "quant/codecs.h"
#include "quant/grids.h"
#include "quant/integers.h"
#include "quant/shifted.h"

struct block {
    uint16_t d;
    uint8_t entries[32];
    uint16_t high[8]; /* 4 x 3 high bits of entries, 3 of scale, 1: down */
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
    out->d[0] = loam_half_to_float(block.d) * 0.125f;
    for (size_t b = 0; b < 8; b++) {
        uint32_t high = block.high[b];
        out->scales[2 * b] = out->scales[2 * b + 1] = (int16_t)(2 * (high >> 12 & 7) + 1);
        for (size_t l = 0; l < 4; l++)
            run(out->q + 32 * b + 8 * l, block.entries[4 * b + l] | (high >> 3 * l & 7) << 8,
                high >> 15);
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq1_s, out, blocks, n);
}

static void quantize_block(struct block *out, const float *x, const float *importance,
                           const struct book_index *index)
{
    struct shifted_fit fit = {.index = index, .sub_block = 32, .shift_run = 32};
    loam_shifted_fit(&fit, x, importance);
    memset(out, 0, sizeof *out);
    out->d = fit.d;
    for (size_t b = 0; b < 8; b++) {
        uint32_t high = (uint32_t)fit.scales[b] << 12 | (uint32_t)fit.down[4 * b] << 15;
        for (size_t l = 0; l < 4; l++) {
            out->entries[4 * b + l] = (uint8_t)fit.entries[4 * b + l];
            high |= (uint32_t)(fit.entries[4 * b + l] >> 8) << 3 * l;
        }
        out->high[b] = (uint16_t)high;
    }
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

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 832};

const struct weight_type loam_type_iq1_s = {.id = 19,
                                            .name = "IQ1_S",
                                            .block_elements = 256,
                                            .block_bytes = 50,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

/* SPDX-License-Identifier: MIT */
/*
 * IQ2_S: 32 runs of 8 numbers, each an entry of a code book (10 bits) and 8 signs,
 * with a scale of 4 bits for two runs; value d / 8 * (2 scale + 1) * signed.
 */
#include "quant/book.h"
#include "quant/codecs.h"
#include "quant/grids.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    uint8_t entries[32], signs[32];
    uint8_t high[8]; /* bits 2 l of byte b: bits 8 and 9 of entry 4 b + l */
    uint8_t scales[8];
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d) * 0.125f;
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = (int16_t)(2 * (block.scales[k / 2] >> 4 * (k % 2) & 15) + 1);
    for (size_t i = 0; i < 32; i++) {
        uint32_t high = block.high[i / 4] >> 2 * (i % 4) & 3u;
        loam_grid_store(
            out->q + 8 * i,
            loam_grid_signed(loam_grid_iq2_s[block.entries[i] | high << 8], block.signs[i]));
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq2_s, out, blocks, n);
}

static const struct book book = {.eights = loam_grid_iq2_s,
                                 .entry_count = 1024,
                                 .width = 8,
                                 .levels = {8, 25, 43},
                                 .level_count = 3};

static void quantize_block(struct block *out, const float *x, const float *importance,
                           const struct book_index *index)
{
    struct book_fit fit = {
        .index = index, .sub_block = 16, .most_scale = 15, .even_signs = false, .factor = 0.125f};
    loam_book_fit(&fit, x, importance);
    memset(out, 0, sizeof *out);
    out->d = fit.d;
    for (size_t i = 0; i < 32; i++) {
        out->entries[i] = (uint8_t)fit.entries[i];
        out->high[i / 4] |= (uint8_t)((fit.entries[i] >> 8) << 2 * (i % 4));
        out->signs[i] = fit.signs[i];
    }
    for (size_t k = 0; k < 16; k++)
        out->scales[k / 2] |= (uint8_t)(fit.scales[k] << 4 * (k % 2));
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    struct book_index index;
    loam_book_index(&index, &book);
    for (size_t i = 0; i < n; i += 256) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL, &index);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 256, .largest = 43, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 1344};

const struct weight_type loam_type_iq2_s = {.id = 22,
                                            .name = "IQ2_S",
                                            .block_elements = 256,
                                            .block_bytes = 82,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

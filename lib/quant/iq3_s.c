/* SPDX-License-Identifier: MIT */
/*
 * IQ3_S: 8 sub-blocks of 32 numbers: eight entries (9 bits) of a code book of 4
 * numbers, 32 signs, and a scale of 4 bits; value d * (2 scale + 1) * signed.
 */
#include "quant/book.h"
#include "quant/codecs.h"
#include "quant/grids.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    uint8_t entries[8][8];
    uint8_t high[8]; /* bit i of byte b: bit 8 of entry i of sub-block b */
    uint8_t signs[8][4];
    uint8_t scales[4];
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    for (size_t b = 0; b < 8; b++) {
        int32_t scale = block.scales[b / 2] >> 4 * (b % 2) & 15;
        out->scales[2 * b] = out->scales[2 * b + 1] = (int16_t)(2 * scale + 1);
        for (size_t l = 0; l < 4; l++) {
            const uint8_t *entries = block.entries[b] + 2 * l;
            uint32_t high = (uint32_t)block.high[b] >> 2 * l;
            uint64_t eight = loam_grid_iq3_s[entries[0] | (high & 1) << 8] |
                             (uint64_t)loam_grid_iq3_s[entries[1] | (high & 2) << 7] << 32;
            loam_grid_store(out->q + 32 * b + 8 * l, loam_grid_signed(eight, block.signs[b][l]));
        }
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq3_s, out, blocks, n);
}

static const struct book book = {.fours = loam_grid_iq3_s,
                                 .entry_count = 512,
                                 .width = 4,
                                 .levels = {1, 3, 5, 7, 9, 11, 13, 15},
                                 .level_count = 8};

static void quantize_block(struct block *out, const float *x, const float *importance,
                           const struct book_index *index)
{
    struct book_fit fit = {
        .index = index, .sub_block = 32, .most_scale = 15, .even_signs = false, .factor = 1};
    loam_book_fit(&fit, x, importance);
    memset(out, 0, sizeof *out);
    out->d = fit.d;
    for (size_t b = 0; b < 8; b++) {
        out->scales[b / 2] |= (uint8_t)(fit.scales[b] << 4 * (b % 2));
        for (size_t l = 0; l < 4; l++)
            out->signs[b][l] = fit.signs[4 * b + l];
        for (size_t i = 0; i < 8; i++) {
            out->entries[b][i] = (uint8_t)fit.entries[8 * b + i];
            out->high[b] |= (uint8_t)((fit.entries[8 * b + i] >> 8) << i);
        }
    }
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
    .step = 256, .largest = 15, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 1792};

const struct weight_type loam_type_iq3_s = {.id = 21,
                                            .name = "IQ3_S",
                                            .block_elements = 256,
                                            .block_bytes = 110,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

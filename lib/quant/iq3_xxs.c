/* SPDX-License-Identifier: MIT */
/*
 * IQ3_XXS: 8 sub-blocks of 32 numbers: eight entries of a code book of 4 numbers,
 * 4 x 7 signs, and a scale of 4 bits; value d / 4 * (2 scale + 1) * signed.
 */
#include "quant/book.h"
#include "quant/codecs.h"
#include "quant/grids.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    uint8_t entries[8][8];
    uint8_t signs[8][4]; /* little-endian: 4 x 7 signs, then the scale */
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d) * 0.25f;
    for (size_t b = 0; b < 8; b++) {
        const uint8_t *s = block.signs[b], *entries = block.entries[b];
        uint32_t signs = (uint32_t)(s[0] | s[1] << 8 | s[2] << 16) | (uint32_t)s[3] << 24;
        out->scales[2 * b] = out->scales[2 * b + 1] = (int16_t)(2 * (signs >> 28) + 1);
        for (size_t l = 0; l < 4; l++) {
            uint64_t eight = loam_grid_iq3_xxs[entries[2 * l]] |
                             (uint64_t)loam_grid_iq3_xxs[entries[2 * l + 1]] << 32;
            loam_grid_store(out->q + 32 * b + 8 * l,
                            loam_grid_signed(eight, loam_grid_even_signs(signs >> 7 * l)));
        }
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq3_xxs, out, blocks, n);
}

static const struct book book = {.fours = loam_grid_iq3_xxs,
                                 .entry_count = 256,
                                 .width = 4,
                                 .levels = {4, 12, 20, 28, 36, 44, 52, 62},
                                 .level_count = 8};

static void quantize_block(struct block *out, const float *x, const float *importance,
                           const struct book_index *index)
{
    struct book_fit fit = {
        .index = index, .sub_block = 32, .most_scale = 15, .even_signs = true, .factor = 0.25f};
    loam_book_fit(&fit, x, importance);
    memset(out, 0, sizeof *out);
    out->d = fit.d;
    for (size_t b = 0; b < 8; b++) {
        uint32_t word = (uint32_t)fit.scales[b] << 28;
        for (size_t l = 0; l < 4; l++)
            word |= (fit.signs[4 * b + l] & 127u) << 7 * l;
        for (size_t l = 0; l < 4; l++)
            out->signs[b][l] = (uint8_t)(word >> 8 * l);
        for (size_t i = 0; i < 8; i++)
            out->entries[b][i] = (uint8_t)fit.entries[8 * b + i];
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
    .step = 256, .largest = 62, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 1600};

const struct weight_type loam_type_iq3_xxs = {.id = 18,
                                              .name = "IQ3_XXS",
                                              .block_elements = 256,
                                              .block_bytes = 98,
                                              .activation_group = 256,
                                              .dequantize = dequantize,
                                              .quantize = quantize,
                                              .packing = &packing,
                                              .integers = &integers};

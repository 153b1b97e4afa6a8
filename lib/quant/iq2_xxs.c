/* SPDX-License-Identifier: MIT */
/*
 * IQ2_XXS: 8 sub-blocks of 32 numbers: four entries of a code book of 8 numbers,
 * 7 signs for each, and a scale of 4 bits; value d / 8 * (2 scale + 1) * signed.
 */
#include "quant/codecs.h"
#include "quant/grids.h"
#include "quant/integers.h"

struct block {
    uint16_t d;
    struct {
        uint8_t entries[4];
        uint8_t signs[4]; /* little-endian: 4 x 7 signs, then the scale */
    } of[8];
};

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d) * 0.125f;
    for (size_t b = 0; b < 8; b++) {
        const uint8_t *s = block.of[b].signs;
        uint32_t signs = (uint32_t)(s[0] | s[1] << 8 | s[2] << 16) | (uint32_t)s[3] << 24;
        out->scales[2 * b] = out->scales[2 * b + 1] = (int16_t)(2 * (signs >> 28) + 1);
        for (size_t l = 0; l < 4; l++)
            loam_grid_store(out->q + 32 * b + 8 * l,
                            loam_grid_signed(loam_grid_iq2_xxs[block.of[b].entries[l]],
                                             loam_grid_even_signs(signs >> 7 * l)));
    }
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_iq2_xxs, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 256, .largest = 43, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 1088};

const struct weight_type loam_type_iq2_xxs = {.id = 16,
                                              .name = "IQ2_XXS",
                                              .block_elements = 256,
                                              .block_bytes = 66,
                                              .activation_group = 256,
                                              .dequantize = dequantize,
                                              .packing = &packing,
                                              .integers = &integers};

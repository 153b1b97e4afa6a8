/* SPDX-License-Identifier: MIT */
/*
 * IQ2_S: 32 runs of 8 numbers, each an entry of a code book (10 bits) and 8 signs,
 * with a scale of 4 bits for two runs; value d / 8 * (2 scale + 1) * signed.
 */
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

static const struct weight_integers integers = {
    .step = 256, .largest = 43, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 1344};

const struct weight_type loam_type_iq2_s = {.id = 22,
                                            .name = "IQ2_S",
                                            .block_elements = 256,
                                            .block_bytes = 82,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .packing = &packing,
                                            .integers = &integers};

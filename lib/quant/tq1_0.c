/* SPDX-License-Identifier: MIT */
/*
 * TQ1_0: 256 digits 0 to 2, five to a byte; value d * (digit - 1). A byte is a
 * fraction in base 3: byte * 3^n mod 256 has digit n in front. Digit n of the
 * first 32 bytes makes numbers 32 n on, of the next 16 numbers 160 + 16 n on, of
 * the last 4, which have four, numbers 240 + 4 n on.
 */
#include "quant/codecs.h"
#include "quant/integers.h"

struct block {
    uint8_t qs[48], last[4];
    uint16_t d;
};

/* Digit n of each of `count` bytes. */
static void digits(int8_t *out, const uint8_t *bytes, size_t count, size_t digit_count)
{
    uint32_t power = 1;
    for (size_t n = 0; n < digit_count; n++, power *= 3)
        for (size_t i = 0; i < count; i++)
            out[n * count + i] = (int8_t)(((bytes[i] * power & 255) * 3 >> 8) - 1);
}

static void block_of(struct block_integers *out, const void *bytes)
{
    struct block block;
    memcpy(&block, bytes, sizeof block);
    out->d[0] = loam_half_to_float(block.d);
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = 1;
    digits(out->q, block.qs, 32, 5);
    digits(out->q + 160, block.qs + 32, 16, 5);
    digits(out->q + 240, block.last, 4, 4);
}

static void dequantize(float *out, const void *blocks, size_t n)
{
    loam_integers_dequantize(&loam_type_tq1_0, out, blocks, n);
}

static const struct weight_integers integers = {
    .step = 256, .largest = 1, .minima = false, .block = block_of};

static const struct weight_packing packing = {.unit_elements = 256, .unit_bytes = 896};

const struct weight_type loam_type_tq1_0 = {.id = 34,
                                            .name = "TQ1_0",
                                            .block_elements = 256,
                                            .block_bytes = 54,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .packing = &packing,
                                            .integers = &integers};

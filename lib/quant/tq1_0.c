/* SPDX-License-Identifier: MIT */
/*
 * TQ1_0: 256 digits 0 to 2, five to a byte; value d * (digit - 1). A byte is a
 * fraction in base 3: byte * 3^n mod 256 has digit n in front. Digit n of the
 * first 32 bytes makes numbers 32 n on, of the next 16 numbers 160 + 16 n on, of
 * the last 4, which have four, numbers 240 + 4 n on.
 */
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/fit.h"
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

/* Digits -1, 0, 1 and a scale above 0. */
static void fit(int8_t q[256], uint16_t *half, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -1, .hi = 1};
    float w[256], d, scale;
    loam_fit_weights(w, importance, 256);
    scale = loam_fit_scale(x, w, 256, &levels);
    *half = loam_fit_half(&d, scale < 0 ? -scale : scale);
    loam_fit_assign(q, x, 256, d, &levels);
}

/* The fraction of five digits, rounded up so that each comes out again. */
static void join(uint8_t *bytes, const int8_t *q, size_t count, size_t digit_count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t value = 0;
        for (size_t n = 0; n < 5; n++)
            value = 3 * value + (n < digit_count ? (uint32_t)(q[n * count + i] + 1) : 0);
        bytes[i] = (uint8_t)((value * 256 + 242) / 243);
    }
}

static void quantize_block(struct block *out, const float *x, const float *importance)
{
    int8_t q[256];
    fit(q, &out->d, x, importance);
    join(out->qs, q, 32, 5);
    join(out->qs + 32, q + 160, 16, 5);
    join(out->last, q + 240, 4, 4);
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 256) {
        struct block block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

static const struct weight_integers integers = {
    .step = 256, .largest = 1, .minima = false, .block = block_of};

static const struct packed_field fields[] = {{offsetof(struct block, qs), 4, 12},
                                             {offsetof(struct block, last), 4, 1},
                                             {offsetof(struct block, d), 2, 1},
                                             {0}};
static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_tq1_0), .fields = fields};

const struct weight_type loam_type_tq1_0 = {.id = 34,
                                            .name = "TQ1_0",
                                            .block_elements = 256,
                                            .block_bytes = 54,
                                            .activation_group = 256,
                                            .dequantize = dequantize,
                                            .quantize = quantize,
                                            .packing = &packing,
                                            .integers = &integers};

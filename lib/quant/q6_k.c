/* SPDX-License-Identifier: MIT */
/*
 * Q6_K: 16 sub-blocks of 16; value d * scale * (q - 32). Number 128 h + 32 g + l
 * has its low bits in nibble g / 2 of ql[64 h + 32 (g % 2) + l] and two high
 * bits at 2 g of qh[32 h + l].
 */
#include "base/half.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/nibbles.h"

static void dequantize(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n / 256; i++) {
        struct block_q6_k block;
        memcpy(&block, (const char *)blocks + i * sizeof block, sizeof block);
        float d = loam_half_to_float(block.d);
        for (size_t k = 0; k < 256; k++) {
            size_t h = k / 128, g = k / 32 % 4, l = k % 32;
            int32_t low = block.ql[64 * h + 32 * (g % 2) + l] >> 4 * (g / 2) & 15;
            int32_t high = block.qh[32 * h + l] >> 2 * g & 3;
            out[i * 256 + k] = d * (float)block.scales[k / 16] * (float)(low + 16 * high - 32);
        }
    }
}

static void quantize_block(struct block_q6_k *out, const float *x, const float *importance)
{
    static const struct fit_levels levels = {.lo = -32, .hi = 31};
    float w[256];
    struct fit_block fit;
    loam_fit_weights(w, importance, 256);
    loam_fit_blocks(&fit, x, w, 16, 16, -128, 127, &levels);
    memset(out, 0, sizeof *out);
    out->d = loam_half_from_float(fit.d);
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = (int8_t)fit.scales[k];
    for (size_t k = 0; k < 256; k++) {
        size_t h = k / 128, g = k / 32 % 4, l = k % 32;
        int32_t q = fit.q[k] + 32;
        out->ql[64 * h + 32 * (g % 2) + l] |= (uint8_t)((q & 15) << 4 * (g / 2));
        out->qh[32 * h + l] |= (uint8_t)((q >> 4) << 2 * g);
    }
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 256) {
        struct block_q6_k block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

/* ---- packed ---------------------------------------------------------------- */

/* Four words: bits 2 g, 2 g + 1 of byte j of word v become bits 2 v, 2 v + 1 of byte j of
 * word g. Its own inverse. */
static inline void transpose_bits(uint32_t out[4], const uint32_t in[4])
{
    uint32_t half[4]; /* bits 4 and up of words 0, 1 and the others of words 2, 3 exchanged */
    for (size_t v = 0; v < 2; v++) {
        half[v] = loam_nibbles_low(in[v], in[v + 2]);
        half[v + 2] = loam_nibbles_high(in[v], in[v + 2]);
    }
    for (size_t v = 0; v < 4; v += 2) {
        out[v] = (half[v] & 0x33333333u) | (half[v + 1] & 0x33333333u) << 2;
        out[v + 1] = (half[v] >> 2 & 0x33333333u) | (half[v + 1] & 0xCCCCCCCCu);
    }
}

static void pack(void *unit, const void *const rows[PANEL_ROWS], size_t count)
{
    struct unit_q6_k *out = unit;
    (void)count; /* a unit is one block */
    memset(out->unused, 0, sizeof out->unused);
    for (size_t o = 0; o < PANEL_ROWS; o++) {
        if (!rows[o])
            continue;
        const uint8_t *block = rows[o], *qh = block + offsetof(struct block_q6_k, qh);
        memcpy(&out->d[o], block + offsetof(struct block_q6_k, d), sizeof out->d[o]);
        for (size_t p = 0; p < 8; p++)
            memcpy(out->scales[p][o], block + offsetof(struct block_q6_k, scales) + 2 * p, 2);
        for (size_t k = 0; k < 4; k++) { /* sub-block k % 2 of pairs 4 (k / 2) on */
            uint32_t words[4], high[4];
            memcpy(words, qh + 16 * k, sizeof words);
            transpose_bits(high, words);
            for (size_t g = 0; g < 4; g++)
                loam_word_store(out->pairs[k / 2 * 4 + g].high[k % 2][o], high[g]);
        }
        for (size_t h = 0; h < 2; h++)
            for (size_t g = 0; g < 2; g++)
                loam_nibbles_pack(out->pairs[4 * h + g].q, out->pairs[4 * h + g + 2].q, o,
                                  block + 64 * h + 32 * g);
    }
}

static void unpack(void *blocks, const void *unit, size_t row, size_t count)
{
    const struct unit_q6_k *in = unit;
    struct block_q6_k block = {.d = in->d[row]};
    (void)count;
    for (size_t p = 0; p < 8; p++)
        memcpy(block.scales + 2 * p, in->scales[p][row], 2);
    for (size_t k = 0; k < 4; k++) {
        uint32_t words[4], high[4];
        for (size_t g = 0; g < 4; g++)
            high[g] = loam_word_load(in->pairs[k / 2 * 4 + g].high[k % 2][row]);
        transpose_bits(words, high);
        memcpy(block.qh + 16 * k, words, sizeof words);
    }
    for (size_t h = 0; h < 2; h++)
        for (size_t g = 0; g < 2; g++)
            loam_nibbles_unpack(block.ql + 64 * h + 32 * g, in->pairs[4 * h + g].q,
                                in->pairs[4 * h + g + 2].q, row);
    memcpy(blocks, &block, sizeof block);
}

static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_q6_k), .pack = pack, .unpack = unpack};

const struct weight_type loam_type_q6_k = {.id = 14,
                                           .name = "Q6_K",
                                           .block_elements = 256,
                                           .block_bytes = 210,
                                           .activation_group = 256,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing};

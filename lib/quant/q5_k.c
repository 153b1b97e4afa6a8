/* SPDX-License-Identifier: MIT */
/* Q5_K: as Q4_K with a fifth bit, bit b of qh[l] for number l of sub-block b. */
#include "base/half.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/k_scales.h"
#include "quant/nibbles.h"

static void dequantize(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n / 256; i++) {
        struct block_q5_k block;
        memcpy(&block, (const char *)blocks + i * sizeof block, sizeof block);
        float d = loam_half_to_float(block.d), dmin = loam_half_to_float(block.dmin);
        for (size_t b = 0; b < 8; b++) {
            float scale = d * (float)loam_k_scale(block.s, b);
            float min = dmin * (float)loam_k_min(block.s, b);
            for (size_t l = 0; l < 32; l++) {
                int32_t q = block.qs[32 * (b / 2) + l] >> 4 * (b % 2) & 15;
                q += (block.qh[l] >> b & 1) * 16;
                out[i * 256 + 32 * b + l] = scale * (float)q - min;
            }
        }
    }
}

static void quantize_block(struct block_q5_k *out, const float *x, const float *importance)
{
    float w[256];
    struct fit_minima fit;
    loam_fit_weights(w, importance, 256);
    loam_fit_minima(&fit, x, w, 8, 32, 63, 31);
    memset(out, 0, sizeof *out);
    out->d = loam_half_from_float(fit.d);
    out->dmin = loam_half_from_float(fit.dmin);
    loam_k_scales_join(out->s, fit.scales, fit.mins);
    for (size_t b = 0; b < 8; b++)
        for (size_t l = 0; l < 32; l++) {
            int32_t q = fit.q[32 * b + l];
            out->qs[32 * (b / 2) + l] |= (uint8_t)((q & 15) << 4 * (b % 2));
            out->qh[l] |= (uint8_t)((q >> 4) << b);
        }
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 256) {
        struct block_q5_k block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

/* ---- packed ---------------------------------------------------------------- */

/* Bits b of 32 bytes: bit v of word byte j is bit b of byte 4 v + j; the other
 * way round it is the same exchange. */
static void pack_high(struct unit_q5_k *unit, size_t o, const uint8_t *qh)
{
    for (size_t b = 0; b < 8; b++) {
        uint32_t word = 0;
        for (size_t v = 0; v < 8; v++)
            word |= (loam_word_load(qh + 4 * v) >> b & 0x01010101u) << v;
        loam_word_store(unit->sub_blocks[b].high[o], word);
    }
}

static void unpack_high(uint8_t *qh, const struct unit_q5_k *unit, size_t o)
{
    for (size_t v = 0; v < 8; v++) {
        uint32_t word = 0;
        for (size_t b = 0; b < 8; b++)
            word |= (loam_word_load(unit->sub_blocks[b].high[o]) >> v & 0x01010101u) << b;
        loam_word_store(qh + 4 * v, word);
    }
}

static void pack(void *unit, const void *const rows[PANEL_ROWS], size_t count)
{
    struct unit_q5_k *out = unit;
    (void)count; /* a unit is one block */
    for (size_t o = 0; o < PANEL_ROWS; o++) {
        if (!rows[o])
            continue;
        struct block_q5_k block;
        memcpy(&block, rows[o], sizeof block);
        out->d[o] = block.d;
        out->dmin[o] = block.dmin;
        loam_k_scales_pack(out->scales, out->mins, o, block.s);
        pack_high(out, o, block.qh);
        for (size_t b = 0; b < 8; b += 2)
            loam_nibbles_pack(out->sub_blocks[b].q, out->sub_blocks[b + 1].q, o, block.qs + 16 * b);
    }
}

static void unpack(void *blocks, const void *unit, size_t row, size_t count)
{
    const struct unit_q5_k *in = unit;
    struct block_q5_k block = {.d = in->d[row], .dmin = in->dmin[row]};
    (void)count;
    loam_k_scales_unpack(block.s, in->scales, in->mins, row);
    unpack_high(block.qh, in, row);
    for (size_t b = 0; b < 8; b += 2)
        loam_nibbles_unpack(block.qs + 16 * b, in->sub_blocks[b].q, in->sub_blocks[b + 1].q, row);
    memcpy(blocks, &block, sizeof block);
}

static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_q5_k), .pack = pack, .unpack = unpack};

const struct weight_type loam_type_q5_k = {.id = 13,
                                           .name = "Q5_K",
                                           .block_elements = 256,
                                           .block_bytes = 176,
                                           .activation_group = 256,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing};

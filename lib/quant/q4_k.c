/* SPDX-License-Identifier: MIT */
/* Q4_K: 8 sub-blocks of 32 nibbles; value d * scale * q - dmin * min. */
#include "base/half.h"
#include "quant/codecs.h"
#include "quant/fit.h"
#include "quant/k_scales.h"
#include "quant/nibbles.h"

static void dequantize(float *out, const void *blocks, size_t n)
{
    for (size_t i = 0; i < n / 256; i++) {
        struct block_q4_k block;
        memcpy(&block, (const char *)blocks + i * sizeof block, sizeof block);
        float d = loam_half_to_float(block.d), dmin = loam_half_to_float(block.dmin);
        for (size_t b = 0; b < 8; b++) {
            float scale = d * (float)loam_k_scale(block.s, b);
            float min = dmin * (float)loam_k_min(block.s, b);
            for (size_t l = 0; l < 32; l++) {
                int32_t q = block.qs[32 * (b / 2) + l] >> 4 * (b % 2) & 15;
                out[i * 256 + 32 * b + l] = scale * (float)q - min;
            }
        }
    }
}

static void quantize_block(struct block_q4_k *out, const float *x, const float *importance)
{
    float w[256];
    struct fit_minima fit;
    loam_fit_weights(w, importance, 256);
    loam_fit_minima(&fit, x, w, 8, 32, 63, 15);
    memset(out, 0, sizeof *out);
    out->d = loam_half_from_float(fit.d);
    out->dmin = loam_half_from_float(fit.dmin);
    loam_k_scales_join(out->s, fit.scales, fit.mins);
    for (size_t b = 0; b < 8; b++)
        for (size_t l = 0; l < 32; l++) {
            int32_t q = fit.q[32 * b + l];
            out->qs[32 * (b / 2) + l] |= (uint8_t)((q & 15) << 4 * (b % 2));
        }
}

static void quantize(void *blocks, const float *x, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i += 256) {
        struct block_q4_k block;
        quantize_block(&block, x + i, importance ? importance + i : NULL);
        memcpy((char *)blocks + i / 256 * sizeof block, &block, sizeof block);
    }
}

/* ---- packed ---------------------------------------------------------------- */

static void pack(void *unit, const void *const rows[PANEL_ROWS], size_t count)
{
    struct unit_q4_k *out = unit;
    (void)count; /* a unit is one block */
    for (size_t o = 0; o < PANEL_ROWS; o++) {
        if (!rows[o])
            continue;
        const uint8_t *block = rows[o], *qs = block + offsetof(struct block_q4_k, qs);
        memcpy(&out->d[o], block, sizeof out->d[o]);
        memcpy(&out->dmin[o], block + offsetof(struct block_q4_k, dmin), sizeof out->dmin[o]);
        loam_k_scales_pack(out->scales, out->mins, o, block + offsetof(struct block_q4_k, s));
        for (size_t b = 0; b < 8; b += 2)
            loam_nibbles_pack(out->q[b], out->q[b + 1], o, qs + 16 * b);
    }
}

static void unpack(void *blocks, const void *unit, size_t row, size_t count)
{
    const struct unit_q4_k *in = unit;
    struct block_q4_k block = {.d = in->d[row], .dmin = in->dmin[row]};
    (void)count;
    loam_k_scales_unpack(block.s, in->scales, in->mins, row);
    for (size_t b = 0; b < 8; b += 2)
        loam_nibbles_unpack(block.qs + 16 * b, in->q[b], in->q[b + 1], row);
    memcpy(blocks, &block, sizeof block);
}

static const struct weight_packing packing = {
    .unit_elements = 256, .unit_bytes = sizeof(struct unit_q4_k), .pack = pack, .unpack = unpack};

const struct weight_type loam_type_q4_k = {.id = 12,
                                           .name = "Q4_K",
                                           .block_elements = 256,
                                           .block_bytes = 144,
                                           .activation_group = 256,
                                           .dequantize = dequantize,
                                           .quantize = quantize,
                                           .packing = &packing};

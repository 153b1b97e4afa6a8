/* SPDX-License-Identifier: MIT */
/* A row of the table for each token: the exact value of every weight. */
#include "cpu/ref/ref.h"
#include "quant/codecs.h"

static void embed(const struct embed_tile *tile,
                  void (*widen)(float *out, const void *blocks, size_t n))
{
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        widen(tile->out + row * tile->width,
              (const char *)tile->weights + (size_t)tile->tokens[row] * tile->row_bytes,
              tile->width);
}

void loam_ref_embed_f32(const struct embed_tile *tile)
{
    embed(tile, loam_dequantize_f32);
}

void loam_ref_embed_f16(const struct embed_tile *tile)
{
    embed(tile, loam_dequantize_f16);
}

void loam_ref_embed_bf16(const struct embed_tile *tile)
{
    embed(tile, loam_dequantize_bf16);
}

void loam_ref_embed_q8_0(const struct embed_tile *tile)
{
    embed(tile, loam_dequantize_q8_0);
}

void loam_ref_embed_q4_0(const struct embed_tile *tile)
{
    embed(tile, loam_dequantize_q4_0);
}

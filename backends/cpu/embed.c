/* SPDX-License-Identifier: MIT */
/* A row of the table for each token: the exact value of every weight. */
#include "cpu/kernels.h"

/* One row of a packed table, a block at a time. */
static void embed_packed(const struct embed_tile *tile, size_t token, float *out)
{
    const struct weight_type *type = tile->type;
    const char *panel = (const char *)tile->weights + token / PANEL_ROWS * tile->panel_bytes;
    unsigned char block[256]; /* the largest has 210 bytes */
    for (size_t i = 0; i * type->block_elements < tile->width; i++) {
        loam_unpack_blocks(type, block, panel, token % PANEL_ROWS, i, 1);
        type->dequantize(out + i * type->block_elements, block, type->block_elements);
    }
}

void loam_cpu_embed(const struct embed_tile *tile)
{
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        size_t token = (size_t)tile->tokens[row];
        float *out = tile->out + row * tile->width;
        if (tile->type->packing)
            embed_packed(tile, token, out);
        else
            tile->type->dequantize(out, (const char *)tile->weights + token * tile->row_bytes,
                                   tile->width);
    }
}

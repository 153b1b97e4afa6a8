/* SPDX-License-Identifier: MIT */
/* Rule 3: each group of each row by loam_quantize_group, and sums of the
 * integers. */
#include "cpu/ref/ref.h"

static void sum(const struct quantize_tile *tile, size_t row)
{
    const int8_t *q = tile->q + row * tile->width;
    int16_t *sums32 = tile->sums32 + row * (tile->width / 32);
    int16_t *sums16 = tile->sums16 + row * (tile->width / 16);
    for (size_t i = 0; i < tile->width / 16; i++) {
        int32_t total = 0; /* of magnitude 16 * 127 at most */
        for (size_t j = 0; j < 16; j++)
            total += q[i * 16 + j];
        sums16[i] = (int16_t)total;
        sums32[i / 2] = (int16_t)(i % 2 ? sums32[i / 2] + total : total);
    }
}

void loam_ref_quantize(const struct quantize_tile *tile)
{
    size_t groups = tile->width / tile->group;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        for (size_t g = 0; g < groups; g++)
            tile->scales[row * groups + g] =
                loam_quantize_group(tile->q + row * tile->width + g * tile->group,
                                    tile->x + row * tile->x_stride + g * tile->group, tile->group);
        sum(tile, row);
    }
}

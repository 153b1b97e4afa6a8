/* SPDX-License-Identifier: MIT */
/* Rule 3: each group of each row by loam_quantize_group. */
#include "cpu/ref/ref.h"

void loam_ref_quantize(const struct quantize_tile *tile)
{
    size_t groups = tile->width / tile->group;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t g = 0; g < groups; g++)
            tile->scales[row * groups + g] =
                loam_quantize_group(tile->q + row * tile->width + g * tile->group,
                                    tile->x + row * tile->x_stride + g * tile->group, tile->group);
}

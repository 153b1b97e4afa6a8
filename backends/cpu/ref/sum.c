/* SPDX-License-Identifier: MIT */
/* Rule 5: 16 lanes from +0, lane l adds elements l, l + 16, ...; then the tree. */
#include "cpu/ref/lanes.h"
#include "cpu/ref/ref.h"

void loam_ref_sum(const struct sum_tile *tile)
{
    for (size_t group = tile->first; group < tile->first + tile->count; group++) {
        const float *x = tile->x + group * tile->group_width;
        float lane[LANES] = {0};
        for (size_t i = 0; i < tile->group_width; i++)
            lane[i % LANES] += x[i];
        tile->out[group] = loam_lanes_sum(lane, LANES);
    }
}

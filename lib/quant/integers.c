/* SPDX-License-Identifier: MIT */
#include "quant/integers.h"

void loam_integers_dequantize(const struct weight_type *type, float *out, const void *blocks,
                              size_t n)
{
    const struct weight_integers *integers = type->integers;
    size_t elements = type->block_elements;
    for (size_t b = 0; b < n / elements; b++) {
        struct block_integers block;
        integers->block(&block, (const char *)blocks + b * type->block_bytes);
        for (size_t i = 0; i < elements; i++) {
            size_t s = i / integers->step;
            bool scaled = integers->step == 256;
            float scale = scaled ? block.d[s] * (float)block.scales[i / 16] : block.d[s];
            float value = scale * (float)block.q[i];
            if (integers->minima)
                value -= scaled ? block.dmin[s] * (float)block.mins[i / 16] : block.dmin[s];
            out[b * elements + i] = value;
        }
    }
}

/* One block of row o, numbers from 4 v on. */
static inline void place(struct unit_integers *out, const struct block_integers *block, size_t o,
                         size_t v, size_t elements, size_t step, bool minima)
{
    for (size_t i = 0; i < elements / 4; i++)
        memcpy(out->q[v + i][o], block->q + 4 * i, 4);
    for (size_t s = 0; s < elements / step; s++) {
        out->d[4 * v / step + s][o] = block->d[s];
        out->dmin[4 * v / step + s][o] = minima ? block->dmin[s] : 0;
    }
    for (size_t p = 0; step == 256 && p < INTEGERS / 32; p++) {
        memcpy(out->scales[p][o], block->scales + 2 * p, 4);
        if (minima)
            memcpy(out->mins[p][o], block->mins + 2 * p, 4);
    }
}

void loam_integers_unit(struct unit_integers *out, const struct weight_type *type, const void *unit,
                        size_t blocks)
{
    size_t elements = type->block_elements, step = type->integers->step;
    bool minima = type->integers->minima;
    for (size_t o = 0; o < PANEL_ROWS; o++)
        for (size_t b = 0; b < blocks; b++) {
            unsigned char bytes[256];
            struct block_integers block;
            loam_unpack_blocks(type, bytes, unit, o, b, 1);
            type->integers->block(&block, bytes);
            if (elements == 256) /* the usual sizes as constants, for speed alone */
                place(out, &block, o, 0, 256, 256, minima);
            else if (elements == 32)
                place(out, &block, o, 8 * b, 32, 32, minima);
            else
                place(out, &block, o, b * elements / 4, elements, step, minima);
        }
}

/* SPDX-License-Identifier: MIT */
/*
 * One row's way through packed weights at the level avx2: panels, one or two side by side,
 * unit after unit, each line asked for ahead and read once, in the order of memory. What a
 * unit adds is the type's.
 */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_ROW_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_ROW_H

#include "cpu/x86/panel256.h"
#include "cpu/x86/units.h"

enum { MOST_TOGETHER = 2 }; /* panels */

/* Quantised activations at a unit. */
struct row {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t far, near; /* of struct stream_distances */
};

/* Adds one of up to `blocks` blocks of a unit. */
typedef void (*add_function)(__m256 acc[2], const void *unit, const struct row *x, size_t blocks);

/* All lines that begin in the `bytes` from `first` are in use soon. */
INLINE void ask(const void *first, size_t bytes, const struct row *x)
{
    for (size_t line = 0; line < bytes; line += 64)
        stream_line_ahead((const void *)((uintptr_t)first + line), x->far, x->near);
}

/* `count` panels side by side, unit after unit. */
INLINE void panels(const struct linear_tile *tile, size_t output, size_t count, add_function add,
                   struct unit_shape shape)
{
    size_t width = tile->width, end = tile->first_output + tile->output_count;
    const unsigned char *weights =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct row x = {tile->q,      tile->scales,    tile->sums32,
                    tile->sums16, tile->ahead.far, tile->ahead.near};
    __m256 acc[MOST_TOGETHER][2];
    for (size_t p = 0; p < count; p++)
        acc[p][0] = acc[p][1] = _mm256_setzero_ps();
    for (size_t k = 0; k < width; k += shape.elements, weights += shape.bytes) {
        for (size_t p = 0; p < count; p++) {
            const unsigned char *unit = weights + p * tile->panel_bytes;
            ask(unit, shape.numbers, &x);
            add(acc[p], unit, &x, loam_min(shape.elements, width - k) / shape.block);
            ask(unit + shape.numbers_end, shape.bytes - shape.numbers_end, &x);
        }
        x.q += shape.elements;
        x.scales += shape.elements / shape.block;
        x.sums32 += shape.elements / 32;
        x.sums16 += shape.elements / 16;
    }
    for (size_t p = 0; p < count; p++, output += PANEL_ROWS)
        store(tile, 0, output, loam_min(PANEL_ROWS, end - output), acc[p]);
}

INLINE void linear_row(const struct linear_tile *tile, add_function add, struct unit_shape shape,
                       size_t together)
{
    size_t output = tile->first_output, end = output + tile->output_count;
    for (; together > 1 && output + (together - 1) * PANEL_ROWS < end;
         output += together * PANEL_ROWS)
        panels(tile, output, together, add, shape);
    for (; output < end; output += PANEL_ROWS)
        panels(tile, output, 1, add, shape);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Products of types with a float scale for each 32 numbers, or 16: a tile
 * product for each step, whose sums are stored and taken to floats by the
 * vector unit, four steps of 16 rows while the next 16 rows are multiplied.
 *
 * Bound for 16 rows of 16 outputs and a step: a tile product of 16 cycles, which is
 * half used (a quarter with 16 numbers), and 3 operations for a row on
 * two ports, 24 cycles; 5 operations with minima. So the vector unit bounds it.
 */
#ifndef LOAM_BACKENDS_CPU_X86_AMX_STEPPED_H
#define LOAM_BACKENDS_CPU_X86_AMX_STEPPED_H

#include "cpu/x86/amx_rows.h"
#include "quant/integers.h"

enum { STEPS = 4 /* in a chunk, at most: a tile of sums for each */ };

/* Steps of 16 outputs. */
struct stepped_chunk {
    const int8_t *q;   /* [v][o][j], 64 numbers, */
    size_t q_distance; /* and the next 64 so many bytes further */
    const float (*d)[PANEL_ROWS], (*dmin)[PANEL_ROWS];
    size_t steps;
};

/* Where step `s` begins; `numbers` of 16 outputs. */
INLINE const int8_t *step_weights(const struct stepped_chunk *chunk, size_t s, size_t numbers)
{
    size_t at = s * numbers;
    return chunk->q + at / 64 * chunk->q_distance + at % 64 * PANEL_ROWS;
}

/* The steps of rows [from, from + count) of a tile. */
INLINE void stepped_steps(const struct pass *pass, const struct stepped_chunk *chunk,
                          const struct tile_sums *sums, size_t index, size_t from, size_t count,
                          size_t numbers, bool minima)
{
    struct tile_rows rows = tile_at(pass->tile, index);
    size_t row = rows.first + from, line = row - rows.start, width = pass->tile->width;
    const float *scales = pass->scales + row * pass->groups;
    size_t x_stride = numbers == 16 ? width / 16 : width / 32;
    const int16_t *x = (numbers == 16 ? pass->sums16 : pass->sums32) + row * x_stride;
    size_t groups = pass->groups, stride = pass->tile->out_stride;
    float *out = sums_of_row(pass, row);
    for (size_t i = 0; i < count; i++) {
        __m512 acc = sum_before(pass, out);
        for (size_t s = 0; s < chunk->steps; s++) {
            float d_x = scales[s * numbers / 32];
            acc = step(acc, _mm512_load_ps(chunk->d[s]), d_x,
                       _mm512_cvtepi32_ps(load(sums->of[s][line + i])));
            if (minima)
                acc = min_step(acc, _mm512_load_ps(chunk->dmin[s]), d_x, _mm512_set1_epi32(x[s]));
        }
        sum_behind(pass, out, acc);
        scales += groups;
        x += x_stride;
        out += stride;
    }
}

#define STEPPED_MULTIPLY(s, rows, weights)                                                         \
    do {                                                                                           \
        if (s < chunk->steps) {                                                                    \
            TILE_ZERO(s);                                                                          \
            TILE_LOAD(rows, q + s * numbers, pass->tile->width);                                   \
            TILE_LOAD(weights, step_weights(chunk, s, numbers), WEIGHTS_STRIDE);                   \
            TILE_DOT_SIGNED(s, rows, weights);                                                     \
        }                                                                                          \
        if (index > 0) /* a full tile waits */                                                     \
            stepped_steps(pass, chunk, &sums, index - 1, 4 * s, 4, numbers, minima);               \
    } while (0)

#define STEPPED_STORE(s)                                                                           \
    do {                                                                                           \
        if (s < chunk->steps)                                                                      \
            TILE_STORE(s, sums.of[s], WEIGHTS_STRIDE);                                             \
    } while (0)

/* All rows over one chunk. Sums of a tile of rows are taken while the next is multiplied. */
INLINE void stepped_rows(const struct pass *pass, const struct stepped_chunk *chunk, size_t numbers,
                         bool minima)
{
    struct tile_sums sums;
    size_t count = tile_count(pass->tile);
    for (size_t index = 0; index < count; index++) {
        const int8_t *q = pass->q + tile_at(pass->tile, index).start * pass->tile->width;
        STEPPED_MULTIPLY(0, 4, 6);
        STEPPED_MULTIPLY(1, 5, 7);
        STEPPED_MULTIPLY(2, 4, 6);
        STEPPED_MULTIPLY(3, 5, 7);
        STEPPED_STORE(0);
        STEPPED_STORE(1);
        STEPPED_STORE(2);
        STEPPED_STORE(3);
    }
    stepped_steps(pass, chunk, &sums, count - 1, 0, tile_at(pass->tile, count - 1).count, numbers,
                  minima);
}

#endif

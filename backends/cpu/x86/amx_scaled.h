/* SPDX-License-Identifier: MIT */
/*
 * Products of types whose blocks are one step of 256 numbers with integer
 * scales. The scale is multiplied into the weight when it is unpacked, and the
 * product, of up to 13 bits, is split into two planes of bytes, so that a whole
 * block stays in the tiles: high and low are multiplied apart and meet in
 *
 *     sum = factor * high + low        exactly, within 32 bits
 *
 * and a float step follows once in 256 numbers. Two tiles of rows share each
 * load of weights. While they are multiplied, the vector unit takes the steps
 * of the rows before: both have to do at the same time.
 *
 * Bound for 32 rows of 16 outputs and 256 numbers: 16 tile products of 16 cycles
 * (8 where one plane is enough), while the vector unit's two ports have 5 operations for a row,
 * 6 or 10 more with minima: 80 to 240 cycles. Unpacking comes once for all rows; its
 * operations are written with each type (amx.c).
 */
#ifndef LOAM_BACKENDS_CPU_X86_AMX_SCALED_H
#define LOAM_BACKENDS_CPU_X86_AMX_SCALED_H

#include "cpu/x86/amx_rows.h"
#include "quant/integers.h"

/* How a chunk's planes make the weights. */
enum planes {
    ONE_PLANE,   /* low, signed */
    BYTE_PLANES, /* 256 * high + low: high signed, low unsigned */
    EIGHT_PLANES /* 8 * high + low, both unsigned */
};

/* A block of 16 outputs, scales multiplied in. */
struct scaled_chunk {
    _Alignas(64) uint8_t low[INTEGERS / 4][PANEL_ROWS][4]; /* [v][o][j]: number 4 v + j */
    uint8_t high[INTEGERS / 4][PANEL_ROWS][4];
    int16_t mins[INTEGERS / 32][PANEL_ROWS][2]; /* [p][o][i], of 32 or of 16 numbers each */
    float d[PANEL_ROWS], dmin[PANEL_ROWS];
};

/* The steps of rows [from, from + count) of a tile. min_pairs: 4 of minima for 32 numbers, 8 of
 * those for 16, or none. */
INLINE void scaled_steps(const struct pass *pass, const struct scaled_chunk *chunk,
                         const struct tile_sums *sums, size_t index, size_t from, size_t count,
                         enum planes planes, size_t min_pairs)
{
    struct tile_rows rows = tile_at(pass->tile, index);
    size_t row = rows.first + from, line = row - rows.start, width = pass->tile->width;
    const int32_t(*low)[PANEL_ROWS] = sums->of[2 * (index % 2)] + line;
    const int32_t(*high)[PANEL_ROWS] = sums->of[2 * (index % 2) + 1] + line;
    const float *scales = pass->scales + row * pass->groups;
    size_t x_stride = min_pairs == 8 ? width / 16 : width / 32;
    const int16_t *x = (min_pairs == 8 ? pass->sums16 : pass->sums32) + row * x_stride;
    size_t groups = pass->groups, stride = pass->tile->out_stride;
    float *out = sums_of_row(pass, row);
    __m512 d = _mm512_load_ps(chunk->d), dmin = _mm512_load_ps(chunk->dmin);
    __m512i mins[INTEGERS / 32];
    for (size_t p = 0; p < min_pairs; p++)
        mins[p] = load(chunk->mins[p]);
    for (size_t i = 0; i < count; i++) {
        __m512i sum = load(low[i]);
        if (planes != ONE_PLANE)
            sum = _mm512_add_epi32(
                sum, _mm512_slli_epi32(load(high[i]), planes == EIGHT_PLANES ? 3 : 8));
        __m512 acc = step(sum_before(pass, out), d, *scales, _mm512_cvtepi32_ps(sum));
        if (min_pairs) {
            __m512i min_sum = _mm512_setzero_si512();
            for (size_t p = 0; p < min_pairs; p++)
                min_sum = _mm512_dpwssd_epi32(min_sum, mins[p], words(x + 2 * p));
            acc = min_step(acc, dmin, *scales, min_sum);
        }
        sum_behind(pass, out, acc);
        scales += groups;
        x += x_stride;
        out += stride;
    }
}

/* Adds the products of 64 numbers, words from v on, of the tile of rows at `first`
 * and of the one at `second` if there is one. */
INLINE void scaled_multiply(const struct pass *pass, const struct scaled_chunk *chunk, size_t v,
                            size_t first, size_t second, bool pair, enum planes planes)
{
    size_t width = pass->tile->width;
    TILE_LOAD(6, chunk->low[v], WEIGHTS_STRIDE);
    TILE_LOAD(4, pass->q + first * width + 4 * v, width);
    if (pair)
        TILE_LOAD(5, pass->q + second * width + 4 * v, width);
    if (planes == ONE_PLANE) {
        TILE_DOT_SIGNED(0, 4, 6);
        if (pair)
            TILE_DOT_SIGNED(2, 5, 6);
        return;
    }
    TILE_LOAD(7, chunk->high[v], WEIGHTS_STRIDE);
    TILE_DOT_UNSIGNED(0, 4, 6);
    if (pair)
        TILE_DOT_UNSIGNED(2, 5, 6);
    if (planes == BYTE_PLANES) {
        TILE_DOT_SIGNED(1, 4, 7);
        if (pair)
            TILE_DOT_SIGNED(3, 5, 7);
    } else {
        TILE_DOT_UNSIGNED(1, 4, 7);
        if (pair)
            TILE_DOT_UNSIGNED(3, 5, 7);
    }
}

INLINE void scaled_store(struct tile_sums *sums, bool pair, enum planes planes)
{
    TILE_STORE(0, sums->of[0], WEIGHTS_STRIDE);
    if (planes != ONE_PLANE)
        TILE_STORE(1, sums->of[1], WEIGHTS_STRIDE);
    if (!pair)
        return;
    TILE_STORE(2, sums->of[2], WEIGHTS_STRIDE);
    if (planes != ONE_PLANE)
        TILE_STORE(3, sums->of[3], WEIGHTS_STRIDE);
}

/* All rows over one chunk. Sums of a pair are taken while the next is multiplied. */
INLINE void scaled_rows(const struct pass *pass, const struct scaled_chunk *chunk,
                        enum planes planes, size_t min_pairs)
{
    struct tile_sums sums;
    size_t count = tile_count(pass->tile), done = 0;
    for (size_t index = 0; index < count; index += 2) {
        bool pair = index + 1 < count;
        size_t first = tile_at(pass->tile, index).start;
        size_t second = pair ? tile_at(pass->tile, index + 1).start : first;
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
        for (size_t part = 0; part < 4; part++) {
            scaled_multiply(pass, chunk, 16 * part, first, second, pair, planes);
            if (index > 0) /* a full pair waits */
                scaled_steps(pass, chunk, &sums, done + part / 2, 8 * (part % 2), 8, planes,
                             min_pairs);
        }
        scaled_store(&sums, pair, planes);
        done = index;
    }
    for (size_t index = done; index < count; index++)
        scaled_steps(pass, chunk, &sums, index, 0, tile_at(pass->tile, index).count, planes,
                     min_pairs);
}

#endif

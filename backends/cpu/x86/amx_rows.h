/* SPDX-License-Identifier: MIT */
/*
 * How a product of the level amx goes through its rows. A panel is taken in
 * chunks of up to 256 numbers, each unpacked once for all rows of the call; the
 * rows by tiles of 16, whose sums so far wait where the results will be.
 *
 * Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 weights.
 */
#ifndef LOAM_BACKENDS_CPU_X86_AMX_ROWS_H
#define LOAM_BACKENDS_CPU_X86_AMX_ROWS_H

#include "cpu/kernels.h"
#include "cpu/x86/panel512.h"
#include "cpu/x86/tiles.h"

enum { TILE_ROWS = 16, WEIGHTS_STRIDE = 64 /* bytes: 16 outputs x 4 */ };

/* Sums of four tiles: a line for each row, a word for each output. */
struct tile_sums {
    _Alignas(64) int32_t of[4][TILE_ROWS][PANEL_ROWS];
};

/* One chunk of a panel, for all rows. */
struct pass {
    const struct linear_tile *tile;
    size_t output;     /* the panel's first */
    __mmask16 outputs; /* those it has */
    /* Of row 0 at the chunk; rows are width, groups, width / 32, width / 16 apart. */
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t groups;
    bool first;        /* chunk of the panel */
    const float *bias; /* of the outputs, to be added behind the last chunk; else NULL */
};

/* Rows that a tile takes: loaded from `start` on, wanted from `first` on. The last tile
 * of a call starts early, so that it is full: nothing behind the rows is read. */
struct tile_rows {
    size_t start, first, count;
};

INLINE size_t tile_height(const struct linear_tile *tile)
{
    return loam_min(tile->rows, TILE_ROWS);
}

INLINE size_t tile_count(const struct linear_tile *tile)
{
    return (tile->rows + TILE_ROWS - 1) / TILE_ROWS;
}

INLINE struct tile_rows tile_at(const struct linear_tile *tile, size_t index)
{
    size_t first = index * TILE_ROWS, rows = tile->rows;
    return (struct tile_rows){.start = loam_min(first, rows - tile_height(tile)),
                              .first = first,
                              .count = loam_min(TILE_ROWS, rows - first)};
}

/* Shapes for a call: `bytes` numbers are multiplied at once. */
INLINE void configure(const struct linear_tile *tile, size_t bytes)
{
    struct tile_configuration configuration = {.palette = 1};
    for (size_t i = 0; i < 8; i++) {
        configuration.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? bytes : WEIGHTS_STRIDE);
        configuration.rows[i] = (uint8_t)(i < 6 ? tile_height(tile) : bytes / 4);
    }
    TILES_CONFIGURE(&configuration);
}

/* Where the sums of a row are. */
INLINE float *sums_of_row(const struct pass *pass, size_t row)
{
    return pass->tile->out + row * pass->tile->out_stride + pass->output;
}

/* The sums at `out` before a chunk, and behind it. */
INLINE __m512 sum_before(const struct pass *pass, const float *out)
{
    return pass->first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(pass->outputs, out);
}

INLINE void sum_behind(const struct pass *pass, float *out, __m512 sum)
{
    if (pass->bias)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(pass->outputs, pass->bias));
    _mm512_mask_storeu_ps(out, pass->outputs, sum);
}

/* The pass over the first chunk of a panel. */
INLINE struct pass pass_begin(const struct linear_tile *tile, size_t output, size_t group)
{
    size_t end = tile->first_output + tile->output_count;
    size_t count = loam_min(PANEL_ROWS, end - output);
    return (struct pass){.tile = tile,
                         .output = output,
                         .outputs = (__mmask16)((1u << count) - 1),
                         .q = tile->q,
                         .scales = tile->scales,
                         .sums32 = tile->sums32,
                         .sums16 = tile->sums16,
                         .groups = tile->width / group,
                         .first = true};
}

/* This chunk is the panel's last. */
INLINE void pass_end(struct pass *pass)
{
    pass->bias = pass->tile->bias ? pass->tile->bias + pass->output : NULL;
}

/* On to the next chunk, `numbers` further. */
INLINE void pass_advance(struct pass *pass, size_t numbers, size_t group)
{
    pass->q += numbers;
    pass->scales += numbers / group;
    pass->sums32 += numbers / 32;
    pass->sums16 += numbers / 16;
    pass->first = false;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Products at the level avx2 with types that have code books (grid_blocks.h).
 *
 * One row of activations goes along each row of weights: entries are magnitudes, and the
 * activation takes their signs; where all numbers are shifted by one, they are made
 * unsigned by SHIFTED_MOST, which comes off by the sums of activations. The sums of eight rows
 * become the lanes of one at the end of each block. For few rows the numbers of eight rows
 * become bytes first, in L1. For many these go to the order of panels, plus an offset that makes
 * them unsigned (linear_rows.h).
 *
 * Bound of one row: looking entries up, one by one; some 30 operations for 32 numbers.
 */
#include "cpu/x86/grid_blocks.h"
#include "cpu/x86/linear_rows.h"
#include "cpu/x86/x86.h"

enum {
    EIGHT_ROWS = 8,  /* of weights */
    FEW_ROWS = 3,    /* of activations */
    SHIFTED_MOST = 9 /* entries have 8 */
};

/* What struct block_integers has, of rows o: one step of 256, without minima. */
struct grid_rows {
    _Alignas(64) int8_t q[EIGHT_ROWS][INTEGERS];
    _Alignas(32) int16_t scales[EIGHT_ROWS][INTEGERS / 16];
    float d[EIGHT_ROWS];
};

/* ---- one row ----------------------------------------------------------------------- */

/* Lane o: the sum of all of x[o]. */
INLINE __m256i sums_of(const __m256i x[EIGHT_ROWS])
{
    __m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(x[0], x[1]), _mm256_hadd_epi32(x[2], x[3]));
    __m256i last = _mm256_hadd_epi32(_mm256_hadd_epi32(x[4], x[5]), _mm256_hadd_epi32(x[6], x[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(first, last, 0x20),
                            _mm256_permute2x128_si256(first, last, 0x31));
}

/* The scales of numbers 32 p to 32 p + 31, of a row's all: in each half of the register one. */
INLINE __m256i scales_at(const __m256i half[2], size_t p)
{
    const __m256i even = _mm256_setr_m128i(_mm_set1_epi16(0x100), _mm_set1_epi16(0x302));
    return _mm256_shuffle_epi8(half[p / 4],
                               _mm256_add_epi8(even, _mm256_set1_epi8((char)(4 * (p % 4)))));
}

/* The first four scales of both halves, and the last four. */
INLINE void halve_scales(__m256i half[2], __m256i all)
{
    half[0] = _mm256_permute2x128_si256(all, all, 0x00);
    half[1] = _mm256_permute2x128_si256(all, all, 0x11);
}

/* The products of a block. */
INLINE __m256i multiply_block(const struct grid_block *block, const int8_t *x,
                              const int16_t *sums16, const void *grid, const int entry,
                              const bool has_shifts)
{
    __m256i scales = load(block->scales), half[2], sum = _mm256_setzero_si256();
    halve_scales(half, scales);
    __asm__("" : "+r"(x)); /* one address, not one of each run in memory */
    if (has_shifts) {
        __m256i less = _mm256_loadu_si256((const void *)sums16);
        less = _mm256_mullo_epi16(less, _mm256_set1_epi16(-SHIFTED_MOST));
        sum = _mm256_madd_epi16(scales, less);
    }
#pragma GCC unroll 8
    for (size_t p = 0; p < INTEGERS / 32; p++) {
        __m256i q = entries_of(block, p, grid, entry), flags = bytes_of_bits(block->flags + p);
        __m256i at = _mm256_loadu_si256((const void *)(x + 32 * p));
        if (has_shifts)
            q = shifted(q, flags, SHIFTED_MOST);
        else
            at = with_signs(at, flags);
        sum = add_pairs(sum, _mm256_maddubs_epi16(q, at), scales_at(half, p));
    }
    return sum;
}

/* One panel for one row. */
INLINE void panel_of_one_row(const struct linear_tile *tile, const struct grid_type *grid_type,
                             size_t output, const int entry, const bool has_shifts)
{
    size_t bytes = tile->type->packing->unit_bytes, row_bytes = tile->type->block_bytes;
    const unsigned char *unit =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    __m256 acc[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t k = 0; k < tile->width; k += INTEGERS, unit += bytes)
        for (size_t half = 0; half < 2; half++) {
            const unsigned char *rows = unit + EIGHT_ROWS * half * row_bytes;
            /* All are taken apart before the first is looked up, which does not wait then. */
            struct grid_block blocks[EIGHT_ROWS];
            __m256i sums[EIGHT_ROWS];
            _Alignas(32) float d[EIGHT_ROWS];
            for (size_t o = 0; o < EIGHT_ROWS; o++, rows += row_bytes) {
                for (size_t line = 0; line < row_bytes; line += 64)
                    stream_line_ahead(rows + line, tile->ahead.far, tile->ahead.near);
                grid_type->read(&blocks[o], rows);
            }
            for (size_t o = 0; o < EIGHT_ROWS; o++) {
                d[o] = blocks[o].d;
                sums[o] = multiply_block(&blocks[o], tile->q + k, tile->sums16 + k / 16,
                                         grid_type->grid, entry, has_shifts);
            }
            acc[half] =
                step(acc[half], _mm256_load_ps(d), tile->scales[k / INTEGERS], sums_of(sums));
        }
    size_t end = tile->first_output + tile->output_count;
    store(tile, 0, output, loam_min(PANEL_ROWS, end - output), acc);
}

static void one_row(const struct linear_tile *tile, const struct grid_type *type, size_t output)
{
    if (type->has_shifts)
        panel_of_one_row(tile, type, output, 8, true);
    else if (type->entry == 8)
        panel_of_one_row(tile, type, output, 8, false);
    else
        panel_of_one_row(tile, type, output, 4, false);
}

/* ---- few rows ---------------------------------------------------------------------- */

INLINE void unpack_row(struct grid_rows *out, size_t o, const struct grid_type *type,
                       const unsigned char *bytes, const int entry, const bool has_shifts)
{
    struct grid_block block;
    type->read(&block, bytes);
    put(out->scales[o], 0, load(block.scales));
    out->d[o] = block.d;
    for (size_t p = 0; p < INTEGERS / 32; p++) {
        __m256i q = entries_of(&block, p, type->grid, entry);
        __m256i flags = bytes_of_bits(block.flags + p);
        put(out->q[o] + 32 * p, 0, has_shifts ? shifted(q, flags, 0) : with_signs(q, flags));
    }
}

/* The blocks of eight rows, which begin row_bytes apart. */
static void unpack_rows(struct grid_rows *out, const struct grid_type *type,
                        const unsigned char *rows, size_t row_bytes)
{
    for (size_t o = 0; o < EIGHT_ROWS; o++, rows += row_bytes)
        if (type->has_shifts)
            unpack_row(out, o, type, rows, 8, true);
        else if (type->entry == 8)
            unpack_row(out, o, type, rows, 8, false);
        else
            unpack_row(out, o, type, rows, 4, false);
}

INLINE __m256 add_rows(__m256 acc, const struct grid_rows *rows, const int8_t *x, float d_x)
{
    __m256i sums[EIGHT_ROWS];
    for (size_t o = 0; o < EIGHT_ROWS; o++) {
        __m256i half[2];
        halve_scales(half, load(rows->scales[o]));
        sums[o] = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (size_t p = 0; p < INTEGERS / 32; p++) {
            __m256i q = load(rows->q[o] + 32 * p);
            __m256i at = _mm256_loadu_si256((const void *)(x + 32 * p));
            __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(at, q));
            sums[o] = add_pairs(sums[o], pairs, scales_at(half, p));
        }
    }
    return step(acc, _mm256_loadu_ps(rows->d), d_x, sums_of(sums));
}

/* One panel. */
static void few_rows(const struct linear_tile *tile, const struct grid_type *type, size_t output)
{
    size_t width = tile->width, groups = width / INTEGERS, bytes = tile->type->packing->unit_bytes;
    size_t row_bytes = tile->type->block_bytes;
    const unsigned char *unit =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct grid_rows rows;
    __m256 acc[FEW_ROWS][2];
    for (size_t r = 0; r < FEW_ROWS; r++)
        acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    for (size_t k = 0; k < width; k += INTEGERS, unit += bytes)
        for (size_t half = 0; half < 2; half++) {
            const unsigned char *first = unit + EIGHT_ROWS * half * row_bytes;
            for (size_t line = 0; line < bytes / 2; line += 64)
                stream_line_ahead(first + line, tile->ahead.far, tile->ahead.near);
            unpack_rows(&rows, type, first, row_bytes);
            for (size_t r = 0; r < tile->rows; r++)
                acc[r][half] = add_rows(acc[r][half], &rows, tile->q + r * width + k,
                                        tile->scales[r * groups + k / INTEGERS]);
        }
    size_t outputs = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t r = 0; r < tile->rows; r++)
        store(tile, r, output, outputs, acc[r]);
}

/* ---- many rows --------------------------------------------------------------------- */

/* Word w of row o of the eight goes to row w, word o. */
INLINE void transpose(__m256i x[EIGHT_ROWS])
{
    __m256i pairs[EIGHT_ROWS], fours[EIGHT_ROWS];
    for (size_t i = 0; i < EIGHT_ROWS; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (size_t i = 0; i < EIGHT_ROWS; i += 4)
        for (size_t j = 0; j < 2; j++) {
            fours[i + 2 * j] = _mm256_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
            fours[i + 2 * j + 1] = _mm256_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
        }
    for (size_t i = 0; i < 4; i++) {
        x[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        x[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
}

/* out[p]: the pairs of scales of run p of 32 of all rows. */
INLINE void pairs_of_scales(__m256i out[INTEGERS / 32], const struct grid_rows *rows)
{
    for (size_t o = 0; o < EIGHT_ROWS; o++)
        out[o] = load(rows->scales[o]);
    transpose(out);
}

/* out[w]: word w of run p of all rows. */
INLINE void words_of_run(__m256i out[EIGHT_ROWS], const struct grid_rows *rows, size_t p)
{
    for (size_t o = 0; o < EIGHT_ROWS; o++)
        out[o] = load(rows->q[o] + 32 * p);
    transpose(out);
}

INLINE void unpack_half(struct chunk *out, size_t half, const struct grid_rows *rows, int offset)
{
    __m256i words_of_all[EIGHT_ROWS], pairs[INTEGERS / 32];
    pairs_of_scales(pairs, rows);
    for (size_t p = 0; p < INTEGERS / 32; p++) {
        words_of_run(words_of_all, rows, p);
        for (size_t v = 0; v < 8; v++)
            put(out->q[8 * p + v], half,
                _mm256_add_epi8(words_of_all[v], _mm256_set1_epi8((char)offset)));
        put(out->scales[2 * p], half, pair_scale(pairs[p], 0));
        put(out->scales[2 * p + 1], half, pair_scale(pairs[p], 1));
        put(out->pairs[p], half, _mm256_mullo_epi16(pairs[p], _mm256_set1_epi16((int16_t)-offset)));
    }
    _mm256_store_ps(out->d[0] + 8 * half, _mm256_loadu_ps(rows->d));
}

static void unpack_grids(struct chunk *out, const struct weight_type *type, const void *unit,
                         size_t steps)
{
    struct grid_rows rows;
    const struct grid_type *grid_type = loam_avx2_grid_type(type);
    (void)steps; /* eight */
    for (size_t half = 0; half < 2; half++) {
        unpack_rows(&rows, grid_type, (const unsigned char *)unit + 8 * half * type->block_bytes,
                    type->block_bytes);
        unpack_half(out, half, &rows, (int)type->integers->largest);
    }
}

/* Numbers plus their offset: at most 30, of which four words fit in 16 bits; at most 124. */
ADD_CHUNK(add_small, {.step = 256, .depth = 4, .run = 16, .pair = 16})
ADD_CHUNK(add_large, {.step = 256, .depth = 1, .run = 16, .pair = 16})

/* ---- all ---------------------------------------------------------------------------- */

bool loam_avx2_has_grids(const struct weight_type *type)
{
    return loam_avx2_grid_type(type) != NULL;
}

void loam_avx2_linear_grids(const struct linear_tile *tile)
{
    static const struct chunk_type small = {unpack_grids, add_small},
                                   large = {unpack_grids, add_large};
    const struct grid_type *type = loam_avx2_grid_type(tile->type);
    size_t end = tile->first_output + tile->output_count;
    if (tile->rows > FEW_ROWS)
        linear_rows(tile, tile->type->integers->largest <= 15 ? &small : &large);
    else
        for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
            (tile->rows == 1 ? one_row : few_rows)(tile, type, output);
}

void loam_avx2_grid_unit(struct unit_integers *out, const struct weight_type *type,
                         const void *unit)
{
    struct grid_rows rows;
    const struct grid_type *grid_type = loam_avx2_grid_type(type);
    for (size_t half = 0; half < 2; half++) {
        __m256i all[EIGHT_ROWS];
        unpack_rows(&rows, grid_type, (const unsigned char *)unit + 8 * half * type->block_bytes,
                    type->block_bytes);
        pairs_of_scales(all, &rows);
        for (size_t p = 0; p < INTEGERS / 32; p++)
            put(out->scales[p], half, all[p]);
        for (size_t p = 0; p < INTEGERS / 32; p++) {
            words_of_run(all, &rows, p);
            for (size_t v = 0; v < 8; v++)
                put(out->q[8 * p + v], half, all[v]);
        }
        _mm256_store_ps(out->d[0] + 8 * half, _mm256_loadu_ps(rows.d));
    }
}

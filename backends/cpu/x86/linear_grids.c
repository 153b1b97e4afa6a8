/* SPDX-License-Identifier: MIT */
/*
 * Products at the level avx2 with types that have code books. Eight rows of weights at a time
 * become bytes (grid_rows.c), in L1.
 *
 * Few rows of activations meet them there, 32 numbers at a time along the row: the
 * activation takes the sign of the weight, and eight sums become the lanes of one at the end of
 * each step. For many the bytes go to the order of panels, plus an offset that makes them
 * unsigned (linear_rows.h).
 *
 * Bound of one row: looking entries up, one by one.
 */
#include "cpu/x86/grid_rows.h"
#include "cpu/x86/linear_rows.h"
#include "cpu/x86/x86.h"

enum { FEW_ROWS = 4 };

/* ---- few rows ---------------------------------------------------------------------- */

/* Products of 32 numbers, pairs in 16 bits. */
INLINE __m256i pairs_of(const int8_t *weights, const int8_t *x)
{
    __m256i q = load(weights), at = _mm256_loadu_si256((const void *)x);
    return _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(at, q));
}

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

INLINE __m256 add_rows(__m256 acc, const struct grid_rows *rows, const int8_t *x, float d_x)
{
    __m256i sums[EIGHT_ROWS];
    for (size_t o = 0; o < EIGHT_ROWS; o++) {
        __m256i all = _mm256_loadu_si256((const void *)rows->scales[o]);
        __m256i half[2] = {_mm256_permute2x128_si256(all, all, 0x00),
                           _mm256_permute2x128_si256(all, all, 0x11)};
        sums[o] = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (size_t p = 0; p < INTEGERS / 32; p++)
            sums[o] =
                add_pairs(sums[o], pairs_of(rows->q[o] + 32 * p, x + 32 * p), scales_at(half, p));
    }
    return step(acc, _mm256_loadu_ps(rows->d), d_x, sums_of(sums));
}

/* One panel. */
static void few_rows(const struct linear_tile *tile, row_unpacker unpack, size_t output)
{
    size_t width = tile->width, groups = width / INTEGERS, bytes = tile->type->packing->unit_bytes;
    size_t row_bytes = tile->type->block_bytes;
    const unsigned char *unit =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct grid_rows rows;
    _Alignas(32) float acc[FEW_ROWS][PANEL_ROWS] = {{0}};
    for (size_t k = 0; k < width; k += INTEGERS, unit += bytes)
        for (size_t o = 0; o < PANEL_ROWS; o += EIGHT_ROWS) {
            for (size_t line = 0; line < bytes / 2; line += 64)
                stream_line_ahead(unit + o * row_bytes + line, tile->ahead.far, tile->ahead.near);
            unpack(&rows, unit + o * row_bytes, row_bytes);
            for (size_t r = 0; r < tile->rows; r++) {
                __m256 sum = add_rows(_mm256_load_ps(acc[r] + o), &rows, tile->q + r * width + k,
                                      tile->scales[r * groups + k / INTEGERS]);
                _mm256_store_ps(acc[r] + o, sum);
            }
        }
    size_t outputs = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t r = 0; r < tile->rows; r++)
        store(tile, r, output, outputs,
              (__m256[2]){_mm256_load_ps(acc[r]), _mm256_load_ps(acc[r] + 8)});
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
    row_unpacker unpack = loam_avx2_row_unpacker(type);
    (void)steps; /* eight */
    for (size_t half = 0; half < 2; half++) {
        unpack(&rows, (const unsigned char *)unit + 8 * half * type->block_bytes,
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
    return loam_avx2_row_unpacker(type) != NULL;
}

void loam_avx2_linear_grids(const struct linear_tile *tile)
{
    static const struct chunk_type small = {unpack_grids, add_small},
                                   large = {unpack_grids, add_large};
    row_unpacker unpack = loam_avx2_row_unpacker(tile->type);
    size_t end = tile->first_output + tile->output_count;
    if (tile->rows > FEW_ROWS)
        linear_rows(tile, tile->type->integers->largest <= 15 ? &small : &large);
    else
        for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
            few_rows(tile, unpack, output);
}

void loam_avx2_grid_unit(struct unit_integers *out, const struct weight_type *type,
                         const void *unit)
{
    struct grid_rows rows;
    row_unpacker unpack = loam_avx2_row_unpacker(type);
    for (size_t half = 0; half < 2; half++) {
        __m256i all[EIGHT_ROWS];
        unpack(&rows, (const unsigned char *)unit + 8 * half * type->block_bytes,
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

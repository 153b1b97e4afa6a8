/* SPDX-License-Identifier: MIT */
/*
 * Products at the level avx2 with types that have code books, row by row: eight rows of weights
 * at a time become bytes (integer_rows.c), in L1, and meet the activations 32 numbers at
 * a time along the row. The activation takes the sign of the weight. Eight sums become the
 * lanes of one at the end of each step.
 *
 * Bound: looking entries up, one by one.
 */
#include "cpu/x86/integer_rows.h"
#include "cpu/x86/panel256.h"
#include "cpu/x86/x86.h"

enum { MOST_ROWS = 16 /* of activations: more are faster in panels */ };

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

INLINE __m256 add_rows(__m256 acc, const struct integer_rows *rows, const int8_t *x, float d_x)
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
static void one_panel(const struct linear_tile *tile, row_unpacker unpack, size_t output)
{
    size_t width = tile->width, groups = width / INTEGERS, bytes = tile->type->packing->unit_bytes;
    size_t row_bytes = tile->type->block_bytes;
    const unsigned char *unit =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct integer_rows rows;
    _Alignas(32) float acc[MOST_ROWS][PANEL_ROWS] = {{0}};
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

bool loam_avx2_linear_integer_rows(const struct linear_tile *tile)
{
    row_unpacker unpack = loam_avx2_row_unpacker(tile->type);
    size_t end = tile->first_output + tile->output_count;
    if (!unpack || tile->rows > MOST_ROWS)
        return false;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
        one_panel(tile, unpack, output);
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Products at the level avx2 with types that give integers, row by row: eight rows of weights
 * at a time become bytes (integer_rows.c), in L1, and meet the activations 32 numbers at
 * a time along the row. The activation takes the sign of the weight, or an offset makes
 * weights unsigned and comes off by the sums of activations. Eight sums become the lanes
 * of one at the end of each step.
 *
 * Bound: for one row of activations unpacking and products, 12 to 20 instructions for 32
 * numbers; for many some 6, of which two multiply.
 */
#include "cpu/x86/integer_rows.h"
#include "cpu/x86/panel256.h"
#include "cpu/x86/x86.h"

enum { PART = 32 /* rows of activations for which weights are unpacked once */ };

/* Activations of a row at a unit. */
struct activations {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
};

/* Products of 32 numbers, pairs in 16 bits. */
INLINE __m256i pairs_of(const int8_t *weights, const int8_t *x, const bool has_signs)
{
    __m256i q = load(weights), at = _mm256_loadu_si256((const void *)x);
    if (!has_signs)
        return _mm256_maddubs_epi16(q, at);
    return _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(at, q));
}

/* Lane o of half[0], half[1]: the sum of lanes 0 to 3, and 4 to 7, of x[o]. */
INLINE void half_sums(__m256i half[2], const __m256i x[EIGHT_ROWS])
{
    __m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(x[0], x[1]), _mm256_hadd_epi32(x[2], x[3]));
    __m256i last = _mm256_hadd_epi32(_mm256_hadd_epi32(x[4], x[5]), _mm256_hadd_epi32(x[6], x[7]));
    half[0] = _mm256_permute2x128_si256(first, last, 0x20);
    half[1] = _mm256_permute2x128_si256(first, last, 0x31);
}

INLINE __m256i sums_of(const __m256i x[EIGHT_ROWS])
{
    __m256i half[2];
    half_sums(half, x);
    return _mm256_add_epi32(half[0], half[1]);
}

/* The scales of numbers 32 p to 32 p + 31, of a row's all: in each half of the register one. */
INLINE __m256i scales_at(const __m256i half[2], size_t p)
{
    const __m256i even = _mm256_setr_m128i(_mm_set1_epi16(0x100), _mm_set1_epi16(0x302));
    return _mm256_shuffle_epi8(half[p / 4],
                               _mm256_add_epi8(even, _mm256_set1_epi8((char)(4 * (p % 4)))));
}

/* 256 numbers with integer scales. */
INLINE __m256 add_scaled_rows(__m256 acc, const struct integer_rows *rows,
                              const struct activations *x, int offset, const bool has_signs,
                              const bool minima)
{
    __m256i sums[EIGHT_ROWS], sums16 = _mm256_loadu_si256((const void *)x->sums16);
    __m256i less = _mm256_mullo_epi16(sums16, _mm256_set1_epi16((int16_t)-offset));
    for (size_t o = 0; o < EIGHT_ROWS; o++) {
        __m256i all = _mm256_loadu_si256((const void *)rows->scales[o]);
        __m256i half[2] = {_mm256_permute2x128_si256(all, all, 0x00),
                           _mm256_permute2x128_si256(all, all, 0x11)};
        sums[o] = _mm256_madd_epi16(all, less);
#pragma GCC unroll 8
        for (size_t p = 0; p < INTEGERS / 32; p++)
            sums[o] = add_pairs(sums[o], pairs_of(rows->q[o] + 32 * p, x->q + 32 * p, has_signs),
                                scales_at(half, p));
    }
    acc = step(acc, _mm256_loadu_ps(rows->d[0]), x->scales[0], sums_of(sums));
    if (!minima)
        return acc;
    for (size_t o = 0; o < EIGHT_ROWS; o++)
        sums[o] = _mm256_madd_epi16(_mm256_loadu_si256((const void *)rows->mins[o]), sums16);
    return min_step(acc, _mm256_loadu_ps(rows->dmin[0]), x->scales[0], sums_of(sums));
}

/* `count` numbers in steps of 32. */
INLINE __m256 add_stepped_rows(__m256 acc, const struct integer_rows *rows,
                               const struct activations *x, size_t count, int offset,
                               const bool has_signs, const bool minima)
{
    for (size_t s = 0; s < count / 32; s++) {
        __m256i sums[EIGHT_ROWS];
        for (size_t o = 0; o < EIGHT_ROWS; o++)
            sums[o] = madd_ones(pairs_of(rows->q[o] + 32 * s, x->q + 32 * s, has_signs));
        __m256i less = _mm256_set1_epi32(offset * x->sums32[s]);
        acc = step(acc, _mm256_loadu_ps(rows->d[s]), x->scales[s],
                   _mm256_sub_epi32(sums_of(sums), less));
        if (minima)
            acc = min_step(acc, _mm256_loadu_ps(rows->dmin[s]), x->scales[s],
                           _mm256_set1_epi32(x->sums32[s]));
    }
    return acc;
}

/* The same in steps of 16, of a type with signs. */
INLINE __m256 add_sixteens(__m256 acc, const struct integer_rows *rows, const struct activations *x,
                           size_t count)
{
    for (size_t p = 0; p < count / 32; p++) {
        __m256i sums[EIGHT_ROWS], half[2];
        for (size_t o = 0; o < EIGHT_ROWS; o++)
            sums[o] = madd_ones(pairs_of(rows->q[o] + 32 * p, x->q + 32 * p, true));
        half_sums(half, sums);
        for (size_t i = 0; i < 2; i++)
            acc = step(acc, _mm256_loadu_ps(rows->d[2 * p + i]), x->scales[p], half[i]);
    }
    return acc;
}

INLINE __m256 add_rows(__m256 acc, const struct integer_rows *rows, const struct activations *x,
                       const struct row_unpacker *unpacker, size_t count)
{
    const struct weight_integers *integers = unpacker->type->integers;
    int offset = unpacker->offset;
    if (integers->step == 16)
        return add_sixteens(acc, rows, x, count);
    if (integers->step == INTEGERS)
        return unpacker->has_signs ? add_scaled_rows(acc, rows, x, 0, true, false)
               : integers->minima  ? add_scaled_rows(acc, rows, x, 0, false, true)
                                   : add_scaled_rows(acc, rows, x, offset, false, false);
    return unpacker->has_signs ? add_stepped_rows(acc, rows, x, count, 0, true, false)
           : integers->minima  ? add_stepped_rows(acc, rows, x, count, 0, false, true)
                               : add_stepped_rows(acc, rows, x, count, offset, false, false);
}

/* One panel for `rows` rows of activations from first_row, at most PART. */
static void one_panel(const struct linear_tile *tile, const struct row_unpacker *unpacker,
                      size_t output, size_t first_row, size_t rows)
{
    const struct weight_type *type = tile->type;
    size_t width = tile->width, group = type->activation_group, groups = width / group;
    size_t elements = type->packing->unit_elements, bytes = type->packing->unit_bytes;
    size_t row_bytes = elements / type->block_elements * type->block_bytes;
    const unsigned char *unit =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct integer_rows unpacked;
    _Alignas(32) float acc[PART][PANEL_ROWS];
    memset(acc, 0, rows * sizeof *acc);
    for (size_t k = 0; k < width; k += elements, unit += bytes) {
        size_t count = loam_min(elements, width - k);
        for (size_t o = 0; o < PANEL_ROWS; o += EIGHT_ROWS) {
            for (size_t line = 0; first_row == 0 && line < bytes / 2; line += 64)
                stream_line_ahead(unit + o * row_bytes + line, tile->ahead.far, tile->ahead.near);
            unpacker->unpack(&unpacked, unit + o * row_bytes, row_bytes,
                             count / type->block_elements);
            for (size_t r = 0; r < rows; r++) {
                size_t row = first_row + r;
                struct activations x = {.q = tile->q + row * width + k,
                                        .scales = tile->scales + row * groups + k / group,
                                        .sums32 = tile->sums32 + row * (width / 32) + k / 32,
                                        .sums16 = tile->sums16 + row * (width / 16) + k / 16};
                _mm256_store_ps(acc[r] + o, add_rows(_mm256_load_ps(acc[r] + o), &unpacked, &x,
                                                     unpacker, count));
            }
        }
    }
    size_t outputs = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t r = 0; r < rows; r++)
        store(tile, first_row + r, output, outputs,
              (__m256[2]){_mm256_load_ps(acc[r]), _mm256_load_ps(acc[r] + 8)});
}

bool loam_avx2_linear_integer_rows(const struct linear_tile *tile)
{
    const struct row_unpacker *unpacker = loam_avx2_row_unpacker(tile->type);
    size_t end = tile->first_output + tile->output_count;
    if (!unpacker || tile->rows > (size_t)unpacker->most_rows)
        return false;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
        for (size_t row = 0; row < tile->rows; row += PART)
            one_panel(tile, unpacker, output, row, loam_min(PART, tile->rows - row));
    return true;
}

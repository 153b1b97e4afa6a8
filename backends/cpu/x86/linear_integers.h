/* SPDX-License-Identifier: MIT */
/*
 * The product core of all types that are unpacked to integers (quant/integers.h) at the level
 * avx-vnni, included behind linear_packed.h.
 *
 * A unit of 16 outputs is unpacked once for up to PART rows, whose sums wait in
 * memory; 4 rows share each load. Weights are taken as q + 128, and 128 comes off by the sums
 * of activations. Bound: the byte products, as for Q8_0.
 */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_INTEGERS_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_INTEGERS_H

#include "quant/integers.h"

enum {
    PART = 64,   /* rows for which a unit is unpacked once */
    FEW_ROWS = 7 /* for which the functions of the level avx2 take fewer operations (counted) */
};

/* sum[r] += scale times the products of 16 numbers plus 128, words q[0] to q[3]; scale as
 * of pair_scale, NULL: 1. */
INLINE void add_sixteen(__m256i sum[ROWS], const int8_t (*q)[PANEL_ROWS][4], size_t half,
                        const int8_t *x, size_t width, const __m256i *scale, int rows)
{
    __m256i dot[ROWS];
    for (int r = 0; r < rows; r++)
        dot[r] = scale ? _mm256_setzero_si256() : sum[r];
    for (size_t v = 0; v < 4; v++) {
        __m256i shifted = _mm256_xor_si256(load(q[v][8 * half]), _mm256_set1_epi8(-128));
        for (int r = 0; r < rows; r++)
            dot[r] = multiply(dot[r], shifted, words(x + (size_t)r * width + 4 * v));
    }
    for (int r = 0; r < rows; r++)
        sum[r] = scale ? add_scaled(sum[r], dot[r], *scale) : dot[r];
}

/* sum less 128 times those activations' scaled sums. */
INLINE __m256i without_shift(__m256i sum, __m256i scaled_sums)
{
    return _mm256_sub_epi32(sum, _mm256_slli_epi32(scaled_sums, 7));
}

/* A unit that is one step of 256 numbers, with integer scales. */
INLINE void unit_scaled(__m256 acc[2][ROWS], const struct unit_integers *unit, const struct rows *x,
                        bool minima, int rows)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS], scaled[ROWS], least[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = scaled[r] = least[r] = _mm256_setzero_si256();
        for (size_t p = 0; p < INTEGERS / 32; p++) {
            __m256i scales = load(unit->scales[p][8 * half]), mins = load(unit->mins[p][8 * half]);
            for (int i = 0; i < 2; i++) {
                __m256i scale = pair_scale(scales, i);
                add_sixteen(sum, unit->q + 8 * p + 4 * i, half, x->q + 32 * p + 16 * i, x->width,
                            &scale, rows);
            }
            for (int r = 0; r < rows; r++) {
                __m256i sums = words(x->sums16 + (size_t)r * (x->width / 16) + 2 * p);
                scaled[r] = _mm256_add_epi32(scaled[r], _mm256_madd_epi16(scales, sums));
                if (minima)
                    least[r] = _mm256_add_epi32(least[r], _mm256_madd_epi16(mins, sums));
            }
        }
        __m256 d = _mm256_load_ps(unit->d[0] + 8 * half);
        __m256 dmin = _mm256_load_ps(unit->dmin[0] + 8 * half);
        for (int r = 0; r < rows; r++) {
            float d_x = x->scales[(size_t)r * x->groups];
            acc[half][r] = step(acc[half][r], d, d_x, without_shift(sum[r], scaled[r]));
            if (minima)
                acc[half][r] = min_step(acc[half][r], dmin, d_x, least[r]);
        }
    }
}

/* `count` numbers of a unit in steps of 16 or 32, activations in groups of 32. */
INLINE void unit_stepped(__m256 acc[2][ROWS], const struct unit_integers *unit,
                         const struct rows *x, size_t count, size_t step_width, bool minima,
                         int rows)
{
    for (size_t first = 0; first < count; first += step_width)
        for (size_t half = 0; half < 2; half++) {
            __m256i sum[ROWS];
            __m256 d = _mm256_load_ps(unit->d[first / step_width] + 8 * half);
            __m256 dmin = _mm256_load_ps(unit->dmin[first / step_width] + 8 * half);
            for (int r = 0; r < rows; r++)
                sum[r] = _mm256_setzero_si256();
            for (size_t i = first; i < first + step_width; i += 16)
                add_sixteen(sum, unit->q + i / 4, half, x->q + i, x->width, NULL, rows);
            for (int r = 0; r < rows; r++) {
                size_t at = (size_t)r * (x->width / 16) + first / 16;
                int32_t total_x = step_width == 16 ? x->sums16[at] : x->sums32[at / 2];
                __m256i sums = _mm256_set1_epi32(total_x);
                float d_x = x->scales[(size_t)r * x->groups + first / 32];
                acc[half][r] = step(acc[half][r], d, d_x, without_shift(sum[r], sums));
                if (minima)
                    acc[half][r] = min_step(acc[half][r], dmin, d_x, sums);
            }
        }
}

/* acc[r][o] over one unit, for `rows` rows. */
INLINE void unit_rows(float (*acc)[PANEL_ROWS], const struct unit_integers *unit,
                      const struct rows *x, const struct weight_type *type, size_t count, int rows)
{
    bool minima = type->integers->minima;
    __m256 sums[2][ROWS];
    for (int r = 0; r < rows; r++)
        for (size_t half = 0; half < 2; half++)
            sums[half][r] = _mm256_load_ps(acc[r] + 8 * half);
    if (type->integers->step == 256)
        unit_scaled(sums, unit, x, minima, rows);
    else
        unit_stepped(sums, unit, x, count, type->integers->step, minima, rows);
    for (int r = 0; r < rows; r++)
        for (size_t half = 0; half < 2; half++)
            _mm256_store_ps(acc[r] + 8 * half, sums[half][r]);
}

/* The rows of a part over one unit. */
INLINE void unit_part(float (*acc)[PANEL_ROWS], const struct unit_integers *unit, struct rows x,
                      const struct weight_type *type, size_t count, size_t rows)
{
    size_t take = 4;
    for (; rows > 0; rows -= take, acc += take) {
        take = rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
        if (take == 4)
            unit_rows(acc, unit, &x, type, count, 4);
        else if (take == 2)
            unit_rows(acc, unit, &x, type, count, 2);
        else
            unit_rows(acc, unit, &x, type, count, 1);
        x.q += take * x.width;
        x.scales += take * x.groups;
        x.sums32 += take * (x.width / 32);
        x.sums16 += take * (x.width / 16);
    }
}

/* One panel for `rows` rows from first_row, at most PART. */
static void integers_panel(const struct linear_tile *tile, size_t output, size_t first_row,
                           size_t rows)
{
    const struct weight_type *type = tile->type;
    size_t width = tile->width, group = type->activation_group, groups = width / group;
    size_t elements = type->packing->unit_elements, bytes = type->packing->unit_bytes;
    const unsigned char *weights =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct rows x = {.q = tile->q + first_row * width,
                     .scales = tile->scales + first_row * groups,
                     .sums32 = tile->sums32 + first_row * (width / 32),
                     .sums16 = tile->sums16 + first_row * (width / 16),
                     .width = width,
                     .groups = groups};
    struct unit_integers unit;
    _Alignas(32) float acc[PART][PANEL_ROWS];
    memset(acc, 0, rows * sizeof *acc);
    for (size_t k = 0; k < width; k += elements, weights += bytes) {
        size_t count = loam_min(elements, width - k);
        if (first_row == 0)
            stream_lines(weights, bytes);
        loam_avx2_integers_unit(&unit, type, weights, count / type->block_elements);
        unit_part(acc, &unit, x, type, count, rows);
        x.q += elements;
        x.scales += elements / group;
        x.sums32 += elements / 32;
        x.sums16 += elements / 16;
    }
    size_t outputs = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t r = 0; r < rows; r++)
        store(tile, first_row + r, output, outputs,
              (__m256[2]){_mm256_load_ps(acc[r]), _mm256_load_ps(acc[r] + 8)});
}

void LINEAR(integers)(const struct linear_tile *tile)
{
    size_t end = tile->first_output + tile->output_count;
    if (tile->rows <= FEW_ROWS && loam_avx2_linear_integers(tile))
        return;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
        for (size_t row = 0; row < tile->rows; row += PART)
            integers_panel(tile, output, row, loam_min(PART, tile->rows - row));
}

/* The core for all types that have integers. */
static void fill_integers(struct cpu_kernels *kernels)
{
    const struct weight_type *type;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++)
        if (type->integers)
            kernels->linear[type->id] = LINEAR(integers);
}

#endif

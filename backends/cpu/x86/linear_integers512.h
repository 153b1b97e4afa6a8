/* SPDX-License-Identifier: MIT */
/*
 * The product core of all types that are unpacked to integers (quant/integers.h)
 * in 512-bit registers, included by avx512.c: the 16 outputs of a unit in the
 * lanes of one.
 *
 * A unit is unpacked once for up to PART rows, whose sums wait in memory; up to
 * ROWS rows share each load. Weights are taken as q + 128, and 128 comes off by
 * the sums of the activations, with which the integer sums begin.
 * Bound: the byte products, as for Q8_0.
 */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_INTEGERS512_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_INTEGERS512_H

#include "quant/integers.h"

enum {
    PART = 64,   /* rows for which a unit is unpacked once */
    FEW_ROWS = 3 /* for which the functions of the level avx2 take fewer operations (counted) */
};

/* sum[r] += products of 16 numbers, words q[0] to q[3], plus 128. */
INLINE void add_sixteen(__m512i sum[ROWS], const int8_t (*q)[PANEL_ROWS][4], const int8_t *x,
                        size_t width, int rows)
{
    for (size_t v = 0; v < 4; v++) {
        __m512i shifted = _mm512_xor_si512(load(q[v]), _mm512_set1_epi8(-128));
        for (int r = 0; r < rows; r++)
            sum[r] = _mm512_dpbusd_epi32(sum[r], shifted, words(x + (size_t)r * width + 4 * v));
    }
}

/* The products of 16 numbers times their scale, the low or high half of lanes. */
INLINE void add_scaled_sixteen(__m512i total[ROWS], const struct unit_integers *unit, size_t p,
                               size_t i, const struct rows *x, int rows)
{
    __m512i sum[ROWS], scale = pair_scale(load(unit->scales[p]), i);
    for (int r = 0; r < rows; r++)
        sum[r] = _mm512_set1_epi32(-128 * x->sums16[(size_t)r * (x->width / 16) + 2 * p + i]);
    add_sixteen(sum, unit->q + 8 * p + 4 * i, x->q + 32 * p + 16 * i, x->width, rows);
    for (int r = 0; r < rows; r++)
        total[r] = add_scaled(total[r], sum[r], scale);
}

/* A unit that is one step of 256 numbers, with integer scales. */
INLINE void unit_scaled(__m512 acc[ROWS], const struct unit_integers *unit, const struct rows *x,
                        bool minima, int rows)
{
    __m512i sum[ROWS], least[ROWS];
    clear(sum, rows);
    clear(least, rows);
    for (size_t p = 0; p < INTEGERS / 32; p++) {
        for (size_t i = 0; i < 2; i++)
            add_scaled_sixteen(sum, unit, p, i, x, rows);
        for (int r = 0; minima && r < rows; r++) {
            __m512i sums = words(x->sums16 + (size_t)r * (x->width / 16) + 2 * p);
            least[r] = _mm512_add_epi32(least[r], _mm512_madd_epi16(load(unit->mins[p]), sums));
        }
    }
    __m512 d = _mm512_load_ps(unit->d[0]), dmin = _mm512_load_ps(unit->dmin[0]);
    for (int r = 0; r < rows; r++) {
        float d_x = x->scales[(size_t)r * x->groups];
        acc[r] = step(acc[r], d, d_x, _mm512_cvtepi32_ps(sum[r]));
        if (minima)
            acc[r] = min_step(acc[r], dmin, d_x, least[r]);
    }
}

/* `count` numbers of a unit in steps of 16 or 32, activations in groups of 32. */
INLINE void unit_stepped(__m512 acc[ROWS], const struct unit_integers *unit, const struct rows *x,
                         size_t count, size_t step_width, bool minima, int rows)
{
    for (size_t first = 0; first < count; first += step_width) {
        __m512i sum[ROWS], sums[ROWS];
        __m512 d = _mm512_load_ps(unit->d[first / step_width]);
        __m512 dmin = _mm512_load_ps(unit->dmin[first / step_width]);
        for (int r = 0; r < rows; r++) {
            size_t at = (size_t)r * (x->width / 16) + first / 16;
            int32_t total = step_width == 16 ? x->sums16[at] : x->sums32[at / 2];
            sums[r] = _mm512_set1_epi32(total);
            sum[r] = _mm512_set1_epi32(-128 * total);
        }
        for (size_t i = first; i < first + step_width; i += 16)
            add_sixteen(sum, unit->q + i / 4, x->q + i, x->width, rows);
        for (int r = 0; r < rows; r++) {
            float d_x = x->scales[(size_t)r * x->groups + first / 32];
            acc[r] = step(acc[r], d, d_x, _mm512_cvtepi32_ps(sum[r]));
            if (minima)
                acc[r] = min_step(acc[r], dmin, d_x, sums[r]);
        }
    }
}

/* acc[r][o] over one unit, for `rows` rows. */
INLINE void unit_rows(float (*acc)[PANEL_ROWS], const struct unit_integers *unit,
                      const struct rows *x, const struct weight_type *type, size_t count, int rows)
{
    bool minima = type->integers->minima;
    __m512 sums[ROWS];
    for (int r = 0; r < rows; r++)
        sums[r] = _mm512_load_ps(acc[r]);
    if (type->integers->step == 256)
        unit_scaled(sums, unit, x, minima, rows);
    else
        unit_stepped(sums, unit, x, count, type->integers->step, minima, rows);
    for (int r = 0; r < rows; r++)
        _mm512_store_ps(acc[r], sums[r]);
}

/* The rows of a part over one unit. */
static void unit_part(float (*acc)[PANEL_ROWS], const struct unit_integers *unit, struct rows x,
                      const struct weight_type *type, size_t count, size_t rows)
{
    size_t take = 8;
    for (; rows > 0; rows -= take, acc += take) {
        take = rows >= 8 ? 8 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
        if (take == 8)
            unit_rows(acc, unit, &x, type, count, 8);
        else if (take == 4)
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
    _Alignas(64) float acc[PART][PANEL_ROWS];
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
    size_t count = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    __mmask16 outputs = (__mmask16)((1u << count) - 1);
    for (size_t r = 0; r < rows; r++) {
        __m512 values = _mm512_load_ps(acc[r]);
        if (tile->bias)
            values = _mm512_add_ps(values, _mm512_maskz_loadu_ps(outputs, tile->bias + output));
        _mm512_mask_storeu_ps(tile->out + (first_row + r) * tile->out_stride + output, outputs,
                              values);
    }
}

void loam_avx512_linear_integers(const struct linear_tile *tile)
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
            kernels->linear[type->id] = loam_avx512_linear_integers;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The product core of all types that are unpacked to integers (quant/integers.h),
 * included behind linear_packed.h and compiled like it.
 *
 * A unit of 16 outputs is unpacked once for up to PART rows, whose sums wait in
 * memory; up to ROWS rows share each load. Sums of 16 numbers fit in 16 bits
 * where |q| is at most 63; other types take products of bytes.
 * Bound for one row: unpacking. For many: the byte products, as for Q8_0.
 */
#ifndef LOAM_BACKENDS_CPU_ARM_LINEAR_INTEGERS_H
#define LOAM_BACKENDS_CPU_ARM_LINEAR_INTEGERS_H

#include "quant/integers.h"

enum { PART = 64 /* rows for which a unit is unpacked once */ };

/* sum = the products of 16 numbers, words q[0] to q[3], for 8 outputs. */
INLINE void sixteen(int32x4_t sum[QUADS][ROWS], const int8_t (*q)[PANEL_ROWS][4], size_t half,
                    const int8_t *x, size_t width, bool narrow, size_t rows)
{
    struct dots dots;
    dots_start(&dots, no_offset, rows);
    for (size_t v = 0; v < 4; v += 2) {
        int8x16_t first[QUADS], second[QUADS];
        for (size_t quad = 0; quad < QUADS; quad++) {
            first[quad] = vld1q_s8(q[v][8 * half + 4 * quad]);
            second[quad] = vld1q_s8(q[v + 1][8 * half + 4 * quad]);
        }
        if (narrow)
            dots_multiply(&dots, first, second, x + 4 * v, width, rows);
        else
            dots_multiply_bytes(&dots, first, second, x + 4 * v, width, rows);
    }
    if (narrow)
        dots_finish(sum, &dots, rows);
    else
        dots_finish_bytes(sum, &dots, rows);
}

/* acc = fma(d * d_x, (float)sum, acc), or with minus -(d * d_x), for 8 outputs
 * and one row; d: of 16 outputs. */
INLINE void integers_step(float32x4_t acc[4][ROWS], size_t r, const float d[PANEL_ROWS],
                          size_t half, float d_x, const int32x4_t sum[QUADS], bool minus)
{
    for (size_t quad = 0; quad < QUADS; quad++) {
        size_t at = 2 * half + quad;
        float32x4_t both = vmulq_n_f32(vld1q_f32(d + 4 * at), d_x);
        float32x4_t value = vcvtq_f32_s32(sum[quad]);
        acc[at][r] =
            minus ? vfmsq_f32(acc[at][r], both, value) : vfmaq_f32(acc[at][r], both, value);
    }
}

/* The sums of mins times sums of activations, for 8 outputs and one row. */
INLINE void min_sums(int32x4_t out[QUADS], const struct unit_integers *unit, size_t half,
                     const int16_t *sums16)
{
    out[0] = out[1] = vdupq_n_s32(0);
    for (size_t p = 0; p < INTEGERS / 32; p++) {
        int16x8x2_t mins = vld2q_s16(unit->mins[p][8 * half]);
        for (size_t i = 0; i < 2; i++) {
            out[0] = vmlal_n_s16(out[0], vget_low_s16(mins.val[i]), sums16[2 * p + i]);
            out[1] = vmlal_n_s16(out[1], vget_high_s16(mins.val[i]), sums16[2 * p + i]);
        }
    }
}

/* A unit that is one step of 256 numbers, with integer scales. */
INLINE void unit_scaled(float32x4_t acc[4][ROWS], const struct unit_integers *unit,
                        const struct rows *x, bool minima, bool narrow, size_t rows)
{
    for (size_t half = 0; half < 2; half++) {
        int32x4_t total[QUADS][ROWS], sum[QUADS][ROWS];
        set_zero(total, rows);
        for (size_t p = 0; p < INTEGERS / 32; p++) {
            int16x8x2_t scales = vld2q_s16(unit->scales[p][8 * half]);
            for (size_t i = 0; i < 2; i++) {
                sixteen(sum, unit->q + 8 * p + 4 * i, half, x->q + 32 * p + 16 * i, x->width,
                        narrow, rows);
                add_scaled(total, sum, scales.val[i], rows);
            }
        }
        for (size_t r = 0; r < rows; r++) {
            float d_x = x->scales[r * x->groups];
            int32x4_t both[QUADS] = {total[0][r], total[1][r]};
            integers_step(acc, r, unit->d[0], half, d_x, both, false);
            if (!minima)
                continue;
            min_sums(both, unit, half, x->sums16 + r * (x->width / 16));
            integers_step(acc, r, unit->dmin[0], half, d_x, both, true);
        }
    }
}

/* `count` numbers of a unit in steps of 16 or 32, activations in groups of 32. */
INLINE void unit_stepped(float32x4_t acc[4][ROWS], const struct unit_integers *unit,
                         const struct rows *x, size_t count, size_t step_width, bool minima,
                         bool narrow, size_t rows)
{
    for (size_t first = 0; first < count; first += step_width)
        for (size_t half = 0; half < 2; half++) {
            int32x4_t total[QUADS][ROWS], sum[QUADS][ROWS];
            size_t s = first / step_width;
            set_zero(total, rows);
            for (size_t i = first; i < first + step_width; i += 16) {
                sixteen(sum, unit->q + i / 4, half, x->q + i, x->width, narrow, rows);
                for (size_t quad = 0; quad < QUADS; quad++)
                    for (size_t r = 0; r < rows; r++)
                        total[quad][r] = vaddq_s32(total[quad][r], sum[quad][r]);
            }
            for (size_t r = 0; r < rows; r++) {
                size_t at = r * (x->width / 16) + first / 16;
                float d_x = x->scales[r * x->groups + first / 32];
                int32x4_t both[QUADS] = {total[0][r], total[1][r]};
                integers_step(acc, r, unit->d[s], half, d_x, both, false);
                if (!minima)
                    continue;
                both[0] = both[1] =
                    vdupq_n_s32(step_width == 16 ? x->sums16[at] : x->sums32[at / 2]);
                integers_step(acc, r, unit->dmin[s], half, d_x, both, true);
            }
        }
}

/* acc[r][o] over one unit, for `rows` rows. */
INLINE void unit_rows(float (*acc)[PANEL_ROWS], const struct unit_integers *unit,
                      const struct rows *x, const struct weight_type *type, size_t count,
                      bool narrow, size_t rows)
{
    bool minima = type->integers->minima;
    float32x4_t sums[4][ROWS];
    for (size_t r = 0; r < rows; r++)
        for (size_t quad = 0; quad < 4; quad++)
            sums[quad][r] = vld1q_f32(acc[r] + 4 * quad);
    if (type->integers->step == 256)
        unit_scaled(sums, unit, x, minima, narrow, rows);
    else
        unit_stepped(sums, unit, x, count, type->integers->step, minima, narrow, rows);
    for (size_t r = 0; r < rows; r++)
        for (size_t quad = 0; quad < 4; quad++)
            vst1q_f32(acc[r] + 4 * quad, sums[quad][r]);
}

/* The rows of a part over one unit. */
INLINE void unit_part(float (*acc)[PANEL_ROWS], const struct unit_integers *unit, struct rows x,
                      const struct weight_type *type, size_t count, size_t rows, bool narrow)
{
    size_t take = 4;
    for (; rows > 0; rows -= take, acc += take) {
        take = rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
        if (take == 4)
            unit_rows(acc, unit, &x, type, count, narrow, 4);
        else if (take == 2)
            unit_rows(acc, unit, &x, type, count, narrow, 2);
        else
            unit_rows(acc, unit, &x, type, count, narrow, 1);
        x.q += take * x.width;
        x.scales += take * x.groups;
        x.sums32 += take * (x.width / 32);
        x.sums16 += take * (x.width / 16);
    }
}

static void store_integers(const struct linear_tile *tile, size_t output, size_t first_row,
                           size_t rows, float (*acc)[PANEL_ROWS])
{
    size_t count = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t r = 0; r < rows; r++) {
        float *out = tile->out + (first_row + r) * tile->out_stride + output;
        for (size_t i = 0; i < count; i++)
            out[i] = tile->bias ? acc[r][i] + tile->bias[output + i] : acc[r][i];
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
    float acc[PART][PANEL_ROWS];
    memset(acc, 0, rows * sizeof *acc);
    for (size_t k = 0; k < width; k += elements, weights += bytes) {
        size_t count = loam_min(elements, width - k);
        for (size_t line = 0; line < bytes; line += 64) /* the stream goes on across pages */
            __builtin_prefetch(weights + PREFETCH + line);
        loam_neon_integers_unit(&unit, type, weights, count / type->block_elements);
        if (type->integers->largest < 64)
            unit_part(acc, &unit, x, type, count, rows, true);
        else
            unit_part(acc, &unit, x, type, count, rows, false);
        x.q += elements;
        x.scales += elements / group;
        x.sums32 += elements / 32;
        x.sums16 += elements / 16;
    }
    store_integers(tile, output, first_row, rows, acc);
}

void LINEAR(integers)(const struct linear_tile *tile)
{
    size_t end = tile->first_output + tile->output_count;
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

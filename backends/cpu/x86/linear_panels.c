/* SPDX-License-Identifier: MIT */
/*
 * Products at the level avx2 with the types of panel_types.h: of one row (linear_row.h) and
 * of many (linear_rows.h), from one description of each.
 *
 * Numbers with signs meet activations that take the sign of the weight: one pair of products
 * fits in 16 bits. Other types are unsigned with an offset, which comes off by the sums of
 * activations, and several pairs fit.
 *
 * Bound of one row: reading the weights, or 5 to 10 operations for 32 numbers.
 */
#include "cpu/x86/linear_row.h"
#include "cpu/x86/linear_rows.h"
#include "cpu/x86/panel_types.h"
#include "cpu/x86/x86.h"
#include "quant/integers.h"

/* The scale of run i of four, of 16 numbers, of a line of scales: twice in 16 bits. */
INLINE __m256i scale_of(__m256i line, size_t i)
{
    const __m256i from =
        _mm256_setr_epi8(-128, 0, -128, 0, -128, 4, -128, 4, -128, 8, -128, 8, -128, 12, -128, 12,
                         -128, 0, -128, 0, -128, 4, -128, 4, -128, 8, -128, 8, -128, 12, -128, 12);
    __m256i twice = _mm256_shuffle_epi8(line, _mm256_add_epi8(from, _mm256_set1_epi8((char)i)));
    return _mm256_srai_epi16(twice, 8);
}

/* Those of runs i and i + 1. */
INLINE __m256i scales_of_two(__m256i line, size_t i)
{
    return _mm256_blend_epi16(scale_of(line, i), scale_of(line, i + 1), 0xAA);
}

/* ---- one row: steps of 16 and 32 --------------------------------------------------------- */

/* Whether a unit is gone through line by line instead of run by run. */
INLINE bool by_lines(const struct panel_type type)
{
    return type.step == 256 && !type.has_signs;
}

/* Lines of a unit that are asked for with each run of 32 numbers; the first few, which
 * are too many, at the unit's begin. */
INLINE size_t lines_of_run(const struct panel_type type)
{
    return type.bytes / 64 / (type.elements / 32);
}

INLINE struct unit_shape shape_of(const struct panel_type type)
{
    size_t others = by_lines(type) ? type.bytes % 128
                                   : type.bytes - 64 * lines_of_run(type) * (type.elements / 32);
    return (struct unit_shape){.elements = type.elements,
                               .block = type.step < 32 ? 32 : type.step,
                               .bytes = type.bytes,
                               .numbers = others,
                               .numbers_end = type.bytes};
}

/* sum[i][half] += products of 16 numbers i of run b, times a scale. */
INLINE void multiply_run(__m256i sum[2][2], const void *unit, size_t b, const struct row *x,
                         const struct panel_type type, const __m256i scale[2][2])
{
    const unsigned char *lines = unit;
    lines += type.bytes - 64 * lines_of_run(type) * (type.elements / 32 - b);
    __m256i pairs[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
#pragma GCC unroll 8
    for (size_t v = 0; v < 8; v++) {
        __m256i at = words(x->q + 32 * b + 4 * v);
        if (v < lines_of_run(type))
            stream_line_ahead(lines + 64 * v, x->far, x->near);
        for (size_t half = 0; half < 2; half++) {
            __m256i q = type.word(unit, b, v, half), some;
            if (type.has_signs)
                some = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(at, q));
            else
                some = _mm256_maddubs_epi16(q, at);
            pairs[half] = v % type.depth ? _mm256_add_epi16(pairs[half], some) : some;
            IN_ORDER(pairs[half]);
            if ((v + 1) % type.depth)
                continue;
            sum[v / 4][half] = add_pairs(sum[v / 4][half], pairs[half], scale[v / 4][half]);
            IN_ORDER(sum[v / 4][half]);
        }
    }
}

/* A run of 32 numbers with one or two float steps. */
INLINE void add_steps_of_run(__m256 acc[2], const void *unit, size_t b, const struct row *x,
                             const struct panel_type type)
{
    const __m256i one = _mm256_set1_epi16(1), ones[2][2] = {{one, one}, {one, one}};
    __m256i sum[2][2];
    size_t parts = 32 / type.step;
    for (size_t i = 0; i < 4; i++)
        sum[i / 2][i % 2] = _mm256_setzero_si256();
    multiply_run(sum, unit, b, x, type, ones);
    for (size_t i = 0; i < parts; i++) {
        size_t s = parts * b + i;
        __m256i sums = _mm256_set1_epi32(parts == 1 ? x->sums32[s] : x->sums16[s]);
        __m256i less = _mm256_mullo_epi32(sums, _mm256_set1_epi32(type.offset));
        __m256 d_x = _mm256_set1_ps(x->scales[b]);
        for (size_t half = 0; half < 2; half++) {
            __m256i dot = parts == 1 ? _mm256_add_epi32(sum[0][half], sum[1][half]) : sum[i][half];
            dot = type.offset ? _mm256_sub_epi32(dot, less) : dot;
            acc[half] = step(acc[half], type.d(unit, s, half), x->scales[b], dot);
            if (type.less)
                acc[half] = _mm256_fmadd_ps(_mm256_mul_ps(type.less(unit, s, half), d_x),
                                            _mm256_cvtepi32_ps(sums), acc[half]);
        }
    }
}

/* ---- one row: steps of 256 --------------------------------------------------------------- */

/* All products of a type with signs, times scales. Its runs differ in addresses only. */
INLINE void multiply_runs(__m256i out[2], const void *unit, const struct row *x,
                          const struct panel_type type)
{
    __m256i sum[2][2];
    for (size_t i = 0; i < 4; i++)
        sum[i / 2][i % 2] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (size_t b = 0; b < 8; b++) {
        __m256i scale[2][2];
        for (size_t half = 0; half < 2; half++)
            for (size_t i = 0; i < 2; i++)
                scale[i][half] = scale_of(type.scales(unit, b / 2, half), b % 2 * 2 + i);
        multiply_run(sum, unit, b, x, type, scale);
    }
    for (size_t half = 0; half < 2; half++)
        out[half] = _mm256_add_epi32(sum[0][half], sum[1][half]);
}

/* All products of half a panel, times scales. A line has words of all runs or of four, which are
 * taken together: it is read once, and the code is half as long. Half of the unit's lines
 * are asked for, at eight places; an odd one at the unit's begin. */
INLINE __m256i multiply_by_lines(const void *unit, size_t half, const struct row *x,
                                 const struct panel_type type)
{
    const unsigned char *lines = unit;
    size_t count = type.bytes / 128;
    __m256i sum = _mm256_setzero_si256();
    lines += type.bytes % 128 + 64 * count * half;
#pragma GCC unroll 2
    for (size_t i = 0; i < 2; i++) {
        __m256i pairs[8];
#pragma GCC unroll 4
        for (size_t v = 4 * i; v < 4 * i + 4; v++) {
            for (size_t line = v * count / 8; line < (v + 1) * count / 8; line++)
                stream_line_ahead(lines + 64 * line, x->far, x->near);
#pragma GCC unroll 8
            for (size_t b = 0; b < 8; b++) {
                __m256i at = words(x->q + 32 * b + 4 * v);
                __m256i some = _mm256_maddubs_epi16(type.word(unit, b, v, half), at);
                pairs[b] = v % 4 ? _mm256_add_epi16(pairs[b], some) : some;
                IN_ORDER(pairs[b]);
            }
        }
#pragma GCC unroll 8
        for (size_t b = 0; b < 8; b++) {
            __m256i line = type.scales(unit, b / 2, half);
            sum = add_pairs(sum, pairs[b], scale_of(line, b % 2 * 2 + i));
        }
    }
    return sum;
}

/* Sums of activations times minima, or times scales. */
INLINE __m256i multiply_sums(const void *unit, size_t half, const struct row *x,
                             const struct panel_type type)
{
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (size_t b = 0; b < 8; b++) {
        __m256i line = (type.less ? type.mins : type.scales)(unit, b / 2, half);
        sum = add_pairs(sum, scales_of_two(line, b % 2 * 2), words(x->sums16 + 2 * b));
    }
    return sum;
}

/* 256 numbers with integer scales. */
INLINE void add_scaled_unit(__m256 acc[2], const void *unit, const struct row *x,
                            const struct panel_type type)
{
    __m256i sum[2], beside[2];
    if (!by_lines(type))
        multiply_runs(sum, unit, x, type);
    else
        for (size_t half = 0, two = 2; half < two; half++) {
            __asm__ volatile("" : "+r"(two)); /* not unrolled: fetching is the bound */
            sum[half] = multiply_by_lines(unit, half, x, type);
            beside[half] = multiply_sums(unit, half, x, type);
        }
    __m256 d_x = _mm256_set1_ps(x->scales[0]);
    for (size_t half = 0; half < 2; half++) {
        if (type.offset)
            sum[half] = _mm256_sub_epi32(
                sum[half], _mm256_mullo_epi32(beside[half], _mm256_set1_epi32(type.offset)));
        acc[half] = step(acc[half], type.d(unit, 0, half), x->scales[0], sum[half]);
        if (type.less)
            acc[half] = _mm256_fmadd_ps(_mm256_mul_ps(type.less(unit, 0, half), d_x),
                                        _mm256_cvtepi32_ps(beside[half]), acc[half]);
    }
}

INLINE void add_unit(__m256 acc[2], const void *unit, const struct row *x, size_t runs,
                     const struct panel_type type)
{
    if (type.step == 256)
        add_scaled_unit(acc, unit, x, type);
    else if (runs == type.elements / 32)
#pragma GCC unroll 4
        for (size_t b = 0; b < type.elements / 32; b++)
            add_steps_of_run(acc, unit, b, x, type);
    else
        for (size_t b = 0; b < runs; b++)
            add_steps_of_run(acc, unit, b, x, type);
}

/* ---- many rows ------------------------------------------------------------------------- */

/* Numbers of run s of the chunk, run b of the unit. */
INLINE void unpack_run(struct chunk *out, size_t s, const void *unit, size_t b,
                       const struct panel_type type)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (size_t v = 0; v < 8; v++) {
            __m256i q = type.word(unit, b, v, half);
            put(out->q[8 * s + v], half, type.has_signs ? _mm256_abs_epi8(q) : q);
            if (!type.has_signs)
                continue;
            __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), q);
            __m256i ones = _mm256_and_si256(negative, _mm256_set1_epi8(1));
            put(out->negative[8 * s + v], half, negative);
            sum = _mm256_add_epi32(sum, madd_ones(_mm256_maddubs_epi16(_mm256_abs_epi8(q), ones)));
        }
        if (type.has_signs)
            put(out->sums[s], half, sum);
    }
}

/* Scales of 32 numbers, and what comes off for the offset or is multiplied by minima. */
INLINE void unpack_scales(struct chunk *out, size_t b, const void *unit,
                          const struct panel_type type)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i line = type.scales(unit, b / 2, half);
        size_t at = b % 2 * 2;
        for (size_t i = 0; i < 2; i++)
            put(out->scales[2 * b + i], half, scale_of(line, at + i));
        __m256i factor = _mm256_set1_epi16((int16_t)(type.less ? 1 : -type.offset));
        line = type.less ? type.mins(unit, b / 2, half) : line;
        put(out->pairs[b], half, _mm256_mullo_epi16(scales_of_two(line, at), factor));
    }
}

/* One sum of magnitudes, of scaled runs, for all. */
INLINE void scale_sums(struct chunk *out)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i all = _mm256_setzero_si256();
        for (size_t b = 0; b < STEPS; b++) {
            __m256i scale = _mm256_srai_epi32(load(out->scales[2 * b][8 * half]), 16);
            all = _mm256_add_epi32(all, _mm256_mullo_epi32(load(&out->sums[b][8 * half]), scale));
        }
        put(out->sums[0], half, all);
    }
}

/* A unit: runs from `first` on of a chunk. */
INLINE void unpack_unit(struct chunk *out, size_t first, const void *unit, size_t runs,
                        const struct panel_type type)
{
    size_t parts = type.step < 32 ? 32 / type.step : 1;
#pragma GCC unroll 1
    for (size_t b = 0; b < runs; b++) {
        unpack_run(out, first + b, unit, b, type);
        if (type.step == 256)
            unpack_scales(out, b, unit, type);
    }
    if (type.step == 256 && type.has_signs)
        scale_sums(out);
    size_t steps = type.step == 256 ? 1 : runs * parts;
    for (size_t s = 0; s < steps; s++)
        for (size_t half = 0; half < 2; half++) {
            _mm256_store_ps(out->d[parts * first + s] + 8 * half, type.d(unit, s, half));
            if (type.less)
                _mm256_store_ps(out->less[first + s] + 8 * half, type.less(unit, s, half));
        }
}

INLINE void unpack_chunk(struct chunk *out, const void *units, size_t steps,
                         const struct panel_type type)
{
    size_t runs = type.elements / 32;
    for (size_t s = 0; s < steps; s += runs)
        unpack_unit(out, s, (const unsigned char *)units + s / runs * type.bytes,
                    loam_min(runs, steps - s), type);
}

/* ---- units for products of other levels ---------------------------------------------------- */

INLINE void integers_unit(struct unit_integers *out, const void *unit, size_t runs,
                          const struct panel_type type)
{
    const __m256i offset = _mm256_set1_epi8((char)type.offset);
    for (size_t b = 0; b < runs; b++)
        for (size_t half = 0; half < 2; half++) {
#pragma GCC unroll 8
            for (size_t v = 0; v < 8; v++)
                put(out->q[8 * b + v], half, _mm256_sub_epi8(type.word(unit, b, v, half), offset));
            if (type.scales)
                put(out->scales[b], half, scales_of_two(type.scales(unit, b / 2, half), b % 2 * 2));
            if (type.mins)
                put(out->mins[b], half, scales_of_two(type.mins(unit, b / 2, half), b % 2 * 2));
        }
    for (size_t s = 0; s < (runs * 32 + type.step - 1) / type.step; s++)
        for (size_t half = 0; half < 2; half++) {
            _mm256_store_ps(out->d[s] + 8 * half, type.d(unit, s, half));
            if (type.less)
                _mm256_store_ps(out->dmin[s] + 8 * half,
                                _mm256_xor_ps(type.less(unit, s, half), _mm256_set1_ps(-0.0f)));
        }
}

/* ---- types ------------------------------------------------------------------------------- */

enum { LEAST_ROWS = TOGETHER };

/* Few rows: one after another, panel by panel, which then comes from the cache. */
INLINE void few_rows(const struct linear_tile *tile, void (*one_row)(const struct linear_tile *))
{
    size_t group = tile->type->activation_group, end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        struct linear_tile one = *tile;
        one.first_output = output;
        one.output_count = loam_min(PANEL_ROWS, end - output);
        for (size_t r = 0; r < tile->rows; r++) {
            one_row(&one);
            one.q += tile->width;
            one.scales += tile->width / group;
            one.sums32 += tile->width / 32;
            one.sums16 += tile->width / 16;
            one.out += tile->out_stride;
        }
    }
}

INLINE struct form form_of(const struct panel_type type)
{
    bool has_pairs = type.step == NUMBERS && (type.less || type.offset);
    return (struct form){.has_signs = type.has_signs,
                         .minima = type.less,
                         .step = type.step,
                         .depth = type.depth,
                         .offset = type.step == NUMBERS ? 0 : type.offset,
                         .run = 16,
                         .pair = has_pairs ? 16 : 0};
}

/* What a type needs, its constants folded away. */
#define FUNCTIONS(name, ...)                                                                       \
    static void add_unit_##name(__m256 acc[2], const void *unit, const struct row *x, size_t runs) \
    {                                                                                              \
        add_unit(acc, unit, x, runs, name##_panel());                                              \
    }                                                                                              \
    static void one_row_##name(const struct linear_tile *tile)                                     \
    {                                                                                              \
        linear_row(tile, add_unit_##name, shape_of(name##_panel()), 1);                            \
    }                                                                                              \
    static void unpack_##name(struct chunk *out, const struct weight_type *type,                   \
                              const void *units, size_t steps)                                     \
    {                                                                                              \
        (void)type;                                                                                \
        unpack_chunk(out, units, steps, name##_panel());                                           \
    }                                                                                              \
    static void integers_##name(struct unit_integers *out, const void *unit, size_t runs)          \
    {                                                                                              \
        integers_unit(out, unit, runs, name##_panel());                                            \
    }                                                                                              \
    ADD_CHUNK(add_##name, form_of(name##_panel()))

PANEL_TYPES(FUNCTIONS)

#define ENTRY(name, ...)                                                                           \
    {&loam_type_##name, one_row_##name, integers_##name, {unpack_##name, add_##name}},

static const struct panel_functions {
    const struct weight_type *type;
    void (*one_row)(const struct linear_tile *tile);
    void (*integers)(struct unit_integers *out, const void *unit, size_t runs);
    struct chunk_type many;
} all[] = {PANEL_TYPES(ENTRY)};

static const struct panel_functions *functions_of(const struct weight_type *type)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(all); i++)
        if (all[i].type == type)
            return &all[i];
    return NULL;
}

bool loam_avx2_has_panels(const struct weight_type *type)
{
    return functions_of(type) != NULL;
}

void loam_avx2_linear_panels(const struct linear_tile *tile)
{
    const struct panel_functions *functions = functions_of(tile->type);
    if (tile->rows == 1)
        functions->one_row(tile);
    else if (tile->rows < LEAST_ROWS)
        few_rows(tile, functions->one_row);
    else
        linear_rows(tile, &functions->many);
}

void loam_avx2_panel_unit(struct unit_integers *out, const struct weight_type *type,
                          const void *unit, size_t blocks)
{
    functions_of(type)->integers(out, unit, blocks * type->block_elements / 32);
}

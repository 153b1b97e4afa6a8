/* SPDX-License-Identifier: MIT */
/*
 * Products of many rows at the level avx2. A panel of packed weights is unpacked, 256
 * numbers at a time, to bytes in the order in which they are read, once for up to PART
 * fours of rows. Four rows and the halves of the panel make eight sums, which stay in
 * registers and share each load. Functions for one row (linear_row.c) and few (linear_packed.h)
 * take fewer.
 *
 * Pairs of products of unsigned weights are summed in 16 bits, as many as cannot
 * overflow (15 * 127 * 2 eight times, 31 * 127 * 2 four times, 63 * 127 * 2 twice); the
 * step to 32 bits multiplies by the sub-scale for nothing.
 *
 * Q8_0 has signed bytes. The signs of weights go to the activations: w * x = |w| * (-x)
 * where w is negative, and -x is ~x + 1, so that
 *
 *     sum w * x = sum |w| * (x ^ n) + sum of |w| of the negative,   n = w < 0 ? -1 : 0
 *
 * whose second part is the same for all rows. A pair of these fits in 16 bits, two do not.
 *
 * Bound, in operations for 256 products, on three ports (Intel) or four (AMD) of which
 * two multiply: 17 in a sub-block of Q4_K, 18 of Q5_K, 21 of Q6_K (13 of them multiply),
 * 20 in a step of Q4_0, 35 of Q8_0.
 */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_ROWS_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_ROWS_H

#include "cpu/x86/panel256.h"

enum {
    TOGETHER = 4, /* rows */
    PART = 32,    /* fours of rows */
    NUMBERS = 256,
    STEPS = NUMBERS / 32
};

/* How the numbers of a type are multiplied; constants. */
struct form {
    bool has_signs;
    bool minima;
    size_t step;  /* numbers with a float step: 16, 32, 256 */
    size_t depth; /* words whose products fit in 16 bits together, a divisor of 4 or 8 */
    /* Steps of 16 and 32: comes off each number, by the sums of activations. */
    int32_t offset;
    /* Steps of 256: numbers with one scale, 16 or 32, and with one pair (below), 16, 32 or
     * 0. Pairs are minima, or what comes off the sum for the offset of numbers. */
    size_t run, pair;
};

/* Up to 256 numbers of a panel: words v of four, outputs o. */
struct chunk {
    _Alignas(64) uint8_t q[NUMBERS / 4][PANEL_ROWS][4]; /* with signs: magnitudes */
    uint8_t negative[NUMBERS / 4][PANEL_ROWS][4];       /* 255 or 0 */
    /* Of magnitudes of the negative, of each step, for steps of 256 times their scales. */
    int32_t sums[STEPS][PANEL_ROWS];
    int16_t scales[NUMBERS / 16][PANEL_ROWS][2];                /* twice */
    int16_t pairs[STEPS][PANEL_ROWS][2];                        /* of two runs */
    float d[NUMBERS / 16][PANEL_ROWS], less[STEPS][PANEL_ROWS]; /* less: -dmin */
};

/* What goes with the activations of four rows at a chunk. */
struct beside {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups; /* as of struct rows */
};

/* A type: how a chunk is unpacked and multiplied. */
struct chunk_type {
    void (*unpack)(struct chunk *out, const struct weight_type *type, const void *units,
                   size_t steps);
    void (*add)(float (*acc)[PANEL_ROWS], const struct chunk *chunk, const struct beside *x,
                size_t steps);
};

INLINE void put(void *line, size_t half, __m256i bytes)
{
    _mm256_store_si256((__m256i *)(void *)((unsigned char *)line + 32 * half), bytes);
}

INLINE void put_halves(float out[PANEL_ROWS], const uint16_t in[PANEL_ROWS])
{
    _mm256_store_ps(out, halves(in));
    _mm256_store_ps(out + 8, halves(in + 8));
}

/* ---- products ---------------------------------------------------------------------- */

/* Sums of rows and halves of a panel. */
typedef __m256i products[TOGETHER][2];

/* The products of a row before their sums: 5.05 cycles on Zen 3 for a word of four rows,
 * else 5.4. */
#define BOTH_IN_ORDER(sums) __asm__ volatile("" : "+x"((sums)[0]), "+x"((sums)[1]))

/* sum = products of `count` words from v on, in pairs of 16 bits; q: the rows' words. */
INLINE void multiply_words(products sum, const struct chunk *chunk, size_t v, size_t count,
                           const int8_t *q, size_t stride)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) {
        __m256i low = load(chunk->q[v + i]), high = load(chunk->q[v + i][8]);
        for (size_t r = 0; r < TOGETHER; r++) {
            __m256i x = words(q + r * stride + 4 * i), pairs[2];
            pairs[0] = _mm256_maddubs_epi16(low, x);
            pairs[1] = _mm256_maddubs_epi16(high, x);
            BOTH_IN_ORDER(pairs);
            sum[r][0] = i ? _mm256_add_epi16(sum[r][0], pairs[0]) : pairs[0];
            sum[r][1] = i ? _mm256_add_epi16(sum[r][1], pairs[1]) : pairs[1];
            BOTH_IN_ORDER(sum[r]);
        }
    }
}

/* sum += products of signed numbers, of `count` words, times a scale of each half. */
INLINE void multiply_signed(products sum, const struct chunk *chunk, size_t v, size_t count,
                            const int8_t *q, size_t stride, const __m256i scale[2])
{
#pragma GCC unroll 8
    for (size_t i = v; i < v + count; i++, q += 4) {
        __m256i low = load(chunk->q[i]), high = load(chunk->q[i][8]);
        __m256i low_negative = load(chunk->negative[i]),
                high_negative = load(chunk->negative[i][8]);
        for (size_t r = 0; r < TOGETHER; r++) {
            __m256i x = words(q + r * stride), pairs[2];
            pairs[0] = _mm256_maddubs_epi16(low, _mm256_xor_si256(x, low_negative));
            pairs[1] = _mm256_maddubs_epi16(high, _mm256_xor_si256(x, high_negative));
            BOTH_IN_ORDER(pairs);
            sum[r][0] = add_pairs(sum[r][0], pairs[0], scale[0]);
            sum[r][1] = add_pairs(sum[r][1], pairs[1], scale[1]);
            BOTH_IN_ORDER(sum[r]);
        }
    }
}

/* out[r][i]: `factor` times sums of activations, `count` of each row. */
INLINE void times_sums(int32_t (*out)[2 * STEPS], const int16_t *sums, size_t stride, size_t count,
                       int32_t factor)
{
    for (size_t r = 0; r < TOGETHER; r++, sums += stride)
        for (size_t i = 0; i < count; i += STEPS)
            if (count - i >= STEPS)
                _mm256_store_si256((__m256i *)(void *)(out[r] + i),
                                   _mm256_mullo_epi32(_mm256_cvtepi16_epi32(_mm_loadu_si128(
                                                          (const void *)(sums + i))),
                                                      _mm256_set1_epi32(factor)));
            else
                for (size_t s = i; s < count; s++)
                    out[r][s] = factor * sums[s];
}

/* total = fma(d * d_x, (float)sum, total) in memory */
INLINE void add_step(float total[8], const float d[8], __m256 d_x, __m256i sum)
{
    __m256 scale = _mm256_mul_ps(_mm256_load_ps(d), d_x);
    _mm256_store_ps(total, _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), _mm256_load_ps(total)));
}

/* sum = the products of a step, of `count` words from v on. */
INLINE void multiply_step(products sum, const struct chunk *chunk, size_t v, size_t count,
                          const int8_t *q, size_t stride, const struct form form)
{
    const __m256i ones[2] = {_mm256_set1_epi16(1), _mm256_set1_epi16(1)};
    if (form.has_signs) {
        for (size_t r = 0; r < TOGETHER; r++)
            for (size_t half = 0; half < 2; half++)
                sum[r][half] = load(&chunk->sums[v / 8][8 * half]);
        multiply_signed(sum, chunk, v, count, q, stride, ones);
        return;
    }
    for (size_t i = 0; i < count; i += form.depth) {
        products some;
        multiply_words(some, chunk, v + i, form.depth, q + 4 * i, stride);
        for (size_t r = 0; r < TOGETHER; r++)
            for (size_t half = 0; half < 2; half++)
                sum[r][half] =
                    i ? add_pairs(sum[r][half], some[r][half], ones[0]) : madd_ones(some[r][half]);
    }
}

INLINE void add_steps(float (*acc)[PANEL_ROWS], const struct chunk *chunk, const struct beside *x,
                      size_t steps, const struct form form)
{
    const float *scales = x->scales;
    const int8_t *q = x->q;
    size_t width = x->width, groups = x->groups, parts = 32 / form.step;
    bool has_sums = form.offset || form.minima;
    _Alignas(32) int32_t sums[TOGETHER][2 * STEPS];
    if (has_sums)
        times_sums(sums, parts == 1 ? x->sums32 : x->sums16, width / form.step, steps * parts,
                   form.minima ? 1 : form.offset);
    for (size_t s = 0; s < steps * parts; s++, q += form.step) {
        products sum;
        multiply_step(sum, chunk, form.step / 4 * s, form.step / 4, q, width, form);
        __asm__ volatile("" ::: "memory"); /* totals have no registers: not two copies of them */
        for (size_t r = 0; r < TOGETHER; r++) {
            __m256 d_x = _mm256_set1_ps(scales[r * groups + s / parts]);
            __m256i by_sum = has_sums ? words(&sums[r][s]) : _mm256_setzero_si256();
            for (size_t half = 0; half < 2; half++) {
                __m256i dot = sum[r][half];
                if (form.offset)
                    dot = _mm256_sub_epi32(dot, by_sum);
                add_step(&acc[r][8 * half], &chunk->d[s][8 * half], d_x, dot);
                if (form.minima)
                    add_step(&acc[r][8 * half], &chunk->less[s][8 * half], d_x, by_sum);
            }
        }
    }
}

/* sum + the products of `count` pairs with the sums of the activations. */
INLINE __m256i add_all_pairs(__m256i sum, const struct chunk *chunk, size_t half,
                             const int16_t *sums, size_t count)
{
    for (size_t p = 0; p < count; p++)
        sum = add_pairs(sum, load(chunk->pairs[p][8 * half]), words(sums + 2 * p));
    return sum;
}

/* scaled = the sum of all products times their scales. */
INLINE void multiply_scaled(products scaled, const struct chunk *chunk, const struct beside *x,
                            const struct form form)
{
    const int8_t *q = x->q;
    size_t width = x->width, words_of_scale = form.run / 4;
    for (size_t r = 0; r < TOGETHER; r++)
        for (size_t half = 0; half < 2; half++)
            scaled[r][half] =
                form.has_signs ? load(&chunk->sums[0][8 * half]) : _mm256_setzero_si256();
    for (size_t v = 0; v < NUMBERS / 4; v += words_of_scale) {
        const int16_t(*scales)[2] = chunk->scales[v / words_of_scale];
        if (form.has_signs) {
            const __m256i both[2] = {load(scales[0]), load(scales[8])};
            multiply_signed(scaled, chunk, v, words_of_scale, q, width, both);
            q += 4 * words_of_scale;
            continue;
        }
        for (size_t i = 0; i < words_of_scale; i += form.depth, q += 4 * form.depth) {
            products sum;
            multiply_words(sum, chunk, v + i, form.depth, q, width);
            for (size_t r = 0; r < TOGETHER; r++)
                for (size_t half = 0; half < 2; half++)
                    scaled[r][half] =
                        add_pairs(scaled[r][half], sum[r][half], load(scales[8 * half]));
        }
    }
}

INLINE void add_scales(float (*acc)[PANEL_ROWS], const struct chunk *chunk, const struct beside *x,
                       const struct form form)
{
    size_t width = x->width;
    products scaled;
    multiply_scaled(scaled, chunk, x, form);
    for (size_t r = 0; r < TOGETHER; r++) {
        const int16_t *sums =
            form.pair == 32 ? x->sums32 + r * (width / 32) : x->sums16 + r * (width / 16);
        __m256 d_x = _mm256_set1_ps(x->scales[r * x->groups]);
        for (size_t half = 0; half < 2; half++) {
            __m256i sum = scaled[r][half], least = _mm256_setzero_si256();
            size_t pairs = form.pair ? NUMBERS / 2 / form.pair : 0;
            if (!form.minima)
                sum = add_all_pairs(sum, chunk, half, sums, pairs);
            add_step(&acc[r][8 * half], &chunk->d[0][8 * half], d_x, sum);
            if (form.minima)
                add_step(&acc[r][8 * half], &chunk->less[0][8 * half], d_x,
                         add_all_pairs(least, chunk, half, sums, pairs));
        }
    }
}

/* Defines a function for chunk_type.add: a form and its products are constants of it. */
#define ADD_CHUNK(name, ...)                                                                       \
    static __attribute__((noinline)) void name(float(*acc)[PANEL_ROWS], const struct chunk *chunk, \
                                               const struct beside *x, size_t steps)               \
    {                                                                                              \
        const struct form form = __VA_ARGS__;                                                      \
        if (form.step == NUMBERS)                                                                  \
            add_scales(acc, chunk, x, form);                                                       \
        else                                                                                       \
            add_steps(acc, chunk, x, steps, form);                                                 \
    }

/* ---- rows and panels ---------------------------------------------------------------- */

/* Rows are taken by fours. The last four begin early, so that there are four: some rows
 * are then computed twice, to the same bits. */
INLINE size_t four_at(const struct linear_tile *tile, size_t four)
{
    return loam_min(four * TOGETHER, tile->rows - TOGETHER);
}

/* One panel for `fours` fours of rows from `first` on, at most PART. */
static void one_panel(const struct linear_tile *tile, const struct chunk_type *type, size_t output,
                      size_t first, size_t fours)
{
    size_t width = tile->width, groups = width / tile->type->activation_group;
    const unsigned char *weights =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    const struct weight_packing *packing = tile->type->packing;
    struct chunk chunk;
    _Alignas(32) float acc[PART][TOGETHER][PANEL_ROWS];
    memset(acc, 0, fours * sizeof *acc);
    for (size_t k = 0; k < width; k += NUMBERS) {
        size_t steps = loam_min(STEPS, (width - k) / 32);
        size_t bytes = NUMBERS / packing->unit_elements * packing->unit_bytes;
        if (first == 0)
            stream_lines(weights, bytes);
        type->unpack(&chunk, tile->type, weights, steps);
        weights += bytes;
        for (size_t i = 0; i < fours; i++) {
            size_t row = four_at(tile, first + i);
            struct beside x = {.q = tile->q + row * width + k,
                               .scales =
                                   tile->scales + row * groups + k / tile->type->activation_group,
                               .sums32 = tile->sums32 + row * (width / 32) + k / 32,
                               .sums16 = tile->sums16 + row * (width / 16) + k / 16,
                               .width = width,
                               .groups = groups};
            type->add(acc[i], &chunk, &x, steps);
        }
    }
    size_t count = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t i = 0; i < fours; i++)
        for (size_t r = 0; r < TOGETHER; r++)
            store(tile, four_at(tile, first + i) + r, output, count,
                  (__m256[2]){_mm256_load_ps(acc[i][r]), _mm256_load_ps(acc[i][r] + 8)});
}

/* TOGETHER rows at least. */
static void linear_rows(const struct linear_tile *tile, const struct chunk_type *type)
{
    size_t end = tile->first_output + tile->output_count;
    size_t fours = (tile->rows + TOGETHER - 1) / TOGETHER;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
        for (size_t i = 0; i < fours; i += PART)
            one_panel(tile, type, output, i, loam_min(PART, fours - i));
}

#endif

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
#include "cpu/x86/panel256.h"
#include "cpu/x86/x86.h"

enum {
    LEAST_ROWS = 8,
    TOGETHER = 4, /* rows */
    PART = 32,    /* fours of rows */
    NUMBERS = 256,
    STEPS = NUMBERS / 32
};

/* What of 256 numbers is multiplied apart before the float step. */
enum form {
    SIGNED_STEPS,     /* each 32 have a float step; signs apart */
    STEPS_OF_32,      /* likewise; an offset comes off by the sums */
    SCALES_OF_32,     /* integer scales, and minima */
    SCALES_OF_16_LESS /* integer scales of 16; 32 comes off each number */
};

/* Up to 256 numbers of a panel: words v of four, outputs o. */
struct chunk {
    _Alignas(64) uint8_t q[NUMBERS / 4][PANEL_ROWS][4];
    union {
        struct {
            uint8_t negative[NUMBERS / 4][PANEL_ROWS][4]; /* 255 or 0 */
            int32_t sums[STEPS][PANEL_ROWS];              /* of the magnitudes of the negative */
        };
        struct {
            int16_t scales[NUMBERS / 16][PANEL_ROWS][2]; /* twice */
            int16_t pairs[STEPS][PANEL_ROWS][2]; /* minima of 64 numbers, or -32 scales of 32 */
        };
    };
    float d[STEPS][PANEL_ROWS], less[PANEL_ROWS]; /* less: -dmin */
};

/* What goes with the activations of four rows at a chunk. */
struct beside {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups; /* as of struct rows */
};

/* A type: how a chunk is unpacked and multiplied, and who takes one row and few. */
struct type {
    void (*unpack)(struct chunk *out, const void *units, size_t steps);
    void (*add)(float (*acc)[PANEL_ROWS], const struct chunk *chunk, const struct beside *x,
                size_t steps);
    size_t unit_bytes, unit_elements;
    void (*one_row)(const struct linear_tile *tile), (*few_rows)(const struct linear_tile *tile);
};

/* ---- unpacking ------------------------------------------------------------------- */

INLINE void put(void *line, size_t half, __m256i bytes)
{
    _mm256_store_si256((__m256i *)(void *)((unsigned char *)line + 32 * half), bytes);
}

INLINE void put_halves(float out[PANEL_ROWS], const uint16_t in[PANEL_ROWS])
{
    _mm256_store_ps(out, halves(in));
    _mm256_store_ps(out + 8, halves(in + 8));
}

static void unpack_q8_0(struct chunk *out, const void *units, size_t steps)
{
    const struct unit_q8_0 *unit = units;
    for (size_t s = 0; s < steps; s++, unit += s % 2 == 0) {
        for (size_t half = 0; half < 2; half++) {
            __m256i sum = _mm256_setzero_si256();
            for (size_t v = 0; v < 8; v++) {
                __m256i q = load(unit->q[s % 2][v][8 * half]), magnitude = _mm256_abs_epi8(q);
                __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), q);
                __m256i ones = _mm256_and_si256(negative, _mm256_set1_epi8(1));
                sum = _mm256_add_epi32(sum, madd_ones(_mm256_maddubs_epi16(magnitude, ones)));
                put(out->q[8 * s + v], half, magnitude);
                put(out->negative[8 * s + v], half, negative);
            }
            put(out->sums[s], half, sum);
        }
        put_halves(out->d[s], unit->d[s % 2]);
    }
}

/* 32 numbers of 4 bits from word v on. */
INLINE void unpack_nibbles(struct chunk *out, size_t v, const uint8_t (*q)[16][4])
{
    for (size_t i = 0; i < 4; i++)
        for (size_t half = 0; half < 2; half++) {
            __m256i bytes = load(q[i][8 * half]);
            put(out->q[v + i], half, _mm256_and_si256(bytes, nibble_mask()));
            put(out->q[v + 4 + i], half, high_nibbles(bytes));
        }
}

static void unpack_q4_0(struct chunk *out, const void *units, size_t steps)
{
    const struct unit_q4_0 *unit = units;
    for (size_t s = 0; s < steps; s++, unit += s % 2 == 0) {
        unpack_nibbles(out, 8 * s, unit->q[s % 2]);
        put_halves(out->d[s], unit->d[s % 2]);
    }
}

INLINE void unpack_k(struct chunk *out, const uint16_t *d, const uint16_t *dmin,
                     const uint8_t (*scales)[16], const uint8_t (*mins)[16][2])
{
    put_halves(out->d[0], d);
    for (size_t half = 0; half < 2; half++) {
        __m256 negative = _mm256_xor_ps(halves(dmin + 8 * half), _mm256_set1_ps(-0.0f));
        _mm256_store_ps(&out->less[8 * half], negative);
        for (size_t s = 0; s < 8; s++)
            put(out->scales[s], half, k_scale(scales[s], half));
        for (size_t p = 0; p < 4; p++)
            put(out->pairs[p], half,
                _mm256_cvtepu8_epi16(_mm_load_si128((const __m128i *)mins[p][8 * half])));
    }
}

static void unpack_q4_k(struct chunk *out, const void *units, size_t steps)
{
    const struct unit_q4_k *unit = units;
    unpack_k(out, unit->d, unit->dmin, unit->scales, unit->mins);
    for (size_t s = 0; s < steps; s++)
        unpack_nibbles(out, 8 * s, unit->q[s]);
}

static void unpack_q5_k(struct chunk *out, const void *units, size_t steps)
{
    const struct unit_q5_k *unit = units;
    unpack_k(out, unit->d, unit->dmin, unit->scales, unit->mins);
    for (size_t s = 0; s < steps; s++)
        for (size_t v = 0; v < 4; v++)
            for (size_t half = 0; half < 2; half++) {
                __m256i low, high;
                q5_k_words(&low, &high, load(unit->sub_blocks[s].q[v][8 * half]),
                           load(unit->sub_blocks[s].high[8 * half]), v);
                put(out->q[8 * s + v], half, low);
                put(out->q[8 * s + 4 + v], half, high);
            }
}

static void unpack_q6_k(struct chunk *out, const void *units, size_t steps)
{
    const struct unit_q6_k *unit = units;
    put_halves(out->d[0], unit->d);
    for (size_t p = 0; p < steps; p++)
        for (size_t half = 0; half < 2; half++) {
            __m256i scales = q6_k_scales(unit, p, half);
            put(out->pairs[p], half, q6_k_offsets(scales));
            for (size_t i = 0; i < 2; i++) {
                put(out->scales[2 * p + i], half, pair_scale(scales, (int)i));
                for (size_t v = 0; v < 4; v++)
                    put(out->q[8 * p + 4 * i + v], half, q6_k_word(unit, p, i, v, half, 0));
            }
        }
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

/* sum += products of 32 signed numbers. */
INLINE void multiply_signed(products sum, const struct chunk *chunk, size_t v, const int8_t *q,
                            size_t stride)
{
#pragma GCC unroll 8
    for (size_t i = v; i < v + 8; i++, q += 4) {
        __m256i low = load(chunk->q[i]), high = load(chunk->q[i][8]);
        __m256i low_negative = load(chunk->negative[i]),
                high_negative = load(chunk->negative[i][8]);
        for (size_t r = 0; r < TOGETHER; r++) {
            __m256i x = words(q + r * stride), pairs[2];
            pairs[0] = _mm256_maddubs_epi16(low, _mm256_xor_si256(x, low_negative));
            pairs[1] = _mm256_maddubs_epi16(high, _mm256_xor_si256(x, high_negative));
            BOTH_IN_ORDER(pairs);
            sum[r][0] = _mm256_add_epi32(sum[r][0], madd_ones(pairs[0]));
            sum[r][1] = _mm256_add_epi32(sum[r][1], madd_ones(pairs[1]));
            BOTH_IN_ORDER(sum[r]);
        }
    }
}

/* out[r][s]: what comes off the sums of step s. */
INLINE void step_offsets(int32_t out[TOGETHER][STEPS], const struct beside *x, size_t steps,
                         int32_t offset)
{
    for (size_t r = 0; r < TOGETHER; r++) {
        const int16_t *sums = x->sums32 + r * (x->width / 32);
        if (steps == STEPS)
            _mm256_store_si256(
                (__m256i *)(void *)out[r],
                _mm256_mullo_epi32(_mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)sums)),
                                   _mm256_set1_epi32(offset)));
        else
            for (size_t s = 0; s < steps; s++)
                out[r][s] = offset * sums[s];
    }
}

/* total = fma(d * d_x, (float)sum, total) in memory */
INLINE void add_step(float total[8], const float d[8], __m256 d_x, __m256i sum)
{
    __m256 scale = _mm256_mul_ps(_mm256_load_ps(d), d_x);
    _mm256_store_ps(total, _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum), _mm256_load_ps(total)));
}

INLINE void add_steps(float (*acc)[PANEL_ROWS], const struct chunk *chunk, const struct beside *x,
                      size_t steps, enum form form, int32_t offset)
{
    const float *scales = x->scales;
    const int8_t *q = x->q;
    size_t width = x->width, groups = x->groups;
    _Alignas(32) int32_t offsets[TOGETHER][STEPS];
    if (form == STEPS_OF_32)
        step_offsets(offsets, x, steps, offset);
    for (size_t s = 0; s < steps; s++, q += 32) {
        products sum;
        if (form == SIGNED_STEPS) {
            for (size_t r = 0; r < TOGETHER; r++)
                for (size_t half = 0; half < 2; half++)
                    sum[r][half] = load(&chunk->sums[s][8 * half]);
            multiply_signed(sum, chunk, 8 * s, q, width);
        } else {
            multiply_words(sum, chunk, 8 * s, 8, q, width);
        }
        __asm__ volatile("" ::: "memory"); /* totals have no registers: not two copies of them */
        for (size_t r = 0; r < TOGETHER; r++) {
            __m256 d_x = _mm256_set1_ps(scales[r * groups + s]);
            for (size_t half = 0; half < 2; half++) {
                __m256i dot = sum[r][half];
                if (form == STEPS_OF_32)
                    dot = _mm256_sub_epi32(madd_ones(dot), words(&offsets[r][s]));
                add_step(&acc[r][8 * half], &chunk->d[s][8 * half], d_x, dot);
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

INLINE void add_scales(float (*acc)[PANEL_ROWS], const struct chunk *chunk, const struct beside *x,
                       enum form form, size_t depth)
{
    const int8_t *q = x->q;
    size_t width = x->width, words_of_scale = form == SCALES_OF_32 ? 8 : 4;
    products scaled;
    for (size_t r = 0; r < TOGETHER; r++)
        scaled[r][0] = scaled[r][1] = _mm256_setzero_si256();
    for (size_t v = 0; v < NUMBERS / 4; v += words_of_scale) {
        const int16_t(*scales)[2] = chunk->scales[v / words_of_scale];
        for (size_t i = 0; i < words_of_scale; i += depth, q += 4 * depth) {
            products sum;
            multiply_words(sum, chunk, v + i, depth, q, width);
            for (size_t r = 0; r < TOGETHER; r++)
                for (size_t half = 0; half < 2; half++)
                    scaled[r][half] =
                        add_pairs(scaled[r][half], sum[r][half], load(scales[8 * half]));
        }
    }
    for (size_t r = 0; r < TOGETHER; r++) {
        const int16_t *sums =
            form == SCALES_OF_32 ? x->sums32 + r * (width / 32) : x->sums16 + r * (width / 16);
        __m256 d_x = _mm256_set1_ps(x->scales[r * x->groups]);
        for (size_t half = 0; half < 2; half++) {
            __m256i sum = scaled[r][half], least = _mm256_setzero_si256();
            if (form == SCALES_OF_16_LESS)
                sum = add_all_pairs(sum, chunk, half, sums, 8);
            add_step(&acc[r][8 * half], &chunk->d[0][8 * half], d_x, sum);
            if (form == SCALES_OF_32)
                add_step(&acc[r][8 * half], &chunk->less[8 * half], d_x,
                         add_all_pairs(least, chunk, half, sums, 4));
        }
    }
}

static __attribute__((noinline)) void add_q8_0(float (*acc)[PANEL_ROWS], const struct chunk *chunk,
                                               const struct beside *x, size_t steps)
{
    add_steps(acc, chunk, x, steps, SIGNED_STEPS, 0);
}

static __attribute__((noinline)) void add_q4_0(float (*acc)[PANEL_ROWS], const struct chunk *chunk,
                                               const struct beside *x, size_t steps)
{
    add_steps(acc, chunk, x, steps, STEPS_OF_32, 8);
}

static __attribute__((noinline)) void add_q4_k(float (*acc)[PANEL_ROWS], const struct chunk *chunk,
                                               const struct beside *x, size_t steps)
{
    (void)steps; /* eight */
    add_scales(acc, chunk, x, SCALES_OF_32, 8);
}

static __attribute__((noinline)) void add_q5_k(float (*acc)[PANEL_ROWS], const struct chunk *chunk,
                                               const struct beside *x, size_t steps)
{
    (void)steps; /* eight */
    add_scales(acc, chunk, x, SCALES_OF_32, 4);
}

static __attribute__((noinline)) void add_q6_k(float (*acc)[PANEL_ROWS], const struct chunk *chunk,
                                               const struct beside *x, size_t steps)
{
    (void)steps; /* eight */
    add_scales(acc, chunk, x, SCALES_OF_16_LESS, 2);
}

/* ---- rows and panels ---------------------------------------------------------------- */

/* Rows are taken by fours. The last four begin early, so that there are four: some rows
 * are then computed twice, to the same bits. */
INLINE size_t four_at(const struct linear_tile *tile, size_t four)
{
    return loam_min(four * TOGETHER, tile->rows - TOGETHER);
}

/* One panel for `fours` fours of rows from `first` on, at most PART. */
static void one_panel(const struct linear_tile *tile, const struct type *type, size_t output,
                      size_t first, size_t fours)
{
    size_t width = tile->width, groups = width / tile->type->activation_group;
    const unsigned char *weights =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct chunk chunk;
    _Alignas(32) float acc[PART][TOGETHER][PANEL_ROWS];
    memset(acc, 0, fours * sizeof *acc);
    for (size_t k = 0; k < width; k += NUMBERS) {
        size_t steps = loam_min(STEPS, (width - k) / 32);
        size_t bytes = NUMBERS / type->unit_elements * type->unit_bytes;
        if (first == 0)
            stream_lines(weights, bytes);
        type->unpack(&chunk, weights, steps);
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

INLINE void linear_rows(const struct linear_tile *tile, const struct type *type)
{
    if (tile->rows < LEAST_ROWS) {
        (tile->rows == 1 ? type->one_row : type->few_rows)(tile);
        return;
    }
    size_t end = tile->first_output + tile->output_count;
    size_t fours = (tile->rows + TOGETHER - 1) / TOGETHER;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
        for (size_t i = 0; i < fours; i += PART)
            one_panel(tile, type, output, i, loam_min(PART, fours - i));
}

void loam_avx2_linear_q8_0(const struct linear_tile *tile)
{
    static const struct type type = {.unpack = unpack_q8_0,
                                     .add = add_q8_0,
                                     .unit_bytes = sizeof(struct unit_q8_0),
                                     .unit_elements = 64,
                                     .one_row = loam_avx2_one_row_q8_0,
                                     .few_rows = loam_avx2_few_rows_q8_0};
    linear_rows(tile, &type);
}

void loam_avx2_linear_q4_0(const struct linear_tile *tile)
{
    static const struct type type = {.unpack = unpack_q4_0,
                                     .add = add_q4_0,
                                     .unit_bytes = sizeof(struct unit_q4_0),
                                     .unit_elements = 64,
                                     .one_row = loam_avx2_one_row_q4_0,
                                     .few_rows = loam_avx2_few_rows_q4_0};
    linear_rows(tile, &type);
}

void loam_avx2_linear_q4_k(const struct linear_tile *tile)
{
    static const struct type type = {.unpack = unpack_q4_k,
                                     .add = add_q4_k,
                                     .unit_bytes = sizeof(struct unit_q4_k),
                                     .unit_elements = 256,
                                     .one_row = loam_avx2_one_row_q4_k,
                                     .few_rows = loam_avx2_few_rows_q4_k};
    linear_rows(tile, &type);
}

void loam_avx2_linear_q5_k(const struct linear_tile *tile)
{
    static const struct type type = {.unpack = unpack_q5_k,
                                     .add = add_q5_k,
                                     .unit_bytes = sizeof(struct unit_q5_k),
                                     .unit_elements = 256,
                                     .one_row = loam_avx2_one_row_q5_k,
                                     .few_rows = loam_avx2_few_rows_q5_k};
    linear_rows(tile, &type);
}

void loam_avx2_linear_q6_k(const struct linear_tile *tile)
{
    static const struct type type = {.unpack = unpack_q6_k,
                                     .add = add_q6_k,
                                     .unit_bytes = sizeof(struct unit_q6_k),
                                     .unit_elements = 256,
                                     .one_row = loam_avx2_one_row_q6_k,
                                     .few_rows = loam_avx2_few_rows_q6_k};
    linear_rows(tile, &type);
}

/* SPDX-License-Identifier: MIT */
/*
 * Products of many rows at the level avx512. Two panels of packed weights are
 * unpacked, 256 numbers at a time, to unsigned bytes in the order in which they are
 * read, once for up to PART sixes of rows; six rows and two panels make twelve sums side by
 * side, which vpdpbusd's latency of five cycles at two a cycle needs, and share each
 * load. Functions for few rows (avx512.c) take a panel that remains.
 *
 * Bound: two operations a cycle. For 256 numbers of 16 outputs and a row 64 products
 * (of 64 multiply-adds each), and in steps of 32 three others each (Q8_0, Q4_0: 88
 * operations, 73 % of the products' rate); two for each sub-scale, one for each pair of
 * offsets, 6 for minima and 3 for the float step (Q4_K, Q5_K 90: 71 %, Q6_K 107: 60 %).
 */
#include "cpu/x86/panel512.h"
#include "cpu/x86/stream.h"
#include "cpu/x86/unpack512.h"
#include "cpu/x86/x86.h"

enum { LEAST_ROWS = 24, ROWS = 6, PANELS = 2, PART = 11, NUMBERS = 256, STEPS = NUMBERS / 32 };

/* What of 256 numbers is multiplied apart before the float step. */
enum form {
    STEPS_OF_32,      /* each 32 have a float step; an offset comes off by the sums */
    SCALES_OF_32,     /* integer scales, and minima */
    SCALES_OF_16_LESS /* integer scales of 16; 32 comes off each number */
};

/* Up to 256 numbers of two panels. */
struct chunk {
    _Alignas(64) uint8_t q[NUMBERS / 4][PANELS][PANEL_ROWS][4]; /* [v][p][o][j]: number 4 v + j */
    int16_t scales[NUMBERS / 16][PANELS][PANEL_ROWS][2];        /* as add_scaled takes them */
    int16_t pairs[STEPS][PANELS][PANEL_ROWS][2]; /* minima of 64 numbers, or -32 scales of 32 */
    float d[STEPS][PANELS][PANEL_ROWS], dmin[PANELS][PANEL_ROWS];
};

/* What goes with the activations of a row at a chunk. */
struct beside {
    _Alignas(32) float scales[STEPS];
    union {
        int32_t offsets[STEPS]; /* with which sums begin */
        int16_t sums[NUMBERS / 16];
    };
};

/* A type: what a chunk of it is, and who takes few rows. */
struct type {
    enum form form;
    int32_t offset; /* of steps */
    void (*unpack)(struct chunk *out, size_t panel, const void *units, size_t steps);
    size_t unit_bytes, unit_elements;
    void (*few_rows)(const struct linear_tile *tile);
};

/* ---- unpacking ------------------------------------------------------------------- */

static void unpack_q8_0(struct chunk *out, size_t panel, const void *units, size_t steps)
{
    const struct unit_q8_0 *unit = units;
    for (size_t s = 0; s < steps; s++, unit += s % 2 == 0) {
        for (size_t v = 0; v < 8; v++) {
            __m512i bytes = _mm512_xor_si512(load(unit->q[s % 2][v]), _mm512_set1_epi8(-128));
            _mm512_store_si512(out->q[8 * s + v][panel], bytes);
        }
        _mm512_store_ps(out->d[s][panel], halves(unit->d[s % 2]));
    }
}

/* 32 numbers of 4 bits from word v on. */
INLINE void unpack_nibbles(struct chunk *out, size_t panel, size_t v, const uint8_t (*q)[16][4])
{
    for (size_t i = 0; i < 4; i++) {
        __m512i bytes = load(q[i]);
        _mm512_store_si512(out->q[v + i][panel], low_nibbles(bytes));
        _mm512_store_si512(out->q[v + 4 + i][panel], high_nibbles(bytes));
    }
}

static void unpack_q4_0(struct chunk *out, size_t panel, const void *units, size_t steps)
{
    const struct unit_q4_0 *unit = units;
    for (size_t s = 0; s < steps; s++, unit += s % 2 == 0) {
        unpack_nibbles(out, panel, 8 * s, unit->q[s % 2]);
        _mm512_store_ps(out->d[s][panel], halves(unit->d[s % 2]));
    }
}

INLINE void unpack_k(struct chunk *out, size_t panel, const uint16_t *d, const uint16_t *dmin,
                     const uint8_t (*scales)[16], const uint8_t (*mins)[16][2])
{
    _mm512_store_ps(out->d[0][panel], halves(d));
    _mm512_store_ps(out->dmin[panel], halves(dmin));
    for (size_t s = 0; s < 8; s++)
        _mm512_store_si512(out->scales[s][panel], pair_scale(k_scale(scales[s]), 0));
    for (size_t p = 0; p < 4; p++) {
        __m256i pairs = _mm256_load_si256((const __m256i *)(const void *)mins[p]);
        _mm512_store_si512(out->pairs[p][panel], _mm512_cvtepu8_epi16(pairs));
    }
}

static void unpack_q4_k(struct chunk *out, size_t panel, const void *units, size_t steps)
{
    const struct unit_q4_k *unit = units;
    unpack_k(out, panel, unit->d, unit->dmin, unit->scales, unit->mins);
    for (size_t s = 0; s < steps; s++)
        unpack_nibbles(out, panel, 8 * s, unit->q[s]);
}

static void unpack_q5_k(struct chunk *out, size_t panel, const void *units, size_t steps)
{
    const struct unit_q5_k *unit = units;
    unpack_k(out, panel, unit->d, unit->dmin, unit->scales, unit->mins);
    for (size_t s = 0; s < steps; s++)
        for (size_t v = 0; v < 4; v++) {
            __m512i low, high;
            q5_k_words(&low, &high, load(unit->sub_blocks[s].q[v]), load(unit->sub_blocks[s].high),
                       v);
            _mm512_store_si512(out->q[8 * s + v][panel], low);
            _mm512_store_si512(out->q[8 * s + 4 + v][panel], high);
        }
}

static void unpack_q6_k(struct chunk *out, size_t panel, const void *units, size_t steps)
{
    const struct unit_q6_k *unit = units;
    _mm512_store_ps(out->d[0][panel], halves(unit->d));
    for (size_t p = 0; p < steps; p++) {
        __m512i scales = q6_k_scales(unit, p);
        __m512i high0 = load(unit->pairs[p].high[0]), high1 = load(unit->pairs[p].high[1]);
        _mm512_store_si512(out->scales[2 * p][panel], pair_scale(scales, 0));
        _mm512_store_si512(out->scales[2 * p + 1][panel], pair_scale(scales, 1));
        _mm512_store_si512(out->pairs[p][panel], q6_k_offsets(scales));
        for (size_t v = 0; v < 4; v++) {
            __m512i low, high;
            q6_k_words(&low, &high, load(unit->pairs[p].q[v]), high0, high1, v);
            _mm512_store_si512(out->q[8 * p + v][panel], low);
            _mm512_store_si512(out->q[8 * p + 4 + v][panel], high);
        }
    }
}

/* ---- products ---------------------------------------------------------------------- */

/* Sums of rows and panels. */
typedef __m512i products[ROWS][PANELS];

INLINE void clear(products sum)
{
    for (int r = 0; r < ROWS; r++)
        for (int p = 0; p < PANELS; p++)
            sum[r][p] = _mm512_setzero_si512();
}

/* sum += products of `count` words from v on; q: the rows' words, `stride` apart. */
INLINE void multiply(products sum, const struct chunk *chunk, size_t v, size_t count,
                     const int8_t *q, size_t stride)
{
    const int8_t *upper = q + 3 * stride; /* six rows from two registers and their distance */
    __asm__("" : "+r"(upper));
#pragma GCC unroll 8
    for (size_t i = 0; i < count; i++) {
        __m512i weights[PANELS];
        for (size_t p = 0; p < PANELS; p++)
            weights[p] = load(chunk->q[v + i][p]);
        for (size_t r = 0; r < ROWS; r++) {
            __m512i x = words((r < 3 ? q + r * stride : upper + (r - 3) * stride) + 4 * i);
            for (size_t p = 0; p < PANELS; p++)
                sum[r][p] = _mm512_dpbusd_epi32(sum[r][p], weights[p], x);
        }
    }
}

static __attribute__((noinline)) void add_steps(float (*acc)[PANELS][PANEL_ROWS],
                                                const struct chunk *chunk, const struct beside *x,
                                                const int8_t *q, size_t stride, size_t steps)
{
    __m512 total[ROWS][PANELS];
    for (int r = 0; r < ROWS; r++)
        for (int p = 0; p < PANELS; p++)
            total[r][p] = _mm512_load_ps(acc[r][p]);
    size_t s = 0;
    do { /* at least once: else gcc keeps `total` in memory */
        products sum;
        for (int r = 0; r < ROWS; r++)
            for (int p = 0; p < PANELS; p++)
                sum[r][p] = words(&x[r].offsets[s]);
        multiply(sum, chunk, 8 * s, 8, q, stride);
        for (int p = 0; p < PANELS; p++) {
            __m512 d = _mm512_load_ps(chunk->d[s][p]);
            for (int r = 0; r < ROWS; r++)
                total[r][p] = step(total[r][p], d, x[r].scales[s], _mm512_cvtepi32_ps(sum[r][p]));
        }
        q += 32;
    } while (++s < steps);
    for (int r = 0; r < ROWS; r++)
        for (int p = 0; p < PANELS; p++)
            _mm512_store_ps(acc[r][p], total[r][p]);
}

/* scaled += sum * scales */
INLINE void add_all_scaled(products scaled, products sum, const int16_t (*scales)[PANEL_ROWS][2])
{
    for (int p = 0; p < PANELS; p++) {
        __m512i scale = load(scales[p]);
        for (int r = 0; r < ROWS; r++)
            scaled[r][p] = add_scaled(scaled[r][p], sum[r][p], scale);
    }
}

/* The products of `count` pairs with the sums of the activations. */
INLINE __m512i pair_products(__m512i sum, const struct chunk *chunk, int p, const int16_t *sums,
                             size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum = _mm512_dpwssd_epi32(sum, load(chunk->pairs[i][p]), words(sums + 2 * i));
    return sum;
}

INLINE void add_scales(float (*acc)[PANELS][PANEL_ROWS], const struct chunk *chunk,
                       const struct beside *x, const int8_t *q, size_t stride, enum form form)
{
    products scaled;
    clear(scaled);
    for (size_t s = 0; s < STEPS; s++, q += 32) {
        products sum;
        clear(sum);
        if (form == SCALES_OF_32) {
            multiply(sum, chunk, 8 * s, 8, q, stride);
            add_all_scaled(scaled, sum, chunk->scales[s]);
            continue;
        }
        multiply(sum, chunk, 8 * s, 4, q, stride);
        add_all_scaled(scaled, sum, chunk->scales[2 * s]);
        clear(sum);
        multiply(sum, chunk, 8 * s + 4, 4, q + 16, stride);
        add_all_scaled(scaled, sum, chunk->scales[2 * s + 1]);
    }
    for (int r = 0; r < ROWS; r++)
        for (int p = 0; p < PANELS; p++) {
            const int16_t *sums = x[r].sums;
            float d_x = x[r].scales[0];
            __m512i sum = scaled[r][p], less = _mm512_setzero_si512();
            if (form == SCALES_OF_16_LESS)
                sum = pair_products(sum, chunk, p, sums, 8);
            __m512 total = step(_mm512_load_ps(acc[r][p]), _mm512_load_ps(chunk->d[0][p]), d_x,
                                _mm512_cvtepi32_ps(sum));
            if (form == SCALES_OF_32)
                total = min_step(total, _mm512_load_ps(chunk->dmin[p]), d_x,
                                 pair_products(less, chunk, p, sums, 4));
            _mm512_store_ps(acc[r][p], total);
        }
}

static __attribute__((noinline)) void add_scales_of_32(float (*acc)[PANELS][PANEL_ROWS],
                                                       const struct chunk *chunk,
                                                       const struct beside *x, const int8_t *q,
                                                       size_t stride)
{
    add_scales(acc, chunk, x, q, stride, SCALES_OF_32);
}

static __attribute__((noinline)) void add_scales_of_16(float (*acc)[PANELS][PANEL_ROWS],
                                                       const struct chunk *chunk,
                                                       const struct beside *x, const int8_t *q,
                                                       size_t stride)
{
    add_scales(acc, chunk, x, q, stride, SCALES_OF_16_LESS);
}

/* ---- rows and panels ---------------------------------------------------------------- */

/* Rows are taken by sixes. The last six begin early, so that there are six: some rows
 * are then computed twice, to the same bits. */
INLINE size_t six_at(const struct linear_tile *tile, size_t six)
{
    return loam_min(six * ROWS, tile->rows - ROWS);
}

/* Of the row's numbers from k on, at `steps` steps. */
INLINE void prepare(struct beside *out, const struct linear_tile *tile, const struct type *type,
                    size_t row, size_t k, size_t steps)
{
    size_t at = row * tile->width + k;
    if (type->form == STEPS_OF_32) {
        __mmask8 mask = (__mmask8)((1u << steps) - 1);
        __m128i sums = _mm_maskz_loadu_epi16(mask, tile->sums32 + at / 32);
        __m256i offset = _mm256_set1_epi32(-type->offset);
        _mm256_store_ps(out->scales, _mm256_maskz_loadu_ps(mask, tile->scales + at / 32));
        _mm256_store_si256((__m256i *)(void *)out->offsets,
                           _mm256_mullo_epi32(_mm256_cvtepi16_epi32(sums), offset));
        return;
    }
    out->scales[0] = tile->scales[at / NUMBERS];
    if (type->form == SCALES_OF_32)
        memcpy(out->sums, tile->sums32 + at / 32, 8 * sizeof(int16_t));
    else
        memcpy(out->sums, tile->sums16 + at / 16, 16 * sizeof(int16_t));
}

/* The sums of one row and two panels. */
INLINE void store(const struct linear_tile *tile, size_t row, size_t output, size_t count,
                  const float acc[PANELS][PANEL_ROWS])
{
    for (size_t p = 0; p < PANELS;
         p++, output += PANEL_ROWS, count -= loam_min(count, PANEL_ROWS)) {
        __mmask16 mask = (__mmask16)((1u << loam_min(count, PANEL_ROWS)) - 1);
        __m512 sum = _mm512_load_ps(acc[p]);
        if (tile->bias)
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, tile->bias + output));
        _mm512_mask_storeu_ps(tile->out + row * tile->out_stride + output, mask, sum);
    }
}

/* Two panels for `sixes` sixes of rows from `first` on, at most PART. */
static void two_panels(const struct linear_tile *tile, const struct type *type, size_t output,
                       size_t first, size_t sixes)
{
    size_t width = tile->width, end = tile->first_output + tile->output_count;
    const unsigned char *weights =
        (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
    struct chunk chunk;
    struct beside x[PART][ROWS];
    _Alignas(64) float acc[PART][ROWS][PANELS][PANEL_ROWS];
    memset(acc, 0, sixes * sizeof *acc);
    for (size_t k = 0; k < width; k += NUMBERS) {
        size_t steps = loam_min(STEPS, (width - k) / 32);
        size_t units = k / type->unit_elements * type->unit_bytes;
        for (size_t p = 0; p < PANELS; p++) {
            const unsigned char *from = weights + p * tile->panel_bytes + units;
            if (first == 0)
                stream_lines(from, NUMBERS / type->unit_elements * type->unit_bytes);
            type->unpack(&chunk, p, from, steps);
        }
        for (size_t i = 0; i < sixes; i++)
            for (size_t r = 0; r < ROWS; r++)
                prepare(&x[i][r], tile, type, six_at(tile, first + i) + r, k, steps);
        for (size_t i = 0; i < sixes; i++) {
            const int8_t *q = tile->q + six_at(tile, first + i) * width + k;
            if (type->form == STEPS_OF_32)
                add_steps(acc[i], &chunk, x[i], q, width, steps);
            else if (type->form == SCALES_OF_32)
                add_scales_of_32(acc[i], &chunk, x[i], q, width);
            else
                add_scales_of_16(acc[i], &chunk, x[i], q, width);
        }
    }
    for (size_t i = 0; i < sixes; i++)
        for (size_t r = 0; r < ROWS; r++)
            store(tile, six_at(tile, first + i) + r, output, end - output, acc[i][r]);
}

INLINE void linear(const struct linear_tile *tile, const struct type *type)
{
    size_t output = tile->first_output, end = output + tile->output_count;
    size_t sixes = (tile->rows + ROWS - 1) / ROWS;
    if (tile->rows >= LEAST_ROWS)
        for (; output + PANEL_ROWS < end; output += PANELS * PANEL_ROWS)
            for (size_t i = 0; i < sixes; i += PART)
                two_panels(tile, type, output, i, loam_min(PART, sixes - i));
    if (output < end) { /* few rows, or one panel */
        struct linear_tile rest = *tile;
        rest.first_output = output;
        rest.output_count = end - output;
        type->few_rows(&rest);
    }
}

void loam_avx512_linear_q8_0(const struct linear_tile *tile)
{
    static const struct type type = {.form = STEPS_OF_32,
                                     .offset = 128,
                                     .unpack = unpack_q8_0,
                                     .unit_bytes = sizeof(struct unit_q8_0),
                                     .unit_elements = 64,
                                     .few_rows = loam_avx512_few_rows_q8_0};
    linear(tile, &type);
}

void loam_avx512_linear_q4_0(const struct linear_tile *tile)
{
    static const struct type type = {.form = STEPS_OF_32,
                                     .offset = 8,
                                     .unpack = unpack_q4_0,
                                     .unit_bytes = sizeof(struct unit_q4_0),
                                     .unit_elements = 64,
                                     .few_rows = loam_avx512_few_rows_q4_0};
    linear(tile, &type);
}

void loam_avx512_linear_q4_k(const struct linear_tile *tile)
{
    static const struct type type = {.form = SCALES_OF_32,
                                     .unpack = unpack_q4_k,
                                     .unit_bytes = sizeof(struct unit_q4_k),
                                     .unit_elements = 256,
                                     .few_rows = loam_avx512_few_rows_q4_k};
    linear(tile, &type);
}

void loam_avx512_linear_q5_k(const struct linear_tile *tile)
{
    static const struct type type = {.form = SCALES_OF_32,
                                     .unpack = unpack_q5_k,
                                     .unit_bytes = sizeof(struct unit_q5_k),
                                     .unit_elements = 256,
                                     .few_rows = loam_avx512_few_rows_q5_k};
    linear(tile, &type);
}

void loam_avx512_linear_q6_k(const struct linear_tile *tile)
{
    static const struct type type = {.form = SCALES_OF_16_LESS,
                                     .unpack = unpack_q6_k,
                                     .unit_bytes = sizeof(struct unit_q6_k),
                                     .unit_elements = 256,
                                     .few_rows = loam_avx512_few_rows_q6_k};
    linear(tile, &type);
}

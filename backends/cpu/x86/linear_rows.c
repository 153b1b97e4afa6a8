/* SPDX-License-Identifier: MIT */
/* Products of many rows at the level avx2: see linear_rows.h. */
#include "cpu/x86/linear_rows.h"
#include "cpu/x86/x86.h"

/* ---- unpacking ------------------------------------------------------------------- */

static void unpack_q8_0(struct chunk *out, const struct weight_type *type, const void *units,
                        size_t steps)
{
    (void)type;
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

static void unpack_q4_0(struct chunk *out, const struct weight_type *type, const void *units,
                        size_t steps)
{
    (void)type;
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
        _mm256_store_ps(&out->less[0][8 * half], negative);
        for (size_t s = 0; s < 8; s++)
            put(out->scales[s], half, k_scale(scales[s], half));
        for (size_t p = 0; p < 4; p++)
            put(out->pairs[p], half,
                _mm256_cvtepu8_epi16(_mm_load_si128((const __m128i *)mins[p][8 * half])));
    }
}

static void unpack_q4_k(struct chunk *out, const struct weight_type *type, const void *units,
                        size_t steps)
{
    (void)type;
    const struct unit_q4_k *unit = units;
    unpack_k(out, unit->d, unit->dmin, unit->scales, unit->mins);
    for (size_t s = 0; s < steps; s++)
        unpack_nibbles(out, 8 * s, unit->q[s]);
}

static void unpack_q5_k(struct chunk *out, const struct weight_type *type, const void *units,
                        size_t steps)
{
    (void)type;
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

static void unpack_q6_k(struct chunk *out, const struct weight_type *type, const void *units,
                        size_t steps)
{
    (void)type;
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

/* ---- types ------------------------------------------------------------------------- */

ADD_CHUNK(add_q8_0, {.has_signs = true, .step = 32})
ADD_CHUNK(add_q4_0, {.step = 32, .depth = 8, .offset = 8})
ADD_CHUNK(add_q4_k, {.minima = true, .step = 256, .depth = 8, .run = 32, .pair = 32})
ADD_CHUNK(add_q5_k, {.minima = true, .step = 256, .depth = 4, .run = 32, .pair = 32})
ADD_CHUNK(add_q6_k, {.step = 256, .depth = 2, .run = 16, .pair = 16})

enum { LEAST_ROWS = 8 };

#define LINEAR(name)                                                                               \
    void loam_avx2_linear_##name(const struct linear_tile *tile)                                   \
    {                                                                                              \
        static const struct chunk_type type = {unpack_##name, add_##name};                         \
        if (tile->rows == 1)                                                                       \
            loam_avx2_one_row_##name(tile);                                                        \
        else if (tile->rows < LEAST_ROWS)                                                          \
            loam_avx2_few_rows_##name(tile);                                                       \
        else                                                                                       \
            linear_rows(tile, &type);                                                              \
    }

LINEAR(q8_0)
LINEAR(q4_0)
LINEAR(q4_k)
LINEAR(q5_k)
LINEAR(q6_k)

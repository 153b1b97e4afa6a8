/* SPDX-License-Identifier: MIT */
/* The layouts of blocks are those of the types' files in lib/quant. */
#include "cpu/x86/grid_rows.h"
#include "cpu/kernels.h"
#include "cpu/x86/float8.h"
#include "quant/codecs.h"
#include "quant/grids.h"

/* ---- numbers ------------------------------------------------------------------ */

INLINE uint16_t u16_at(const unsigned char *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

INLINE float half_at(const unsigned char *bytes)
{
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(u16_at(bytes))));
}

INLINE uint32_t u32_at(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Byte i is 255 where bit i is set, else 0. */
INLINE __m256i bytes_of_bits(uint32_t bits)
{
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201u);
    const __m256i from = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)bits), from);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

INLINE void put_numbers(int8_t *out, __m256i numbers)
{
    _mm256_store_si256((__m256i *)(void *)out, numbers);
}

INLINE void put_16(int16_t out[16], __m128i signed_bytes)
{
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_cvtepi8_epi16(signed_bytes));
}

/* ---- types with code books (quant/grids.h) -------------------------------------------- */

/* Each number with bit i of signs set is negated. */
INLINE __m256i with_signs(__m256i numbers, uint32_t signs)
{
    __m256i negative = bytes_of_bits(signs);
    return _mm256_sub_epi8(_mm256_xor_si256(numbers, negative), negative);
}

/* In each byte seven signs: the eighth makes the number of set bits even. */
INLINE uint32_t even_signs(uint32_t sevens)
{
    uint32_t folded = sevens ^ sevens >> 4;
    folded ^= folded >> 2;
    folded ^= folded >> 1;
    return sevens | (folded & 0x01010101u) << 7;
}

INLINE __m256i four_entries(const uint64_t *grid, size_t a, size_t b, size_t c, size_t d)
{
    return _mm256_setr_epi64x((int64_t)grid[a], (int64_t)grid[b], (int64_t)grid[c],
                              (int64_t)grid[d]);
}

/* e[i] and the i-th of the high bits. */
INLINE __m256i eight_entries(const uint32_t *grid, const unsigned char *e, uint32_t high)
{
    uint32_t v[8];
    for (size_t i = 0; i < 8; i++)
        v[i] = grid[e[i] | (high >> i & 1) << 8];
    return _mm256_setr_epi32((int32_t)v[0], (int32_t)v[1], (int32_t)v[2], (int32_t)v[3],
                             (int32_t)v[4], (int32_t)v[5], (int32_t)v[6], (int32_t)v[7]);
}

/* Scales 2 n + 1 of 16 nibbles n, low ones first. */
INLINE void put_odd_scales(int16_t out[16], uint64_t nibbles)
{
    __m128i both = _mm_cvtsi64_si128((int64_t)nibbles);
    both = _mm_unpacklo_epi8(both, _mm_srli_epi16(both, 4));
    both = _mm_and_si128(both, _mm_set1_epi8(15));
    put_16(out, _mm_or_si128(_mm_add_epi8(both, both), _mm_set1_epi8(1)));
}

/* One scale for the two sixteens of numbers 32 b to 32 b + 31. */
INLINE void put_scale(int16_t *scales, size_t b, uint32_t scale)
{
    scales[2 * b] = scales[2 * b + 1] = (int16_t)scale;
}

static void row_iq2_xxs(struct grid_rows *out, size_t o, const unsigned char *block)
{
    const unsigned char *e = block + 2;
    out->d[o] = half_at(block) * 0.125f;
    for (size_t b = 0; b < 8; b++, e += 8) {
        uint32_t signs = u32_at(e + 4);
        __m256i q = four_entries(loam_grid_iq2_xxs, e[0], e[1], e[2], e[3]);
        put_scale(out->scales[o], b, 2 * (signs >> 28) + 1);
        put_numbers(out->q[o] + 32 * b, with_signs(q, even_signs(_pdep_u32(signs, 0x7F7F7F7Fu))));
    }
}

static void row_iq2_xs(struct grid_rows *out, size_t o, const unsigned char *block)
{
    uint64_t nibbles;
    memcpy(&nibbles, block + 66, sizeof nibbles);
    out->d[o] = half_at(block) * 0.125f;
    put_odd_scales(out->scales[o], nibbles);
    for (size_t b = 0; b < 8; b++) {
        uint32_t r[4], sevens = 0;
        for (size_t l = 0; l < 4; l++) {
            r[l] = u16_at(block + 2 + 8 * b + 2 * l);
            sevens |= r[l] >> 9 << 8 * l;
        }
        __m256i q = four_entries(loam_grid_iq2_xs, r[0] & 511, r[1] & 511, r[2] & 511, r[3] & 511);
        put_numbers(out->q[o] + 32 * b, with_signs(q, even_signs(sevens)));
    }
}

static void row_iq2_s(struct grid_rows *out, size_t o, const unsigned char *block)
{
    uint64_t nibbles;
    memcpy(&nibbles, block + 74, sizeof nibbles);
    out->d[o] = half_at(block) * 0.125f;
    put_odd_scales(out->scales[o], nibbles);
    for (size_t b = 0; b < 8; b++) {
        const unsigned char *e = block + 2 + 4 * b;
        uint32_t high = block[66 + b];
        __m256i q =
            four_entries(loam_grid_iq2_s, e[0] | (high & 3) << 8, e[1] | (high >> 2 & 3) << 8,
                         e[2] | (high >> 4 & 3) << 8, e[3] | (high >> 6 & 3) << 8);
        put_numbers(out->q[o] + 32 * b, with_signs(q, u32_at(block + 34 + 4 * b)));
    }
}

static void row_iq3_xxs(struct grid_rows *out, size_t o, const unsigned char *block)
{
    out->d[o] = half_at(block) * 0.25f;
    for (size_t b = 0; b < 8; b++) {
        uint32_t signs = u32_at(block + 66 + 4 * b);
        __m256i q = eight_entries(loam_grid_iq3_xxs, block + 2 + 8 * b, 0);
        put_scale(out->scales[o], b, 2 * (signs >> 28) + 1);
        put_numbers(out->q[o] + 32 * b, with_signs(q, even_signs(_pdep_u32(signs, 0x7F7F7F7Fu))));
    }
}

static void row_iq3_s(struct grid_rows *out, size_t o, const unsigned char *block)
{
    out->d[o] = half_at(block);
    for (size_t b = 0; b < 8; b++) {
        __m256i q = eight_entries(loam_grid_iq3_s, block + 2 + 8 * b, block[66 + b]);
        put_scale(out->scales[o], b, 2u * (block[106 + b / 2] >> 4 * (b % 2) & 15u) + 1);
        put_numbers(out->q[o] + 32 * b, with_signs(q, u32_at(block + 74 + 4 * b)));
    }
}

/* Each number one more, or where bit l is set in run l of eight one less. */
INLINE __m256i off_center(__m256i numbers, uint32_t down)
{
    const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
    __m256i is_down = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(down), bit), bit);
    return _mm256_add_epi8(numbers, _mm256_or_si256(is_down, _mm256_set1_epi8(1)));
}

static void row_iq1_s(struct grid_rows *out, size_t o, const unsigned char *block)
{
    out->d[o] = half_at(block) * 0.125f;
    for (size_t b = 0; b < 8; b++) {
        const unsigned char *e = block + 2 + 4 * b;
        uint32_t high = u16_at(block + 34 + 2 * b);
        __m256i q = four_entries(loam_grid_iq1, e[0] | (high & 7) << 8, e[1] | (high >> 3 & 7) << 8,
                                 e[2] | (high >> 6 & 7) << 8, e[3] | (high >> 9 & 7) << 8);
        put_scale(out->scales[o], b, 2 * (high >> 12 & 7) + 1);
        put_numbers(out->q[o] + 32 * b, off_center(q, high >> 15 ? 15 : 0));
    }
}

static void row_iq1_m(struct grid_rows *out, size_t o, const unsigned char *block)
{
    uint64_t scales;
    memcpy(&scales, block + 48, sizeof scales);
    uint16_t d = (uint16_t)_pext_u64(scales, 0xF000F000F000F000u);
    out->d[o] = half_at((const unsigned char *)&d) * 0.125f;
    for (size_t k = 0; k < 16; k++)
        out->scales[o][k] = (int16_t)(2 * (scales >> (16 * (k / 4) + 3 * (k % 4)) & 7) + 1);
    for (size_t b = 0; b < 8; b++) {
        const unsigned char *e = block + 4 * b;
        uint32_t high = u16_at(block + 32 + 2 * b); /* a nibble for each run */
        __m256i q = four_entries(loam_grid_iq1, e[0] | (high & 7) << 8, e[1] | (high >> 4 & 7) << 8,
                                 e[2] | (high >> 8 & 7) << 8, e[3] | (high >> 12 & 7) << 8);
        put_numbers(out->q[o] + 32 * b, off_center(q, _pext_u32(high, 0x8888)));
    }
}

#define UNPACK_ROWS(name)                                                                          \
    static void unpack_##name(struct grid_rows *out, const unsigned char *rows, size_t row_bytes)  \
    {                                                                                              \
        for (size_t o = 0; o < EIGHT_ROWS; o++)                                                    \
            row_##name(out, o, rows + o * row_bytes);                                              \
    }

UNPACK_ROWS(iq2_xxs)
UNPACK_ROWS(iq2_xs)
UNPACK_ROWS(iq2_s)
UNPACK_ROWS(iq3_xxs)
UNPACK_ROWS(iq3_s)
UNPACK_ROWS(iq1_s)
UNPACK_ROWS(iq1_m)

/* ---- all ---------------------------------------------------------------------------- */

row_unpacker loam_avx2_row_unpacker(const struct weight_type *type)
{
    static const struct {
        const struct weight_type *type;
        row_unpacker unpack;
    } all[] = {
        {&loam_type_iq2_xxs, unpack_iq2_xxs}, {&loam_type_iq2_xs, unpack_iq2_xs},
        {&loam_type_iq2_s, unpack_iq2_s},     {&loam_type_iq3_xxs, unpack_iq3_xxs},
        {&loam_type_iq3_s, unpack_iq3_s},     {&loam_type_iq1_s, unpack_iq1_s},
        {&loam_type_iq1_m, unpack_iq1_m},
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(all); i++)
        if (all[i].type == type)
            return all[i].unpack;
    return NULL;
}

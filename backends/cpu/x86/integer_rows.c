/* SPDX-License-Identifier: MIT */
/* The layouts of blocks are those of the types' files in lib/quant. */
#include "cpu/x86/integer_rows.h"
#include "cpu/kernels.h"
#include "cpu/x86/float8.h"
#include "quant/codecs.h"
#include "quant/curves.h"
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

INLINE __m256i bytes_at(const void *bytes)
{
    return _mm256_loadu_si256(bytes);
}

/* The nibbles of 16 bytes: low ones, then high ones. */
INLINE __m256i nibbles_of(const void *bytes)
{
    __m128i both = _mm_loadu_si128(bytes);
    __m256i apart = _mm256_set_m128i(_mm_srli_epi16(both, 4), both);
    return _mm256_and_si256(apart, _mm256_set1_epi8(15));
}

/* The same by a curve. */
INLINE __m256i on_curve(const int8_t curve[16], const void *bytes)
{
    __m256i numbers = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)curve));
    return _mm256_shuffle_epi8(numbers, nibbles_of(bytes));
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

/* Bit 4 of 32 numbers. */
INLINE __m256i fifth_bits(const unsigned char *bytes)
{
    return _mm256_and_si256(bytes_of_bits(u32_at(bytes)), _mm256_set1_epi8(16));
}

INLINE void put_numbers(int8_t *out, __m256i numbers)
{
    _mm256_store_si256((__m256i *)(void *)out, numbers);
}

/* ---- types whose steps have 32 numbers ------------------------------------------- */

enum form { Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4 };

/* 2^(e - 128) of the low bytes e of eight: subnormal for 0 and 1. */
INLINE __m256 powers_of_two(__m128i pairs)
{
    __m256i e = _mm256_cvtepu16_epi32(_mm_and_si128(pairs, _mm_set1_epi16(255)));
    __m256i one = _mm256_set1_epi32(1);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, one), 23);
    __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, _mm256_cmpgt_epi32(e, one)));
}

INLINE __m256i numbers_of(const unsigned char *block, enum form form)
{
    switch (form) {
    case Q4_1:
        return nibbles_of(block + 4);
    case Q5_0:
        return _mm256_or_si256(nibbles_of(block + 6), fifth_bits(block + 2));
    case Q5_1:
        return _mm256_or_si256(nibbles_of(block + 8), fifth_bits(block + 4));
    case IQ4_NL:
        return on_curve(loam_curve_iq4, block + 2);
    default:
        return on_curve(loam_curve_e2m1, block + 1);
    }
}

/* 16 bits of each of eight rows, together in a register: through memory they would be
 * waited for. */
INLINE __m128i eight_at(const unsigned char *at, size_t row_bytes)
{
    short v[EIGHT_ROWS];
    for (size_t o = 0; o < EIGHT_ROWS; o++)
        v[o] = (short)u16_at(at + o * row_bytes);
    return _mm_setr_epi16(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
}

INLINE void unpack_steps(struct integer_rows *out, const unsigned char *rows, size_t row_bytes,
                         size_t blocks, size_t block_bytes, enum form form)
{
    for (size_t b = 0; b < blocks; b++, rows += block_bytes) {
        for (size_t o = 0; o < EIGHT_ROWS; o++)
            put_numbers(out->q[o] + 32 * b, numbers_of(rows + o * row_bytes, form));
        __m128i first = eight_at(rows, row_bytes);
        _mm256_storeu_ps(out->d[b], form == MXFP4 ? powers_of_two(first) : _mm256_cvtph_ps(first));
        if (form == Q4_1 || form == Q5_1)
            _mm256_storeu_ps(out->dmin[b],
                             _mm256_xor_ps(_mm256_cvtph_ps(eight_at(rows + 2, row_bytes)),
                                           _mm256_set1_ps(-0.0f)));
    }
}

#define UNPACK_STEPS(name, block_bytes, form)                                                      \
    static void unpack_##name(struct integer_rows *out, const unsigned char *rows,                 \
                              size_t row_bytes, size_t blocks)                                     \
    {                                                                                              \
        unpack_steps(out, rows, row_bytes, blocks, block_bytes, form);                             \
    }

UNPACK_STEPS(q4_1, 20, Q4_1)
UNPACK_STEPS(q5_0, 22, Q5_0)
UNPACK_STEPS(q5_1, 24, Q5_1)
UNPACK_STEPS(iq4_nl, 18, IQ4_NL)
UNPACK_STEPS(mxfp4, 17, MXFP4)

/* Half of each E4M3 without sign, of which 0x7F is 0: as the upper bits of a float it is
 * 2^-119 times that, subnormal ones included. */
INLINE __m256 halves_of_e4m3(__m128i bytes)
{
    __m256i all = _mm256_cvtepu8_epi32(bytes), seven = _mm256_set1_epi32(127);
    __m256i none = _mm256_cmpeq_epi32(all, seven);
    __m256i bits = _mm256_slli_epi32(_mm256_and_si256(all, seven), 20);
    bits = _mm256_andnot_si256(none, bits);
    return _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(0x1p119f));
}

/* Scales of 16 numbers. A byte has numbers j and j + 8 of its sixteen. */
static void unpack_nvfp4(struct integer_rows *out, const unsigned char *rows, size_t row_bytes,
                         size_t blocks)
{
    (void)blocks; /* one */
    __m128i scales[2] = {eight_at(rows, row_bytes), eight_at(rows + 2, row_bytes)};
    for (size_t o = 0; o < EIGHT_ROWS; o++)
        for (size_t p = 0; p < 2; p++) {
            __m256i q = on_curve(loam_curve_e2m1, rows + o * row_bytes + 4 + 16 * p);
            put_numbers(out->q[o] + 32 * p, _mm256_permute4x64_epi64(q, 0xD8));
        }
    for (size_t p = 0; p < 2; p++) {
        __m128i even = _mm_and_si128(scales[p], _mm_set1_epi16(255));
        __m128i odd = _mm_srli_epi16(scales[p], 8);
        _mm256_storeu_ps(out->d[2 * p], halves_of_e4m3(_mm_packus_epi16(even, even)));
        _mm256_storeu_ps(out->d[2 * p + 1], halves_of_e4m3(_mm_packus_epi16(odd, odd)));
    }
}

/* 32 numbers of two bits, four to a byte. */
INLINE __m256i quarters_of(const unsigned char *bytes)
{
    __m256i all = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)bytes));
    all = _mm256_or_si256(all, _mm256_slli_epi32(all, 6));
    all = _mm256_or_si256(all, _mm256_slli_epi32(all, 12));
    return _mm256_and_si256(all, _mm256_set1_epi8(3));
}

/* Blocks of 16 bytes of numbers, of `bits` each, with one scale. */
INLINE void unpack_small(struct integer_rows *out, const unsigned char *rows, size_t row_bytes,
                         size_t blocks, const size_t bits)
{
    const size_t steps = 4 / bits;
    for (size_t s = 0; s < blocks * steps; s++) {
        const unsigned char *block = rows + s / steps * 18, *qs = block + 2 + s % steps * 4 * bits;
        _mm256_storeu_ps(out->d[s], _mm256_cvtph_ps(eight_at(block, row_bytes)));
        for (size_t o = 0; o < EIGHT_ROWS; o++, qs += row_bytes) {
            __m256i twice = _mm256_and_si256(bytes_of_bits(u32_at(qs)), _mm256_set1_epi8(2));
            put_numbers(out->q[o] + 32 * s, bits == 2 ? quarters_of(qs) : twice);
        }
    }
}

static void unpack_q2_0(struct integer_rows *out, const unsigned char *rows, size_t row_bytes,
                        size_t blocks)
{
    unpack_small(out, rows, row_bytes, blocks, 2);
}

static void unpack_q1_0(struct integer_rows *out, const unsigned char *rows, size_t row_bytes,
                        size_t blocks)
{
    unpack_small(out, rows, row_bytes, blocks, 1);
}

/* ---- types of 256 numbers with integer scales ------------------------------------- */

INLINE void put_16(int16_t out[16], __m128i signed_bytes)
{
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_cvtepi8_epi16(signed_bytes));
}

static void row_iq4_xs(struct integer_rows *out, size_t o, const unsigned char *block)
{
    uint64_t lows = _pdep_u64(u32_at(block + 4), 0x0F0F0F0F0F0F0F0Fu);
    uint64_t highs = _pdep_u64(u16_at(block + 2), 0x3030303030303030u);
    __m128i scales = _mm_cvtsi64_si128((int64_t)(lows | highs));
    scales = _mm_sub_epi8(scales, _mm_set1_epi8(32));
    put_16(out->scales[o], _mm_unpacklo_epi8(scales, scales));
    out->d[0][o] = half_at(block);
    for (size_t b = 0; b < 8; b++)
        put_numbers(out->q[o] + 32 * b, on_curve(loam_curve_iq4, block + 8 + 16 * b));
}

/* Numbers 128 h + 32 j of two bits. */
INLINE __m256i two_bits(const unsigned char *qs, size_t h, size_t j)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes_at(qs + 32 * h), 2 * (int)j),
                            _mm256_set1_epi8(3));
}

static void row_q2_k(struct integer_rows *out, size_t o, const unsigned char *block)
{
    __m128i both = _mm_loadu_si128((const void *)block), low = _mm_set1_epi8(15);
    put_16(out->scales[o], _mm_and_si128(both, low));
    put_16(out->mins[o], _mm_and_si128(_mm_srli_epi16(both, 4), low));
    out->d[0][o] = half_at(block + 80);
    out->dmin[0][o] = half_at(block + 82);
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++)
            put_numbers(out->q[o] + 128 * h + 32 * j, two_bits(block + 16, h, j));
}

/* Six bits each: the low ones as nibbles of bytes 0 to 7, the high ones as pairs of bits
 * of the others; 32 comes off. */
INLINE __m128i q3_k_scales(const unsigned char *bytes)
{
    const __m128i nibble = _mm_set1_epi8(15), pair = _mm_set1_epi8(3);
    int32_t word = (int32_t)u32_at(bytes + 8);
    __m128i low = _mm_loadl_epi64((const void *)bytes);
    low = _mm_and_si128(_mm_unpacklo_epi64(low, _mm_srli_epi16(low, 4)), nibble);
    __m128i high = _mm_srlv_epi32(_mm_set1_epi32(word), _mm_setr_epi32(0, 2, 4, 6));
    high = _mm_slli_epi16(_mm_and_si128(high, pair), 4);
    return _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32));
}

static void row_q3_k(struct integer_rows *out, size_t o, const unsigned char *block)
{
    __m256i thirds = bytes_at(block);
    put_16(out->scales[o], q3_k_scales(block + 96));
    out->d[0][o] = half_at(block + 108);
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++) {
            __m256i third = _mm256_srli_epi16(thirds, 4 * (int)h + (int)j);
            third = _mm256_slli_epi16(_mm256_and_si256(third, _mm256_set1_epi8(1)), 2);
            __m256i q = _mm256_or_si256(two_bits(block + 32, h, j), third);
            put_numbers(out->q[o] + 128 * h + 32 * j, q);
        }
}

static void row_tq2_0(struct integer_rows *out, size_t o, const unsigned char *block)
{
    put_16(out->scales[o], _mm_set1_epi8(1));
    out->d[0][o] = half_at(block + 64);
    for (size_t h = 0; h < 2; h++)
        for (size_t j = 0; j < 4; j++)
            put_numbers(out->q[o] + 128 * h + 32 * j, two_bits(block, h, j));
}

/* The digits in front of 32 fractions in base 3, which lose them: bytes of even and of odd
 * index. */
INLINE __m256i next_digits(__m256i fractions[2])
{
    __m256i digits[2];
    for (size_t i = 0; i < 2; i++) {
        __m256i f = fractions[i], thrice = _mm256_add_epi16(f, _mm256_add_epi16(f, f));
        digits[i] = _mm256_srli_epi16(thrice, 8);
        fractions[i] = _mm256_and_si256(thrice, _mm256_set1_epi16(255));
    }
    return _mm256_or_si256(digits[0], _mm256_slli_epi16(digits[1], 8));
}

INLINE void split_bytes(__m256i out[2], __m256i bytes)
{
    out[0] = _mm256_and_si256(bytes, _mm256_set1_epi16(255));
    out[1] = _mm256_srli_epi16(bytes, 8);
}

/* Five digits of 32 bytes, then of 16, then four of four. */
static void row_tq1_0(struct integer_rows *out, size_t o, const unsigned char *block)
{
    __m256i first[2], others[2];
    __m128i sixteen = _mm_loadu_si128((const void *)(block + 32));
    split_bytes(first, bytes_at(block));
    split_bytes(others, _mm256_set_m128i(_mm_cvtsi32_si128((int32_t)u32_at(block + 48)), sixteen));
    put_16(out->scales[o], _mm_set1_epi8(1));
    out->d[0][o] = half_at(block + 52);
    for (size_t n = 0; n < 5; n++) {
        put_numbers(out->q[o] + 32 * n, next_digits(first));
        __m256i digits = next_digits(others);
        _mm_storeu_si128((__m128i *)(void *)(out->q[o] + 160 + 16 * n),
                         _mm256_castsi256_si128(digits));
        int32_t last = _mm_cvtsi128_si32(_mm256_extracti128_si256(digits, 1));
        if (n < 4)
            memcpy(out->q[o] + 240 + 4 * n, &last, sizeof last);
    }
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

static void row_iq2_xxs(struct integer_rows *out, size_t o, const unsigned char *block)
{
    const unsigned char *e = block + 2;
    out->d[0][o] = half_at(block) * 0.125f;
    for (size_t b = 0; b < 8; b++, e += 8) {
        uint32_t signs = u32_at(e + 4);
        __m256i q = four_entries(loam_grid_iq2_xxs, e[0], e[1], e[2], e[3]);
        put_scale(out->scales[o], b, 2 * (signs >> 28) + 1);
        put_numbers(out->q[o] + 32 * b, with_signs(q, even_signs(_pdep_u32(signs, 0x7F7F7F7Fu))));
    }
}

static void row_iq2_xs(struct integer_rows *out, size_t o, const unsigned char *block)
{
    uint64_t nibbles;
    memcpy(&nibbles, block + 66, sizeof nibbles);
    out->d[0][o] = half_at(block) * 0.125f;
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

static void row_iq2_s(struct integer_rows *out, size_t o, const unsigned char *block)
{
    uint64_t nibbles;
    memcpy(&nibbles, block + 74, sizeof nibbles);
    out->d[0][o] = half_at(block) * 0.125f;
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

static void row_iq3_xxs(struct integer_rows *out, size_t o, const unsigned char *block)
{
    out->d[0][o] = half_at(block) * 0.25f;
    for (size_t b = 0; b < 8; b++) {
        uint32_t signs = u32_at(block + 66 + 4 * b);
        __m256i q = eight_entries(loam_grid_iq3_xxs, block + 2 + 8 * b, 0);
        put_scale(out->scales[o], b, 2 * (signs >> 28) + 1);
        put_numbers(out->q[o] + 32 * b, with_signs(q, even_signs(_pdep_u32(signs, 0x7F7F7F7Fu))));
    }
}

static void row_iq3_s(struct integer_rows *out, size_t o, const unsigned char *block)
{
    out->d[0][o] = half_at(block);
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

static void row_iq1_s(struct integer_rows *out, size_t o, const unsigned char *block)
{
    out->d[0][o] = half_at(block) * 0.125f;
    for (size_t b = 0; b < 8; b++) {
        const unsigned char *e = block + 2 + 4 * b;
        uint32_t high = u16_at(block + 34 + 2 * b);
        __m256i q = four_entries(loam_grid_iq1, e[0] | (high & 7) << 8, e[1] | (high >> 3 & 7) << 8,
                                 e[2] | (high >> 6 & 7) << 8, e[3] | (high >> 9 & 7) << 8);
        put_scale(out->scales[o], b, 2 * (high >> 12 & 7) + 1);
        put_numbers(out->q[o] + 32 * b, off_center(q, high >> 15 ? 15 : 0));
    }
}

static void row_iq1_m(struct integer_rows *out, size_t o, const unsigned char *block)
{
    uint64_t scales;
    memcpy(&scales, block + 48, sizeof scales);
    uint16_t d = (uint16_t)_pext_u64(scales, 0xF000F000F000F000u);
    out->d[0][o] = half_at((const unsigned char *)&d) * 0.125f;
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

#define UNPACK_BLOCKS(name)                                                                        \
    static void unpack_##name(struct integer_rows *out, const unsigned char *rows,                 \
                              size_t row_bytes, size_t blocks)                                     \
    {                                                                                              \
        (void)blocks; /* one */                                                                    \
        for (size_t o = 0; o < EIGHT_ROWS; o++)                                                    \
            row_##name(out, o, rows + o * row_bytes);                                              \
    }

UNPACK_BLOCKS(iq4_xs)
UNPACK_BLOCKS(q2_k)
UNPACK_BLOCKS(q3_k)
UNPACK_BLOCKS(tq1_0)
UNPACK_BLOCKS(tq2_0)
UNPACK_BLOCKS(iq2_xxs)
UNPACK_BLOCKS(iq2_xs)
UNPACK_BLOCKS(iq2_s)
UNPACK_BLOCKS(iq3_xxs)
UNPACK_BLOCKS(iq3_s)
UNPACK_BLOCKS(iq1_s)
UNPACK_BLOCKS(iq1_m)

/* ---- all ---------------------------------------------------------------------------- */

const struct row_unpacker *loam_avx2_row_unpacker(const struct weight_type *type)
{
    enum { ANY = INT32_MAX, FEW = 16 };
    static const struct row_unpacker all[] = {
        {&loam_type_q4_1, unpack_q4_1, false, 0, ANY},
        {&loam_type_q5_0, unpack_q5_0, false, 16, ANY},
        {&loam_type_q5_1, unpack_q5_1, false, 0, ANY},
        {&loam_type_q2_k, unpack_q2_k, false, 0, ANY},
        {&loam_type_q3_k, unpack_q3_k, false, 4, ANY},
        {&loam_type_iq4_nl, unpack_iq4_nl, true, 0, ANY},
        {&loam_type_iq4_xs, unpack_iq4_xs, true, 0, ANY},
        {&loam_type_tq1_0, unpack_tq1_0, false, 1, ANY},
        {&loam_type_tq2_0, unpack_tq2_0, false, 1, ANY},
        {&loam_type_mxfp4, unpack_mxfp4, true, 0, ANY},
        {&loam_type_iq2_xxs, unpack_iq2_xxs, true, 0, FEW},
        {&loam_type_iq2_xs, unpack_iq2_xs, true, 0, FEW},
        {&loam_type_iq2_s, unpack_iq2_s, true, 0, FEW},
        {&loam_type_iq3_xxs, unpack_iq3_xxs, true, 0, FEW},
        {&loam_type_iq3_s, unpack_iq3_s, true, 0, FEW},
        {&loam_type_iq1_s, unpack_iq1_s, true, 0, FEW},
        {&loam_type_iq1_m, unpack_iq1_m, true, 0, FEW},
        {&loam_type_nvfp4, unpack_nvfp4, true, 0, ANY},
        {&loam_type_q2_0, unpack_q2_0, false, 1, ANY},
        {&loam_type_q1_0, unpack_q1_0, false, 1, ANY},
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(all); i++)
        if (all[i].type == type)
            return &all[i];
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The layouts of blocks are those of the types' files in lib/quant. */
#include "cpu/x86/grid_blocks.h"
#include "quant/codecs.h"
#include "quant/grids.h"

/* ---- parts ---------------------------------------------------------------------- */

INLINE uint16_t u16_at(const unsigned char *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

INLINE uint64_t u64_at(const unsigned char *bytes)
{
    uint64_t value;
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

INLINE void put_32(void *out, __m256i value)
{
    _mm256_store_si256(out, value);
}

/* Entries 16 g on: low bytes, and the bits above them in pairs of bytes. */
INLINE void put_entries(struct grid_block *out, size_t g, const unsigned char *low, __m256i high)
{
    __m256i bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)low));
    put_32(out->entries + 16 * g, _mm256_or_si256(bytes, high));
}

/* Scales 2 n + 1 of runs of 32, n in 32 bits each. */
INLINE void put_scales_of_32(struct grid_block *out, __m256i n)
{
    __m256i scales = _mm256_or_si256(_mm256_add_epi32(n, n), _mm256_set1_epi32(1));
    put_32(out->scales, _mm256_or_si256(scales, _mm256_slli_epi32(scales, 16)));
}

/* Scales 2 n + 1 of 16 nibbles n, low ones first. */
INLINE void put_scales_of_16(struct grid_block *out, uint64_t nibbles)
{
    __m128i both = _mm_cvtsi64_si128((int64_t)nibbles);
    both = _mm_unpacklo_epi8(both, _mm_srli_epi16(both, 4));
    both = _mm_and_si128(both, _mm_set1_epi8(15));
    both = _mm_or_si128(_mm_add_epi8(both, both), _mm_set1_epi8(1));
    put_32(out->scales, _mm256_cvtepu8_epi16(both));
}

/* In each byte seven signs: the eighth makes the number of set bits even. */
INLINE void put_even_flags(struct grid_block *out, __m256i sevens)
{
    const __m256i parity =
        _mm256_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0, 0,
                         -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0);
    __m256i low = _mm256_and_si256(sevens, nibble_mask());
    __m256i odd = _mm256_xor_si256(_mm256_shuffle_epi8(parity, low),
                                   _mm256_shuffle_epi8(parity, high_nibbles(sevens)));
    put_32(out->flags, _mm256_or_si256(sevens, odd));
}

/* Words of four sevens, lowest first, and a scale above them. */
INLINE void put_signs_and_scales(struct grid_block *out, __m256i x)
{
    const __m256i seven = _mm256_set1_epi32(127);
    __m256i sevens = _mm256_and_si256(x, seven);
    for (int i = 1; i < 4; i++) {
        __m256i at = _mm256_and_si256(_mm256_slli_epi32(x, i), _mm256_slli_epi32(seven, 8 * i));
        sevens = _mm256_or_si256(sevens, at);
    }
    put_even_flags(out, sevens);
    put_scales_of_32(out, _mm256_srli_epi32(x, 28));
}

/* Each of four lanes of 16 bits: pair 4 g + lane / 4 of eight. */
INLINE __m256i four_times(__m128i pairs, size_t g)
{
    const __m256i from = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4,
                                          5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(pairs),
                               _mm256_add_epi8(from, _mm256_set1_epi8((char)(8 * g))));
}

/* Multiplies the i-th of each four lanes by two to the power of a, b, c, d; below zero: divides. */
INLINE __m256i shift_each(__m256i x, int a, int b, int c, int d)
{
    __m256i up = _mm256_set1_epi64x((int64_t)((uint64_t)(1 << a) | (uint64_t)(1 << b) << 16 |
                                              (uint64_t)(1 << c) << 32 |
                                              (d < 0 ? 0 : (uint64_t)(1 << d) << 48)));
    __m256i all = _mm256_mullo_epi16(x, up);
    if (d >= 0)
        return all;
    __m256i down = _mm256_set1_epi64x((int64_t)((uint64_t)(1 << (16 + d)) << 48));
    return _mm256_or_si256(all, _mm256_mulhi_epu16(x, down));
}

/* ---- types ---------------------------------------------------------------------- */

static void read_iq2_xxs(struct grid_block *out, const unsigned char *block)
{
    __m256 first = _mm256_loadu_ps((const void *)(block + 2));
    __m256 second = _mm256_loadu_ps((const void *)(block + 34));
    __m256i entries = _mm256_castps_si256(_mm256_shuffle_ps(first, second, 0x88));
    __m256i others = _mm256_castps_si256(_mm256_shuffle_ps(first, second, 0xDD));
    entries = _mm256_permute4x64_epi64(entries, 0xD8);
    put_32(out->entries, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(entries)));
    put_32(out->entries + 16, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(entries, 1)));
    put_signs_and_scales(out, _mm256_permute4x64_epi64(others, 0xD8));
    out->d = half_at(block) * 0.125f;
}

static void read_iq2_xs(struct grid_block *out, const unsigned char *block)
{
    __m256i both[2] = {bytes_at(block + 2), bytes_at(block + 34)}, sevens;
    for (size_t i = 0; i < 2; i++)
        put_32(out->entries + 16 * i, _mm256_and_si256(both[i], _mm256_set1_epi16(511)));
    sevens = _mm256_packus_epi16(_mm256_srli_epi16(both[0], 9), _mm256_srli_epi16(both[1], 9));
    put_even_flags(out, _mm256_permute4x64_epi64(sevens, 0xD8));
    put_scales_of_16(out, u64_at(block + 66));
    out->d = half_at(block) * 0.125f;
}

static void read_iq2_s(struct grid_block *out, const unsigned char *block)
{
    __m128i high = _mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)(block + 66)));
    for (size_t g = 0; g < 2; g++) {
        __m256i bits = shift_each(four_times(high, g), 8, 6, 4, 2);
        put_entries(out, g, block + 2 + 16 * g, _mm256_and_si256(bits, _mm256_set1_epi16(0x300)));
    }
    put_32(out->flags, bytes_at(block + 34));
    put_scales_of_16(out, u64_at(block + 74));
    out->d = half_at(block) * 0.125f;
}

static void read_iq3_xxs(struct grid_block *out, const unsigned char *block)
{
    for (size_t g = 0; g < 4; g++)
        put_entries(out, g, block + 2 + 16 * g, _mm256_setzero_si256());
    put_signs_and_scales(out, bytes_at(block + 66));
    out->d = half_at(block) * 0.25f;
}

static void read_iq3_s(struct grid_block *out, const unsigned char *block)
{
    const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                          8192, 16384, -32768);
    for (size_t g = 0; g < 4; g++) {
        __m256i bits = _mm256_set1_epi16((int16_t)u16_at(block + 66 + 2 * g));
        bits = _mm256_cmpeq_epi16(_mm256_and_si256(bits, bit), bit);
        put_entries(out, g, block + 2 + 16 * g, _mm256_and_si256(bits, _mm256_set1_epi16(256)));
    }
    put_32(out->flags, bytes_at(block + 74));
    uint64_t nibbles = _pdep_u64(u64_at(block + 102) >> 32, 0x0F0F0F0F0F0F0F0Fu);
    put_scales_of_32(out, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)nibbles)));
    out->d = half_at(block);
}

static void read_iq1_s(struct grid_block *out, const unsigned char *block)
{
    __m128i others = _mm_loadu_si128((const void *)(block + 34));
    for (size_t g = 0; g < 2; g++) {
        __m256i bits = shift_each(four_times(others, g), 8, 5, 2, -1);
        put_entries(out, g, block + 2 + 16 * g, _mm256_and_si256(bits, _mm256_set1_epi16(0x700)));
    }
    __m256i wide = _mm256_cvtepi16_epi32(others);
    put_32(out->flags, _mm256_srai_epi32(wide, 31));
    put_scales_of_32(out, _mm256_and_si256(_mm256_srli_epi32(wide, 12), _mm256_set1_epi32(7)));
    out->d = half_at(block) * 0.125f;
}

static void read_iq1_m(struct grid_block *out, const unsigned char *block)
{
    __m128i others = _mm_loadu_si128((const void *)(block + 32));
    uint64_t scales = u64_at(block + 48);
    uint16_t d = (uint16_t)_pext_u64(scales, 0xF000F000F000F000u);
    for (size_t g = 0; g < 2; g++) {
        __m256i bits = shift_each(four_times(others, g), 8, 4, 0, -4);
        put_entries(out, g, block + 16 * g, _mm256_and_si256(bits, _mm256_set1_epi16(0x700)));
    }
    for (size_t p = 0; p < 8; p++) {
        uint32_t four = _pext_u32(u16_at(block + 32 + 2 * p), 0x8888);
        out->flags[p] = _pdep_u32(four, 0x01010101) * 255;
    }
    for (size_t i = 0; i < 4; i++) {
        uint64_t n = _pdep_u64(scales >> 16 * i, 0x0007000700070007u);
        n = 2 * n + 0x0001000100010001u;
        memcpy(out->scales + 4 * i, &n, sizeof n);
    }
    out->d = half_at((const unsigned char *)&d) * 0.125f;
}

const struct grid_type *loam_avx2_grid_type(const struct weight_type *type)
{
    static const struct grid_type all[] = {
        {&loam_type_iq2_xxs, read_iq2_xxs, loam_grid_iq2_xxs, false, 8},
        {&loam_type_iq2_xs, read_iq2_xs, loam_grid_iq2_xs, false, 8},
        {&loam_type_iq2_s, read_iq2_s, loam_grid_iq2_s, false, 8},
        {&loam_type_iq3_xxs, read_iq3_xxs, loam_grid_iq3_xxs, false, 4},
        {&loam_type_iq3_s, read_iq3_s, loam_grid_iq3_s, false, 4},
        {&loam_type_iq1_s, read_iq1_s, loam_grid_iq1, true, 8},
        {&loam_type_iq1_m, read_iq1_m, loam_grid_iq1, true, 8},
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(all); i++)
        if (all[i].type == type)
            return &all[i];
    return NULL;
}

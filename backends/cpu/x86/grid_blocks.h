/* SPDX-License-Identifier: MIT */
/*
 * Types whose numbers are entries of code books (quant/grids.h): a block taken apart, and its
 * numbers looked up, 32 at a time along the row.
 */
#ifndef LOAM_BACKENDS_CPU_X86_GRID_BLOCKS_H
#define LOAM_BACKENDS_CPU_X86_GRID_BLOCKS_H

#include "cpu/x86/panel256.h"
#include "quant/integers.h"

/* A block taken apart, runs p of 32 numbers. */
struct grid_block {
    _Alignas(32) uint16_t entries[64]; /* 8 of a run, or 4 where they have eight numbers */
    uint32_t flags[8];                 /* bit i: number i of the run is negative, or shifted down */
    int16_t scales[INTEGERS / 16];
    float d;
};

struct grid_type {
    const struct weight_type *type;
    void (*read)(struct grid_block *out, const unsigned char *block);
    const void *grid;
    bool has_shifts; /* entries have signs and all numbers are one more or less; else magnitudes */
    uint8_t entry;   /* numbers: 4 or 8 */
};

/* The type's, or NULL. */
const struct grid_type *loam_avx2_grid_type(const struct weight_type *type);

/* Byte i is 255 where bit i is set, else 0. */
INLINE __m256i bytes_of_bits(const uint32_t *bits)
{
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201u);
    const __m256i from = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    __m256i spread = _mm256_shuffle_epi8(words(bits), from);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

/* The entries of run p. */
INLINE __m256i entries_of(const struct grid_block *block, size_t p, const void *grid, int entry)
{
    if (entry == 8) {
        const uint16_t *e = block->entries + 4 * p;
        const int64_t *eights = grid;
        return _mm256_setr_epi64x(eights[e[0]], eights[e[1]], eights[e[2]], eights[e[3]]);
    }
    const uint16_t *e = block->entries + 8 * p;
    const int32_t *fours = grid;
    return _mm256_setr_epi32(fours[e[0]], fours[e[1]], fours[e[2]], fours[e[3]], fours[e[4]],
                             fours[e[5]], fours[e[6]], fours[e[7]]);
}

/* x, negated where `negative` is 255. */
INLINE __m256i with_signs(__m256i x, __m256i negative)
{
    return _mm256_sub_epi8(_mm256_xor_si256(x, negative), negative);
}

/* Entries one up, or down where `down` is 255, plus `more`. */
INLINE __m256i shifted(__m256i entries, __m256i down, int more)
{
    down = _mm256_add_epi8(down, down);
    return _mm256_add_epi8(entries, _mm256_add_epi8(down, _mm256_set1_epi8((char)(more + 1))));
}

#endif

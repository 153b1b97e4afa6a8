/* SPDX-License-Identifier: MIT */
/*
 * Words of four nibble bytes between a file's order and that of units. In
 * Q4_K, Q5_K and Q6_K a byte holds numbers of two runs of 32: a[l] low, b[l]
 * high. In units a byte holds numbers of one run: 4 v + j low, 16 + 4 v + j
 * high. first and second are the words of bytes 4 v and 16 + 4 v of the file.
 */
#ifndef LOAM_QUANT_NIBBLES_H
#define LOAM_QUANT_NIBBLES_H

#include "base/base.h"

static inline uint32_t loam_word_load(const void *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline void loam_word_store(void *bytes, uint32_t word)
{
    memcpy(bytes, &word, sizeof word);
}

/* Of the low nibbles of two words one word, and of their high nibbles. */
static inline uint32_t loam_nibbles_low(uint32_t first, uint32_t second)
{
    return (first & 0x0F0F0F0Fu) | (second & 0x0F0F0F0Fu) << 4;
}

static inline uint32_t loam_nibbles_high(uint32_t first, uint32_t second)
{
    return (first >> 4 & 0x0F0F0F0Fu) | (second & 0xF0F0F0F0u);
}

/* The 32 bytes of two runs a, b of a file to and from their words in units:
 * row o of a[v][o], b[v][o]. */
static inline void loam_nibbles_pack(uint8_t (*a)[16][4], uint8_t (*b)[16][4], size_t o,
                                     const uint8_t *bytes)
{
    for (size_t v = 0; v < 4; v += 2) { /* two words at a time */
        uint64_t first, second, mask = 0x0F0F0F0F0F0F0F0Fu;
        memcpy(&first, bytes + 4 * v, sizeof first);
        memcpy(&second, bytes + 16 + 4 * v, sizeof second);
        uint64_t low = (first & mask) | (second & mask) << 4;
        uint64_t high = (first >> 4 & mask) | (second & ~mask);
        loam_word_store(a[v][o], (uint32_t)low);
        loam_word_store(a[v + 1][o], (uint32_t)(low >> 32));
        loam_word_store(b[v][o], (uint32_t)high);
        loam_word_store(b[v + 1][o], (uint32_t)(high >> 32));
    }
}

static inline void loam_nibbles_unpack(uint8_t *bytes, const uint8_t (*a)[16][4],
                                       const uint8_t (*b)[16][4], size_t o)
{
    for (size_t v = 0; v < 4; v++) {
        uint32_t low = loam_word_load(a[v][o]), high = loam_word_load(b[v][o]);
        loam_word_store(bytes + 4 * v, loam_nibbles_low(low, high));
        loam_word_store(bytes + 16 + 4 * v, loam_nibbles_high(low, high));
    }
}

#endif

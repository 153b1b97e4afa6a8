/* SPDX-License-Identifier: MIT */
/*
 * Sixteen bytes at once, as what gcc and clang call a vector: instructions that
 * every x86-64 and every 64-bit Arm has, loops elsewhere.
 */
#ifndef LOAM_BASE_BYTES16_H
#define LOAM_BASE_BYTES16_H

#include "base/base.h"

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 bytes16_load(const char *at)
{
    bytes16 bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* Whether any byte is not 0. */
static inline bool bytes16_any(bytes16 bytes)
{
    uint64_t halves[2];
    memcpy(halves, &bytes, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* The first byte that is not 0; there is one. */
static inline size_t bytes16_first(bytes16 bytes)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t halves[2];
    memcpy(halves, &bytes, sizeof halves);
    return halves[0] ? (size_t)__builtin_ctzll(halves[0]) / 8
                     : 8 + (size_t)__builtin_ctzll(halves[1]) / 8;
#else
    size_t first = 0;
    while (!bytes[first])
        first++;
    return first;
#endif
}

#endif

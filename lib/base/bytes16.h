/* SPDX-License-Identifier: MIT */
/*
 * Sixteen bytes at once, as what gcc and clang call a vector: instructions that
 * every x86-64 and every 64-bit Arm has, loops elsewhere.
 */
#ifndef LOAM_BASE_BYTES16_H
#define LOAM_BASE_BYTES16_H

#include "base/base.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__AARCH64EL__)
#include <arm_neon.h>
#endif

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 bytes16_load(const char *at)
{
    bytes16 bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* One bit for each byte, of some width: whether its top bit is set. Comparisons
 * set all bits of a byte, or none. */
#if defined(__SSE2__)
static inline uint64_t bytes16_tops(bytes16 bytes)
{
    return (unsigned)_mm_movemask_epi8((__m128i)bytes);
}

/* The first byte whose bit is set; there is one. */
static inline size_t bytes16_first(uint64_t tops)
{
    return (size_t)__builtin_ctzll(tops);
}
#elif defined(__ARM_NEON) && defined(__AARCH64EL__)
static inline uint64_t bytes16_tops(bytes16 bytes)
{
    uint8x16_t tops = vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8((uint8x16_t)bytes), 7));
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(tops), 4)), 0);
}

static inline size_t bytes16_first(uint64_t tops)
{
    return (size_t)__builtin_ctzll(tops) / 4;
}
#else
static inline uint64_t bytes16_tops(bytes16 bytes)
{
    uint64_t tops = 0;
    for (unsigned i = 0; i < sizeof bytes; i++)
        tops |= (uint64_t)(bytes[i] >> 7) << i;
    return tops;
}

static inline size_t bytes16_first(uint64_t tops)
{
    return (size_t)__builtin_ctzll(tops);
}
#endif

#endif

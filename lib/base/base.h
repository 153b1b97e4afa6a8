/* SPDX-License-Identifier: MIT */
/*
 * lib/base: what everything else stands on: errors, memory, files, threads,
 * UTF-8, half floats, numeric functions. Operating-system calls are made here
 * and nowhere else. Knows nothing of tensors, models or text.
 *
 * Names: functions of the library that are not API are loam_<file>_<verb>, so
 * that a static link takes no other names from the host; types that are not
 * API have no prefix, since types do not link.
 */
#ifndef LOAM_BASE_BASE_H
#define LOAM_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <loam/loam.h>

#define LOAM_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* *out = a * b, or a + b; false if the result does not fit. */
static inline bool loam_multiply(uint64_t *out, uint64_t a, uint64_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool loam_sum(uint64_t *out, uint64_t a, uint64_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline size_t loam_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t loam_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* size rounded up to a multiple of a power of two. */
static inline size_t loam_align(size_t size, size_t alignment)
{
    return (size + alignment - 1) & ~(alignment - 1);
}

/* The string's length, LOAM_NUL_TERMINATED resolved. */
static inline size_t loam_length(const char *data, size_t length)
{
    return length == LOAM_NUL_TERMINATED ? (data ? strlen(data) : 0) : length;
}

#endif

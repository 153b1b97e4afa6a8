/* SPDX-License-Identifier: MIT */
/*
 * Functions of one number that feed-forward blocks have, 8 numbers at a time:
 * the sequences of ref/map.c. Bound: some 15 operations of two ports and a
 * division for 8 numbers, tanh some 50 and two. Others are left to the scalar kernel.
 */
#include "cpu/ref/ref.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

/* x / (1 + exp(-y)) */
INLINE __m256 part(__m256 x, __m256 y)
{
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1), exp8_of_minus(y)));
}

INLINE __m256 gelu(__m256 x)
{
    __m256 square = _mm256_mul_ps(_mm256_set1_ps(0.044715f), x);
    __m256 u = _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(0x1.988454p-1f), x),
                             _mm256_fmadd_ps(square, x, _mm256_set1_ps(1)));
    return part(x, _mm256_mul_ps(_mm256_set1_ps(2), u));
}

INLINE __m256 soft_cap(__m256 x, __m256 cap)
{
    return _mm256_mul_ps(cap, tanh8(_mm256_div_ps(x, cap)));
}

/* With the other factor u, whose limits and the upper one of x are the same. */
INLINE __m256 clamped_swiglu(__m256 x, __m256 u, const float *parameters)
{
    __m256 most = _mm256_set1_ps(parameters[1]), least = _mm256_set1_ps(-parameters[1]);
    __m256 g = _mm256_min_ps(most, x); /* in this order a NaN stays */
    u = _mm256_min_ps(most, _mm256_max_ps(least, u));
    __m256 y = part(g, _mm256_mul_ps(_mm256_set1_ps(parameters[0]), g));
    return _mm256_mul_ps(y, _mm256_add_ps(u, _mm256_set1_ps(1)));
}

INLINE __m256 positive(__m256 x)
{
    return _mm256_max_ps(x, _mm256_setzero_ps());
}

/* Functions of x alone, with parameters p. */
#define FUNCTIONS(FUNCTION)                                                                        \
    FUNCTION(SILU, part(x, x))                                                                     \
    FUNCTION(TANH, tanh8(x))                                                                       \
    FUNCTION(SOFT_CAP, soft_cap(x, _mm256_set1_ps(p[0])))                                          \
    FUNCTION(GELU, gelu(x))                                                                        \
    FUNCTION(GELU_QUICK, part(x, _mm256_mul_ps(_mm256_set1_ps(1.702f), x)))                        \
    FUNCTION(SIGMOID, part(_mm256_set1_ps(1), x))                                                  \
    FUNCTION(RELU, positive(x))                                                                    \
    FUNCTION(RELU_SQUARED, _mm256_mul_ps(positive(x), positive(x)))

#define VALUE(name, y)                                                                             \
    case LOAM_ACTIVATION_##name:                                                                   \
        return y;
#define MAP(name, y)                                                                               \
    case LOAM_ACTIVATION_##name:                                                                   \
        map(tile, LOAM_ACTIVATION_##name);                                                         \
        break;

INLINE __m256 value(int32_t function, __m256 x, const float *p)
{
    switch (function) {
        FUNCTIONS(VALUE)
    default:
        return x;
    }
}

INLINE __m256 load(const float *x, size_t count)
{
    return count >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first_lanes(count));
}

/* f(x), f(x) * b, or f(x, b) where that is the function, which is a constant where this is
 * called. One loop for whole registers and the last: code counts. */
INLINE void map(const struct map_tile *tile, int32_t function)
{
    for (size_t i = tile->first, end = i + tile->count; i < end; i += 8) {
        __m256 x = load(tile->x + i, end - i), y;
        __m256 b = tile->b ? load(tile->b + i, end - i) : _mm256_setzero_ps();
        if (function == LOAM_ACTIVATION_CLAMPED_SWIGLU)
            y = clamped_swiglu(x, b, tile->parameters);
        else
            y = value(function, x, tile->parameters);
        if (function != LOAM_ACTIVATION_CLAMPED_SWIGLU && tile->b)
            y = _mm256_mul_ps(y, b);
        if (end - i >= 8)
            _mm256_storeu_ps(tile->out + i, y);
        else
            _mm256_maskstore_ps(tile->out + i, first_lanes(end - i), y);
    }
}

void loam_avx2_map(const struct map_tile *tile)
{
    switch (tile->function) {
        FUNCTIONS(MAP)
        MAP(CLAMPED_SWIGLU, )
    default:
        loam_ref_map(tile);
        break;
    }
}

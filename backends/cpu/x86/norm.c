/* SPDX-License-Identifier: MIT */
/*
 * Norms: sums in the 64 lanes of rule 5, which are 8 registers, so that 8 chains
 * cover the latency of fma. Bound: two loads per cycle, from cache.
 */
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>
#include <math.h>

enum { REGISTERS = NORM_LANES / 8 };

/* What a lane takes of x: x itself, its square, or that of x - mean. */
enum take { TAKE_VALUE, TAKE_SQUARE, TAKE_DISTANCE };

INLINE __m256 taken(__m256 lanes, __m256 x, __m256 mean, const enum take take)
{
    if (take == TAKE_VALUE)
        return _mm256_add_ps(lanes, x);
    if (take == TAKE_DISTANCE)
        x = _mm256_sub_ps(x, mean);
    return _mm256_fmadd_ps(x, x, lanes);
}

/* The tree: 8 registers to 4, 2, 1, then within the last. */
INLINE float tree64(__m256 lanes[REGISTERS])
{
    for (int half = REGISTERS / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            lanes[k] = _mm256_add_ps(lanes[k], lanes[k + half]);
    return tree8(lanes[0]);
}

INLINE float sum_of(const float *x, size_t n, float mean, const enum take take)
{
    __m256 lanes[REGISTERS], means = _mm256_set1_ps(mean);
    size_t i = 0;
    for (int k = 0; k < REGISTERS; k++)
        lanes[k] = _mm256_setzero_ps();
    for (; i + NORM_LANES <= n; i += NORM_LANES)
        for (int k = 0; k < REGISTERS; k++)
            lanes[k] = taken(lanes[k], _mm256_loadu_ps(x + i + 8 * (size_t)k), means, take);
    for (int k = 0; k < REGISTERS; k++, i += 8) {
        if (i >= n)
            break;
        __m256i mask = first_lanes(loam_min(8, n - i));
        __m256 sum = taken(lanes[k], _mm256_maskload_ps(x + i, mask), means, take);
        /* a lane without an element stays as it is */
        lanes[k] = _mm256_blendv_ps(lanes[k], sum, _mm256_castsi256_ps(mask));
    }
    return tree64(lanes);
}

void loam_avx2_rms_norm(const struct norm_tile *tile)
{
    size_t n = tile->width;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        const float *x = tile->x + row * n;
        float *out = tile->out + row * n;
        float r = 1.0f / sqrtf(sum_of(x, n, 0, TAKE_SQUARE) / (float)n + tile->epsilon);
        for (size_t i = 0; i < n; i++)
            out[i] = (x[i] * r) * tile->weight[i];
    }
}

/* out = ((x - mean) * r) * weight + bias, each where there is one. */
static void scale(float *out, const float *x, size_t n, float mean, float r, const float *weight,
                  const float *bias)
{
    if (weight && bias)
        for (size_t i = 0; i < n; i++)
            out[i] = ((x[i] - mean) * r) * weight[i] + bias[i];
    else if (weight)
        for (size_t i = 0; i < n; i++)
            out[i] = ((x[i] - mean) * r) * weight[i];
    else if (bias)
        for (size_t i = 0; i < n; i++)
            out[i] = (x[i] - mean) * r + bias[i];
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (x[i] - mean) * r;
}

void loam_avx2_group_norm(const struct group_norm_tile *tile)
{
    size_t n = tile->group_width;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t at = 0; at < tile->width; at += n) {
            const float *x = tile->x + row * tile->width + at;
            bool layer = tile->kind == LOAM_NORM_LAYER;
            float mean = layer ? sum_of(x, n, 0, TAKE_VALUE) / (float)n : 0.0f, r;
            float squares =
                layer ? sum_of(x, n, mean, TAKE_DISTANCE) : sum_of(x, n, 0, TAKE_SQUARE);
            if (tile->kind == LOAM_NORM_L2) {
                float length = sqrtf(squares);
                r = 1.0f / (length > tile->epsilon ? length : tile->epsilon);
            } else {
                r = 1.0f / sqrtf(squares / (float)n + tile->epsilon);
            }
            scale(tile->out + row * tile->width + at, x, n, mean, r,
                  tile->weight ? tile->weight + at % tile->weight_width : NULL,
                  tile->bias ? tile->bias + at % tile->bias_width : NULL);
        }
}

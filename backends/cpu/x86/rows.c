/* SPDX-License-Identifier: MIT */
/*
 * What works on one number after another: rotation, gate, sum. Bound: reading
 * and writing the rows, which are in cache. The gate: some 20 operations of two
 * ports, and a division, for 8 numbers.
 */
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>
#include <math.h>

/* y0 = fma(x0, c, -(x1 * s)), y1 = fma(x1, c, x0 * s) for pairs side by side:
 * even lanes subtract, odd ones add. */
static void rotate_adjacent(const float *x, float *out, const float *cosines, const float *sines,
                            size_t pairs)
{
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    size_t i = 0;
    for (; i + 4 <= pairs; i += 4) {
        __m256 at = _mm256_loadu_ps(x + 2 * i), swapped = _mm256_permute_ps(at, 0xB1);
        __m256 c =
            _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(cosines + i)), twice);
        __m256 s = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(sines + i)), twice);
        _mm256_storeu_ps(out + 2 * i, _mm256_fmaddsub_ps(at, c, _mm256_mul_ps(swapped, s)));
    }
    for (; i < pairs; i++) {
        float x0 = x[2 * i], x1 = x[2 * i + 1];
        out[2 * i] = fmaf(x0, cosines[i], -(x1 * sines[i]));
        out[2 * i + 1] = fmaf(x1, cosines[i], x0 * sines[i]);
    }
}

static void rotate_halves(const float *x, float *out, const float *cosines, const float *sines,
                          size_t pairs)
{
    size_t i = 0;
    for (; i + 8 <= pairs; i += 8) {
        __m256 x0 = _mm256_loadu_ps(x + i), x1 = _mm256_loadu_ps(x + i + pairs);
        __m256 c = _mm256_loadu_ps(cosines + i), s = _mm256_loadu_ps(sines + i);
        _mm256_storeu_ps(out + i, _mm256_fmsub_ps(x0, c, _mm256_mul_ps(x1, s)));
        _mm256_storeu_ps(out + i + pairs, _mm256_fmadd_ps(x1, c, _mm256_mul_ps(x0, s)));
    }
    for (; i < pairs; i++) {
        float x0 = x[i], x1 = x[i + pairs];
        out[i] = fmaf(x0, cosines[i], -(x1 * sines[i]));
        out[i + pairs] = fmaf(x1, cosines[i], x0 * sines[i]);
    }
}

void loam_avx2_rope(const struct rope_tile *tile)
{
    size_t pairs = tile->dimensions / 2, width = tile->heads * tile->head_width;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        const float *cosines = tile->rotation + row * tile->dimensions;
        for (size_t head = 0; head < tile->heads; head++) {
            size_t at = row * width + head * tile->head_width;
            const float *x = tile->x + at;
            float *out = tile->out + at;
            if (tile->pairing == LOAM_ROPE_ADJACENT)
                rotate_adjacent(x, out, cosines, cosines + pairs, pairs);
            else
                rotate_halves(x, out, cosines, cosines + pairs, pairs);
            for (size_t i = tile->dimensions; i < tile->head_width; i++)
                out[i] = x[i];
        }
    }
}

/* (a / (1 + exp(-a))) * b */
INLINE __m256 gate(__m256 a, __m256 b)
{
    __m256 below = _mm256_add_ps(_mm256_set1_ps(1), exp8_of_minus(a));
    return _mm256_mul_ps(_mm256_div_ps(a, below), b);
}

void loam_avx2_gate_silu(const struct elementwise_tile *tile)
{
    size_t i = tile->first, end = tile->first + tile->count;
    for (; i + 8 <= end; i += 8)
        _mm256_storeu_ps(tile->out + i,
                         gate(_mm256_loadu_ps(tile->a + i), _mm256_loadu_ps(tile->b + i)));
    if (i < end) {
        __m256i mask = first_lanes(end - i);
        _mm256_maskstore_ps(
            tile->out + i, mask,
            gate(_mm256_maskload_ps(tile->a + i, mask), _mm256_maskload_ps(tile->b + i, mask)));
    }
}

void loam_avx2_add(const struct elementwise_tile *tile)
{
    for (size_t i = tile->first; i < tile->first + tile->count; i++)
        tile->out[i] = tile->a[i] + tile->b[i];
}

void loam_avx2_add_scaled(const struct scaled_tile *tile)
{
    for (size_t i = 0; i < tile->count; i++)
        tile->out[i] = fmaf(tile->factor, tile->x[i], tile->out[i]);
}

/* SPDX-License-Identifier: MIT */
/*
 * What works on one row or number after another: norm, rotation, gate, sum.
 * Bound: reading and writing the rows, which are in cache. The norm of a single
 * row: the latency of fma, 4 cycles for 16 numbers, as rule 5 has two registers
 * of lanes. The gate: some 30 operations of two ports, and a division, for 8 numbers.
 */
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>
#include <math.h>

enum { NORM_ROWS = 4 };

/* Sums of squares of `rows` rows side by side: one has two chains of fma only. */
INLINE void sum_squares(float sums[NORM_ROWS], const float *x, size_t n, const int rows)
{
    __m256 low[NORM_ROWS], high[NORM_ROWS];
    size_t whole = n & ~(size_t)15, rest = n - whole;
    for (int r = 0; r < rows; r++)
        low[r] = high[r] = _mm256_setzero_ps();
    for (size_t i = 0; i < whole; i += 16)
        for (int r = 0; r < rows; r++) {
            const float *at = x + (size_t)r * n + i;
            __m256 a = _mm256_loadu_ps(at), b = _mm256_loadu_ps(at + 8);
            low[r] = _mm256_fmadd_ps(a, a, low[r]);
            high[r] = _mm256_fmadd_ps(b, b, high[r]);
        }
    for (int r = 0; r < rows; r++) {
        if (rest > 0) {
            const float *at = x + (size_t)r * n + whole;
            __m256 a = _mm256_maskload_ps(at, first_lanes(loam_min(rest, 8)));
            low[r] = _mm256_fmadd_ps(a, a, low[r]);
            if (rest > 8) {
                __m256 b = _mm256_maskload_ps(at + 8, first_lanes(rest - 8));
                high[r] = _mm256_fmadd_ps(b, b, high[r]);
            }
        }
        sums[r] = tree16(low[r], high[r]);
    }
}

INLINE void norm_rows(const struct norm_tile *tile, size_t row, const int rows)
{
    float sums[NORM_ROWS];
    size_t n = tile->width;
    sum_squares(sums, tile->x + row * n, n, rows);
    for (int r = 0; r < rows; r++) {
        const float *x = tile->x + (row + (size_t)r) * n;
        float *out = tile->out + (row + (size_t)r) * n;
        float scale = 1.0f / sqrtf(sums[r] / (float)n + tile->epsilon);
        for (size_t i = 0; i < n; i++)
            out[i] = (x[i] * scale) * tile->weight[i];
    }
}

void loam_avx2_rms_norm(const struct norm_tile *tile)
{
    size_t row = tile->first_row, end = row + tile->row_count;
    for (; row + NORM_ROWS <= end; row += NORM_ROWS)
        norm_rows(tile, row, NORM_ROWS);
    for (; row < end; row++)
        norm_rows(tile, row, 1);
}

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
    __m256 below = one_plus_exp8(_mm256_xor_ps(a, _mm256_set1_ps(-0.0f)));
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

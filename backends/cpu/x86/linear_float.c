/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: products with F32, F16 and BF16 weights, row-major; two registers
 * are the 16 lanes of one output of one row. OUTPUTS x ROWS of them run side
 * by side, so that fma's latency is covered and loads are shared.
 * Bound for one row: reading the weights; for many: two fma per cycle.
 */
#include "base/half.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

/* 8 weights as f32, exactly. */
INLINE __m256 widen(const unsigned char *at, uint32_t type)
{
    if (type == LOAM_TYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)at);
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)at);
    if (type == LOAM_TYPE_F16)
        return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

INLINE size_t size_of(uint32_t type)
{
    return type == LOAM_TYPE_F32 ? 4 : 2;
}

/* `outputs` by `rows` sums over the whole width, the tail padded with +0. */
INLINE void block(const struct linear_tile *tile, size_t output, size_t row, const int outputs,
                  const int rows, uint32_t type)
{
    __m256 low[4][3], high[4][3];
    size_t width = tile->width, whole = width & ~(size_t)15, bytes = size_of(type);
    const unsigned char *weights = (const unsigned char *)tile->weights + output * tile->row_bytes;
    const float *x = tile->x + row * tile->x_stride;
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++)
            low[o][r] = high[o][r] = _mm256_setzero_ps();
    for (size_t i = 0; i < whole; i += 16)
        for (int o = 0; o < outputs; o++) {
            const unsigned char *at = weights + (size_t)o * tile->row_bytes + i * bytes;
            __m256 a = widen(at, type), b = widen(at + 8 * bytes, type);
            for (int r = 0; r < rows; r++) {
                const float *xs = x + (size_t)r * tile->x_stride + i;
                low[o][r] = _mm256_fmadd_ps(a, _mm256_loadu_ps(xs), low[o][r]);
                high[o][r] = _mm256_fmadd_ps(b, _mm256_loadu_ps(xs + 8), high[o][r]);
            }
        }
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++) {
            if (whole < width) {
                unsigned char w[16 * 4] = {0};
                float tail[16] = {0};
                memcpy(w, weights + (size_t)o * tile->row_bytes + whole * bytes,
                       (width - whole) * bytes);
                memcpy(tail, x + (size_t)r * tile->x_stride + whole, (width - whole) * sizeof *x);
                low[o][r] = _mm256_fmadd_ps(widen(w, type), _mm256_loadu_ps(tail), low[o][r]);
                high[o][r] = _mm256_fmadd_ps(widen(w + 8 * bytes, type), _mm256_loadu_ps(tail + 8),
                                             high[o][r]);
            }
            float sum = tree16(low[o][r], high[o][r]);
            size_t at = output + (size_t)o;
            tile->out[(row + (size_t)r) * tile->out_stride + at] =
                tile->bias ? sum + tile->bias[at] : sum;
        }
}

INLINE void linear(const struct linear_tile *tile, uint32_t type)
{
    size_t output = tile->first_output, end = output + tile->output_count;
    if (tile->rows == 1)
        for (; output + 4 <= end; output += 4)
            block(tile, output, 0, 4, 1, type);
    for (; output < end; output += 2) {
        size_t row = 0;
        if (output + 2 <= end) {
            for (; row + 3 <= tile->rows; row += 3)
                block(tile, output, row, 2, 3, type);
            for (; row < tile->rows; row++)
                block(tile, output, row, 2, 1, type);
        }
        for (; row < tile->rows; row++)
            block(tile, output, row, 1, 1, type);
    }
}

void loam_avx2_linear_f32(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_F32);
}

void loam_avx2_linear_f16(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_F16);
}

void loam_avx2_linear_bf16(const struct linear_tile *tile)
{
    linear(tile, LOAM_TYPE_BF16);
}

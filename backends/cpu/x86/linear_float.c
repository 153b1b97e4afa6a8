/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: products with F32, F16 and BF16 weights, row-major. Two registers are
 * the 16 lanes of one output of one row; `outputs` x `rows` of them run side by
 * side, so that the latency of fma is covered and loads are shared: per 8
 * numbers a load of each row's x, a load (and conversion) of each output's
 * weights, and outputs * rows fma. Blocks are 4 x 1, 2 x 2 and 2 x 3, which with
 * one half of x and one register of weights fill the 16 registers.
 *
 * Rows are the outer loop: three of them stay in L1 while the tile's weights
 * pass from L2. Bound for one row: reading the weights, which are asked for
 * PREFETCH bytes ahead. For many: two fma per cycle; F16 spends one more
 * operation of the same ports per 8 weights.
 */
#include "base/half.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

enum {
    MAX_OUTPUTS = 4,
    MAX_ROWS = 3,
    PREFETCH = 1024 /* bytes ahead of the weights in use */
};

/* Sums of up to MAX_OUTPUTS outputs for up to MAX_ROWS rows: lanes 0 to 7, and
 * 8 to 15. */
struct sums {
    __m256 half[2][MAX_OUTPUTS][MAX_ROWS];
};

/* 8 weights as f32, exactly. */
INLINE __m256 widen(const unsigned char *at, uint32_t type)
{
    if (type == LOAM_TYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)at);
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)at);
    if (type == LOAM_TYPE_F16)
        return _mm256_cvtph_ps(bits);
    /* each half of the register takes four of the numbers, above 16 zero bits */
    const __m256i place =
        _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7, -1, -1, 8, 9, -1,
                         -1, 10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
    return _mm256_castsi256_ps(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bits), place));
}

INLINE size_t size_of(uint32_t type)
{
    return type == LOAM_TYPE_F32 ? 4 : 2;
}

/* One step of all lanes: 16 numbers at each x and weights, strides apart. */
INLINE void step(struct sums *sums, const unsigned char *weights, size_t weight_stride,
                 const float *x, size_t x_stride, const int outputs, const int rows, uint32_t type)
{
    for (int half = 0; half < 2; half++) {
        size_t at = 8 * (size_t)half;
        __m256 xs[MAX_ROWS];
        for (int r = 0; r < rows; r++)
            xs[r] = _mm256_loadu_ps(x + (size_t)r * x_stride + at);
        for (int o = 0; o < outputs; o++) {
            __m256 w = widen(weights + (size_t)o * weight_stride + at * size_of(type), type);
            for (int r = 0; r < rows; r++)
                sums->half[half][o][r] = _mm256_fmadd_ps(w, xs[r], sums->half[half][o][r]);
        }
    }
}

/* The last step, of `count` numbers and +0 behind them. */
INLINE void padded_step(struct sums *sums, const unsigned char *weights, size_t weight_stride,
                        const float *x, size_t x_stride, size_t count, const int outputs,
                        const int rows, uint32_t type)
{
    unsigned char w[MAX_OUTPUTS][16 * 4] = {0};
    float xs[MAX_ROWS][16] = {0};
    for (int o = 0; o < outputs; o++)
        memcpy(w[o], weights + (size_t)o * weight_stride, count * size_of(type));
    for (int r = 0; r < rows; r++)
        memcpy(xs[r], x + (size_t)r * x_stride, count * sizeof *x);
    step(sums, w[0], sizeof w[0], xs[0], 16, outputs, rows, type);
}

/* For the first rows of a tile, which find its weights in memory and not in
 * L2. A row's stream goes on in the row `outputs` further down; the machine's
 * own prefetcher ends at each page of 4 KB and at each end of a row. */
INLINE void prefetch(const unsigned char *weights, size_t stride, size_t at, const int outputs)
{
    if (at % 64 != 0)
        return;
    at += PREFETCH;
    at += at < stride ? 0 : (size_t)(outputs - 1) * stride;
    for (int o = 0; o < outputs; o++)
        _mm_prefetch((const char *)((uintptr_t)weights + (size_t)o * stride + at), _MM_HINT_T0);
}

INLINE void block(const struct linear_tile *tile, size_t output, size_t row, const int outputs,
                  const int rows, uint32_t type, const bool first)
{
    struct sums sums;
    size_t width = tile->width, whole = width & ~(size_t)15, stride = tile->row_bytes;
    const unsigned char *weights = (const unsigned char *)tile->weights + output * stride;
    const float *x = tile->x + row * tile->x_stride;
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++)
            sums.half[0][o][r] = sums.half[1][o][r] = _mm256_setzero_ps();
    for (size_t i = 0; i < whole; i += 16) {
        if (first)
            prefetch(weights, stride, i * size_of(type), outputs);
        step(&sums, weights + i * size_of(type), stride, x + i, tile->x_stride, outputs, rows,
             type);
    }
    if (whole < width)
        padded_step(&sums, weights + whole * size_of(type), stride, x + whole, tile->x_stride,
                    width - whole, outputs, rows, type);
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++) {
            float sum = tree16(sums.half[0][o][r], sums.half[1][o][r]);
            size_t at = output + (size_t)o;
            tile->out[(row + (size_t)r) * tile->out_stride + at] =
                tile->bias ? sum + tile->bias[at] : sum;
        }
}

/* All outputs of the tile for `rows` rows. */
INLINE void rows_of(const struct linear_tile *tile, size_t row, const int rows, uint32_t type,
                    const bool first)
{
    const int outputs = rows == 1 ? 4 : 2;
    size_t output = tile->first_output, end = output + tile->output_count;
    for (; output + (size_t)outputs <= end; output += (size_t)outputs)
        block(tile, output, row, outputs, rows, type, first);
    for (; output < end; output++)
        block(tile, output, row, 1, rows, type, false);
}

INLINE void linear(const struct linear_tile *tile, uint32_t type)
{
    size_t row = 0;
    if (tile->rows >= 3) {
        rows_of(tile, 0, 3, type, true);
        for (row = 3; row + 3 <= tile->rows; row += 3)
            rows_of(tile, row, 3, type, false);
    }
    if (row + 2 == tile->rows)
        rows_of(tile, row, 2, type, true);
    else if (row < tile->rows)
        rows_of(tile, row, 1, type, true);
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

/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: products of a few rows with F32, F16 and BF16 weights, row-major; many rows are
 * taken by linear_float_rows.c. A register is the 8 lanes of one output of one row;
 * `outputs` x `rows` of them run side by side, so that the latency of fma is covered and
 * loads are shared: per 8 numbers a load of each row's x, a load (and conversion) of each
 * output's weights, and outputs * rows fma. Blocks are 4 x 1 to 4 x 3 and 3 x 4. Eight rows
 * of 2 to the power of anything would meet in the same sets of L1.
 *
 * Weights are read where they lie, by one row asked for PREFETCH bytes ahead. Bound for
 * one row: reading the weights.
 */
#include "cpu/x86/linear_float.h"

enum {
    MAX_OUTPUTS = 4,
    MAX_ROWS = 4,
    PREFETCH = 512 /* bytes ahead of the weights in use */
};

/* One step of all lanes: 8 numbers at each x and weights, strides apart. */
INLINE void step(__m256 sums[MAX_OUTPUTS][MAX_ROWS], const unsigned char *weights,
                 size_t weight_stride, const float *x, size_t x_stride, const int outputs,
                 const int rows, uint32_t type)
{
    if (outputs > rows) { /* x in registers, weights as they come from memory */
        __m256 xs[MAX_ROWS];
        for (int r = 0; r < rows; r++)
            xs[r] = loaded(x + (size_t)r * x_stride);
        for (int o = 0; o < outputs; o++) {
            __m256 w = widen(weights + (size_t)o * weight_stride, type);
            for (int r = 0; r < rows; r++)
                sums[o][r] = _mm256_fmadd_ps(w, xs[r], sums[o][r]);
        }
        return;
    }
    __m256 ws[MAX_OUTPUTS];
    for (int o = 0; o < outputs; o++)
        ws[o] = widen(weights + (size_t)o * weight_stride, type);
    for (int r = 0; r < rows; r++) {
        __m256 xs = loaded(x + (size_t)r * x_stride);
        for (int o = 0; o < outputs; o++)
            sums[o][r] = _mm256_fmadd_ps(ws[o], xs, sums[o][r]);
    }
}

/* The last step, of `count` numbers and +0 behind them. */
INLINE void padded_step(__m256 sums[MAX_OUTPUTS][MAX_ROWS], const unsigned char *weights,
                        size_t weight_stride, const float *x, size_t x_stride, size_t count,
                        const int outputs, const int rows, uint32_t type)
{
    unsigned char w[MAX_OUTPUTS][8 * 4] = {0};
    float xs[MAX_ROWS][8] = {0};
    for (int o = 0; o < outputs; o++)
        memcpy(w[o], weights + (size_t)o * weight_stride, count * size_of(type));
    for (int r = 0; r < rows; r++)
        memcpy(xs[r], x + (size_t)r * x_stride, count * sizeof *x);
    step(sums, w[0], sizeof w[0], xs[0], 8, outputs, rows, type);
}

/* A row's stream goes on in the row `outputs` further down; the machine's
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
                  const int rows, uint32_t type)
{
    __m256 sums[MAX_OUTPUTS][MAX_ROWS];
    size_t width = tile->width, i = 0, stride = tile->row_bytes;
    const unsigned char *weights = (const unsigned char *)tile->weights + output * stride;
    const float *x = tile->x + row * tile->x_stride;
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++)
            sums[o][r] = _mm256_setzero_ps();
    if (rows == 1 && outputs > 1)
        for (; i + 16 <= width; i += 16) {
            __m256 x0 = loaded(x + i), x1 = loaded(x + i + 8);
            prefetch(weights, stride, i * size_of(type), outputs);
            for (int o = 0; o < outputs; o++) {
                const unsigned char *w = weights + (size_t)o * stride + i * size_of(type);
                sums[o][0] = _mm256_fmadd_ps(widen(w, type), x0, sums[o][0]);
                sums[o][0] = _mm256_fmadd_ps(widen(w + 8 * size_of(type), type), x1, sums[o][0]);
            }
        }
    for (; i + 8 <= width; i += 8)
        step(sums, weights + i * size_of(type), stride, x + i, tile->x_stride, outputs, rows, type);
    if (i < width)
        padded_step(sums, weights + i * size_of(type), stride, x + i, tile->x_stride, width - i,
                    outputs, rows, type);
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++) {
            float sum = tree8(sums[o][r]);
            size_t at = output + (size_t)o;
            tile->out[(row + (size_t)r) * tile->out_stride + at] =
                tile->bias ? sum + tile->bias[at] : sum;
        }
}

/* All outputs of the tile for `rows` rows. */
INLINE void rows_of(const struct linear_tile *tile, size_t row, const int rows, uint32_t type)
{
    const int outputs = rows == 4 ? 3 : 4;
    size_t output = tile->first_output, end = output + tile->output_count;
    for (; output + (size_t)outputs <= end; output += (size_t)outputs)
        block(tile, output, row, outputs, rows, type);
    for (; output < end; output++)
        block(tile, output, row, 1, rows, type);
}

/* A function for each number of rows, whose pointers find registers. */
#define ROWS_OF(rows, name, type)                                                                  \
    static __attribute__((noinline)) void name(const struct linear_tile *tile, size_t row)         \
    {                                                                                              \
        rows_of(tile, row, rows, type);                                                            \
    }

ROWS_OF(1, one_row_f32, LOAM_TYPE_F32)
ROWS_OF(2, two_rows_f32, LOAM_TYPE_F32)
ROWS_OF(3, three_rows_f32, LOAM_TYPE_F32)
ROWS_OF(4, four_rows_f32, LOAM_TYPE_F32)
ROWS_OF(1, one_row_f16, LOAM_TYPE_F16)
ROWS_OF(2, two_rows_f16, LOAM_TYPE_F16)
ROWS_OF(3, three_rows_f16, LOAM_TYPE_F16)
ROWS_OF(4, four_rows_f16, LOAM_TYPE_F16)
ROWS_OF(1, one_row_bf16, LOAM_TYPE_BF16)
ROWS_OF(2, two_rows_bf16, LOAM_TYPE_BF16)
ROWS_OF(3, three_rows_bf16, LOAM_TYPE_BF16)
ROWS_OF(4, four_rows_bf16, LOAM_TYPE_BF16)

/* For 1, 2, 3 and 4 rows. */
typedef void (*rows_functions[MAX_ROWS])(const struct linear_tile *tile, size_t row);

static const rows_functions rows_f32 = {one_row_f32, two_rows_f32, three_rows_f32, four_rows_f32};
static const rows_functions rows_f16 = {one_row_f16, two_rows_f16, three_rows_f16, four_rows_f16};
static const rows_functions rows_bf16 = {one_row_bf16, two_rows_bf16, three_rows_bf16,
                                         four_rows_bf16};

static void few_rows(const struct linear_tile *tile, size_t row, const rows_functions functions)
{
    while (row < tile->rows) {
        size_t rows = loam_min(MAX_ROWS, tile->rows - row);
        functions[rows - 1](tile, row);
        row += rows;
    }
}

void loam_avx2_linear_f32(const struct linear_tile *tile)
{
    few_rows(tile, loam_avx2_float_rows(tile, LOAM_TYPE_F32), rows_f32);
}

void loam_avx2_linear_f16(const struct linear_tile *tile)
{
    few_rows(tile, loam_avx2_float_rows(tile, LOAM_TYPE_F16), rows_f16);
}

void loam_avx2_linear_bf16(const struct linear_tile *tile)
{
    few_rows(tile, loam_avx2_float_rows(tile, LOAM_TYPE_BF16), rows_bf16);
}

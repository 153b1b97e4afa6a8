/* SPDX-License-Identifier: MIT */
/*
 * Rule 5: products with F32, F16 and BF16 weights, row-major. A register is the
 * 8 lanes of one output of one row; `outputs` x `rows` of them run side by side,
 * so that the latency of fma is covered and loads are shared: per 8 numbers a
 * load of each row's x, a load (and conversion) of each output's weights, and
 * outputs * rows fma. Blocks are 8 x 1 (F32 4 x 1), 4 x 2, 4 x 3 and 3 x 4.
 *
 * Weights are read where they lie, by one row asked for PREFETCH bytes ahead.
 * Many rows take 16-bit ones CHUNK numbers at a time, converted (lanes wait in
 * memory between chunks, which changes no order). Bound for one row: reading the
 * weights. For many: two fma per cycle.
 */
#include "base/half.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

enum {
    MAX_OUTPUTS = 8,
    MAX_ROWS = 4,
    PREFETCH = 1024, /* bytes ahead of the weights in use */
    FEWEST = 8,      /* rows that many_rows is for */
    MANY = 32,
    TOGETHER = 3, /* its outputs, and rows, of a block */
    ROWS = 4,
    CHUNK = 1024
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

/* 8 floats in a register: gcc would load them again for each fma. */
INLINE __m256 loaded(const float *x)
{
    __m256 eight = _mm256_loadu_ps(x);
    __asm__("" : "+x"(eight));
    return eight;
}

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
    /* 8 rows of 2 to the power of anything meet in the same sets of L1, and F32 leaves no room for
     * x */
    const int outputs = rows == 1 ? (type == LOAM_TYPE_F32 ? 4 : 8) : rows == 4 ? 3 : 4;
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

/* ---- many rows, 16-bit weights ------------------------------------------------ */

/*
 * MANY rows' lanes of TOGETHER outputs, where they wait from one chunk of
 * numbers to the next. The chunk's weights as f32, with +0 behind the end, are
 * converted once for all these rows, while a row's part of x stays in L1 for all
 * these outputs.
 */
struct chunk {
    _Alignas(64) float weights[TOGETHER][CHUNK];
    _Alignas(64) float lanes[TOGETHER][MANY][PRODUCT_LANES];
    size_t count; /* numbers, CHUNK at most */
};

/* The chunk's weights from those of `outputs` rows. */
INLINE void open_chunk(struct chunk *chunk, const unsigned char *weights, size_t stride,
                       size_t outputs, uint32_t type)
{
    size_t whole = chunk->count & ~(size_t)7;
    for (size_t o = 0; o < outputs; o++) {
        const unsigned char *from = weights + o * stride;
        unsigned char last[8 * 2] = {0};
        for (size_t i = 0; i < whole; i += 8)
            _mm256_store_ps(chunk->weights[o] + i, widen(from + i * size_of(type), type));
        if (whole == chunk->count)
            continue;
        memcpy(last, from + whole * size_of(type), (chunk->count - whole) * size_of(type));
        _mm256_store_ps(chunk->weights[o] + whole, widen(last, type));
    }
}

/* The whole steps of a chunk for `outputs` x `rows` products. */
INLINE void chunk_block(struct chunk *chunk, size_t output, size_t row, const float *x,
                        size_t x_stride, const int outputs, const int rows)
{
    __m256 sums[MAX_OUTPUTS][MAX_ROWS];
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++)
            sums[o][r] = _mm256_load_ps(chunk->lanes[output + (size_t)o][row + (size_t)r]);
    for (size_t i = 0; i + 8 <= chunk->count; i += 8)
        step(sums, (const unsigned char *)(chunk->weights[output] + i), sizeof chunk->weights[0],
             x + i, x_stride, outputs, rows, LOAM_TYPE_F32);
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++)
            _mm256_store_ps(chunk->lanes[output + (size_t)o][row + (size_t)r], sums[o][r]);
}

/* The common case as a function of its own, whose pointers find registers. */
static __attribute__((noinline)) void chunk_block_3x4(struct chunk *chunk, size_t row,
                                                      const float *x, size_t x_stride)
{
    chunk_block(chunk, 0, row, x, x_stride, 3, 4);
}

/* The step after the whole ones, filled up with +0, of one row. */
static void chunk_end(struct chunk *chunk, size_t outputs, size_t row, const float *x)
{
    size_t whole = chunk->count & ~(size_t)7;
    float rest[8] = {0};
    memcpy(rest, x + whole, (chunk->count - whole) * sizeof *x);
    for (size_t o = 0; o < outputs; o++) {
        float *lanes = chunk->lanes[o][row];
        _mm256_store_ps(lanes, _mm256_fmadd_ps(_mm256_load_ps(chunk->weights[o] + whole),
                                               _mm256_loadu_ps(rest), _mm256_load_ps(lanes)));
    }
}

/* A chunk for `rows` of the rows, from `row` of them. */
INLINE void chunk_rows(struct chunk *chunk, size_t outputs, size_t row, const float *x,
                       size_t x_stride, const int rows)
{
    if (outputs == TOGETHER && rows == ROWS)
        chunk_block_3x4(chunk, row, x, x_stride);
    else if (outputs == TOGETHER)
        chunk_block(chunk, 0, row, x, x_stride, TOGETHER, rows);
    else
        for (size_t o = 0; o < outputs; o++)
            chunk_block(chunk, o, row, x, x_stride, 1, rows);
    for (int r = 0; chunk->count % 8 != 0 && r < rows; r++)
        chunk_end(chunk, outputs, row + (size_t)r, x + (size_t)r * x_stride);
}

static void store_chunk(const struct linear_tile *tile, const struct chunk *chunk, size_t output,
                        size_t outputs, size_t row, size_t rows)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < outputs; o++) {
            float sum = tree8(_mm256_load_ps(chunk->lanes[o][r]));
            size_t at = output + o;
            tile->out[(row + r) * tile->out_stride + at] = tile->bias ? sum + tile->bias[at] : sum;
        }
}

/* All outputs of the tile for `rows` rows, MANY at most. */
INLINE void many_rows(const struct linear_tile *tile, size_t first, size_t rows, uint32_t type)
{
    struct chunk chunk;
    size_t end = tile->first_output + tile->output_count, stride = tile->x_stride;
    for (size_t output = tile->first_output; output < end; output += TOGETHER) {
        size_t outputs = loam_min(TOGETHER, end - output);
        const unsigned char *weights =
            (const unsigned char *)tile->weights + output * tile->row_bytes;
        memset(chunk.lanes, 0, sizeof chunk.lanes);
        for (size_t i = 0; i < tile->width; i += CHUNK) {
            size_t row = 0;
            const float *x = tile->x + first * stride + i;
            chunk.count = loam_min(CHUNK, tile->width - i);
            open_chunk(&chunk, weights + i * size_of(type), tile->row_bytes, outputs, type);
            for (; row + ROWS <= rows; row += ROWS)
                chunk_rows(&chunk, outputs, row, x + row * stride, stride, ROWS);
            if (row + 2 <= rows) {
                chunk_rows(&chunk, outputs, row, x + row * stride, stride, 2);
                row += 2;
            }
            if (row < rows)
                chunk_rows(&chunk, outputs, row, x + row * stride, stride, 1);
        }
        store_chunk(tile, &chunk, output, outputs, first, rows);
    }
}

/* All whole MANY rows, and what is left of at least FEWEST; returns the first row
 * after them. */
INLINE size_t most_rows(const struct linear_tile *tile, uint32_t type)
{
    size_t row = 0;
    while (tile->rows - row >= FEWEST) {
        size_t rows = loam_min(MANY, tile->rows - row);
        many_rows(tile, row, rows, type);
        row += rows;
    }
    return row;
}

void loam_avx2_linear_f32(const struct linear_tile *tile)
{
    few_rows(tile, 0, rows_f32);
}

void loam_avx2_linear_f16(const struct linear_tile *tile)
{
    few_rows(tile, most_rows(tile, LOAM_TYPE_F16), rows_f16);
}

void loam_avx2_linear_bf16(const struct linear_tile *tile)
{
    few_rows(tile, most_rows(tile, LOAM_TYPE_BF16), rows_bf16);
}

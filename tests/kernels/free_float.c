/* SPDX-License-Identifier: MIT */
/*
 * Products with float weights without rule 5: any number of lanes. One row: 4
 * outputs with two registers each. More: a register for each of 3 outputs x 4
 * rows or 2 x 6, so that loads and conversions serve more products than the
 * two registers of the rule leave room for.
 */
#include "free.h"
#include "free_float8.h"

#include <loam/graph.h>

enum { MAX_OUTPUTS = 4, MAX_ROWS = 6, PREFETCH = 1024 };

INLINE size_t size_of(uint32_t type)
{
    return type == LOAM_TYPE_F32 ? 4 : 2;
}

INLINE __m256 widen(const unsigned char *at, uint32_t type)
{
    if (type == LOAM_TYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)at);
    if (type == LOAM_TYPE_F16)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
    const __m256i place =
        _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7, -1, -1, 8, 9, -1,
                         -1, 10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
    __m128i bits = _mm_loadu_si128((const __m128i *)(const void *)at);
    return _mm256_castsi256_ps(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bits), place));
}

struct product {
    const struct linear_tile *tile;
    const unsigned char *weights;
    const float *x;
    size_t output, row;
};

/* The elements after the last whole step, one by one, and the results. */
INLINE void finish(const struct product *p, __m256 sums[MAX_OUTPUTS][MAX_ROWS], size_t done,
                   const int outputs, const int rows, uint32_t type)
{
    const struct linear_tile *tile = p->tile;
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++) {
            float sum = free_sum8(sums[o][r]);
            for (size_t i = done; i < tile->width; i++) {
                unsigned char w[8 * 4] = {0};
                memcpy(w, p->weights + (size_t)o * tile->row_bytes + i * size_of(type),
                       size_of(type));
                sum += _mm256_cvtss_f32(widen(w, type)) * p->x[(size_t)r * tile->x_stride + i];
            }
            size_t at = p->output + (size_t)o;
            tile->out[(p->row + (size_t)r) * tile->out_stride + at] =
                tile->bias ? sum + tile->bias[at] : sum;
        }
}

INLINE void ask(const struct product *p, size_t at, const int outputs)
{
    size_t stride = p->tile->row_bytes;
    at += PREFETCH;
    at += at < stride ? 0 : (size_t)(outputs - 1) * stride;
    for (int o = 0; o < outputs; o++)
        _mm_prefetch((const char *)((uintptr_t)p->weights + (size_t)o * stride + at), _MM_HINT_T0);
}

/* One row: two registers for each output. */
INLINE void one_row(const struct product *p, const int outputs, uint32_t type)
{
    __m256 sums[MAX_OUTPUTS][MAX_ROWS], more[MAX_OUTPUTS];
    size_t i = 0, size = size_of(type), stride = p->tile->row_bytes;
    for (int o = 0; o < outputs; o++)
        sums[o][0] = more[o] = _mm256_setzero_ps();
    for (; i + 16 <= p->tile->width; i += 16) {
        __m256 x0 = _mm256_loadu_ps(p->x + i), x1 = _mm256_loadu_ps(p->x + i + 8);
        if (i * size % 64 == 0)
            ask(p, i * size, outputs);
        for (int o = 0; o < outputs; o++) {
            const unsigned char *w = p->weights + (size_t)o * stride + i * size;
            sums[o][0] = _mm256_fmadd_ps(widen(w, type), x0, sums[o][0]);
            more[o] = _mm256_fmadd_ps(widen(w + 8 * size, type), x1, more[o]);
        }
    }
    for (int o = 0; o < outputs; o++)
        sums[o][0] = _mm256_add_ps(sums[o][0], more[o]);
    finish(p, sums, i, outputs, 1, type);
}

INLINE void some_rows(const struct product *p, const int outputs, const int rows, uint32_t type)
{
    __m256 sums[MAX_OUTPUTS][MAX_ROWS];
    size_t i = 0, size = size_of(type), stride = p->tile->row_bytes;
    for (int o = 0; o < outputs; o++)
        for (int r = 0; r < rows; r++)
            sums[o][r] = _mm256_setzero_ps();
    for (; i + 8 <= p->tile->width; i += 8) {
        __m256 w[MAX_OUTPUTS];
        for (int o = 0; o < outputs; o++)
            w[o] = widen(p->weights + (size_t)o * stride + i * size, type);
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_loadu_ps(p->x + (size_t)r * p->tile->x_stride + i);
            for (int o = 0; o < outputs; o++)
                sums[o][r] = _mm256_fmadd_ps(w[o], x, sums[o][r]);
        }
    }
    finish(p, sums, i, outputs, rows, type);
}

INLINE void block(const struct product *p, const int outputs, const int rows, uint32_t type)
{
    if (rows == 1)
        one_row(p, outputs, type);
    else
        some_rows(p, outputs, rows, type);
}

INLINE void rows_of(const struct linear_tile *tile, size_t row, const int rows, uint32_t type)
{
    const int outputs = rows == 1 ? 4 : rows <= 4 ? 3 : 2;
    struct product p = {.tile = tile, .x = tile->x + row * tile->x_stride, .row = row};
    size_t end = tile->first_output + tile->output_count;
    for (p.output = tile->first_output; p.output < end;) {
        p.weights = (const unsigned char *)tile->weights + p.output * tile->row_bytes;
        if (p.output + (size_t)outputs <= end) {
            block(&p, outputs, rows, type);
            p.output += (size_t)outputs;
        } else {
            block(&p, 1, rows, type);
            p.output++;
        }
    }
}

INLINE void linear(const struct linear_tile *tile, const size_t most, uint32_t type)
{
    size_t row = 0;
    for (; row + most <= tile->rows; row += most)
        rows_of(tile, row, (int)most, type);
    for (; row + 4 <= tile->rows; row += 4)
        rows_of(tile, row, 4, type);
    if (row + 3 == tile->rows)
        rows_of(tile, row, 3, type);
    else if (row + 2 == tile->rows)
        rows_of(tile, row, 2, type);
    else if (row < tile->rows)
        rows_of(tile, row, 1, type);
}

void free_linear_f32(const struct linear_tile *tile)
{
    linear(tile, 4, LOAM_TYPE_F32);
}

void free_linear_f16(const struct linear_tile *tile)
{
    linear(tile, 6, LOAM_TYPE_F16);
}

void free_linear_bf16(const struct linear_tile *tile)
{
    linear(tile, 4, LOAM_TYPE_BF16);
}

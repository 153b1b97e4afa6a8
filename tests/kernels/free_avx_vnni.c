/* SPDX-License-Identifier: MIT */
/*
 * K-quants without rule 4: the sum of each sub-block goes to float at once,
 * by fma with the product of both scales, which spares the multiplication of
 * 32-bit integers. The other types and the level avx2 have no free form: there
 * the fastest order found is the rule's.
 */
#include "free.h"
#include "free_float8.h"
#include "quant/blocks.h"

#include <loam/graph.h>

enum { ROWS = 4, PREFETCH = 2048 };

struct rows {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups;
};

INLINE __m256i words(const void *bytes)
{
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm256_set1_epi32(word);
}

INLINE __m256 halves(const uint16_t *from)
{
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)from));
}

INLINE __m256i nibble_mask(void)
{
    return _mm256_set1_epi8(15);
}

INLINE __m256i high_nibbles(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble_mask());
}

INLINE __m256 bytes_as_float(const uint8_t *from)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}

/* acc += the block's sum * d_x - its minima */
INLINE void finish(__m256 acc[ROWS], const __m256 sum[ROWS], const uint16_t *dmin,
                   const uint8_t (*mins)[16][2], size_t half, const struct rows *x, int rows)
{
    __m256 min_scale = halves(dmin + 8 * half);
    __m256i pairs[4];
    for (size_t p = 0; p < 4; p++)
        pairs[p] = _mm256_cvtepu8_epi16(_mm_load_si128((const __m128i *)mins[p][8 * half]));
    for (int r = 0; r < rows; r++) {
        const int16_t *sums = x->sums32 + (size_t)r * (x->width / 32);
        __m256 d_x = _mm256_set1_ps(x->scales[(size_t)r * x->groups]);
        __m256i min_sum = _mm256_madd_epi16(pairs[0], words(sums));
        for (size_t p = 1; p < 4; p++)
            min_sum = _mm256_add_epi32(min_sum, _mm256_madd_epi16(pairs[p], words(sums + 2 * p)));
        __m256 all = _mm256_fnmadd_ps(min_scale, _mm256_cvtepi32_ps(min_sum), sum[r]);
        acc[r] = _mm256_fmadd_ps(all, d_x, acc[r]);
    }
}

INLINE void add_dots(__m256 sum[ROWS], const __m256i dot[ROWS], __m256 scale, int rows)
{
    for (int r = 0; r < rows; r++)
        sum[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r]), scale, sum[r]);
}

/* Q4_K and, with fifth bits, Q5_K; stride: bytes from a sub-block's to the next one's. */
INLINE void unit_k(__m256 acc[2][ROWS], const uint16_t *d, const uint16_t *dmin,
                   const uint8_t (*scales)[16], const uint8_t (*mins)[16][2], const uint8_t *fifths,
                   const uint8_t *q, size_t stride, const struct rows *x, int rows)
{
    const __m256i bit = _mm256_set1_epi8(16);
    for (size_t half = 0; half < 2; half++) {
        __m256 sum[ROWS], block_scale = halves(d + 8 * half);
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_ps();
        for (size_t b = 0; b < 8; b++) {
            __m256i dot[ROWS], fifth = _mm256_setzero_si256();
            if (fifths)
                fifth = _mm256_load_si256(
                    (const __m256i *)(const void *)(fifths + b * stride + 32 * half));
            for (int r = 0; r < rows; r++)
                dot[r] = _mm256_setzero_si256();
            for (size_t v = 0; v < 4; v++) {
                __m256i bytes = _mm256_load_si256(
                    (const __m256i *)(const void *)(q + b * stride + 64 * v + 32 * half));
                __m256i low = _mm256_and_si256(bytes, nibble_mask()), high = high_nibbles(bytes);
                if (fifths) {
                    low = _mm256_or_si256(
                        low, _mm256_and_si256(_mm256_slli_epi16(fifth, 4 - (int)v), bit));
                    high = _mm256_or_si256(high,
                                           _mm256_and_si256(_mm256_srli_epi16(fifth, (int)v), bit));
                }
                for (int r = 0; r < rows; r++) {
                    const int8_t *at = x->q + (size_t)r * x->width + 32 * b + 4 * v;
                    dot[r] = _mm256_dpbusd_avx_epi32(dot[r], low, words(at));
                    dot[r] = _mm256_dpbusd_avx_epi32(dot[r], high, words(at + 16));
                }
            }
            add_dots(sum, dot, _mm256_mul_ps(block_scale, bytes_as_float(scales[b] + 8 * half)),
                     rows);
        }
        finish(acc[half], sum, dmin, mins, half, x, rows);
    }
}

INLINE void unit_q4_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, int rows)
{
    const struct unit_q4_k *unit = weights;
    unit_k(acc, unit->d, unit->dmin, unit->scales, unit->mins, NULL, unit->q[0][0][0],
           sizeof unit->q[0], x, rows);
}

INLINE void unit_q5_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, int rows)
{
    const struct unit_q5_k *unit = weights;
    unit_k(acc, unit->d, unit->dmin, unit->scales, unit->mins, unit->sub_blocks[0].high[0],
           unit->sub_blocks[0].q[0][0], sizeof unit->sub_blocks[0], x, rows);
}

INLINE void unit_q6_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, int rows)
{
    const struct unit_q6_k *unit = weights;
    const __m256i bits = _mm256_set1_epi8(48);
    for (size_t half = 0; half < 2; half++) {
        __m256 sum[ROWS], d = halves(unit->d + 8 * half);
        __m256i offset[ROWS];
        for (int r = 0; r < rows; r++) {
            sum[r] = _mm256_setzero_ps();
            offset[r] = _mm256_setzero_si256();
        }
        for (size_t p = 0; p < 8; p++) {
            __m256i scales =
                _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)unit->scales[p][8 * half]));
            for (size_t i = 0; i < 2; i++) {
                __m256i dot[ROWS];
                __m256i high = _mm256_load_si256(
                    (const __m256i *)(const void *)unit->pairs[p].high[i][8 * half]);
                for (int r = 0; r < rows; r++)
                    dot[r] = _mm256_setzero_si256();
                for (size_t v = 0; v < 4; v++) {
                    __m256i bytes = _mm256_load_si256(
                        (const __m256i *)(const void *)unit->pairs[p].q[v][8 * half]);
                    __m256i top = v < 3 ? _mm256_slli_epi16(high, 4 - 2 * (int)v)
                                        : _mm256_srli_epi16(high, 2);
                    bytes = i ? high_nibbles(bytes) : _mm256_and_si256(bytes, nibble_mask());
                    bytes = _mm256_or_si256(bytes, _mm256_and_si256(top, bits));
                    for (int r = 0; r < rows; r++)
                        dot[r] = _mm256_dpbusd_avx_epi32(
                            dot[r], bytes,
                            words(x->q + (size_t)r * x->width + 32 * p + 16 * i + 4 * v));
                }
                __m256i scale = _mm256_srai_epi32(i ? scales : _mm256_slli_epi32(scales, 16), 16);
                add_dots(sum, dot, _mm256_mul_ps(d, _mm256_cvtepi32_ps(scale)), rows);
            }
            for (int r = 0; r < rows; r++)
                offset[r] = _mm256_add_epi32(
                    offset[r], _mm256_madd_epi16(
                                   scales, words(x->sums16 + (size_t)r * (x->width / 16) + 2 * p)));
        }
        for (int r = 0; r < rows; r++) {
            __m256 below = _mm256_cvtepi32_ps(_mm256_slli_epi32(offset[r], 5));
            __m256 all = _mm256_fnmadd_ps(d, below, sum[r]);
            acc[half][r] = _mm256_fmadd_ps(all, _mm256_set1_ps(x->scales[(size_t)r * x->groups]),
                                           acc[half][r]);
        }
    }
}

typedef void (*unit_function)(__m256 acc[2][ROWS], const void *weights, const struct rows *x,
                              int rows);

INLINE void panel(const struct linear_tile *tile, const unsigned char *weights, size_t output,
                  size_t count, size_t first_row, int rows, unit_function unit, size_t unit_bytes)
{
    size_t width = tile->width, groups = width / 256;
    struct rows x = {.q = tile->q + first_row * width,
                     .scales = tile->scales + first_row * groups,
                     .sums32 = tile->sums32 + first_row * (width / 32),
                     .sums16 = tile->sums16 + first_row * (width / 16),
                     .width = width,
                     .groups = groups};
    __m256 acc[2][ROWS];
    for (int r = 0; r < rows; r++)
        acc[0][r] = acc[1][r] = _mm256_setzero_ps();
    for (size_t k = 0; k < width; k += 256) {
        if (rows == 1)
            for (size_t line = 0; line < unit_bytes; line += 64)
                _mm_prefetch((const char *)weights + PREFETCH + line, _MM_HINT_T0);
        unit(acc, weights, &x, rows);
        weights += unit_bytes;
        x.q += 256;
        x.scales += 1;
        x.sums32 += 8;
        x.sums16 += 16;
    }
    for (int r = 0; r < rows; r++) {
        float values[PANEL_ROWS];
        float *out = tile->out + (first_row + (size_t)r) * tile->out_stride + output;
        _mm256_storeu_ps(values, acc[0][r]);
        _mm256_storeu_ps(values + 8, acc[1][r]);
        for (size_t i = 0; i < count; i++)
            out[i] = tile->bias ? values[i] + tile->bias[output + i] : values[i];
    }
}

INLINE void linear(const struct linear_tile *tile, unit_function unit, size_t unit_bytes)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights =
            (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
        size_t count = loam_min(PANEL_ROWS, end - output), row = 0;
        for (; row + 4 <= tile->rows; row += 4)
            panel(tile, weights, output, count, row, 4, unit, unit_bytes);
        if (row + 2 <= tile->rows) {
            panel(tile, weights, output, count, row, 2, unit, unit_bytes);
            row += 2;
        }
        if (row < tile->rows)
            panel(tile, weights, output, count, row, 1, unit, unit_bytes);
    }
}

static void free_linear_q4_k(const struct linear_tile *tile)
{
    linear(tile, unit_q4_k, sizeof(struct unit_q4_k));
}

static void free_linear_q5_k(const struct linear_tile *tile)
{
    linear(tile, unit_q5_k, sizeof(struct unit_q5_k));
}

static void free_linear_q6_k(const struct linear_tile *tile)
{
    linear(tile, unit_q6_k, sizeof(struct unit_q6_k));
}

void free_kernels_avx_vnni(struct cpu_kernels *kernels)
{
    free_kernels_avx2(kernels);
    kernels->linear[LOAM_TYPE_Q4_K] = free_linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = free_linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = free_linear_q6_k;
}

/* SPDX-License-Identifier: MIT */
/*
 * Q8_0 for many rows at the level avx2, which multiplies unsigned bytes by signed
 * ones only. Signs of weights go to the activations: w * x = |w| * (-x) where w is
 * negative, and -x is ~x + 1, so that
 *
 *     sum w * x = sum |w| * (x ^ n) + sum of |w| of the negative,   n = w < 0 ? -1 : 0
 *
 * whose second part is the same for all rows. `^` has three ports where the sign
 * instruction of linear_packed.h has two, which the products need. A chunk of a panel
 * is split once for up to PART rows. Pairs of products fit in 16 bits: |w| is at most
 * 128 and x ^ n at least -128.
 * Bound: 4 operations for 32 products on three ports (two of them on two ports), and
 * the float step, 4 for 256 products: two thirds of the byte products' rate.
 */
#include "cpu/kernels.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"
#include "quant/blocks.h"

enum { PART = 64, TOGETHER = 4, UNITS = 4, BLOCKS = 2 * UNITS };

/* Up to BLOCKS blocks of a panel; numbers as in unit_q8_0. */
struct split {
    _Alignas(32) uint8_t magnitude[BLOCKS][8][PANEL_ROWS][4];
    uint8_t negative[BLOCKS][8][PANEL_ROWS][4]; /* 255 or 0 */
    int32_t sums[BLOCKS][PANEL_ROWS];           /* of the magnitudes of the negative */
    float d[BLOCKS][PANEL_ROWS];
};

static void split_block(struct split *out, size_t b, const struct unit_q8_0 *unit, size_t of_unit)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i sum = _mm256_setzero_si256();
        for (size_t v = 0; v < 8; v++) {
            __m256i q = _mm256_load_si256((const __m256i *)unit->q[of_unit][v][8 * half]);
            __m256i magnitude = _mm256_abs_epi8(q);
            __m256i negative = _mm256_cmpgt_epi8(_mm256_setzero_si256(), q);
            __m256i ones = _mm256_and_si256(negative, _mm256_set1_epi8(1));
            __m256i pairs = _mm256_maddubs_epi16(magnitude, ones);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            _mm256_store_si256((__m256i *)out->magnitude[b][v][8 * half], magnitude);
            _mm256_store_si256((__m256i *)out->negative[b][v][8 * half], negative);
        }
        _mm256_store_si256((__m256i *)&out->sums[b][8 * half], sum);
        _mm256_store_ps(&out->d[b][8 * half], _mm256_cvtph_ps(_mm_load_si128(
                                                  (const __m128i *)&unit->d[of_unit][8 * half])));
    }
}

/* acc[r][o] over `blocks` blocks of `rows` rows, whose activations are `stride` apart
 * and their scales `groups`. */
INLINE void add_rows(float (*acc)[PANEL_ROWS], const struct split *split, const int8_t *x,
                     const float *scales, size_t stride, size_t groups, size_t blocks, int rows)
{
    for (size_t half = 0; half < 2; half++) {
        __m256 total[TOGETHER];
        for (int r = 0; r < rows; r++)
            total[r] = _mm256_load_ps(&acc[r][8 * half]);
        for (size_t b = 0; b < blocks; b++) {
            __m256i sum[TOGETHER];
            for (int r = 0; r < rows; r++)
                sum[r] = _mm256_load_si256((const __m256i *)&split->sums[b][8 * half]);
            for (size_t v = 0; v < 8; v++) {
                __m256i magnitude =
                    _mm256_load_si256((const __m256i *)split->magnitude[b][v][8 * half]);
                __m256i negative =
                    _mm256_load_si256((const __m256i *)split->negative[b][v][8 * half]);
                for (int r = 0; r < rows; r++) {
                    int32_t word;
                    memcpy(&word, x + (size_t)r * stride + 32 * b + 4 * v, sizeof word);
                    __m256i at = _mm256_xor_si256(_mm256_set1_epi32(word), negative);
                    __m256i pairs = _mm256_maddubs_epi16(magnitude, at);
                    sum[r] =
                        _mm256_add_epi32(sum[r], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
                }
            }
            __m256 d = _mm256_load_ps(&split->d[b][8 * half]);
            for (int r = 0; r < rows; r++) {
                __m256 scale = _mm256_mul_ps(d, _mm256_set1_ps(scales[(size_t)r * groups + b]));
                total[r] = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(sum[r]), total[r]);
            }
        }
        for (int r = 0; r < rows; r++)
            _mm256_store_ps(&acc[r][8 * half], total[r]);
    }
}

/* One panel for `rows` rows from first_row, at most PART. */
static void add_panel(const struct linear_tile *tile, size_t output, size_t first_row, size_t rows)
{
    size_t width = tile->width, groups = width / 32;
    const struct unit_q8_0 *unit = (const void *)((const unsigned char *)tile->weights +
                                                  output / PANEL_ROWS * tile->panel_bytes);
    const int8_t *x = tile->q + first_row * width;
    const float *scales = tile->scales + first_row * groups;
    struct split split;
    _Alignas(32) float acc[PART][PANEL_ROWS];
    memset(acc, 0, rows * sizeof *acc);
    for (size_t g = 0; g < groups; g += BLOCKS) {
        size_t blocks = loam_min(BLOCKS, groups - g), r = 0;
        for (size_t b = 0; b < blocks; b++)
            split_block(&split, b, unit + (g + b) / 2, b % 2);
        for (; r + TOGETHER <= rows; r += TOGETHER)
            add_rows(acc + r, &split, x + r * width + 32 * g, scales + r * groups + g, width,
                     groups, blocks, TOGETHER);
        for (; r < rows; r++)
            add_rows(acc + r, &split, x + r * width + 32 * g, scales + r * groups + g, width,
                     groups, blocks, 1);
    }
    size_t count = loam_min(PANEL_ROWS, tile->first_output + tile->output_count - output);
    for (size_t r = 0; r < rows; r++) {
        float *out = tile->out + (first_row + r) * tile->out_stride + output;
        for (size_t i = 0; i < count; i++)
            out[i] = tile->bias ? acc[r][i] + tile->bias[output + i] : acc[r][i];
    }
}

void loam_avx2_linear_q8_0_rows(const struct linear_tile *tile)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS)
        for (size_t row = 0; row < tile->rows; row += PART)
            add_panel(tile, output, row, loam_min(PART, tile->rows - row));
}

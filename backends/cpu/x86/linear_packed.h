/* SPDX-License-Identifier: MIT */
/*
 * Products with packed weights in 256-bit registers, for AVX2 alone and with
 * AVX-VNNI: compiled once for each, with LINEAR(type) naming the result.
 *
 * A register holds 8 outputs (half a panel), a 32-bit lane for each. A word
 * of 4 activations is broadcast and multiplied by the 4 bytes of each output:
 * weights as unsigned bytes, activations as signed ones. Without VNNI pairs of
 * products are summed in 16 bits, as often as cannot overflow (15 * 127 * 2
 * eight times, 31 * 127 * 2 four times, 63 * 127 * 2 twice, 128 * 127 * 2
 * once), and the step to 32 bits multiplies by the sub-scale for nothing.
 * Offsets (8, 32, 128) come off by the sums of the activations.
 *
 * Up to ROWS rows share each load of weights; the loop runs over a panel for
 * some rows, then for the next rows: the panel stays in L1 or L2.
 * Bound for one row: reading the weights. For many: per 32 products one
 * multiply and one addition (VNNI: one operation) on two or three ports.
 */
#ifndef LOAM_BACKENDS_CPU_X86_LINEAR_PACKED_H
#define LOAM_BACKENDS_CPU_X86_LINEAR_PACKED_H

#include "cpu/x86/stream.h"
#include "cpu/x86/x86.h"
#include "quant/blocks.h"

enum { ROWS = 4 };

/* Up to ROWS rows of quantised activations at one block. */
struct rows {
    const int8_t *q;
    const float *scales;
    const int16_t *sums32, *sums16;
    size_t width, groups; /* strides of q and scales; sums have width / 32 and width / 16 */
};

INLINE __m256i words(const void *bytes)
{
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm256_set1_epi32(word);
}

INLINE __m256i load(const void *bytes)
{
    return _mm256_load_si256(bytes);
}

/* Half a line of weights for `rows` rows. */
INLINE __m256i load_half(const void *line, size_t half, int rows)
{
    if (rows == 1 && half == 0)
        stream_line(line);
    return load((const unsigned char *)line + 32 * half);
}

INLINE __m256i nibble_mask(void)
{
    return _mm256_set1_epi8(15);
}

INLINE __m256i high_nibbles(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble_mask());
}

INLINE __m256 halves(const uint16_t *from)
{
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)from));
}

/* acc = fma(d * d_x, (float)sum, acc) */
INLINE __m256 step(__m256 acc, __m256 d, float d_x, __m256i sum)
{
    return _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(d_x)), _mm256_cvtepi32_ps(sum), acc);
}

INLINE __m256i madd_ones(__m256i pairs)
{
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/*
 * Sums of products, added up over words: with VNNI 32-bit lanes, without it
 * pairs of 16 bits. total_... gives 32-bit lanes.
 */
#ifdef __AVXVNNI__
/* Words of four numbers below 32, and below 64, whose products may be added up. */
enum { FIFTHS = 4, SIXTHS = 4 };

INLINE __m256i multiply(__m256i sum, __m256i weights, __m256i x)
{
    return _mm256_dpbusd_avx_epi32(sum, weights, x);
}

INLINE __m256i total(__m256i sum)
{
    return sum;
}

/* sum + the products of pairs of 16 bits */
INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpwssd_avx_epi32(sum, a, b);
}

/* scaled + sum * scale, for sums of up to 24 bits: the lowest byte and the 16 bits
 * above it meet scale and 256 * scale. One operation on the ports of products, where
 * a 32-bit multiplication has two. */
INLINE __m256i add_scaled(__m256i scaled, __m256i sum, __m256i scale)
{
    const __m256i parts = _mm256_setr_epi8(0, -1, 1, 2, 4, -1, 5, 6, 8, -1, 9, 10, 12, -1, 13, 14,
                                           0, -1, 1, 2, 4, -1, 5, 6, 8, -1, 9, 10, 12, -1, 13, 14);
    return add_pairs(scaled, _mm256_shuffle_epi8(sum, parts), scale);
}
#else
enum { FIFTHS = 2, SIXTHS = 2 };

INLINE __m256i multiply(__m256i sum, __m256i weights, __m256i x)
{
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(weights, x));
}

INLINE __m256i total(__m256i sum)
{
    return madd_ones(sum);
}

INLINE __m256i add_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

INLINE __m256i add_scaled(__m256i scaled, __m256i sum, __m256i scale)
{
    return add_pairs(scaled, sum, scale);
}
#endif

/* ---- 32 numbers of 4 bits: Q4_0 and the sub-blocks of Q4_K ------------------ */

/* sum[r] += products of a nibble run with 32 activations of each row. */
INLINE void multiply_nibbles(__m256i sum[ROWS], const uint8_t (*q)[16][4], size_t half,
                             const int8_t *x, size_t width, int rows)
{
    for (size_t v = 0; v < 4; v++) {
        __m256i bytes = load_half(q[v], half, rows);
        __m256i low = _mm256_and_si256(bytes, nibble_mask()), high = high_nibbles(bytes);
        for (int r = 0; r < rows; r++) {
            const int8_t *at = x + (size_t)r * width + 4 * v;
            sum[r] = multiply(sum[r], low, words(at));
            sum[r] = multiply(sum[r], high, words(at + 16));
        }
    }
}

INLINE void unit_q4_0(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q4_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++)
        for (size_t half = 0; half < 2; half++) {
            __m256i sum[ROWS];
            for (int r = 0; r < rows; r++)
                sum[r] = _mm256_setzero_si256();
            multiply_nibbles(sum, unit->q[b], half, x->q + 32 * b, x->width, rows);
            __m256 d = halves(unit->d[b] + 8 * half);
            for (int r = 0; r < rows; r++) {
                int32_t offset = 8 * x->sums32[(size_t)r * (x->width / 32) + b];
                __m256i dot = _mm256_sub_epi32(total(sum[r]), _mm256_set1_epi32(offset));
                acc[half][r] = step(acc[half][r], d, x->scales[(size_t)r * x->groups + b], dot);
            }
        }
}

/* ---- Q8_0 ------------------------------------------------------------------ */

INLINE void unit_q8_0(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q8_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++)
        for (size_t half = 0; half < 2; half++) {
            __m256i sum[ROWS];
            for (int r = 0; r < rows; r++)
                sum[r] = _mm256_setzero_si256();
            for (size_t v = 0; v < 8; v++) {
                __m256i bytes = load_half(unit->q[b][v], half, rows);
#ifdef __AVXVNNI__
                /* q + 128 as unsigned; 128 times the sum of x comes off below */
                __m256i shifted = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
                for (int r = 0; r < rows; r++)
                    sum[r] = multiply(sum[r], shifted,
                                      words(x->q + (size_t)r * x->width + 32 * b + 4 * v));
#else
                /* |q| times x with the sign of q: -128 becomes 128, x is never -128 */
                __m256i magnitude = _mm256_abs_epi8(bytes);
                for (int r = 0; r < rows; r++) {
                    __m256i at = words(x->q + (size_t)r * x->width + 32 * b + 4 * v);
                    __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(at, bytes));
                    sum[r] = _mm256_add_epi32(sum[r], madd_ones(pairs));
                }
#endif
            }
            __m256 d = halves(unit->d[b] + 8 * half);
            for (int r = 0; r < rows; r++) {
#ifdef __AVXVNNI__
                int32_t offset = 128 * x->sums32[(size_t)r * (x->width / 32) + b];
                sum[r] = _mm256_sub_epi32(sum[r], _mm256_set1_epi32(offset));
#endif
                acc[half][r] = step(acc[half][r], d, x->scales[(size_t)r * x->groups + b], sum[r]);
            }
        }
}

/* ---- Q4_K and Q5_K ----------------------------------------------------------- */

/* The scales of one sub-block for 8 outputs as add_scaled takes them: twice in
 * 16 bits, with VNNI the second time times 256. */
INLINE __m256i k_scale(const uint8_t scales[16], size_t half)
{
    __m256i all = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)scales));
#ifdef __AVXVNNI__
    __m256i pick = _mm256_setr_epi8(0, -1, -1, 0, 1, -1, -1, 1, 2, -1, -1, 2, 3, -1, -1, 3, 4, -1,
                                    -1, 4, 5, -1, -1, 5, 6, -1, -1, 6, 7, -1, -1, 7);
#else
    __m256i pick = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1, 4, -1,
                                    4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
#endif
    /* -1 stays negative: the high bit asks for zero */
    pick = half ? _mm256_or_si256(pick, _mm256_set1_epi8(8)) : pick;
    return _mm256_shuffle_epi8(all, pick);
}

/* Takes one block's step with its minima. */
INLINE void k_step(__m256 acc[ROWS], const __m256i sum[ROWS], const uint16_t *d,
                   const uint16_t *dmin, const uint8_t (*mins)[16][2], size_t half,
                   const struct rows *x, int rows)
{
    __m256 scale = halves(d + 8 * half), min_scale = halves(dmin + 8 * half);
    __m256i pairs[4];
    for (size_t p = 0; p < 4; p++)
        pairs[p] = _mm256_cvtepu8_epi16(_mm_load_si128((const __m128i *)mins[p][8 * half]));
    for (int r = 0; r < rows; r++) {
        const int16_t *sums = x->sums32 + (size_t)r * (x->width / 32);
        float d_x = x->scales[(size_t)r * x->groups];
        __m256i min_sum = _mm256_madd_epi16(pairs[0], words(sums));
        for (size_t p = 1; p < 4; p++)
            min_sum = add_pairs(min_sum, pairs[p], words(sums + 2 * p));
        acc[r] = step(acc[r], scale, d_x, sum[r]);
        acc[r] = _mm256_fnmadd_ps(_mm256_mul_ps(min_scale, _mm256_set1_ps(d_x)),
                                  _mm256_cvtepi32_ps(min_sum), acc[r]);
    }
}

INLINE void unit_q4_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q4_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_si256();
        for (size_t b = 0; b < 8; b++) {
            __m256i dot[ROWS], scale = k_scale(unit->scales[b], half);
            for (int r = 0; r < rows; r++)
                dot[r] = _mm256_setzero_si256();
            multiply_nibbles(dot, unit->q[b], half, x->q + 32 * b, x->width, rows);
            for (int r = 0; r < rows; r++)
                sum[r] = add_scaled(sum[r], dot[r], scale);
        }
        k_step(acc[half], sum, unit->d, unit->dmin, unit->mins, half, x, rows);
    }
}

/* Half of a sub-block: 4 words at `v`, with their fifth bits. */
INLINE void multiply_fifths(__m256i sum[ROWS], const uint8_t (*q)[16][4], __m256i fifths, size_t v,
                            size_t half, const int8_t *x, size_t width, int rows)
{
    const __m256i bit = _mm256_set1_epi8(16);
    __m256i bytes = load_half(q[v], half, rows);
    __m256i first = _mm256_and_si256(_mm256_slli_epi16(fifths, 4 - (int)v), bit);
    __m256i second = _mm256_and_si256(_mm256_srli_epi16(fifths, (int)v), bit);
    __m256i low = _mm256_or_si256(_mm256_and_si256(bytes, nibble_mask()), first);
    __m256i high = _mm256_or_si256(high_nibbles(bytes), second);
    for (int r = 0; r < rows; r++) {
        const int8_t *at = x + (size_t)r * width + 4 * v;
        sum[r] = multiply(sum[r], low, words(at));
        sum[r] = multiply(sum[r], high, words(at + 16));
    }
}

INLINE void unit_q5_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q5_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_si256();
        for (size_t b = 0; b < 8; b++) {
            __m256i scale = k_scale(unit->scales[b], half),
                    fifths = load_half(unit->high[b], half, rows);
            for (size_t v = 0; v < 4; v += FIFTHS) {
                __m256i dot[ROWS];
                for (int r = 0; r < rows; r++)
                    dot[r] = _mm256_setzero_si256();
                for (size_t i = v; i < v + FIFTHS; i++)
                    multiply_fifths(dot, unit->q[b], fifths, i, half, x->q + 32 * b, x->width,
                                    rows);
                for (int r = 0; r < rows; r++)
                    sum[r] = add_scaled(sum[r], dot[r], scale);
            }
        }
        k_step(acc[half], sum, unit->d, unit->dmin, unit->mins, half, x, rows);
    }
}

/* ---- Q6_K -------------------------------------------------------------------- */

/* Word v of sub-block i of pair p: 4 + 2 bits. The sub-blocks one after the other,
 * so that their sums have registers. */
INLINE void multiply_sixths(__m256i sum[ROWS], const struct unit_q6_k *unit, size_t p, size_t i,
                            size_t v, size_t half, const struct rows *x, int rows)
{
    __m256i bytes = load_half(unit->q[p][v], half, i == 0 ? rows : 0);
    __m256i high = load_half(unit->high[p][i], half, v == 0 ? rows : 0);
    high = v < 3 ? _mm256_slli_epi16(high, 4 - 2 * (int)v) : _mm256_srli_epi16(high, 2);
    bytes = i ? high_nibbles(bytes) : _mm256_and_si256(bytes, nibble_mask());
    bytes = _mm256_or_si256(bytes, _mm256_and_si256(high, _mm256_set1_epi8(48)));
    for (int r = 0; r < rows; r++)
        sum[r] =
            multiply(sum[r], bytes, words(x->q + (size_t)r * x->width + 32 * p + 16 * i + 4 * v));
}

INLINE __m256i q6_k_scales(const struct unit_q6_k *unit, size_t p, size_t half)
{
    return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)unit->scales[p][8 * half]));
}

/* The scale of sub-block i of the pair as add_scaled takes it. */
INLINE __m256i pair_scale(__m256i scales, int i)
{
#ifdef __AVXVNNI__
    __m256i pick = _mm256_setr_epi8(0, 1, -1, 0, 4, 5, -1, 4, 8, 9, -1, 8, 12, 13, -1, 12, 0, 1, -1,
                                    0, 4, 5, -1, 4, 8, 9, -1, 8, 12, 13, -1, 12);
#else
    __m256i pick = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1, 0, 1,
                                    4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
#endif
    /* -1 stays negative */
    pick = i ? _mm256_or_si256(pick, _mm256_set1_epi8(2)) : pick;
    return _mm256_shuffle_epi8(scales, pick);
}

INLINE void unit_q6_k(__m256 acc[2][ROWS], const void *weights, const struct rows *x, size_t blocks,
                      int rows)
{
    const struct unit_q6_k *unit = weights;
    (void)blocks; /* one */
    for (size_t half = 0; half < 2; half++) {
        __m256i sum[ROWS];
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_setzero_si256();
        for (size_t p = 0; p < 8; p++) {
            __m256i scales = q6_k_scales(unit, p, half);
            for (size_t i = 0; i < 2; i++) {
                __m256i scale = pair_scale(scales, (int)i);
                for (size_t v = 0; v < 4; v += SIXTHS) {
                    __m256i dot[ROWS];
                    for (int r = 0; r < rows; r++)
                        dot[r] = _mm256_setzero_si256();
                    for (size_t w = v; w < v + SIXTHS; w++)
                        multiply_sixths(dot, unit, p, i, w, half, x, rows);
                    for (int r = 0; r < rows; r++)
                        sum[r] = add_scaled(sum[r], dot[r], scale);
                }
            }
            __m256i offsets = _mm256_mullo_epi16(scales, _mm256_set1_epi16(-32));
            for (int r = 0; r < rows; r++)
                sum[r] = add_pairs(sum[r], offsets,
                                   words(x->sums16 + (size_t)r * (x->width / 16) + 2 * p));
        }
        __m256 d = halves(unit->d + 8 * half);
        for (int r = 0; r < rows; r++)
            acc[half][r] = step(acc[half][r], d, x->scales[(size_t)r * x->groups], sum[r]);
    }
}

/* ---- panels ------------------------------------------------------------------ */

typedef void (*unit_function)(__m256 acc[2][ROWS], const void *weights, const struct rows *x,
                              size_t blocks, int rows);

/* `count` outputs from `output` of row `row`. */
INLINE void store(const struct linear_tile *tile, size_t row, size_t output, size_t count,
                  const __m256 acc[2])
{
    float values[PANEL_ROWS];
    float *out = tile->out + row * tile->out_stride + output;
    _mm256_storeu_ps(values, acc[0]);
    _mm256_storeu_ps(values + 8, acc[1]);
    for (size_t i = 0; i < count; i++)
        out[i] = tile->bias ? values[i] + tile->bias[output + i] : values[i];
}

/* One panel for `rows` rows from first_row. elements: numbers of a unit;
 * block: numbers that share a scale; head_bytes: of a unit before its numbers. */
INLINE void panel(const struct linear_tile *tile, const unsigned char *weights, size_t output,
                  size_t count, size_t first_row, int rows, unit_function unit, size_t elements,
                  size_t block, size_t unit_bytes, size_t head_bytes)
{
    size_t width = tile->width, groups = width / block;
    struct rows x = {.q = tile->q + first_row * width,
                     .scales = tile->scales + first_row * groups,
                     .sums32 = tile->sums32 + first_row * (width / 32),
                     .sums16 = tile->sums16 + first_row * (width / 16),
                     .width = width,
                     .groups = groups};
    __m256 acc[2][ROWS];
    for (int r = 0; r < rows; r++)
        acc[0][r] = acc[1][r] = _mm256_setzero_ps();
    for (size_t k = 0; k < width; k += elements) {
        size_t blocks = elements <= width - k ? elements / block : (width - k) / block;
        if (rows == 1) /* the unit asks for its other lines itself */
            stream_lines(weights, head_bytes);
        else if (first_row == 0)
            stream_lines(weights, unit_bytes);
        unit(acc, weights, &x, blocks, rows);
        weights += unit_bytes;
        x.q += elements;
        x.scales += elements / block;
        x.sums32 += elements / 32;
        x.sums16 += elements / 16;
    }
    for (int r = 0; r < rows; r++)
        store(tile, first_row + (size_t)r, output, count, (__m256[2]){acc[0][r], acc[1][r]});
}

INLINE void linear(const struct linear_tile *tile, unit_function unit, size_t elements,
                   size_t block, size_t unit_bytes, size_t head_bytes)
{
    size_t end = tile->first_output + tile->output_count;
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights =
            (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
        size_t count = loam_min(PANEL_ROWS, end - output), row = 0;
        for (; row + 4 <= tile->rows; row += 4)
            panel(tile, weights, output, count, row, 4, unit, elements, block, unit_bytes,
                  head_bytes);
        if (row + 2 <= tile->rows) {
            panel(tile, weights, output, count, row, 2, unit, elements, block, unit_bytes,
                  head_bytes);
            row += 2;
        }
        if (row < tile->rows)
            panel(tile, weights, output, count, row, 1, unit, elements, block, unit_bytes,
                  head_bytes);
    }
}

void LINEAR(q8_0)(const struct linear_tile *tile)
{
    linear(tile, unit_q8_0, 64, 32, sizeof(struct unit_q8_0), offsetof(struct unit_q8_0, q));
}

void LINEAR(q4_0)(const struct linear_tile *tile)
{
    linear(tile, unit_q4_0, 64, 32, sizeof(struct unit_q4_0), offsetof(struct unit_q4_0, q));
}

void LINEAR(q4_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q4_k, 256, 256, sizeof(struct unit_q4_k), offsetof(struct unit_q4_k, q));
}

void LINEAR(q5_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q5_k, 256, 256, sizeof(struct unit_q5_k), offsetof(struct unit_q5_k, high));
}

void LINEAR(q6_k)(const struct linear_tile *tile)
{
    linear(tile, unit_q6_k, 256, 256, sizeof(struct unit_q6_k), offsetof(struct unit_q6_k, high));
}

#endif

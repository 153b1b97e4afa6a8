/* SPDX-License-Identifier: MIT */
/*
 * Products of one row at the level avx2, which decoding is made of. Both halves of a
 * panel go side by side, so that each line of weights is read once, in the order of memory,
 * and each word of activations is broadcast once. Sums are those of linear_packed.h.
 *
 * Bound: reading the weights.
 */
#include "cpu/x86/linear_row.h"
#include "cpu/x86/x86.h"

/* Half `half` of a line. */
INLINE __m256i half_of(const uint8_t (*line)[4], size_t half)
{
    return load(line[8 * half]);
}

/* sum += the products of two words, in pairs of 16 bits, in this order. */
INLINE __m256i multiply_two(__m256i sum, __m256i low, __m256i x_low, __m256i high, __m256i x_high)
{
    return multiply(multiply(sum, low, x_low), high, x_high);
}

/* dot = the products of 32 numbers of 4 bits with those of x from `first`. */
INLINE void multiply_nibbles(__m256i dot[2], const uint8_t (*q)[16][4], const struct row *x,
                             size_t first)
{
    dot[0] = dot[1] = _mm256_setzero_si256();
    for (size_t v = 0; v < 4; v++) {
        __m256i low = words(x->q + first + 4 * v), high = words(x->q + first + 16 + 4 * v);
        stream_line_ahead(q[v], x->far, x->near);
        for (size_t half = 0; half < 2; half++) {
            __m256i bytes = half_of(q[v], half);
            dot[half] = multiply_two(dot[half], _mm256_and_si256(bytes, nibble_mask()), low,
                                     high_nibbles(bytes), high);
        }
    }
}

INLINE void add_q4_0(__m256 acc[2], const void *weights, const struct row *x, size_t blocks)
{
    const struct unit_q4_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++) {
        __m256i dot[2], offset = _mm256_set1_epi32(8 * x->sums32[b]);
        multiply_nibbles(dot, unit->q[b], x, 32 * b);
        for (size_t half = 0; half < 2; half++)
            acc[half] = step(acc[half], halves(unit->d[b] + 8 * half), x->scales[b],
                             _mm256_sub_epi32(madd_ones(dot[half]), offset));
    }
}

/* |q| times x with the sign of q: -128 becomes 128, x is never -128. */
INLINE void add_q8_0(__m256 acc[2], const void *weights, const struct row *x, size_t blocks)
{
    const struct unit_q8_0 *unit = weights;
    for (size_t b = 0; b < blocks; b++) {
        __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (size_t v = 0; v < 8; v++) {
            __m256i at = words(x->q + 32 * b + 4 * v);
            stream_line_ahead(unit->q[b][v], x->far, x->near);
            for (size_t half = 0; half < 2; half++) {
                __m256i bytes = load(unit->q[b][v][8 * half]);
                __m256i pairs =
                    _mm256_maddubs_epi16(_mm256_abs_epi8(bytes), _mm256_sign_epi8(at, bytes));
                sum[half] = _mm256_add_epi32(sum[half], madd_ones(pairs));
                IN_ORDER(sum[half]);
            }
        }
        for (size_t half = 0; half < 2; half++)
            acc[half] = step(acc[half], halves(unit->d[b] + 8 * half), x->scales[b], sum[half]);
    }
}

/* The step of a block of Q4_K or Q5_K, and of its minima. */
INLINE void add_k_step(__m256 acc[2], const __m256i scaled[2], const uint16_t *d,
                       const uint16_t *dmin, const uint8_t (*mins)[16][2], const struct row *x)
{
    for (size_t half = 0; half < 2; half++) {
        __m256i least = _mm256_setzero_si256();
        for (size_t p = 0; p < 4; p++) {
            __m128i pairs = _mm_load_si128((const __m128i *)mins[p][8 * half]);
            least = add_pairs(least, _mm256_cvtepu8_epi16(pairs), words(x->sums32 + 2 * p));
        }
        acc[half] = step(acc[half], halves(d + 8 * half), x->scales[0], scaled[half]);
        acc[half] =
            _mm256_fnmadd_ps(_mm256_mul_ps(halves(dmin + 8 * half), _mm256_set1_ps(x->scales[0])),
                             _mm256_cvtepi32_ps(least), acc[half]);
    }
}

INLINE void add_q4_k(__m256 acc[2], const void *weights, const struct row *x, size_t blocks)
{
    const struct unit_q4_k *unit = weights;
    __m256i scaled[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    (void)blocks; /* one */
    for (size_t s = 0; s < 8; s++) {
        __m256i dot[2];
        multiply_nibbles(dot, unit->q[s], x, 32 * s);
        for (size_t half = 0; half < 2; half++)
            scaled[half] = add_pairs(scaled[half], dot[half], k_scale(unit->scales[s], half));
    }
    add_k_step(acc, scaled, unit->d, unit->dmin, unit->mins, x);
}

INLINE void add_q5_k(__m256 acc[2], const void *weights, const struct row *x, size_t blocks)
{
    const struct unit_q5_k *unit = weights;
    __m256i scaled[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    (void)blocks; /* one */
    for (size_t s = 0; s < 8; s++) {
        __m256i dot[2];
        stream_line_ahead(unit->sub_blocks[s].high, x->far, x->near);
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++) {
            const int8_t *at = x->q + 32 * s + 4 * v;
            stream_line_ahead(unit->sub_blocks[s].q[v], x->far, x->near);
            for (size_t half = 0; half < 2; half++) {
                __m256i low, high;
                q5_k_words(&low, &high, half_of(unit->sub_blocks[s].q[v], half),
                           half_of(unit->sub_blocks[s].high, half), v);
                dot[half] = v % 2 ? dot[half] : _mm256_setzero_si256();
                dot[half] = multiply_two(dot[half], low, words(at), high, words(at + 16));
                if (v % 2) /* four words at most */
                    scaled[half] =
                        add_pairs(scaled[half], dot[half], k_scale(unit->scales[s], half));
            }
        }
    }
    add_k_step(acc, scaled, unit->d, unit->dmin, unit->mins, x);
}

/* scaled += scale times the products of words v and v + 1 of sub-block i of pair p: two
 * words at most fit in 16 bits. */
INLINE __m256i add_two_words(__m256i scaled, const struct unit_q6_k *unit, size_t p, size_t i,
                             size_t v, size_t half, const int8_t *x, __m256i scale)
{
    __m256i sum = _mm256_maddubs_epi16(q6_k_word(unit, p, i, v, half, 0), words(x));
    sum = multiply(sum, q6_k_word(unit, p, i, v + 1, half, 0), words(x + 4));
    return add_pairs(scaled, sum, scale);
}

INLINE void add_q6_k(__m256 acc[2], const void *weights, const struct row *x, size_t blocks)
{
    const struct unit_q6_k *unit = weights;
    __m256i scaled[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    (void)blocks; /* one */
    for (size_t p = 0; p < 8; p++) {
        const int8_t *at = x->q + 32 * p;
        ask(&unit->pairs[p], sizeof unit->pairs[p], x);
        for (size_t half = 0; half < 2; half++) {
            __m256i scales = q6_k_scales(unit, p, half);
            __m256i sum = add_pairs(scaled[half], q6_k_offsets(scales), words(x->sums16 + 2 * p));
            __m256i first = pair_scale(scales, 0), second = pair_scale(scales, 1);
            sum = add_two_words(sum, unit, p, 0, 0, half, at, first);
            sum = add_two_words(sum, unit, p, 1, 0, half, at + 16, second);
            sum = add_two_words(sum, unit, p, 0, 2, half, at + 8, first);
            sum = add_two_words(sum, unit, p, 1, 2, half, at + 24, second);
            IN_ORDER(sum);
            scaled[half] = sum;
        }
    }
    for (size_t half = 0; half < 2; half++)
        acc[half] = step(acc[half], halves(unit->d + 8 * half), x->scales[0], scaled[half]);
}

/* Bytes leave the most time to reading, which is faster from two places. */
void loam_avx2_one_row_q8_0(const struct linear_tile *tile)
{
    linear_row(tile, add_q8_0, UNIT_Q8_0, 2);
}

void loam_avx2_one_row_q4_0(const struct linear_tile *tile)
{
    linear_row(tile, add_q4_0, UNIT_Q4_0, 1);
}

void loam_avx2_one_row_q4_k(const struct linear_tile *tile)
{
    linear_row(tile, add_q4_k, UNIT_Q4_K, 1);
}

void loam_avx2_one_row_q5_k(const struct linear_tile *tile)
{
    linear_row(tile, add_q5_k, UNIT_Q5_K, 1);
}

void loam_avx2_one_row_q6_k(const struct linear_tile *tile)
{
    linear_row(tile, add_q6_k, UNIT_Q6_K, 1);
}

/* SPDX-License-Identifier: MIT */
/*
 * Exact sums of byte products for 8 outputs of up to ROWS rows, in the way of
 * the level that is compiled. Weights come in registers of 4 outputs with 4
 * bytes each (a word), two registers for 8 outputs (a quad each):
 *
 *   neon          smull, smlal to pairs of products in 16 bits, sadalp to 32
 *   neon-dotprod  sdot: 4 products of each output, the word of activations by lane
 *   neon-i8mm     smmla: 8 products of 2 outputs and 2 rows; one row by sdot
 *
 * dots_start sets the sums to offset[row]; dots_multiply adds 8 products each;
 * dots_finish gives 32-bit lanes, one for each output. The sum of 8 products of
 * one 16-bit lane must fit where dots_multiply is used: |weight| at most 32, or
 * 63 for 4 of them; dots_multiply_bytes takes any weight, -128 as well (the
 * activations are -127 to 127), and may not be mixed with the other.
 */
#ifndef LOAM_BACKENDS_CPU_ARM_DOTS_H
#define LOAM_BACKENDS_CPU_ARM_DOTS_H

#include "cpu/arm/float4.h"

enum { ROWS = 4, QUADS = 2 };

#ifdef __ARM_FEATURE_DOTPROD

/* One row, or without smmla any: lanes are outputs. With smmla lanes 0 to 3 of
 * sums 2 i and 2 i + 1 are output 0 of rows 2 i and 2 i + 1, then output 1;
 * outputs 2 and 3. */
struct dots {
    int32x4_t sum[QUADS][ROWS];
};

#ifdef __ARM_FEATURE_MATMUL_INT8
INLINE bool by_matrix(size_t rows)
{
    return rows > 1; /* then a multiple of 2 */
}

INLINE void multiply_matrix(struct dots *dots, const int8x16_t first[QUADS],
                            const int8x16_t second[QUADS], const int8_t *x, size_t width,
                            size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++) {
        int32x4_t a = vreinterpretq_s32_s8(first[quad]), b = vreinterpretq_s32_s8(second[quad]);
        int8x16_t low = vreinterpretq_s8_s32(vzip1q_s32(a, b));
        int8x16_t high = vreinterpretq_s8_s32(vzip2q_s32(a, b));
        for (size_t r = 0; r < rows; r += 2) {
            int8x16_t pair = vcombine_s8(vld1_s8(x + r * width), vld1_s8(x + (r + 1) * width));
            dots->sum[quad][r] = vmmlaq_s32(dots->sum[quad][r], low, pair);
            dots->sum[quad][r + 1] = vmmlaq_s32(dots->sum[quad][r + 1], high, pair);
        }
    }
}
#else
INLINE bool by_matrix(size_t rows)
{
    (void)rows;
    return false;
}

INLINE void multiply_matrix(struct dots *dots, const int8x16_t first[QUADS],
                            const int8x16_t second[QUADS], const int8_t *x, size_t width,
                            size_t rows)
{
    (void)dots, (void)first, (void)second, (void)x, (void)width, (void)rows;
}
#endif

INLINE void dots_start(struct dots *dots, const int32_t offset[ROWS], size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++)
        for (size_t r = 0; r < rows; r++) {
            size_t even = r & ~(size_t)1;
            int32x4_t both = vdupq_n_s32(offset[even]);
            if (by_matrix(rows))
                dots->sum[quad][r] = vzip1q_s32(both, vdupq_n_s32(offset[even + 1]));
            else
                dots->sum[quad][r] = vdupq_n_s32(offset[r]);
        }
}

INLINE void dots_multiply(struct dots *dots, const int8x16_t first[QUADS],
                          const int8x16_t second[QUADS], const int8_t *x, size_t width, size_t rows)
{
    if (by_matrix(rows)) {
        multiply_matrix(dots, first, second, x, width, rows);
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        int8x8_t words = vld1_s8(x + r * width);
        for (size_t quad = 0; quad < QUADS; quad++) {
            int32x4_t sum = vdotq_lane_s32(dots->sum[quad][r], first[quad], words, 0);
            dots->sum[quad][r] = vdotq_lane_s32(sum, second[quad], words, 1);
        }
    }
}

INLINE void dots_finish(int32x4_t out[QUADS][ROWS], const struct dots *dots, size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++)
        for (size_t r = 0; r < rows; r++) {
            size_t even = r & ~(size_t)1;
            if (!by_matrix(rows))
                out[quad][r] = dots->sum[quad][r];
            else if (r == even)
                out[quad][r] = vuzp1q_s32(dots->sum[quad][even], dots->sum[quad][even + 1]);
            else
                out[quad][r] = vuzp2q_s32(dots->sum[quad][even], dots->sum[quad][even + 1]);
        }
}

#define dots_multiply_bytes dots_multiply
#define dots_finish_bytes   dots_finish

#else

/* Two lanes of 32 bits, or four of 16, are one output: [half] holds outputs 0
 * and 1, 2 and 3 of the quad. */
struct dots {
    int16x8_t narrow[QUADS][2][ROWS];
    int32x4_t wide[QUADS][2][ROWS];
    int32_t offset[ROWS];
};

INLINE void dots_start(struct dots *dots, const int32_t offset[ROWS], size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        dots->offset[r] = offset[r];
        for (size_t quad = 0; quad < QUADS; quad++)
            for (size_t half = 0; half < 2; half++) {
                dots->narrow[quad][half][r] = vdupq_n_s16(0);
                dots->wide[quad][half][r] = vdupq_n_s32(0);
            }
    }
}

INLINE int8x16_t word(int8x8_t words, int which)
{
    int32x2_t pair = vreinterpret_s32_s8(words);
    return vreinterpretq_s8_s32(which ? vdupq_lane_s32(pair, 1) : vdupq_lane_s32(pair, 0));
}

INLINE void dots_multiply(struct dots *dots, const int8x16_t first[QUADS],
                          const int8x16_t second[QUADS], const int8_t *x, size_t width, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        int8x8_t words = vld1_s8(x + r * width);
        int8x16_t a = word(words, 0), b = word(words, 1);
        for (size_t quad = 0; quad < QUADS; quad++) {
            int16x8_t low = dots->narrow[quad][0][r], high = dots->narrow[quad][1][r];
            low = vmlal_s8(low, vget_low_s8(first[quad]), vget_low_s8(a));
            high = vmlal_high_s8(high, first[quad], a);
            dots->narrow[quad][0][r] = vmlal_s8(low, vget_low_s8(second[quad]), vget_low_s8(b));
            dots->narrow[quad][1][r] = vmlal_high_s8(high, second[quad], b);
        }
    }
}

/* Two products of -128 and -127 just fit in 16 bits. */
INLINE void dots_multiply_bytes(struct dots *dots, const int8x16_t first[QUADS],
                                const int8x16_t second[QUADS], const int8_t *x, size_t width,
                                size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        int8x8_t words = vld1_s8(x + r * width);
        int8x16_t a = word(words, 0), b = word(words, 1);
        for (size_t quad = 0; quad < QUADS; quad++) {
            int16x8_t low = vmull_s8(vget_low_s8(first[quad]), vget_low_s8(a));
            int16x8_t high = vmull_high_s8(first[quad], a);
            low = vmlal_s8(low, vget_low_s8(second[quad]), vget_low_s8(b));
            high = vmlal_high_s8(high, second[quad], b);
            dots->wide[quad][0][r] = vpadalq_s16(dots->wide[quad][0][r], low);
            dots->wide[quad][1][r] = vpadalq_s16(dots->wide[quad][1][r], high);
        }
    }
}

INLINE void dots_finish_bytes(int32x4_t out[QUADS][ROWS], const struct dots *dots, size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++)
        for (size_t r = 0; r < rows; r++)
            out[quad][r] = vaddq_s32(vpaddq_s32(dots->wide[quad][0][r], dots->wide[quad][1][r]),
                                     vdupq_n_s32(dots->offset[r]));
}

INLINE void dots_finish(int32x4_t out[QUADS][ROWS], const struct dots *dots, size_t rows)
{
    for (size_t quad = 0; quad < QUADS; quad++)
        for (size_t r = 0; r < rows; r++)
            out[quad][r] = vaddq_s32(vpaddq_s32(vpaddlq_s16(dots->narrow[quad][0][r]),
                                                vpaddlq_s16(dots->narrow[quad][1][r])),
                                     vdupq_n_s32(dots->offset[r]));
}

#endif

#endif

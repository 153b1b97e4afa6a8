/* SPDX-License-Identifier: MIT */
/*
 * Rule 3: a pass for the largest magnitude, one for the integers and their
 * sums. Bound: reading the row, which is in cache.
 */
#include "base/half.h"
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"

static uint32_t largest_bits(const float *x, size_t n)
{
    const uint32x4_t magnitude = vdupq_n_u32(0x7FFFFFFFu);
    uint32x4_t first = vdupq_n_u32(0), second = first;
    for (size_t i = 0; i < n; i += 8) {
        uint32x4_t a = vreinterpretq_u32_f32(vld1q_f32(x + i));
        uint32x4_t b = vreinterpretq_u32_f32(vld1q_f32(x + i + 4));
        first = vmaxq_u32(first, vandq_u32(a, magnitude));
        second = vmaxq_u32(second, vandq_u32(b, magnitude));
    }
    return vmaxvq_u32(vmaxq_u32(first, second));
}

/* x * inverse rounded, halves to even: as loam_round, whose way and fcvtns
 * agree below 2^22. */
INLINE int16x4_t rounded(const float *x, float inverse)
{
    return vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), inverse)));
}

/* 16 numbers; returns their sum. */
INLINE int16_t quantize16(int8_t *q, const float *x, float inverse)
{
    int16x8_t low = vcombine_s16(rounded(x, inverse), rounded(x + 4, inverse));
    int16x8_t high = vcombine_s16(rounded(x + 8, inverse), rounded(x + 12, inverse));
    int8x16_t bytes = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
    vst1q_s8(q, bytes);
    return vaddlvq_s8(bytes);
}

/* One group; returns its scale. */
static float quantize_group(int8_t *q, int16_t *sums32, int16_t *sums16, const float *x, size_t n)
{
    uint32_t most = largest_bits(x, n);
    float m = loam_float_from_bits(most);
    if (!(m >= 0x1p-100f) || most >= 0x7F800000u) {
        memset(q, 0, n);
        memset(sums32, 0, n / 32 * sizeof *sums32);
        memset(sums16, 0, n / 16 * sizeof *sums16);
        return most >= 0x7F800000u ? m : 0; /* not finite stays visible */
    }
    float inverse = 127 / m;
    for (size_t i = 0; i < n / 16; i += 2) {
        sums16[i] = quantize16(q + 16 * i, x + 16 * i, inverse);
        sums16[i + 1] = quantize16(q + 16 * i + 16, x + 16 * i + 16, inverse);
        sums32[i / 2] = (int16_t)(sums16[i] + sums16[i + 1]);
    }
    return m / 127;
}

void loam_neon_quantize(const struct quantize_tile *tile)
{
    size_t width = tile->width, group = tile->group;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t i = 0; i < width; i += group)
            tile->scales[(row * width + i) / group] = quantize_group(
                tile->q + row * width + i, tile->sums32 + (row * width + i) / 32,
                tile->sums16 + (row * width + i) / 16, tile->x + row * tile->x_stride + i, group);
}

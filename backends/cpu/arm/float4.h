/* SPDX-License-Identifier: MIT */
/* 4 floats at a time: what several kernels of the NEON levels need. Base
 * Armv8-A; fma is vfmaq (never vmlaq, which may round twice), and there is no
 * estimate of a reciprocal or a root. */
#ifndef LOAM_BACKENDS_CPU_ARM_FLOAT4_H
#define LOAM_BACKENDS_CPU_ARM_FLOAT4_H

#include "base/base.h"

#include <arm_neon.h>

/* Kernels for many shapes are one function whose constant arguments fold away.
 * Without optimisation nothing folds and each copy would take stack: 200 KB. */
#ifdef __OPTIMIZE__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* The tree of rule 5 over 16 lanes, 4 in each register. */
INLINE float tree16(const float32x4_t lanes[4])
{
    float32x4_t four = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* 2^n for n in the range of normal numbers; any bits beyond it. */
INLINE float32x4_t power4(int32x4_t n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}

/* loam_expf of lib/base/numeric.c, the same sequence in each lane; its early
 * returns are choices at the end. */
INLINE float32x4_t exp4(float32x4_t x)
{
    const float32x4_t round = vdupq_n_f32(0x1.8p23f);
    float32x4_t n = vsubq_f32(vfmaq_f32(round, x, vdupq_n_f32(0x1.715476p0f)), round);
    float32x4_t r = vfmaq_f32(x, n, vdupq_n_f32(-0x1.62e43p-1f));
    r = vfmaq_f32(r, n, vdupq_n_f32(0x1.05c61p-29f));
    float32x4_t q = vdupq_n_f32(0x1.6d113cp-10f);
    q = vfmaq_f32(vdupq_n_f32(0x1.120ba2p-7f), q, r);
    q = vfmaq_f32(vdupq_n_f32(0x1.55551ap-5f), q, r);
    q = vfmaq_f32(vdupq_n_f32(0x1.5554dcp-3f), q, r);
    q = vfmaq_f32(vdupq_n_f32(0.5f), q, r);
    float32x4_t p = vaddq_f32(vfmaq_f32(r, q, vmulq_f32(r, r)), vdupq_n_f32(1));
    /* 2^exponent in two factors, as it may be below 2^-126 */
    int32x4_t exponent = vcvtq_s32_f32(n), half = vshrq_n_s32(exponent, 1);
    float32x4_t y = vmulq_f32(vmulq_f32(p, power4(half)), power4(vsubq_s32(exponent, half)));
    uint32x4_t small =
        vorrq_u32(vcltq_f32(y, vdupq_n_f32(0x1p-126f)), vcltq_f32(x, vdupq_n_f32(-0x1.5d58ap6f)));
    y = vbslq_f32(small, vdupq_n_f32(0), y);
    const float32x4_t infinity = vreinterpretq_f32_u32(vdupq_n_u32(0x7F800000u));
    y = vbslq_f32(vcgtq_f32(x, vdupq_n_f32(0x1.62e43p6f)), infinity, y);
    return vbslq_f32(vceqq_f32(x, x), y, x);
}

/* 4 halves as f32, exactly. */
INLINE float32x4_t widen_halves(uint16x4_t bits)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(bits));
}

/* The first `count` (1 to 4) numbers at x, then +0. */
INLINE float32x4_t load_first(const float *x, size_t count)
{
    float four[4] = {0};
    if (count == 4)
        return vld1q_f32(x);
    memcpy(four, x, count * sizeof *x);
    return vld1q_f32(four);
}

INLINE void store_first(float *out, float32x4_t values, size_t count)
{
    float four[4];
    if (count == 4) {
        vst1q_f32(out, values);
        return;
    }
    vst1q_f32(four, values);
    memcpy(out, four, count * sizeof *out);
}

#endif

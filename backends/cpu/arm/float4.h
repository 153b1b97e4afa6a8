/* SPDX-License-Identifier: MIT */
/* 4 floats at a time: what several kernels of the NEON levels need. Base
 * Armv8-A; fma is vfmaq (never vmlaq, which may round twice), and there is no
 * estimate of a reciprocal or a root. */
#ifndef LOAM_BACKENDS_CPU_ARM_FLOAT4_H
#define LOAM_BACKENDS_CPU_ARM_FLOAT4_H

#include "base/base.h"

#include <arm_neon.h>

/* Kernels for many shapes are one function whose constant arguments fold away.
 * Without optimisation nothing folds and each copy would take stack: 200 KB. With clang's
 * address sanitizer each copy is looked at for minutes. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__OPTIMIZE__) && !__has_feature(address_sanitizer)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* The tree of rule 5 over 8 lanes, 4 in each register. */
INLINE float tree8(const float32x4_t lanes[2])
{
    float32x4_t four = vaddq_f32(lanes[0], lanes[1]);
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

INLINE float tree16(const float32x4_t lanes[4])
{
    float32x4_t eight[2] = {vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3])};
    return tree8(eight);
}

/* loam_expf of lib/base/numeric.c, the same sequence in each lane. Arm's min and
 * max leave NaN. */
INLINE float32x4_t exp4(float32x4_t x)
{
    const float32x4_t per_ln2 = vdupq_n_f32(0x1.715476p0f), round = vdupq_n_f32(0x1.8p23f + 127);
    x = vminq_f32(vmaxq_f32(x, vdupq_n_f32(-88)), vdupq_n_f32(88));
    float32x4_t shifted = vfmaq_f32(round, x, per_ln2);
    float32x4_t r = vfmaq_f32(vsubq_f32(round, shifted), x, per_ln2);
    float32x4_t p = vdupq_n_f32(0x1.5ec866p-10f);
    p = vfmaq_f32(vdupq_n_f32(0x1.3cbf6p-7f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1.c6afeep-5f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1.ebfa4cp-3f), p, r);
    p = vfmaq_f32(vdupq_n_f32(0x1.62e43p-1f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1), p, r);
    return vmulq_f32(p, vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23)));
}

/* The middle of loam_tanhf: (e - 1) / (e + 1), e = loam_exp(2 x), of x from 0 to 10. */
INLINE float32x2_t tanh2_middle(float32x2_t x)
{
    static const double inverse_factorial[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
        1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5};
    const float64x2_t one = vdupq_n_f64(1), round = vdupq_n_f64(0x1.8p52);
    float64x2_t x2 = vmulq_n_f64(vcvt_f64_f32(x), 2);
    float64x2_t shifted = vfmaq_f64(round, x2, vdupq_n_f64(0x1.71547652b82fep0));
    float64x2_t n = vsubq_f64(shifted, round);
    float64x2_t r = vfmsq_f64(x2, n, vdupq_n_f64(0x1.62e42fefa39efp-1));
    r = vfmsq_f64(r, n, vdupq_n_f64(0x1.abc9e3b39803fp-56));
    float64x2_t q = vdupq_n_f64(inverse_factorial[0]);
    for (size_t i = 1; i < LOAM_COUNT_OF(inverse_factorial); i++)
        q = vfmaq_f64(vdupq_n_f64(inverse_factorial[i]), q, r);
    float64x2_t p = vaddq_f64(vfmaq_f64(r, q, vmulq_f64(r, r)), one);
    /* n from 0 to 29: one factor of 2^n is exact, as are loam_exp's two */
    uint64x2_t power = vaddq_u64(vreinterpretq_u64_f64(shifted), vdupq_n_u64(1023));
    float64x2_t e = vmulq_f64(p, vreinterpretq_f64_u64(vshlq_n_u64(power, 52)));
    return vcvt_f32_f64(vdivq_f64(vsubq_f64(e, one), vaddq_f64(e, one)));
}

/* loam_tanhf(x). */
INLINE float32x4_t tanh4(float32x4_t x)
{
    const uint32x4_t sign_bit = vdupq_n_u32(0x80000000u);
    float32x4_t a = vabsq_f32(x);
    float32x4_t y = vcombine_f32(tanh2_middle(vget_low_f32(a)), tanh2_middle(vget_high_f32(a)));
    y = vbslq_f32(vcgtq_f32(a, vdupq_n_f32(10)), vdupq_n_f32(1), y);
    y = vbslq_f32(sign_bit, x, y);
    return vbslq_f32(vcltq_f32(a, vdupq_n_f32(0x1p-12f)), x, y);
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

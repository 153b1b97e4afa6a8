/* SPDX-License-Identifier: MIT */
/* 16-bit floats, IEEE half and bfloat16, exact in both directions (to half and
 * to bfloat16: round to nearest even). Integer arithmetic only, so that every
 * compiler and machine agrees. */
#ifndef LOAM_BASE_HALF_H
#define LOAM_BASE_HALF_H

#include "base/base.h"

static inline float loam_float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t loam_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float loam_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 31, mantissa = half & 0x3FF;
    if (exponent == 31) /* infinity; NaN becomes quiet, payload kept */
        return loam_float_from_bits(sign | 0x7F800000u | mantissa << 13 | (mantissa ? 0x400000u : 0));
    if (exponent)
        return loam_float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    /* subnormal: mantissa * 2^-24, exact in f32 */
    float magnitude = (float)mantissa * 0x1p-24f;
    return loam_float_from_bits(sign | loam_float_bits(magnitude));
}

static inline uint16_t loam_half_from_float(float value)
{
    uint32_t bits = loam_float_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
    if (magnitude >= 0x477FF000u) /* rounds beyond 65504 */
        return sign | 0x7C00;
    if (magnitude < 0x33000001u) /* at most half of the smallest subnormal */
        return sign;
    uint32_t exponent = magnitude >> 23;
    uint32_t mantissa = (magnitude & 0x7FFFFFu) | 0x800000u;
    uint32_t shift = exponent < 113 ? 126 - exponent : 13;
    uint32_t base = exponent < 113 ? 0 : (exponent - 112) << 10;
    uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), middle = 1u << (shift - 1);
    kept += rest > middle || (rest == middle && (kept & 1));
    /* normal numbers carry the leading 1 in `kept`: taken off by the sum */
    return (uint16_t)(sign | (exponent < 113 ? kept : base + kept - 0x400));
}

static inline float loam_bfloat_to_float(uint16_t bfloat)
{
    return loam_float_from_bits((uint32_t)bfloat << 16);
}

static inline uint16_t loam_bfloat_from_float(float value)
{
    uint32_t bits = loam_float_bits(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

#endif

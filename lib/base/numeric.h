/* SPDX-License-Identifier: MIT */
/*
 * Elementary functions of the numeric contract: each is one fixed sequence of
 * IEEE operations, the same bits on every level, compiler and machine. Of libm
 * only fma, fmaf, sqrt and sqrtf are used, which IEEE 754 defines exactly.
 */
#ifndef LOAM_BASE_NUMERIC_H
#define LOAM_BASE_NUMERIC_H

#include "base/base.h"

/* e^x in f32, for x limited to [-88, 88]: off by at most 2^-21 of the result up
 * to |x| = 8, 2^-19 beyond. e^0 is exactly 1; below -126.5 ln 2, some -87.7, it
 * is +0; NaN stays NaN. The sequence of operations stands in numeric.c and is
 * what vector levels repeat. */
float loam_expf(float x);

/* tanh x in f32, at most 1 ulp, odd; NaN stays NaN: (e - 1) / (e + 1), e =
 * exp(2 x), in double and rounded once; x itself below 2^-12. */
float loam_tanhf(float x);

/* In f64, at most 2 ulp for finite arguments. */
double loam_exp(double x);
/* Each of values[count] becomes loam_exp of it. `features`: of the CPU (features.h); only
 * speed depends on them. */
void loam_exp_each(double *values, size_t count, uint32_t features);
double loam_log(double x);                     /* x > 0 normal; 0: -infinity; negative: NaN */
double loam_pow(double base, double exponent); /* base > 0; rope frequencies: base up to 1e9,
                                                  |exponent| <= 1: relative error under 1e-14 */

/* *sine and *cosine of x, for |x| up to 2^31: position * frequency. Absolute
 * error under 2^-50 for |x| < 2^20. Beyond 2^31, and for NaN: NaN. */
void loam_sincos(double x, double *sine, double *cosine);

/* Random numbers by counter: Philox4x32-10 (Salmon et al., "Parallel random
 * numbers: as easy as 1, 2, 3", 2011). out[4] is a function of key and
 * counter alone. */
void loam_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

#endif

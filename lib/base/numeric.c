/* SPDX-License-Identifier: MIT */
/*
 * Each function: the argument is reduced by fma, a polynomial is evaluated by
 * Horner's rule with fma, the result is scaled by exact powers of two. The
 * polynomial of loam_expf interpolates (2^r - 1) / r at the Chebyshev nodes of
 * degree 5 on [-1/2, 1/2], computed with 80 digits; the others are Taylor
 * polynomials, long enough that the first term left out is far below half an ulp.
 */
#include "base/numeric.h"
#include "base/features.h"
#include "base/half.h"

#include <math.h>

/* Adding and taking away 1.5 * 2^23 (2^52) leaves a number rounded to an
 * integer, to nearest even: exact for magnitudes below 2^22 (2^51). */
static const float round_f32 = 0x1.8p23f;
static const double round_f64 = 0x1.8p52;

static inline uint64_t bits_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* 2^n, for n in the range of normal numbers, modulo 2^64. */
static inline double power_f64(uint64_t n)
{
    uint64_t bits = (n + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* x / ln 2 = n + r; the low bits of `shifted` are n + 127, the exponent of 2^n,
 * and none for n = -127, whose power is so 0. */
float loam_expf(float x)
{
    const float per_ln2 = 0x1.715476p0f, round = round_f32 + 127;
    x = x < -88.0f ? -88.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float shifted = fmaf(x, per_ln2, round), n = shifted - round;
    float r = fmaf(x, per_ln2, -n);
    float p = 0x1.5ec866p-10f;
    p = fmaf(p, r, 0x1.3cbf6p-7f);
    p = fmaf(p, r, 0x1.c6afeep-5f);
    p = fmaf(p, r, 0x1.ebfa4cp-3f);
    p = fmaf(p, r, 0x1.62e43p-1f);
    p = fmaf(p, r, 1.0f);
    return p * loam_float_from_bits(loam_float_bits(shifted) << 23);
}

/* For each caller's own CPU, and without branches, so that compilers take some at a time.
 * Beyond the limits, and of NaN, what is computed is replaced in the end. */
static inline __attribute__((always_inline)) double exp_of(double x)
{
    static const double inverse_factorial[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
        1.0 / 5040,       1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5};
    const double least = -745.2, most = 709.782712893384;
    double limited = x > least ? x : least;
    limited = limited < most ? limited : most;
    double shifted = fma(limited, 0x1.71547652b82fep0, round_f64), n = shifted - round_f64;
    double r = fma(n, -0x1.62e42fefa39efp-1, limited);
    r = fma(n, -0x1.abc9e3b39803fp-56, r);
    double q = inverse_factorial[0];
/* gcc takes several only where no loop is left inside. */
#pragma GCC unroll 12
    for (size_t i = 1; i < LOAM_COUNT_OF(inverse_factorial); i++)
        q = fma(q, r, inverse_factorial[i]);
    double p = fma(q, r * r, r) + 1.0;
    /* n stands in the low bits of `shifted`. Half of it, rounded down, is one factor's
     * exponent, the rest the other's: each is in the range of normal numbers. */
    uint64_t exponent = bits_f64(shifted) - bits_f64(round_f64);
    uint64_t half = ((exponent + 2048) >> 1) - 1024;
    p = p * power_f64(half) * power_f64(exponent - half);
    p = x < least ? 0 : p;
    p = x > most ? (double)loam_float_from_bits(0x7F800000u) : p;
    return x == x ? p : x;
}

double loam_exp(double x)
{
    return exp_of(x);
}

#if defined(__x86_64__)
/* Baseline code calls the C library for each fma. */
__attribute__((target("avx2,fma"))) static void exp_each_by_fma(double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = exp_of(values[i]);
}
#endif

void loam_exp_each(double *values, size_t count, uint32_t features)
{
#if defined(__x86_64__)
    if (features & CPU_AVX2) {
        exp_each_by_fma(values, count);
        return;
    }
#endif
    (void)features;
    for (size_t i = 0; i < count; i++)
        values[i] = exp_of(values[i]);
}

float loam_tanhf(float x)
{
    if (x > -0x1p-12f && x < 0x1p-12f) /* the next term is below half an ulp */
        return x;
    if (x > 10.0f || x < -10.0f)
        return x > 0 ? 1.0f : -1.0f;
    double e = loam_exp(2.0 * (x < 0 ? -(double)x : (double)x));
    float y = (float)((e - 1.0) / (e + 1.0));
    return x < 0 ? -y : y;
}

double loam_log(double x)
{
    if (x != x || x == (double)loam_float_from_bits(0x7F800000u))
        return x;
    if (x <= 0) /* 0: -infinity; below: NaN, of one sign on every machine */
        return (double)loam_float_from_bits(x == 0 ? 0xFF800000u : 0x7FC00000u);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t exponent = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    double m; /* [1, 2), then [sqrt(1/2), sqrt(2)] */
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp0) {
        m *= 0.5;
        exponent++;
    }
    /* log m = 2 (f + f^3 / 3 + f^5 / 5 + ...), f = (m - 1) / (m + 1) */
    double f = (m - 1) / (m + 1), s = f * f, q = 1.0 / 25;
    for (int i = 23; i >= 3; i -= 2)
        q = fma(q, s, 1.0 / i);
    double tail = fma(2 * f * s, q, (double)exponent * 0x1.abc9e3b39803fp-56);
    return fma((double)exponent, 0x1.62e42fefa39efp-1, fma(2, f, tail));
}

double loam_pow(double base, double exponent)
{
    return loam_exp(exponent * loam_log(base));
}

void loam_sincos(double x, double *sine, double *cosine)
{
    static const double sine_terms[] = {
        1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
        1.0 / 362880,          -1.0 / 5040,          1.0 / 120,        -1.0 / 6};
    static const double cosine_terms[] = {
        -1.0 / 6402373705728000, 1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600,
        -1.0 / 3628800,          1.0 / 40320,          -1.0 / 720,         1.0 / 24};
    if (!(x >= -0x1p31 && x <= 0x1p31)) { /* beyond it the reduction means nothing; NaN is seen */
        *sine = *cosine = (double)loam_float_from_bits(0x7FC00000u);
        return;
    }
    /* Quarter turns taken off, pi / 2 in three parts. */
    double n = fma(x, 0x1.45f306dc9c883p-1, round_f64) - round_f64;
    double r = fma(n, -0x1.921fb54442d18p0, x);
    r = fma(n, -0x1.1a62633145c07p-54, r);
    r = fma(n, 0x1.f1976b7ed8fbcp-110, r);
    double s = r * r, p = sine_terms[0], q = cosine_terms[0];
    for (size_t i = 1; i < LOAM_COUNT_OF(sine_terms); i++)
        p = fma(p, s, sine_terms[i]);
    for (size_t i = 1; i < LOAM_COUNT_OF(cosine_terms); i++)
        q = fma(q, s, cosine_terms[i]);
    double sine_r = fma(p, s * r, r);
    double cosine_r = fma(q, s * s, fma(s, -0.5, 1));
    switch ((int64_t)n & 3) {
    case 0:
        *sine = sine_r;
        *cosine = cosine_r;
        break;
    case 1:
        *sine = cosine_r;
        *cosine = -sine_r;
        break;
    case 2:
        *sine = -sine_r;
        *cosine = -cosine_r;
        break;
    default:
        *sine = -cosine_r;
        *cosine = sine_r;
        break;
    }
}

void loam_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    memcpy(out, c, sizeof c);
}

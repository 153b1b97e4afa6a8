/* SPDX-License-Identifier: MIT */
/*
 * Fitting scales, for quantisers: given numbers and how much each counts, the
 * scale (and minimum) and the integers with the least sum of weighted squared
 * errors among those tried. Counts n are multiples of 8, at most 256.
 */
#ifndef LOAM_QUANT_FIT_H
#define LOAM_QUANT_FIT_H

#include "base/half.h"
#include "quant/types.h"

/* What an integer may be: lo to hi, lo at most 0 and hi above it; or an index
 * of an ascending curve of `count` numbers, if that is not NULL. */
struct fit_levels {
    int32_t lo, hi;
    const int8_t *curve;
    size_t count;
};

/* The sums that decide on a scale for given integers q: of w x q, of w q q. */
struct fit_sums {
    float xq, qq;
};

/* weights[n] = importance[n], or 1 where that is NULL. */
void loam_fit_weights(float *weights, const float *importance, size_t n);

/* Integers for x = scale * q, scale not 0; for curves q are its values. */
void loam_fit_assign(int8_t *q, const float *x, size_t n, float scale,
                     const struct fit_levels *levels);

/* The sums of x, w and q. */
struct fit_sums loam_fit_sums(const float *x, const float *w, const int8_t *q, size_t n);

/* The best scale, of either sign, or 0 if x is all but zero or not finite. */
float loam_fit_scale(const float *x, const float *w, size_t n, const struct fit_levels *levels);

/* The best scale >= 0 and minimum >= 0 for x = scale * q - min, q from 0 to
 * most; free: the minimum may have either sign. */
void loam_fit_minimum(float *scale, float *min, const float *x, const float *w, size_t n,
                      int32_t most, bool free);

/* q = the nearest of 0 to most to (x + min) / scale. */
void loam_fit_assign_minimum(int8_t *q, const float *x, size_t n, float scale, float min,
                             int32_t most);

/* scale as f16, with the sum of squared errors least; and its value. */
static inline uint16_t loam_fit_half(float *value, float scale)
{
    uint16_t half = loam_half_from_float(scale);
    *value = loam_half_to_float(half);
    return half;
}

/* Two levels: `count` sub-blocks of `width` numbers with integer scales from
 * lowest to highest, one float scale for all; the numbers as of levels. */
struct fit_block {
    float d;            /* an f16 */
    int16_t scales[32]; /* of each sub-block */
    int8_t q[256];      /* of each number */
};

void loam_fit_blocks(struct fit_block *out, const float *x, const float *w, size_t count,
                     size_t width, int32_t lowest, int32_t highest,
                     const struct fit_levels *levels);

/* The same with minima: value = d * scale * q - dmin * min, integers scale and
 * min from 0 to `highest`, q from 0 to `most`. */
struct fit_minima {
    float d, dmin; /* f16s */
    uint8_t scales[16], mins[16];
    int8_t q[256];
};

void loam_fit_minima(struct fit_minima *out, const float *x, const float *w, size_t count,
                     size_t width, int32_t highest, int32_t most);

#endif

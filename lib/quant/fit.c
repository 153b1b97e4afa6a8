/* SPDX-License-Identifier: MIT */
#include "quant/fit.h"

#include <math.h>

enum { WIDE = 8 }; /* sums run in lanes, so that compilers can use vectors */

/* x to the nearest integer, halves to even; below 2^22. */
static inline float nearest(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

static inline float clamped(float x, float lo, float hi)
{
    x = x > lo ? x : lo; /* NaN becomes lo */
    return x < hi ? x : hi;
}

static float lanes_sum(const float lanes[WIDE])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

void loam_fit_weights(float *weights, const float *importance, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float w = importance ? importance[i] : 1;
        weights[i] = w > 0x1p-60f && w < 0x1p60f ? w : 0x1p-60f;
    }
}

/* The index of the curve's number next to x. */
static size_t nearest_index(float x, const struct fit_levels *levels)
{
    size_t i = 0, step = 1;
    while (step * 2 < levels->count)
        step *= 2;
    for (; step > 0; step /= 2) { /* 2 x past the middle of two: the upper one */
        size_t next = i + step;
        if (next < levels->count &&
            2 * x > (float)levels->curve[next] + (float)levels->curve[next - 1])
            i = next;
    }
    return i;
}

void loam_fit_assign(int8_t *q, const float *x, size_t n, float scale,
                     const struct fit_levels *levels)
{
    float inverse = scale != 0 ? 1 / scale : 0;
    inverse = inverse > -0x1p120f && inverse < 0x1p120f ? inverse : 0;
    if (levels->curve) {
        for (size_t i = 0; i < n; i++)
            q[i] = levels->curve[nearest_index(x[i] * inverse, levels)];
        return;
    }
    float lo = (float)levels->lo, hi = (float)levels->hi;
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)nearest(clamped(x[i] * inverse, lo, hi));
}

struct fit_sums loam_fit_sums(const float *x, const float *w, const int8_t *q, size_t n)
{
    float xq[WIDE] = {0}, qq[WIDE] = {0};
    for (size_t i = 0; i < n; i += WIDE)
        for (size_t j = 0; j < WIDE; j++) {
            float wq = w[i + j] * (float)q[i + j];
            xq[j] += wq * x[i + j];
            qq[j] += wq * (float)q[i + j];
        }
    return (struct fit_sums){lanes_sum(xq), lanes_sum(qq)};
}

/* The same for the integers that an inverse scale gives, without keeping them. */
static struct fit_sums try_inverse(const float *x, const float *w, size_t n, float inverse,
                                   const struct fit_levels *levels)
{
    float xq[WIDE] = {0}, qq[WIDE] = {0}, lo = (float)levels->lo, hi = (float)levels->hi;
    if (levels->curve) {
        int8_t q[256];
        for (size_t i = 0; i < n; i++)
            q[i] = levels->curve[nearest_index(x[i] * inverse, levels)];
        return loam_fit_sums(x, w, q, n);
    }
    for (size_t i = 0; i < n; i += WIDE)
        for (size_t j = 0; j < WIDE; j++) {
            float q = nearest(clamped(x[i + j] * inverse, lo, hi)), wq = w[i + j] * q;
            xq[j] += wq * x[i + j];
            qq[j] += wq * q;
        }
    return (struct fit_sums){lanes_sum(xq), lanes_sum(qq)};
}

static float largest_of(const float *x, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++) {
        float magnitude = x[i] < 0 ? -x[i] : x[i];
        most = magnitude > most ? magnitude : most;
    }
    return most;
}

/* By how much a candidate lowers the error. */
static float gain(struct fit_sums sums)
{
    return sums.qq > 0 ? sums.xq * sums.xq / sums.qq : 0;
}

float loam_fit_scale(const float *x, const float *w, size_t n, const struct fit_levels *levels)
{
    float most = largest_of(x, n), best = 0, scale = 0;
    if (!(most >= 0x1p-100f) || most > 0x1p100f)
        return 0;
    float end = levels->curve ? -(float)levels->curve[0] : (float)-levels->lo;
    end = end > 0 ? end : (float)levels->hi;
    float step = levels->curve ? end / 40 : end < 3 ? 0.1f : 0.2f;
    int tries = !levels->curve && end >= 16 ? 4 : 10; /* fine levels need few */
    for (int t = -tries; t <= tries; t++)
        for (int sign = -1; sign <= 1; sign += 2) {
            float inverse = (float)sign * (end + step * (float)t) / most;
            struct fit_sums sums = try_inverse(x, w, n, inverse, levels);
            if (gain(sums) > best) {
                best = gain(sums);
                scale = sums.xq / sums.qq;
            }
        }
    for (int round = 0; round < 2 && scale != 0; round++) { /* the integers of the better scale */
        struct fit_sums sums = try_inverse(x, w, n, 1 / scale, levels);
        if (gain(sums) <= best)
            break;
        best = gain(sums);
        scale = sums.xq / sums.qq;
    }
    return scale;
}

/* ---- with a minimum ------------------------------------------------------------- */

struct line_sums {
    float w, q, qq, x, xq;
};

/* What does not depend on q. */
static struct line_sums sums_without_q(const float *x, const float *w, size_t n)
{
    struct line_sums sums = {0, 0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        sums.w += w[i];
        sums.x += w[i] * x[i];
    }
    return sums;
}

/* The others, for the q of an inverse scale and a minimum. */
static void add_line(struct line_sums *sums, const float *x, const float *w, size_t n,
                     float inverse, float min, float most)
{
    float q[WIDE] = {0}, qq[WIDE] = {0}, xq[WIDE] = {0};
    for (size_t i = 0; i < n; i += WIDE)
        for (size_t j = 0; j < WIDE; j++) {
            float level = nearest(clamped((x[i + j] + min) * inverse, 0, most));
            float product = w[i + j] * level;
            q[j] += product;
            qq[j] += product * level;
            xq[j] += product * x[i + j];
        }
    sums->q = lanes_sum(q);
    sums->qq = lanes_sum(qq);
    sums->xq = lanes_sum(xq);
}

/* The least error of x = scale * q - min for given q, less the sum of w x x. */
static float solve_line(float *scale, float *min, const struct line_sums *s, bool free)
{
    float determinant = s->w * s->qq - s->q * s->q;
    *scale = *min = 0;
    if (determinant > 0) {
        *scale = (s->w * s->xq - s->x * s->q) / determinant;
        *min = (s->q * s->xq - s->qq * s->x) / determinant;
    }
    if (!free && *min < 0) { /* the best with a minimum of 0 */
        *min = 0;
        *scale = s->qq > 0 ? s->xq / s->qq : 0;
    }
    float d = *scale, m = *min;
    return d * d * s->qq - 2 * d * m * s->q + m * m * s->w - 2 * d * s->xq + 2 * m * s->x;
}

void loam_fit_minimum(float *scale, float *min, const float *x, const float *w, size_t n,
                      int32_t most, bool free)
{
    enum { TRIES = 8, ROUNDS = 2 };
    float least = x[0], greatest = x[0], best = 0;
    for (size_t i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        greatest = x[i] > greatest ? x[i] : greatest;
    }
    least = !free && least > 0 ? 0 : least;
    *scale = 0;
    *min = free ? -least : least < 0 ? -least : 0;
    float range = greatest - least;
    if (!(range >= 0x1p-100f) || range > 0x1p60f)
        return;
    struct line_sums sums = sums_without_q(x, w, n);
    bool found = false;
    for (int t = -2; t < TRIES + ROUNDS; t++) {
        float d = *scale, m = *min; /* the last rounds go on from the best */
        if (t < TRIES) {
            d = range / ((float)most + (most < 8 ? 0.15f : 0.25f) * (float)t);
            m = -least - (range - d * (float)most) / 2; /* the same play at both ends */
            m = !free && m < 0 ? 0 : m;
        }
        if (!(d > 0))
            continue;
        add_line(&sums, x, w, n, 1 / d, m, (float)most);
        float error = solve_line(&d, &m, &sums, free);
        if (d >= 0 && (!found || error < best)) {
            found = true;
            best = error;
            *scale = d;
            *min = m;
        }
    }
}

void loam_fit_assign_minimum(int8_t *q, const float *x, size_t n, float scale, float min,
                             int32_t most)
{
    float inverse = scale > 0x1p-120f ? 1 / scale : 0;
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)nearest(clamped((x[i] + min) * inverse, 0, (float)most));
}

/* ---- scales of two levels ---------------------------------------------------------- */

/* Integers of all sub-blocks for the scales that out has; the best d for them. */
static float assign_blocks(struct fit_block *out, const float *x, const float *w, size_t count,
                           size_t width, const struct fit_levels *levels)
{
    float xq = 0, qq = 0;
    for (size_t k = 0; k < count; k++) {
        float scale = (float)out->scales[k];
        int8_t *q = out->q + k * width;
        loam_fit_assign(q, x + k * width, width, out->d * scale, levels);
        struct fit_sums sums = loam_fit_sums(x + k * width, w + k * width, q, width);
        xq += sums.xq * scale;
        qq += sums.qq * scale * scale;
    }
    return qq > 0 ? xq / qq : 0;
}

void loam_fit_blocks(struct fit_block *out, const float *x, const float *w, size_t count,
                     size_t width, int32_t lowest, int32_t highest, const struct fit_levels *levels)
{
    float scales[32], weights[32];
    const struct fit_levels scale_levels = {.lo = lowest, .hi = highest};
    for (size_t k = 0; k < count; k++) {
        scales[k] = loam_fit_scale(x + k * width, w + k * width, width, levels);
        loam_fit_assign(out->q, x + k * width, width, scales[k], levels);
        weights[k] = loam_fit_sums(x + k * width, w + k * width, out->q, width).qq;
    }
    float d = loam_fit_scale(scales, weights, count, &scale_levels);
    for (int round = 0; round < 2; round++) {
        int8_t integers[32];
        loam_fit_half(&out->d, d);
        if (highest < 128 && lowest >= -128 && round == 0) {
            loam_fit_assign(integers, scales, count, out->d, &scale_levels);
            for (size_t k = 0; k < count; k++)
                out->scales[k] = integers[k];
        }
        d = assign_blocks(out, x, w, count, width, levels);
    }
    loam_fit_half(&out->d, d);
    assign_blocks(out, x, w, count, width, levels);
}

/* ---- scales and minima of two levels --------------------------------------------------- */

/* The float of which all of `values`, none below 0, are nearly multiples 0 to highest. */
static float common_unit(const float *values, const float *weights, size_t count, int32_t highest)
{
    const struct fit_levels levels = {.lo = 0, .hi = highest};
    float unit = loam_fit_scale(values, weights, count, &levels), value;
    loam_fit_half(&value, unit > 0 ? unit : 0);
    return value;
}

/* Integers of all sub-blocks for the scales that out has; solves for the better d and dmin. */
static void assign_minima(struct fit_minima *out, float *d, float *dmin, const float *x,
                          const float *w, size_t count, size_t width, int32_t most)
{
    struct line_sums all = {0, 0, 0, 0, 0};
    for (size_t k = 0; k < count; k++) {
        float scale = (float)out->scales[k], min = (float)out->mins[k];
        int8_t *q = out->q + k * width;
        loam_fit_assign_minimum(q, x + k * width, width, out->d * scale, out->dmin * min, most);
        for (size_t i = 0; i < width; i++) {
            float weight = w[k * width + i], sq = scale * (float)q[i], value = x[k * width + i];
            all.w += weight * min * min;
            all.q += weight * sq * min;
            all.qq += weight * sq * sq;
            all.x += weight * min * value;
            all.xq += weight * sq * value;
        }
    }
    solve_line(d, dmin, &all, false);
}

void loam_fit_minima(struct fit_minima *out, const float *x, const float *w, size_t count,
                     size_t width, int32_t highest, int32_t most)
{
    float scales[16], mins[16], scale_weights[16], min_weights[16], d = 0, dmin = 0;
    for (size_t k = 0; k < count; k++) {
        const float *here = x + k * width, *weights = w + k * width;
        loam_fit_minimum(&scales[k], &mins[k], here, weights, width, most, false);
        struct line_sums sums = sums_without_q(here, weights, width);
        add_line(&sums, here, weights, width, scales[k] > 0x1p-120f ? 1 / scales[k] : 0, mins[k],
                 (float)most);
        scale_weights[k] = sums.qq;
        min_weights[k] = sums.w;
    }
    /* A fit of few numbers: to multiples of 8, with zeros. */
    float padded[4][16] = {{0}};
    memcpy(padded[0], scales, count * sizeof *scales);
    memcpy(padded[1], scale_weights, count * sizeof *scales);
    memcpy(padded[2], mins, count * sizeof *mins);
    memcpy(padded[3], min_weights, count * sizeof *mins);
    out->d = common_unit(padded[0], padded[1], 16, highest);
    out->dmin = common_unit(padded[2], padded[3], 16, highest);
    for (size_t k = 0; k < count; k++) {
        const float *here = x + k * width, *weights = w + k * width;
        float m = out->dmin > 0 ? mins[k] / out->dmin : 0;
        out->mins[k] = (uint8_t)nearest(clamped(m, 0, (float)highest));
        /* the best scale for the minimum as it is now */
        m = out->dmin * (float)out->mins[k];
        struct line_sums sums = sums_without_q(here, weights, width);
        add_line(&sums, here, weights, width, scales[k] > 0x1p-120f ? 1 / scales[k] : 0, m,
                 (float)most);
        float scale = sums.qq > 0 ? (sums.xq + m * sums.q) / sums.qq : 0;
        out->scales[k] =
            (uint8_t)nearest(clamped(out->d > 0 ? scale / out->d : 0, 0, (float)highest));
    }
    for (int round = 0; round < 2; round++) {
        assign_minima(out, &d, &dmin, x, w, count, width, most);
        loam_fit_half(&out->d, d > 0 ? d : 0);
        loam_fit_half(&out->dmin, dmin > 0 ? dmin : 0);
    }
    assign_minima(out, &d, &dmin, x, w, count, width, most);
}

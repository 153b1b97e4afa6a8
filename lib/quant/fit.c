/* SPDX-License-Identifier: MIT */
#include "quant/fit.h"
#include "quant/lanes.h"

#include <math.h>

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
    lanes xq = {0}, qq = {0};
    for (size_t i = 0; i < n; i += LANE_COUNT) {
        lanes level = {(float)q[i], (float)q[i + 1], (float)q[i + 2], (float)q[i + 3]};
        lanes product = loam_lanes_load(w + i) * level;
        xq += product * loam_lanes_load(x + i);
        qq += product * level;
    }
    return (struct fit_sums){loam_lanes_sum(xq), loam_lanes_sum(qq)};
}

/* The sums for the numbers of a curve that an inverse scale gives: the first, and the
 * step to each next one where the middle of both is passed. */
static struct fit_sums try_curve(const float *x, const float *w, size_t n, float inverse,
                                 const struct fit_levels *levels)
{
    const int8_t *curve = levels->curve;
    lanes middles[15], steps[15], factor = loam_lanes_all(inverse), xq = {0}, qq = {0};
    size_t last = loam_min(levels->count - 1, LOAM_COUNT_OF(middles));
    for (size_t k = 0; k < last; k++) {
        middles[k] = loam_lanes_all(((float)curve[k] + (float)curve[k + 1]) / 2);
        steps[k] = loam_lanes_all((float)curve[k + 1] - (float)curve[k]);
    }
    for (size_t i = 0; i < n; i += LANE_COUNT) {
        lanes here = loam_lanes_load(x + i), scaled = here * factor;
        lanes level = loam_lanes_all((float)curve[0]);
        for (size_t k = 0; k < last; k++)
            level += (lanes)((scaled > middles[k]) & (lane_masks)steps[k]);
        lanes product = loam_lanes_load(w + i) * level;
        xq += product * here;
        qq += product * level;
    }
    return (struct fit_sums){loam_lanes_sum(xq), loam_lanes_sum(qq)};
}

/* The same for the integers that an inverse scale gives, without keeping them. */
static struct fit_sums try_inverse(const float *x, const float *w, size_t n, float inverse,
                                   const struct fit_levels *levels)
{
    if (levels->curve)
        return try_curve(x, w, n, inverse, levels);
    lanes lo = loam_lanes_all((float)levels->lo), hi = loam_lanes_all((float)levels->hi);
    lanes factor = loam_lanes_all(inverse), xq = {0}, qq = {0};
    for (size_t i = 0; i < n; i += LANE_COUNT) {
        lanes here = loam_lanes_load(x + i);
        lanes level = loam_lanes_nearest(loam_lanes_clamped(here * factor, lo, hi));
        lanes product = loam_lanes_load(w + i) * level;
        xq += product * here;
        qq += product * level;
    }
    return (struct fit_sums){loam_lanes_sum(xq), loam_lanes_sum(qq)};
}

/* The smallest and the largest of x; n is not 0. */
static void find_range(float *least, float *greatest, const float *x, size_t n)
{
    lanes low = loam_lanes_load(x), high = low;
    for (size_t i = LANE_COUNT; i < n; i += LANE_COUNT) {
        lanes here = loam_lanes_load(x + i);
        low = loam_lanes_choose(here < low, here, low);
        high = loam_lanes_choose(here > high, here, high);
    }
    *least = low[0];
    *greatest = high[0];
    for (int i = 1; i < LANE_COUNT; i++) {
        *least = low[i] < *least ? low[i] : *least;
        *greatest = high[i] > *greatest ? high[i] : *greatest;
    }
}

/* Whether `sums` lower the error by more than `best`: by xq xq / qq. In double,
 * since products of four sums leave the range of floats. */
static bool gains_more(struct fit_sums sums, struct fit_sums best)
{
    double xq = (double)sums.xq, best_xq = (double)best.xq;
    return xq * xq * (double)best.qq > best_xq * best_xq * (double)sums.qq;
}

/* The signs that a scale may have: by the number of largest magnitude, which goes to the longer end
 * of many levels; few levels are tried both ways, unless both are the same. */
static void find_signs(int *first, int *last, float least, float greatest,
                       const struct fit_levels *levels)
{
    *first = levels->curve && levels->curve[0] == -levels->curve[levels->count - 1] ? 1 : -1;
    *last = 1;
    if (levels->curve || (levels->lo < 0 && levels->lo > -16))
        return;
    if (levels->lo < 0 && greatest > -least)
        *last = -1;
    else
        *first = 1;
}

float loam_fit_scale(const float *x, const float *w, size_t n, const struct fit_levels *levels)
{
    struct fit_sums best = {0, 1};
    float least, greatest;
    int first, last;
    find_range(&least, &greatest, x, n);
    float most = greatest > -least ? greatest : -least;
    if (!(most >= 0x1p-100f) || most > 0x1p100f)
        return 0;
    float end = levels->curve ? -(float)levels->curve[0] : (float)-levels->lo;
    end = end > 0 ? end : (float)levels->hi;
    float step = levels->curve ? end / 25 : end < 3 ? 0.1f : 0.2f;
    int tries = levels->curve ? 6 : end >= 16 ? 4 : 10; /* fine levels need few */
    find_signs(&first, &last, least, greatest, levels);
    for (int t = -tries; t <= tries; t++)
        for (int sign = first; sign <= last; sign += 2) {
            float inverse = (float)sign * (end + step * (float)t) / most;
            struct fit_sums sums = try_inverse(x, w, n, inverse, levels);
            best = gains_more(sums, best) ? sums : best;
        }
    for (int round = 0; round < 2 && best.xq != 0; round++) { /* the integers of the better scale */
        struct fit_sums sums = try_inverse(x, w, n, best.qq / best.xq, levels);
        if (!gains_more(sums, best))
            break;
        best = sums;
    }
    return best.xq / best.qq;
}

/* ---- with a minimum ------------------------------------------------------------- */

struct line_sums {
    float w, q, qq, x, xq;
};

/* What does not depend on q. */
static struct line_sums sums_without_q(const float *x, const float *w, size_t n)
{
    lanes all = {0}, weighted = {0};
    for (size_t i = 0; i < n; i += LANE_COUNT) {
        lanes weight = loam_lanes_load(w + i);
        all += weight;
        weighted += weight * loam_lanes_load(x + i);
    }
    return (struct line_sums){.w = loam_lanes_sum(all), .x = loam_lanes_sum(weighted)};
}

/* The others, for the q of an inverse scale and a minimum. */
static void add_line(struct line_sums *sums, const float *x, const float *w, size_t n,
                     float inverse, float min, float most)
{
    lanes q = {0}, qq = {0}, xq = {0}, zero = {0}, hi = loam_lanes_all(most);
    lanes factor = loam_lanes_all(inverse), minimum = loam_lanes_all(min);
    for (size_t i = 0; i < n; i += LANE_COUNT) {
        lanes here = loam_lanes_load(x + i);
        lanes level = loam_lanes_nearest(loam_lanes_clamped((here + minimum) * factor, zero, hi));
        lanes product = loam_lanes_load(w + i) * level;
        q += product;
        qq += product * level;
        xq += product * here;
    }
    sums->q = loam_lanes_sum(q);
    sums->qq = loam_lanes_sum(qq);
    sums->xq = loam_lanes_sum(xq);
}

/* The best x = scale * q - min for given q, as fractions: scale and min over
 * divisor, and by how much it lowers the error, times divisor. In double, since products of
 * four sums leave the range of floats. */
struct line {
    double scale, min, gain, divisor;
};

static struct line solve_line(const struct line_sums *s, bool free)
{
    double w = (double)s->w, q = (double)s->q, qq = (double)s->qq;
    double x = (double)s->x, xq = (double)s->xq;
    struct line line = {.scale = w * xq - x * q, .min = q * xq - qq * x, .divisor = w * qq - q * q};
    line.gain = line.scale * xq - line.min * x;
    if (!(line.divisor > 0) || (!free && line.min < 0)) /* the best with a minimum of 0 */
        line = (struct line){.scale = xq, .min = 0, .gain = xq * xq, .divisor = qq};
    return line;
}

static bool is_better(const struct line *line, const struct line *best)
{
    return line->divisor > 0 && line->scale >= 0 &&
           line->gain * best->divisor > best->gain * line->divisor;
}

void loam_fit_minimum(float *scale, float *min, const float *x, const float *w, size_t n,
                      int32_t most, bool free)
{
    enum { FIRST = -2, TRIES = 8, ROUNDS = 2 };
    float least, greatest;
    find_range(&least, &greatest, x, n);
    least = !free && least > 0 ? 0 : least;
    *scale = 0;
    *min = free ? -least : least < 0 ? -least : 0;
    float range = greatest - least;
    if (!(range >= 0x1p-100f) || range > 0x1p60f)
        return;
    struct line_sums sums = sums_without_q(x, w, n);
    struct line best = {.divisor = 1};
    for (int t = FIRST; t < TRIES + ROUNDS; t++) {
        float d = *scale, m = *min; /* the last rounds go on from the best */
        if (t < TRIES) {
            d = range / ((float)most + (most < 8 ? 0.15f : 0.25f) * (float)t);
            m = -least - (range - d * (float)most) / 2; /* the same play at both ends */
            m = !free && m < 0 ? 0 : m;
        }
        if (!(d > 0))
            continue;
        add_line(&sums, x, w, n, 1 / d, m, (float)most);
        struct line line = solve_line(&sums, free);
        if (is_better(&line, &best))
            best = line;
        if (t >= TRIES - 1) {
            *scale = (float)(best.scale / best.divisor);
            *min = (float)(best.min / best.divisor);
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

/* The better d and dmin for the integers that all sub-blocks take with the
 * scales and mins that out has. */
static void solve_minima(struct fit_minima *out, const struct line_sums *sums, const float *x,
                         const float *w, size_t count, size_t width, int32_t most)
{
    struct line_sums all = {0, 0, 0, 0, 0};
    for (size_t k = 0; k < count; k++) {
        float scale = (float)out->scales[k], min = (float)out->mins[k], d = out->d * scale;
        struct line_sums here = sums[k];
        add_line(&here, x + k * width, w + k * width, width, d > 0x1p-120f ? 1 / d : 0,
                 out->dmin * min, (float)most);
        all.w += here.w * min * min;
        all.q += here.q * scale * min;
        all.qq += here.qq * scale * scale;
        all.x += here.x * min;
        all.xq += here.xq * scale;
    }
    struct line line = solve_line(&all, false);
    bool found = line.divisor > 0 && line.scale > 0;
    loam_fit_half(&out->d, found ? (float)(line.scale / line.divisor) : 0);
    loam_fit_half(&out->dmin, found ? (float)(line.min / line.divisor) : 0);
}

void loam_fit_minima(struct fit_minima *out, const float *x, const float *w, size_t count,
                     size_t width, int32_t highest, int32_t most)
{
    float scales[16] = {0}, mins[16] = {0}, scale_weights[16] = {0}, min_weights[16] = {0};
    struct line_sums sums[16];
    for (size_t k = 0; k < count; k++) {
        const float *here = x + k * width, *weights = w + k * width;
        loam_fit_minimum(&scales[k], &mins[k], here, weights, width, most, false);
        sums[k] = sums_without_q(here, weights, width);
        add_line(&sums[k], here, weights, width, scales[k] > 0x1p-120f ? 1 / scales[k] : 0, mins[k],
                 (float)most);
        scale_weights[k] = sums[k].qq;
        min_weights[k] = sums[k].w;
    }
    /* Zeros behind the last do not matter to these. */
    out->d = common_unit(scales, scale_weights, 16, highest);
    out->dmin = common_unit(mins, min_weights, 16, highest);
    for (size_t k = 0; k < count; k++) {
        float m = out->dmin > 0 ? mins[k] / out->dmin : 0;
        out->mins[k] = (uint8_t)nearest(clamped(m, 0, (float)highest));
        /* the best scale for the minimum as it is now */
        m = out->dmin * (float)out->mins[k];
        add_line(&sums[k], x + k * width, w + k * width, width,
                 scales[k] > 0x1p-120f ? 1 / scales[k] : 0, m, (float)most);
        float scale = sums[k].qq > 0 ? (sums[k].xq + m * sums[k].q) / sums[k].qq : 0;
        out->scales[k] =
            (uint8_t)nearest(clamped(out->d > 0 ? scale / out->d : 0, 0, (float)highest));
    }
    for (int round = 0; round < 2; round++)
        solve_minima(out, sums, x, w, count, width, most);
    for (size_t k = 0; k < count; k++)
        loam_fit_assign_minimum(out->q + k * width, x + k * width, width,
                                out->d * (float)out->scales[k], out->dmin * (float)out->mins[k],
                                most);
}

/* SPDX-License-Identifier: MIT */
/*
 * Functions of one number, f32 unless said otherwise, in this order:
 *   SILU          x / (1 + exp(-x))
 *   GELU          x / (1 + exp(-2 u)), u = (s * x) * fma(0.044715 * x, x, 1),
 *                 s = sqrt(2 / pi): the tanh form
 *   GELU_QUICK    x / (1 + exp(-1.702 * x))
 *   RELU          x > 0 ? x : 0
 *   RELU_SQUARED  r * r of that r
 *   SIGMOID       1 / (1 + exp(-x))
 *   TANH          of base/numeric.h
 *   SOFTPLUS      x > 20 ? x : log(1 + exp(x)) in double, rounded
 *   SCALE         x * a + b: one product, one sum (b 0: no sum)
 *   CLAMP         x < a ? a : x > b ? b : x
 *   SOFT_CAP      a * tanh(x / a)
 *   XIELU         x > 0: fma(a * x, x, c * x)
 *                 else fma(e, b, c * x), e = exp(x < d ? x : d) - 1 - x in
 *                 double, rounded
 *   EXP           exp(x)
 *   CLAMPED_SWIGLU, with b[i] alone: (g / (1 + exp(-(a * g)))) * (u + 1), g = x >
 *                 b ? b : x, u = b[i] between -b and b
 * With b[i] the result is f(x) * b[i].
 */
#include "base/numeric.h"
#include "cpu/ref/ref.h"

#include <loam/graph.h>
#include <math.h>

static float gelu(float x)
{
    float u = (0x1.988454p-1f * x) * fmaf(0.044715f * x, x, 1.0f);
    return x / (1.0f + loam_expf(-2.0f * u));
}

static float softplus(float x)
{
    return x > 20.0f ? x : (float)loam_log(1.0 + loam_exp((double)x));
}

static float xielu(float x, const float *p)
{
    if (x > 0)
        return fmaf(p[0] * x, x, p[2] * x);
    float least = x < p[3] ? x : p[3];
    float e = (float)(loam_exp((double)least) - 1.0 - (double)x);
    return fmaf(e, p[1], p[2] * x);
}

/* Functions with parameters p[4]. */
static float with_parameters(int32_t function, float x, const float *p)
{
    switch (function) {
    case LOAM_ACTIVATION_SCALE:
        return p[1] == 0 ? x * p[0] : x * p[0] + p[1];
    case LOAM_ACTIVATION_CLAMP:
        return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
    case LOAM_ACTIVATION_SOFT_CAP:
        return p[0] * loam_tanhf(x / p[0]);
    default:
        return xielu(x, p);
    }
}

static float value(int32_t function, float x, const float *p)
{
    float positive = x > 0 ? x : 0.0f;
    switch (function) {
    case LOAM_ACTIVATION_SILU:
        return x / (1.0f + loam_expf(-x));
    case LOAM_ACTIVATION_GELU:
        return gelu(x);
    case LOAM_ACTIVATION_GELU_QUICK:
        return x / (1.0f + loam_expf(-1.702f * x));
    case LOAM_ACTIVATION_RELU:
        return positive;
    case LOAM_ACTIVATION_RELU_SQUARED:
        return positive * positive;
    case LOAM_ACTIVATION_SIGMOID:
        return 1.0f / (1.0f + loam_expf(-x));
    case LOAM_ACTIVATION_TANH:
        return loam_tanhf(x);
    case LOAM_ACTIVATION_SOFTPLUS:
        return softplus(x);
    case LOAM_ACTIVATION_EXP:
        return loam_expf(x);
    default:
        return with_parameters(function, x, p);
    }
}

static float clamped_swiglu(float x, float u, const float *p)
{
    float g = x > p[1] ? p[1] : x;
    u = u < -p[1] ? -p[1] : u > p[1] ? p[1] : u;
    return (g / (1.0f + loam_expf(-(p[0] * g)))) * (u + 1.0f);
}

void loam_ref_map(const struct map_tile *tile)
{
    if (tile->function == LOAM_ACTIVATION_CLAMPED_SWIGLU) {
        for (size_t i = tile->first; i < tile->first + tile->count; i++)
            tile->out[i] = clamped_swiglu(tile->x[i], tile->b ? tile->b[i] : 0, tile->parameters);
        return;
    }
    for (size_t i = tile->first; i < tile->first + tile->count; i++) {
        float y = value(tile->function, tile->x[i], tile->parameters);
        tile->out[i] = tile->b ? y * tile->b[i] : y;
    }
}

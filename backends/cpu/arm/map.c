/* SPDX-License-Identifier: MIT */
/*
 * Functions of one number that feed-forward blocks have, 4 numbers at a time: the
 * sequences of ref/map.c. Others are left to the scalar kernel.
 */
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"
#include "cpu/ref/ref.h"

#include <loam/graph.h>

/* x / (1 + exp(-y)) */
INLINE float32x4_t part(float32x4_t x, float32x4_t y)
{
    return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1), exp4(vnegq_f32(y))));
}

INLINE float32x4_t gelu(float32x4_t x)
{
    float32x4_t square = vmulq_n_f32(x, 0.044715f);
    float32x4_t u = vmulq_f32(vmulq_n_f32(x, 0x1.988454p-1f), vfmaq_f32(vdupq_n_f32(1), square, x));
    return part(x, vmulq_n_f32(u, 2));
}

INLINE float32x4_t soft_cap(float32x4_t x, float cap)
{
    return vmulq_n_f32(tanh4(vdivq_f32(x, vdupq_n_f32(cap))), cap);
}

/* With the other factor u, whose limits and the upper one of x are the same. */
INLINE float32x4_t clamped_swiglu(float32x4_t x, float32x4_t u, const float *p)
{
    float32x4_t most = vdupq_n_f32(p[1]), g = vminq_f32(x, most);
    u = vminq_f32(most, vmaxq_f32(vnegq_f32(most), u));
    return vmulq_f32(part(g, vmulq_n_f32(g, p[0])), vaddq_f32(u, vdupq_n_f32(1)));
}

/* x > 0 ? x : 0, which NaN is not: vmaxq would leave it. */
INLINE float32x4_t positive(float32x4_t x)
{
    uint32x4_t is_positive = vcgtq_f32(x, vdupq_n_f32(0));
    return vreinterpretq_f32_u32(vandq_u32(is_positive, vreinterpretq_u32_f32(x)));
}

/* y, or y * b, for the numbers of the tile; x, b and p are those of y. */
#define MAP(name, y)                                                                               \
    case LOAM_ACTIVATION_##name:                                                                   \
        for (size_t i = tile->first, end = i + tile->count; i < end; i += 4) {                     \
            size_t count = loam_min(4, end - i);                                                   \
            float32x4_t x = load_first(tile->x + i, count);                                        \
            float32x4_t b = tile->b ? load_first(tile->b + i, count) : vdupq_n_f32(0);             \
            store_first(tile->out + i, y, count);                                                  \
        }                                                                                          \
        break;

/* Functions of x alone. */
#define MAP_ONE(name, y) MAP(name, tile->b ? vmulq_f32(y, b) : y)

void loam_neon_map(const struct map_tile *tile)
{
    const float *p = tile->parameters;
    switch (tile->function) {
        MAP_ONE(SILU, part(x, x))
        MAP_ONE(TANH, tanh4(x))
        MAP_ONE(SOFT_CAP, soft_cap(x, p[0]))
        MAP_ONE(GELU, gelu(x))
        MAP_ONE(GELU_QUICK, part(x, vmulq_n_f32(x, 1.702f)))
        MAP_ONE(SIGMOID, part(vdupq_n_f32(1), x))
        MAP_ONE(RELU, positive(x))
        MAP_ONE(RELU_SQUARED, vmulq_f32(positive(x), positive(x)))
        MAP(CLAMPED_SWIGLU, clamped_swiglu(x, b, p))
    default:
        loam_ref_map(tile);
        break;
    }
}

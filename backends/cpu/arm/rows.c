/* SPDX-License-Identifier: MIT */
/*
 * What works on one row or number after another: norm, rotation, gate, sum.
 * Bound: reading and writing the rows, which are in cache.
 */
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"

#include <loam/graph.h>
#include <math.h>

void loam_neon_rms_norm(const struct norm_tile *tile)
{
    enum { REGISTERS = NORM_LANES / 4 };
    size_t n = tile->width, whole = n & ~(size_t)(NORM_LANES - 1);
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        const float *x = tile->x + row * n;
        float *out = tile->out + row * n;
        float32x4_t lanes[REGISTERS];
        for (size_t j = 0; j < REGISTERS; j++)
            lanes[j] = vdupq_n_f32(0);
        for (size_t i = 0; i < whole; i += NORM_LANES)
            for (size_t j = 0; j < REGISTERS; j++) {
                float32x4_t a = vld1q_f32(x + i + 4 * j);
                lanes[j] = vfmaq_f32(lanes[j], a, a);
            }
        if (whole < n) { /* lanes without an element take fma(0, 0, lane), which is the lane */
            float tail[NORM_LANES] = {0};
            memcpy(tail, x + whole, (n - whole) * sizeof *x);
            for (size_t j = 0; j < REGISTERS; j++) {
                float32x4_t a = vld1q_f32(tail + 4 * j);
                lanes[j] = vfmaq_f32(lanes[j], a, a);
            }
        }
        for (size_t half = REGISTERS / 2; half >= 4; half /= 2)
            for (size_t j = 0; j < half; j++)
                lanes[j] = vaddq_f32(lanes[j], lanes[j + half]);
        float r = 1.0f / sqrtf(tree16(lanes) / (float)n + tile->epsilon);
        for (size_t i = 0; i < n; i++)
            out[i] = (x[i] * r) * tile->weight[i];
    }
}

/* 4 pairs: y[0] = fma(x0, c, -(x1 * s)), y[1] = fma(x1, c, x0 * s). */
INLINE float32x4x2_t rotate(float32x4_t x0, float32x4_t x1, const float *cosines,
                            const float *sines)
{
    float32x4_t c = vld1q_f32(cosines), s = vld1q_f32(sines);
    float32x4x2_t y = {
        {vfmaq_f32(vnegq_f32(vmulq_f32(x1, s)), x0, c), vfmaq_f32(vmulq_f32(x0, s), x1, c)}};
    return y;
}

static void rotate_head(const float *x, float *out, const float *cosines, size_t pairs,
                        bool adjacent)
{
    const float *sines = cosines + pairs;
    size_t i = 0;
    for (; i + 4 <= pairs; i += 4) {
        if (adjacent) {
            float32x4x2_t at = vld2q_f32(x + 2 * i);
            vst2q_f32(out + 2 * i, rotate(at.val[0], at.val[1], cosines + i, sines + i));
        } else {
            float32x4_t x0 = vld1q_f32(x + i), x1 = vld1q_f32(x + i + pairs);
            float32x4x2_t y = rotate(x0, x1, cosines + i, sines + i);
            vst1q_f32(out + i, y.val[0]);
            vst1q_f32(out + i + pairs, y.val[1]);
        }
    }
    for (; i < pairs; i++) {
        size_t first = adjacent ? 2 * i : i, second = adjacent ? 2 * i + 1 : i + pairs;
        float x0 = x[first], x1 = x[second];
        out[first] = fmaf(x0, cosines[i], -(x1 * sines[i]));
        out[second] = fmaf(x1, cosines[i], x0 * sines[i]);
    }
}

void loam_neon_rope(const struct rope_tile *tile)
{
    size_t width = tile->heads * tile->head_width;
    bool adjacent = tile->pairing == LOAM_ROPE_ADJACENT;
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++)
        for (size_t head = 0; head < tile->heads; head++) {
            size_t at = row * width + head * tile->head_width;
            rotate_head(tile->x + at, tile->out + at, tile->rotation + row * tile->dimensions,
                        tile->dimensions / 2, adjacent);
            for (size_t i = tile->dimensions; i < tile->head_width; i++)
                tile->out[at + i] = tile->x[at + i];
        }
}

/* (a / (1 + exp(-a))) * b */
void loam_neon_gate_silu(const struct elementwise_tile *tile)
{
    size_t end = tile->first + tile->count;
    for (size_t i = tile->first; i < end; i += 4) {
        size_t count = loam_min(4, end - i);
        float32x4_t a = load_first(tile->a + i, count), b = load_first(tile->b + i, count);
        float32x4_t below = vaddq_f32(vdupq_n_f32(1), exp4(vnegq_f32(a)));
        store_first(tile->out + i, vmulq_f32(vdivq_f32(a, below), b), count);
    }
}

void loam_neon_add(const struct elementwise_tile *tile)
{
    for (size_t i = tile->first; i < tile->first + tile->count; i++)
        tile->out[i] = tile->a[i] + tile->b[i];
}

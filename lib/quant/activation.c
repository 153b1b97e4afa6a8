/* SPDX-License-Identifier: MIT */
#include "base/half.h"
#include "quant/codecs.h"

float loam_quantize_group(int8_t *q, const float *x, size_t n)
{
    /* Magnitudes of floats compare as their bits do. */
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = loam_float_bits(x[i]) & 0x7FFFFFFFu;
        most = bits > most ? bits : most;
    }
    float m = loam_float_from_bits(most);
    if (!(m >= 0x1p-100f) || most >= 0x7F800000u) {
        memset(q, 0, n);
        return most >= 0x7F800000u ? m : 0; /* not finite stays visible */
    }
    float inverse = 127 / m;
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)loam_round(x[i] * inverse);
    return m / 127;
}

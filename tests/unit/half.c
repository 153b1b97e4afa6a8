/* SPDX-License-Identifier: MIT */
/* 16-bit floats, exhaustively where it can be done. */
#include "test.h"

#include "base/half.h"

#include <math.h>

/* The value of a half by its definition. */
static double value_of_half(uint32_t half)
{
    int exponent = (int)(half >> 10 & 31), mantissa = (int)(half & 0x3FF);
    double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void every_half_goes_both_ways(void)
{
    for (uint32_t half = 0; half < 0x10000; half++) {
        float value = loam_half_to_float((uint16_t)half);
        if ((half & 0x7C00) == 0x7C00 && (half & 0x3FF)) {
            CHECK(isnan(value) && isnan(loam_half_to_float(loam_half_from_float(value))));
            continue;
        }
        if ((half & 0x7C00) == 0x7C00)
            CHECK(isinf(value));
        else
            CHECK((double)value == value_of_half(half));
        CHECK_EQUAL(loam_half_from_float(value), half);
    }
}

/* Between each two neighbours: below, at and above the middle. */
static void rounding_is_to_nearest_even(void)
{
    for (uint32_t half = 0; half < 0x7BFF; half++) {
        double low = value_of_half(half), high = value_of_half(half + 1), middle = (low + high) / 2;
        uint32_t even = half & 1 ? half + 1 : half;
        CHECK_EQUAL(loam_half_from_float((float)middle), even);
        CHECK_EQUAL(loam_half_from_float(nextafterf((float)middle, 0)), half);
        CHECK_EQUAL(loam_half_from_float(nextafterf((float)middle, INFINITY)), half + 1);
        CHECK_EQUAL(loam_half_from_float(-(float)middle), even | 0x8000);
    }
    CHECK_EQUAL(loam_half_from_float(65504), 0x7BFF);
    CHECK_EQUAL(loam_half_from_float(65519.996f), 0x7BFF);
    CHECK_EQUAL(loam_half_from_float(65520), 0x7C00);
    CHECK_EQUAL(loam_half_from_float(INFINITY), 0x7C00);
    CHECK_EQUAL(loam_half_from_float(-INFINITY), 0xFC00);
    CHECK_EQUAL(loam_half_from_float(0x1p-25f), 0);
    CHECK_EQUAL(loam_half_from_float(nextafterf(0x1p-25f, 1)), 1);
    CHECK_EQUAL(loam_half_from_float(-0.0f), 0x8000);
}

static void bfloat_rounds_to_nearest_even(void)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = loam_bfloat_to_float((uint16_t)bits);
        if (isnan(value)) {
            CHECK(isnan(loam_bfloat_to_float(loam_bfloat_from_float(value))));
            continue;
        }
        CHECK_EQUAL(loam_bfloat_from_float(value), bits);
        if ((bits & 0x7F80) == 0x7F80)
            continue;
        CHECK_EQUAL(loam_bfloat_from_float(loam_float_from_bits(bits << 16 | 0x8000)),
                    bits & 1 ? bits + 1 : bits);
        CHECK_EQUAL(loam_bfloat_from_float(loam_float_from_bits(bits << 16 | 0x7FFF)), bits);
        CHECK_EQUAL(loam_bfloat_from_float(loam_float_from_bits(bits << 16 | 0x8001)), bits + 1);
    }
}

int main(void)
{
    RUN(every_half_goes_both_ways);
    RUN(rounding_is_to_nearest_even);
    RUN(bfloat_rounds_to_nearest_even);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/* Elementary functions: error bounds against libm in higher precision, edges,
 * and the published vectors of Philox. */
#include "test.h"

#include "base/features.h"
#include "base/half.h"
#include "base/numeric.h"

#include <math.h>

/* Distance in units of the last place of the exact value. */
static double ulps(float found, double exact)
{
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)found - exact) / ldexp(1, exponent - 24);
}

static void expf_is_within_its_bound(void)
{
    double worst = 0, near = 0;
    for (uint32_t bits = 0; bits <= 0x42B00000u; bits += 397) /* up to 88 */
        for (int sign = 0; sign < 2; sign++) {
            float x = loam_float_from_bits(bits | (uint32_t)sign << 31);
            double exact = exp((double)x), error = fabs((double)loam_expf(x) - exact) / exact;
            if (x >= -8 && x <= 8)
                near = error > near ? error : near;
            else if (x >= -87.6f)
                worst = error > worst ? error : worst;
        }
    printf("# worst 2^%.2f to 8, 2^%.2f beyond\n", log2(near), log2(worst));
    CHECK(near <= 0x1p-21 && worst <= 0x1p-19);
}

static void expf_has_its_edges(void)
{
    float before = 1;
    CHECK(loam_float_bits(loam_expf(0.0f)) == 0x3F800000u);
    CHECK(loam_float_bits(loam_expf(-0.0f)) == 0x3F800000u);
    CHECK(isnan(loam_expf(NAN)));
    CHECK(loam_expf(INFINITY) == loam_expf(88) && loam_expf(88) < INFINITY);
    CHECK(loam_float_bits(loam_expf(-INFINITY)) == 0 && loam_float_bits(loam_expf(-87.7f)) == 0);
    /* No result lies between 0 and 2^-127, and none is above one before it. */
    for (uint32_t bits = 0xC2AE0000u; bits < 0xC2B10000u; bits++) {
        float y = loam_expf(loam_float_from_bits(bits));
        CHECK((y == 0 || y >= 0x1p-127f) && y <= before);
        before = y;
    }
}

static double relative(double found, long double exact)
{
    return (double)fabsl(((long double)found - exact) / exact);
}

static void exp_log_and_pow_in_double(void)
{
    double worst_exp = 0, worst_log = 0, worst_pow = 0;
    for (int i = -7000; i <= 7000; i++) {
        double x = i * 0.1 + 0.012345, y = exp(i * 0.05);
        worst_exp = fmax(worst_exp, relative(loam_exp(x), expl((long double)x)));
        if (fabs(log(y)) > 1e-3)
            worst_log = fmax(worst_log, relative(loam_log(y), logl((long double)y)));
    }
    for (double base = 2; base < 1e9; base *= 1.7)
        for (int i = 1; i <= 64; i++)
            worst_pow = fmax(worst_pow, relative(loam_pow(base, -i / 64.0),
                                                 powl((long double)base, -(long double)i / 64)));
    printf("# relative errors: exp %.2e, log %.2e, pow %.2e\n", worst_exp, worst_log, worst_pow);
    CHECK(worst_exp <= 2 * 0x1p-52);
    CHECK(worst_log <= 2 * 0x1p-52);
    CHECK(worst_pow <= 1e-14);
    CHECK(loam_exp(0) == 1 && loam_log(1) == 0);
    CHECK(loam_log(0) == -INFINITY && isnan(loam_log(-1)) && isnan(loam_exp(NAN)));
    CHECK(loam_exp(-1000) == 0 && loam_exp(1000) == INFINITY && loam_exp(-INFINITY) == 0);
}

/* Of any bits, and of the edges, on this CPU and without what it has. */
static void many_powers_are_the_same(void)
{
    static const double edges[] = {
        0,      -0.0,  -745.2, -745.3,   -708.5,    -744.5, 709.782712893384,
        709.79, 1e300, -1e300, INFINITY, -INFINITY, NAN,    5e-324};
    enum { MANY = 37 };
    uint64_t random = 9;
    for (size_t i = 0; i < 20000; i++) {
        double x[MANY], one_by_one[MANY], found[MANY];
        for (size_t j = 0; j < MANY; j++) {
            uint64_t bits = (uint64_t)test_random(&random) << 32 ^ test_random(&random);
            memcpy(&x[j], &bits, sizeof bits);
            if (i % 2)
                x[j] = (test_random(&random) / 4294967296.0 - 0.5) * 1500;
            if (i == 0)
                x[j] = edges[j % LOAM_COUNT_OF(edges)];
            one_by_one[j] = loam_exp(x[j]);
        }
        for (int has = 0; has < 2; has++) {
            memcpy(found, x, sizeof x);
            loam_exp_each(found, MANY, has ? loam_cpu_features() : 0);
            for (size_t j = 0; j < MANY; j++)
                CHECK(memcmp(&found[j], &one_by_one[j], sizeof *found) == 0 ||
                      (isnan(x[j]) && isnan(found[j])));
        }
    }
}

static void sine_and_cosine(void)
{
    double worst = 0, worst_far = 0;
    uint64_t random = 1;
    for (int i = 0; i < 400000; i++) {
        double unit =
            test_random(&random) / 4294967296.0 + test_random(&random) / 18446744073709551616.0;
        double near = (unit - 0.5) * 0x1p21, far = (unit - 0.5) * 0x1p32, sine, cosine;
        loam_sincos(near, &sine, &cosine);
        worst = fmax(worst, (double)fabsl((long double)sine - sinl((long double)near)));
        worst = fmax(worst, (double)fabsl((long double)cosine - cosl((long double)near)));
        loam_sincos(far, &sine, &cosine);
        worst_far = fmax(worst_far, (double)fabsl((long double)sine - sinl((long double)far)));
    }
    printf("# worst %.2e below 2^20, %.2e below 2^31\n", worst, worst_far);
    CHECK(worst <= 0x1p-50);
    CHECK(worst_far <= 0x1p-45);
    double sine, cosine;
    loam_sincos(0, &sine, &cosine);
    CHECK(sine == 0 && cosine == 1);
    /* Files choose the frequency: what lies beyond the domain is NaN, never
     * a conversion that C leaves undefined. */
    static const double beyond[] = {0x1.0000001p31, -0x1p40, 1e20, -1e300, INFINITY, NAN};
    for (size_t i = 0; i < LOAM_COUNT_OF(beyond); i++) {
        loam_sincos(beyond[i], &sine, &cosine);
        CHECK(isnan(sine) && isnan(cosine));
    }
    loam_sincos(-0x1p31, &sine, &cosine);
    CHECK(fabsl(sinl(-0x1p31L) - (long double)sine) <= 0x1p-45L);
}

/* The known answers that Random123 publishes. */
static void philox_gives_the_published_numbers(void)
{
    static const uint32_t cases[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        loam_philox(out, cases[i], cases[i] + 4);
        CHECK(memcmp(out, cases[i] + 6, sizeof out) == 0);
    }
}

static void tanhf_is_within_1_ulp(void)
{
    double worst = 0;
    for (uint32_t bits = 0; bits < 0x41A00000u; bits += 397) { /* up to 20 */
        float x = loam_float_from_bits(bits), y = loam_tanhf(x);
        CHECK(loam_float_bits(loam_tanhf(-x)) == (loam_float_bits(y) ^ 0x80000000u));
        double exact = tanh((double)x), error = x > 0 && exact > 0x1p-126 ? ulps(y, exact) : 0;
        worst = error > worst ? error : worst;
    }
    printf("# worst %.3f ulp\n", worst);
    CHECK(worst <= 1);
    CHECK(loam_tanhf(loam_float_from_bits(0x7F800000u)) == 1);
    CHECK(loam_tanhf(loam_float_from_bits(0x7FC00000u)) !=
          loam_tanhf(loam_float_from_bits(0x7FC00000u)));
}

int main(void)
{
    RUN(expf_is_within_its_bound);
    RUN(tanhf_is_within_1_ulp);
    RUN(expf_has_its_edges);
    RUN(exp_log_and_pow_in_double);
    RUN(many_powers_are_the_same);
    RUN(sine_and_cosine);
    RUN(philox_gives_the_published_numbers);
    return test_end();
}

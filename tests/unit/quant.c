/* SPDX-License-Identifier: MIT */
/* Weight types: reference blocks bit for bit, error of the quantisers, the
 * table, and the quantising of activations. */
#include "test.h"

#include "base/half.h"
#include "quant/types.h"

#include <math.h>

static void blocks_of(const char *name)
{
    char path[64];
    size_t size, expected_size;
    const struct weight_type *type = loam_weight_type_named(name, strlen(name));
    snprintf(path, sizeof path, "quant/%s.bin", name);
    unsigned char *blocks = test_read(test_data(path), &size);
    if (!blocks)
        SKIP("no reference data: quant");
    snprintf(path, sizeof path, "quant/%s.f32", name);
    unsigned char *expected = test_read(test_data(path), &expected_size);
    REQUIRE(type && expected);
    size_t count = expected_size / sizeof(float);
    REQUIRE(count / type->block_elements * type->block_bytes == size);
    float *found = malloc(expected_size);
    type->dequantize(found, blocks, count);
    CHECK(memcmp(found, expected, expected_size) == 0);
    free(found);
    free(expected);
    free(blocks);
}

static void f16_blocks(void)
{
    blocks_of("F16");
}

static void bf16_blocks(void)
{
    blocks_of("BF16");
}

static void q8_0_blocks(void)
{
    blocks_of("Q8_0");
}

static void q4_0_blocks(void)
{
    blocks_of("Q4_0");
}

/* The recorded error of the reference quantiser, from the manifest. */
static double recorded(const char *manifest, const char *name)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"type\": \"%s\"", name);
    const char *p = strstr(manifest, quoted);
    p = p ? strstr(p, "gaussian") : NULL;
    p = p ? strchr(p, ':') : NULL;
    return p ? strtod(p + 1, NULL) : 0;
}

static void quantisers_are_as_good_as_the_reference(void)
{
    static const char *const names[] = {"Q8_0", "Q4_0", "F16", "BF16"};
    size_t size, manifest_size;
    float *source = (float *)(void *)test_read(test_data("quant/src.f32"), &size);
    char *manifest = (char *)test_read(test_data("quant/manifest.json"), &manifest_size);
    if (!source || !manifest)
        SKIP("no reference data: quant");
    /* The reference took the first block of each row, 64 of the floats. */
    enum { ROWS = 48, COLUMNS = 256, COUNT = ROWS * COLUMNS };
    static float chosen[COUNT];
    static unsigned char blocks[COUNT * 2];
    static float back[COUNT];
    for (size_t i = 0; i < LOAM_COUNT_OF(names); i++) {
        const struct weight_type *type = loam_weight_type_named(names[i], strlen(names[i]));
        double difference = 0, total = 0, limit = recorded(manifest, names[i]);
        size_t columns = type->block_elements == 1 ? 64 : type->block_elements,
               count = ROWS * columns;
        for (size_t row = 0; row < ROWS; row++)
            memcpy(chosen + row * columns, source + row * COLUMNS, columns * sizeof *chosen);
        type->quantize(blocks, chosen, count);
        type->dequantize(back, blocks, count);
        for (size_t j = 0; j < count; j++) {
            double d = (double)back[j] - (double)chosen[j];
            difference += d * d;
            total += (double)chosen[j] * (double)chosen[j];
        }
        double error = sqrt(difference / total);
        printf("# %s: relative error %.6f, reference %.6f\n", names[i], error, limit);
        CHECK(limit > 0 && error <= 1.02 * limit);
    }
    free(source);
    free(manifest);
}

static void the_table_is_sound(void)
{
    uint32_t last = 0;
    const struct weight_type *type;
    size_t i = 0;
    for (; (type = loam_weight_type_at(i)) != NULL; i++) {
        CHECK(i == 0 || type->id > last);
        last = type->id;
        CHECK(loam_weight_type(type->id) == type);
        CHECK(loam_weight_type_named(type->name, strlen(type->name)) == type);
        CHECK(type->block_elements > 0 && type->block_bytes > 0);
    }
    CHECK(i > 30);
    CHECK(loam_weight_type_named("q4_0", 4) == loam_weight_type(2));
    CHECK(!loam_weight_type(999) && !loam_weight_type_named("Q4_", 3) &&
          !loam_weight_type_named("Q4_00", 5));
}

static void activations_by_rule_3(void)
{
    float x[32] = {0};
    int8_t q[32];
    CHECK(loam_quantize_group(q, x, 32) == 0 && q[0] == 0 && q[31] == 0);
    x[3] = -2;
    x[4] = 1;
    CHECK(loam_quantize_group(q, x, 32) == 2.0f / 127);
    CHECK_EQUAL(q[3], -127);
    CHECK_EQUAL(q[4], 64); /* 63.5: to even */
    x[3] = 127;
    x[4] = 2.5f;
    x[5] = -2.5f;
    x[6] = 3.5f;
    CHECK(loam_quantize_group(q, x, 32) == 1);
    CHECK(q[3] == 127 && q[4] == 2 && q[5] == -2 && q[6] == 4);
    x[3] = x[4] = x[5] = x[6] = 0x1p-101f;
    CHECK(loam_quantize_group(q, x, 32) == 0 && q[3] == 0);
    x[3] = 0x1p-100f;
    CHECK(loam_quantize_group(q, x, 32) == 0x1p-100f / 127 && q[3] == 127);
    x[3] = 0x1.fffffep127f;
    CHECK(loam_quantize_group(q, x, 32) == 0x1.fffffep127f / 127 && q[3] == 127);
    x[3] = NAN;
    CHECK(!isfinite(loam_quantize_group(q, x, 32)));
}

int main(void)
{
    RUN(f16_blocks);
    RUN(bf16_blocks);
    RUN(q8_0_blocks);
    RUN(q4_0_blocks);
    RUN(quantisers_are_as_good_as_the_reference);
    RUN(the_table_is_sound);
    RUN(activations_by_rule_3);
    return test_end();
}

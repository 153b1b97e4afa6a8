/* SPDX-License-Identifier: MIT */
/* Weight types: reference blocks bit for bit, error of the quantisers, the
 * table, and the quantising of activations. */
#include "test.h"

#include "base/half.h"
#include "quant/integers.h"

#include <math.h>

/* Every number of a type's reference blocks, bit for bit; false without data. */
static bool blocks_of(const struct weight_type *type)
{
    char path[64];
    size_t size, expected_size;
    if (!type->dequantize)
        return false;
    snprintf(path, sizeof path, "quant/%s.bin", type->name);
    unsigned char *blocks = test_read(test_data(path), &size);
    if (!blocks)
        return false;
    snprintf(path, sizeof path, "quant/%s.f32", type->name);
    unsigned char *expected = test_read(test_data(path), &expected_size);
    size_t count = expected ? expected_size / sizeof(float) : 0;
    float *found = malloc(expected_size + 1);
    if (!expected || !found || count / type->block_elements * type->block_bytes != size) {
        printf("# %s: another size\n", type->name);
        test_failed_here++;
    } else {
        type->dequantize(found, blocks, count);
        for (size_t i = 0; i < count; i++)
            if (memcmp(found + i, expected + i * sizeof(float), sizeof(float)) != 0) {
                printf("# %s: number %zu is %a\n", type->name, i, (double)found[i]);
                test_failed_here++;
                break;
            }
    }
    free(found);
    free(expected);
    free(blocks);
    return true;
}

static void reference_blocks(void)
{
    const struct weight_type *type;
    int types = 0;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++)
        types += blocks_of(type);
    if (!types)
        SKIP("no reference data: quant");
    CHECK_EQUAL(types, 27);
}

/* One block by hand: number k of the last sub-block, whose scale and min have
 * bits in two bytes each. */
static void k_blocks_by_hand(void)
{
    unsigned char q4[145] = {0}, q5[177] = {0}, q6[211] = {0};
    float out[256];
    /* at odd addresses: d = 1.5, dmin = 0.25; scale 0x2D, min 0x1A of sub-block 7 */
    q4[2] = q5[2] = 0x3E;
    q4[4] = q5[4] = 0x34;
    q4[5 + 11] = q5[5 + 11] = 0xAD;
    q4[5 + 3] = q5[5 + 3] = 0x80;
    q4[5 + 7] = q5[5 + 7] = 0x40;
    q4[17 + 96 + 9] = 0xB0;
    q5[49 + 96 + 9] = 0xB0;
    q5[17 + 9] = 0x80;
    loam_weight_type_named("Q4_K", 4)->dequantize(out, q4 + 1, 256);
    CHECK(out[224 + 9] == 1.5f * 45 * 11 - 0.25f * 26);
    CHECK(out[224 + 8] == -0.25f * 26 && out[192 + 9] == 0);
    loam_weight_type_named("Q5_K", 4)->dequantize(out, q5 + 1, 256);
    CHECK(out[224 + 9] == 1.5f * 45 * 27 - 0.25f * 26);
    CHECK(out[224 + 8] == -0.25f * 26 && out[192 + 9] == 0);
    /* number 128 + 96 + 17: high nibble of ql[64 + 32 + 17], bits 6 and 7 of qh[32 + 17] */
    q6[1 + 209] = 0x3E;
    q6[1 + 96 + 17] = 0x70;
    q6[1 + 128 + 49] = 0xC0;
    q6[1 + 192 + 15] = 0x80; /* scale -128 */
    loam_weight_type_named("Q6_K", 4)->dequantize(out, q6 + 1, 256);
    CHECK(out[241] == 1.5f * -128 * (0x37 - 32) && out[240] == 1.5f * -128 * -32);
    CHECK(out[239] == 0);
}

/* The recorded errors of the reference quantiser, from the manifest. */
static double recorded(const char *manifest, const char *name, const char *rows)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"type\": \"%s\"", name);
    const char *p = strstr(manifest, quoted);
    p = p ? strstr(p, rows) : NULL;
    p = p ? strchr(p, ':') : NULL;
    return p ? strtod(p + 1, NULL) : 0;
}

/* Sum of importance times the squared error of `count` numbers. */
static double error_of(const struct weight_type *type, const float *x, const float *importance,
                       const float *counts, size_t count)
{
    unsigned char blocks[1024];
    float back[256];
    double total = 0;
    type->quantize(blocks, x, importance, count);
    type->dequantize(back, blocks, count);
    for (size_t i = 0; i < count; i++) {
        double d = (double)back[i] - (double)x[i];
        total += d * d * (counts ? (double)counts[i] : 1);
    }
    return total;
}

/* Relative error of rows of the source; the reference took the first block of
 * each, 64 of the floats. */
static double relative_error(const struct weight_type *type, const float *source, size_t first,
                             size_t end)
{
    size_t columns = type->block_elements == 1 ? 64 : type->block_elements;
    double difference = 0, total = 0;
    for (size_t row = first; row < end; row++) {
        const float *x = source + row * 256;
        difference += error_of(type, x, NULL, NULL, columns);
        for (size_t i = 0; i < columns; i++)
            total += (double)x[i] * (double)x[i];
    }
    return sqrt(difference / total);
}

static void quantisers_are_as_good_as_the_reference(void)
{
    size_t size, manifest_size;
    float *source = (float *)(void *)test_read(test_data("quant/src.f32"), &size);
    char *manifest = (char *)test_read(test_data("quant/manifest.json"), &manifest_size);
    if (!source || !manifest)
        SKIP("no reference data: quant");
    const struct weight_type *type;
    int types = 0;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++) {
        double gaussian = recorded(manifest, type->name, "gaussian");
        double heavy = recorded(manifest, type->name, "heavy_tailed");
        if (!type->quantize || gaussian == 0)
            continue;
        double found = relative_error(type, source, 0, 48);
        double found_heavy = relative_error(type, source, 48, 56);
        printf("# %-8s relative error %.6f, reference %.6f; heavy tails %.6f, %.6f\n", type->name,
               found, gaussian, found_heavy, heavy);
        CHECK(found <= 1.02 * gaussian && found_heavy <= 1.02 * heavy);
        types++;
    }
    CHECK_EQUAL(types, 27);
    free(source);
    free(manifest);
}

/* What is stated to matter is met better than without the statement. */
static void importance_is_heeded(void)
{
    const struct weight_type *type;
    uint64_t state = 5;
    int types = 0;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++) {
        double with = 0, without = 0;
        if (!type->quantize || type->block_elements == 1 || strcmp(type->name, "Q8_0") == 0)
            continue;
        for (int round = 0; round < 40; round++) {
            float x[256], counts[256];
            for (size_t j = 0; j < 256; j++) {
                x[j] = ((float)test_random(&state) + (float)test_random(&state)) * 0x1p-32f - 1;
                counts[j] = test_random(&state) % 8 ? 0.01f : 1;
            }
            with += error_of(type, x, counts, counts, type->block_elements);
            without += error_of(type, x, NULL, counts, type->block_elements);
        }
        if (with >= 0.97 * without)
            printf("# %s: %g, without %g\n", type->name, with, without);
        CHECK(with < 0.97 * without);
        types++;
    }
    CHECK(types >= 23);
}

/* Zeros stay zeros where the type has one; no numbers are undefined. */
static void quantisers_take_any_numbers(void)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1.fffffep127f, -0x1p-149f, 0x1p-60f};
    const struct weight_type *type;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++) {
        if (!type->quantize || type->block_elements == 1)
            continue;
        unsigned char bytes[257];
        float x[256] = {0}, out[256], counts[256];
        type->quantize(bytes + 1, x, NULL, type->block_elements);
        type->dequantize(out, bytes + 1, type->block_elements);
        for (size_t j = 0; j < type->block_elements; j++)
            CHECK(out[j] == 0);
        for (size_t k = 0; k < LOAM_COUNT_OF(odd); k++)
            for (size_t some = 0; some < 2; some++) {
                for (size_t j = 0; j < 256; j++) {
                    x[j] = some && j % 5 ? (float)j * 0.01f : odd[k];
                    counts[j] = odd[(k + j) % LOAM_COUNT_OF(odd)];
                }
                type->quantize(bytes + 1, x, NULL, type->block_elements);
                type->quantize(bytes + 1, x, counts, type->block_elements);
                type->dequantize(out, bytes + 1, type->block_elements);
            }
    }
}

/* Types with integers: q within what is said of it, steps that divide blocks and
 * groups, and sums that fit in 32 bits whatever the bits of a block are. */
static void integers_keep_their_bounds(void)
{
    const struct weight_type *type;
    uint64_t state = 11;
    int types = 0;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++) {
        const struct weight_integers *integers = type->integers;
        int32_t largest = 0;
        if (!integers)
            continue;
        types++;
        CHECK(integers->step == 16 || integers->step == 32 || integers->step == 256);
        CHECK(type->block_elements % integers->step == 0 && type->block_elements <= INTEGERS);
        CHECK(type->activation_group == (integers->step == 256 ? 256 : 32));
        CHECK(type->packing && type->packing->unit_elements <= INTEGERS);
        CHECK(integers->step < 256 || type->packing->unit_elements == 256);
        for (int round = 0; round < 2000; round++) {
            unsigned char bytes[256];
            struct block_integers block;
            int64_t sum = 0;
            for (size_t j = 0; j < sizeof bytes; j++)
                bytes[j] = (unsigned char)(test_random(&state) >> 24);
            integers->block(&block, bytes);
            for (size_t j = 0; j < type->block_elements; j++) {
                int32_t q = block.q[j] < 0 ? -block.q[j] : block.q[j];
                int32_t scale = integers->step == 256 ? block.scales[j / 16] : 1;
                largest = q > largest ? q : largest;
                sum += (int64_t)(scale < 0 ? -scale : scale) * 255 * 127;
            }
            CHECK(sum < INT32_MAX);
        }
        CHECK_EQUAL(largest, integers->largest);
    }
    CHECK(types >= 20);
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

/* Number, block and bytes of each type, from the manifest; the few that it
 * lacks follow from their layouts. */
static void the_table_agrees_with_the_manifest(void)
{
    static const struct {
        const char *name;
        uint32_t id, elements, bytes;
    } plain[] = {{"F32", 0, 1, 4},  {"I8", 24, 1, 1},  {"I16", 25, 1, 2},   {"I32", 26, 1, 4},
                 {"I64", 27, 1, 8}, {"F64", 28, 1, 8}, {"Q8_1", 9, 32, 36}, {"Q8_K", 15, 256, 292}};
    for (size_t i = 0; i < LOAM_COUNT_OF(plain); i++) {
        const struct weight_type *type = loam_weight_type(plain[i].id);
        CHECK(type && strcmp(type->name, plain[i].name) == 0 &&
              type->block_elements == plain[i].elements && type->block_bytes == plain[i].bytes);
    }
    size_t size, count = 0;
    char *manifest = (char *)test_read(test_data("quant/manifest.json"), &size);
    if (!manifest)
        SKIP("no reference data: quant");
    for (const char *at = manifest; (at = strstr(at, "\"type\": \"")) != NULL; at++) {
        char name[16];
        unsigned id, elements, bytes;
        if (sscanf(at,
                   "\"type\": \"%15[^\"]\", \"ggml_type_id\": %u, \"block_size\": %u, "
                   "\"block_bytes\": %u",
                   name, &id, &elements, &bytes) != 4)
            continue;
        const struct weight_type *type = loam_weight_type_named(name, strlen(name));
        CHECK(type && type->id == id && type->block_elements == elements &&
              type->block_bytes == bytes);
        count++;
    }
    CHECK_EQUAL(count, 27);
    free(manifest);
}

/* Blocks lie anywhere, and hold anything: no address or number is undefined. */
static void blocks_at_odd_addresses_and_odd_numbers(void)
{
    static const char *const names[] = {"F32", "F16", "BF16", "Q8_0", "Q4_0"};
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1.fffffep127f};
    float x[32], even_out[32], odd_out[32];
    unsigned char bytes[256];
    for (size_t i = 0; i < LOAM_COUNT_OF(names); i++) {
        const struct weight_type *type = loam_weight_type_named(names[i], strlen(names[i]));
        for (size_t j = 0; j < 32; j++)
            x[j] = (float)j * 0.37f - 5;
        type->quantize(bytes, x, NULL, 32);
        type->dequantize(even_out, bytes, 32);
        type->quantize(bytes + 1, x, NULL, 32);
        type->dequantize(odd_out, bytes + 1, 32);
        CHECK(memcmp(even_out, odd_out, sizeof odd_out) == 0);
        for (size_t j = 0; j < LOAM_COUNT_OF(odd); j++) {
            x[7] = odd[j];
            type->quantize(bytes + 1, x, NULL, 32);
            if (type->block_elements == 1 || isinf(odd[j])) {
                type->dequantize(odd_out, bytes + 1, 32);
                CHECK(odd_out[7] != 0);
            }
        }
    }
}

/* Numbers that land next to halves: the product x * (127 / m) in float, and
 * no other form of it, decides. */
static void activations_round_their_own_product(void)
{
    uint64_t state = 3;
    for (int round = 0; round < 2000; round++) {
        float x[32], m = 1 + (float)test_random(&state) * 0x1p-32f;
        int8_t q[32];
        for (int i = 0; i < 32; i++)
            x[i] = m * (float)(i * 3 + (round & 1)) / 127 + m * 0.5f / 127;
        x[31] = -m;
        float inverse = 127 / m;
        CHECK(loam_quantize_group(q, x, 32) == m / 127);
        for (int i = 0; i < 32; i++) {
            float product = x[i] * inverse;
            CHECK_EQUAL(q[i], (int)nearbyintf(product));
        }
    }
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
    RUN(reference_blocks);
    RUN(k_blocks_by_hand);
    RUN(quantisers_are_as_good_as_the_reference);
    RUN(importance_is_heeded);
    RUN(quantisers_take_any_numbers);
    RUN(integers_keep_their_bounds);
    RUN(the_table_is_sound);
    RUN(the_table_agrees_with_the_manifest);
    RUN(blocks_at_odd_addresses_and_odd_numbers);
    RUN(activations_by_rule_3);
    RUN(activations_round_their_own_product);
    return test_end();
}

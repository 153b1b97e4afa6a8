/* SPDX-License-Identifier: MIT */
/* make-model's parts: shapes against published figures, the types of weights,
 * the spread of numbers, the vocabulary. */
#include "test.h"

#include "tools/make_model.h"

#include <loam/graph.h>
#include <math.h>

static struct tensor_list list;

static uint64_t parameters(const char *shape)
{
    uint64_t sum = 0;
    make_tensors(&list, make_shape_named(shape), make_mix_named("F32"));
    for (size_t i = 0; i < list.count; i++)
        if (list.tensors[i].content != CONTENT_FACTORS)
            sum += list.tensors[i].bytes / 4;
    return sum;
}

/* As their makers state them. */
static void shapes_have_as_many_parameters_as_the_models(void)
{
    CHECK_EQUAL(parameters("qwen2.5-0.5b"), 494032768);
    CHECK_EQUAL(parameters("tinyllama-1.1b"), 1100048384);
    CHECK_EQUAL(parameters("llama-3.2-3b"), 3212749824);
    CHECK_EQUAL(parameters("mistral-7b"), 7248023552);
    CHECK_EQUAL(parameters("olmoe-1b-7b"), 6919161856);
}

static const struct tensor *tensor_named(const char *name)
{
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.tensors[i].name, name) == 0)
            return &list.tensors[i];
    return NULL;
}

static bool has_type(const char *name, uint32_t type)
{
    const struct tensor *tensor = tensor_named(name);
    return tensor && tensor->type->id == type;
}

static void types_are_distributed_as_by_llama_cpp(void)
{
    static const uint32_t more[] = {0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31};
    char name[64];
    make_tensors(&list, make_shape_named("mistral-7b"), make_mix_named("Q4_K_M"));
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t expected = LOAM_TYPE_Q4_K;
        for (size_t j = 0; j < LOAM_COUNT_OF(more); j++)
            if (more[j] == i)
                expected = LOAM_TYPE_Q6_K;
        snprintf(name, sizeof name, "blk.%u.attn_v.weight", i);
        CHECK(has_type(name, expected));
        snprintf(name, sizeof name, "blk.%u.ffn_down.weight", i);
        CHECK(has_type(name, expected));
        snprintf(name, sizeof name, "blk.%u.attn_k.weight", i);
        CHECK(has_type(name, LOAM_TYPE_Q4_K));
    }
    CHECK(has_type("output.weight", LOAM_TYPE_Q6_K));
    CHECK(has_type("token_embd.weight", LOAM_TYPE_Q4_K));
    CHECK(has_type("blk.0.attn_norm.weight", LOAM_TYPE_F32));
    make_tensors(&list, make_shape_named("llama-3.2-3b"), make_mix_named("Q5_K_M"));
    CHECK(has_type("token_embd.weight", LOAM_TYPE_Q6_K) && !tensor_named("output.weight"));
    CHECK(has_type("rope_freqs.weight", LOAM_TYPE_F32) &&
          has_type("blk.9.ffn_up.weight", LOAM_TYPE_Q5_K));
    make_tensors(&list, make_shape_named("olmoe-1b-7b"), make_mix_named("Q4_0"));
    CHECK(has_type("blk.0.ffn_gate_inp.weight", LOAM_TYPE_F32) &&
          has_type("blk.0.ffn_down_exps.weight", LOAM_TYPE_Q4_0) &&
          has_type("output.weight", LOAM_TYPE_Q6_K));
    /* 896 is no multiple of 256, 4864 is */
    make_tensors(&list, make_shape_named("qwen2.5-0.5b"), make_mix_named("Q4_K_M"));
    CHECK(has_type("token_embd.weight", LOAM_TYPE_Q8_0) &&
          has_type("blk.3.attn_q.weight", LOAM_TYPE_Q8_0) &&
          has_type("blk.3.ffn_down.weight", LOAM_TYPE_Q4_K) &&
          has_type("blk.5.ffn_down.weight", LOAM_TYPE_Q6_K));
}

/* ---- numbers ----------------------------------------------------------------- */

enum { WIDTH = 4096, ROWS = 128, COUNT = WIDTH * ROWS };

static void check_spread(uint32_t type_id)
{
    static unsigned char bytes[COUNT * 4];
    static float x[COUNT];
    const struct weight_type *type = loam_weight_type(type_id);
    struct tensor tensor = {.name = "a.weight",
                            .content = CONTENT_MATRIX,
                            .dimension_count = 2,
                            .dimensions = {WIDTH, ROWS, 1},
                            .type = type,
                            .spread = 1 / sqrt(WIDTH)};
    static struct numbers numbers;
    make_numbers_begin(&numbers, &tensor, 7);
    make_numbers_matrix(&numbers, bytes, COUNT / type->block_elements);
    type->dequantize(x, bytes, COUNT);
    double sum = 0, squares = 0, row_squares = 0, largest = 0;
    for (size_t row = 0; row < ROWS; row++) {
        double row_sum = 0;
        for (size_t i = 0; i < WIDTH; i++) {
            double value = (double)x[row * WIDTH + i];
            row_sum += value;
            squares += value * value;
            largest = fmax(largest, fabs(value));
        }
        sum += row_sum;
        row_squares += row_sum * row_sum;
    }
    double spread = sqrt(squares / COUNT) / tensor.spread, row_spread = sqrt(row_squares / ROWS);
    printf("# %s: spread %.4f of what is wanted, sum of a row %.3f +- %.3f, largest %.1f\n",
           type->name, spread, sum / ROWS, row_spread, largest / tensor.spread);
    CHECK(spread > 0.98 && spread < 1.02);
    /* Of independent numbers the sum of a row is 0 +- 1. Numbers of a sub-block of
     * Q4_K and Q5_K have their min in common, which widens it. */
    CHECK(fabs(sum / ROWS) < 0.5 && row_spread > 0.75 && row_spread < 3);
    CHECK(isfinite(largest) && largest / tensor.spread < 6);
}

static void numbers_have_mean_zero_and_their_spread(void)
{
    static const uint32_t types[] = {LOAM_TYPE_F32,  LOAM_TYPE_F16,  LOAM_TYPE_BF16,
                                     LOAM_TYPE_Q8_0, LOAM_TYPE_Q4_0, LOAM_TYPE_Q4_K,
                                     LOAM_TYPE_Q5_K, LOAM_TYPE_Q6_K};
    for (size_t i = 0; i < LOAM_COUNT_OF(types); i++)
        check_spread(types[i]);
}

/* The factors of pairs 0, 32, 63 of Llama 3.2, and that they only rise. */
static void rope_factors_are_llama_3s(void)
{
    static struct numbers numbers;
    float factors[64];
    const struct shape *shape = make_shape_named("llama-3.2-3b");
    make_tensors(&list, shape, make_mix_named("F16"));
    const struct tensor *tensor = tensor_named("rope_freqs.weight");
    REQUIRE(tensor && tensor->dimensions[0] == 64);
    make_numbers_begin(&numbers, tensor, 1);
    make_numbers_vector(&numbers, factors, tensor, shape);
    CHECK(factors[0] == 1 && factors[63] == 32);
    for (int i = 1; i < 64; i++)
        CHECK(factors[i] >= factors[i - 1]);
    /* Pair 32 turns once in 2 pi sqrt(500000) = 4442.88 positions: 1.84385 times in
     * 8192, so it is 1 / (0.71872 / 32 + 0.28128). */
    CHECK(fabsf(factors[32] - 3.2923f) < 1e-3f);
}

/* ---- vocabulary -------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const unsigned char *x = *(const unsigned char *const *)a,
                        *y = *(const unsigned char *const *)b;
    return memcmp(x, y, 8 + (x[0] < y[0] ? x[0] : y[0])); /* lengths first, all below 256 */
}

/* Of the largest vocabulary, since each shorter one is its beginning. */
static void no_token_is_there_twice(void)
{
    static const unsigned char *tokens[151936];
    static const char key[] = "tokenizer.ggml.tokens";
    const struct shape *shape = make_shape_named("qwen2.5-0.5b");
    const struct mix *mix = make_mix_named("F16");
    struct bytes header = {0};
    make_tensors(&list, shape, mix);
    make_header(&header, shape, mix, &list, 1);
    REQUIRE(!header.failed && header.size > 1 << 20);
    const unsigned char *at = header.data;
    while (memcmp(at, key, sizeof key - 1) != 0)
        at++;
    at += sizeof key - 1 + 4 + 4 + 8; /* array, of strings, count */
    for (size_t i = 0; i < LOAM_COUNT_OF(tokens); i++) {
        tokens[i] = at;
        REQUIRE(at[0] > 0 && at[0] < 32 && at[1] == 0);
        at += 8 + at[0];
    }
    qsort(tokens, LOAM_COUNT_OF(tokens), sizeof tokens[0], compare);
    for (size_t i = 1; i < LOAM_COUNT_OF(tokens); i++)
        REQUIRE(compare(&tokens[i - 1], &tokens[i]) != 0);
    free(header.data);
}

int main(void)
{
    RUN(shapes_have_as_many_parameters_as_the_models);
    RUN(types_are_distributed_as_by_llama_cpp);
    RUN(numbers_have_mean_zero_and_their_spread);
    RUN(rope_factors_are_llama_3s);
    RUN(no_token_is_there_twice);
    return test_end();
}

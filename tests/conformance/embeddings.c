/* SPDX-License-Identifier: MIT */
/*
 * Small random models of embeddings against reference vectors within a tenth of
 * the tolerance that the case states, and their bits on each level with one
 * thread and three, memcmp; where tokens see only what was before them, in steps
 * of seven tokens and of one as well.
 */
#include "common.h"

#include <math.h>
#include <stdbool.h>

static const struct embedding_case {
    const char *name;
    const char *file;
    int32_t pooling;
    bool causal;
} cases[] = {
    {"bert", "embedding.f32", LOAM_POOLING_DEFAULT, false},
    {"bert", "embedding_mean.f32", LOAM_POOLING_MEAN, false},
    {"bert", "token_embeddings.f32", LOAM_POOLING_TOKENS, false},
    {"nomic-bert", "embedding.f32", LOAM_POOLING_DEFAULT, false},
    {"modern-bert", "embedding.f32", LOAM_POOLING_DEFAULT, false},
    {"jina-bert-v2", "embedding.f32", LOAM_POOLING_DEFAULT, false},
    {"gemma-embedding", "embedding.f32", LOAM_POOLING_DEFAULT, false},
    {"gemma-embedding-dense", "embedding.f32", LOAM_POOLING_DEFAULT, false},
    {"qwen3-embedding", "embedding.f32", LOAM_POOLING_DEFAULT, true},
};

static const struct embedding_case *current;
static int32_t *tokens;
static size_t token_count;

/* The embedding [count], zeros where it failed. */
static float *embed(size_t count, int32_t level, int32_t threads, uint32_t step_rows,
                    int32_t normalise)
{
    char path[128];
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    loam_model_options model_options = {
        .struct_size = sizeof model_options, .kv_type = LOAM_KV_F32, .max_step_rows = step_rows};
    loam_embed_options embed_options = {
        .struct_size = sizeof embed_options, .pooling = current->pooling, .normalise = normalise};
    loam_model_info info = {.struct_size = sizeof info};
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    float *out = calloc(count, sizeof *out);
    snprintf(path, sizeof path, "arch/%s/model.gguf", current->name);
    CHECK_OK(loam_engine_create(&engine, &options, &test_error));
    CHECK_OK(loam_model_open(&model, engine, test_data(path), LOAM_NUL_TERMINATED, &model_options,
                             &test_error));
    if (model) {
        CHECK_OK(loam_model_get_info(&info, model, &test_error));
        size_t vectors = current->pooling == LOAM_POOLING_TOKENS ? token_count : 1;
        CHECK_EQUAL(info.embedding_output * vectors, count);
        if (info.embedding_output * vectors == count)
            CHECK_OK(
                loam_model_embed(model, tokens, token_count, &embed_options, out, &test_error));
    }
    loam_model_release(model);
    loam_engine_release(engine);
    return out;
}

static double tolerance_of(void)
{
    char path[128];
    size_t size;
    snprintf(path, sizeof path, "arch/%s/manifest.json", current->name);
    char *manifest = (char *)test_read(test_data(path), &size);
    const char *key = "\"tolerance_relative_to_max_abs\":";
    const char *at = manifest ? strstr(manifest, key) : NULL;
    double tolerance = at ? strtod(at + strlen(key), NULL) / 10 : 0;
    free(manifest);
    return tolerance;
}

static void compare(const float *found, const float *expected, size_t count)
{
    double largest = 0, worst = 0, tolerance = tolerance_of();
    size_t beyond = 0;
    for (size_t i = 0; i < count; i++) { /* not by fmax: gcc 12 fails on it for AArch64 */
        double size = fabs((double)expected[i]);
        largest = size > largest ? size : largest;
    }
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)found[i] - (double)expected[i]);
        worst = error > worst ? error : worst;
        beyond += !(error <= tolerance * largest);
    }
    printf("# %s: %.1e of the largest value, %.1e allowed\n", current->name, worst / largest,
           tolerance);
    CHECK_EQUAL(beyond, 0);
}

static void compare_ways(const float *first, size_t count)
{
    static const uint32_t steps[] = {256, 7, 1};
    for (int32_t level = LOAM_CPU_SCALAR; level < LOAM_CPU_LEVEL_COUNT; level++)
        for (size_t i = 0; i < (current->causal ? 6 : 2) && loam_cpu_level_available(level); i++) {
            float *vector = embed(count, level, i % 2 ? 3 : 1, steps[i / 2], 0);
            CHECK(memcmp(vector, first, count * sizeof *first) == 0);
            free(vector);
        }
}

static void check_case(void)
{
    char path[128];
    size_t count;
    snprintf(path, sizeof path, "arch/%s/tokens.i32", current->name);
    if (!test_data(path))
        SKIP("no reference data: arch");
    tokens = test_values(path, &token_count);
    snprintf(path, sizeof path, "arch/%s/%s", current->name, current->file);
    float *expected = test_values(path, &count);
    REQUIRE(tokens && expected && count > 0);
    float *first = embed(count, LOAM_CPU_SCALAR, 1, 256, 0);
    compare(first, expected, count);
    compare_ways(first, count);
    if (current->pooling != LOAM_POOLING_TOKENS) {
        float *unit = embed(count, LOAM_CPU_BEST, 2, 256, 1);
        double squares = 0;
        for (size_t i = 0; i < count; i++)
            squares += (double)unit[i] * (double)unit[i];
        CHECK(fabs(squares - 1) < 1e-5);
        free(unit);
    }
    free(first);
    free(expected);
    free(tokens);
}

/* What can't be is told: logits of a model of embeddings, embeddings of one of
 * logits, a text that a step can't hold whole. */
static void what_can_not_be(void)
{
    loam_engine *engine = test_engine(1);
    loam_model_options options = {.struct_size = sizeof options, .max_step_rows = 8};
    loam_session *session = NULL;
    loam_model *encoder = NULL;
    static const int32_t ids[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    float out[64];
    if (!test_data("arch/bert/model.gguf"))
        SKIP("no reference data: arch");
    CHECK_OK(loam_model_open(&encoder, engine, test_data("arch/bert/model.gguf"),
                             LOAM_NUL_TERMINATED, &options, &test_error));
    loam_model *decoder = test_model(engine, "arch/llama/model.gguf", LOAM_KV_F32);
    REQUIRE(encoder && decoder);
    CHECK_EQUAL(loam_session_create(&session, encoder, NULL, NULL), LOAM_UNSUPPORTED);
    CHECK_EQUAL(loam_model_embed(decoder, ids, 3, NULL, out, NULL), LOAM_UNSUPPORTED);
    CHECK_EQUAL(loam_model_embed(encoder, ids, 9, NULL, out, NULL), LOAM_CONTEXT_FULL);
    CHECK_EQUAL(loam_model_embed(encoder, ids, 0, NULL, out, NULL), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_model_embed(encoder, &(int32_t){64}, 1, NULL, out, NULL),
                LOAM_INVALID_ARGUMENT);
    CHECK_OK(loam_model_embed(encoder, ids, 8, NULL, out, &test_error));
    loam_model_release(encoder);
    loam_model_release(decoder);
    loam_engine_release(engine);
}

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[96];
        current = &cases[i];
        snprintf(name, sizeof name, "%s %s", current->name, current->file);
        test_run(name, check_case);
    }
    RUN(what_can_not_be);
    return test_end();
}

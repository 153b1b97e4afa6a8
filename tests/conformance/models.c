/* SPDX-License-Identifier: MIT */
/* Real weights: greedy continuations, logits and likelihoods of stories260K
 * against the reference results. */
#include "common.h"

#include <math.h>

#define F32_MODEL "models/stories260K.gguf"

static void greedy_ids_equal_the_reference(void)
{
    size_t size;
    char *manifest = (char *)test_read(test_data("models/manifest.json"), &size);
    if (!manifest)
        SKIP("no reference data: models/manifest.json");
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, F32_MODEL, LOAM_KV_F32);
    loam_generation_options options = {.struct_size = sizeof options};
    options.ignore_end = 1;
    options.max_tokens = 200;
    const char *at = strstr(manifest, "\"greedy\"");
    int prompts = 0;
    for (;; prompts++) {
        int32_t prompt[512], expected[512];
        size_t prompt_count = test_json_integers(&at, "prompt_tokens", prompt, 512);
        size_t expected_count =
            prompt_count ? test_json_integers(&at, "output_tokens", expected, 512) : 0;
        if (!expected_count)
            break;
        loam_session *session = test_session(model);
        loam_event event = {.struct_size = sizeof event};
        CHECK_OK(loam_session_configure(session, &options, &test_error));
        CHECK_OK(loam_session_prompt_tokens(session, prompt, prompt_count, &test_error));
        size_t generated = 0;
        do {
            CHECK_OK(loam_session_next(session, &event, &test_error));
            if (event.type == LOAM_EVENT_TOKEN) {
                CHECK_EQUAL(event.token, expected[generated]);
                generated++;
            }
        } while (event.type != LOAM_EVENT_STOP && test_failed_here == 0);
        CHECK_EQUAL(generated, expected_count);
        CHECK_EQUAL(event.stop_reason, LOAM_STOP_LENGTH);
        loam_session_release(session);
    }
    CHECK_EQUAL(prompts, 6);
    loam_model_release(model);
    loam_engine_release(engine);
    free(manifest);
}

/* Greedy text through the tokenizer: the first prompt's output_text. */
static void greedy_text_equals_the_reference(void)
{
    if (!test_data(F32_MODEL))
        SKIP("no reference data: models/stories260K.gguf");
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, F32_MODEL, LOAM_KV_F32);
    loam_session *session = test_session(model);
    loam_generation_options options = {.struct_size = sizeof options};
    loam_event event = {.struct_size = sizeof event};
    char text[4096] = "";
    options.max_tokens = 24;
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    CHECK_OK(loam_session_prompt(session, "Tom was sad because", LOAM_NUL_TERMINATED, &test_error));
    do {
        CHECK_OK(loam_session_next(session, &event, &test_error));
        if (event.text_length)
            strncat(text, event.text, event.text_length);
    } while (event.type != LOAM_EVENT_STOP && test_failed_here == 0);
    const char *expected = " he loved to play with his toys. He had a big box";
    CHECK(strncmp(text, expected, strlen(expected)) == 0);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

/* Sum of squared differences over sum of squares. */
static double normalised_error(const float *found, const float *expected, size_t count)
{
    double difference = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)found[i] - (double)expected[i];
        difference += d * d;
        total += (double)expected[i] * (double)expected[i];
    }
    return difference / total;
}

static void logits_agree(void)
{
    if (!test_data(F32_MODEL))
        SKIP("no reference data: models/stories260K.gguf");
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, F32_MODEL, LOAM_KV_F32);
    size_t vocabulary = test_vocabulary(model);
    for (int i = 0; i < 3; i++) {
        char name[64];
        size_t count, expected_count;
        snprintf(name, sizeof name, "models/logits%d.tokens.i32", i);
        int32_t *tokens = test_values(name, &count);
        snprintf(name, sizeof name, "models/logits%d.f32", i);
        float *expected = test_values(name, &expected_count);
        REQUIRE(tokens && expected && expected_count == count * vocabulary);
        float *logits = malloc(expected_count * sizeof *logits);
        loam_session *session = test_session(model);
        CHECK_OK(loam_session_evaluate(session, tokens, count, logits, count, &test_error));
        double error = normalised_error(logits, expected, expected_count);
        printf("# prompt %d: normalised mean squared error %.2e\n", i, error);
        CHECK(error <= 1e-9);
        loam_session_release(session);
        free(logits);
        free(expected);
        free(tokens);
    }
    loam_model_release(model);
    loam_engine_release(engine);
}

/* Mean of -ln p(token | all before it). */
static double likelihood(const char *model_name)
{
    size_t count;
    int32_t *tokens = test_values("models/nll.tokens.i32", &count);
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, model_name, LOAM_KV_F32);
    loam_session *session = test_session(model);
    size_t vocabulary = test_vocabulary(model);
    float *logits = malloc(count * vocabulary * sizeof *logits);
    CHECK_OK(loam_session_evaluate(session, tokens, count, logits, count, &test_error));
    double total = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        const float *row = logits + i * vocabulary;
        double most = row[0], sum = 0;
        for (size_t j = 1; j < vocabulary; j++)
            most = row[j] > most ? (double)row[j] : most;
        for (size_t j = 0; j < vocabulary; j++)
            sum += exp((double)row[j] - most);
        total += log(sum) + most - (double)row[tokens[i + 1]];
    }
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    free(logits);
    free(tokens);
    return total / (double)(count - 1);
}

static void likelihoods_agree(void)
{
    if (!test_data(F32_MODEL))
        SKIP("no reference data: models/stories260K.gguf");
    double f32 = likelihood(F32_MODEL);
    double q8_0 = likelihood("models/stories260K-Q8_0.gguf");
    double q4_0 = likelihood("models/stories260K-Q4_0.gguf");
    printf("# mean NLL: F32 %.7f, Q8_0 %.7f, Q4_0 %.7f\n", f32, q8_0, q4_0);
    CHECK(fabs(f32 - 1.3305146887339008) <= 1e-5);
    CHECK(fabs(q8_0 - 1.330673388547932) <= 0.003);
    CHECK(fabs(q4_0 - 1.3898160583835797) <= 0.003);
}

int main(void)
{
    RUN(greedy_ids_equal_the_reference);
    RUN(greedy_text_equals_the_reference);
    RUN(logits_agree);
    RUN(likelihoods_agree);
    return test_end();
}

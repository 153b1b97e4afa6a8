/* SPDX-License-Identifier: MIT */
/* One model, one answer: the bits of the logits do not depend on threads, on
 * how a prompt is cut, or on what else is in the step. memcmp, no tolerance. */
#include "common.h"

enum { PROMPT = 150, STEPS = 8 };

static const char *const models[] = {"models/stories260K.gguf", "models/stories260K-Q8_0.gguf",
                                     "models/stories260K-Q4_0.gguf"};
static int combinations;

/* Logits of all rows of tokens[count], read in pieces. */
static float *read_in_pieces(loam_model *model, const int32_t *tokens, size_t count, size_t piece)
{
    size_t vocabulary = test_vocabulary(model);
    float *logits = malloc(count * vocabulary * sizeof *logits);
    loam_session *session = test_session(model);
    for (size_t done = 0; done < count; done += piece) {
        size_t rows = count - done < piece ? count - done : piece;
        CHECK_OK(loam_session_evaluate(session, tokens + done, rows, logits + done * vocabulary,
                                       rows, &test_error));
    }
    loam_session_release(session);
    return logits;
}

/* Generates STEPS tokens of a prompt of tokens[count] in steps with `partners`
 * other sessions; the logits of each step go to out[STEPS][vocabulary]. */
static void generate(loam_model *model, const int32_t *tokens, size_t count, size_t partners,
                     float *out)
{
    size_t vocabulary = test_vocabulary(model), generated = 0;
    loam_session *sessions[3];
    loam_event events[3] = {{.struct_size = sizeof events[0]}};
    loam_generation_options options = {.struct_size = sizeof options};
    options.ignore_end = 1;
    for (size_t i = 0; i <= partners; i++) {
        sessions[i] = test_session(model);
        CHECK_OK(loam_session_configure(sessions[i], &options, &test_error));
        /* Partners are out of step: other prompts, of other lengths. */
        CHECK_OK(loam_session_prompt_tokens(sessions[i], tokens + i, count - 40 * i, &test_error));
    }
    while (generated < STEPS && test_failed_here == 0) {
        const float *logits;
        size_t logit_count;
        CHECK_OK(loam_step(events, sessions, partners + 1, &test_error));
        for (size_t i = 0; i <= partners; i++)
            CHECK_EQUAL(events[i].status, LOAM_OK);
        if (events[0].type != LOAM_EVENT_TOKEN)
            continue;
        CHECK_OK(loam_session_logits(&logits, &logit_count, sessions[0], &test_error));
        REQUIRE(logit_count == vocabulary);
        memcpy(out + generated++ * vocabulary, logits, vocabulary * sizeof *out);
    }
    for (size_t i = 0; i <= partners; i++)
        loam_session_release(sessions[i]);
}

static void compare_all(const char *name, int32_t kv_type)
{
    static const size_t pieces[] = {PROMPT, 64, 7, 1};
    size_t count;
    int32_t *tokens = test_values("models/nll.tokens.i32", &count);
    float *expected = NULL, *expected_steps = NULL, *steps = NULL;
    size_t bytes = 0, step_bytes = 0;
    for (int32_t threads = 1; threads <= 4; threads++) {
        loam_engine *engine = test_engine(threads);
        loam_model *model = test_model(engine, name, kv_type);
        REQUIRE(tokens && model && count >= PROMPT);
        if (!expected) {
            bytes = PROMPT * (size_t)test_vocabulary(model) * sizeof *expected;
            step_bytes = STEPS * (size_t)test_vocabulary(model) * sizeof *steps;
            expected_steps = malloc(step_bytes);
            steps = malloc(step_bytes);
            expected = read_in_pieces(model, tokens, PROMPT, PROMPT);
            generate(model, tokens, PROMPT, 0, expected_steps);
        }
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            float *logits = read_in_pieces(model, tokens, PROMPT, pieces[i]);
            CHECK(memcmp(logits, expected, bytes) == 0);
            combinations++;
            free(logits);
        }
        for (size_t partners = 0; partners <= 2; partners += 2) {
            generate(model, tokens, PROMPT, partners, steps);
            CHECK(memcmp(steps, expected_steps, step_bytes) == 0);
            combinations++;
        }
        loam_model_release(model);
        loam_engine_release(engine);
    }
    free(expected);
    free(expected_steps);
    free(steps);
    free(tokens);
}

static void every_kv_type(const char *name)
{
    if (!test_data(name))
        SKIP("no reference data: models");
    for (int32_t kv_type = LOAM_KV_F32; kv_type <= LOAM_KV_Q8_0; kv_type++)
        compare_all(name, kv_type);
}

static void f32_weights(void)
{
    every_kv_type(models[0]);
}

static void q8_0_and_f16_weights(void)
{
    every_kv_type(models[1]);
}

static void q4_0_weights(void)
{
    every_kv_type(models[2]);
}

int main(void)
{
    RUN(f32_weights);
    RUN(q8_0_and_f16_weights);
    RUN(q4_0_weights);
    printf("# %d combinations compared\n", combinations);
    return test_end();
}

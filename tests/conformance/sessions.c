/* SPDX-License-Identifier: MIT */
/* What sessions keep, refuse and report. */
#include "common.h"

#define MODEL "models/stories260K.gguf"

static loam_engine *engine;
static loam_model *model;
static loam_session *session;

static int opened(void)
{
    if (!test_data(MODEL))
        return 0;
    engine = test_engine(1);
    model = test_model(engine, MODEL, LOAM_KV_F16);
    session = test_session(model);
    return session != NULL;
}

static void closed(void)
{
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

static void calls_in_the_wrong_state_are_refused(void)
{
    loam_event event = {.struct_size = sizeof event};
    const float *logits;
    const int32_t *tokens;
    size_t count;
    if (!opened())
        SKIP("no reference data: " MODEL);
    CHECK_EQUAL(loam_session_next(session, &event, &test_error), LOAM_STATE);
    CHECK_EQUAL(loam_session_logits(&logits, &count, session, &test_error), LOAM_STATE);
    CHECK_OK(loam_session_evaluate(session, NULL, 0, NULL, 0, &test_error));
    CHECK_EQUAL(loam_session_logits(&logits, &count, session, &test_error), LOAM_STATE);
    CHECK_OK(loam_session_tokens(&tokens, &count, session, &test_error));
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(loam_session_rewind(session, 1, &test_error), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_session_prompt_tokens(session, NULL, 0, &test_error), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_session_prompt_tokens(session, (int32_t[]){1, 512}, 2, &test_error),
                LOAM_INVALID_ARGUMENT);
    CHECK(strstr(test_error.message, "tokens[1] is 512") != NULL);
    CHECK_EQUAL(loam_session_next(NULL, &event, &test_error), LOAM_INVALID_ARGUMENT);
    event.struct_size = 0;
    CHECK_EQUAL(loam_session_next(session, &event, &test_error), LOAM_INVALID_ARGUMENT);
    closed();
}

static void a_failed_evaluation_changes_nothing(void)
{
    loam_event event = {.struct_size = sizeof event};
    const int32_t *tokens;
    size_t count;
    if (!opened())
        SKIP("no reference data: " MODEL);
    CHECK_OK(loam_session_prompt(session, "Once", LOAM_NUL_TERMINATED, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    CHECK_EQUAL(loam_session_evaluate(session, (int32_t[]){-1}, 1, NULL, 0, &test_error),
                LOAM_INVALID_ARGUMENT);
    CHECK_OK(loam_session_next(session, &event, &test_error)); /* goes on */
    CHECK_EQUAL(event.type, LOAM_EVENT_TOKEN);
    CHECK_OK(loam_session_tokens(&tokens, &count, session, &test_error));
    CHECK_EQUAL(count, 4);
    closed();
}

static void what_prompts_have_in_common_is_kept(void)
{
    loam_event event = {.struct_size = sizeof event};
    loam_timings timings = {.struct_size = sizeof timings};
    if (!opened())
        SKIP("no reference data: " MODEL);
    CHECK_OK(loam_session_prompt(session, "Once upon a time", LOAM_NUL_TERMINATED, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    int32_t first = event.token;
    CHECK_OK(loam_session_prompt(session, "Once upon a time", LOAM_NUL_TERMINATED, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    CHECK_OK(loam_session_get_timings(&timings, session, &test_error));
    CHECK_EQUAL(event.token, first);
    CHECK_EQUAL(timings.kept_tokens,
                timings.prompt_tokens - 1); /* the last again, for its logits */
    CHECK_OK(loam_session_prompt(session, "Tom", LOAM_NUL_TERMINATED, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    CHECK_OK(loam_session_get_timings(&timings, session, &test_error));
    CHECK_EQUAL(timings.kept_tokens, 1);
    closed();
}

/* Going back and on: to within a page, to its border, and to the beginning,
 * with other tokens computed in between, in other pieces. memcmp with a fresh
 * session that reads the same tokens at once. */
static void kept_tokens_give_the_same_bits(void)
{
    enum { TOKENS = 150 };
    static const size_t kept[] = {0, 1, 63, 64, 65, 100, 149};
    int32_t tokens[TOKENS], others[TOKENS];
    uint64_t state = 11;
    if (!opened())
        SKIP("no reference data: " MODEL);
    size_t vocabulary = test_vocabulary(model), bytes = TOKENS * vocabulary * sizeof(float);
    float *fresh = malloc(bytes), *found = malloc(bytes);
    REQUIRE(fresh && found);
    for (size_t i = 0; i < TOKENS; i++) {
        tokens[i] = (int32_t)(test_random(&state) % vocabulary);
        others[i] = (int32_t)(test_random(&state) % vocabulary);
    }
    CHECK_OK(loam_session_evaluate(session, tokens, TOKENS, fresh, TOKENS, &test_error));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        size_t rest = TOKENS - kept[i];
        CHECK_OK(loam_session_rewind(session, kept[i], &test_error));
        CHECK_OK(loam_session_evaluate(session, others, rest, NULL, 0, &test_error));
        CHECK_OK(loam_session_rewind(session, kept[i], &test_error));
        for (size_t done = 0; done < rest; done += 40) {
            size_t piece = rest - done < 40 ? rest - done : 40;
            CHECK_OK(loam_session_evaluate(session, tokens + kept[i] + done, piece,
                                           found + done * vocabulary, piece, &test_error));
        }
        CHECK(memcmp(found, fresh + kept[i] * vocabulary, rest * vocabulary * sizeof *found) == 0);
    }
    free(fresh);
    free(found);
    closed();
}

static void reserved_memory_stays(void)
{
    loam_session_options options = {
        .struct_size = sizeof options, .context_length = 200, .reserve = 1};
    loam_engine_info before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    loam_session *reserved = NULL;
    int32_t tokens[150];
    if (!opened())
        SKIP("no reference data: " MODEL);
    for (int i = 0; i < 150; i++)
        tokens[i] = 300 + i;
    CHECK_OK(loam_session_create(&reserved, model, &options, &test_error));
    CHECK_OK(loam_session_evaluate(reserved, tokens, 150, NULL, 0, &test_error));
    CHECK_OK(loam_engine_get_info(&before, engine, &test_error));
    CHECK_OK(loam_session_rewind(reserved, 0, &test_error));
    CHECK_OK(loam_session_evaluate(reserved, tokens, 150, NULL, 0, &test_error));
    CHECK_OK(loam_engine_get_info(&after, engine, &test_error));
    CHECK_EQUAL(after.bytes_held, before.bytes_held);
    /* Without it, memory follows the content. */
    CHECK_OK(loam_session_evaluate(session, tokens, 150, NULL, 0, &test_error));
    CHECK_OK(loam_engine_get_info(&before, engine, &test_error));
    CHECK_OK(loam_session_rewind(session, 10, &test_error));
    CHECK_OK(loam_engine_get_info(&after, engine, &test_error));
    CHECK(after.bytes_held < before.bytes_held);
    CHECK_EQUAL(loam_session_evaluate(reserved, tokens, 51, NULL, 0, &test_error),
                LOAM_CONTEXT_FULL);
    loam_session_release(reserved);
    closed();
}

static void steps_check_their_sessions(void)
{
    loam_event events[2] = {{.struct_size = sizeof events[0]}};
    loam_session *both[2];
    if (!opened())
        SKIP("no reference data: " MODEL);
    CHECK_OK(loam_session_prompt(session, "Once", LOAM_NUL_TERMINATED, &test_error));
    both[0] = both[1] = session;
    CHECK_EQUAL(loam_step(events, both, 2, &test_error), LOAM_BUSY); /* one of them twice */
    CHECK_EQUAL(loam_step(events, both, 0, &test_error), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_step(events, both, 17, &test_error), LOAM_INVALID_ARGUMENT);
    CHECK_OK(loam_step(events, both, 1, &test_error)); /* and none of it did harm */
    CHECK_EQUAL(events[0].type, LOAM_EVENT_TOKEN);
    closed();
}

static void longer_structs_are_accepted_if_zero(void)
{
    struct {
        loam_session_options known;
        uint64_t unknown;
    } longer = {.known = {.struct_size = sizeof longer}};
    loam_session *other = NULL;
    if (!opened())
        SKIP("no reference data: " MODEL);
    CHECK_OK(loam_session_create(&other, model, &longer.known, &test_error));
    loam_session_release(other);
    longer.unknown = 1;
    CHECK_EQUAL(loam_session_create(&other, model, &longer.known, &test_error), LOAM_UNSUPPORTED);
    CHECK(other == NULL);
    closed();
}

int main(void)
{
    RUN(calls_in_the_wrong_state_are_refused);
    RUN(a_failed_evaluation_changes_nothing);
    RUN(what_prompts_have_in_common_is_kept);
    RUN(kept_tokens_give_the_same_bits);
    RUN(reserved_memory_stays);
    RUN(steps_check_their_sessions);
    RUN(longer_structs_are_accepted_if_zero);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Models with a recurrent state in sessions: going back, prompts that begin
 * alike, little memory, embeddings, devices beside the CPU. Always with the bits
 * of a session that reads the same tokens at once.
 */
#include "devices.h"

enum { TOKENS = 48 };

static const char *const models[] = {"mamba", "mamba2",    "jamba",  "granitehybrid", "lfm2",
                                     "rwkv7", "qwen3next", "qwen35", "qwen35moe"};

static loam_engine *engine;
static loam_model *model;
static loam_session *session;
static int32_t tokens[TOKENS], others[TOKENS];
static size_t vocabulary;

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "arch/%s/model.gguf", name);
    return path;
}

static loam_session *new_session(void)
{
    const loam_session_options options = {.struct_size = sizeof options, .context_length = 400};
    loam_session *made = NULL;
    CHECK_OK(loam_session_create(&made, model, &options, &test_error));
    return made;
}

static int opened(const char *name)
{
    uint64_t state = 3;
    if (!test_data(path_of(name)))
        return 0;
    engine = test_engine(2);
    model = test_model(engine, path_of(name), LOAM_KV_F32);
    vocabulary = test_vocabulary(model);
    session = new_session();
    for (size_t i = 0; i < TOKENS; i++) {
        tokens[i] = (int32_t)(test_random(&state) % vocabulary);
        others[i] = (int32_t)(test_random(&state) % vocabulary);
    }
    return session != NULL;
}

static void closed(void)
{
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

/* Going back, with other tokens computed in between, in other pieces. */
static void go_back_to(size_t kept, size_t piece, const float *fresh, float *found)
{
    size_t rest = TOKENS - kept;
    CHECK_OK(loam_session_rewind(session, kept, &test_error));
    for (size_t i = 0; i < rest; i += 3)
        CHECK_OK(loam_session_evaluate(session, others + i, 3, NULL, 0, &test_error));
    CHECK_OK(loam_session_rewind(session, kept, &test_error));
    for (size_t done = 0; done < rest; done += piece) {
        size_t rows = rest - done < piece ? rest - done : piece;
        CHECK_OK(loam_session_evaluate(session, tokens + kept + done, rows,
                                       found + (kept + done) * vocabulary, rows, &test_error));
    }
    CHECK(memcmp(fresh + kept * vocabulary, found + kept * vocabulary,
                 rest * vocabulary * sizeof *fresh) == 0);
}

static void going_back_gives_the_same_bits(void)
{
    static const size_t kept[] = {0, 47, 1, 2, 46, 13, 31};
    for (size_t i = 0; i < LOAM_COUNT_OF(models); i++) {
        if (!opened(models[i]))
            SKIP("no reference data: arch");
        size_t bytes = TOKENS * vocabulary * sizeof(float);
        float *fresh = malloc(bytes), *found = malloc(bytes);
        REQUIRE(fresh && found);
        CHECK_OK(loam_session_evaluate(session, tokens, TOKENS, fresh, TOKENS, &test_error));
        for (size_t k = 0; k < LOAM_COUNT_OF(kept); k++) {
            go_back_to(kept[k], 1, fresh, found);
            go_back_to(kept[k], 5, fresh, found);
        }
        free(fresh);
        free(found);
        closed();
    }
}

/* So many tokens; the first is returned. */
static int32_t generate(size_t count)
{
    loam_event event = {.struct_size = sizeof event};
    int32_t first = -1;
    for (size_t taken = 0; taken < count && test_failed_here == 0;) {
        CHECK_OK(loam_session_next(session, &event, &test_error));
        CHECK(event.type != LOAM_EVENT_STOP);
        first = event.type == LOAM_EVENT_TOKEN && first < 0 ? event.token : first;
        taken += event.type == LOAM_EVENT_TOKEN;
    }
    return first;
}

/* However many tokens were generated, the end of the prompt was kept; and what
 * comes then is what comes without. */
static void prompts_are_not_read_twice(void)
{
    const loam_generation_options options = {.struct_size = sizeof options, .ignore_end = 1};
    loam_timings timings = {.struct_size = sizeof timings};
    for (size_t i = 0; i < LOAM_COUNT_OF(models); i++) {
        if (!opened(models[i]))
            SKIP("no reference data: arch");
        int32_t first = -1;
        for (int turn = 0; turn < 3; turn++) {
            CHECK_OK(loam_session_configure(session, &options, &test_error));
            CHECK_OK(loam_session_prompt_tokens(session, tokens, TOKENS, &test_error));
            int32_t token = generate(turn ? 1 : 60);
            CHECK(turn == 0 || token == first);
            first = token;
            CHECK_OK(loam_session_get_timings(&timings, session, &test_error));
            CHECK_EQUAL(timings.kept_tokens, turn ? TOKENS - 1 : 0);
        }
        /* Another end: what was kept of this content, if anything, and no more. */
        CHECK_OK(loam_session_prompt_tokens(session, tokens, TOKENS - 8, &test_error));
        first = generate(30);
        CHECK_OK(loam_session_get_timings(&timings, session, &test_error));
        CHECK_EQUAL(timings.kept_tokens, 0);
        loam_session_release(session);
        session = new_session();
        CHECK_OK(loam_session_prompt_tokens(session, tokens, TOKENS - 8, &test_error));
        CHECK_EQUAL(generate(1), first);
        closed();
    }
}

/* What a session generates is what it reads: the logits at the end are those of
 * a session that is given all tokens at once. */
static void generating_is_reading(void)
{
    const loam_generation_options options = {.struct_size = sizeof options, .ignore_end = 1};
    for (size_t i = 0; i < LOAM_COUNT_OF(models); i++) {
        const int32_t *content;
        const float *logits, *again;
        size_t count, width;
        if (!opened(models[i]))
            SKIP("no reference data: arch");
        loam_session *reader = new_session();
        CHECK_OK(loam_session_configure(session, &options, &test_error));
        CHECK_OK(loam_session_prompt_tokens(session, tokens, TOKENS, &test_error));
        generate(40);
        CHECK_OK(loam_session_tokens(&content, &count, session, &test_error));
        CHECK_EQUAL(count, TOKENS + 40);
        CHECK_OK(loam_session_logits(&logits, &width, session, &test_error));
        CHECK_OK(loam_session_evaluate(reader, content, count - 1, NULL, 0, &test_error));
        CHECK_OK(loam_session_logits(&again, &width, reader, &test_error));
        CHECK(memcmp(logits, again, width * sizeof *logits) == 0);
        loam_session_release(reader);
        closed();
    }
}

/* ---- memory ------------------------------------------------------------------------------ */

static void the_plan_knows_states(void)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(models); i++) {
        loam_memory_plan plan = {.struct_size = sizeof plan};
        loam_model_info info = {.struct_size = sizeof info};
        loam_session_options reserve = {
            .struct_size = sizeof reserve, .context_length = 300, .reserve = 1};
        const loam_model_options options = {.struct_size = sizeof options, .kv_type = LOAM_KV_F32};
        loam_session *sessions[2] = {NULL};
        if (!test_data(path_of(models[i])))
            SKIP("no reference data: arch");
        const loam_source source = {.struct_size = sizeof source,
                                    .path = {test_data(path_of(models[i])), LOAM_NUL_TERMINATED}};
        engine = test_engine(2);
        CHECK_OK(loam_model_plan(&plan, engine, &source, &options, 300, 2, &test_error));
        uint64_t before = atomic_load(&engine->memory.held);
        model = test_model(engine, path_of(models[i]), LOAM_KV_F32);
        CHECK_OK(loam_model_get_info(&info, model, &test_error));
        uint64_t opened_with = atomic_load(&engine->memory.held);
        for (int k = 0; k < 2; k++)
            CHECK_OK(loam_session_create(&sessions[k], model, &reserve, &test_error));
        uint64_t held = atomic_load(&engine->memory.held) - before;
        CHECK(info.state_bytes > 0 && info.state_count >= 4);
        CHECK_EQUAL(plan.state_bytes, info.state_bytes * info.state_count * 2);
        CHECK(held - (opened_with - before) >= plan.state_bytes + plan.kv_bytes);
        CHECK(held <= plan.total_bytes);
        CHECK(plan.total_bytes <= held + held / 10 + 192 * 1024);
        for (int k = 0; k < 2; k++)
            loam_session_release(sessions[k]);
        loam_model_release(model);
        CHECK_EQUAL(atomic_load(&engine->memory.held), before);
        loam_engine_release(engine);
    }
}

/* With room for fewer states than a session would like: the same bits; with
 * room for none, an error that leaves the session as it was. */
static void little_memory_costs_no_bit(void)
{
    if (!opened("rwkv7"))
        SKIP("no reference data: arch");
    size_t bytes = TOKENS * vocabulary * sizeof(float);
    float *fresh = malloc(bytes), *found = malloc(bytes);
    loam_model_info info = {.struct_size = sizeof info};
    int done = 0, refused = 0;
    REQUIRE(fresh && found);
    CHECK_OK(loam_model_get_info(&info, model, &test_error));
    CHECK_OK(loam_session_evaluate(session, tokens, TOKENS, fresh, TOKENS, &test_error));
    loam_session_release(session);
    uint64_t held = atomic_load(&engine->memory.held), limit = engine->memory.limit;
    for (uint64_t spare = 0; spare < 5; spare++) {
        session = new_session();
        CHECK_OK(loam_session_evaluate(session, tokens, 1, NULL, 0, &test_error));
        engine->memory.limit = atomic_load(&engine->memory.held) + 1000 + spare * info.state_bytes;
        loam_status status =
            loam_session_evaluate(session, tokens + 1, TOKENS - 1, found, TOKENS - 1, &test_error);
        CHECK(status == LOAM_OK || status == LOAM_MEMORY);
        if (status == LOAM_OK) {
            CHECK(memcmp(fresh + vocabulary, found, bytes - vocabulary * sizeof *found) == 0);
            go_back_to(20, 1, fresh, found);
            done++;
        } else {
            const int32_t *content;
            size_t count;
            CHECK_OK(loam_session_tokens(&content, &count, session, &test_error));
            CHECK_EQUAL(count, 1);
            refused++;
        }
        engine->memory.limit = limit;
        loam_session_release(session);
        CHECK_EQUAL(atomic_load(&engine->memory.held), held);
    }
    CHECK(done > 2 && refused > 0);
    session = NULL;
    free(fresh);
    free(found);
    closed();
}

/* ---- embeddings ----------------------------------------------------------------------------- */

static unsigned char *put(unsigned char *at, const char *key, uint32_t value)
{
    uint64_t length = strlen(key);
    const uint32_t type = 4; /* of a u32 */
    memcpy(at, &length, 8);
    memcpy(at + 8, key, length);
    memcpy(at + 8 + length, &type, 4);
    memcpy(at + 12 + length, &value, 4);
    return at + 16 + length;
}

/* The model as one of embeddings: two keys more, of 64 bytes together, so that
 * everything stays aligned. */
static unsigned char *with_pooling(size_t *size)
{
    unsigned char *bytes = test_read(test_data(path_of("mamba")), size), *more;
    uint64_t keys;
    if (!bytes || !(more = malloc(*size + 64)))
        return NULL;
    memcpy(more, bytes, 24);
    memcpy(&keys, bytes + 16, 8);
    keys += 2;
    memcpy(more + 16, &keys, 8);
    unsigned char *end = put(put(more + 24, "mamba.pooling_type", 3), "general.filler", 0);
    CHECK_EQUAL(end - more, 24 + 64);
    memcpy(end, bytes + 24, *size - 24);
    free(bytes);
    *size += 64;
    return more;
}

static void embeddings_do_not_depend_on_steps(void)
{
    static const uint32_t rows[] = {256, 7, 1};
    float found[3][48];
    size_t size;
    if (!opened("mamba"))
        SKIP("no reference data: arch");
    loam_model_release(model);
    model = NULL;
    loam_session_release(session);
    session = NULL;
    unsigned char *bytes = with_pooling(&size);
    REQUIRE(bytes);
    loam_source source = {
        .struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY, .data = bytes, .size = size};
    for (size_t i = 0; i < LOAM_COUNT_OF(rows); i++) {
        const loam_model_options options = {.struct_size = sizeof options,
                                            .max_step_rows = rows[i]};
        const loam_embed_options embed = {.struct_size = sizeof embed};
        CHECK_OK(loam_model_open_source(&model, engine, &source, &options, &test_error));
        CHECK_OK(loam_model_embed(model, tokens, TOKENS, &embed, found[i], &test_error));
        CHECK(memcmp(found[i], found[0], sizeof found[0]) == 0);
        loam_model_release(model);
    }
    free(bytes);
    model = NULL;
    closed();
}

/* ---- devices -------------------------------------------------------------------------------- */

struct comparison {
    const char *name;
    float logits[TOKENS * 64];
};

/* Logits in three pieces, then again from the middle. */
static void read_all(float *logits)
{
    for (int turn = 0; turn < 2; turn++) {
        for (size_t done = turn ? 20 : 0; done < TOKENS; done += 20) {
            size_t rows = loam_min(20, TOKENS - done);
            CHECK_OK(loam_session_evaluate(session, tokens + done, rows, logits + done * vocabulary,
                                           rows, &test_error));
        }
        CHECK_OK(loam_session_rewind(session, 20, &test_error));
    }
}

static void compare(const struct placement *placement, void *context)
{
    static float logits[TOKENS * 64];
    const struct comparison *expected = context;
    if (test_failed_here > 0)
        return;
    engine = devices_engine(placement, 2);
    model = test_model(engine, path_of(expected->name), LOAM_KV_F32);
    REQUIRE(model);
    session = new_session();
    read_all(logits);
    CHECK(memcmp(logits, expected->logits, TOKENS * vocabulary * sizeof *logits) == 0);
    if (test_failed_here > 0)
        devices_print(placement);
    closed();
    combinations++;
}

static void devices_give_the_same_bits(void)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(models); i++) {
        static struct comparison comparison;
        if (!opened(models[i]))
            SKIP("no reference data: arch");
        REQUIRE(vocabulary == 64);
        comparison.name = models[i];
        read_all(comparison.logits);
        closed();
        devices_each_placement(2, compare, &comparison);
    }
    printf("# %d combinations\n", combinations);
}

int main(void)
{
    RUN(going_back_gives_the_same_bits);
    RUN(prompts_are_not_read_twice);
    RUN(generating_is_reading);
    RUN(the_plan_knows_states);
    RUN(little_memory_costs_no_bit);
    RUN(embeddings_do_not_depend_on_steps);
    RUN(devices_give_the_same_bits);
    return test_end();
}

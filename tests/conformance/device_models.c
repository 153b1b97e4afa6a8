/* SPDX-License-Identifier: MIT */
/*
 * Whole models on devices beside the CPU, through the public API: the same
 * logits wherever the nodes are placed, and what sessions, plans, packed files,
 * cancels and failing memory promise holds with devices as well.
 */
#include "devices.h"

#include "fault/host.h"
#include "tools/tiny_model.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROMPT = 70, PARTNERS = 2, STEPS = 4, PIECE = 50 };

/* A model file in memory, or on disk to be mapped. */
struct model_case {
    const unsigned char *bytes;
    size_t size;
    const char *path; /* NULL: the bytes */
    int32_t kv_type;
};

static unsigned char *tiny;
static size_t tiny_size;

static loam_source source_of(const struct model_case *what)
{
    loam_source source = {.struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY};
    source.data = what->bytes;
    source.size = what->size;
    if (what->path) {
        source.kind = LOAM_SOURCE_PATH;
        source.path = (loam_string){what->path, LOAM_NUL_TERMINATED};
    }
    return source;
}

static loam_model *open_model(loam_engine *engine, const struct model_case *what)
{
    const loam_source source = source_of(what);
    const loam_model_options options = {.struct_size = sizeof options, .kv_type = what->kv_type};
    loam_model *model = NULL;
    CHECK_OK(loam_model_open_source(&model, engine, &source, &options, &test_error));
    return model;
}

static size_t token_span = 200; /* ids from 3 on that the model has */

static int32_t token_of(size_t i)
{
    return (int32_t)(3 + i * 7 % token_span);
}

/* ---- answers -------------------------------------------------------------------------- */

/* Logits of a prompt, then of steps with partners. */
struct model_answer {
    float *values;
    size_t floats;
};

static void read_prompt(struct model_answer *out, loam_session *session, size_t vocabulary)
{
    int32_t tokens[PROMPT];
    for (size_t i = 0; i < PROMPT; i++)
        tokens[i] = token_of(i);
    for (size_t done = 0; done < PROMPT; done += PIECE) {
        size_t rows = loam_min(PIECE, PROMPT - done);
        CHECK_OK(loam_session_evaluate(session, tokens + done, rows, out->values + out->floats,
                                       rows, &test_error));
        out->floats += rows * vocabulary;
    }
}

/* Sessions of other lengths generate side by side. */
static void generate(struct model_answer *out, loam_session *const *sessions, size_t vocabulary)
{
    loam_event events[PARTNERS + 1] = {{.struct_size = sizeof events[0]}};
    loam_generation_options options = {.struct_size = sizeof options, .ignore_end = 1};
    int32_t tokens[PROMPT];
    for (size_t i = 0; i < PROMPT; i++)
        tokens[i] = token_of(i + 1);
    for (size_t i = 0; i <= PARTNERS; i++) {
        CHECK_OK(loam_session_configure(sessions[i], &options, &test_error));
        CHECK_OK(
            loam_session_prompt_tokens(sessions[i], tokens + i, PROMPT - 20 * i - 2, &test_error));
    }
    for (size_t taken = 0; taken < STEPS && test_failed_here == 0;) {
        const float *logits;
        size_t count;
        CHECK_OK(loam_step(events, sessions, PARTNERS + 1, &test_error));
        for (size_t i = 0; i <= PARTNERS; i++)
            CHECK_EQUAL(events[i].status, LOAM_OK);
        if (events[0].type != LOAM_EVENT_TOKEN)
            continue;
        CHECK_OK(loam_session_logits(&logits, &count, sessions[0], &test_error));
        REQUIRE(count == vocabulary);
        memcpy(out->values + out->floats, logits, vocabulary * sizeof *logits);
        out->floats += vocabulary;
        taken++;
    }
}

/* Everything on a new engine; memory comes back. The caller frees out->values. */
static void answer(struct model_answer *out, const struct placement *placement,
                   const struct model_case *what)
{
    loam_session *sessions[PARTNERS + 1];
    loam_engine *engine = devices_engine(placement, 2);
    uint64_t held = atomic_load(&engine->memory.held);
    *out = (struct model_answer){0};
    loam_model *model = open_model(engine, what);
    REQUIRE(model);
    size_t vocabulary = test_vocabulary(model);
    out->values = calloc((PROMPT + STEPS) * vocabulary, sizeof *out->values);
    for (size_t i = 0; i <= PARTNERS; i++)
        sessions[i] = test_session(model);
    read_prompt(out, sessions[0], vocabulary);
    CHECK_OK(loam_session_rewind(sessions[0], 5, &test_error));
    generate(out, sessions, vocabulary);
    for (size_t i = 0; i <= PARTNERS; i++)
        loam_session_release(sessions[i]);
    loam_model_release(model);
    struct mock_counts counts = devices_counts(engine);
    CHECK_EQUAL(counts.pages_opened, counts.pages_closed);
    CHECK_EQUAL(atomic_load(&engine->memory.held), held);
    loam_engine_release(engine);
}

/* ---- the same bits ----------------------------------------------------------------------- */

struct comparison {
    const struct model_case *what;
    struct model_answer expected;
};

static void compare(const struct placement *placement, void *context)
{
    const struct comparison *comparison = context;
    const struct model_answer *expected = &comparison->expected;
    struct model_answer found;
    int failed = test_failed_here;
    if (test_failed_here > 0)
        return;
    answer(&found, placement, comparison->what);
    CHECK(found.floats == expected->floats && found.floats > 0 &&
          memcmp(found.values, expected->values, found.floats * sizeof(float)) == 0);
    if (test_failed_here > failed)
        devices_print(placement);
    free(found.values);
    combinations++;
}

/* The whole model on a device, all but its products, and a mixture on two. */
static void compare_few(struct comparison *comparison)
{
    static const struct placement placements[] = {
        {.devices = 1, .options = {{.delay = LATE}}},
        {.devices = 1, .options = {{.delay = LATE, .missing = 1u << OP_LINEAR}}},
        {.devices = 2, .options = {{.refused = 128, .delay = LATE}, {.delay = 1e-5}}}};
    for (size_t i = 0; i < LOAM_COUNT_OF(placements); i++)
        compare(&placements[i], comparison);
}

static void a_tiny_model_gives_the_same_bits(void)
{
    for (int32_t kv = LOAM_KV_F32; kv <= LOAM_KV_Q8_0; kv++) {
        struct model_case what = {.bytes = tiny, .size = tiny_size, .kv_type = kv};
        struct comparison comparison = {.what = &what};
        answer(&comparison.expected, &cpu_alone, &what);
        devices_each_placement(4, compare, &comparison);
        free(comparison.expected.values);
    }
}

static void stories260K_gives_the_same_bits(void)
{
    static const char *const names[] = {"models/stories260K.gguf", "models/stories260K-Q8_0.gguf",
                                        "models/stories260K-Q4_0.gguf"};
    if (!test_data(names[0]))
        SKIP("no reference data: models");
    for (size_t i = 0; i < LOAM_COUNT_OF(names); i++) {
        struct model_case what = {.path = test_data(names[i]), .kv_type = LOAM_KV_F16};
        struct comparison comparison = {.what = &what};
        if (!what.path)
            continue;
        answer(&comparison.expected, &cpu_alone, &what);
        if (i == 0)
            devices_each_placement(2, compare, &comparison);
        else
            compare_few(&comparison);
        free(comparison.expected.values);
    }
}

/* Layers that use others' keys and values are computed where those are. */
static void shared_keys_and_values_give_the_same_bits(void)
{
    struct model_case what = {.path = test_data("arch/gemma4/model.gguf"), .kv_type = LOAM_KV_F16};
    struct comparison comparison = {.what = &what};
    if (!what.path)
        SKIP("no reference data: arch");
    token_span = 61;
    answer(&comparison.expected, &cpu_alone, &what);
    devices_each_placement(2, compare, &comparison);
    token_span = 200;
    free(comparison.expected.values);
}

/* ---- packed files -------------------------------------------------------------------------- */

static int32_t write_to(void *file, const void *data, size_t size)
{
    return fwrite(data, 1, size, file) == size ? 0 : -1;
}

/* Weights of a mapped file belong to the host: a device copies them. */
static void a_packed_file_is_copied_to_the_device(void)
{
    const char *path = test_data("models/stories260K-Q4_0.gguf");
    char packed[] = "/tmp/loam-devices-XXXXXX";
    if (!path)
        SKIP("no reference data: models/stories260K-Q4_0.gguf");
    struct model_case what = {.path = path, .kv_type = LOAM_KV_F16};
    const loam_source source = source_of(&what);
    struct comparison comparison = {.what = &what};
    loam_engine *engine = devices_engine(&cpu_alone, 1);
    int descriptor = mkstemp(packed);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    REQUIRE(file);
    CHECK_OK(loam_model_pack(engine, &source, write_to, file, &test_error));
    fclose(file);
    loam_engine_release(engine);
    answer(&comparison.expected, &cpu_alone, &what);
    what.path = packed; /* is mapped */
    compare(&cpu_alone, &comparison);
    compare_few(&comparison);
    unsigned char *bytes = test_read(packed, &what.size); /* is read */
    what = (struct model_case){.bytes = bytes, .size = what.size, .kv_type = LOAM_KV_F16};
    compare_few(&comparison);
    remove(packed);
    free(bytes);
    free(comparison.expected.values);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The plan of a load against what is held by the model and full sessions. */
static void check_plan(const struct placement *placement, void *context)
{
    const struct model_case *what = context;
    const loam_source source = source_of(what);
    const loam_model_options options = {.struct_size = sizeof options, .kv_type = what->kv_type};
    const loam_session_options reserve = {
        .struct_size = sizeof reserve, .context_length = 200, .reserve = 1};
    loam_memory_plan plan = {.struct_size = sizeof plan};
    loam_model_info info = {.struct_size = sizeof info};
    loam_session *sessions[2] = {NULL};
    loam_engine *engine = devices_engine(placement, 2);
    CHECK_OK(loam_model_plan(&plan, engine, &source, &options, 200, 2, &test_error));
    uint64_t before = atomic_load(&engine->memory.held);
    loam_model *model = open_model(engine, what);
    REQUIRE(model);
    CHECK_OK(loam_model_get_info(&info, model, &test_error));
    for (int i = 0; i < 2; i++)
        CHECK_OK(loam_session_create(&sessions[i], model, &reserve, &test_error));
    uint64_t held = atomic_load(&engine->memory.held) - before;
    CHECK(held <= plan.total_bytes);
    /* Tables are an upper estimate. */
    CHECK(plan.total_bytes <= held + held / 10 + 192 * 1024);
    CHECK_EQUAL(info.weight_bytes, plan.weight_bytes);
    CHECK_EQUAL(info.kv_bytes_per_page * 4 * 2, plan.kv_bytes); /* 200 positions, 2 sessions */
    for (int i = 0; i < 2; i++)
        loam_session_release(sessions[i]);
    loam_model_release(model);
    CHECK_EQUAL(atomic_load(&engine->memory.held), before);
    loam_engine_release(engine);
    combinations++;
}

static void the_plan_is_what_is_held(void)
{
    struct model_case what = {.bytes = tiny, .size = tiny_size, .kv_type = LOAM_KV_F16};
    devices_each_placement(2, check_plan, &what);
    what.path = test_data("models/stories260K.gguf");
    if (what.path)
        devices_each_placement(2, check_plan, &what);
}

/* ---- cancelling --------------------------------------------------------------------------------
 */

static void *cancel_later(void *session)
{
    struct timespec delay = {.tv_nsec = 2000000};
    nanosleep(&delay, NULL);
    loam_session_cancel(session);
    return NULL;
}

/* Tokens until the end; *stop is its reason. */
static size_t take_tokens(int32_t *out, size_t most, loam_session *session, int32_t *stop)
{
    int32_t tokens[PROMPT];
    size_t count = 0;
    loam_event event = {.struct_size = sizeof event};
    for (size_t i = 0; i < PROMPT; i++)
        tokens[i] = token_of(i);
    CHECK_OK(loam_session_prompt_tokens(session, tokens, PROMPT, &test_error));
    do {
        CHECK_OK(loam_session_next(session, &event, &test_error));
        if (event.type == LOAM_EVENT_TOKEN && count < most)
            out[count++] = event.token;
    } while (event.type != LOAM_EVENT_STOP && test_failed_here == 0);
    *stop = event.stop_reason;
    return count;
}

/* A device that takes half a millisecond for each segment is cancelled at
 * work; the session then answers as if nothing had been. */
static void a_cancel_during_device_work(void)
{
    enum { MOST = 40, CANCELS = 8 };
    const struct placement slow = {.devices = 1,
                                   .options = {{.delay = 5e-4, .missing = 1u << OP_GATE}}};
    const struct model_case what = {.bytes = tiny, .size = tiny_size, .kv_type = LOAM_KV_F16};
    const loam_generation_options options = {
        .struct_size = sizeof options, .max_tokens = MOST, .ignore_end = 1};
    int32_t expected[MOST], found[MOST], stop;
    int cancelled = 0;
    loam_engine *engine = devices_engine(&slow, 2);
    loam_model *model = open_model(engine, &what);
    loam_session *session = test_session(model);
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    CHECK_EQUAL(take_tokens(expected, MOST, session, &stop), MOST);
    for (int i = 0; i < CANCELS; i++) {
        pthread_t thread;
        CHECK_OK(loam_session_rewind(session, 0, &test_error));
        REQUIRE(pthread_create(&thread, NULL, cancel_later, session) == 0);
        size_t count = take_tokens(found, MOST, session, &stop);
        cancelled += stop == LOAM_STOP_CANCELLED;
        CHECK(memcmp(found, expected, count * sizeof *found) == 0);
        pthread_join(thread, NULL);
        CHECK_EQUAL(take_tokens(found, MOST, session, &stop), MOST);
        CHECK_EQUAL(stop, LOAM_STOP_LENGTH);
        CHECK(memcmp(found, expected, sizeof found) == 0);
    }
    CHECK(cancelled > 0);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

/* ---- failing memory
 * ------------------------------------------------------------------------------ */

/* Opens and generates with a host that may fail; true if it arrived. */
static bool travel(struct host *host, const struct placement *placement, int32_t *token)
{
    const loam_allocator allocator = host_allocator(host);
    const loam_engine_options options = {
        .struct_size = sizeof options, .threads = 1, .allocator = &allocator};
    const struct model_case what = {.bytes = tiny, .size = tiny_size, .kv_type = LOAM_KV_F16};
    const loam_source source = source_of(&what);
    loam_event event = {.struct_size = sizeof event};
    loam_error error = {.struct_size = sizeof error};
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *session = NULL;
    loam_status status = devices_engine_with(&engine, placement, &options, &error);
    if (!status)
        status = loam_model_open_source(&model, engine, &source, NULL, &error);
    if (!status)
        status = loam_session_create(&session, model, NULL, &error);
    if (!status)
        status = loam_session_prompt(session,
                                     "a b and so on: Once upon a time on a once on a once "
                                     "and on and on and once again, a",
                                     LOAM_NUL_TERMINATED, &error);
    if (!status)
        status = loam_session_next(session, &event, &error);
    *token = event.token;
    CHECK(status == LOAM_OK || status == LOAM_MEMORY);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    CHECK_EQUAL(atomic_load(&host->blocks), 0);
    CHECK_EQUAL(atomic_load(&host->wrong), 0);
    return status == LOAM_OK;
}

static void every_allocation_fails_in_turn(void)
{
    static const struct placement placements[] = {
        {.devices = 1, .options = {{.delay = LATE}}},
        {.devices = 2, .options = {{.refused = 128, .seed = 3, .delay = LATE}, {.refused = 64}}}};
    for (size_t i = 0; i < LOAM_COUNT_OF(placements); i++) {
        struct host plain = {0};
        int32_t expected, found;
        CHECK(travel(&plain, &placements[i], &expected));
        long calls = atomic_load(&plain.calls);
        for (long n = 1; n <= calls && !test_failed_here; n++) {
            struct host host = {.fail_from = n, .fail_to = n};
            CHECK(!travel(&host, &placements[i], &found));
            combinations++;
        }
        printf("# %ld allocations\n", calls);
    }
}

/* ---- forks
 * ----------------------------------------------------------------------------------------- */

/* The child has no thread of the device: it is told so, and ends without waiting. */
static void a_forked_child_is_told(void)
{
    const struct placement late = {.devices = 1, .options = {{.delay = LATE}}};
    const struct model_case what = {.bytes = tiny, .size = tiny_size, .kv_type = LOAM_KV_F16};
    loam_event event = {.struct_size = sizeof event};
    int status = -1;
#if TEST_SANITIZED
    SKIP("sanitizers do not follow a fork with threads");
#endif
    loam_engine *engine = devices_engine(&late, 2);
    loam_model *model = open_model(engine, &what);
    loam_session *session = test_session(model);
    CHECK_OK(loam_session_prompt(session, "a once", LOAM_NUL_TERMINATED, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool told = loam_session_next(session, &event, NULL) == LOAM_FORKED;
        loam_session_release(session);
        loam_model_release(model);
        loam_engine_release(engine);
        _exit(told ? 7 : 1);
    }
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK_OK(loam_session_next(session, &event, &test_error));
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

int main(void)
{
    tiny = tiny_model(&tiny_size);
    RUN(a_tiny_model_gives_the_same_bits);
    RUN(stories260K_gives_the_same_bits);
    RUN(shared_keys_and_values_give_the_same_bits);
    RUN(a_packed_file_is_copied_to_the_device);
    RUN(the_plan_is_what_is_held);
    RUN(a_cancel_during_device_work);
    RUN(every_allocation_fails_in_turn);
    RUN(a_forked_child_is_told);
    printf("# %d combinations of a model and a placement\n", combinations);
    free(tiny);
    return test_end();
}

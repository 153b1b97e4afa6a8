/* SPDX-License-Identifier: MIT */
/* Cancel means now, and costs nothing but the answer that was cancelled. */
#include "common.h"

#include <pthread.h>
#include <time.h>

enum { CANCELS = 25, ANSWER = 150 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct canceller {
    loam_session *session;
    double delay, cancelled_at;
};

static void *cancel_later(void *context)
{
    struct canceller *canceller = context;
    struct timespec delay = {.tv_nsec = (long)(canceller->delay * 1e9)};
    delay.tv_sec = delay.tv_nsec / 1000000000;
    delay.tv_nsec %= 1000000000;
    nanosleep(&delay, NULL);
    canceller->cancelled_at = now();
    loam_session_cancel(canceller->session);
    return NULL;
}

/* Sets the prompt and generates; returns how many tokens. *stop is the reason
 * of the end. */
static size_t answer(loam_session *session, const int32_t *prompt, size_t count, int32_t *out,
                     int32_t *stop)
{
    loam_event event = {.struct_size = sizeof event};
    size_t generated = 0;
    CHECK_OK(loam_session_prompt_tokens(session, prompt, count, &test_error));
    do {
        CHECK_OK(loam_session_next(session, &event, &test_error));
        if (event.type == LOAM_EVENT_TOKEN && generated < ANSWER)
            out[generated++] = event.token;
    } while (event.type != LOAM_EVENT_STOP && test_failed_here == 0);
    *stop = event.stop_reason;
    return generated;
}

/* Cancels at random moments of reading `count` tokens and generating `limit`.
 * Each time the session answers at once as if it had never been cancelled. */
static void cancel_at_random(size_t count, uint32_t limit, int *hit_prompt, int *hit_generation)
{
    size_t available;
    int32_t *prompt = test_values("models/nll.tokens.i32", &available), stop;
    static int32_t expected[ANSWER], found[ANSWER];
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, "models/stories260K.gguf", LOAM_KV_F16);
    loam_generation_options options = {.struct_size = sizeof options};
    options.max_tokens = limit;
    options.ignore_end = 1;
    REQUIRE(prompt && model && available == 500);
    loam_session *session = test_session(model);
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    double start = now(), worst = 0;
    CHECK_EQUAL(answer(session, prompt, count, expected, &stop), limit);
    double whole = now() - start;
    uint64_t random = 1;
    for (int i = 0; i < CANCELS; i++) {
        CHECK_OK(loam_session_rewind(session, 0, &test_error));
        struct canceller canceller = {.session = session,
                                      .delay = whole * (test_random(&random) % 900) / 1000};
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, cancel_later, &canceller) == 0);
        size_t generated = answer(session, prompt, count, found, &stop);
        double returned = now();
        pthread_join(thread, NULL);
        if (stop == LOAM_STOP_CANCELLED) {
            double latency = returned - canceller.cancelled_at;
            worst = latency > worst ? latency : worst;
            *(generated ? hit_generation : hit_prompt) += 1;
        }
        CHECK_EQUAL(answer(session, prompt, count, found, &stop), limit);
        CHECK_EQUAL(stop, LOAM_STOP_LENGTH);
        CHECK(memcmp(found, expected, limit * sizeof *found) == 0);
    }
    printf("# %d cancels hit the prompt, %d the generation; longest wait %.1f ms\n", *hit_prompt,
           *hit_generation, worst * 1000);
    CHECK(worst < 0.05 || TEST_SANITIZED);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    free(prompt);
}

static void a_cancelled_prompt_leaves_the_session_usable(void)
{
    int hit_prompt = 0, hit_generation = 0;
    if (!test_data("models/nll.tokens.i32"))
        SKIP("no reference data: models/nll.tokens.i32");
    cancel_at_random(500, 4, &hit_prompt, &hit_generation);
    CHECK(hit_prompt > 0);
}

static void a_cancelled_generation_leaves_the_session_usable(void)
{
    int hit_prompt = 0, hit_generation = 0;
    if (!test_data("models/nll.tokens.i32"))
        SKIP("no reference data: models/nll.tokens.i32");
    cancel_at_random(20, ANSWER, &hit_prompt, &hit_generation);
    CHECK(hit_generation > 0);
}

static void a_cancel_between_calls_is_reported_by_the_next(void)
{
    size_t count;
    int32_t *prompt = test_values("models/nll.tokens.i32", &count), expected[ANSWER], found[ANSWER],
            stop;
    if (!prompt)
        SKIP("no reference data: models/nll.tokens.i32");
    loam_engine *engine = test_engine(1);
    loam_model *model = test_model(engine, "models/stories260K.gguf", LOAM_KV_F32);
    loam_session *session = test_session(model);
    loam_generation_options options = {.struct_size = sizeof options};
    loam_event event = {.struct_size = sizeof event};
    options.max_tokens = 8;
    options.ignore_end = 1;
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    answer(session, prompt, 20, expected, &stop);
    CHECK_OK(loam_session_prompt_tokens(session, prompt, 20, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    loam_session_cancel(session);
    CHECK_OK(loam_session_next(session, &event, &test_error));
    CHECK_EQUAL(event.type, LOAM_EVENT_STOP);
    CHECK_EQUAL(event.stop_reason, LOAM_STOP_CANCELLED);
    CHECK_EQUAL(loam_session_next(session, &event, NULL), LOAM_STATE);
    /* A cancel before a prompt is forgotten by it. */
    loam_session_cancel(session);
    answer(session, prompt, 20, found, &stop);
    CHECK(memcmp(found, expected, 8 * sizeof *found) == 0);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    free(prompt);
}

static int32_t cancel_at_half(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    return done * 2 > total;
}

static void a_load_can_be_cancelled(void)
{
    const char *path = test_data("models/stories260K.gguf");
    if (!path)
        SKIP("no reference data: models");
    loam_engine *engine = test_engine(1);
    loam_model *model = NULL;
    loam_model_options options = {.struct_size = sizeof options};
    loam_engine_info before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    options.progress = cancel_at_half;
    CHECK_OK(loam_engine_get_info(&before, engine, &test_error));
    CHECK_EQUAL(loam_model_open(&model, engine, path, LOAM_NUL_TERMINATED, &options, &test_error),
                LOAM_CANCELLED);
    CHECK(model == NULL);
    CHECK_OK(loam_engine_get_info(&after, engine, &test_error));
    CHECK_EQUAL(after.bytes_held, before.bytes_held);
    loam_engine_release(engine);
}

int main(void)
{
    RUN(a_cancelled_prompt_leaves_the_session_usable);
    RUN(a_cancelled_generation_leaves_the_session_usable);
    RUN(a_cancel_between_calls_is_reported_by_the_next);
    RUN(a_load_can_be_cancelled);
    return test_end();
}

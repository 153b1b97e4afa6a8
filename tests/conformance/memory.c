/* SPDX-License-Identifier: MIT */
/* Memory is known first: the plan against what is really held, the limit, and
 * 64 KB of stack. */
#include "common.h"

#include <pthread.h>
#include <sys/mman.h>

#define MODEL "models/stories260K.gguf"

static void the_plan_is_what_is_held(void)
{
    if (!test_data(MODEL))
        SKIP("no reference data: " MODEL);
    for (int32_t kv_type = LOAM_KV_F32; kv_type <= LOAM_KV_Q8_0; kv_type++) {
        loam_engine *engine = test_engine(2);
        loam_source source = {.struct_size = sizeof source,
                              .path = {test_data(MODEL), LOAM_NUL_TERMINATED}};
        loam_model_options options = {.struct_size = sizeof options, .kv_type = kv_type};
        loam_session_options reserve = {
            .struct_size = sizeof reserve, .context_length = 300, .reserve = 1};
        loam_memory_plan plan = {.struct_size = sizeof plan};
        loam_engine_info before = {.struct_size = sizeof before},
                         after = {.struct_size = sizeof after};
        loam_session *sessions[2] = {NULL};
        CHECK_OK(loam_model_plan(&plan, engine, &source, &options, 300, 2, &test_error));
        CHECK_OK(loam_engine_get_info(&before, engine, &test_error));
        loam_model *model = test_model(engine, MODEL, kv_type);
        for (int i = 0; i < 2; i++)
            CHECK_OK(loam_session_create(&sessions[i], model, &reserve, &test_error));
        CHECK_OK(loam_engine_get_info(&after, engine, &test_error));
        uint64_t held = after.bytes_held - before.bytes_held;
        printf("# planned %llu bytes, held %llu\n", (unsigned long long)plan.total_bytes,
               (unsigned long long)held);
        CHECK(held <= plan.total_bytes);
        CHECK(plan.total_bytes <= held + held / 10 + 65536);
        CHECK(plan.weight_bytes > 0 && plan.context_length == 300 && plan.sessions == 2);
        for (int i = 0; i < 2; i++)
            loam_session_release(sessions[i]);
        loam_model_release(model);
        CHECK_OK(loam_engine_get_info(&after, engine, &test_error));
        CHECK_EQUAL(after.bytes_held, before.bytes_held);
        loam_engine_release(engine);
    }
}

static void a_limit_is_never_passed(void)
{
    if (!test_data(MODEL))
        SKIP("no reference data: " MODEL);
    int opened = 0, refused = 0;
    for (uint64_t limit = 100000; limit < 4000000; limit += 300000) {
        loam_engine_options options = {
            .struct_size = sizeof options, .threads = 1, .memory_limit = limit};
        loam_engine *engine = NULL;
        loam_model *model = NULL;
        loam_engine_info info = {.struct_size = sizeof info};
        CHECK_OK(loam_engine_create(&engine, &options, &test_error));
        loam_status status = loam_model_open(&model, engine, test_data(MODEL), LOAM_NUL_TERMINATED,
                                             NULL, &test_error);
        CHECK(status == LOAM_OK || status == LOAM_MEMORY);
        *(status ? &refused : &opened) += 1;
        CHECK_OK(loam_engine_get_info(&info, engine, &test_error));
        CHECK(info.bytes_peak <= limit);
        loam_model_release(model);
        loam_engine_release(engine);
    }
    CHECK(opened > 0 && refused > 0);
}

static void *open_and_generate(void *context)
{
    (void)context;
    loam_engine *engine = test_engine(1);
    loam_model *model = test_model(engine, MODEL, LOAM_KV_Q8_0);
    loam_session *session = test_session(model);
    loam_generation_options options = {.struct_size = sizeof options,
                                       .temperature = 1,
                                       .top_k = 40,
                                       .top_p = 0.9f,
                                       .max_tokens = 5};
    loam_event event = {.struct_size = sizeof event};
    CHECK_OK(loam_session_configure(session, &options, &test_error));
    CHECK_OK(loam_session_prompt(session, "Once upon a time", LOAM_NUL_TERMINATED, &test_error));
    while (event.type != LOAM_EVENT_STOP && test_failed_here == 0)
        CHECK_OK(loam_session_next(session, &event, &test_error));
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    return NULL;
}

/* Runs on the uppermost 64 KB of a stack whose rest can't be touched: some
 * machines let no thread have less than 128. */
static void stack_of_64_kb_suffices(void)
{
    enum { WHOLE = 256 * 1024, SUFFICES = 64 * 1024 };
    pthread_attr_t attributes;
    pthread_t thread;
    if (!test_data(MODEL))
        SKIP("no reference data: " MODEL);
#if TEST_SANITIZED
    SKIP("sanitizers need more stack than the code");
#endif
    char *stack = mmap(NULL, WHOLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(stack != MAP_FAILED && mprotect(stack, WHOLE - SUFFICES, PROT_NONE) == 0);
    pthread_attr_init(&attributes);
    REQUIRE(pthread_attr_setstack(&attributes, stack, WHOLE) == 0);
    REQUIRE(pthread_create(&thread, &attributes, open_and_generate, NULL) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    munmap(stack, WHOLE);
}

int main(void)
{
    RUN(the_plan_is_what_is_held);
    RUN(a_limit_is_never_passed);
    RUN(stack_of_64_kb_suffices);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * What a step on devices promises beside its bits: results are there after
 * waiting, a cancelled step leaves no device at work, numeric flags come from
 * wherever attention is, pages are open or refused, memory is what the plan
 * says.
 */
#include "device_graphs.h"

#include <stdatomic.h>
#include <time.h>

static const struct placement late = {.devices = 1, .options = {{.delay = LATE}}};

static void sleep_for(double seconds)
{
    struct timespec time = {.tv_nsec = (long)(seconds * 1e9)};
    nanosleep(&time, NULL);
}

/* A block of a model: keys and values of one input, sums around it. What is
 * computed first is used last, so that nobody waits for it meanwhile. */
static loam_tensor build_block(loam_graph *graph, const void *what)
{
    (void)what;
    loam_attention_options options = {
        .struct_size = sizeof options, .heads = 4, .kv_heads = 2, .key_width = 16};
    options.value_width = 16;
    loam_tensor x = loam_graph_input(graph, GRAPH_WIDTH);
    loam_tensor matrix = devices_weight(graph, LOAM_TYPE_Q8_0, GRAPH_WIDTH, 32);
    loam_tensor square = devices_weight(graph, LOAM_TYPE_F16, GRAPH_WIDTH, GRAPH_WIDTH);
    loam_tensor ones = devices_weight(graph, LOAM_TYPE_F32, GRAPH_WIDTH, 1);
    loam_tensor aside = loam_graph_rms_norm(graph, x, ones, 1e-5f);
    loam_tensor k = loam_graph_linear(graph, x, matrix, LOAM_NO_TENSOR);
    loam_tensor y = loam_graph_attention(graph, x, k, loam_graph_add(graph, k, k), &options);
    y = loam_graph_linear(graph, y, square, LOAM_NO_TENSOR);
    y = loam_graph_gate(graph, loam_graph_add(graph, y, x), y, LOAM_ACTIVATION_SILU);
    y = loam_graph_linear(graph, y, square, LOAM_NO_TENSOR);
    return loam_graph_add(graph, y, aside);
}

static const struct graph_case block = {.build = build_block, .kv_type = LOAM_KV_F16};

/* ---- late completion --------------------------------------------------------------- */

/* The device's own functions, called by hand: nothing is written before wait. */
static void results_are_there_after_waiting(void)
{
    struct graph_run run;
    loam_step_descriptor step;
    loam_engine *engine = devices_engine(&late, 1);
    REQUIRE(engine && devices_graph_begin(&run, engine, &block));
    size_t floats = devices_graph_step(&step, &run, 0) * run.width;
    float *expected = devices_graph_results(&run), *found = devices_graph_results(&run);
    step.result = expected;
    CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
    struct plan *plan = run.graph->plan;
    CHECK_EQUAL(plan->segment_count, 1);
    const struct backend_functions *device = engine->devices[0]->functions;
    plan->values[run.graph->result] = found;
    CHECK_OK(device->submit(plan->programs[1], 0, &step, &test_error));
    sleep_for(0.005);
    for (size_t i = 0; i < floats; i++)
        CHECK(found[i] == 0);
    CHECK_OK(device->wait(plan->programs[1], &step, &test_error));
    CHECK(memcmp(found, expected, floats * sizeof *found) == 0);
    free(expected);
    free(found);
    devices_graph_end(&run);
    loam_engine_release(engine);
}

/* No host address: turned bits stand where no pointer of a process has any. */
static void device_memory_is_no_host_memory(void)
{
    struct graph_run run;
    loam_engine *engine = devices_engine(&late, 1);
    if (sizeof(void *) < 8)
        SKIP("addresses of 32 bits have no room for marks");
    REQUIRE(engine && devices_graph_begin(&run, engine, &block));
    for (size_t i = 0; i < run.graph->weight_count; i++) {
        uint64_t address = (uint64_t)(uintptr_t)run.graph->plan->weights[1][i].resident;
        CHECK_EQUAL(address >> 48, 0x5AA5);
        CHECK(run.graph->weights[i].resident == NULL); /* the CPU reads none of them */
    }
    devices_graph_end(&run);
    loam_engine_release(engine);
}

/* ---- cancelling --------------------------------------------------------------------- */

static atomic_int questions, allowed;

static int32_t stop_later(void *user)
{
    (void)user;
    return atomic_fetch_add(&questions, 1) >= atomic_load(&allowed);
}

/* Stops at every question in turn. Once the call has returned, no device does
 * anything more, and the same step gives what it should. */
static void cancel_everywhere(const struct placement *placement, const float *expected,
                              size_t floats)
{
    struct graph_run run;
    loam_step_descriptor step;
    loam_status status = LOAM_CANCELLED;
    int cancelled = 0;
    bool given_up = false;
    loam_engine *engine = devices_engine(placement, 2);
    REQUIRE(engine && devices_graph_begin(&run, engine, &block));
    float *found = devices_graph_results(&run);
    devices_graph_step(&step, &run, 0);
    for (int n = 0; status == LOAM_CANCELLED && n < 1000; n++) {
        atomic_store(&questions, 0);
        atomic_store(&allowed, n);
        step.result = found;
        step.stop = stop_later;
        status = loam_graph_run(run.graph, &step, &test_error);
        memset(found, 0, floats * sizeof *found);
        struct mock_counts counts = devices_counts(engine);
        CHECK_EQUAL(counts.segments + counts.given_up, counts.submitted);
        given_up = counts.given_up > 0 || given_up;
        if (n % 8 == 0)
            sleep_for(0.001);
        for (size_t i = 0; i < floats; i++)
            CHECK(found[i] == 0);
        cancelled += status == LOAM_CANCELLED;
        step.stop = NULL;
        CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
        CHECK(memcmp(found, expected, floats * sizeof *found) == 0);
        combinations++;
    }
    CHECK_EQUAL(status, LOAM_OK);
    CHECK(cancelled >= 6 && given_up);
    free(found);
    devices_graph_end(&run);
    loam_engine_release(engine);
}

static void a_cancelled_step_leaves_devices_idle(void)
{
    static const struct placement placements[] = {
        {.devices = 1, .options = {{.delay = LATE}}},
        {.devices = 1, .options = {{.delay = 5e-4}}},
        {.devices = 1, .options = {{.delay = 1e-5, .missing = 1u << OP_ATTENTION}}},
        {.devices = 1, .options = {{.delay = LATE, .missing = 1u << OP_LINEAR}}},
        {.devices = 2, .options = {{.delay = 1e-4, .missing = 1u << OP_LINEAR}, {.delay = 1e-5}}},
    };
    struct graph_run run;
    loam_step_descriptor step;
    loam_engine *engine = devices_engine(&cpu_alone, 2);
    REQUIRE(engine && devices_graph_begin(&run, engine, &block));
    float *expected = devices_graph_results(&run);
    size_t floats = devices_graph_step(&step, &run, 0) * run.width;
    step.result = expected;
    CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
    for (size_t i = 0; i < LOAM_COUNT_OF(placements) && !test_failed_here; i++)
        cancel_everywhere(&placements[i], expected, floats);
    free(expected);
    devices_graph_end(&run);
    loam_engine_release(engine);
}

/* ---- numeric flags -------------------------------------------------------------------- */

/* The first sequence after a step in which the second has keys beyond f16. */
static void run_too_large(struct graph_answer *out, const struct placement *placement)
{
    struct graph_run run;
    loam_step_descriptor step;
    *out = (struct graph_answer){0};
    loam_engine *engine = devices_engine(placement, 2);
    REQUIRE(engine && devices_graph_begin(&run, engine, &block));
    out->values = devices_graph_results(&run);
    for (int n = 0; n < 2; n++) {
        run.positions[0] = run.positions[1] = run.positions[2] = 0;
        devices_graph_step(&step, &run, 0);
        for (size_t i = 0; n == 0 && i < 70 * GRAPH_WIDTH; i++)
            run.inputs[0][3 * GRAPH_WIDTH + i] *= 1e7f;
        memset(out->numeric[n], 9, GRAPH_SEQUENCES);
        step.result = out->values + (size_t)n * GRAPH_ROWS * run.width;
        step.sequence_numeric = out->numeric[n];
        CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
    }
    out->floats = 3 * (size_t)run.width; /* of the first sequence */
    devices_graph_end(&run);
    loam_engine_release(engine);
}

static void check_too_large(const struct placement *placement, void *context)
{
    struct graph_answer found, *expected = context;
    const uint8_t flags[2][GRAPH_SEQUENCES] = {{0, 1, 0}, {0, 0, 0}};
    run_too_large(&found, placement);
    REQUIRE(found.values && expected->values);
    CHECK(memcmp(found.numeric, flags, sizeof flags) == 0);
    CHECK(memcmp(found.values, expected->values, expected->floats * sizeof(float)) == 0);
    free(found.values);
    combinations++;
}

static void numeric_flags_come_from_any_device(void)
{
    struct graph_answer expected;
    run_too_large(&expected, &cpu_alone);
    check_too_large(&cpu_alone, &expected);
    devices_each_placement(2, check_too_large, &expected);
    free(expected.values);
}

/* ---- pages ------------------------------------------------------------------------------ */

static void a_page_that_is_not_open_is_refused(void)
{
    struct graph_run run;
    loam_step_descriptor step;
    loam_engine *engine = devices_engine(&late, 1);
    REQUIRE(engine && devices_graph_begin(&run, engine, &block));
    float *result = devices_graph_results(&run);
    devices_graph_step(&step, &run, 0);
    step.result = result;
    CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
    void *page = run.pages[1][1]; /* positions 64 to 69 of 70 */
    unsigned char *slot = page, closed[64];
    CHECK_EQUAL(loam_graph_page_bytes(run.graph), 64); /* all of it is on the device */
    loam_graph_page_close(run.graph, page);
    CHECK_EQUAL(loam_graph_run(run.graph, &step, &test_error), LOAM_INVALID_ARGUMENT);
    memcpy(closed, page, sizeof closed);
    CHECK_OK(loam_graph_page_open(run.graph, page, &test_error));
    CHECK(memcmp(closed, page, sizeof closed) != 0); /* another generation */
    CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
    for (int i = 0; i < 16; i++) { /* owner, number, generation */
        slot[i] ^= 0x40;
        CHECK_EQUAL(loam_graph_run(run.graph, &step, &test_error), LOAM_INVALID_ARGUMENT);
        slot[i] ^= 0x40;
    }
    CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
    free(result);
    devices_graph_end(&run);
    loam_engine_release(engine);
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Bytes of large blocks held, and the most of them. */
struct large_blocks {
    atomic_llong held, peak;
};

/* A block of no bytes is asked for as one. */
static long long counted(size_t size)
{
    return size > 1 ? (long long)size : 0;
}

static void *get_small(void *user, size_t size, size_t alignment)
{
    (void)user;
    (void)alignment;
    return malloc(size);
}

static void free_small(void *user, void *memory, size_t size, size_t alignment)
{
    (void)user;
    (void)size;
    (void)alignment;
    free(memory);
}

static void *get_large(void *user, size_t size, size_t alignment)
{
    struct large_blocks *blocks = user;
    long long held = atomic_fetch_add(&blocks->held, counted(size)) + counted(size);
    if (held > atomic_load(&blocks->peak))
        atomic_store(&blocks->peak, held);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void free_large(void *user, void *memory, size_t size, size_t alignment)
{
    struct large_blocks *blocks = user;
    (void)alignment;
    atomic_fetch_sub(&blocks->held, memory ? counted(size) : 0);
    free(memory);
}

/* The plan's figures to the byte: weights, scratch and staging after compiling;
 * then pages; at the end nothing. */
static void check_memory(const struct placement *placement, void *context)
{
    struct graph_run run;
    struct large_blocks blocks = {0};
    const loam_allocator allocator = {.struct_size = sizeof allocator,
                                      .user = &blocks,
                                      .allocate = get_small,
                                      .release = free_small,
                                      .allocate_large = get_large,
                                      .release_large = free_large};
    const loam_engine_options options = {
        .struct_size = sizeof options, .threads = 2, .allocator = &allocator};
    loam_engine *engine;
    CHECK_OK(devices_engine_with(&engine, placement, &options, &test_error));
    REQUIRE(engine);
    long long before = atomic_load(&blocks.held);
    REQUIRE(devices_graph_begin(&run, engine, context));
    const struct graph_size *size = &run.graph->plan->size;
    uint64_t pages =
        run.graph->attention_count ? GRAPH_SEQUENCES * GRAPH_PAGES * size->device_page_bytes : 0;
    uint64_t weights = size->weight_bytes;
    uint64_t later = loam_max(size->upload_bytes, size->scratch_bytes + pages);
    CHECK_EQUAL(atomic_load(&blocks.held) - before, weights + size->scratch_bytes + pages);
    CHECK(atomic_load(&blocks.peak) - before <= (long long)(weights + later));
    devices_graph_end(&run);
    CHECK_EQUAL(atomic_load(&blocks.held), before);
    loam_engine_release(engine);
    combinations++;
}

static void memory_is_what_the_plan_says(void)
{
    check_memory(&cpu_alone, (void *)(uintptr_t)&block);
    devices_each_placement(3, check_memory, (void *)(uintptr_t)&block);
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct graph_case what = {
            .build = devices_random_graph, .what = &seed, .kv_type = LOAM_KV_Q8_0};
        devices_each_placement(3, check_memory, &what);
    }
}

/* A weight that the CPU multiplies by and a device looks up is in both memories. */
static loam_tensor build_shared(loam_graph *graph, const void *what)
{
    (void)what;
    loam_tensor table = devices_weight(graph, LOAM_TYPE_Q8_0, GRAPH_WIDTH, 64);
    return loam_graph_linear(graph, loam_graph_embed(graph, table), table, LOAM_NO_TENSOR);
}

static void a_weight_on_both_counts_twice(void)
{
    const struct graph_case what = {.build = build_shared};
    const struct placement products = {.devices = 1,
                                       .options = {{.delay = LATE, .missing = 1u << OP_LINEAR}}};
    const struct placement *placements[] = {&cpu_alone, &products, &late};
    uint64_t bytes[3];
    for (int i = 0; i < 3; i++) {
        struct graph_run run;
        loam_engine *engine = devices_engine(placements[i], 1);
        REQUIRE(engine && devices_graph_begin(&run, engine, &what));
        bytes[i] = run.graph->plan->size.weight_bytes;
        devices_graph_end(&run);
        loam_engine_release(engine);
    }
    CHECK(bytes[0] > 0);
    CHECK_EQUAL(bytes[1], 2 * bytes[0]);
    CHECK_EQUAL(bytes[2], bytes[0]);
}

/* ---- the engine --------------------------------------------------------------------------- */

static int destroyed;

static void count_destroyed(struct backend *backend)
{
    (void)backend;
    destroyed++;
}

static void devices_are_checked_and_owned(void)
{
    loam_engine *engine = devices_engine(&late, 1);
    struct backend_functions functions = *engine->devices[0]->functions;
    struct backend devices[MOST_BACKENDS] = {{0}};
    functions.destroy = count_destroyed;
    for (int i = 0; i < MOST_BACKENDS; i++)
        devices[i].functions = &functions;
    functions.struct_size -= sizeof(void *); /* of a version with one function less */
    CHECK_EQUAL(loam_engine_add_device(engine, &devices[0], &test_error), LOAM_INVALID_ARGUMENT);
    functions.struct_size += sizeof(void *);
    functions.wait = NULL;
    CHECK_EQUAL(loam_engine_add_device(engine, &devices[0], &test_error), LOAM_INVALID_ARGUMENT);
    functions.wait = engine->devices[0]->functions->wait;
    functions.page_close = NULL;
    CHECK_EQUAL(loam_engine_add_device(engine, &devices[0], &test_error), LOAM_INVALID_ARGUMENT);
    functions.page_open = NULL; /* keeps nothing by pages */
    CHECK_EQUAL(destroyed, 3);
    for (int i = 0; i < MOST_BACKENDS - 2; i++)
        CHECK_OK(loam_engine_add_device(engine, &devices[i], &test_error));
    CHECK_EQUAL(destroyed, 3);
    CHECK_EQUAL(loam_engine_add_device(engine, &devices[MOST_BACKENDS - 2], &test_error),
                LOAM_STATE);
    CHECK_EQUAL(destroyed, 4);
    loam_engine_release(engine);
    CHECK_EQUAL(destroyed, 4 + MOST_BACKENDS - 2);
}

int main(void)
{
    RUN(results_are_there_after_waiting);
    RUN(device_memory_is_no_host_memory);
    RUN(a_cancelled_step_leaves_devices_idle);
    RUN(numeric_flags_come_from_any_device);
    RUN(a_page_that_is_not_open_is_refused);
    RUN(memory_is_what_the_plan_says);
    RUN(a_weight_on_both_counts_twice);
    RUN(devices_are_checked_and_owned);
    printf("# %d combinations of work and a placement\n", combinations);
    return test_end();
}

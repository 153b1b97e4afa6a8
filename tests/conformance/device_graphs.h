/* SPDX-License-Identifier: MIT */
/* Graphs of every kind, and steps of several sequences on them. */
#ifndef LOAM_TESTS_CONFORMANCE_DEVICE_GRAPHS_H
#define LOAM_TESTS_CONFORMANCE_DEVICE_GRAPHS_H

#include "devices.h"

#include <loam/graph.h>

enum {
    GRAPH_WIDTH = 64,
    GRAPH_ROWS = 80,
    GRAPH_SEQUENCES = 3,
    GRAPH_PAGES = 3,
    GRAPH_STEPS = 4,
    GRAPH_INPUTS = 3
};

/* A graph under test: how it is built. */
struct graph_case {
    loam_tensor (*build)(loam_graph *graph, const void *what);
    const void *what;
    int32_t kv_type;
};

/* ---- weights ----------------------------------------------------------------- */

enum { WEIGHTS_AT_MOST = 256 };

static void *kept_weights[WEIGHTS_AT_MOST];
static size_t kept_weight_count;

/* Blocks of a type that no quantiser makes: any bits are a weight, if its
 * scales are finite. */
static inline void random_blocks(unsigned char *out, size_t size, uint64_t *state)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(test_random(state) & 0x2F);
}

/* A weight with data in memory that devices_forget frees. */
static inline loam_tensor devices_weight(loam_graph *graph, uint32_t type_id, uint32_t width,
                                         uint32_t rows)
{
    const struct weight_type *type = loam_weight_type(type_id);
    size_t count = (size_t)width * rows, size = count / type->block_elements * type->block_bytes;
    uint64_t state = width * 1000u + rows; /* the same content each time */
    float *values = malloc(count * sizeof *values);
    unsigned char *blocks = malloc(size);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(int32_t)test_random(&state) * (rows == 1 ? 0x1p-31f : 0x1p-33f);
    if (type->quantize)
        type->quantize(blocks, values, NULL, count);
    else
        random_blocks(blocks, size, &state);
    free(values);
    if (kept_weight_count == WEIGHTS_AT_MOST) {
        free(blocks);
        return LOAM_NO_TENSOR;
    }
    kept_weights[kept_weight_count++] = blocks;
    return loam_graph_weight(graph, "w", type_id, width, rows, blocks);
}

static inline void devices_forget(void)
{
    while (kept_weight_count > 0)
        free(kept_weights[--kept_weight_count]);
}

/* Frequencies of rotations. */
static inline const double *devices_frequencies(void)
{
    static double frequencies[512];
    for (size_t i = 0; i < 512; i++)
        frequencies[i] = 1.0 / (1.0 + (double)i * 0.37);
    return frequencies;
}

/* ---- a random graph ------------------------------------------------------------ */

static inline uint32_t draw(uint64_t *state, uint32_t limit)
{
    return test_random(state) % limit;
}

static inline loam_tensor random_attention(loam_graph *graph, loam_tensor q, loam_tensor k,
                                           loam_tensor v, uint64_t *state)
{
    loam_attention_options options = {.struct_size = sizeof options, .heads = 4, .kv_heads = 4};
    options.key_width = options.value_width = GRAPH_WIDTH / 4;
    options.window = draw(state, 3) == 0 ? 33 : 0;
    return loam_graph_attention(graph, q, k, v, &options);
}

static inline loam_tensor random_rope(loam_graph *graph, loam_tensor x, uint64_t *state)
{
    loam_rope_options options = {.struct_size = sizeof options,
                                 .head_width = GRAPH_WIDTH / 4,
                                 .frequencies = devices_frequencies()};
    options.dimensions = 8 + 8 * draw(state, 2);
    options.pairing = (int32_t)draw(state, 2);
    return loam_graph_rope(graph, x, &options);
}

/* One operation on any of the `count` tensors so far, all of one width. */
static inline loam_tensor random_operation(loam_graph *graph, const loam_tensor *so_far,
                                           uint32_t count, uint64_t *state)
{
    static const uint32_t types[] = {LOAM_TYPE_F32, LOAM_TYPE_Q8_0, LOAM_TYPE_F16, LOAM_TYPE_Q4_0};
    loam_tensor a = so_far[draw(state, count)], b = so_far[draw(state, count)],
                c = so_far[draw(state, count)], weight;
    switch (draw(state, 7)) {
    case 0:
    case 1:
        weight = devices_weight(graph, types[draw(state, 4)], GRAPH_WIDTH, GRAPH_WIDTH);
        return loam_graph_linear(graph, a, weight, LOAM_NO_TENSOR);
    case 2:
        weight = devices_weight(graph, LOAM_TYPE_F32, GRAPH_WIDTH, 1);
        return loam_graph_rms_norm(graph, a, weight, 1e-5f);
    case 3:
        return random_rope(graph, a, state);
    case 4:
        return random_attention(graph, a, b, c, state);
    case 5:
        return loam_graph_gate(graph, a, b, LOAM_ACTIVATION_SILU);
    default:
        return loam_graph_add(graph, a, b);
    }
}

/* A graph of 10 to 29 operations drawn by the seed (uint64_t) that `what`
 * points to. */
static inline loam_tensor devices_random_graph(loam_graph *graph, const void *what)
{
    uint64_t state = *(const uint64_t *)what;
    loam_tensor so_far[32], table = devices_weight(graph, LOAM_TYPE_Q8_0, GRAPH_WIDTH, 100);
    loam_tensor ones = devices_weight(graph, LOAM_TYPE_F32, GRAPH_WIDTH, 1);
    uint32_t count = 0, wanted = 10 + draw(&state, 20);
    so_far[count++] = loam_graph_input(graph, GRAPH_WIDTH);
    so_far[count++] = loam_graph_embed(graph, table);
    so_far[count++] = loam_graph_input(graph, GRAPH_WIDTH);
    while (count < wanted) {
        loam_tensor x = random_operation(graph, so_far, count, &state);
        /* Values grow through gates and sums; a norm keeps them in range. */
        so_far[count++] = loam_graph_rms_norm(graph, x, ones, 1e-5f);
    }
    loam_tensor x = so_far[3 + draw(&state, count - 3)];
    if (draw(&state, 2)) /* a result in the middle of the graph */
        return x;
    x = loam_graph_outputs(graph, x);
    /* The table is used twice: looked up, and as a product. */
    return draw(&state, 2) ? loam_graph_linear(graph, x, table, LOAM_NO_TENSOR)
                           : loam_graph_add(graph, x, x);
}

/* ---- running -------------------------------------------------------------------- */

/* A compiled graph with the pages of its sequences. */
struct graph_run {
    loam_engine *engine;
    loam_graph *graph;
    uint32_t width; /* of the result */
    void *pages[GRAPH_SEQUENCES][GRAPH_PAGES];
    uint32_t positions[GRAPH_SEQUENCES];
    float *inputs[GRAPH_INPUTS];
    uint32_t input_widths[GRAPH_INPUTS];
    int32_t tokens[GRAPH_ROWS];
    uint8_t outputs[GRAPH_ROWS];
    loam_step_sequence sequences[GRAPH_SEQUENCES];
    uint64_t random;
};

static inline void take_inputs(struct graph_run *run)
{
    for (size_t i = 0; i < run->graph->node_count; i++) {
        const struct node *node = &run->graph->nodes[i];
        if (node->operation != OP_INPUT)
            continue;
        run->input_widths[node->index] = node->width;
        run->inputs[node->index] = malloc(GRAPH_ROWS * (size_t)node->width * sizeof(float));
    }
}

/* Compiles a case on an engine and opens its pages; false after a failed check. */
static inline bool devices_graph_begin(struct graph_run *run, loam_engine *engine,
                                       const struct graph_case *what)
{
    const loam_compile_options options = {.struct_size = sizeof options,
                                          .max_rows = GRAPH_ROWS,
                                          .max_sequences = GRAPH_SEQUENCES,
                                          .kv_type = what->kv_type};
    *run = (struct graph_run){.engine = engine, .random = 7};
    CHECK_OK(loam_graph_create(&run->graph, engine, &test_error));
    loam_tensor result = what->build(run->graph, what->what);
    loam_status status = loam_graph_compile(run->graph, result, &options, &test_error);
    CHECK_OK(status);
    if (status)
        return false;
    run->width = loam_graph_node(run->graph, result)->width;
    take_inputs(run);
    for (int i = 0; i < GRAPH_SEQUENCES; i++)
        for (int k = 0; k < GRAPH_PAGES; k++) {
            size_t bytes = loam_graph_page_bytes(run->graph);
            run->pages[i][k] = aligned_alloc(64, bytes + 64);
            memset(run->pages[i][k], 0xFF, bytes); /* NaN where nothing was stored */
            CHECK_OK(loam_graph_page_open(run->graph, run->pages[i][k], &test_error));
        }
    return true;
}

static inline void devices_graph_end(struct graph_run *run)
{
    for (int i = 0; i < GRAPH_SEQUENCES; i++)
        for (int k = 0; k < GRAPH_PAGES; k++) {
            if (run->pages[i][k])
                loam_graph_page_close(run->graph, run->pages[i][k]);
            free(run->pages[i][k]);
        }
    for (int i = 0; i < GRAPH_INPUTS; i++)
        free(run->inputs[i]);
    loam_graph_release(run->graph);
    devices_forget();
}

static inline void fill_step(struct graph_run *run)
{
    uint32_t tokens = run->graph->token_limit ? run->graph->token_limit : 1;
    for (int i = 0; i < GRAPH_INPUTS; i++)
        for (size_t n = 0; n < GRAPH_ROWS * (size_t)run->input_widths[i]; n++)
            run->inputs[i][n] = (float)(int32_t)test_random(&run->random) * 0x1p-31f;
    for (uint32_t row = 0; row < GRAPH_ROWS; row++) {
        run->tokens[row] = (int32_t)(test_random(&run->random) % tokens);
        run->outputs[row] = test_random(&run->random) % 2;
    }
}

/* The descriptor of step number n, 0 to GRAPH_STEPS - 1; its result is not set.
 * Returns the rows of the result. */
static inline size_t devices_graph_step(loam_step_descriptor *out, struct graph_run *run, int n)
{
    /* Rows of each sequence: three begin, one goes on alone, no outputs, all again. */
    static const uint32_t rows[GRAPH_STEPS][GRAPH_SEQUENCES] = {
        {3, 70, 1}, {0, 80, 0}, {5, 0, 2}, {1, 1, 1}};
    size_t outputs = 0;
    *out = (loam_step_descriptor){.struct_size = sizeof *out,
                                  .sequences = run->sequences,
                                  .tokens = run->tokens,
                                  .output_rows = n == 1 ? NULL : run->outputs,
                                  .inputs = (const float *const *)run->inputs};
    for (uint32_t i = 0; i < GRAPH_SEQUENCES; i++) {
        if (rows[n][i] == 0)
            continue;
        run->sequences[out->sequence_count++] = (loam_step_sequence){.first_row = out->rows,
                                                                     .row_count = rows[n][i],
                                                                     .position = run->positions[i],
                                                                     .page_count = GRAPH_PAGES,
                                                                     .pages = run->pages[i]};
        out->rows += rows[n][i];
        run->positions[i] += rows[n][i];
    }
    fill_step(run);
    if (n == 2)
        memset(run->outputs, 0, sizeof run->outputs);
    for (uint32_t row = 0; row < out->rows; row++)
        outputs += !out->output_rows || out->output_rows[row];
    return loam_graph_node(run->graph, run->graph->result)->outputs_only ? outputs : out->rows;
}

/* Memory for the results of all steps. */
static inline float *devices_graph_results(const struct graph_run *run)
{
    return calloc((size_t)GRAPH_STEPS * GRAPH_ROWS * run->width, sizeof(float));
}

/* ---- answers -------------------------------------------------------------------- */

/* What the steps of a graph gave. */
struct graph_answer {
    size_t floats;
    float *values;
    uint8_t numeric[GRAPH_STEPS][GRAPH_SEQUENCES];
    size_t device_nodes, device_segments, segments; /* of the plan */
};

static inline void describe_plan(struct graph_answer *out, const struct plan *plan)
{
    out->segments = plan->segment_count;
    for (size_t i = 0; i < plan->graph->node_count; i++)
        out->device_nodes +=
            plan->backend_of[i] != NO_BACKEND && plan->backend_of[i] != CPU_BACKEND;
    for (size_t s = 0; s < plan->segment_count; s++)
        out->device_segments += plan->segments[s].backend != CPU_BACKEND;
}

/* All steps on a new engine; the devices did what the plan says, and memory
 * and pages come back. The caller frees answer->values. */
static inline void devices_graph_answer(struct graph_answer *out, const struct placement *placement,
                                        const struct graph_case *what)
{
    struct graph_run run;
    *out = (struct graph_answer){0};
    loam_engine *engine = devices_engine(placement, 2);
    uint64_t held = atomic_load(&engine->memory.held);
    if (devices_graph_begin(&run, engine, what)) {
        describe_plan(out, run.graph->plan);
        out->values = devices_graph_results(&run);
        for (int n = 0; n < GRAPH_STEPS; n++) {
            loam_step_descriptor step;
            size_t rows = devices_graph_step(&step, &run, n);
            step.result = out->values + out->floats;
            step.sequence_numeric = out->numeric[n];
            CHECK_OK(loam_graph_run(run.graph, &step, &test_error));
            out->floats += rows * run.width;
        }
    }
    devices_graph_end(&run);
    struct mock_counts counts = devices_counts(engine);
    CHECK_EQUAL(counts.nodes, out->device_nodes * GRAPH_STEPS);
    CHECK_EQUAL(counts.segments, out->device_segments * GRAPH_STEPS);
    CHECK_EQUAL(counts.pages_opened, counts.pages_closed);
    CHECK_EQUAL(atomic_load(&engine->memory.held), held);
    loam_engine_release(engine);
}

#endif

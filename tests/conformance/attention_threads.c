/* SPDX-License-Identifier: MIT */
/*
 * Attention far back with few heads, which is cut by heads and by pages where there are
 * more threads than KV heads: the bits do not depend on threads, levels, or on what else
 * is in the step.
 */
#include "common.h"

#include <loam/graph.h>
#include <stdbool.h>

enum {
    LONG = 1300, /* positions of the first sequence before the steps compared */
    SHORT = 130, /* of the second */
    PIECE = 325,
    PAGES = LONG / 64 + 2,
    STEPS = 3,
    MOST_WIDTH = 1024,
    ROWS_COMPARED = 8 /* of a step, at most */
};

struct shape {
    uint32_t heads, kv_heads, key_width, value_width;
    int32_t kv_type;
    uint32_t window;
    float soft_cap;
    bool sinks;
};

/* Of the third, eight rows take more than one round of pages. */
static const struct shape shapes[] = {
    {.heads = 4, .kv_heads = 1, .key_width = 16, .value_width = 16, .kv_type = LOAM_KV_F16},
    {.heads = 2,
     .kv_heads = 1,
     .key_width = 8,
     .value_width = 12,
     .kv_type = LOAM_KV_Q8_0,
     .soft_cap = 5,
     .sinks = true},
    {.heads = 2, .kv_heads = 1, .key_width = 8, .value_width = 512, .kv_type = LOAM_KV_F32},
    {.heads = 16, .kv_heads = 1, .key_width = 32, .value_width = 24, .kv_type = LOAM_KV_Q8_0},
    {.heads = 14, .kv_heads = 2, .key_width = 8, .value_width = 12, .kv_type = LOAM_KV_F32},
    {.heads = 3,
     .kv_heads = 1,
     .key_width = 64,
     .value_width = 64,
     .kv_type = LOAM_KV_F16,
     .window = 1200},
    {.heads = 9,
     .kv_heads = 3,
     .key_width = 16,
     .value_width = 16,
     .kv_type = LOAM_KV_F16,
     .sinks = true},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static const float sinks[16] = {1, -2, 0.5f, 3, 0, -1, 2, 4, -4, 1, 1, 2, 3, 0, 1, 2};

/* Of all graphs of a shape, filled by the first: what a page holds depends on none of what
 * is compared. */
static void *pages[2][PAGES];

struct graph {
    loam_engine *engine;
    loam_graph *graph;
    loam_step_sequence sequences[2];
    float *inputs[3];
    uint32_t widths[3];
    uint64_t random;
};

static void build(struct graph *graph, const struct shape *shape)
{
    loam_attention_options options = {.struct_size = sizeof options,
                                      .heads = shape->heads,
                                      .kv_heads = shape->kv_heads,
                                      .key_width = shape->key_width,
                                      .value_width = shape->value_width,
                                      .window = shape->window,
                                      .soft_cap = shape->soft_cap,
                                      .has_sinks = shape->sinks};
    const loam_compile_options compile = {.struct_size = sizeof compile,
                                          .max_rows = PIECE,
                                          .max_sequences = 2,
                                          .kv_type = shape->kv_type};
    loam_tensor x[3];
    graph->widths[0] = shape->heads * shape->key_width;
    graph->widths[1] = shape->kv_heads * shape->key_width;
    graph->widths[2] = shape->kv_heads * shape->value_width;
    for (int i = 0; i < 3; i++) {
        x[i] = loam_graph_input(graph->graph, graph->widths[i]);
        graph->inputs[i] = malloc((size_t)PIECE * graph->widths[i] * sizeof(float));
    }
    if (shape->sinks)
        options.sinks =
            loam_graph_weight(graph->graph, "sinks", LOAM_TYPE_F32, shape->heads, 1, sinks);
    loam_tensor y = loam_graph_attention(graph->graph, x[0], x[1], x[2], &options);
    CHECK_OK(loam_graph_compile(graph->graph, y, &compile, &test_error));
}

static void begin(struct graph *graph, const struct shape *shape, int32_t level, int32_t threads)
{
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = threads, .cpu_level = level};
    *graph = (struct graph){.random = 3};
    CHECK_OK(loam_engine_create(&graph->engine, &options, &test_error));
    CHECK_OK(loam_graph_create(&graph->graph, graph->engine, &test_error));
    REQUIRE(graph->graph);
    build(graph, shape);
    for (int i = 0; i < 2; i++) {
        graph->sequences[i].pages = pages[i];
        graph->sequences[i].page_count = PAGES;
    }
}

static void end(struct graph *graph)
{
    for (int i = 0; i < 3; i++)
        free(graph->inputs[i]);
    loam_graph_release(graph->graph);
    loam_engine_release(graph->engine);
}

/* The next rows of each sequence, with inputs by chance. */
static void step(struct graph *graph, float *result, uint32_t first_rows, uint32_t second_rows)
{
    const uint32_t rows[2] = {first_rows, second_rows};
    loam_step_sequence sequences[2];
    loam_step_descriptor descriptor = {.struct_size = sizeof descriptor,
                                       .sequences = sequences,
                                       .inputs = (const float *const *)graph->inputs,
                                       .result = result};
    for (int i = 0; i < 2; i++) {
        if (!rows[i])
            continue;
        graph->sequences[i].first_row = descriptor.rows;
        graph->sequences[i].row_count = rows[i];
        sequences[descriptor.sequence_count++] = graph->sequences[i];
        graph->sequences[i].position += rows[i];
        descriptor.rows += rows[i];
    }
    for (int i = 0; i < 3; i++)
        for (size_t n = 0; n < (size_t)descriptor.rows * graph->widths[i]; n++)
            graph->inputs[i][n] = (float)(int32_t)test_random(&graph->random) * 0x1p-30f;
    CHECK_OK(loam_graph_run(graph->graph, &descriptor, &test_error));
}

static void fill_pages(const struct shape *shape)
{
    struct graph graph;
    float *unused = malloc((size_t)PIECE * MOST_WIDTH * sizeof *unused);
    begin(&graph, shape, LOAM_CPU_BEST, 1);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < PAGES; k++)
            pages[i][k] = aligned_alloc(64, loam_graph_page_bytes(graph.graph) + 64);
    for (int done = 0; done < LONG; done += PIECE)
        step(&graph, unused, PIECE, 0);
    step(&graph, unused, 0, SHORT);
    end(&graph);
    free(unused);
}

static void free_pages(void)
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < PAGES; k++)
            free(pages[i][k]);
}

/* Steps of one row, of some, and of two sequences. */
static void answer(float out[STEPS][ROWS_COMPARED * MOST_WIDTH], const struct shape *shape,
                   int32_t level, int32_t threads)
{
    struct graph graph;
    begin(&graph, shape, level, threads);
    memset(out, 0, STEPS * sizeof *out);
    graph.sequences[0].position = LONG;
    graph.sequences[1].position = SHORT;
    step(&graph, out[0], 1, 0);
    step(&graph, out[1], 8, 0);
    step(&graph, out[2], 1, 2);
    end(&graph);
}

static void compare(const float expected[STEPS][ROWS_COMPARED * MOST_WIDTH], size_t shape,
                    int32_t level, int32_t threads)
{
    static float found[STEPS][ROWS_COMPARED * MOST_WIDTH];
    answer(found, &shapes[shape], level, threads);
    if (memcmp(found, expected, sizeof found) != 0)
        printf("# shape %zu, level %d, %d threads\n", shape, (int)level, (int)threads);
    CHECK(memcmp(found, expected, sizeof found) == 0);
}

static void bits_do_not_depend_on_threads_or_levels(void)
{
    static const int32_t threads[] = {1, 2, 3, 5, 8};
    static float expected[STEPS][ROWS_COMPARED * MOST_WIDTH];
    for (size_t i = 0; i < SHAPES; i++) {
        fill_pages(&shapes[i]);
        answer(expected, &shapes[i], LOAM_CPU_SCALAR, 1);
        CHECK(expected[0][0] != 0 && expected[1][0] != 0 && expected[2][0] != 0);
        compare(expected, i, LOAM_CPU_SCALAR, 4);
        for (size_t k = 0; k < sizeof threads / sizeof *threads; k++)
            compare(expected, i, LOAM_CPU_BEST, threads[k]);
        free_pages();
    }
}

int main(void)
{
    RUN(bits_do_not_depend_on_threads_or_levels);
    return test_end();
}

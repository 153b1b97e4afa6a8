/* SPDX-License-Identifier: MIT */
/*
 * Graphs on devices beside the CPU: wherever its nodes are placed, a graph
 * gives the bits of the CPU alone. Every operation, weight type and edge
 * shape, then graphs drawn at random.
 */
#include "device_graphs.h"

#include "cpu/kernels.h"

/* ---- comparing ------------------------------------------------------------------ */

/* A case with the answer of the CPU alone. */
struct comparison {
    const struct graph_case *what;
    struct graph_answer expected;
    size_t most_segments, device_nodes; /* of all placements */
};

static void compare(const struct placement *placement, void *context)
{
    struct comparison *comparison = context;
    const struct graph_answer *expected = &comparison->expected;
    struct graph_answer found;
    int failed = test_failed_here;
    devices_graph_answer(&found, placement, comparison->what);
    CHECK_EQUAL(found.floats, expected->floats);
    CHECK(found.values && expected->values && expected->floats > 0 &&
          memcmp(found.values, expected->values, expected->floats * sizeof(float)) == 0);
    CHECK(memcmp(found.numeric, expected->numeric, sizeof found.numeric) == 0);
    if (test_failed_here > failed)
        devices_print(placement);
    comparison->device_nodes += found.device_nodes;
    if (found.segments > comparison->most_segments)
        comparison->most_segments = found.segments;
    free(found.values);
    combinations++;
}

/* The CPU alone is one segment, and its answer is one: not all zero, all finite. */
static void begin_comparison(struct comparison *comparison, const struct graph_case *what)
{
    size_t zeros = 0;
    *comparison = (struct comparison){.what = what};
    devices_graph_answer(&comparison->expected, &cpu_alone, what);
    const struct graph_answer *expected = &comparison->expected;
    CHECK_EQUAL(expected->segments, 1);
    CHECK_EQUAL(expected->device_nodes, 0);
    for (size_t i = 0; i < expected->floats; i++) {
        zeros += expected->values[i] == 0;
        CHECK(expected->values[i] - expected->values[i] == 0);
    }
    CHECK(expected->floats > 0 && zeros < expected->floats);
}

/* ---- single operations ------------------------------------------------------------ */

/* One operation between two sums, so that it has neighbours elsewhere. */
struct operation_case {
    enum operation operation;
    uint32_t type, width, rows; /* of its weight, or its value */
    bool bias;
    loam_attention_options attention;
    loam_rope_options rope;
};

static loam_tensor weighed(loam_graph *graph, loam_tensor x, const struct operation_case *c)
{
    loam_tensor bias = LOAM_NO_TENSOR;
    if (c->operation == OP_RMS_NORM)
        return loam_graph_rms_norm(graph, x, devices_weight(graph, LOAM_TYPE_F32, c->width, 1),
                                   1e-5f);
    loam_tensor weight = devices_weight(graph, c->type, c->width, c->rows);
    if (c->operation == OP_EMBED)
        return loam_graph_add(graph, x, loam_graph_embed(graph, weight));
    if (c->bias)
        bias = devices_weight(graph, LOAM_TYPE_F32, c->rows, 1);
    return loam_graph_linear(graph, x, weight, bias);
}

static loam_tensor attending(loam_graph *graph, const struct operation_case *c)
{
    loam_attention_options options = c->attention;
    options.struct_size = sizeof options;
    loam_tensor q = loam_graph_input(graph, options.heads * options.key_width);
    loam_tensor k = loam_graph_input(graph, options.kv_heads * options.key_width);
    loam_tensor v = loam_graph_input(graph, options.kv_heads * options.value_width);
    q = loam_graph_add(graph, q, q);
    v = loam_graph_add(graph, v, v);
    return loam_graph_attention(graph, q, k, v, &options);
}

static loam_tensor build_operation(loam_graph *graph, const void *what)
{
    const struct operation_case *c = what;
    loam_rope_options rope = c->rope;
    loam_tensor x = LOAM_NO_TENSOR, y;
    rope.struct_size = sizeof rope;
    rope.frequencies = devices_frequencies();
    if (c->operation != OP_ATTENTION) {
        x = loam_graph_input(graph, c->width);
        x = loam_graph_add(graph, x, x);
    }
    switch (c->operation) {
    case OP_ATTENTION:
        y = attending(graph, c);
        break;
    case OP_ROPE:
        y = loam_graph_rope(graph, x, &rope);
        break;
    case OP_GATE:
        y = loam_graph_gate(graph, x, loam_graph_input(graph, c->width), LOAM_ACTIVATION_SILU);
        break;
    case OP_ADD:
        y = loam_graph_add(graph, x, loam_graph_input(graph, c->width));
        break;
    case OP_OUTPUTS:
        y = loam_graph_outputs(graph, x);
        break;
    default:
        y = weighed(graph, x, c);
        break;
    }
    return loam_graph_add(graph, y, y);
}

/* All on the device, late and soon; only the operation; all but it; and the
 * operation on one device between two parts on another. */
static void compare_operation(const struct operation_case *c, int32_t kv_type)
{
    const struct graph_case what = {.build = build_operation, .what = c, .kv_type = kv_type};
    const uint32_t mask = 1u << c->operation;
    const struct placement placements[] = {
        {.devices = 1, .options = {{.delay = LATE}}},
        {.devices = 1, .options = {{.delay = 1e-5}}},
        {.devices = 1, .options = {{.delay = LATE, .missing = mask}}},
        {.devices = 1, .options = {{.delay = LATE, .missing = ~mask}}},
        {.devices = 2, .options = {{.delay = LATE, .missing = mask}, {.delay = LATE}}},
    };
    struct comparison comparison;
    begin_comparison(&comparison, &what);
    for (size_t i = 0; i < LOAM_COUNT_OF(placements); i++)
        compare(&placements[i], &comparison);
    CHECK(comparison.device_nodes > 0);
    if (c->operation != OP_ADD)
        CHECK_EQUAL(comparison.most_segments, 3);
    if (test_failed_here)
        printf("# operation %d, type %u, width %u, rows %u, KV type %d\n", (int)c->operation,
               c->type, c->width, c->rows, (int)kv_type);
    free(comparison.expected.values);
}

static void products_of_every_type(void)
{
    int types = 0;
    for (size_t i = 0; loam_weight_type_at(i) && !test_failed_here; i++) {
        const struct weight_type *type = loam_weight_type_at(i);
        struct cpu_kernels kernels = {0};
        loam_kernels_ref(&kernels);
        if (type->id >= WEIGHT_TYPES || !kernels.linear[type->id])
            continue;
        static const uint32_t outputs[] = {1, 16, 33};
        for (size_t k = 0; k < LOAM_COUNT_OF(outputs) && !test_failed_here; k++) {
            uint32_t block = loam_max(type->block_elements, type->activation_group);
            struct operation_case c = {.operation = OP_LINEAR, .type = type->id};
            c.width = block > 1 ? block * (k == 0 ? 1 : 2) : k == 0 ? 1 : 17 * (uint32_t)k;
            c.rows = outputs[k];
            c.bias = k != 1;
            compare_operation(&c, LOAM_KV_F16);
        }
        types++;
    }
    CHECK(types >= 8);
}

static void look_ups_of_every_type(void)
{
    int types = 0;
    for (size_t i = 0; loam_weight_type_at(i) && !test_failed_here; i++) {
        const struct weight_type *type = loam_weight_type_at(i);
        if (!type->dequantize)
            continue;
        struct operation_case c = {.operation = OP_EMBED, .type = type->id, .rows = 37};
        c.width = type->block_elements > 1 ? 2 * type->block_elements : 5;
        compare_operation(&c, LOAM_KV_F16);
        types++;
    }
    CHECK(types >= 8);
}

static void operations_on_rows(void)
{
    static const enum operation operations[] = {OP_RMS_NORM, OP_GATE, OP_ADD, OP_OUTPUTS};
    static const uint32_t widths[] = {1, 17, 64};
    for (size_t i = 0; i < LOAM_COUNT_OF(operations); i++)
        for (size_t k = 0; k < LOAM_COUNT_OF(widths); k++) {
            struct operation_case c = {.operation = operations[i], .width = widths[k]};
            compare_operation(&c, LOAM_KV_F16);
        }
}

static void rotations(void)
{
    static const loam_rope_options options[] = {
        {.head_width = 2, .dimensions = 2},
        {.head_width = 16, .dimensions = 16, .pairing = LOAM_ROPE_HALVES},
        {.head_width = 24, .dimensions = 6, .pairing = LOAM_ROPE_HALVES, .magnitude = 1.3f},
        {.head_width = 8, .dimensions = 4, .magnitude = 0.5f},
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(options); i++) {
        struct operation_case c = {.operation = OP_ROPE, .rope = options[i]};
        c.width = 3 * options[i].head_width;
        compare_operation(&c, LOAM_KV_F16);
    }
}

static void attention_of_every_kind(void)
{
    static const loam_attention_options options[] = {
        {.heads = 1, .kv_heads = 1, .key_width = 1, .value_width = 1},
        {.heads = 4, .kv_heads = 2, .key_width = 16, .value_width = 16},
        {.heads = 6, .kv_heads = 2, .key_width = 40, .value_width = 24, .window = 65},
        {.heads = 5, .kv_heads = 1, .key_width = 33, .value_width = 7, .window = 1, .scale = 0.7f},
    };
    for (int32_t kv = LOAM_KV_F32; kv <= LOAM_KV_Q8_0; kv++)
        for (size_t i = 0; i < LOAM_COUNT_OF(options); i++) {
            struct operation_case c = {.operation = OP_ATTENTION, .attention = options[i]};
            compare_operation(&c, kv);
        }
}

/* ---- random graphs ------------------------------------------------------------------ */

enum { RANDOM_GRAPHS = 8, RANDOM_PLACEMENTS = 4 };

static void random_graphs(void)
{
    size_t most_segments = 0;
    for (uint64_t seed = 0; seed < RANDOM_GRAPHS && !test_failed_here; seed++) {
        const struct graph_case what = {
            .build = devices_random_graph, .what = &seed, .kv_type = 1 + (int32_t)(seed % 3)};
        struct comparison comparison;
        begin_comparison(&comparison, &what);
        devices_each_placement(RANDOM_PLACEMENTS, compare, &comparison);
        if (test_failed_here)
            printf("# graph %llu\n", (unsigned long long)seed);
        if (comparison.most_segments > most_segments)
            most_segments = comparison.most_segments;
        free(comparison.expected.values);
    }
    printf("# up to %zu segments\n", most_segments);
    CHECK(most_segments > 8);
}

int main(void)
{
    RUN(products_of_every_type);
    RUN(look_ups_of_every_type);
    RUN(operations_on_rows);
    RUN(rotations);
    RUN(attention_of_every_kind);
    RUN(random_graphs);
    printf("# %d combinations of a graph and a placement\n", combinations);
    return test_end();
}

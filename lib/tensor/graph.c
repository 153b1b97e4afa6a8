/* SPDX-License-Identifier: MIT */
/*
 * Building a graph. Errors are sticky: the first one is remembered and every
 * later operation does nothing, so that a family reads as its formula.
 */
#include "tensor/build.h"
#include "tensor/engine.h"
#include "tensor/plan.h"

#include <math.h>

loam_status loam_graph_create(loam_graph **out, loam_engine *engine, loam_error *error)
{
    if (!out || !engine)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is NULL", out ? "engine" : "out");
    *out = NULL;
    loam_graph *graph = loam_memory_get_zero(&engine->memory, 1, sizeof *graph);
    if (!graph)
        return loam_fail_memory(error, sizeof *graph);
    graph->engine = loam_engine_retain(engine);
    graph->memory = &engine->memory;
    graph->failure.struct_size = sizeof graph->failure;
    graph->result = LOAM_NO_TENSOR;
    loam_arena_init(&graph->arena, graph->memory);
    *out = graph;
    return LOAM_OK;
}

void loam_graph_release(loam_graph *graph)
{
    if (!graph)
        return;
    loam_engine *engine = graph->engine;
    loam_plan_release(graph->plan);
    loam_memory_free(graph->memory, graph->nodes);
    loam_memory_free(graph->memory, graph->weights);
    loam_arena_end(&graph->arena);
    loam_memory_free(graph->memory, graph);
    loam_engine_release(engine);
}

loam_status loam_graph_failure(const loam_graph *graph, loam_error *error)
{
    if (graph->failure.code == LOAM_OK)
        return LOAM_OK;
    return loam_fail(error, graph->failure.code, "%s", graph->failure.message);
}

/* ---- leaves --------------------------------------------------------------- */

loam_tensor loam_graph_input(loam_graph *graph, uint32_t width)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    if (width == 0 || width > MAX_WIDTH)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "input: width is %u", width);
    struct node node = loam_build_node(OP_INPUT, LOAM_NO_TENSOR, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = width;
    node.index = graph->input_count++;
    return loam_build_add(graph, &node);
}

static loam_tensor add_weight(loam_graph *graph, const struct weight *given)
{
    struct weight weight = *given;
    const struct weight_type *type = weight.type;
    if (weight.width == 0 || weight.rows == 0 || weight.width > MAX_WIDTH ||
        weight.rows > MAX_WIDTH || weight.width % type->block_elements != 0)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "weight %s: %u rows of %u numbers are not possible in type %s", weight.name,
                      weight.rows, weight.width, type->name);
    weight.bytes =
        (uint64_t)weight.rows * (weight.width / type->block_elements) * type->block_bytes;
    weight.name = loam_arena_text(&graph->arena, weight.name, strlen(weight.name));
    if (!weight.name ||
        !loam_memory_grow(graph->memory, (void **)&graph->weights, &graph->weight_capacity,
                          (uint64_t)graph->weight_count + 1, sizeof weight))
        return REFUSE(graph, LOAM_MEMORY, "out of memory while building a graph");
    struct node node = loam_build_node(OP_WEIGHT, LOAM_NO_TENSOR, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = weight.width;
    node.index = (uint32_t)graph->weight_count;
    loam_tensor tensor = loam_build_add(graph, &node);
    if (tensor != LOAM_NO_TENSOR)
        graph->weights[graph->weight_count++] = weight;
    return tensor;
}

loam_tensor loam_graph_weight(loam_graph *graph, const char *name, uint32_t type, uint32_t width,
                              uint32_t rows, const void *data)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct weight_type *known = loam_weight_type(type);
    if (!name || !data)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "weight: %s is NULL", name ? "data" : "name");
    if (!known)
        return REFUSE(graph, LOAM_UNSUPPORTED, "weight %s: type %u is not known", name, type);
    return add_weight(
        graph,
        &(struct weight){.name = name, .type = known, .width = width, .rows = rows, .data = data});
}

loam_tensor loam_graph_weight_at(loam_graph *graph, const char *name,
                                 const struct weight_type *type, uint32_t width, uint32_t rows,
                                 bool packed, uint64_t file_offset)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    return add_weight(graph,
                      &(struct weight){.name = name,
                                       .type = type,
                                       .width = width,
                                       .rows = rows,
                                       .packed = packed,
                                       .file_offset = file_offset,
                                       .mapped = graph->file ? graph->file + file_offset : NULL});
}

/* ---- operations ----------------------------------------------------------- */

/* A copy that lives as long as the graph, or NULL. */
static const void *keep(loam_graph *graph, const void *data, size_t bytes)
{
    void *copy = loam_arena_get(&graph->arena, bytes, 1);
    if (copy)
        memcpy(copy, data, bytes);
    return copy;
}

loam_tensor loam_graph_embed(loam_graph *graph, loam_tensor weight)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    uint32_t width =
        weight >= 0 && (size_t)weight < graph->node_count ? graph->nodes[weight].width : 0;
    const struct weight *table = loam_build_weight(graph, weight, width, 0, "embed");
    if (!table)
        return LOAM_NO_TENSOR;
    if (graph->token_limit == 0 || table->rows < graph->token_limit)
        graph->token_limit = table->rows;
    struct node node = loam_build_node(OP_EMBED, weight, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = width;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_embed_position(loam_graph *graph, loam_tensor weight)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    uint32_t width =
        weight >= 0 && (size_t)weight < graph->node_count ? graph->nodes[weight].width : 0;
    const struct weight *table = loam_build_weight(graph, weight, width, 0, "embed position");
    if (!table)
        return LOAM_NO_TENSOR;
    if (graph->position_limit == 0 || table->rows < graph->position_limit)
        graph->position_limit = table->rows;
    struct node node = loam_build_node(OP_EMBED_POSITION, weight, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = width;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_linear(loam_graph *graph, loam_tensor x, loam_tensor weight,
                              loam_tensor bias)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "linear");
    const struct weight *matrix =
        rows ? loam_build_weight(graph, weight, rows->width, 0, "linear") : NULL;
    if (!matrix)
        return LOAM_NO_TENSOR;
    struct node node = loam_build_node(OP_LINEAR, x, weight, bias);
    node.width = matrix->rows;
    node.outputs_only = rows->outputs_only;
    if (bias != LOAM_NO_TENSOR && !loam_build_vector(graph, bias, node.width, "linear bias"))
        return LOAM_NO_TENSOR;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_rms_norm(loam_graph *graph, loam_tensor x, loam_tensor weight, float epsilon)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "norm");
    if (!rows || !loam_build_vector(graph, weight, rows->width, "norm"))
        return LOAM_NO_TENSOR;
    if (!(epsilon >= 0 && epsilon < 1e30f))
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "norm: epsilon is not a number from 0 up");
    struct node node = loam_build_node(OP_RMS_NORM, x, weight, LOAM_NO_TENSOR);
    node.width = rows->width;
    node.outputs_only = rows->outputs_only;
    node.epsilon = epsilon;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_rope(loam_graph *graph, loam_tensor x, const loam_rope_options *options)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    loam_rope_options rope;
    if (loam_struct_read(&rope, sizeof rope, options, "rope options", &graph->failure))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "rope");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (rows->outputs_only || rope.head_width == 0 || rows->width % rope.head_width != 0 ||
        rope.dimensions > rope.head_width || rope.dimensions % 2 != 0 || rope.dimensions == 0 ||
        !rope.frequencies || rope.pairing < LOAM_ROPE_ADJACENT || rope.pairing > LOAM_ROPE_HALVES)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "rope: %u dimensions of heads of %u do not fit a width of %u",
                      rope.dimensions, rope.head_width, rows->width);
    const double *frequencies = keep(graph, rope.frequencies, rope.dimensions / 2 * sizeof(double));
    const double *long_frequencies =
        rope.long_frequencies
            ? keep(graph, rope.long_frequencies, rope.dimensions / 2 * sizeof(double))
            : NULL;
    if (!frequencies || (rope.long_frequencies && !long_frequencies))
        return REFUSE(graph, LOAM_MEMORY, "out of memory while building a graph");
    struct node node = loam_build_node(OP_ROPE, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = rows->width;
    node.rope = (struct rope){.head_width = rope.head_width,
                              .dimensions = rope.dimensions,
                              .pairing = rope.pairing,
                              .magnitude = rope.magnitude == 0 ? 1 : rope.magnitude,
                              .frequencies = frequencies,
                              .long_frequencies = long_frequencies,
                              .long_from = rope.long_from};
    return loam_build_add(graph, &node);
}

/* What goes beyond plain causal attention: NULL, or why it can't be. */
static const char *check_extras(const loam_attention_options *a)
{
    if (!(a->soft_cap >= 0 && a->soft_cap < 1e30f))
        return "soft_cap is not a number from 0 up";
    if (!(a->temperature > -1e30f && a->temperature < 1e30f) ||
        (a->temperature != 0 && a->temperature_length == 0))
        return "temperature is not a number, or its length is 0";
    if (a->both_ways && a->chunk)
        return "chunks look back only";
    for (uint32_t i = 0; a->slopes && i < a->heads; i++)
        if (!(a->slopes[i] > -1e30f && a->slopes[i] < 1e30f))
            return "a slope is not a number";
    return NULL;
}

/* The attention whose keys and values `a` uses, or NULL and a failure. */
static const struct node *shared_by(loam_graph *graph, const loam_attention_options *a)
{
    loam_tensor tensor = a->shared_kv;
    const struct node *source =
        tensor >= 0 && (size_t)tensor < graph->node_count ? &graph->nodes[tensor] : NULL;
    if (!source || source->operation != OP_ATTENTION) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT, "attention: shared_kv %d is not an attention",
                     (int)tensor);
        return NULL;
    }
    const loam_attention_options *b = &source->attention;
    if (a->kv_heads != b->kv_heads || a->key_width != b->key_width ||
        a->value_width != b->value_width) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT,
                     "attention: %u KV heads of %u and %u, but those shared are %u of %u and %u",
                     a->kv_heads, a->key_width, a->value_width, b->kv_heads, b->key_width,
                     b->value_width);
        return NULL;
    }
    return source;
}

/* Whether rows of keys or values are as wide as their heads. */
static bool fits_heads(loam_graph *graph, loam_tensor tensor, uint32_t heads, uint32_t width)
{
    const struct node *node = loam_build_rows(graph, tensor, "attention k or v");
    if (!node)
        return false;
    if (!node->outputs_only && node->width == (uint64_t)heads * width)
        return true;
    (void)REFUSE(graph, LOAM_INVALID_ARGUMENT,
                 "attention: %u KV heads of %u do not fit a width of %u", heads, width,
                 node->width);
    return false;
}

loam_tensor loam_graph_attention(loam_graph *graph, loam_tensor q, loam_tensor k, loam_tensor v,
                                 const loam_attention_options *options)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    loam_attention_options a;
    if (loam_struct_read(&a, sizeof a, options, "attention options", &graph->failure))
        return LOAM_NO_TENSOR;
    const struct node *query = loam_build_rows(graph, q, "attention q"), *source = NULL;
    if (!query)
        return LOAM_NO_TENSOR;
    bool heads_fit = a.heads > 0 && a.kv_heads > 0 && a.heads % a.kv_heads == 0 &&
                     a.heads <= MAX_WIDTH && a.key_width > 0 && a.key_width <= 1024 &&
                     a.value_width > 0 && a.value_width <= 1024;
    if (!heads_fit || query->outputs_only || query->width != (uint64_t)a.heads * a.key_width)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "attention: %u heads of %u and %u KV heads do not fit a width of %u", a.heads,
                      a.key_width, a.kv_heads, query->width);
    if (a.shares_kv && !(source = shared_by(graph, &a)))
        return LOAM_NO_TENSOR;
    if (!a.shares_kv && (!fits_heads(graph, k, a.kv_heads, a.key_width) ||
                         !fits_heads(graph, v, a.kv_heads, a.value_width)))
        return LOAM_NO_TENSOR;
    const char *reason = check_extras(&a);
    if (reason)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "attention: %s", reason);
    if (a.has_sinks && !loam_build_vector(graph, a.sinks, a.heads, "attention sinks"))
        return LOAM_NO_TENSOR;
    if (a.slopes && !(a.slopes = keep(graph, a.slopes, a.heads * sizeof *a.slopes)))
        return REFUSE(graph, LOAM_MEMORY, "out of memory while building a graph");
    struct node node =
        loam_build_node(OP_ATTENTION, q, source ? LOAM_NO_TENSOR : k, source ? LOAM_NO_TENSOR : v);
    node.inputs[3] = a.has_sinks ? a.sinks : LOAM_NO_TENSOR;
    node.width = a.heads * a.value_width;
    node.index = source ? source->index : graph->attention_count++;
    node.attention = a;
    graph->both_ways = graph->both_ways || a.both_ways;
    if (a.scale == 0)
        node.attention.scale = 1.0f / sqrtf((float)a.key_width);
    return loam_build_add(graph, &node);
}

/* Two tensors of one shape, or of a sum, give a third. */
static loam_tensor elementwise(loam_graph *graph, enum operation operation, loam_tensor a,
                               loam_tensor b, int32_t activation, const char *what)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *left = loam_build_rows(graph, a, what);
    const struct node *right = left ? loam_build_rows(graph, b, what) : NULL;
    if (!right)
        return LOAM_NO_TENSOR;
    bool repeats =
        operation == OP_ADD && left->width > right->width && left->width % right->width == 0;
    operation = repeats ? OP_ADD_REPEATED : operation;
    if ((left->width != right->width && !repeats) || left->outputs_only != right->outputs_only)
        return REFUSE(
            graph, LOAM_INVALID_ARGUMENT, "%s: widths are %u and %u%s", what, left->width,
            right->width,
            left->outputs_only == right->outputs_only ? "" : ", and only one is of output rows");
    struct node node = loam_build_node(operation, a, b, LOAM_NO_TENSOR);
    node.width = left->width;
    node.outputs_only = left->outputs_only;
    node.activation = activation;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_gate(loam_graph *graph, loam_tensor gate, loam_tensor up, int32_t activation)
{
    if (loam_build_open(graph) &&
        (activation < 0 || activation > LOAM_ACTIVATION_SOFTPLUS)) /* those without parameters */
        return REFUSE(graph, LOAM_UNSUPPORTED, "gate: activation %d is not known", (int)activation);
    return elementwise(graph, OP_GATE, gate, up, activation, "gate");
}

loam_tensor loam_graph_add(loam_graph *graph, loam_tensor a, loam_tensor b)
{
    return elementwise(graph, OP_ADD, a, b, 0, "add");
}

loam_tensor loam_graph_outputs(loam_graph *graph, loam_tensor x)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "outputs");
    if (!rows || rows->outputs_only)
        return rows ? x : LOAM_NO_TENSOR;
    struct node node = loam_build_node(OP_OUTPUTS, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = rows->width;
    node.outputs_only = true;
    return loam_build_add(graph, &node);
}

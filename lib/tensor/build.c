/* SPDX-License-Identifier: MIT */
#include "tensor/build.h"

bool loam_build_open(const loam_graph *graph)
{
    return graph && graph->failure.code == LOAM_OK && !graph->plan;
}

loam_tensor loam_build_add(loam_graph *graph, const struct node *node)
{
    if (!loam_memory_grow(graph->memory, (void **)&graph->nodes, &graph->node_capacity,
                          (uint64_t)graph->node_count + 1, sizeof *node))
        return REFUSE(graph, LOAM_MEMORY, "out of memory while building a graph");
    graph->nodes[graph->node_count] = *node;
    return (loam_tensor)graph->node_count++;
}

/* The node of a tensor that holds rows of numbers, or NULL and a failure. */
const struct node *loam_build_rows(loam_graph *graph, loam_tensor tensor, const char *what)
{
    if (tensor < 0 || (size_t)tensor >= graph->node_count ||
        graph->nodes[tensor].operation == OP_WEIGHT) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT, "%s: tensor %d is not a tensor of rows", what,
                     (int)tensor);
        return NULL;
    }
    return &graph->nodes[tensor];
}

/* The weight of a tensor, or NULL and a failure. rows 0: any number. */
const struct weight *loam_build_weight(loam_graph *graph, loam_tensor tensor, uint32_t width,
                                       uint32_t rows, const char *what)
{
    if (tensor < 0 || (size_t)tensor >= graph->node_count ||
        graph->nodes[tensor].operation != OP_WEIGHT) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT, "%s: tensor %d is not a weight", what,
                     (int)tensor);
        return NULL;
    }
    const struct weight *weight = loam_graph_weight_of(graph, tensor);
    if (weight->width != width || (rows && weight->rows != rows)) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT,
                     "%s: weight %s is %u wide with %u rows, but its input is %u wide", what,
                     weight->name, weight->width, weight->rows, width);
        return NULL;
    }
    return weight;
}

/* A weight that is one row of f32. */
bool loam_build_vector(loam_graph *graph, loam_tensor tensor, uint32_t width, const char *what)
{
    const struct weight *weight = loam_build_weight(graph, tensor, width, 1, what);
    if (!weight)
        return false;
    if (weight->type->id == LOAM_TYPE_F32)
        return true;
    (void)REFUSE(graph, LOAM_UNSUPPORTED, "%s: weight %s has type %s; vectors are F32", what,
                 weight->name, weight->type->name);
    return false;
}

struct node loam_build_node(enum operation operation, loam_tensor a, loam_tensor b, loam_tensor c)
{
    struct node node = {.operation = operation, .inputs = {a, b, c}};
    for (size_t i = 3; i < NODE_INPUTS; i++)
        node.inputs[i] = LOAM_NO_TENSOR;
    return node;
}

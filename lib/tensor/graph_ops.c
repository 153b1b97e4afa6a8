/* SPDX-License-Identifier: MIT */
/* Building a graph: operations on rows that the plain llama does without. */
#include "tensor/build.h"

/* Whether a norm's or scale's vector fits: one group's numbers or the row's. */
static bool fits(loam_graph *graph, loam_tensor vector, uint32_t group, uint32_t width)
{
    if (vector == LOAM_NO_TENSOR)
        return true;
    bool whole =
        vector >= 0 && (size_t)vector < graph->node_count && graph->nodes[vector].width == width;
    return loam_build_vector(graph, vector, whole ? width : group, "norm");
}

loam_tensor loam_graph_norm(loam_graph *graph, loam_tensor x, loam_tensor weight, loam_tensor bias,
                            const loam_norm_options *options)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    loam_norm_options norm;
    if (loam_struct_read(&norm, sizeof norm, options, "norm options", &graph->failure))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "norm");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (norm.group_width == 0)
        norm.group_width = rows->width;
    if (norm.kind < LOAM_NORM_RMS || norm.kind > LOAM_NORM_L2 ||
        !(norm.epsilon >= 0 && norm.epsilon < 1e30f) || rows->width % norm.group_width != 0)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "norm: kind %d, groups of %u in rows of %u, or epsilon, is not possible",
                      (int)norm.kind, norm.group_width, rows->width);
    if (!fits(graph, weight, norm.group_width, rows->width) ||
        !fits(graph, bias, norm.group_width, rows->width))
        return LOAM_NO_TENSOR;
    bool plain = norm.kind == LOAM_NORM_RMS && norm.group_width == rows->width &&
                 weight != LOAM_NO_TENSOR && bias == LOAM_NO_TENSOR;
    if (plain) /* the operation that all backends have */
        return loam_graph_rms_norm(graph, x, weight, norm.epsilon);
    struct node node = loam_build_node(OP_NORM, x, weight, bias);
    node.width = rows->width;
    node.outputs_only = rows->outputs_only;
    node.norm = norm;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_map(loam_graph *graph, loam_tensor x, int32_t function,
                           const float *parameters)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "map");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (function < 0 || function >= LOAM_ACTIVATION_COUNT)
        return REFUSE(graph, LOAM_UNSUPPORTED, "map: function %d is not known", (int)function);
    struct node node = loam_build_node(OP_MAP, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    for (size_t i = 0; parameters && i < 4; i++) {
        if (parameters[i] != parameters[i])
            return REFUSE(graph, LOAM_INVALID_ARGUMENT, "map: a parameter is not a number");
        node.parameters[i] = parameters[i];
    }
    node.width = rows->width;
    node.outputs_only = rows->outputs_only;
    node.activation = function;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_multiply(loam_graph *graph, loam_tensor a, loam_tensor b)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *left = loam_build_rows(graph, a, "multiply");
    const struct node *right = left ? loam_build_rows(graph, b, "multiply") : NULL;
    if (!right)
        return LOAM_NO_TENSOR;
    if (left->width % right->width != 0 || left->outputs_only != right->outputs_only)
        return REFUSE(
            graph, LOAM_INVALID_ARGUMENT, "multiply: widths are %u and %u%s", left->width,
            right->width,
            left->outputs_only == right->outputs_only ? "" : ", and only one is of output rows");
    struct node node = loam_build_node(OP_MULTIPLY, a, b, LOAM_NO_TENSOR);
    node.width = left->width;
    node.outputs_only = left->outputs_only;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_affine(loam_graph *graph, loam_tensor x, loam_tensor weight,
                              loam_tensor bias)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "affine");
    if (!rows || !fits(graph, weight, rows->width, rows->width) ||
        !fits(graph, bias, rows->width, rows->width))
        return LOAM_NO_TENSOR;
    struct node node = loam_build_node(OP_AFFINE, x, weight, bias);
    node.width = rows->width;
    node.outputs_only = rows->outputs_only;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_slice(loam_graph *graph, loam_tensor x, uint32_t group_width, uint32_t first,
                             uint32_t count)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "slice");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (group_width == 0 || rows->width % group_width != 0 || count == 0 || first > group_width ||
        count > group_width - first)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "slice: %u numbers from %u of groups of %u do not fit a width of %u", count,
                      first, group_width, rows->width);
    struct node node = loam_build_node(OP_SLICE, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = rows->width / group_width * count;
    node.outputs_only = rows->outputs_only;
    node.slice = (struct slice){.group_width = group_width, .first = first, .count = count};
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_concatenate(loam_graph *graph, loam_tensor a, loam_tensor b, uint32_t groups)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *left = loam_build_rows(graph, a, "concatenate");
    const struct node *right = left ? loam_build_rows(graph, b, "concatenate") : NULL;
    if (!right)
        return LOAM_NO_TENSOR;
    if (groups == 0 || left->width % groups != 0 || right->width % groups != 0 ||
        left->outputs_only != right->outputs_only || left->width + right->width > MAX_WIDTH)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "concatenate: widths %u and %u do not make %u groups", left->width,
                      right->width, groups);
    struct node node = loam_build_node(OP_CONCATENATE, a, b, LOAM_NO_TENSOR);
    node.width = left->width + right->width;
    node.outputs_only = left->outputs_only;
    node.slice = (struct slice){.group_width = node.width / groups, .count = left->width / groups};
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_reduce(loam_graph *graph, loam_tensor x, const loam_reduce_options *options)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    loam_reduce_options reduce;
    if (loam_struct_read(&reduce, sizeof reduce, options, "reduce options", &graph->failure))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "reduce");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (reduce.group_width == 0)
        reduce.group_width = rows->width;
    if (reduce.kind < LOAM_REDUCE_LENGTH || reduce.kind > LOAM_REDUCE_DEVIATION ||
        rows->width % reduce.group_width != 0 ||
        (reduce.kind == LOAM_REDUCE_DEVIATION && reduce.group_width < 2) ||
        !(reduce.factor > -1e30f && reduce.factor < 1e30f))
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "reduce: kind %d, groups of %u in rows of %u, or factor, is not possible",
                      (int)reduce.kind, reduce.group_width, rows->width);
    struct node node = loam_build_node(OP_REDUCE, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = rows->width / reduce.group_width;
    node.outputs_only = rows->outputs_only;
    node.reduce = reduce;
    return loam_build_add(graph, &node);
}

loam_tensor loam_graph_mix(loam_graph *graph, loam_tensor x, loam_tensor factors, loam_tensor base,
                           uint32_t inputs)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "mix");
    const struct node *by = rows ? loam_build_rows(graph, factors, "mix factors") : NULL;
    const struct node *added =
        by && base != LOAM_NO_TENSOR ? loam_build_rows(graph, base, "mix base") : by;
    if (!added)
        return LOAM_NO_TENSOR;
    bool fits = inputs > 0 && rows->width % inputs == 0 && by->width % inputs == 0 &&
                rows->outputs_only == by->outputs_only && by->outputs_only == added->outputs_only;
    uint64_t width = fits ? (uint64_t)(rows->width / inputs) * (by->width / inputs) : 0;
    if (!fits || width > MAX_WIDTH || (base != LOAM_NO_TENSOR && added->width != width))
        return REFUSE(graph, LOAM_INVALID_ARGUMENT,
                      "mix: %u factors of %u parts of a width of %u do not fit", by->width, inputs,
                      rows->width);
    struct node node = loam_build_node(OP_MIX, x, factors, base);
    node.width = (uint32_t)width;
    node.outputs_only = rows->outputs_only;
    node.heads = inputs;
    return loam_build_add(graph, &node);
}

/* SPDX-License-Identifier: MIT */
/* Building a graph: products with several matrices at once. */
#include "tensor/build.h"

loam_tensor loam_graph_linear_heads(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                    uint32_t heads)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "linear heads");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (heads == 0 || rows->width % heads != 0)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "linear heads: %u heads in a width of %u",
                      heads, rows->width);
    const struct weight *matrix =
        loam_build_weight(graph, weight, rows->width / heads, 0, "linear heads");
    if (!matrix)
        return LOAM_NO_TENSOR;
    bool splits = matrix->type->packing && matrix->rows / heads % PANEL_ROWS != 0;
    if (matrix->rows % heads != 0 || splits)
        return REFUSE(graph, LOAM_UNSUPPORTED, "linear heads: weight %s has %u rows for %u heads%s",
                      matrix->name, matrix->rows, heads, splits ? ", no multiple of 16 each" : "");
    struct node node = loam_build_node(OP_LINEAR_HEADS, x, weight, LOAM_NO_TENSOR);
    node.width = matrix->rows;
    node.outputs_only = rows->outputs_only;
    node.heads = heads;
    return loam_build_add(graph, &node);
}

/* ---- experts -------------------------------------------------------------- */

/* One of the experts' matrices: `count` of [rows][width]. */
static bool fits(loam_graph *graph, loam_tensor tensor, uint32_t width, uint32_t rows,
                 uint32_t count)
{
    if ((uint64_t)rows * count > MAX_WIDTH) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT, "experts: %u of %u rows are too many", count,
                     rows);
        return false;
    }
    const struct weight *weight = loam_build_weight(graph, tensor, width, rows * count, "experts");
    if (weight && weight->type->packing && rows % PANEL_ROWS != 0) {
        (void)REFUSE(graph, LOAM_UNSUPPORTED,
                     "experts: weight %s has %u rows for each, expected a multiple of 16",
                     weight->name, rows);
        return false;
    }
    return weight != NULL;
}

static bool fits_bias(loam_graph *graph, loam_tensor tensor, uint32_t width)
{
    return tensor == LOAM_NO_TENSOR || loam_build_vector(graph, tensor, width, "experts");
}

/* NULL, or why the options can't be. */
static const char *check(const loam_experts_options *o)
{
    if (o->count == 0 || o->count > MAX_EXPERTS || o->used == 0 || o->used > MAX_EXPERTS_USED ||
        o->used > o->count)
        return "not 1 to 1024, with 1 to 64 and no more of them used";
    if (o->groups &&
        (o->count % o->groups != 0 || o->groups_used == 0 || o->groups_used > o->groups ||
         o->used > o->count / o->groups * o->groups_used))
        return "groups do not divide them, or hold fewer than are used";
    if (o->router < LOAM_ROUTER_SOFTMAX || o->router > LOAM_ROUTER_SIGMOID_SCORES)
        return "the router is not known";
    if (!(o->scale > -1e30f && o->scale < 1e30f))
        return "the scale is not a number";
    if (o->activation < 0 ||
        (o->activation >= LOAM_ACTIVATION_COUNT && o->activation != LOAM_ACTIVATION_CLAMPED_SWIGLU))
        return "the activation is not known";
    return NULL;
}

loam_tensor loam_graph_experts(loam_graph *graph, loam_tensor x, loam_tensor scores,
                               const loam_experts_weights *weights,
                               const loam_experts_options *options)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    loam_experts_options o;
    if (loam_struct_read(&o, sizeof o, options, "experts options", &graph->failure))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "experts");
    const struct node *router = rows ? loam_build_rows(graph, scores, "experts scores") : NULL;
    if (!router)
        return LOAM_NO_TENSOR;
    const char *reason = check(&o);
    if (reason)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "experts: %u: %s", o.count, reason);
    uint32_t width = rows->width;
    if (router->width != o.count || router->outputs_only != rows->outputs_only || !weights)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "experts: %u scores for %u experts",
                      router->width, o.count);
    struct node node = loam_build_node(OP_EXPERTS, x, scores, weights->gate);
    node.outputs_only = rows->outputs_only;
    loam_tensor down = weights->down;
    uint32_t hidden = down >= 0 && (size_t)down < graph->node_count ? graph->nodes[down].width : 0;
    uint32_t up_rows = o.gate_in_up ? 2 * hidden : hidden;
    if (o.gate_in_up && weights->gate != LOAM_NO_TENSOR)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "experts: a gate in up and one beside it");
    if ((weights->gate != LOAM_NO_TENSOR && !fits(graph, weights->gate, width, hidden, o.count)) ||
        !fits(graph, weights->up, width, up_rows, o.count) ||
        !fits(graph, down, hidden, width, o.count) ||
        !fits_bias(graph, weights->gate_bias, hidden * o.count) ||
        !fits_bias(graph, weights->up_bias, up_rows * o.count) ||
        !fits_bias(graph, o.has_scales ? o.scales : LOAM_NO_TENSOR, o.count) ||
        !fits_bias(graph, weights->down_bias, width * o.count) ||
        !fits_bias(graph, weights->selection_bias, o.count))
        return LOAM_NO_TENSOR;
    node.inputs[EXPERT_UP] = weights->up;
    node.inputs[EXPERT_DOWN] = down;
    node.inputs[EXPERT_GATE_BIAS] = weights->gate_bias;
    node.inputs[EXPERT_UP_BIAS] = weights->up_bias;
    node.inputs[EXPERT_DOWN_BIAS] = weights->down_bias;
    node.inputs[EXPERT_SELECTION_BIAS] = weights->selection_bias;
    node.inputs[EXPERT_SCALES] = o.has_scales ? o.scales : LOAM_NO_TENSOR;
    node.width = width;
    node.hidden = hidden;
    node.experts = o;
    node.index = graph->mixture_count++;
    return loam_build_add(graph, &node);
}

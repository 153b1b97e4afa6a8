/* SPDX-License-Identifier: MIT */
/* Building a graph: operations that remember what was before in a sequence. */
#include "tensor/build.h"

loam_tensor loam_graph_sum(loam_graph *graph, loam_tensor x, uint32_t group_width)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "sum");
    if (!rows)
        return LOAM_NO_TENSOR;
    if (group_width == 0 || rows->width % group_width != 0)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "sum: groups of %u in rows of %u", group_width,
                      rows->width);
    struct node node = loam_build_node(OP_SUM, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR);
    node.width = rows->width / group_width;
    node.outputs_only = rows->outputs_only;
    return loam_build_add(graph, &node);
}

/* Gives the node its part of the state and adds it. */
static loam_tensor add_remembering(loam_graph *graph, struct node *node, uint64_t floats)
{
    node->state_offset = graph->state_floats;
    loam_tensor tensor = loam_build_add(graph, node);
    if (tensor != LOAM_NO_TENSOR) /* a part has at most 2^34 numbers, a graph at most 2^28 nodes */
        graph->state_floats += (floats + SCAN_LANES - 1) / SCAN_LANES * SCAN_LANES;
    return tensor;
}

/* ---- convolution ------------------------------------------------------------ */

static loam_tensor convolve(loam_graph *graph, loam_tensor x, loam_tensor weight, loam_tensor bias,
                            uint32_t taps)
{
    const struct node *rows = loam_build_rows(graph, x, "convolve");
    if (!rows)
        return LOAM_NO_TENSOR;
    uint32_t width = rows->width;
    if (rows->outputs_only || taps < 2 || taps > MAX_TAPS)
        return REFUSE(graph, LOAM_UNSUPPORTED, "convolve: %u taps, expected 2 to %u%s", taps,
                      MAX_TAPS, rows->outputs_only ? ", and all rows" : "");
    struct node node = loam_build_node(OP_CONVOLVE, x, weight, bias);
    node.width = width;
    node.taps = taps;
    return add_remembering(graph, &node, (uint64_t)(taps - 1) * width);
}

loam_tensor loam_graph_convolve(loam_graph *graph, loam_tensor x, loam_tensor weight,
                                loam_tensor bias)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    const struct node *rows = loam_build_rows(graph, x, "convolve");
    uint32_t taps =
        weight >= 0 && (size_t)weight < graph->node_count ? graph->nodes[weight].width : 0;
    const struct weight *matrix =
        rows ? loam_build_weight(graph, weight, taps, rows->width, "convolve") : NULL;
    if (!matrix)
        return LOAM_NO_TENSOR;
    if (matrix->type->id != LOAM_TYPE_F32)
        return REFUSE(graph, LOAM_UNSUPPORTED, "convolve: weight %s has type %s, expected F32",
                      matrix->name, matrix->type->name);
    if (bias != LOAM_NO_TENSOR && !loam_build_vector(graph, bias, rows->width, "convolve bias"))
        return LOAM_NO_TENSOR;
    return convolve(graph, x, weight, bias, taps);
}

loam_tensor loam_graph_previous(loam_graph *graph, loam_tensor x)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    return convolve(graph, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR, 2);
}

/* ---- scan --------------------------------------------------------------------- */

/* NULL, or why the options can't be. */
static const char *check(const loam_scan_options *o)
{
    if (o->rule < LOAM_SCAN_STATE_SPACE || o->rule > LOAM_SCAN_GENERAL_DELTA)
        return "the rule is not known";
    if (o->heads == 0 || o->heads > MAX_WIDTH || o->heads % o->key_heads != 0)
        return "key heads do not divide them";
    if (o->key_width == 0 || o->key_width > MAX_SCAN_WIDTH || o->value_width == 0 ||
        o->value_width > MAX_WIDTH)
        return "their widths are not possible";
    if (!(o->scale > -1e30f && o->scale < 1e30f))
        return "the scale is not a number";
    return NULL;
}

/* Whether the tensor holds all rows, that wide; else a failure. */
static bool fits(loam_graph *graph, loam_tensor tensor, uint64_t width, const char *what)
{
    const struct node *rows = loam_build_rows(graph, tensor, what);
    if (rows && (rows->width != width || rows->outputs_only)) {
        (void)REFUSE(graph, LOAM_INVALID_ARGUMENT, "%s: the width is %u, expected %llu of all rows",
                     what, rows->width, (unsigned long long)width);
        return false;
    }
    return rows != NULL;
}

/* The rates of heads, or of a head's numbers. */
static bool fits_rate(loam_graph *graph, loam_tensor rate, const loam_scan_options *o)
{
    uint64_t whole = (uint64_t)o->heads * o->key_width;
    bool each = rate >= 0 && (size_t)rate < graph->node_count && graph->nodes[rate].width == whole;
    return loam_build_vector(graph, rate, each ? (uint32_t)whole : o->heads, "scan rate");
}

/* Checks and places what the rule has of its own. */
static bool take_inputs(loam_graph *graph, struct node *node, const loam_scan_inputs *in)
{
    const loam_scan_options *o = &node->scan;
    uint64_t keys = (uint64_t)o->key_heads * o->key_width;
    if (!fits(graph, in->query, keys, "scan query") || !fits(graph, in->key, keys, "scan key") ||
        !fits(graph, in->value, (uint64_t)o->heads * o->value_width, "scan value") ||
        (in->skip != LOAM_NO_TENSOR && !loam_build_vector(graph, in->skip, o->heads, "scan skip")))
        return false;
    if (o->rule == LOAM_SCAN_GENERAL_DELTA) {
        node->inputs[SCAN_DECAY] = in->decay;
        node->inputs[SCAN_A] = in->a;
        node->inputs[SCAN_B] = in->b;
        return fits(graph, in->decay, keys, "scan decay") && fits(graph, in->a, keys, "scan a") &&
               fits(graph, in->b, keys, "scan b");
    }
    node->inputs[SCAN_STEP] = in->step;
    node->inputs[SCAN_RATE] = in->rate;
    if (!fits(graph, in->step, o->heads, "scan step") || !fits_rate(graph, in->rate, o))
        return false;
    if (o->rule == LOAM_SCAN_STATE_SPACE)
        return true;
    node->inputs[SCAN_GAIN] = in->gain;
    return fits(graph, in->gain, o->heads, "scan gain");
}

loam_tensor loam_graph_scan(loam_graph *graph, const loam_scan_inputs *inputs,
                            const loam_scan_options *options)
{
    if (!loam_build_open(graph))
        return LOAM_NO_TENSOR;
    loam_scan_options o;
    if (loam_struct_read(&o, sizeof o, options, "scan options", &graph->failure))
        return LOAM_NO_TENSOR;
    if (o.key_heads == 0)
        o.key_heads = o.heads ? o.heads : 1;
    if (o.scale == 0)
        o.scale = 1;
    const char *reason = inputs ? check(&o) : "there are no inputs";
    uint64_t columns = (uint64_t)o.heads * o.value_width;
    if (reason || columns > MAX_WIDTH)
        return REFUSE(graph, LOAM_INVALID_ARGUMENT, "scan: %u heads of %u times %u: %s", o.heads,
                      o.value_width, o.key_width, reason ? reason : "too many");
    struct node node = loam_build_node(OP_SCAN, inputs->query, inputs->key, inputs->value);
    node.scan = o;
    node.width = (uint32_t)columns;
    if (!take_inputs(graph, &node, inputs))
        return LOAM_NO_TENSOR;
    node.inputs[SCAN_SKIP] = inputs->skip;
    uint64_t padded = (columns + SCAN_LANES - 1) / SCAN_LANES * SCAN_LANES;
    return add_remembering(graph, &node, padded * o.key_width);
}

uint64_t loam_graph_state_bytes(const loam_graph *graph)
{
    return graph ? graph->state_floats * sizeof(float) : 0;
}

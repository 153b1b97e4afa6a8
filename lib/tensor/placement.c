/* SPDX-License-Identifier: MIT */
/*
 * Placing: from nodes to segments, then what crosses between them, who waits
 * for whom, and where in the staging memory a crossing value lies.
 */
#include "tensor/engine.h"
#include "tensor/plan.h"

static bool is_leaf(const struct node *node)
{
    return node->operation == OP_INPUT || node->operation == OP_WEIGHT;
}

/* ---- nodes ---------------------------------------------------------------- */

/* The matrix that a refusal is most likely about, or NULL. */
static const struct weight *matrix_of(const loam_graph *graph, const struct node *node)
{
    bool embeds = node->operation == OP_EMBED || node->operation == OP_EMBED_POSITION;
    size_t place = node->operation == OP_EXPERTS ? EXPERT_UP : embeds ? 0 : 1;
    loam_tensor matrix = node->inputs[place];
    bool has_weight = matrix != LOAM_NO_TENSOR && graph->nodes[matrix].operation == OP_WEIGHT;
    return has_weight ? loam_graph_weight_of(graph, matrix) : NULL;
}

/* Why the backend can't have the node, or an attention that uses the keys and
 * values of this one and so must be where it is; or NULL. */
static const char *refusal(const struct backend *backend, const loam_graph *graph, size_t i)
{
    const struct node *node = &graph->nodes[i];
    const char *reason = backend->functions->refuses(backend, graph, node);
    for (size_t k = i + 1; node->operation == OP_ATTENTION && !reason && k < graph->node_count; k++)
        if (loam_node_shares(&graph->nodes[k]) && graph->nodes[k].index == node->index)
            reason = backend->functions->refuses(backend, graph, &graph->nodes[k]);
    return reason;
}

static loam_status place_node(struct plan *plan, size_t i, loam_error *error)
{
    const loam_graph *graph = plan->graph;
    const struct node *node = &graph->nodes[i];
    const char *reason = NULL;
    plan->backend_of[i] = NO_BACKEND;
    if (is_leaf(node))
        return LOAM_OK;
    if (loam_node_shares(node)) {
        plan->backend_of[i] = plan->backend_of[node->attention.shared_kv];
        return LOAM_OK;
    }
    for (uint32_t b = 0; b <= graph->engine->device_count; b++) {
        /* Devices from the first to the last, then the CPU. */
        uint32_t index = b < graph->engine->device_count ? CPU_BACKEND + 1 + b : CPU_BACKEND;
        const struct backend *backend = loam_engine_backend(graph->engine, index);
        reason = refusal(backend, graph, i);
        if (!reason) {
            plan->backend_of[i] = (uint8_t)index;
            return LOAM_OK;
        }
    }
    const struct weight *weight = matrix_of(graph, node);
    return loam_fail(error, LOAM_UNSUPPORTED, "%s%s%s%s: %s", weight ? weight->name : "graph",
                     weight ? " (" : "", weight ? weight->type->name : "", weight ? ")" : "",
                     reason);
}

/* Marks the backends that read each weight; the CPU keeps one that nobody reads. */
static void mark_weights(struct plan *plan)
{
    const loam_graph *graph = plan->graph;
    memset(plan->weight_users, 0, graph->weight_count);
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t k = 0; k < LOAM_COUNT_OF(graph->nodes[i].inputs); k++) {
            loam_tensor input = graph->nodes[i].inputs[k];
            if (input != LOAM_NO_TENSOR && graph->nodes[input].operation == OP_WEIGHT)
                plan->weight_users[graph->nodes[input].index] |=
                    (uint8_t)(1u << plan->backend_of[i]);
        }
    for (size_t i = 0; i < graph->weight_count; i++)
        if (!plan->weight_users[i])
            plan->weight_users[i] = 1u << CPU_BACKEND;
}

/* ---- segments ------------------------------------------------------------- */

static void cut_segments(struct plan *plan)
{
    const loam_graph *graph = plan->graph;
    struct segment *segment = NULL;
    plan->segment_count = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        if (plan->backend_of[i] == NO_BACKEND)
            continue;
        if (!segment || segment->backend != plan->backend_of[i]) {
            segment = &plan->segments[plan->segment_count++];
            *segment = (struct segment){.backend = plan->backend_of[i], .first = (loam_tensor)i};
        }
        segment->end = (loam_tensor)i + 1;
    }
}

/* What listing knows of each value. */
struct value {
    uint32_t maker;  /* segment; 0 for inputs, which are there from the start */
    uint8_t present; /* bit b: backend b has it, or will have had it come in */
    uint8_t users;   /* bit b: a node on backend b uses it */
};

/* Sets maker and users of all values. */
static void find_users(const struct plan *plan, struct value *values)
{
    const loam_graph *graph = plan->graph;
    for (uint32_t s = 0; s < plan->segment_count; s++)
        for (loam_tensor i = plan->segments[s].first; i < plan->segments[s].end; i++) {
            if (plan->backend_of[i] == NO_BACKEND)
                continue;
            values[i].maker = s;
            values[i].present = (uint8_t)(1u << plan->segments[s].backend);
            for (size_t k = 0; k < LOAM_COUNT_OF(graph->nodes[i].inputs); k++)
                if (graph->nodes[i].inputs[k] != LOAM_NO_TENSOR)
                    values[graph->nodes[i].inputs[k]].users |= values[i].present;
        }
}

/* Lists what comes into segment s and what goes out; returns the list's end. */
static loam_tensor *list_values(struct plan *plan, uint32_t s, struct value *values,
                                loam_tensor *list)
{
    const loam_graph *graph = plan->graph;
    struct segment *segment = &plan->segments[s];
    uint8_t here = (uint8_t)(1u << segment->backend);
    segment->incoming = list;
    for (loam_tensor i = segment->first; i < segment->end; i++)
        for (size_t k = 0; k < LOAM_COUNT_OF(graph->nodes[i].inputs); k++) {
            loam_tensor input = graph->nodes[i].inputs[k];
            if (input == LOAM_NO_TENSOR || graph->nodes[input].operation == OP_WEIGHT ||
                values[input].present & here)
                continue;
            values[input].present |= here;
            *list++ = input;
        }
    segment->incoming_count = (uint32_t)(list - segment->incoming);
    segment->outgoing = list;
    for (loam_tensor i = segment->first; i < segment->end; i++)
        if (plan->backend_of[i] != NO_BACKEND && (i == graph->result || values[i].users & ~here))
            *list++ = i;
    segment->outgoing_count = (uint32_t)(list - segment->outgoing);
    return list;
}

/* A segment waits for the makers of what comes in, unless they were waited
 * for since. */
static void find_waits(struct plan *plan, const struct value *values)
{
    uint32_t waited[MOST_BACKENDS] = {0}; /* segments before this one are done */
    for (uint32_t s = 0; s < plan->segment_count; s++) {
        struct segment *segment = &plan->segments[s];
        for (uint32_t i = 0; i < segment->incoming_count; i++) {
            loam_tensor value = segment->incoming[i];
            uint32_t maker = plan->backend_of[value];
            if (maker != NO_BACKEND && maker != CPU_BACKEND && values[value].maker >= waited[maker])
                segment->awaited |= 1u << maker;
        }
        for (uint32_t b = 0; b < MOST_BACKENDS; b++)
            if (segment->awaited >> b & 1)
                waited[b] = s;
    }
}

/* ---- staging -------------------------------------------------------------- */

/* The last segment that may run while a value which comes into segment s is
 * still being read: a device reads it any time until it is waited for. */
static uint32_t read_until(const struct plan *plan, uint32_t s)
{
    uint32_t reader = plan->segments[s].backend, last = s;
    if (reader == CPU_BACKEND)
        return s;
    while (last + 1 < plan->segment_count && !(plan->segments[last + 1].awaited >> reader & 1))
        last++;
    return last;
}

/* The CPU reads a value in place each time, not only where it came in first. */
static void keep_inputs(struct plan *plan, const struct node *node, uint32_t now)
{
    for (size_t k = 0; k < LOAM_COUNT_OF(node->inputs); k++)
        if (node->inputs[k] != LOAM_NO_TENSOR)
            loam_layout_keep(&plan->staging, plan->staged[node->inputs[k]], now);
}

/* Places the values that cross, except the result, which has memory of the
 * caller, and inputs. Moments are segments. */
static bool lay_out_staging(struct plan *plan)
{
    const loam_graph *graph = plan->graph;
    struct layout *staging = &plan->staging;
    for (size_t i = 0; i < graph->node_count; i++)
        plan->staged[i] = NO_BUFFER;
    for (uint32_t s = 0; s < plan->segment_count; s++) {
        const struct segment *segment = &plan->segments[s];
        for (uint32_t i = 0; i < segment->outgoing_count; i++) {
            loam_tensor value = segment->outgoing[i];
            const struct node *node = &graph->nodes[value];
            if (value == graph->result)
                continue;
            plan->staged[value] =
                loam_layout_add(staging, graph->memory,
                                loam_plan_rows(plan, node) * node->width * sizeof(float), s);
            if (plan->staged[value] == NO_BUFFER)
                return false;
        }
        for (uint32_t i = 0; i < segment->incoming_count; i++)
            loam_layout_keep(staging, plan->staged[segment->incoming[i]], read_until(plan, s));
        for (loam_tensor i = segment->first; i < segment->end; i++)
            if (segment->backend == CPU_BACKEND)
                keep_inputs(plan, &graph->nodes[i], s);
    }
    loam_layout_place(staging);
    return true;
}

/* ---- the whole ------------------------------------------------------------ */

loam_status loam_placement_make(struct plan *plan, loam_error *error)
{
    const loam_graph *graph = plan->graph;
    struct memory *memory = graph->memory;
    uint64_t nodes = graph->node_count;
    plan->backend_of = loam_memory_get(memory, nodes, sizeof *plan->backend_of);
    plan->segments = loam_memory_get(memory, nodes, sizeof *plan->segments);
    /* A node lists its inputs and itself at most. */
    plan->lists = loam_memory_get(memory, nodes, (NODE_INPUTS + 1) * sizeof *plan->lists);
    plan->weight_users = loam_memory_get(memory, graph->weight_count, sizeof *plan->weight_users);
    plan->values = loam_memory_get_zero(memory, nodes, sizeof *plan->values);
    plan->staged = loam_memory_get(memory, nodes, sizeof *plan->staged);
    struct value *values = loam_memory_get_zero(memory, nodes, sizeof *values);
    loam_status status = LOAM_OK;
    if (!plan->backend_of || !plan->segments || !plan->lists || !plan->weight_users ||
        !plan->values || !plan->staged || !values)
        status = loam_fail_memory(error, nodes * sizeof *plan->segments);
    for (size_t i = 0; !status && i < nodes; i++)
        status = place_node(plan, i, error);
    if (!status) {
        mark_weights(plan);
        cut_segments(plan);
        find_users(plan, values);
        loam_tensor *list = plan->lists;
        for (uint32_t s = 0; s < plan->segment_count; s++)
            list = list_values(plan, s, values, list);
        find_waits(plan, values);
        if (!lay_out_staging(plan))
            status = loam_fail_memory(error, nodes * sizeof(struct buffer));
    }
    loam_memory_free(memory, values);
    return status;
}

void loam_placement_end(struct plan *plan)
{
    struct memory *memory = plan->graph->memory;
    loam_memory_free(memory, plan->backend_of);
    loam_memory_free(memory, plan->segments);
    loam_memory_free(memory, plan->lists);
    loam_memory_free(memory, plan->weight_users);
    loam_memory_free(memory, plan->values);
    loam_memory_free(memory, plan->staged);
    loam_layout_end(&plan->staging, memory);
}

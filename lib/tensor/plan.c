/* SPDX-License-Identifier: MIT */
/* From a built graph to a runnable one. */
#include "tensor/plan.h"
#include "tensor/engine.h"

/* Fills in what the caller left to us and checks the rest. */
static loam_status complete_options(loam_compile_options *out, const loam_compile_options *given,
                                    loam_error *error)
{
    loam_status status = loam_struct_read(out, sizeof *out, given, "compile options", error);
    if (status)
        return status;
    if (out->max_rows == 0)
        out->max_rows = 256;
    if (out->max_sequences == 0)
        out->max_sequences = (uint32_t)loam_min(16, out->max_rows);
    if (out->max_outputs == 0)
        out->max_outputs = out->max_rows;
    if (out->kv_type == LOAM_KV_DEFAULT)
        out->kv_type = LOAM_KV_F16;
    if (out->max_rows > 4096 || out->max_sequences > out->max_rows ||
        out->max_outputs > out->max_rows || out->kv_type < 0 || out->kv_type > LOAM_KV_Q8_0)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "compile options: max_rows %u (at most 4096), max_sequences %u and "
                         "max_outputs %u (at most max_rows), kv_type %d",
                         out->max_rows, out->max_sequences, out->max_outputs, (int)out->kv_type);
    return LOAM_OK;
}

static const struct backend_functions *functions_of(const struct plan *plan, uint32_t backend)
{
    return loam_engine_backend(plan->graph->engine, backend)->functions;
}

/* ---- planning ------------------------------------------------------------- */

/* The CPU's weights are the graph's own; a device has a table of its own. */
static loam_status take_weights(struct plan *plan, uint32_t b, loam_error *error)
{
    loam_graph *graph = plan->graph;
    plan->weights[b] = graph->weights;
    if (b == CPU_BACKEND)
        return LOAM_OK;
    plan->weights[b] = loam_memory_get(graph->memory, graph->weight_count, sizeof(struct weight));
    if (!plan->weights[b])
        return loam_fail_memory(error, graph->weight_count * sizeof(struct weight));
    if (graph->weight_count)
        memcpy(plan->weights[b], graph->weights, graph->weight_count * sizeof(struct weight));
    return LOAM_OK;
}

/* Weights begin at multiples of 64 bytes. */
static uint64_t room_of(const struct backend *backend, const struct weight *weight)
{
    return (backend->functions->weight_bytes(backend, weight) + 63) & ~UINT64_C(63);
}

/* What the weights on one backend take. */
static void measure_weights(struct plan *plan, uint32_t b)
{
    struct backend *backend = loam_engine_backend(plan->graph->engine, b);
    for (size_t i = 0; i < plan->graph->weight_count; i++) {
        const struct weight *weight = &plan->weights[b][i];
        if (!(plan->weight_users[i] >> b & 1))
            continue;
        plan->size.weight_bytes += room_of(backend, weight);
        plan->size.upload_bytes =
            loam_max(plan->size.upload_bytes, backend->functions->upload_bytes(backend, weight));
    }
}

/* One backend's share: its weights, and its program if it has segments. */
static loam_status plan_backend(struct plan *plan, uint32_t b, loam_error *error)
{
    struct backend *backend = loam_engine_backend(plan->graph->engine, b);
    struct program_size size = {0};
    bool computes = false;
    for (size_t s = 0; s < plan->segment_count; s++)
        computes = computes || plan->segments[s].backend == b;
    loam_status status = take_weights(plan, b, error);
    if (!status && computes)
        status = backend->functions->compile(&plan->programs[b], backend, plan, error);
    if (status)
        return status;
    measure_weights(plan, b);
    if (computes)
        backend->functions->measure(&size, plan->programs[b]);
    plan->page_offset[b] = plan->size.page_bytes;
    plan->size.page_bytes += size.page_bytes;
    plan->size.device_page_bytes += size.device_page_bytes;
    plan->size.scratch_bytes += size.scratch_bytes;
    return LOAM_OK;
}

/* Checks the graph, places its nodes and has the backends compile them. */
static loam_status make_plan(loam_graph *graph, loam_tensor result,
                             const loam_compile_options *options, loam_error *error)
{
    loam_status status = loam_graph_failure(graph, error);
    if (!status)
        status = complete_options(&graph->options, options, error);
    if (status)
        return status;
    if (graph->plan)
        return loam_fail(error, LOAM_STATE, "the graph is compiled already");
    if (result < 0 || (size_t)result >= graph->node_count ||
        graph->nodes[result].operation <= OP_WEIGHT)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "result: tensor %d is not made by an operation of the graph", (int)result);
    graph->result = result;
    graph->plan = loam_memory_get_zero(graph->memory, 1, sizeof *graph->plan);
    if (!graph->plan)
        return loam_fail_memory(error, sizeof *graph->plan);
    graph->plan->graph = graph;
    status = loam_placement_make(graph->plan, error);
    for (uint32_t b = 0; !status && b <= graph->engine->device_count; b++)
        status = plan_backend(graph->plan, b, error);
    graph->plan->size.scratch_bytes += graph->plan->staging.bytes;
    return status;
}

loam_status loam_graph_measure(struct graph_size *out, loam_graph *graph, loam_tensor result,
                               const loam_compile_options *options, loam_error *error)
{
    loam_status status = make_plan(graph, result, options, error);
    if (!status)
        *out = graph->plan->size;
    return status;
}

void loam_plan_release(struct plan *plan)
{
    if (!plan)
        return;
    loam_graph *graph = plan->graph;
    for (uint32_t b = 0; b < MOST_BACKENDS; b++) {
        if (plan->programs[b])
            functions_of(plan, b)->release(plan->programs[b]);
        for (size_t i = 0; plan->weights[b] && i < graph->weight_count; i++)
            functions_of(plan, b)->release_weight(loam_engine_backend(graph->engine, b),
                                                  &plan->weights[b][i]);
        if (b != CPU_BACKEND)
            loam_memory_free(graph->memory, plan->weights[b]);
    }
    loam_memory_free_large(graph->memory, plan->weight_memory, plan->weight_memory_bytes);
    loam_memory_free_large(graph->memory, plan->staging_memory, plan->staging.bytes);
    loam_placement_end(plan);
    loam_memory_free(graph->memory, plan);
}

/* ---- compiling ------------------------------------------------------------ */

/* One block for all weights of the CPU: a weight of its own in memory would begin and
 * end in pages of 4 KB, whose addresses cost more to translate than their bytes to read. */
static loam_status take_room(struct plan *plan, loam_error *error)
{
    struct backend *backend = loam_engine_backend(plan->graph->engine, CPU_BACKEND);
    struct weight *weights = plan->weights[CPU_BACKEND];
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->graph->weight_count; i++)
        if (plan->weight_users[i] >> CPU_BACKEND & 1)
            bytes += room_of(backend, &weights[i]);
    if (bytes == 0)
        return LOAM_OK;
    plan->weight_memory = loam_memory_get_large(plan->graph->memory, bytes);
    if (!plan->weight_memory)
        return loam_fail_memory(error, bytes);
    plan->weight_memory_bytes = bytes;
    unsigned char *next = plan->weight_memory;
    for (size_t i = 0; i < plan->graph->weight_count; i++) {
        if (!(plan->weight_users[i] >> CPU_BACKEND & 1))
            continue;
        weights[i].room = next;
        next += room_of(backend, &weights[i]);
    }
    return LOAM_OK;
}

static loam_status upload(struct plan *plan, const struct weight_reader *reader, loam_error *error)
{
    loam_engine *engine = plan->graph->engine;
    loam_status status = take_room(plan, error);
    for (size_t i = 0; i < plan->graph->weight_count; i++)
        for (uint32_t b = 0; !status && b <= engine->device_count; b++)
            if (plan->weight_users[i] >> b & 1)
                status = functions_of(plan, b)->upload(loam_engine_backend(engine, b),
                                                       &plan->weights[b][i], reader, error);
    return status;
}

static loam_status take_staging(struct plan *plan, loam_error *error)
{
    if (plan->staging.bytes == 0)
        return LOAM_OK;
    plan->staging_memory = loam_memory_get_large(plan->graph->memory, plan->staging.bytes);
    if (!plan->staging_memory)
        return loam_fail_memory(error, plan->staging.bytes);
    for (size_t i = 0; i < plan->graph->node_count; i++)
        if (plan->staged[i] != NO_BUFFER)
            plan->values[i] =
                (float *)(plan->staging_memory + plan->staging.buffers[plan->staged[i]].offset);
    return LOAM_OK;
}

loam_status loam_graph_compile_from(loam_graph *graph, loam_tensor result,
                                    const loam_compile_options *options,
                                    const struct weight_reader *reader, loam_error *error)
{
    loam_status status = make_plan(graph, result, options, error);
    if (!status)
        status = upload(graph->plan, reader, error);
    for (uint32_t b = 0; !status && b < MOST_BACKENDS; b++)
        if (graph->plan->programs[b])
            status = functions_of(graph->plan, b)->allocate(graph->plan->programs[b], error);
    if (!status)
        status = take_staging(graph->plan, error);
    if (!status)
        graph->plan->ready = true;
    return status;
}

static loam_status read_from_memory(void *user, const struct weight *weight, uint64_t offset,
                                    void *out, size_t size, loam_error *error)
{
    (void)user;
    (void)error;
    memcpy(out, (const char *)weight->data + offset, size);
    return LOAM_OK;
}

loam_status loam_graph_compile(loam_graph *graph, loam_tensor result,
                               const loam_compile_options *options, loam_error *error)
{
    if (!graph)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "graph is NULL");
    const struct weight_reader reader = {.read = read_from_memory, .concurrent = true};
    return loam_graph_compile_from(graph, result, options, &reader, error);
}

uint64_t loam_graph_page_bytes(const loam_graph *graph)
{
    return graph && graph->plan ? graph->plan->size.page_bytes : 0;
}

/* ---- pages ---------------------------------------------------------------- */

/* The first `count` programs' parts of a page. */
static void close_parts(const struct plan *plan, void *page, uint32_t count)
{
    for (uint32_t b = 0; b < count; b++)
        if (plan->programs[b] && functions_of(plan, b)->page_close)
            functions_of(plan, b)->page_close(plan->programs[b],
                                              (char *)page + plan->page_offset[b]);
}

loam_status loam_graph_page_open(const loam_graph *graph, void *page, loam_error *error)
{
    const struct plan *plan = graph->plan;
    for (uint32_t b = 0; b <= graph->engine->device_count; b++) {
        if (!plan->programs[b] || !functions_of(plan, b)->page_open)
            continue;
        loam_status status = functions_of(plan, b)->page_open(
            plan->programs[b], (char *)page + plan->page_offset[b], error);
        if (status) {
            close_parts(plan, page, b);
            return status;
        }
    }
    return LOAM_OK;
}

void loam_graph_page_close(const loam_graph *graph, void *page)
{
    close_parts(graph->plan, page, MOST_BACKENDS);
}

/* SPDX-License-Identifier: MIT */
/* From a built graph to a runnable one, and running it. */
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

/* Checks the graph and has the backend plan it. */
static loam_status plan(loam_graph *graph, loam_tensor result, const loam_compile_options *options,
                        loam_error *error)
{
    loam_status status = loam_graph_failure(graph, error);
    if (!status)
        status = complete_options(&graph->options, options, error);
    if (status)
        return status;
    if (graph->segment)
        return loam_fail(error, LOAM_STATE, "the graph is compiled already");
    if (result < 0 || (size_t)result >= graph->node_count ||
        graph->nodes[result].operation <= OP_WEIGHT)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "result: tensor %d is not made by an operation of the graph", (int)result);
    graph->result = result;
    struct backend *backend = graph->engine->backend;
    for (size_t i = 0; i < graph->node_count; i++) {
        const char *reason = backend->functions->refuses(backend, graph, &graph->nodes[i]);
        if (!reason)
            continue;
        loam_tensor matrix = graph->nodes[i].operation == OP_EMBED ? graph->nodes[i].inputs[0]
                                                                   : graph->nodes[i].inputs[1];
        bool has_weight = matrix != LOAM_NO_TENSOR && graph->nodes[matrix].operation == OP_WEIGHT;
        const struct weight *weight = has_weight ? loam_graph_weight_of(graph, matrix) : NULL;
        return loam_fail(error, LOAM_UNSUPPORTED, "%s%s%s%s: %s", weight ? weight->name : "graph",
                         weight ? " (" : "", weight ? weight->type->name : "", weight ? ")" : "",
                         reason);
    }
    return backend->functions->compile(&graph->segment, backend, graph, error);
}

loam_status loam_graph_measure(struct graph_size *out, loam_graph *graph, loam_tensor result,
                               const loam_compile_options *options, loam_error *error)
{
    loam_status status = plan(graph, result, options, error);
    if (status)
        return status;
    struct backend *backend = graph->engine->backend;
    *out = (struct graph_size){.scratch_bytes = backend->functions->scratch_bytes(graph->segment),
                               .page_bytes = backend->functions->page_bytes(graph->segment)};
    for (size_t i = 0; i < graph->weight_count; i++) {
        const struct weight *weight = &graph->weights[i];
        uint64_t upload = backend->functions->upload_bytes(backend, weight);
        out->weight_bytes += backend->functions->weight_bytes(backend, weight);
        out->upload_bytes = upload > out->upload_bytes ? upload : out->upload_bytes;
    }
    return LOAM_OK;
}

loam_status loam_graph_compile_from(loam_graph *graph, loam_tensor result,
                                    const loam_compile_options *options,
                                    const struct weight_reader *reader, loam_error *error)
{
    loam_status status = plan(graph, result, options, error);
    struct backend *backend = graph->engine->backend;
    for (size_t i = 0; !status && i < graph->weight_count; i++)
        status = backend->functions->upload(backend, &graph->weights[i], reader, error);
    return status ? status : backend->functions->allocate(graph->segment, error);
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
    if (!graph || !graph->segment)
        return 0;
    return graph->engine->backend->functions->page_bytes(graph->segment);
}

/* ---- running -------------------------------------------------------------- */

static loam_status check_sequences(const loam_graph *graph, const loam_step_descriptor *step,
                                   loam_error *error)
{
    uint32_t next_row = 0;
    for (uint32_t i = 0; i < step->sequence_count; i++) {
        const loam_step_sequence *sequence = &step->sequences[i];
        if (sequence->first_row != next_row || sequence->row_count == 0 ||
            sequence->row_count > step->rows - next_row ||
            sequence->row_count > UINT32_MAX - sequence->position)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "step: sequence %u does not begin at row %u, or its rows do not fit",
                             i, next_row);
        next_row += sequence->row_count;
        uint64_t end = (uint64_t)sequence->position + sequence->row_count;
        if (graph->attention_count &&
            (!sequence->pages || (uint64_t)sequence->page_count * LOAM_PAGE_TOKENS < end))
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "step: the %u pages of sequence %u do not reach position %llu",
                             sequence->page_count, i, (unsigned long long)end - 1);
    }
    if (next_row != step->rows)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "step: %u rows, but the sequences have %u",
                         step->rows, next_row);
    return LOAM_OK;
}

static loam_status check_step(const loam_graph *graph, const loam_step_descriptor *step,
                              loam_error *error)
{
    const loam_compile_options *limits = &graph->options;
    if (step->rows == 0 || step->rows > limits->max_rows || step->sequence_count == 0 ||
        step->sequence_count > limits->max_sequences)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "step: %u rows (1 to %u) of %u sequences (1 to %u)", step->rows,
                         limits->max_rows, step->sequence_count, limits->max_sequences);
    if (!step->sequences || !step->result || (graph->input_count && !step->inputs) ||
        (graph->token_limit && !step->tokens))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "step: sequences, result, inputs or tokens is NULL");
    for (uint32_t i = 0; i < graph->input_count; i++)
        if (!step->inputs[i])
            return loam_fail(error, LOAM_INVALID_ARGUMENT, "step: inputs[%u] is NULL", i);
    for (uint32_t row = 0; graph->token_limit && row < step->rows; row++)
        if (step->tokens[row] < 0 || (uint32_t)step->tokens[row] >= graph->token_limit)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "step: tokens[%u] is %d, expected 0 to %u", row,
                             (int)step->tokens[row], graph->token_limit - 1);
    uint32_t outputs = 0;
    for (uint32_t row = 0; row < step->rows; row++)
        outputs += !step->output_rows || step->output_rows[row];
    if (outputs > limits->max_outputs)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "step: %u output rows, at most %u", outputs,
                         limits->max_outputs);
    return check_sequences(graph, step, error);
}

loam_status loam_graph_execute(loam_graph *graph, const loam_step_descriptor *step,
                               loam_error *error)
{
    return graph->engine->backend->functions->run(graph->segment, step, error);
}

loam_status loam_graph_run(loam_graph *graph, const loam_step_descriptor *given, loam_error *error)
{
    if (!graph || !given)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is NULL", graph ? "step" : "graph");
    if (!graph->segment)
        return loam_fail(error, LOAM_STATE, "the graph is not compiled");
    loam_step_descriptor step;
    loam_status status = loam_struct_read(&step, sizeof step, given, "step", error);
    if (!status)
        status = check_step(graph, &step, error);
    if (!status)
        status = loam_engine_enter(graph->engine, error);
    if (status)
        return status;
    status = loam_graph_execute(graph, &step, error);
    loam_engine_leave(graph->engine);
    return status;
}

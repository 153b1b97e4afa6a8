/* SPDX-License-Identifier: MIT */
/* One step: checking it, and running the plan's segments in their order. */
#include "tensor/engine.h"
#include "tensor/plan.h"

/* ---- what a caller may give ------------------------------------------------- */

/* The state before, behind, and in between. */
static loam_status check_states(const loam_step_sequence *sequence, uint32_t i, loam_error *error)
{
    bool begins = sequence->position == 0;
    if (!sequence->next_state || sequence->next_state == sequence->state ||
        (!begins && !sequence->state) || (begins && sequence->state))
        return loam_fail(
            error, LOAM_INVALID_ARGUMENT,
            "step: sequence %u needs next_state, and, but at position 0, a state apart "
            "from it",
            i);
    if (sequence->kept_rows &&
        (sequence->kept_rows >= sequence->row_count || !sequence->kept_state ||
         sequence->kept_state == sequence->state || sequence->kept_state == sequence->next_state))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "step: kept_rows of sequence %u is %u of %u, or there is no kept_state", i,
                         sequence->kept_rows, sequence->row_count);
    return LOAM_OK;
}

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
        if (graph->position_limit && end > graph->position_limit)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "step: sequence %u ends at position %llu, the graph has %u", i,
                             (unsigned long long)end - 1, graph->position_limit);
        if (graph->attention_count &&
            (!sequence->pages || (uint64_t)sequence->page_count * LOAM_PAGE_TOKENS < end))
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "step: the %u pages of sequence %u do not reach position %llu",
                             sequence->page_count, i, (unsigned long long)end - 1);
        loam_status status = graph->state_floats ? check_states(sequence, i, error) : LOAM_OK;
        if (status)
            return status;
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

/* ---- running -------------------------------------------------------------- */

/* Inputs and result are used where the caller has them. Nothing writes to an
 * input. */
static void set_values(struct plan *plan, const loam_step_descriptor *step)
{
    const loam_graph *graph = plan->graph;
    for (size_t i = 0; graph->input_count && i < graph->node_count; i++)
        if (graph->nodes[i].operation == OP_INPUT)
            plan->values[i] = (float *)(uintptr_t)step->inputs[graph->nodes[i].index];
    plan->values[graph->result] = step->result;
}

/* Waits for the backends of the set, each once; the first status other than OK
 * is returned, when all are idle. */
static loam_status await(const struct plan *plan, uint32_t *submitted, uint32_t wanted,
                         const loam_step_descriptor *step, loam_error *error)
{
    loam_status first = LOAM_OK;
    for (uint32_t b = 0; wanted >> b; b++) {
        if (!(wanted >> b & 1))
            continue;
        const struct backend *backend = loam_engine_backend(plan->graph->engine, b);
        loam_status status =
            backend->functions->wait(plan->programs[b], step, first ? NULL : error);
        first = first ? first : status;
        *submitted &= ~(1u << b);
    }
    return first;
}

static loam_status run_segment(struct plan *plan, uint32_t s, uint32_t *submitted,
                               const loam_step_descriptor *step, loam_error *error)
{
    const struct segment *segment = &plan->segments[s];
    const struct backend *backend = loam_engine_backend(plan->graph->engine, segment->backend);
    loam_status status = await(plan, submitted, segment->awaited & *submitted, step, error);
    if (status)
        return status;
    if (segment->backend != CPU_BACKEND)
        *submitted |= 1u << segment->backend;
    return backend->functions->submit(plan->programs[segment->backend], s, step, error);
}

loam_status loam_graph_execute(loam_graph *graph, const loam_step_descriptor *step,
                               loam_error *error)
{
    struct plan *plan = graph->plan;
    uint32_t submitted = 0; /* bit b: backend b may be at work */
    loam_status status = LOAM_OK;
    set_values(plan, step);
    if (step->sequence_numeric)
        memset(step->sequence_numeric, 0, step->sequence_count);
    for (uint32_t s = 0; !status && s < plan->segment_count; s++)
        status = run_segment(plan, s, &submitted, step, error);
    /* No device may touch the step's memory once it is over, however it ended. */
    loam_status last = await(plan, &submitted, submitted, step, status ? NULL : error);
    return status ? status : last;
}

loam_status loam_graph_run(loam_graph *graph, const loam_step_descriptor *given, loam_error *error)
{
    if (!graph || !given)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is NULL", graph ? "step" : "graph");
    if (!graph->plan || !graph->plan->ready)
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

/* SPDX-License-Identifier: MIT */
/*
 * Phases that remember what was before in a sequence: a tile is some channels
 * or columns of one sequence, over all its rows in the step.
 */
#include "cpu/run.h"

uint32_t loam_states_cut(struct work *work)
{
    const struct node *node = work->phase->node;
    const struct cpu_kernels *kernels = &work->program->backend->kernels;
    uint32_t most = 1, depth = node->operation == OP_SCAN ? 4 * node->scan.key_width : node->taps;
    for (uint32_t i = 0; i < work->step->sequence_count; i++)
        most = (uint32_t)loam_max(most, work->step->sequences[i].row_count);
    uint64_t columns = kernels->scan_products / ((uint64_t)most * depth);
    if (columns >= SCAN_LANES) /* no two tiles write to one cache line */
        columns = columns / SCAN_LANES * SCAN_LANES;
    columns = loam_min(loam_max(columns, kernels->scan_columns), node->width);
    work->outputs_per_tile = (uint32_t)columns;
    work->output_tiles = (node->width + work->outputs_per_tile - 1) / work->outputs_per_tile;
    return work->output_tiles * work->step->sequence_count;
}

/* Where a tile lies: its sequence, and [*first, *first + *count) of the width. */
static uint32_t place(const struct work *work, uint32_t tile, size_t *first, size_t *count)
{
    *first = (size_t)(tile % work->output_tiles) * work->outputs_per_tile;
    *count = loam_min(work->outputs_per_tile, work->phase->node->width - *first);
    return tile / work->output_tiles;
}

static const float *vector_of(const struct work *work, loam_tensor tensor)
{
    return tensor == LOAM_NO_TENSOR ? NULL : loam_work_weight(work, tensor)->resident;
}

/* The rows of a tensor from the sequence's first, or NULL. */
static const float *rows_of(const struct work *work, loam_tensor tensor,
                            const loam_step_sequence *sequence)
{
    if (tensor == LOAM_NO_TENSOR)
        return NULL;
    size_t width = loam_graph_node(work->program->graph, tensor)->width;
    return loam_work_value(work, tensor) + sequence->first_row * width;
}

static bool convolve(const struct work *work, const loam_step_sequence *sequence, size_t first,
                     size_t count)
{
    const struct node *node = work->phase->node;
    size_t offset = (size_t)node->state_offset;
    struct convolve_tile tile = {
        .x = rows_of(work, node->inputs[0], sequence),
        .weight = vector_of(work, node->inputs[1]),
        .bias = vector_of(work, node->inputs[2]),
        .out = loam_work_value(work, work->phase->tensor) + sequence->first_row * node->width,
        .width = node->width,
        .taps = node->taps,
        .rows = sequence->row_count,
        .first_channel = first,
        .channel_count = count,
        .window = sequence->state ? sequence->state + offset : NULL,
        .next_window = sequence->next_state + offset,
        .kept_window = sequence->kept_rows ? sequence->kept_state + offset : NULL,
        .kept_rows = sequence->kept_rows};
    return work->program->backend->kernels.convolve(&tile);
}

static bool scan(const struct work *work, const loam_step_sequence *sequence, size_t first,
                 size_t count)
{
    const struct node *node = work->phase->node;
    const loam_scan_options *o = &node->scan;
    size_t offset = (size_t)node->state_offset;
    struct scan_tile tile = {
        .rule = o->rule,
        .rows = sequence->row_count,
        .heads = o->heads,
        .key_heads = o->key_heads,
        .key_width = o->key_width,
        .value_width = o->value_width,
        .in_turn = o->in_turn != 0,
        .scale = o->scale,
        .query = rows_of(work, node->inputs[SCAN_QUERY], sequence),
        .key = rows_of(work, node->inputs[SCAN_KEY], sequence),
        .value = rows_of(work, node->inputs[SCAN_VALUE], sequence),
        .skip = vector_of(work, node->inputs[SCAN_SKIP]),
        .out = loam_work_value(work, work->phase->tensor) + sequence->first_row * node->width,
        .first_column = first,
        .column_count = count,
        .state = sequence->state ? sequence->state + offset : NULL,
        .next_state = sequence->next_state + offset,
        .kept_state = sequence->kept_rows ? sequence->kept_state + offset : NULL,
        .kept_rows = sequence->kept_rows};
    if (o->rule == LOAM_SCAN_GENERAL_DELTA) {
        tile.decay = rows_of(work, node->inputs[SCAN_DECAY], sequence);
        tile.a = rows_of(work, node->inputs[SCAN_A], sequence);
        tile.b = rows_of(work, node->inputs[SCAN_B], sequence);
    } else {
        tile.step = rows_of(work, node->inputs[SCAN_STEP], sequence);
        tile.rate = vector_of(work, node->inputs[SCAN_RATE]);
        tile.rates = loam_work_weight(work, node->inputs[SCAN_RATE])->width != o->heads;
        tile.gain = rows_of(work, node->inputs[SCAN_GAIN], sequence);
    }
    return work->program->backend->kernels.scan(&tile);
}

void loam_states_run(void *context, uint32_t tile, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    size_t first, count;
    uint32_t i = place(work, tile, &first, &count);
    const loam_step_sequence *sequence = &work->step->sequences[i];
    bool finite = work->phase->kind == PHASE_SCAN ? scan(work, sequence, first, count)
                                                  : convolve(work, sequence, first, count);
    if (!finite)
        atomic_store_explicit(&work->program->numeric[i], 1, memory_order_relaxed);
}

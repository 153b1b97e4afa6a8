/* SPDX-License-Identifier: MIT */
/*
 * Compiling for the mock: every value that is made or comes in has its place
 * on the device from there to its last use.
 */
#include "mock/device.h"

static bool add_value(struct mock_program *program, loam_tensor tensor, loam_tensor now)
{
    const struct node *node = loam_graph_node(program->graph, tensor);
    program->value_buffer[tensor] = loam_layout_add(
        &program->values, program->device->memory,
        loam_plan_rows(program->plan, node) * node->width * sizeof(float), (uint32_t)now);
    return program->value_buffer[tensor] != NO_BUFFER;
}

/* Quantised rows with scales and two kinds of sums, or a rotation. */
static uint64_t work_bytes(const struct mock_program *program, const struct node *node)
{
    uint64_t rows = loam_plan_rows(program->plan, node);
    if (node->operation == OP_ROPE)
        return rows * node->rope.dimensions * sizeof(float);
    if (node->operation != OP_LINEAR)
        return 0;
    const struct weight *weight = loam_graph_weight_of(program->graph, node->inputs[1]);
    uint64_t width = weight->width, group = weight->type->activation_group;
    return group ? rows * (width + width / group * sizeof(float) + width / 32 * 2 + width / 16 * 2)
                 : 0;
}

/* Values that come in are copied before the first node runs, those that go
 * out after the last. */
static bool add_segment(struct mock_program *program, const struct segment *segment)
{
    const struct plan *plan = program->plan;
    for (uint32_t i = 0; i < segment->incoming_count; i++)
        if (!add_value(program, segment->incoming[i], segment->first))
            return false;
    for (loam_tensor i = segment->first; i < segment->end; i++) {
        const struct node *node = loam_graph_node(program->graph, i);
        if (plan->backend_of[i] == NO_BACKEND)
            continue;
        for (size_t k = 0; k < LOAM_COUNT_OF(node->inputs); k++)
            if (node->inputs[k] != LOAM_NO_TENSOR)
                loam_layout_keep(&program->values, program->value_buffer[node->inputs[k]],
                                 (uint32_t)i);
        if (!add_value(program, i, i))
            return false;
        uint64_t bytes = work_bytes(program, node);
        program->work_bytes = bytes > program->work_bytes ? bytes : program->work_bytes;
    }
    for (uint32_t i = 0; i < segment->outgoing_count; i++)
        loam_layout_keep(&program->values, program->value_buffer[segment->outgoing[i]],
                         (uint32_t)segment->end - 1);
    return true;
}

static void lay_out_pages(struct mock_program *program)
{
    const loam_graph *graph = program->graph;
    uint64_t offset = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        const loam_attention_options *a = &node->attention;
        if (node->operation != OP_ATTENTION || loam_node_shares(node) ||
            program->plan->backend_of[i] != program->device->base.index)
            continue;
        struct kv_layout *layout = &program->layouts[node->index];
        *layout = (struct kv_layout){
            .type = graph->options.kv_type,
            .kv_heads = a->kv_heads,
            .key_width = a->key_width,
            .value_width = a->value_width,
            .key_bytes = loam_kv_key_bytes(graph->options.kv_type, a->key_width),
            .value_bytes = loam_kv_value_bytes(graph->options.kv_type, a->value_width),
            .key_offset = offset};
        layout->value_offset = offset + layout->key_bytes * a->kv_heads;
        offset = layout->value_offset + layout->value_bytes * a->kv_heads;
    }
    program->page_bytes = offset;
}

/* Fills in a program that is zero but for device, plan and graph. */
static loam_status compile(struct mock_program *program, loam_error *error)
{
    const struct plan *plan = program->plan;
    const loam_graph *graph = program->graph;
    struct memory *memory = program->device->memory;
    program->value_buffer = loam_memory_get(memory, graph->node_count, sizeof(int32_t));
    program->layouts =
        loam_memory_get_zero(memory, graph->attention_count, sizeof *program->layouts);
    program->numeric = loam_memory_get_zero(memory, graph->options.max_sequences, 1);
    bool complete = program->value_buffer && program->layouts && program->numeric;
    for (size_t i = 0; complete && i < graph->node_count; i++)
        program->value_buffer[i] = NO_BUFFER;
    for (size_t s = 0; complete && s < plan->segment_count; s++)
        if (plan->segments[s].backend == program->device->base.index)
            complete = add_segment(program, &plan->segments[s]);
    if (!complete)
        return loam_fail_memory(error, graph->node_count * sizeof(struct buffer));
    loam_layout_place(&program->values);
    lay_out_pages(program);
    return LOAM_OK;
}

loam_status loam_mock_compile(struct program **out, struct backend *backend,
                              const struct plan *plan, loam_error *error)
{
    struct mock_device *device = (struct mock_device *)backend;
    struct mock_program *program = loam_memory_get_zero(device->memory, 1, sizeof *program);
    if (!program)
        return loam_fail_memory(error, sizeof *program);
    program->device = device;
    program->plan = plan;
    program->graph = plan->graph;
    if (!loam_lock_init(&program->table.lock)) {
        loam_memory_free(device->memory, program);
        return loam_fail_memory(error, sizeof *program);
    }
    loam_status status = compile(program, error);
    if (status) {
        loam_mock_release((struct program *)program);
        return status;
    }
    *out = (struct program *)program;
    return LOAM_OK;
}

void loam_mock_measure(struct program_size *out, const struct program *given)
{
    const struct mock_program *program = (const struct mock_program *)given;
    *out = (struct program_size){.scratch_bytes = program->values.bytes + program->work_bytes,
                                 .page_bytes = program->page_bytes ? sizeof(struct page_slot) : 0,
                                 .device_page_bytes = program->page_bytes};
}

loam_status loam_mock_allocate(struct program *given, loam_error *error)
{
    struct mock_program *program = (struct mock_program *)given;
    uint64_t bytes = program->values.bytes + program->work_bytes;
    program->memory = loam_mock_get(program->device, bytes);
    return program->memory ? LOAM_OK : loam_fail_memory(error, bytes);
}

void loam_mock_release(struct program *given)
{
    struct mock_program *program = (struct mock_program *)given;
    struct mock_device *device = program->device;
    struct memory *memory = device->memory;
    loam_mock_free(device, program->memory, program->values.bytes + program->work_bytes);
    loam_layout_end(&program->values, memory);
    loam_memory_free(memory, program->value_buffer);
    loam_memory_free(memory, program->layouts);
    loam_memory_free(memory, program->numeric);
    for (size_t i = 0; i < program->table.count; i++)
        loam_mock_free(device, program->table.pages[i].memory, program->page_bytes);
    loam_memory_free(memory, program->table.pages);
    loam_memory_free(memory, program->table.resolved);
    if (device->process == loam_process_id())
        loam_lock_end(&program->table.lock);
    loam_memory_free(memory, program);
}

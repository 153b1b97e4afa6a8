/* SPDX-License-Identifier: MIT */
/*
 * Compiling a graph for the CPU: a list of phases in the graph's order, each a
 * set of tiles that need nothing of each other, and one scratch block in which
 * every value has its place for as long as it is needed.
 */
#include "cpu/cpu.h"

static int32_t add_buffer(struct segment *segment, uint64_t bytes)
{
    if (!loam_memory_grow(segment->backend->memory, (void **)&segment->buffers,
                          &segment->buffer_capacity, (uint64_t)segment->buffer_count + 1,
                          sizeof *segment->buffers))
        return NO_BUFFER;
    uint32_t now = (uint32_t)segment->phase_count;
    segment->buffers[segment->buffer_count] = (struct buffer){
        .bytes = (bytes + 63) & ~(uint64_t)63, .first_phase = now, .last_phase = now};
    return (int32_t)segment->buffer_count++;
}

/* Keeps a buffer until the phase that is added next. */
static void use_buffer(struct segment *segment, int32_t buffer)
{
    if (buffer != NO_BUFFER)
        segment->buffers[buffer].last_phase = (uint32_t)segment->phase_count;
}

static void use_value(struct segment *segment, loam_tensor tensor)
{
    if (tensor != LOAM_NO_TENSOR)
        use_buffer(segment, segment->value_buffer[tensor]);
}

static bool add_phase(struct segment *segment, const struct phase *phase)
{
    if (!loam_memory_grow(segment->backend->memory, (void **)&segment->phases,
                          &segment->phase_capacity, (uint64_t)segment->phase_count + 1,
                          sizeof *phase))
        return false;
    segment->phases[segment->phase_count++] = *phase;
    return true;
}

static uint64_t rows_of(const struct segment *segment, const struct node *node)
{
    const loam_compile_options *options = &segment->graph->options;
    return node->outputs_only ? options->max_outputs : options->max_rows;
}

/* ---- phases that operations share ----------------------------------------- */

/* The phase that quantises tensor x in groups, added if there is none; -1
 * without memory. */
static int32_t quantize_phase(struct segment *segment, loam_tensor x, uint32_t group)
{
    for (size_t i = 0; i < segment->phase_count; i++) {
        const struct phase *phase = &segment->phases[i];
        if (phase->kind == PHASE_QUANTIZE && phase->node->inputs[0] == x && phase->group == group)
            return (int32_t)i;
    }
    const struct node *value = loam_graph_node(segment->graph, x);
    uint64_t rows = rows_of(segment, value);
    struct phase phase = {
        .kind = PHASE_QUANTIZE, .tensor = LOAM_NO_TENSOR, .quantized = -1, .group = group};
    phase.out = add_buffer(segment, rows * value->width);
    phase.out_scales = add_buffer(segment, loam_cpu_scales_bytes(rows, value->width, group));
    if (phase.out == NO_BUFFER || phase.out_scales == NO_BUFFER)
        return -1;
    use_value(segment, x);
    /* The node of the first user: its inputs[0] is x. */
    for (size_t i = 0; i < segment->graph->node_count && !phase.node; i++)
        if (segment->graph->nodes[i].operation == OP_LINEAR &&
            segment->graph->nodes[i].inputs[0] == x)
            phase.node = &segment->graph->nodes[i];
    return add_phase(segment, &phase) ? (int32_t)segment->phase_count - 1 : -1;
}

static bool same_rotation(const struct rope *a, const struct rope *b)
{
    return a->dimensions == b->dimensions &&
           loam_float_bits(a->magnitude) == loam_float_bits(b->magnitude) &&
           memcmp(a->frequencies, b->frequencies, a->dimensions / 2 * sizeof(double)) == 0;
}

/* The phase with the rotation of a rope node, added if there is none. */
static int32_t rotation_phase(struct segment *segment, const struct node *node)
{
    for (size_t i = 0; i < segment->phase_count; i++) {
        const struct phase *phase = &segment->phases[i];
        if (phase->kind == PHASE_ROTATION && same_rotation(&phase->node->rope, &node->rope))
            return (int32_t)i;
    }
    struct phase phase = {.kind = PHASE_ROTATION,
                          .node = node,
                          .tensor = LOAM_NO_TENSOR,
                          .out_scales = NO_BUFFER,
                          .quantized = -1};
    phase.out = add_buffer(segment, (uint64_t)segment->graph->options.max_rows *
                                        node->rope.dimensions * sizeof(float));
    if (phase.out == NO_BUFFER || !add_phase(segment, &phase))
        return -1;
    return (int32_t)segment->phase_count - 1;
}

/* Phases before the one of node `tensor`; false without memory. */
static bool add_preparation(struct segment *segment, struct phase *phase)
{
    const struct node *node = phase->node;
    phase->quantized = -1;
    if (node->operation == OP_LINEAR) {
        uint32_t group =
            loam_graph_weight_of(segment->graph, node->inputs[1])->type->activation_group;
        if (group == 0)
            return true;
        phase->quantized = quantize_phase(segment, node->inputs[0], group);
        return phase->quantized >= 0;
    }
    if (node->operation == OP_ROPE) {
        phase->quantized = rotation_phase(segment, node);
        return phase->quantized >= 0;
    }
    if (node->operation == OP_ATTENTION) {
        struct phase store = {.kind = PHASE_STORE,
                              .node = node,
                              .tensor = LOAM_NO_TENSOR,
                              .out = NO_BUFFER,
                              .out_scales = NO_BUFFER,
                              .quantized = -1};
        use_value(segment, node->inputs[1]);
        use_value(segment, node->inputs[2]);
        return add_phase(segment, &store);
    }
    return true;
}

static enum phase_kind kind_of(enum operation operation)
{
    switch (operation) {
    case OP_EMBED:
        return PHASE_EMBED;
    case OP_LINEAR:
        return PHASE_LINEAR;
    case OP_RMS_NORM:
        return PHASE_RMS_NORM;
    case OP_ROPE:
        return PHASE_ROPE;
    case OP_ATTENTION:
        return PHASE_ATTENTION;
    case OP_GATE:
        return PHASE_GATE;
    case OP_ADD:
        return PHASE_ADD;
    default:
        return PHASE_OUTPUTS;
    }
}

/* All phases of one node. The result's value is the caller's memory. */
static bool add_node(struct segment *segment, loam_tensor tensor)
{
    const struct node *node = loam_graph_node(segment->graph, tensor);
    if (node->operation == OP_INPUT || node->operation == OP_WEIGHT)
        return true;
    struct phase phase = {.kind = kind_of(node->operation),
                          .node = node,
                          .tensor = tensor,
                          .out = NO_BUFFER,
                          .out_scales = NO_BUFFER};
    if (!add_preparation(segment, &phase))
        return false;
    if (tensor != segment->graph->result) {
        phase.out = add_buffer(segment, rows_of(segment, node) * node->width * sizeof(float));
        if (phase.out == NO_BUFFER)
            return false;
        segment->value_buffer[tensor] = phase.out;
    }
    for (size_t i = 0; i < LOAM_COUNT_OF(node->inputs); i++)
        use_value(segment, node->inputs[i]);
    if (phase.quantized >= 0) {
        use_buffer(segment, segment->phases[phase.quantized].out);
        use_buffer(segment, segment->phases[phase.quantized].out_scales);
    }
    return add_phase(segment, &phase);
}

/* ---- layout --------------------------------------------------------------- */

/* Gives each buffer the lowest place that no buffer alive at the same time
 * has. Buffers come in the order of their first phase. */
static void place_buffers(struct segment *segment)
{
    segment->scratch_bytes = 0;
    for (size_t i = 0; i < segment->buffer_count; i++) {
        struct buffer *buffer = &segment->buffers[i];
        bool moved = true;
        while (moved) {
            moved = false;
            for (size_t j = 0; j < i; j++) {
                const struct buffer *other = &segment->buffers[j];
                if (other->last_phase < buffer->first_phase ||
                    other->offset + other->bytes <= buffer->offset ||
                    other->offset >= buffer->offset + buffer->bytes)
                    continue;
                buffer->offset = other->offset + other->bytes;
                moved = true;
            }
        }
        if (buffer->offset + buffer->bytes > segment->scratch_bytes)
            segment->scratch_bytes = buffer->offset + buffer->bytes;
    }
}

static void lay_out_pages(struct segment *segment)
{
    const loam_graph *graph = segment->graph;
    uint64_t offset = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        if (node->operation != OP_ATTENTION)
            continue;
        const loam_attention_options *a = &node->attention;
        struct kv_layout *layout = &segment->layouts[node->index];
        *layout = (struct kv_layout){.type = graph->options.kv_type,
                                     .kv_heads = a->kv_heads,
                                     .key_width = a->key_width,
                                     .value_width = a->value_width};
        layout->key_bytes = loam_kv_key_bytes(layout->type, a->key_width);
        layout->value_bytes = loam_kv_value_bytes(layout->type, a->value_width);
        layout->key_offset = offset;
        layout->value_offset = offset + layout->key_bytes * a->kv_heads;
        offset = layout->value_offset + layout->value_bytes * a->kv_heads;
    }
    segment->page_bytes = offset;
}

loam_status loam_cpu_compile(struct segment **out, struct backend *backend, loam_graph *graph,
                             loam_error *error)
{
    struct cpu_backend *cpu = (struct cpu_backend *)backend;
    struct segment *segment = loam_memory_get_zero(cpu->memory, 1, sizeof *segment);
    if (!segment)
        return loam_fail_memory(error, sizeof *segment);
    segment->backend = cpu;
    segment->graph = graph;
    segment->value_buffer =
        loam_memory_get(cpu->memory, graph->node_count, sizeof *segment->value_buffer);
    segment->layouts =
        loam_memory_get_zero(cpu->memory, graph->attention_count, sizeof *segment->layouts);
    bool complete = segment->value_buffer && segment->layouts;
    for (size_t i = 0; complete && i < graph->node_count; i++)
        segment->value_buffer[i] = NO_BUFFER;
    for (size_t i = 0; complete && i < graph->node_count; i++)
        complete = add_node(segment, (loam_tensor)i);
    if (!complete) {
        loam_cpu_release_segment(segment);
        return loam_fail_memory(error, graph->node_count * sizeof(struct phase));
    }
    place_buffers(segment);
    lay_out_pages(segment);
    *out = segment;
    return LOAM_OK;
}

loam_status loam_cpu_allocate(struct segment *segment, loam_error *error)
{
    struct memory *memory = segment->backend->memory;
    const loam_compile_options *options = &segment->graph->options;
    segment->scratch = loam_memory_get_large(memory, segment->scratch_bytes);
    segment->output_rows = loam_memory_get(memory, options->max_rows, sizeof(uint32_t));
    segment->numeric =
        loam_memory_get_zero(memory, options->max_sequences, sizeof *segment->numeric);
    segment->sequence_tiles =
        loam_memory_get(memory, (uint64_t)options->max_sequences + 1, sizeof(uint32_t));
    if (!segment->scratch || !segment->output_rows || !segment->numeric || !segment->sequence_tiles)
        return loam_fail_memory(error, segment->scratch_bytes);
    return LOAM_OK;
}

void loam_cpu_release_segment(struct segment *segment)
{
    if (!segment)
        return;
    struct memory *memory = segment->backend->memory;
    loam_memory_free(memory, segment->phases);
    loam_memory_free(memory, segment->buffers);
    loam_memory_free(memory, segment->value_buffer);
    loam_memory_free(memory, segment->layouts);
    loam_memory_free_large(memory, segment->scratch, segment->scratch_bytes);
    loam_memory_free(memory, segment->output_rows);
    loam_memory_free(memory, segment->numeric);
    loam_memory_free(memory, segment->sequence_tiles);
    loam_memory_free(memory, segment);
}

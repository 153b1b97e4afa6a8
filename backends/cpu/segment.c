/* SPDX-License-Identifier: MIT */
/*
 * Compiling for the CPU: a list of phases in the graph's order, each a set of
 * tiles that need nothing of each other, and one scratch block in which every
 * value has its place for as long as it is needed. Values that cross to other
 * backends, or are the result, are where the plan has them.
 */
#include "cpu/cpu.h"

int32_t loam_segment_buffer(struct cpu_program *program, uint64_t bytes)
{
    return loam_layout_add(&program->scratch, program->backend->memory, bytes, program->moment);
}

/* Keeps a buffer until the phase that is added next. */
void loam_segment_use(struct cpu_program *program, int32_t buffer)
{
    loam_layout_keep(&program->scratch, buffer, program->moment);
}

static void use_value(struct cpu_program *program, loam_tensor tensor)
{
    if (tensor != LOAM_NO_TENSOR)
        loam_segment_use(program, program->value_buffer[tensor]);
}

bool loam_segment_add(struct cpu_program *program, const struct phase *phase)
{
    if (!loam_memory_grow(program->backend->memory, (void **)&program->phases,
                          &program->phase_capacity, (uint64_t)program->phase_count + 1,
                          sizeof *phase))
        return false;
    program->phases[program->phase_count] = *phase;
    program->phases[program->phase_count++].moment = program->moment++;
    return true;
}

/* ---- phases that operations share ----------------------------------------- */

/* The phase that quantises tensor x in groups, added if there is none; -1
 * without memory. */
static int32_t quantize_phase(struct cpu_program *program, loam_tensor x, uint32_t group)
{
    for (size_t i = 0; i < program->phase_count; i++) {
        const struct phase *phase = &program->phases[i];
        if (phase->kind == PHASE_QUANTIZE && phase->node->inputs[0] == x && phase->group == group)
            return (int32_t)i;
    }
    const struct node *value = loam_graph_node(program->graph, x);
    uint64_t rows = loam_plan_rows(program->plan, value);
    struct phase phase = {
        .kind = PHASE_QUANTIZE, .tensor = LOAM_NO_TENSOR, .quantized = -1, .group = group};
    phase.out = loam_segment_buffer(program, rows * value->width);
    phase.out_scales =
        loam_segment_buffer(program, loam_cpu_scales_bytes(rows, value->width, group));
    if (phase.out == NO_BUFFER || phase.out_scales == NO_BUFFER)
        return -1;
    use_value(program, x);
    /* The node of the first user: its inputs[0] is x. */
    for (size_t i = 0; i < program->graph->node_count && !phase.node; i++)
        if ((program->graph->nodes[i].operation == OP_LINEAR ||
             program->graph->nodes[i].operation == OP_LINEAR_HEADS) &&
            program->graph->nodes[i].inputs[0] == x)
            phase.node = &program->graph->nodes[i];
    return loam_segment_add(program, &phase) ? (int32_t)program->phase_count - 1 : -1;
}

static bool same_rotation(const struct rope *a, const struct rope *b)
{
    size_t bytes = a->dimensions / 2 * sizeof(double);
    return a->dimensions == b->dimensions &&
           loam_float_bits(a->magnitude) == loam_float_bits(b->magnitude) &&
           memcmp(a->frequencies, b->frequencies, bytes) == 0 &&
           !a->long_frequencies == !b->long_frequencies && a->long_from == b->long_from &&
           (!a->long_frequencies || memcmp(a->long_frequencies, b->long_frequencies, bytes) == 0);
}

/* The phase with the rotation of a rope node, added if there is none. */
static int32_t rotation_phase(struct cpu_program *program, const struct node *node)
{
    for (size_t i = 0; i < program->phase_count; i++) {
        const struct phase *phase = &program->phases[i];
        if (phase->kind == PHASE_ROTATION && same_rotation(&phase->node->rope, &node->rope))
            return (int32_t)i;
    }
    struct phase phase = {.kind = PHASE_ROTATION,
                          .node = node,
                          .tensor = LOAM_NO_TENSOR,
                          .out_scales = NO_BUFFER,
                          .quantized = -1};
    phase.out = loam_segment_buffer(program, (uint64_t)program->graph->options.max_rows *
                                                 node->rope.dimensions * sizeof(float));
    if (phase.out == NO_BUFFER || !loam_segment_add(program, &phase))
        return -1;
    return (int32_t)program->phase_count - 1;
}

/* Phases before the one of node `tensor`; false without memory. */
static bool add_preparation(struct cpu_program *program, struct phase *phase)
{
    const struct node *node = phase->node;
    phase->quantized = -1;
    if (node->operation == OP_LINEAR || node->operation == OP_LINEAR_HEADS) {
        uint32_t group =
            loam_graph_weight_of(program->graph, node->inputs[1])->type->activation_group;
        if (group == 0)
            return true;
        phase->quantized = quantize_phase(program, node->inputs[0], group);
        return phase->quantized >= 0;
    }
    if (node->operation == OP_ROPE) {
        phase->quantized = rotation_phase(program, node);
        return phase->quantized >= 0;
    }
    if (node->operation == OP_ATTENTION && !loam_node_shares(node)) {
        struct phase store = {.kind = PHASE_STORE,
                              .node = node,
                              .tensor = LOAM_NO_TENSOR,
                              .out = NO_BUFFER,
                              .out_scales = NO_BUFFER,
                              .quantized = -1};
        use_value(program, node->inputs[1]);
        use_value(program, node->inputs[2]);
        return loam_segment_add(program, &store);
    }
    if (node->operation == OP_EXPERTS)
        return loam_experts_compile(program, node);
    return true;
}

static enum phase_kind kind_of(const struct node *node)
{
    static const enum phase_kind kinds[OPERATIONS] = {[OP_EMBED] = PHASE_EMBED,
                                                      [OP_EMBED_POSITION] = PHASE_EMBED,
                                                      [OP_LINEAR] = PHASE_LINEAR,
                                                      [OP_RMS_NORM] = PHASE_RMS_NORM,
                                                      [OP_NORM] = PHASE_GROUP_NORM,
                                                      [OP_ROPE] = PHASE_ROPE,
                                                      [OP_ATTENTION] = PHASE_ATTENTION,
                                                      [OP_GATE] = PHASE_ELEMENTWISE,
                                                      [OP_ADD] = PHASE_ELEMENTWISE,
                                                      [OP_MAP] = PHASE_MAP,
                                                      [OP_MULTIPLY] = PHASE_MULTIPLY,
                                                      [OP_AFFINE] = PHASE_AFFINE,
                                                      [OP_SLICE] = PHASE_SLICE,
                                                      [OP_CONCATENATE] = PHASE_CONCATENATE,
                                                      [OP_LINEAR_HEADS] = PHASE_LINEAR_HEADS,
                                                      [OP_EXPERTS] = PHASE_EXPERT_COMBINE,
                                                      [OP_SUM] = PHASE_SUM,
                                                      [OP_CONVOLVE] = PHASE_CONVOLVE,
                                                      [OP_SCAN] = PHASE_SCAN,
                                                      [OP_ADD_REPEATED] = PHASE_ADD_REPEATED,
                                                      [OP_REDUCE] = PHASE_REDUCE,
                                                      [OP_MIX] = PHASE_MIX,
                                                      [OP_OUTPUTS] = PHASE_OUTPUTS};
    if (node->operation == OP_GATE && node->activation != LOAM_ACTIVATION_SILU)
        return PHASE_MAP;
    return kinds[node->operation];
}

/* Whether the plan has memory for a value of this backend: the result, and
 * what others use. */
static bool is_outgoing(const struct cpu_program *program, loam_tensor tensor)
{
    return tensor == program->graph->result || program->plan->staged[tensor] != NO_BUFFER;
}

/* Whether a product can run together with the phase added last, which is one of the
 * same value: neither needs the other. */
static bool joins_last(const struct cpu_program *program, const struct phase *phase,
                       size_t segment_begin)
{
    if (phase->kind != PHASE_LINEAR || program->phase_count == segment_begin)
        return false;
    const struct phase *last = &program->phases[program->phase_count - 1];
    size_t together = 0;
    for (size_t i = program->phase_count; i > segment_begin; i--)
        together += program->phases[i - 1].moment == last->moment;
    return last->kind == PHASE_LINEAR && last->node->inputs[0] == phase->node->inputs[0] &&
           last->node->outputs_only == phase->node->outputs_only && together < BATCH_MOST;
}

/* Room for parts of pages; false without memory. */
static bool add_parts(struct cpu_program *program, struct phase *phase)
{
    uint64_t bytes = loam_attention_parts_bytes(program->backend, phase->node);
    if (bytes)
        phase->out_scales = loam_segment_buffer(program, bytes);
    return !bytes || phase->out_scales != NO_BUFFER;
}

/* All phases of one node. */
static bool add_node(struct cpu_program *program, loam_tensor tensor, size_t segment_begin)
{
    const struct node *node = loam_graph_node(program->graph, tensor);
    struct phase phase = {.kind = kind_of(node),
                          .node = node,
                          .tensor = tensor,
                          .out = NO_BUFFER,
                          .out_scales = NO_BUFFER};
    if (!add_preparation(program, &phase))
        return false;
    if (joins_last(program, &phase, segment_begin))
        program->moment--;
    if (!is_outgoing(program, tensor)) {
        phase.out = loam_segment_buffer(program, loam_plan_rows(program->plan, node) * node->width *
                                                     sizeof(float));
        if (phase.out == NO_BUFFER)
            return false;
        program->value_buffer[tensor] = phase.out;
    }
    if (phase.kind == PHASE_ATTENTION && !add_parts(program, &phase))
        return false;
    for (size_t i = 0; i < LOAM_COUNT_OF(node->inputs); i++)
        use_value(program, node->inputs[i]);
    if (node->operation == OP_EXPERTS) {
        loam_segment_use(program, program->mixtures[node->index].route);
        loam_segment_use(program, program->mixtures[node->index].order);
        loam_segment_use(program, program->mixtures[node->index].y);
    }
    if (phase.quantized >= 0) {
        loam_segment_use(program, program->phases[phase.quantized].out);
        loam_segment_use(program, program->phases[phase.quantized].out_scales);
    }
    return loam_segment_add(program, &phase);
}

/* ---- the whole ------------------------------------------------------------ */

static void lay_out_pages(struct cpu_program *program)
{
    const loam_graph *graph = program->graph;
    uint64_t offset = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        if (node->operation != OP_ATTENTION || loam_node_shares(node) ||
            program->plan->backend_of[i] != CPU_BACKEND)
            continue;
        const loam_attention_options *a = &node->attention;
        struct kv_layout *layout = &program->layouts[node->index];
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
    program->page_bytes = offset;
}

/* All phases of the plan's segments on the CPU. */
static bool add_segments(struct cpu_program *program)
{
    const struct plan *plan = program->plan;
    for (size_t i = 0; i < program->graph->node_count; i++)
        program->value_buffer[i] = NO_BUFFER;
    for (size_t s = 0; s < plan->segment_count; s++) {
        const struct segment *segment = &plan->segments[s];
        size_t begin = program->phase_count;
        for (loam_tensor i = segment->first; i < segment->end; i++)
            if (plan->backend_of[i] == CPU_BACKEND && !add_node(program, i, begin))
                return false;
        program->phase_ends[s] = (uint32_t)program->phase_count;
    }
    return true;
}

loam_status loam_cpu_compile(struct program **out, struct backend *backend, const struct plan *plan,
                             loam_error *error)
{
    struct cpu_backend *cpu = (struct cpu_backend *)backend;
    const loam_graph *graph = plan->graph;
    struct cpu_program *program = loam_memory_get_zero(cpu->memory, 1, sizeof *program);
    if (!program)
        return loam_fail_memory(error, sizeof *program);
    program->backend = cpu;
    program->plan = plan;
    program->graph = graph;
    program->phase_ends =
        loam_memory_get(cpu->memory, plan->segment_count, sizeof *program->phase_ends);
    program->value_buffer =
        loam_memory_get(cpu->memory, graph->node_count, sizeof *program->value_buffer);
    program->layouts =
        loam_memory_get_zero(cpu->memory, graph->attention_count, sizeof *program->layouts);
    program->mixtures =
        loam_memory_get_zero(cpu->memory, graph->mixture_count, sizeof *program->mixtures);
    if (!program->phase_ends || !program->value_buffer || !program->layouts || !program->mixtures ||
        !add_segments(program)) {
        loam_cpu_release((struct program *)program);
        return loam_fail_memory(error, graph->node_count * sizeof(struct phase));
    }
    loam_layout_place(&program->scratch);
    lay_out_pages(program);
    *out = (struct program *)program;
    return LOAM_OK;
}

loam_status loam_cpu_allocate(struct program *given, loam_error *error)
{
    struct cpu_program *program = (struct cpu_program *)given;
    struct memory *memory = program->backend->memory;
    const loam_compile_options *options = &program->graph->options;
    program->scratch_memory = loam_memory_get_large(memory, program->scratch.bytes);
    program->output_rows = loam_memory_get(memory, options->max_rows, sizeof(uint32_t));
    program->numeric =
        loam_memory_get_zero(memory, options->max_sequences, sizeof *program->numeric);
    program->sequence_tiles =
        loam_memory_get(memory, (uint64_t)options->max_sequences + 1, sizeof(uint32_t));
    if (!program->scratch_memory || !program->output_rows || !program->numeric ||
        !program->sequence_tiles)
        return loam_fail_memory(error, program->scratch.bytes);
    return LOAM_OK;
}

void loam_cpu_release(struct program *given)
{
    struct cpu_program *program = (struct cpu_program *)given;
    struct memory *memory = program->backend->memory;
    loam_memory_free(memory, program->phases);
    loam_memory_free(memory, program->phase_ends);
    loam_memory_free(memory, program->value_buffer);
    loam_memory_free(memory, program->layouts);
    loam_memory_free(memory, program->mixtures);
    loam_memory_free_large(memory, program->scratch_memory, program->scratch.bytes);
    loam_layout_end(&program->scratch, memory);
    loam_memory_free(memory, program->output_rows);
    loam_memory_free(memory, program->numeric);
    loam_memory_free(memory, program->sequence_tiles);
    loam_memory_free(memory, program);
}

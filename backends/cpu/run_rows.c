/* SPDX-License-Identifier: MIT */
/* Phases that work row by row. */
#include "base/numeric.h"
#include "cpu/run.h"

/* The sequence that a row belongs to. */
static const loam_step_sequence *sequence_of(const loam_step_descriptor *step, uint32_t row)
{
    uint32_t i = 0;
    while (i + 1 < step->sequence_count && step->sequences[i + 1].first_row <= row)
        i++;
    return &step->sequences[i];
}

static uint32_t position_of(const loam_step_descriptor *step, uint32_t row)
{
    const loam_step_sequence *sequence = sequence_of(step, row);
    return sequence->position + (row - sequence->first_row);
}

static void run_embed(const struct work *work, size_t first, size_t count)
{
    const struct weight *weight = loam_work_weight(work, work->phase->node->inputs[0]);
    struct embed_tile tile = {.type = weight->type,
                              .weights = weight->resident,
                              .row_bytes = loam_work_row_bytes(weight),
                              .panel_bytes = loam_work_panel_bytes(weight),
                              .width = weight->width,
                              .tokens = work->step->tokens,
                              .out = loam_work_value(work, work->phase->tensor),
                              .first_row = first,
                              .row_count = count};
    float *out = tile.out;
    if (work->phase->node->operation == OP_EMBED) {
        loam_cpu_embed(&tile);
        return;
    }
    tile.first_row = 0;
    tile.row_count = 1;
    for (size_t row = first; row < first + count; row++) {
        int32_t position = (int32_t)position_of(work->step, (uint32_t)row);
        tile.tokens = &position;
        tile.out = out + row * tile.width;
        loam_cpu_embed(&tile);
    }
}

static void run_quantize(const struct work *work, size_t first, size_t count)
{
    const struct phase *phase = work->phase;
    loam_tensor x = phase->node->inputs[0];
    size_t width = loam_graph_node(work->program->graph, x)->width;
    struct quantized rows = loam_work_quantized(work, phase, width);
    struct quantize_tile tile = {.x = loam_work_value(work, x),
                                 .q = rows.q,
                                 .scales = rows.scales,
                                 .sums32 = rows.sums32,
                                 .sums16 = rows.sums16,
                                 .x_stride = width,
                                 .width = width,
                                 .group = phase->group,
                                 .first_row = first,
                                 .row_count = count};
    work->program->backend->kernels.quantize(&tile);
}

static void run_norm(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    struct norm_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                             .weight = loam_work_weight(work, node->inputs[1])->resident,
                             .out = loam_work_value(work, work->phase->tensor),
                             .width = node->width,
                             .epsilon = node->epsilon,
                             .first_row = first,
                             .row_count = count};
    work->program->backend->kernels.rms_norm(&tile);
}

static void run_group_norm(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    struct group_norm_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                                   .out = loam_work_value(work, work->phase->tensor),
                                   .kind = node->norm.kind,
                                   .epsilon = node->norm.epsilon,
                                   .width = node->width,
                                   .group_width = node->norm.group_width,
                                   .first_row = first,
                                   .row_count = count};
    if (node->inputs[1] != LOAM_NO_TENSOR) {
        tile.weight = loam_work_weight(work, node->inputs[1])->resident;
        tile.weight_width = loam_work_weight(work, node->inputs[1])->width;
    }
    if (node->inputs[2] != LOAM_NO_TENSOR) {
        tile.bias = loam_work_weight(work, node->inputs[2])->resident;
        tile.bias_width = loam_work_weight(work, node->inputs[2])->width;
    }
    work->program->backend->kernels.group_norm(&tile);
}

/* Angles in double; see rule 6 of the numeric contract. */
static void run_rotation(const struct work *work, size_t first, size_t count)
{
    const struct rope *rope = &work->phase->node->rope;
    size_t pairs = rope->dimensions / 2;
    float *out = loam_work_buffer(work->program, work->phase->out);
    for (size_t row = first; row < first + count; row++) {
        double position = position_of(work->step, (uint32_t)row);
        bool grows = rope->long_frequencies &&
                     sequence_of(work->step, (uint32_t)row)->context > rope->long_from;
        const double *frequencies = grows ? rope->long_frequencies : rope->frequencies;
        float *cosines = out + row * rope->dimensions, *sines = cosines + pairs;
        for (size_t i = 0; i < pairs; i++) {
            double sine, cosine;
            loam_sincos(position * frequencies[i], &sine, &cosine);
            cosines[i] = (float)(cosine * (double)rope->magnitude);
            sines[i] = (float)(sine * (double)rope->magnitude);
        }
    }
}

static void run_rope(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const struct phase *rotation = &work->program->phases[work->phase->quantized];
    struct rope_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                             .out = loam_work_value(work, work->phase->tensor),
                             .rotation = loam_work_buffer(work->program, rotation->out),
                             .heads = node->width / node->rope.head_width,
                             .head_width = node->rope.head_width,
                             .dimensions = node->rope.dimensions,
                             .pairing = node->rope.pairing,
                             .first_row = first,
                             .row_count = count};
    work->program->backend->kernels.rope(&tile);
}

static void run_map(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    bool gate = node->operation == OP_GATE;
    struct map_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                            .b = gate ? loam_work_value(work, node->inputs[1]) : NULL,
                            .out = loam_work_value(work, work->phase->tensor),
                            .function = node->activation,
                            .parameters = node->parameters,
                            .first = first * node->width,
                            .count = count * node->width};
    work->program->backend->kernels.map(&tile);
}

static void run_elementwise(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const struct cpu_kernels *kernels = &work->program->backend->kernels;
    struct elementwise_tile tile = {.a = loam_work_value(work, node->inputs[0]),
                                    .b = loam_work_value(work, node->inputs[1]),
                                    .out = loam_work_value(work, work->phase->tensor),
                                    .first = first * node->width,
                                    .count = count * node->width};
    if (node->operation == OP_GATE)
        kernels->gate_silu(&tile);
    else
        kernels->add(&tile);
}

static void run_add_repeated(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    size_t part = loam_graph_node(work->program->graph, node->inputs[1])->width;
    size_t width = node->width, parts = width / part;
    const float *a = loam_work_value(work, node->inputs[0]);
    const float *b = loam_work_value(work, node->inputs[1]);
    float *out = loam_work_value(work, work->phase->tensor);
    for (size_t i = first * parts; i < (first + count) * parts; i++)
        for (size_t k = 0; k < part; k++)
            out[i * part + k] = a[i * part + k] + b[i / parts * part + k];
}

static void run_reduce(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    struct reduce_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                               .out = loam_work_value(work, work->phase->tensor),
                               .kind = node->reduce.kind,
                               .factor = node->reduce.factor,
                               .group_width = node->reduce.group_width,
                               .first = first * node->width,
                               .count = count * node->width};
    loam_cpu_reduce(&tile);
}

static void run_mix(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    loam_tensor factors = node->inputs[1], base = node->inputs[2];
    struct mix_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                            .factors = loam_work_value(work, factors),
                            .base = base == LOAM_NO_TENSOR ? NULL : loam_work_value(work, base),
                            .out = loam_work_value(work, work->phase->tensor),
                            .inputs = node->heads,
                            .first_row = first,
                            .row_count = count};
    tile.outputs = loam_graph_node(work->program->graph, factors)->width / tile.inputs;
    tile.width = node->width / tile.outputs;
    loam_cpu_mix(&tile);
}

static void run_multiply(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    size_t width = node->width,
           factors = loam_graph_node(work->program->graph, node->inputs[1])->width;
    size_t run = width / factors;
    const float *a = loam_work_value(work, node->inputs[0]);
    const float *b = loam_work_value(work, node->inputs[1]);
    float *out = loam_work_value(work, work->phase->tensor);
    for (size_t i = first * factors; i < (first + count) * factors; i++)
        for (size_t k = i * run; k < (i + 1) * run; k++)
            out[k] = a[k] * b[i];
}

/* x * weight + bias: one product, then one sum, each where there is one. */
static void run_affine(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    size_t width = node->width;
    const float *x = loam_work_value(work, node->inputs[0]);
    float *out = loam_work_value(work, work->phase->tensor);
    bool scales = node->inputs[1] != LOAM_NO_TENSOR, shifts = node->inputs[2] != LOAM_NO_TENSOR;
    const float *weight = scales ? loam_work_weight(work, node->inputs[1])->resident : NULL;
    const float *bias = shifts ? loam_work_weight(work, node->inputs[2])->resident : NULL;
    for (size_t row = first; row < first + count; row++)
        for (size_t i = 0; i < width; i++) {
            float y = x[row * width + i];
            y = weight ? y * weight[i] : y;
            out[row * width + i] = bias ? y + bias[i] : y;
        }
}

static void run_slice(const struct work *work, size_t first, size_t count)
{
    const struct slice *slice = &work->phase->node->slice;
    size_t groups = work->phase->node->width / slice->count;
    const float *x = loam_work_value(work, work->phase->node->inputs[0]) + slice->first;
    float *out = loam_work_value(work, work->phase->tensor);
    for (size_t i = first * groups; i < (first + count) * groups; i++)
        memcpy(out + i * slice->count, x + i * slice->group_width, slice->count * sizeof *out);
}

static void run_concatenate(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    size_t whole = node->slice.group_width, left = node->slice.count, right = whole - left;
    size_t groups = node->width / whole;
    const float *a = loam_work_value(work, node->inputs[0]);
    const float *b = loam_work_value(work, node->inputs[1]);
    float *out = loam_work_value(work, work->phase->tensor);
    for (size_t i = first * groups; i < (first + count) * groups; i++) {
        memcpy(out + i * whole, a + i * left, left * sizeof *out);
        memcpy(out + i * whole + left, b + i * right, right * sizeof *out);
    }
}

static void run_sum(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    size_t width = loam_graph_node(work->program->graph, node->inputs[0])->width;
    struct sum_tile tile = {.x = loam_work_value(work, node->inputs[0]),
                            .out = loam_work_value(work, work->phase->tensor),
                            .group_width = width / node->width,
                            .first = first * node->width,
                            .count = count * node->width};
    work->program->backend->kernels.sum(&tile);
}

static void run_outputs(const struct work *work, size_t first, size_t count)
{
    size_t width = work->phase->node->width;
    const float *x = loam_work_value(work, work->phase->node->inputs[0]);
    float *out = loam_work_value(work, work->phase->tensor);
    for (size_t i = first; i < first + count; i++)
        memcpy(out + i * width, x + work->program->output_rows[i] * width, width * sizeof *out);
}

void loam_run_rows(const struct work *work, size_t first, size_t count)
{
    static void (*const functions[PHASE_KINDS])(const struct work *, size_t, size_t) = {
        [PHASE_EMBED] = run_embed,
        [PHASE_QUANTIZE] = run_quantize,
        [PHASE_RMS_NORM] = run_norm,
        [PHASE_GROUP_NORM] = run_group_norm,
        [PHASE_ROTATION] = run_rotation,
        [PHASE_ROPE] = run_rope,
        [PHASE_MAP] = run_map,
        [PHASE_ELEMENTWISE] = run_elementwise,
        [PHASE_ADD_REPEATED] = run_add_repeated,
        [PHASE_MULTIPLY] = run_multiply,
        [PHASE_REDUCE] = run_reduce,
        [PHASE_MIX] = run_mix,
        [PHASE_AFFINE] = run_affine,
        [PHASE_SLICE] = run_slice,
        [PHASE_CONCATENATE] = run_concatenate,
        [PHASE_SUM] = run_sum,
        [PHASE_OUTPUTS] = run_outputs,
        [PHASE_ROUTE] = loam_experts_route,
        [PHASE_EXPERT_GROUP] = loam_experts_group,
        [PHASE_EXPERT_GATHER] = loam_experts_gather,
        [PHASE_EXPERT_QUANTIZE] = loam_experts_quantize,
        [PHASE_EXPERT_ACTIVATE] = loam_experts_activate,
        [PHASE_EXPERT_COMBINE] = loam_experts_combine};
    functions[work->phase->kind](work, first, count);
}

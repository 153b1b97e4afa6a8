/* SPDX-License-Identifier: MIT */
/*
 * A segment on the device's thread: values come in, each node is one call of a
 * scalar kernel over all its rows, values go out.
 */
#include "base/numeric.h"
#include "mock/device.h"

/* One job under way. */
struct execution {
    const struct mock_program *program;
    const struct cpu_kernels *kernels;
    const loam_graph *graph;
    const loam_step_descriptor *step;
    size_t outputs; /* rows with the output flag */
};

static float *value_of(const struct execution *run, loam_tensor tensor)
{
    const struct mock_program *program = run->program;
    uint64_t offset = program->values.buffers[program->value_buffer[tensor]].offset;
    return loam_mock_at(program->memory + offset);
}

static unsigned char *work_of(const struct execution *run)
{
    return loam_mock_at(run->program->memory + run->program->values.bytes);
}

static const struct weight *weight_of(const struct execution *run, loam_tensor tensor)
{
    return loam_plan_weight(run->program->plan, run->program->device->base.index, tensor);
}

static const void *weights_at(const struct weight *weight)
{
    return loam_mock_at((uint64_t)(uintptr_t)weight->resident);
}

static size_t rows_of(const struct execution *run, const struct node *node)
{
    return node->outputs_only ? run->outputs : run->step->rows;
}

static bool has_output(const loam_step_descriptor *step, uint32_t row)
{
    return !step->output_rows || step->output_rows[row];
}

/* ---- one function per operation --------------------------------------------- */

static void embed(const struct execution *run, const struct node *node, float *out)
{
    const struct weight *weight = weight_of(run, node->inputs[0]);
    struct embed_tile tile = {.type = weight->type,
                              .weights = weights_at(weight),
                              .row_bytes = (size_t)(weight->bytes / weight->rows),
                              .width = weight->width,
                              .tokens = run->step->tokens,
                              .out = out,
                              .row_count = run->step->rows};
    if (weight->type->packing)
        tile.panel_bytes = (size_t)loam_packed_panel_bytes(weight->type, weight->width);
    loam_cpu_embed(&tile);
}

/* Quantised rows of x lie in the work memory: scales, sums, then integers. */
static void quantize(const struct execution *run, struct linear_tile *tile, size_t group)
{
    size_t width = tile->width;
    float *scales = (float *)work_of(run);
    int16_t *sums32 = (int16_t *)(scales + tile->rows * (width / group));
    int16_t *sums16 = sums32 + tile->rows * (width / 32);
    struct quantize_tile rows = {.x = tile->x,
                                 .q = (int8_t *)(sums16 + tile->rows * (width / 16)),
                                 .scales = scales,
                                 .sums32 = sums32,
                                 .sums16 = sums16,
                                 .x_stride = width,
                                 .width = width,
                                 .group = group,
                                 .row_count = tile->rows};
    run->kernels->quantize(&rows);
    tile->q = rows.q;
    tile->scales = scales;
    tile->sums32 = sums32;
    tile->sums16 = sums16;
}

static void linear(const struct execution *run, const struct node *node, float *out)
{
    const struct weight *weight = weight_of(run, node->inputs[1]);
    struct linear_tile tile = {.weights = weights_at(weight),
                               .type = weight->type,
                               .row_bytes = (size_t)(weight->bytes / weight->rows),
                               .width = weight->width,
                               .output_count = weight->rows,
                               .rows = rows_of(run, node),
                               .x = value_of(run, node->inputs[0]),
                               .x_stride = weight->width,
                               .out = out,
                               .out_stride = node->width};
    if (weight->type->packing)
        tile.panel_bytes = (size_t)loam_packed_panel_bytes(weight->type, weight->width);
    if (node->inputs[2] != LOAM_NO_TENSOR)
        tile.bias = weights_at(weight_of(run, node->inputs[2]));
    if (weight->type->activation_group)
        quantize(run, &tile, weight->type->activation_group);
    run->kernels->linear[weight->type->id](&tile);
}

static void rms_norm(const struct execution *run, const struct node *node, float *out)
{
    struct norm_tile tile = {.x = value_of(run, node->inputs[0]),
                             .weight = weights_at(weight_of(run, node->inputs[1])),
                             .out = out,
                             .width = node->width,
                             .epsilon = node->epsilon,
                             .row_count = rows_of(run, node)};
    run->kernels->rms_norm(&tile);
}

/* Cosines, then sines, of one row: angles in double (rule 6 of the numeric
 * contract). */
static void rotate(const struct rope *rope, double position, float *out)
{
    size_t pairs = rope->dimensions / 2;
    for (size_t i = 0; i < pairs; i++) {
        double sine, cosine;
        loam_sincos(position * rope->frequencies[i], &sine, &cosine);
        out[i] = (float)(cosine * (double)rope->magnitude);
        out[pairs + i] = (float)(sine * (double)rope->magnitude);
    }
}

static void rope(const struct execution *run, const struct node *node, float *out)
{
    float *rotation = (float *)work_of(run);
    for (uint32_t i = 0; i < run->step->sequence_count; i++) {
        const loam_step_sequence *sequence = &run->step->sequences[i];
        for (uint32_t row = 0; row < sequence->row_count; row++)
            rotate(&node->rope, (double)(sequence->position + row),
                   rotation + (size_t)(sequence->first_row + row) * node->rope.dimensions);
    }
    struct rope_tile tile = {.x = value_of(run, node->inputs[0]),
                             .out = out,
                             .rotation = rotation,
                             .heads = node->width / node->rope.head_width,
                             .head_width = node->rope.head_width,
                             .dimensions = node->rope.dimensions,
                             .pairing = node->rope.pairing,
                             .row_count = run->step->rows};
    run->kernels->rope(&tile);
}

/* One sequence: its keys and values are stored, then its rows look at them. */
static void attend(const struct execution *run, const struct node *node, float *out,
                   const loam_step_sequence *sequence, void *const *pages, uint8_t *numeric)
{
    const loam_attention_options *a = &node->attention;
    const struct kv_layout *layout = &run->program->layouts[node->index];
    if (!loam_node_shares(node)) {
        struct store_tile store = {.layout = layout,
                                   .k = value_of(run, node->inputs[1]),
                                   .v = value_of(run, node->inputs[2]),
                                   .first_row = sequence->first_row,
                                   .row_count = sequence->row_count,
                                   .position = sequence->position,
                                   .pages = pages};
        if (!run->kernels->store(&store))
            *numeric = 1;
    }
    struct attention_tile tile = {.layout = layout,
                                  .head_count = a->heads / a->kv_heads,
                                  .q = value_of(run, node->inputs[0]),
                                  .out = out,
                                  .q_stride = (size_t)a->heads * a->key_width,
                                  .out_stride = node->width,
                                  .window = a->window,
                                  .scale = a->scale,
                                  .pages = pages};
    for (size_t done = 0; done < sequence->row_count; done += tile.row_count) {
        tile.first_row = sequence->first_row + done;
        tile.position = sequence->position + done;
        tile.row_count = loam_min(run->kernels->attention_rows, sequence->row_count - done);
        for (tile.kv_head = 0; tile.kv_head < a->kv_heads; tile.kv_head++) {
            tile.first_head = tile.kv_head * tile.head_count;
            run->kernels->attention(&tile);
        }
    }
}

static void attention(const struct execution *run, struct mock_program *program,
                      const struct node *node, float *out)
{
    for (uint32_t i = 0; i < run->step->sequence_count; i++) {
        const loam_step_sequence *sequence = &run->step->sequences[i];
        void *const *pages = loam_mock_pages_enter(program, sequence);
        attend(run, node, out, sequence, pages, &program->numeric[i]);
        loam_mock_pages_leave(program);
    }
}

static void elementwise(const struct execution *run, const struct node *node, float *out)
{
    struct elementwise_tile tile = {.a = value_of(run, node->inputs[0]),
                                    .b = value_of(run, node->inputs[1]),
                                    .out = out,
                                    .count = rows_of(run, node) * node->width};
    if (node->operation == OP_GATE)
        run->kernels->gate_silu(&tile);
    else
        run->kernels->add(&tile);
}

static void outputs(const struct execution *run, const struct node *node, float *out)
{
    const float *x = value_of(run, node->inputs[0]);
    for (uint32_t row = 0; row < run->step->rows; row++) {
        if (!has_output(run->step, row))
            continue;
        memcpy(out, x + (size_t)row * node->width, node->width * sizeof *out);
        out += node->width;
    }
}

static void run_node(const struct execution *run, struct mock_program *program, loam_tensor tensor)
{
    const struct node *node = loam_graph_node(run->graph, tensor);
    float *out = value_of(run, tensor);
    switch (node->operation) {
    case OP_EMBED:
        embed(run, node, out);
        break;
    case OP_LINEAR:
        linear(run, node, out);
        break;
    case OP_RMS_NORM:
        rms_norm(run, node, out);
        break;
    case OP_ROPE:
        rope(run, node, out);
        break;
    case OP_ATTENTION:
        attention(run, program, node, out);
        break;
    case OP_OUTPUTS:
        outputs(run, node, out);
        break;
    default:
        elementwise(run, node, out);
        break;
    }
}

/* ---- the segment ------------------------------------------------------------ */

/* Copies of values between the device and the plan's host memory. */
static void copy(const struct execution *run, const loam_tensor *tensors, uint32_t count, bool in)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct node *node = loam_graph_node(run->graph, tensors[i]);
        size_t bytes = rows_of(run, node) * node->width * sizeof(float);
        float *host = run->program->plan->values[tensors[i]], *device = value_of(run, tensors[i]);
        memcpy(in ? device : host, in ? host : device, bytes);
    }
}

bool loam_mock_execute(const struct job *job, struct mock_counts *counts)
{
    struct mock_program *program = job->program;
    const struct segment *segment = &program->plan->segments[job->segment];
    const loam_step_descriptor *step = job->step;
    struct execution run = {.program = program,
                            .kernels = &program->device->kernels,
                            .graph = program->graph,
                            .step = step};
    for (uint32_t row = 0; row < step->rows; row++)
        run.outputs += has_output(step, row);
    copy(&run, segment->incoming, segment->incoming_count, true);
    for (loam_tensor i = segment->first; i < segment->end; i++) {
        if (program->plan->backend_of[i] == NO_BACKEND)
            continue;
        if (step->stop && step->stop(step->stop_user))
            return false;
        run_node(&run, program, i);
        counts->nodes++;
    }
    copy(&run, segment->outgoing, segment->outgoing_count, false);
    counts->segments++;
    counts->values_in += segment->incoming_count;
    counts->values_out += segment->outgoing_count;
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Running a segment of the plan: phase by phase, each cut into tiles for the pool. A tile
 * is a range of rows, of outputs, or of both; a sum is never cut.
 */
#include "base/numeric.h"
#include "cpu/cpu.h"

/* Sizes of tiles: well under a millisecond for the slowest kernels. */
enum {
    TILE_BYTES = 1 << 16,    /* weights of a linear tile */
    TILE_ELEMENTS = 1 << 14, /* numbers of a row-wise tile */
    LINEAR_ROWS = 32         /* rows of a linear tile at least, if there are so many */
};

/* One phase of one step, as its tiles see it. */
struct work {
    struct cpu_program *program;
    const loam_step_descriptor *step;
    const struct phase *phase;
    uint32_t rows; /* of the phase's value */
    uint32_t rows_per_tile, row_tiles;
    uint32_t outputs_per_tile;
};

static void *buffer_of(const struct cpu_program *program, int32_t buffer)
{
    return program->scratch_memory + program->scratch.buffers[buffer].offset;
}

/* Where the rows of a tensor are during this step. */
static float *value_of(const struct work *work, loam_tensor tensor)
{
    const struct cpu_program *program = work->program;
    float *crossing = program->plan->values[tensor];
    return crossing ? crossing : buffer_of(program, program->value_buffer[tensor]);
}

static const struct weight *weight_of(const struct work *work, loam_tensor tensor)
{
    return loam_graph_weight_of(work->program->graph, tensor);
}

static size_t row_bytes(const struct weight *weight)
{
    return (size_t)(weight->bytes / weight->rows);
}

static size_t panel_bytes(const struct weight *weight)
{
    return weight->type->packing ? (size_t)loam_packed_panel_bytes(weight->type, weight->width) : 0;
}

/* The parts of a step's quantised rows, of which the phase has `rows`. */
struct quantized {
    int8_t *q;
    float *scales;
    int16_t *sums32, *sums16;
    size_t groups;
};

static struct quantized quantized_of(const struct work *work, const struct phase *phase,
                                     size_t width)
{
    struct quantized out = {.q = buffer_of(work->program, phase->out),
                            .scales = buffer_of(work->program, phase->out_scales),
                            .groups = width / phase->group};
    out.sums32 = (int16_t *)(out.scales + work->rows * out.groups);
    out.sums16 = out.sums32 + work->rows * (width / 32);
    return out;
}

/* Rows [*first, *first + *count) of a row-wise tile. */
static void tile_rows(const struct work *work, uint32_t tile, size_t *first, size_t *count)
{
    *first = (size_t)tile * work->rows_per_tile;
    *count = loam_min(work->rows_per_tile, work->rows - *first);
}

/* ---- one function per kind of phase --------------------------------------- */

static void run_embed(const struct work *work, size_t first, size_t count)
{
    const struct weight *weight = weight_of(work, work->phase->node->inputs[0]);
    struct embed_tile tile = {.type = weight->type,
                              .weights = weight->resident,
                              .row_bytes = row_bytes(weight),
                              .panel_bytes = panel_bytes(weight),
                              .width = weight->width,
                              .tokens = work->step->tokens,
                              .out = value_of(work, work->phase->tensor),
                              .first_row = first,
                              .row_count = count};
    loam_cpu_embed(&tile);
}

static void run_quantize(const struct work *work, size_t first, size_t count)
{
    const struct phase *phase = work->phase;
    loam_tensor x = phase->node->inputs[0];
    size_t width = loam_graph_node(work->program->graph, x)->width;
    struct quantized rows = quantized_of(work, phase, width);
    struct quantize_tile tile = {.x = value_of(work, x),
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
    struct norm_tile tile = {.x = value_of(work, node->inputs[0]),
                             .weight = weight_of(work, node->inputs[1])->resident,
                             .out = value_of(work, work->phase->tensor),
                             .width = node->width,
                             .epsilon = node->epsilon,
                             .first_row = first,
                             .row_count = count};
    work->program->backend->kernels.rms_norm(&tile);
}

/* The position of a row: its sequence's, and its place there. */
static uint32_t position_of(const loam_step_descriptor *step, uint32_t row)
{
    uint32_t i = 0;
    while (i + 1 < step->sequence_count && step->sequences[i + 1].first_row <= row)
        i++;
    return step->sequences[i].position + (row - step->sequences[i].first_row);
}

/* Angles in double; see rule 6 of the numeric contract. */
static void run_rotation(const struct work *work, size_t first, size_t count)
{
    const struct rope *rope = &work->phase->node->rope;
    size_t pairs = rope->dimensions / 2;
    float *out = buffer_of(work->program, work->phase->out);
    for (size_t row = first; row < first + count; row++) {
        double position = position_of(work->step, (uint32_t)row);
        float *cosines = out + row * rope->dimensions, *sines = cosines + pairs;
        for (size_t i = 0; i < pairs; i++) {
            double sine, cosine;
            loam_sincos(position * rope->frequencies[i], &sine, &cosine);
            cosines[i] = (float)(cosine * (double)rope->magnitude);
            sines[i] = (float)(sine * (double)rope->magnitude);
        }
    }
}

static void run_rope(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const struct phase *rotation = &work->program->phases[work->phase->quantized];
    struct rope_tile tile = {.x = value_of(work, node->inputs[0]),
                             .out = value_of(work, work->phase->tensor),
                             .rotation = buffer_of(work->program, rotation->out),
                             .heads = node->width / node->rope.head_width,
                             .head_width = node->rope.head_width,
                             .dimensions = node->rope.dimensions,
                             .pairing = node->rope.pairing,
                             .first_row = first,
                             .row_count = count};
    work->program->backend->kernels.rope(&tile);
}

static void run_elementwise(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const struct cpu_kernels *kernels = &work->program->backend->kernels;
    struct elementwise_tile tile = {.a = value_of(work, node->inputs[0]),
                                    .b = value_of(work, node->inputs[1]),
                                    .out = value_of(work, work->phase->tensor),
                                    .first = first * node->width,
                                    .count = count * node->width};
    if (work->phase->kind == PHASE_GATE)
        kernels->gate_silu(&tile);
    else
        kernels->add(&tile);
}

static void run_outputs(const struct work *work, size_t first, size_t count)
{
    size_t width = work->phase->node->width;
    const float *x = value_of(work, work->phase->node->inputs[0]);
    float *out = value_of(work, work->phase->tensor);
    for (size_t i = first; i < first + count; i++)
        memcpy(out + i * width, x + work->program->output_rows[i] * width, width * sizeof *out);
}

static void run_row_tile(void *context, uint32_t tile, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    size_t first, count;
    tile_rows(work, tile, &first, &count);
    switch (work->phase->kind) {
    case PHASE_EMBED:
        run_embed(work, first, count);
        break;
    case PHASE_QUANTIZE:
        run_quantize(work, first, count);
        break;
    case PHASE_RMS_NORM:
        run_norm(work, first, count);
        break;
    case PHASE_ROTATION:
        run_rotation(work, first, count);
        break;
    case PHASE_ROPE:
        run_rope(work, first, count);
        break;
    case PHASE_OUTPUTS:
        run_outputs(work, first, count);
        break;
    default:
        run_elementwise(work, first, count);
        break;
    }
}

/* Tiles of a product: all row blocks of an output range, then the next range,
 * so that a worker's tiles read one contiguous part of the weights. */
static void run_linear_tile(void *context, uint32_t tile_index, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    const struct weight *weight = weight_of(work, node->inputs[1]);
    size_t first_row, width = weight->width, stride = node->width;
    struct linear_tile tile = {.weights = weight->resident,
                               .type = weight->type,
                               .row_bytes = row_bytes(weight),
                               .panel_bytes = panel_bytes(weight),
                               .width = width,
                               .x_stride = width,
                               .out_stride = stride};
    tile_rows(work, tile_index % work->row_tiles, &first_row, &tile.rows);
    tile.first_output = (size_t)(tile_index / work->row_tiles) * work->outputs_per_tile;
    tile.output_count = loam_min(work->outputs_per_tile, weight->rows - tile.first_output);
    if (work->phase->quantized >= 0) {
        struct quantized rows =
            quantized_of(work, &work->program->phases[work->phase->quantized], width);
        tile.q = rows.q + first_row * width;
        tile.scales = rows.scales + first_row * rows.groups;
        tile.sums32 = rows.sums32 + first_row * (width / 32);
        tile.sums16 = rows.sums16 + first_row * (width / 16);
    } else {
        tile.x = value_of(work, node->inputs[0]) + first_row * width;
    }
    tile.bias =
        node->inputs[2] == LOAM_NO_TENSOR ? NULL : weight_of(work, node->inputs[2])->resident;
    tile.out = value_of(work, work->phase->tensor) + first_row * stride;
    work->program->backend->kernels.linear[weight->type->id](&tile);
}

/* The sequence and rows of row block `block` of the step. */
static uint32_t sequence_rows(const struct work *work, uint32_t block, size_t *first, size_t *count)
{
    const uint32_t *before = work->program->sequence_tiles;
    uint32_t i = 0;
    while (before[i + 1] <= block)
        i++;
    const loam_step_sequence *sequence = &work->step->sequences[i];
    size_t rows = work->program->backend->kernels.attention_rows;
    size_t offset = (size_t)(block - before[i]) * rows;
    *first = sequence->first_row + offset;
    *count = loam_min(rows, sequence->row_count - offset);
    return i;
}

static void run_store_tile(void *context, uint32_t block, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    struct store_tile tile = {.layout = &work->program->layouts[node->index],
                              .k = value_of(work, node->inputs[1]),
                              .v = value_of(work, node->inputs[2])};
    uint32_t i = sequence_rows(work, block, &tile.first_row, &tile.row_count);
    const loam_step_sequence *sequence = &work->step->sequences[i];
    tile.position = sequence->position + (tile.first_row - sequence->first_row);
    tile.pages = sequence->pages;
    if (!work->program->backend->kernels.store(&tile))
        atomic_store_explicit(&work->program->numeric[i], 1, memory_order_relaxed);
}

/* Tiles of attention: all row blocks of one KV head, then the next head. */
static void run_attention_tile(void *context, uint32_t tile_index, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    const loam_attention_options *a = &node->attention;
    uint32_t blocks = work->row_tiles;
    struct attention_tile tile = {.layout = &work->program->layouts[node->index],
                                  .kv_head = tile_index / blocks,
                                  .heads_per_kv_head = a->heads / a->kv_heads,
                                  .q = value_of(work, node->inputs[0]),
                                  .out = value_of(work, work->phase->tensor),
                                  .q_stride = (size_t)a->heads * a->key_width,
                                  .out_stride = node->width,
                                  .window = a->window,
                                  .scale = a->scale};
    uint32_t i = sequence_rows(work, tile_index % blocks, &tile.first_row, &tile.row_count);
    const loam_step_sequence *sequence = &work->step->sequences[i];
    tile.position = sequence->position + (tile.first_row - sequence->first_row);
    tile.pages = sequence->pages;
    work->program->backend->kernels.attention(&tile);
}

/* ---- the step ------------------------------------------------------------- */

static uint32_t divide_up(uint64_t a, uint64_t b)
{
    return (uint32_t)((a + b - 1) / b);
}

/* Cuts a product into tiles; returns their number. A tile is as large as its
 * time allows, by work and by the weights that it reads; weights are read
 * again for each block of rows, so rows are cut last. */
static uint32_t cut_linear(struct work *work)
{
    const struct weight *weight = weight_of(work, work->phase->node->inputs[1]);
    uint64_t products = work->program->backend->kernels.linear_products;
    uint64_t unit = weight->type->packing ? PANEL_ROWS : 1; /* outputs */
    uint64_t rows = loam_max(products / (unit * weight->width), LINEAR_ROWS);
    work->rows_per_tile = (uint32_t)loam_min(work->rows, rows);
    work->row_tiles = divide_up(work->rows, work->rows_per_tile);
    uint64_t by_work = products / ((uint64_t)work->rows_per_tile * weight->width);
    uint64_t outputs = loam_min(by_work, TILE_BYTES / row_bytes(weight));
    work->outputs_per_tile = (uint32_t)loam_max(outputs / unit * unit, unit);
    return work->row_tiles * divide_up(weight->rows, work->outputs_per_tile);
}

static bool run_phase(struct work *work, uint32_t output_count)
{
    const struct phase *phase = work->phase;
    const struct node *node = phase->node;
    const loam_step_descriptor *step = work->step;
    work->rows = node->outputs_only ? output_count : step->rows;
    if (work->rows == 0)
        return true;
    void (*run)(void *, uint32_t, int32_t) = run_row_tile;
    uint32_t tiles;
    if (phase->kind == PHASE_LINEAR) {
        tiles = cut_linear(work);
        run = run_linear_tile;
    } else if (phase->kind == PHASE_STORE || phase->kind == PHASE_ATTENTION) {
        work->row_tiles = work->program->sequence_tiles[step->sequence_count];
        bool store = phase->kind == PHASE_STORE;
        tiles = work->row_tiles * (store ? 1 : node->attention.kv_heads);
        run = store ? run_store_tile : run_attention_tile;
    } else {
        work->rows_per_tile = (uint32_t)loam_max(TILE_ELEMENTS / loam_max(node->width, 1), 1);
        tiles = work->row_tiles = divide_up(work->rows, work->rows_per_tile);
    }
    return loam_pool_run(work->program->backend->pool, tiles, run, work, step->stop,
                         step->stop_user);
}

/* Lists output rows and the row blocks of sequences; returns the outputs. */
static uint32_t prepare(struct cpu_program *program, const loam_step_descriptor *step)
{
    uint32_t outputs = 0;
    for (uint32_t row = 0; row < step->rows; row++)
        if (!step->output_rows || step->output_rows[row])
            program->output_rows[outputs++] = row;
    program->sequence_tiles[0] = 0;
    for (uint32_t i = 0; i < step->sequence_count; i++) {
        program->sequence_tiles[i + 1] =
            program->sequence_tiles[i] +
            divide_up(step->sequences[i].row_count, program->backend->kernels.attention_rows);
        atomic_store_explicit(&program->numeric[i], 0, memory_order_relaxed);
    }
    return outputs;
}

loam_status loam_cpu_run(struct program *given, uint32_t segment, const loam_step_descriptor *step,
                         loam_error *error)
{
    struct cpu_program *program = (struct cpu_program *)given;
    uint32_t outputs = prepare(program, step);
    for (size_t i = segment ? program->phase_ends[segment - 1] : 0;
         i < program->phase_ends[segment]; i++) {
        struct work work = {.program = program, .step = step, .phase = &program->phases[i]};
        if (!run_phase(&work, outputs))
            return loam_fail(error, LOAM_CANCELLED, "the step was cancelled");
    }
    for (uint32_t i = 0; step->sequence_numeric && i < step->sequence_count; i++)
        step->sequence_numeric[i] |=
            atomic_load_explicit(&program->numeric[i], memory_order_relaxed);
    return LOAM_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * Running a segment of the plan: phase by phase, each cut into tiles for the pool. A tile
 * is a range of rows, of outputs, or of both; a sum is never cut.
 */
#include "cpu/run.h"
#include "base/numeric.h"

/* Sizes of tiles: well under a millisecond for the slowest kernels. */
enum {
    TILE_BYTES = 1 << 16,    /* weights of a linear tile */
    FLOAT_BYTES = 1 << 18,   /* the same of float weights at most, if each thread then has */
    FLOAT_TILES = 8,         /* as many of them */
    TILE_ELEMENTS = 1 << 14, /* numbers of a row-wise tile */
    LINEAR_ROWS = 32         /* rows of a linear tile at least, if there are so many */
};

/* ---- tiles of each kind ---------------------------------------------------- */

static void run_row_tile(void *context, uint32_t tile, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    size_t first, count;
    loam_work_tile_rows(work, tile, &first, &count);
    loam_run_rows(work, first, count);
}

/* Tiles of a product: all row blocks of an output range, then the next range,
 * so that a worker's tiles read one contiguous part of the weights. */
static void run_linear_tile(void *context, uint32_t tile_index, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    const struct weight *weight = loam_work_weight(work, node->inputs[1]);
    size_t first_row, width = weight->width, stride = node->width;
    struct linear_tile tile = {.weights = weight->resident,
                               .type = weight->type,
                               .row_bytes = loam_work_row_bytes(weight),
                               .panel_bytes = loam_work_panel_bytes(weight),
                               .width = width,
                               .x_stride = width,
                               .out_stride = stride,
                               .ahead = work->program->backend->kernels.linear_ahead};
    loam_work_tile_rows(work, tile_index % work->row_tiles, &first_row, &tile.rows);
    tile.first_output = (size_t)(tile_index / work->row_tiles) * work->outputs_per_tile;
    tile.output_count = loam_min(work->outputs_per_tile, weight->rows - tile.first_output);
    if (work->phase->quantized >= 0) {
        struct quantized rows =
            loam_work_quantized(work, &work->program->phases[work->phase->quantized], width);
        tile.q = rows.q + first_row * width;
        tile.scales = rows.scales + first_row * rows.groups;
        tile.sums32 = rows.sums32 + first_row * (width / 32);
        tile.sums16 = rows.sums16 + first_row * (width / 16);
    } else {
        tile.x = loam_work_value(work, node->inputs[0]) + first_row * width;
    }
    tile.bias = node->inputs[2] == LOAM_NO_TENSOR
                    ? NULL
                    : loam_work_weight(work, node->inputs[2])->resident;
    tile.out = loam_work_value(work, work->phase->tensor) + first_row * stride;
    work->program->backend->kernels.linear[weight->type->id](&tile);
}

/* ---- the step ------------------------------------------------------------- */

/* Float weights are read in several streams, which begin anew in each tile: in larger ones
 * a step takes 0.9 of the time. */
static uint64_t tile_bytes(const struct work *work, const struct weight *weight)
{
    uint64_t threads = loam_pool_threads(work->program->backend->pool);
    uint64_t share = weight->rows * loam_work_row_bytes(weight) / (FLOAT_TILES * threads);
    if (weight->type->packing)
        return TILE_BYTES;
    return loam_max(loam_min(share, FLOAT_BYTES), TILE_BYTES);
}

/* A tile is as large as its time allows, by work and by the weights that it reads;
 * weights are read again for each block of rows, so rows are cut last. */
void loam_work_cut(struct work *work, const struct weight *weight, uint32_t rows)
{
    const struct cpu_kernels *kernels = &work->program->backend->kernels;
    uint64_t products = kernels->linear_products, unit = 1; /* outputs */
    if (weight->type->packing)
        unit = rows > 1 ? kernels->linear_outputs : kernels->row_outputs;
    else if (rows > 1)
        unit = kernels->float_outputs;
    uint64_t most = loam_max(products / (unit * weight->width), LINEAR_ROWS);
    work->rows_per_tile = (uint32_t)loam_min(rows, most);
    work->row_tiles = loam_work_divide_up(rows, work->rows_per_tile);
    uint64_t by_work = products / ((uint64_t)work->rows_per_tile * weight->width);
    uint64_t outputs = loam_min(by_work, tile_bytes(work, weight) / loam_work_row_bytes(weight));
    work->outputs_per_tile = (uint32_t)loam_max(outputs / unit * unit, unit);
}

/* Cuts a product into tiles; returns their number. */
static uint32_t cut_linear(struct work *work)
{
    const struct weight *weight = loam_work_weight(work, work->phase->node->inputs[1]);
    loam_work_cut(work, weight, work->rows);
    return work->row_tiles * loam_work_divide_up(weight->rows, work->outputs_per_tile);
}

/* Products that run together, and their tiles one after the other. */
struct batch {
    struct work works[BATCH_MOST];
    uint32_t ends[BATCH_MOST]; /* tiles up to the end of each product */
    size_t count;
};

static void run_batch_tile(void *context, uint32_t tile, int32_t worker)
{
    struct batch *batch = context;
    size_t i = 0;
    while (batch->ends[i] <= tile)
        i++;
    run_linear_tile(&batch->works[i], tile - (i ? batch->ends[i - 1] : 0), worker);
}

/* The products of one value from phase *next on; *next: the phase after them. */
static bool run_products(const struct work *first, size_t *next)
{
    const struct cpu_program *program = first->program;
    struct batch batch = {.count = 0};
    uint32_t tiles = 0;
    for (; *next < program->phase_count && program->phases[*next].moment == first->phase->moment;
         ++*next) {
        struct work *work = &batch.works[batch.count];
        *work = *first;
        work->phase = &program->phases[*next];
        if (work->step->observe)
            loam_observe_phase(work);
        tiles += cut_linear(work);
        batch.ends[batch.count++] = tiles;
    }
    return loam_pool_run(program->backend->pool, tiles, run_batch_tile, &batch, first->step->stop,
                         first->step->stop_user);
}

/* Runs phase *next and those that run together with it; *next: the one after them. */
static bool run_phase(struct work *work, uint32_t output_count, size_t *next)
{
    const struct phase *phase = work->phase;
    const struct node *node = phase->node;
    const loam_step_descriptor *step = work->step;
    work->token_rows = work->rows = node->outputs_only ? output_count : step->rows;
    if (phase->kind == PHASE_LINEAR && work->rows > 0)
        return run_products(work, next);
    ++*next;
    if (work->rows == 0)
        return true;
    if (phase->kind >= PHASE_EXPERT_GATHER && phase->kind <= PHASE_EXPERT_ACTIVATE)
        work->rows *= node->experts.used;
    if (step->observe)
        loam_observe_phase(work);
    void (*run)(void *, uint32_t, int32_t) = run_row_tile;
    uint32_t tiles;
    if (phase->kind == PHASE_ATTENTION)
        return loam_attention_run(work);
    if (phase->kind == PHASE_STORE) {
        tiles = work->row_tiles = work->program->sequence_tiles[step->sequence_count];
        run = loam_attention_store;
    } else if (phase->kind == PHASE_EXPERT_LINEAR) {
        tiles = loam_experts_cut(work);
        run = loam_experts_linear;
    } else if (phase->kind == PHASE_CONVOLVE || phase->kind == PHASE_SCAN) {
        tiles = loam_states_cut(work);
        run = loam_states_run;
    } else {
        work->rows_per_tile = (uint32_t)loam_max(TILE_ELEMENTS / loam_max(node->width, 1), 1);
        if (phase->kind == PHASE_EXPERT_GROUP) /* sorting is one piece of work */
            work->rows_per_tile = work->rows;
        tiles = work->row_tiles = loam_work_divide_up(work->rows, work->rows_per_tile);
        if (phase->kind == PHASE_LINEAR_HEADS) {
            tiles *= node->heads;
            run = loam_experts_heads;
        }
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
            loam_work_divide_up(step->sequences[i].row_count,
                                program->backend->kernels.attention_rows);
        atomic_store_explicit(&program->numeric[i], 0, memory_order_relaxed);
    }
    return outputs;
}

loam_status loam_cpu_run(struct program *given, uint32_t segment, const loam_step_descriptor *step,
                         loam_error *error)
{
    struct cpu_program *program = (struct cpu_program *)given;
    uint32_t outputs = prepare(program, step);
    size_t next = segment ? program->phase_ends[segment - 1] : 0;
    while (next < program->phase_ends[segment]) {
        struct work work = {.program = program, .step = step, .phase = &program->phases[next]};
        if (!run_phase(&work, outputs, &next))
            return loam_fail(error, LOAM_CANCELLED, "the step was cancelled");
    }
    for (uint32_t i = 0; step->sequence_numeric && i < step->sequence_count; i++)
        step->sequence_numeric[i] |=
            atomic_load_explicit(&program->numeric[i], memory_order_relaxed);
    return LOAM_OK;
}

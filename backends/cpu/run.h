/* SPDX-License-Identifier: MIT */
/* What the files that run phases share. */
#ifndef LOAM_BACKENDS_CPU_RUN_H
#define LOAM_BACKENDS_CPU_RUN_H

#include "cpu/cpu.h"

/* One phase of one step, as its tiles see it. */
struct work {
    struct cpu_program *program;
    const loam_step_descriptor *step;
    const struct phase *phase;
    uint32_t rows;       /* of the phase's value, or pairs of a row and an expert */
    uint32_t token_rows; /* of the node's value */
    uint32_t rows_per_tile, row_tiles;
    uint32_t outputs_per_tile, output_tiles;
};

static inline void *loam_work_buffer(const struct cpu_program *program, int32_t buffer)
{
    return program->scratch_memory + program->scratch.buffers[buffer].offset;
}

/* Where the rows of a tensor are during this step. */
static inline float *loam_work_value(const struct work *work, loam_tensor tensor)
{
    const struct cpu_program *program = work->program;
    float *crossing = program->plan->values[tensor];
    return crossing ? crossing : loam_work_buffer(program, program->value_buffer[tensor]);
}

static inline const struct weight *loam_work_weight(const struct work *work, loam_tensor tensor)
{
    return loam_graph_weight_of(work->program->graph, tensor);
}

static inline size_t loam_work_row_bytes(const struct weight *weight)
{
    return (size_t)(weight->bytes / weight->rows);
}

static inline size_t loam_work_panel_bytes(const struct weight *weight)
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

static inline struct quantized loam_work_quantized(const struct work *work,
                                                   const struct phase *phase, size_t width)
{
    struct quantized out = {.q = loam_work_buffer(work->program, phase->out),
                            .scales = loam_work_buffer(work->program, phase->out_scales),
                            .groups = width / phase->group};
    out.sums32 = (int16_t *)(out.scales + work->rows * out.groups);
    out.sums16 = out.sums32 + work->rows * (width / 32);
    return out;
}

static inline uint32_t loam_work_divide_up(uint64_t a, uint64_t b)
{
    return (uint32_t)((a + b - 1) / b);
}

/* Rows [*first, *first + *count) of a row-wise tile. */
static inline void loam_work_tile_rows(const struct work *work, uint32_t tile, size_t *first,
                                       size_t *count)
{
    *first = (size_t)tile * work->rows_per_tile;
    *count = loam_min(work->rows_per_tile, work->rows - *first);
}

/* run.c: cuts a product of `rows` rows into tiles: sets rows_per_tile, row_tiles and
 * outputs_per_tile. */
void loam_work_cut(struct work *work, const struct weight *weight, uint32_t rows);

/* run_attention.c: a tile that stores keys and values of a row block; a phase of attention,
 * false if it was cancelled. */
void loam_attention_store(void *context, uint32_t block, int32_t worker);
bool loam_attention_run(struct work *work);

/* observe.c: shows the phase's input to the step's observer, if it is a product. */
void loam_observe_phase(const struct work *work);

/* experts.c: the rows of expert `expert` that the phase's product takes, and
 * their number. */
const float *loam_experts_input(const struct work *work, uint32_t expert, uint32_t *rows);

/* run_rows.c: rows [first, first + count) of a phase that works row by row. */
void loam_run_rows(const struct work *work, size_t first, size_t count);

/* experts.c: row-wise phases of a mixture, and tiles of its products and of
 * products by head. */
void loam_experts_route(const struct work *work, size_t first, size_t count);
void loam_experts_group(const struct work *work, size_t first, size_t count);
void loam_experts_gather(const struct work *work, size_t first, size_t count);
void loam_experts_quantize(const struct work *work, size_t first, size_t count);
void loam_experts_activate(const struct work *work, size_t first, size_t count);
void loam_experts_combine(const struct work *work, size_t first, size_t count);
uint32_t loam_experts_cut(struct work *work);
void loam_experts_linear(void *context, uint32_t tile, int32_t worker);
void loam_experts_heads(void *context, uint32_t tile, int32_t worker);

/* run_states.c: tiles of convolutions and scans. */
uint32_t loam_states_cut(struct work *work);
void loam_states_run(void *context, uint32_t tile, int32_t worker);

#endif

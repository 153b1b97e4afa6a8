/* SPDX-License-Identifier: MIT */
/*
 * backends/cpu: the CPU backend. ref/ holds the scalar kernels, which define
 * every result; each level adds a folder of kernels that give the same bits.
 * May include lib/tensor, lib/quant and lib/base; knows no model and no file.
 *
 * cpu.h: the backend's own structs.
 */
#ifndef LOAM_BACKENDS_CPU_CPU_H
#define LOAM_BACKENDS_CPU_CPU_H

#include "base/half.h"
#include "cpu/levels.h"
#include "tensor/engine.h"
#include "tensor/plan.h"

struct cpu_backend {
    struct backend base;
    struct memory *memory;
    struct pool *pool;
    struct cpu_kernels kernels;
};

/* Makes the CPU backend of an engine, with the kernels of a level that is
 * available (never BEST). Both memory and pool outlive it.
 * [errors: MEMORY] */
loam_status loam_cpu_create(struct backend **out, struct memory *memory, struct pool *pool,
                            int32_t level, loam_error *error);

/* ---- weights --------------------------------------------------------------- */

uint64_t loam_cpu_weight_bytes(const struct backend *backend, const struct weight *weight);
uint64_t loam_cpu_upload_bytes(const struct backend *backend, const struct weight *weight);
loam_status loam_cpu_upload(struct backend *backend, struct weight *weight,
                            const struct weight_reader *reader, loam_error *error);
void loam_cpu_release_weight(struct backend *backend, struct weight *weight);

/* ---- the program ---------------------------------------------------------- */

/* What a phase does: one operation, or a part of it that others share. */
enum phase_kind {
    PHASE_EMBED,
    PHASE_QUANTIZE, /* rows of a value, for the products that follow */
    PHASE_LINEAR,
    PHASE_RMS_NORM,
    PHASE_ROTATION, /* cosines and sines of the step's positions */
    PHASE_ROPE,
    PHASE_STORE, /* keys and values into their pages */
    PHASE_ATTENTION,
    PHASE_GROUP_NORM,
    PHASE_MAP, /* gates with other functions than SILU as well */
    PHASE_ELEMENTWISE,
    PHASE_ADD_REPEATED,
    PHASE_MULTIPLY,
    PHASE_REDUCE,
    PHASE_MIX,
    PHASE_AFFINE,
    PHASE_SLICE,
    PHASE_CONCATENATE,
    PHASE_OUTPUTS,
    PHASE_LINEAR_HEADS,
    PHASE_ROUTE,           /* which experts each row takes */
    PHASE_EXPERT_GROUP,    /* pairs of row and expert, by expert */
    PHASE_EXPERT_GATHER,   /* their rows */
    PHASE_EXPERT_QUANTIZE, /* the same, or what they became, for the product that follows */
    PHASE_EXPERT_LINEAR,
    PHASE_EXPERT_ACTIVATE,
    PHASE_EXPERT_COMBINE,
    PHASE_SUM,
    PHASE_CONVOLVE,
    PHASE_SCAN,
    PHASE_KINDS
};

enum { BATCH_MOST = 8 };

/* One set of tiles. Buffers are numbers in the program's layout. */
struct phase {
    enum phase_kind kind;
    const struct node *node;
    loam_tensor tensor; /* whose value it makes, or LOAM_NO_TENSOR */
    int32_t out;        /* buffer of the value, or of quantised rows */
    int32_t out_scales; /* their scales and sums; parts of PHASE_ATTENTION */
    int32_t quantized;  /* PHASE_LINEAR: the phase with its quantised rows; PHASE_ROPE: the one with
                           its rotation; else -1 */
    uint32_t group;     /* PHASE_QUANTIZE: numbers that share a scale */
    uint32_t moment;    /* products of one value that follow one another have the same: they run
                           together, BATCH_MOST at most; all other phases run alone */
    uint32_t product;   /* PHASE_EXPERT_...: EXPERT_GATE, EXPERT_UP or EXPERT_DOWN */
};

/* Buffers of one mixture of experts. A pair is a row and one of its experts;
 * pairs are in the order of experts. */
struct expert_buffers {
    int32_t route;       /* ids [rows][used], weights [rows][used] */
    int32_t order;       /* see experts.c */
    int32_t x;           /* [pairs][width] */
    int32_t gate, up, y; /* [pairs][hidden] twice, [pairs][width] */
};

/* The second buffer of quantised rows: scales, then sums of 32, then of 16. */
static inline uint64_t loam_cpu_scales_bytes(uint64_t rows, uint64_t width, uint64_t group)
{
    return rows * (width / group * sizeof(float) + width / 32 * 2 + width / 16 * 2);
}

/* The phases of a plan's segments on the CPU, one segment after the other. */
struct cpu_program {
    struct cpu_backend *backend;
    const struct plan *plan;
    const loam_graph *graph;
    struct phase *phases;
    size_t phase_count, phase_capacity;
    uint32_t moment;       /* of the phase that is added next */
    uint32_t *phase_ends;  /* [segment_count]: phases up to the end of each segment of the plan */
    struct layout scratch; /* by the moments of phases */
    int32_t *value_buffer; /* [node_count]: buffer of each tensor's value, or NO_BUFFER */
    struct kv_layout *layouts;       /* [attention_count] */
    struct expert_buffers *mixtures; /* [mixture_count] */
    uint64_t page_bytes;
    unsigned char *scratch_memory; /* taken by allocate */
    uint32_t *output_rows;         /* [max_rows]: rows with the output flag */
    atomic_uchar *numeric;         /* [max_sequences] */
    uint32_t *sequence_tiles;      /* [max_sequences + 1]: row blocks before each sequence */
};

/* segment.c: a buffer alive from the phase that is added next, or NO_BUFFER;
 * one kept alive until then; the phase itself, false without memory. */
int32_t loam_segment_buffer(struct cpu_program *program, uint64_t bytes);
void loam_segment_use(struct cpu_program *program, int32_t buffer);
bool loam_segment_add(struct cpu_program *program, const struct phase *phase);

/* run_attention.c: room that a phase of attention takes for parts of pages. */
uint64_t loam_attention_parts_bytes(const struct cpu_backend *backend, const struct node *node);

/* experts.c: all phases of a mixture but the last, which makes its value. */
bool loam_experts_compile(struct cpu_program *program, const struct node *node);

loam_status loam_cpu_compile(struct program **out, struct backend *backend, const struct plan *plan,
                             loam_error *error);
loam_status loam_cpu_allocate(struct program *program, loam_error *error);
loam_status loam_cpu_run(struct program *program, uint32_t segment,
                         const loam_step_descriptor *step, loam_error *error);
void loam_cpu_release(struct program *program);

#endif

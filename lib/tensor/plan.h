/* SPDX-License-Identifier: MIT */
/*
 * A plan: where each node of a compiled graph is computed, which values cross
 * between backends, and when one waits for another.
 *
 * Placement comes first: a node goes to the first device that does not refuse
 * it, else to the CPU. A segment is a maximal run of consecutive nodes on one
 * backend; segments run in the graph's order. With the CPU alone there is one
 * segment, nothing crosses but inputs and result, and nobody waits.
 */
#ifndef LOAM_TENSOR_PLAN_H
#define LOAM_TENSOR_PLAN_H

#include "tensor/backend.h"
#include "tensor/layout.h"

enum { NO_BACKEND = 255 };

struct segment {
    uint32_t backend;
    loam_tensor first, end;      /* nodes [first, end); leaves among them are passed over */
    const loam_tensor *incoming; /* values that this backend uses here first and does not make */
    uint32_t incoming_count;
    const loam_tensor *outgoing; /* values made here that others use, or that are the result */
    uint32_t outgoing_count;
    uint32_t awaited; /* bit b: backend b must be done with what was submitted before this runs */
};

struct plan {
    loam_graph *graph;
    uint8_t *backend_of; /* [node_count], NO_BACKEND: a leaf */
    struct segment *segments;
    size_t segment_count;
    loam_tensor *lists;    /* what incoming and outgoing point into */
    uint8_t *weight_users; /* [weight_count]: bit b: backend b reads the weight */
    /* By backend; NULL: it has no segment. */
    struct program *programs[MOST_BACKENDS];
    struct weight *weights[MOST_BACKENDS]; /* [weight_count], as that backend keeps them */
    uint64_t page_offset[MOST_BACKENDS];   /* of its part of a page; the CPU's is 0 */
    /* Host memory of values that cross: f32 [rows][width]; NULL for others.
     * Inputs and result are the caller's, set for each step. */
    float **values; /* [node_count] */
    struct layout staging;
    int32_t *staged; /* [node_count]: buffer of the staging, or NO_BUFFER */
    unsigned char *staging_memory;
    unsigned char *weight_memory; /* of the CPU */
    uint64_t weight_memory_bytes;
    struct graph_size size;
    bool ready; /* weights and scratch are there */
};

/* The weight of a WEIGHT node as `backend` keeps it. */
static inline const struct weight *loam_plan_weight(const struct plan *plan, uint32_t backend,
                                                    loam_tensor tensor)
{
    return &plan->weights[backend][plan->graph->nodes[tensor].index];
}

/* placement.c: fills in all but programs, weights, sizes and memory. `plan` is
 * zero but for its graph; loam_plan_release takes it from any state.
 * [errors: MEMORY, UNSUPPORTED] */
loam_status loam_placement_make(struct plan *plan, loam_error *error);
void loam_placement_end(struct plan *plan);

/* Rows of a node's value in the largest step. */
static inline uint64_t loam_plan_rows(const struct plan *plan, const struct node *node)
{
    const loam_compile_options *options = &plan->graph->options;
    return node->outputs_only ? options->max_outputs : options->max_rows;
}

/* plan.c: ends a plan in any state; NULL is fine. */
void loam_plan_release(struct plan *plan);

#endif

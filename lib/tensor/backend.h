/* SPDX-License-Identifier: MIT */
/*
 * What a device must do. A backend owns the memory of its weights, packs them
 * as it likes, compiles a graph into a segment with all scratch laid out, and
 * runs the segment without allocating.
 *
 * Today one backend computes a whole graph; splitting a graph between
 * backends comes with the mock device (docs/decisions.md).
 */
#ifndef LOAM_TENSOR_BACKEND_H
#define LOAM_TENSOR_BACKEND_H

#include "tensor/tensor.h"

struct backend;
struct segment;

struct backend_functions {
    const char *name;
    /* Why the node can't be computed, in a static text, or NULL if it can. */
    const char *(*refuses)(const struct backend *backend, const loam_graph *graph,
                           const struct node *node);
    /* Memory that the weight will take. */
    uint64_t (*weight_bytes)(const struct backend *backend, const struct weight *weight);
    /* Memory that reading it takes for the time being. */
    uint64_t (*upload_bytes)(const struct backend *backend, const struct weight *weight);
    /* Reads the weight into memory of its own: sets resident, resident_bytes. */
    loam_status (*upload)(struct backend *backend, struct weight *weight,
                          const struct weight_reader *reader, loam_error *error);
    void (*release_weight)(struct backend *backend, struct weight *weight);
    /* Plans graph->result by graph->options (complete). Works before weights
     * are uploaded: takes no scratch until loam allocates it. */
    loam_status (*compile)(struct segment **out, struct backend *backend, loam_graph *graph,
                           loam_error *error);
    uint64_t (*scratch_bytes)(const struct segment *segment);
    uint64_t (*page_bytes)(const struct segment *segment);
    /* Takes the scratch; after it, run allocates nothing. */
    loam_status (*allocate)(struct segment *segment, loam_error *error);
    loam_status (*run)(struct segment *segment, const loam_step_descriptor *step, loam_error *error);
    void (*release_segment)(struct segment *segment);
    void (*destroy)(struct backend *backend);
};

/* The beginning of every backend's own struct. */
struct backend {
    const struct backend_functions *functions;
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a device must do. A backend owns the memory of its weights and packs
 * them as it likes; compiles its share of a planned graph (plan.h) into a
 * program with all scratch laid out; and runs the program's segments without
 * allocating.
 *
 * Values cross between backends through host memory: a segment reads what
 * comes in from plan->values, and writes what goes out there. Only a program
 * knows where its own values are. A backend may be done later than submit
 * returns; what a segment reads and writes in host memory is left alone until
 * wait.
 *
 * Calls for one engine are made by one thread at a time, except page_open and
 * page_close. Internal: docs/decisions.md says when that may change.
 */
#ifndef LOAM_TENSOR_BACKEND_H
#define LOAM_TENSOR_BACKEND_H

#include "tensor/tensor.h"

struct backend;
struct plan;
struct program; /* each backend begins its own struct where this one does */

/* Memory of a program. */
struct program_size {
    uint64_t scratch_bytes;     /* taken by allocate */
    uint64_t page_bytes;        /* of each page of the caller, a multiple of 64; 0: no attention */
    uint64_t device_page_bytes; /* taken by page_open */
};

struct backend_functions {
    size_t struct_size; /* of this table */
    const char *name;

    /* Why the node can't be computed, in a static text, or NULL if it can. */
    const char *(*refuses)(const struct backend *backend, const loam_graph *graph,
                           const struct node *node);

    /* Memory that the weight will take. */
    uint64_t (*weight_bytes)(const struct backend *backend, const struct weight *weight);
    /* Host memory that reading it takes for the time being. */
    uint64_t (*upload_bytes)(const struct backend *backend, const struct weight *weight);
    /* Reads the weight into memory of its own: sets resident, resident_bytes. */
    loam_status (*upload)(struct backend *backend, struct weight *weight,
                          const struct weight_reader *reader, loam_error *error);
    /* Gives back what upload took, also where it failed or never was. */
    void (*release_weight)(struct backend *backend, struct weight *weight);

    /* Compiles the plan's segments on this backend, at least one. Works before
     * weights are uploaded: takes no scratch until allocate. */
    loam_status (*compile)(struct program **out, struct backend *backend, const struct plan *plan,
                           loam_error *error);
    void (*measure)(struct program_size *out, const struct program *program);
    /* After it, submit and wait allocate nothing. */
    loam_status (*allocate)(struct program *program, loam_error *error);
    /* Begins segment number `segment` of the plan. Segments of a program are
     * done in the order of submission. The step stays as it is until wait.
     * CANCELLED if stop said so. */
    loam_status (*submit)(struct program *program, uint32_t segment,
                          const loam_step_descriptor *step, loam_error *error);
    /* Returns when all that was submitted for the step is done, or given up
     * because stop said so: CANCELLED. Raises sequence_numeric (never lowers it). */
    loam_status (*wait)(struct program *program, const loam_step_descriptor *step,
                        loam_error *error);
    void (*release)(struct program *program);

    /* A page of the caller begins or ends its life; part[page_bytes] is this
     * program's part of it, which is not initialised. NULL: nothing to do.
     * Thread-safe, and called while segments run, but never for a page in use. */
    loam_status (*page_open)(struct program *program, void *part, loam_error *error);
    void (*page_close)(struct program *program, void *part);

    void (*destroy)(struct backend *backend);
};

/* The CPU, which computes what no other does, and devices beside it. */
enum { CPU_BACKEND = 0, MOST_BACKENDS = 8 };

/* The beginning of every backend's own struct. */
struct backend {
    const struct backend_functions *functions;
    uint32_t index; /* in its engine, CPU_BACKEND first */
};

#endif

/* SPDX-License-Identifier: MIT */
/* The mock's own structs. */
#ifndef LOAM_BACKENDS_MOCK_DEVICE_H
#define LOAM_BACKENDS_MOCK_DEVICE_H

#include "base/thread.h"
#include "cpu/kernels.h"
#include "mock/mock.h"
#include "tensor/plan.h"

/* An address in the device's memory; 0: none. */
typedef uint64_t device_address;

enum { JOBS = 8 };

/* A segment of a program, to be run on a step. */
struct job {
    struct mock_program *program;
    uint32_t segment;
    const loam_step_descriptor *step;
    double due; /* by loam_seconds */
};

struct mock_device {
    struct backend base;
    struct memory *memory;
    struct mock_options options;
    struct cpu_kernels kernels;
    int64_t process; /* that created it, and whose thread works */
    pthread_t thread;
    struct lock lock; /* of all below, and of programs' pending and stopped */
    struct condition work, done;
    struct job jobs[JOBS]; /* a ring */
    uint32_t first_job, job_count;
    uint32_t waiters;
    bool ending;
    struct mock_counts counts;
};

/* ---- device.c: memory and the queue ---------------------------------------- */

/* A block aligned to 64, or 0. */
device_address loam_mock_get(struct mock_device *device, uint64_t bytes);
void loam_mock_free(struct mock_device *device, device_address block, uint64_t bytes);

/* For the device's own hands: copies between memories, and kernels. */
void *loam_mock_at(device_address address);

/* A lock that no thread of a forked child can hold or need. */
void loam_mock_lock(struct mock_device *device, struct lock *lock);
void loam_mock_unlock(struct mock_device *device, struct lock *lock);

loam_status loam_mock_submit(struct program *program, uint32_t segment,
                             const loam_step_descriptor *step, loam_error *error);
loam_status loam_mock_wait(struct program *program, const loam_step_descriptor *step,
                           loam_error *error);

/* ---- weights.c ------------------------------------------------------------- */

uint64_t loam_mock_weight_bytes(const struct backend *backend, const struct weight *weight);
uint64_t loam_mock_upload_bytes(const struct backend *backend, const struct weight *weight);
loam_status loam_mock_upload(struct backend *backend, struct weight *weight,
                             const struct weight_reader *reader, loam_error *error);
void loam_mock_release_weight(struct backend *backend, struct weight *weight);

/* ---- pages.c: keys and values ---------------------------------------------- */

/* What stands in the program's part of a host page. */
struct page_slot {
    uint64_t owner; /* names the program */
    uint32_t number, generation;
    unsigned char unused[48];
};

struct page {
    device_address memory;
    uint32_t generation; /* times that the number was opened */
    bool open;
};

/* The pages of one program. */
struct page_table {
    struct lock lock; /* pages come and go while the device works */
    struct page *pages;
    size_t count, capacity;
    void **resolved; /* [resolved_capacity]: of one sequence, while its attention is computed */
    size_t resolved_capacity;
};

loam_status loam_mock_page_open(struct program *program, void *part, loam_error *error);
void loam_mock_page_close(struct program *program, void *part);

/* Checks that all pages that a step's rows see are open ones of the program. */
loam_status loam_mock_pages_check(struct mock_program *program, const loam_step_descriptor *step,
                                  loam_error *error);

/* The pages of one sequence in device memory, as kernels take them; good until
 * loam_mock_pages_leave, before which no page opens or closes. */
void *const *loam_mock_pages_enter(struct mock_program *program,
                                   const loam_step_sequence *sequence);
void loam_mock_pages_leave(struct mock_program *program);

/* ---- program.c -------------------------------------------------------------- */

struct mock_program {
    struct mock_device *device;
    const struct plan *plan;
    const loam_graph *graph;
    struct layout values;      /* moments are nodes */
    int32_t *value_buffer;     /* [node_count]: of each value that is on the device, or NO_BUFFER */
    uint64_t work_bytes;       /* of what one node needs beside its values */
    device_address memory;     /* values, then work; taken by allocate */
    struct kv_layout *layouts; /* [attention_count] */
    uint64_t page_bytes;       /* on the device; 0: no attention here */
    struct page_table table;
    uint8_t *numeric; /* [max_sequences], of the step under way */
    uint32_t pending; /* jobs not done */
    bool stopped;     /* jobs of the step were given up */
};

loam_status loam_mock_compile(struct program **out, struct backend *backend,
                              const struct plan *plan, loam_error *error);
void loam_mock_measure(struct program_size *out, const struct program *program);
loam_status loam_mock_allocate(struct program *program, loam_error *error);
void loam_mock_release(struct program *program);

/* ---- execute.c: on the device's thread -------------------------------------- */

/* Runs a job's segment; false if stop said so, then nothing has gone out.
 * Counts what it did. */
bool loam_mock_execute(const struct job *job, struct mock_counts *counts);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The device: its memory, its queue, and the thread that works the queue off
 * in order, later than asked.
 */
#include "mock/device.h"

/* ---- memory ---------------------------------------------------------------- */

/* An address of the device is one of the host with bits turned over that no
 * valid address has as they then are: who dereferences it on the host crashes. */
static const uint64_t turned_bits = 0x5AA5000000000000u;

device_address loam_mock_get(struct mock_device *device, uint64_t bytes)
{
    void *block = loam_memory_get_large(device->memory, bytes);
    return block ? (uint64_t)(uintptr_t)block ^ turned_bits : 0;
}

void loam_mock_free(struct mock_device *device, device_address block, uint64_t bytes)
{
    if (block)
        loam_memory_free_large(device->memory, loam_mock_at(block), bytes);
}

void *loam_mock_at(device_address address)
{
    return (void *)(uintptr_t)(address ^ turned_bits);
}

/* ---- locks ------------------------------------------------------------------ */

void loam_mock_lock(struct mock_device *device, struct lock *lock)
{
    if (device->process == loam_process_id())
        loam_lock_take(lock);
}

void loam_mock_unlock(struct mock_device *device, struct lock *lock)
{
    if (device->process == loam_process_id())
        loam_lock_give(lock);
}

/* ---- the queue -------------------------------------------------------------- */

/* Seconds until the first job may begin; below 0: when something changes. */
static double until_due(const struct mock_device *device)
{
    if (device->job_count == 0)
        return -1;
    if (device->options.delay < 0)
        return device->waiters || device->job_count == JOBS ? 0 : -1;
    double left = device->jobs[device->first_job].due - loam_seconds();
    return left > 0 ? left : 0;
}

static void add_counts(struct mock_counts *to, const struct mock_counts *more)
{
    to->segments += more->segments;
    to->nodes += more->nodes;
    to->values_in += more->values_in;
    to->values_out += more->values_out;
}

/* The first job, with the lock given while it runs. */
static void run_first(struct mock_device *device)
{
    struct job job = device->jobs[device->first_job];
    struct mock_counts counts = {0};
    bool given_up = job.program->stopped;
    loam_lock_give(&device->lock);
    if (!given_up)
        given_up = !loam_mock_execute(&job, &counts);
    loam_lock_take(&device->lock);
    job.program->stopped = given_up;
    job.program->pending--;
    device->counts.given_up += given_up;
    device->first_job = (device->first_job + 1) % JOBS;
    device->job_count--;
    add_counts(&device->counts, &counts);
    loam_condition_wake(&device->done);
}

static void *work(void *context)
{
    struct mock_device *device = context;
    loam_float_environment_set();
    loam_lock_take(&device->lock);
    while (!device->ending) {
        double left = until_due(device);
        if (left == 0)
            run_first(device);
        else
            loam_condition_wait(&device->work, &device->lock, left);
    }
    loam_lock_give(&device->lock);
    return NULL;
}

loam_status loam_mock_submit(struct program *given, uint32_t segment,
                             const loam_step_descriptor *step, loam_error *error)
{
    struct mock_program *program = (struct mock_program *)given;
    struct mock_device *device = program->device;
    if (step->stop && step->stop(step->stop_user))
        return loam_fail(error, LOAM_CANCELLED, "the step was cancelled");
    loam_status status = loam_mock_pages_check(program, step, error);
    if (status)
        return status;
    loam_lock_take(&device->lock);
    while (device->job_count == JOBS)
        loam_condition_wait(&device->done, &device->lock, -1);
    device->jobs[(device->first_job + device->job_count++) % JOBS] =
        (struct job){.program = program,
                     .segment = segment,
                     .step = step,
                     .due = loam_seconds() + device->options.delay};
    program->pending++;
    device->counts.submitted++;
    loam_condition_wake(&device->work);
    loam_lock_give(&device->lock);
    return LOAM_OK;
}

loam_status loam_mock_wait(struct program *given, const loam_step_descriptor *step,
                           loam_error *error)
{
    struct mock_program *program = (struct mock_program *)given;
    struct mock_device *device = program->device;
    loam_lock_take(&device->lock);
    device->waiters++;
    loam_condition_wake(&device->work);
    while (program->pending > 0)
        loam_condition_wait(&device->done, &device->lock, -1);
    device->waiters--;
    bool stopped = program->stopped;
    program->stopped = false;
    loam_lock_give(&device->lock);
    for (uint32_t i = 0; i < step->sequence_count; i++) {
        if (step->sequence_numeric)
            step->sequence_numeric[i] |= program->numeric[i];
        program->numeric[i] = 0;
    }
    return stopped ? loam_fail(error, LOAM_CANCELLED, "the step was cancelled") : LOAM_OK;
}

/* ---- the table -------------------------------------------------------------- */

/* Whether one of the nodes that are refused at random. */
static bool is_refused(const struct mock_options *options, uint64_t node)
{
    uint64_t mixed = (node + 1 + options->seed * 1000003) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9u;
    return (mixed >> 40 & 255) < options->refused;
}

static const char *refuses(const struct backend *backend, const loam_graph *graph,
                           const struct node *node)
{
    const struct mock_device *device = (const struct mock_device *)backend;
    if (node->operation > OP_OUTPUTS ||
        (node->operation == OP_ATTENTION && !loam_node_is_plain_attention(node)) ||
        (node->operation == OP_GATE && node->activation != LOAM_ACTIVATION_SILU) ||
        (node->operation == OP_ROPE && node->rope.long_frequencies))
        return "the mock device has the operations of a plain llama only";
    if (device->options.missing >> node->operation & 1)
        return "the mock device lacks this operation";
    if (is_refused(&device->options, (uint64_t)(node - graph->nodes)))
        return "the mock device refuses this node";
    if (node->operation == OP_EMBED &&
        !loam_graph_weight_of(graph, node->inputs[0])->type->dequantize)
        return "the mock device has no embedding look-up for this weight type";
    if (node->operation == OP_LINEAR) {
        uint32_t type = loam_graph_weight_of(graph, node->inputs[1])->type->id;
        if (type >= WEIGHT_TYPES || !device->kernels.linear[type])
            return "the mock device has no product for this weight type";
    }
    return NULL;
}

static void destroy(struct backend *backend)
{
    struct mock_device *device = (struct mock_device *)backend;
    if (device->process == loam_process_id()) {
        loam_lock_take(&device->lock);
        device->ending = true;
        loam_condition_wake(&device->work);
        loam_lock_give(&device->lock);
        loam_thread_join(device->thread);
        loam_condition_end(&device->done);
        loam_condition_end(&device->work);
        loam_lock_end(&device->lock);
    }
    loam_memory_free(device->memory, device);
}

static const struct backend_functions functions = {
    .struct_size = sizeof functions,
    .name = "mock",
    .refuses = refuses,
    .weight_bytes = loam_mock_weight_bytes,
    .upload_bytes = loam_mock_upload_bytes,
    .upload = loam_mock_upload,
    .release_weight = loam_mock_release_weight,
    .compile = loam_mock_compile,
    .measure = loam_mock_measure,
    .allocate = loam_mock_allocate,
    .submit = loam_mock_submit,
    .wait = loam_mock_wait,
    .release = loam_mock_release,
    .page_open = loam_mock_page_open,
    .page_close = loam_mock_page_close,
    .destroy = destroy,
};

/* Starts the thread; false with nothing left behind. */
static bool start(struct mock_device *device)
{
    if (!loam_lock_init(&device->lock))
        return false;
    if (loam_condition_init(&device->work)) {
        if (loam_condition_init(&device->done)) {
            if (loam_thread_start(&device->thread, work, device))
                return true;
            loam_condition_end(&device->done);
        }
        loam_condition_end(&device->work);
    }
    loam_lock_end(&device->lock);
    return false;
}

loam_status loam_mock_create(struct backend **out, struct memory *memory,
                             const struct mock_options *options, loam_error *error)
{
    struct mock_device *device = loam_memory_get_zero(memory, 1, sizeof *device);
    if (!device)
        return loam_fail_memory(error, sizeof *device);
    device->base.functions = &functions;
    device->memory = memory;
    device->options = *options;
    device->process = loam_process_id();
    loam_kernels_ref(&device->kernels);
    if (!start(device)) {
        loam_memory_free(memory, device);
        return loam_fail(error, LOAM_THREAD, "the mock device's thread could not be started");
    }
    *out = &device->base;
    return LOAM_OK;
}

struct mock_counts loam_mock_counts(struct backend *backend)
{
    struct mock_device *device = (struct mock_device *)backend;
    loam_lock_take(&device->lock);
    struct mock_counts counts = device->counts;
    loam_lock_give(&device->lock);
    return counts;
}

/* SPDX-License-Identifier: MIT */
/* The CPU backend's table: what it computes, and where its weights live. */
#include "cpu/cpu.h"

/* Reading in pieces keeps progress and cancelling lively. */
enum { READ_PIECE = 4 << 20 };

static const char *refuses(const struct backend *backend, const loam_graph *graph,
                           const struct node *node)
{
    const struct cpu_kernels *kernels = &((const struct cpu_backend *)backend)->kernels;
    if (node->operation == OP_EMBED) {
        uint32_t type = loam_graph_weight_of(graph, node->inputs[0])->type->id;
        if (type >= WEIGHT_TYPES || !kernels->embed[type])
            return "the CPU backend has no embedding look-up for this weight type";
    }
    if (node->operation == OP_LINEAR) {
        uint32_t type = loam_graph_weight_of(graph, node->inputs[1])->type->id;
        if (type >= WEIGHT_TYPES || !kernels->linear[type])
            return "the CPU backend has no product for this weight type";
    }
    return NULL;
}

static uint64_t weight_bytes(const struct backend *backend, const struct weight *weight)
{
    (void)backend;
    return weight->bytes;
}

static void release_weight(struct backend *backend, struct weight *weight)
{
    loam_memory_free_large(((struct cpu_backend *)backend)->memory, weight->resident,
                           weight->resident_bytes);
    weight->resident = NULL;
    weight->resident_bytes = 0;
}

static loam_status upload(struct backend *backend, struct weight *weight, weight_reader reader,
                          void *user, loam_error *error)
{
    unsigned char *bytes =
        loam_memory_get_large(((struct cpu_backend *)backend)->memory, weight->bytes);
    if (!bytes)
        return loam_fail_memory(error, weight->bytes);
    weight->resident = bytes;
    weight->resident_bytes = weight->bytes;
    loam_status status = LOAM_OK;
    for (uint64_t done = 0; !status && done < weight->bytes; done += READ_PIECE) {
        uint64_t rest = weight->bytes - done;
        size_t piece = rest < READ_PIECE ? (size_t)rest : READ_PIECE;
        status = reader(user, weight, done, bytes + done, piece, error);
    }
    return status;
}

static uint64_t scratch_bytes(const struct segment *segment)
{
    return segment->scratch_bytes;
}

static uint64_t page_bytes(const struct segment *segment)
{
    return segment->page_bytes;
}

static void destroy(struct backend *backend)
{
    struct cpu_backend *cpu = (struct cpu_backend *)backend;
    loam_memory_free(cpu->memory, cpu);
}

static const struct backend_functions functions = {
    .name = "cpu",
    .refuses = refuses,
    .weight_bytes = weight_bytes,
    .upload = upload,
    .release_weight = release_weight,
    .compile = loam_cpu_compile,
    .scratch_bytes = scratch_bytes,
    .page_bytes = page_bytes,
    .allocate = loam_cpu_allocate,
    .run = loam_cpu_run,
    .release_segment = loam_cpu_release_segment,
    .destroy = destroy,
};

loam_status loam_cpu_create(struct backend **out, struct memory *memory, struct pool *pool,
                            int32_t level, loam_error *error)
{
    (void)level; /* one level so far: the table below is the whole staircase */
    struct cpu_backend *cpu = loam_memory_get_zero(memory, 1, sizeof *cpu);
    if (!cpu)
        return loam_fail_memory(error, sizeof *cpu);
    cpu->base.functions = &functions;
    cpu->memory = memory;
    cpu->pool = pool;
    loam_kernels_ref(&cpu->kernels);
    *out = &cpu->base;
    return LOAM_OK;
}

/* SPDX-License-Identifier: MIT */
/* The CPU backend's table: what it computes, and where its weights live. */
#include "cpu/cpu.h"

static bool has_product(const struct cpu_kernels *kernels, const loam_graph *graph,
                        loam_tensor weight)
{
    uint32_t type = loam_graph_weight_of(graph, weight)->type->id;
    return type < WEIGHT_TYPES && kernels->linear[type];
}

static const char *refuses(const struct backend *backend, const loam_graph *graph,
                           const struct node *node)
{
    const struct cpu_kernels *kernels = &((const struct cpu_backend *)backend)->kernels;
    if (node->operation == OP_EMBED || node->operation == OP_EMBED_POSITION) {
        uint32_t type = loam_graph_weight_of(graph, node->inputs[0])->type->id;
        if (!loam_weight_type(type)->dequantize)
            return "the CPU backend has no embedding look-up for this weight type";
    }
    if (node->operation == OP_EXPERTS)
        for (size_t i = EXPERT_GATE; i <= EXPERT_DOWN; i++)
            if (node->inputs[i] != LOAM_NO_TENSOR && !has_product(kernels, graph, node->inputs[i]))
                return "the CPU backend has no product for this weight type";
    if ((node->operation == OP_LINEAR || node->operation == OP_LINEAR_HEADS) &&
        !has_product(kernels, graph, node->inputs[1]))
        return "the CPU backend has no product for this weight type";
    return NULL;
}

static void measure(struct program_size *out, const struct program *program)
{
    const struct cpu_program *cpu = (const struct cpu_program *)program;
    *out =
        (struct program_size){.scratch_bytes = cpu->scratch.bytes, .page_bytes = cpu->page_bytes};
}

/* Submitting has run the segment already. */
static loam_status wait_for(struct program *program, const loam_step_descriptor *step,
                            loam_error *error)
{
    (void)program;
    (void)step;
    (void)error;
    return LOAM_OK;
}

static void destroy(struct backend *backend)
{
    struct cpu_backend *cpu = (struct cpu_backend *)backend;
    loam_memory_free(cpu->memory, cpu);
}

static const struct backend_functions functions = {
    .struct_size = sizeof functions,
    .name = "cpu",
    .refuses = refuses,
    .weight_bytes = loam_cpu_weight_bytes,
    .upload_bytes = loam_cpu_upload_bytes,
    .upload = loam_cpu_upload,
    .release_weight = loam_cpu_release_weight,
    .compile = loam_cpu_compile,
    .measure = measure,
    .allocate = loam_cpu_allocate,
    .submit = loam_cpu_run,
    .wait = wait_for,
    .release = loam_cpu_release,
    .destroy = destroy,
};

loam_status loam_cpu_create(struct backend **out, struct memory *memory, struct pool *pool,
                            int32_t level, loam_error *error)
{
    struct cpu_backend *cpu = loam_memory_get_zero(memory, 1, sizeof *cpu);
    if (!cpu)
        return loam_fail_memory(error, sizeof *cpu);
    cpu->base.functions = &functions;
    cpu->memory = memory;
    cpu->pool = pool;
    loam_cpu_levels_fill(&cpu->kernels, level);
    *out = &cpu->base;
    return LOAM_OK;
}

/* SPDX-License-Identifier: MIT */
#include "session/model.h"
#include "cache/states.h"
#include "tensor/plan.h"

loam_status loam_model_complete(loam_model_options *options, loam_error *error)
{
    if (options->kv_type == LOAM_KV_DEFAULT)
        options->kv_type = LOAM_KV_F16;
    if (options->max_step_rows == 0)
        options->max_step_rows = 256;
    if (options->max_step_sessions == 0)
        options->max_step_sessions = (uint32_t)loam_min(16, options->max_step_rows);
    if (options->kv_type < 0 || options->kv_type > LOAM_KV_Q8_0)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "model options: kv_type %d is not known",
                         (int)options->kv_type);
    if (options->max_step_rows > 4096)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "model options: max_step_rows is %u, at most 4096",
                         options->max_step_rows);
    if (options->max_step_sessions > 256 || options->max_step_sessions > options->max_step_rows)
        return loam_fail(
            error, LOAM_INVALID_ARGUMENT,
            "model options: max_step_sessions is %u, at most 256 and max_step_rows (%u)",
            options->max_step_sessions, options->max_step_rows);
    return LOAM_OK;
}

static loam_compile_options limits_of(const loam_model_options *options)
{
    return (loam_compile_options){.struct_size = sizeof(loam_compile_options),
                                  .max_rows = options->max_step_rows,
                                  .max_sequences = options->max_step_sessions,
                                  .kv_type = options->kv_type};
}

/* ---- the tokenizer handle ------------------------------------------------- */

loam_status loam_model_wrap_tokenizer(loam_tokenizer **out, loam_engine *engine,
                                      struct tokenizer *tokenizer, loam_error *error)
{
    loam_tokenizer *handle = loam_memory_get_zero(&engine->memory, 1, sizeof *handle);
    if (!handle) {
        loam_tokenizer_destroy(tokenizer);
        return loam_fail_memory(error, sizeof *handle);
    }
    atomic_init(&handle->references, 1);
    handle->engine = loam_engine_retain(engine);
    handle->tokenizer = tokenizer;
    *out = handle;
    return LOAM_OK;
}

loam_tokenizer *loam_tokenizer_retain(loam_tokenizer *tokenizer)
{
    if (tokenizer)
        atomic_fetch_add_explicit(&tokenizer->references, 1, memory_order_relaxed);
    return tokenizer;
}

void loam_tokenizer_release(loam_tokenizer *tokenizer)
{
    if (!tokenizer ||
        atomic_fetch_sub_explicit(&tokenizer->references, 1, memory_order_acq_rel) != 1)
        return;
    loam_engine *engine = tokenizer->engine;
    loam_tokenizer_destroy(tokenizer->tokenizer);
    loam_memory_free(&engine->memory, tokenizer);
    loam_engine_release(engine);
}

/* ---- opening -------------------------------------------------------------- */

struct loading {
    struct source *source;
    const loam_model_options *options;
    uint64_t done, total;
};

static loam_status report(struct loading *loading, loam_error *error)
{
    const loam_model_options *options = loading->options;
    if (options->progress &&
        options->progress(options->progress_user, loading->done, loading->total) != 0)
        return loam_fail(error, LOAM_CANCELLED,
                         "opening the model was cancelled by its progress function");
    return LOAM_OK;
}

static loam_status read_weight(void *user, const struct weight *weight, uint64_t offset, void *out,
                               size_t size, loam_error *error)
{
    const struct loading *loading = user;
    return loam_source_read(loading->source, weight->file_offset + offset, out, size, error);
}

static loam_status advance(void *user, uint64_t bytes, loam_error *error)
{
    struct loading *loading = user;
    /* A weight that several backends use is read several times. */
    loading->done = loam_min(loading->done + bytes, loading->total);
    return report(loading, error);
}

static loam_status take_step_memory(loam_model *model, loam_error *error)
{
    struct memory *memory = &model->engine->memory;
    struct step_memory *step = &model->step;
    uint64_t rows = model->limits.max_rows, sessions = model->limits.max_sequences;
    uint64_t logits = sessions * model->description.vocabulary * sizeof(float);
    step->tokens = loam_memory_get(memory, rows, sizeof *step->tokens);
    step->output_rows = loam_memory_get(memory, rows, sizeof *step->output_rows);
    step->sequences = loam_memory_get(memory, sessions, sizeof *step->sequences);
    step->numeric = loam_memory_get(memory, sessions, sizeof *step->numeric);
    step->active = loam_memory_get(memory, sessions, sizeof *step->active);
    step->slots = loam_memory_get(memory, sessions, sizeof *step->slots);
    step->events = loam_memory_get(memory, sessions, sizeof *step->events);
    step->logits = loam_memory_get_large(memory, logits);
    if (!step->tokens || !step->output_rows || !step->sequences || !step->numeric ||
        !step->active || !step->slots || !step->events || !step->logits)
        return loam_fail_memory(error, logits);
    return LOAM_OK;
}

static void free_step_memory(loam_model *model)
{
    struct memory *memory = &model->engine->memory;
    struct step_memory *step = &model->step;
    loam_memory_free(memory, step->tokens);
    loam_memory_free(memory, step->output_rows);
    loam_memory_free(memory, step->sequences);
    loam_memory_free(memory, step->numeric);
    loam_memory_free(memory, step->active);
    loam_memory_free(memory, step->slots);
    loam_memory_free(memory, step->events);
    loam_memory_free_large(memory, step->logits,
                           (uint64_t)model->limits.max_sequences * model->description.vocabulary *
                               sizeof(float));
}

static void destroy_model(loam_model *model)
{
    loam_engine *engine = model->engine;
    free_step_memory(model);
    loam_graph_release(model->graph);
    loam_source_unmap(&model->map);
    loam_tokenizer_release(model->tokenizer);
    loam_arena_end(&model->arena);
    loam_memory_free(&engine->memory, model);
    loam_engine_release(engine);
}

loam_model *loam_model_retain(loam_model *model)
{
    if (model)
        atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

void loam_model_release(loam_model *model)
{
    if (model && atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) == 1)
        destroy_model(model);
}

/* Strings and counts that outlive the header. */
static loam_status keep_facts(loam_model *model, const struct gguf *gguf, loam_error *error)
{
    struct gguf_string architecture, name, none = {"", 0};
    loam_status status =
        loam_gguf_get_string(&architecture, gguf, "general.architecture", NULL, error);
    if (!status)
        status = loam_gguf_get_string(&name, gguf, "general.name", &none, error);
    if (status)
        return status;
    model->architecture.data =
        loam_arena_text(&model->arena, architecture.data, architecture.length);
    model->architecture.length = architecture.length;
    model->name.data = loam_arena_text(&model->arena, name.data, name.length);
    model->name.length = name.length;
    if (!model->architecture.data || !model->name.data)
        return loam_fail_memory(error, architecture.length + name.length);
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const uint64_t *d = gguf->tensors[i].dimensions;
        model->parameters += d[0] * d[1] * d[2] * d[3];
    }
    return LOAM_OK;
}

/* Bytes of weights that stay in the mapped file. */
static uint64_t mapped_bytes(const loam_graph *graph)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < graph->weight_count; i++) {
        const struct weight *weight = &graph->weights[i];
        if (weight->mapped)
            bytes += weight->packed ? loam_packed_bytes(weight->type, weight->width, weight->rows)
                                    : weight->bytes;
    }
    return bytes;
}

static loam_status build(loam_model *model, const struct gguf *gguf, struct source *source,
                         const loam_model_options *options, loam_error *error)
{
    struct tokenizer *tokenizer = NULL;
    loam_tensor logits;
    loam_status status = keep_facts(model, gguf, error);
    if (!status)
        status = loam_graph_create(&model->graph, model->engine, error);
    if (!status) {
        if (gguf->packed)
            loam_source_map(&model->map, source);
        model->graph->file = model->map.data;
        status = loam_arch_build(&model->description, &logits, model->graph, gguf, source, error);
    }
    if (!status)
        status = loam_tokenizer_create(&tokenizer, gguf, &model->engine->memory, error);
    if (!status && tokenizer)
        status = loam_model_wrap_tokenizer(&model->tokenizer, model->engine, tokenizer, error);
    if (status)
        return status;
    model->limits = limits_of(options);
    struct loading loading = {.source = source, .options = options};
    const struct weight_reader reader = {.user = &loading,
                                         .concurrent = source->kind != LOAM_SOURCE_CALLBACK,
                                         .read = read_weight,
                                         .advance = advance};
    for (size_t i = 0; i < model->graph->weight_count; i++)
        loading.total += model->graph->weights[i].bytes;
    status = report(&loading, error);
    if (!status)
        status = loam_graph_compile_from(model->graph, logits, &model->limits, &reader, error);
    if (status)
        return status;
    model->limits = model->graph->options;
    model->size = model->graph->plan->size;
    model->mapped_bytes = mapped_bytes(model->graph);
    return take_step_memory(model, error);
}

loam_status loam_model_load(loam_model **out, loam_engine *engine, struct source *source,
                            const loam_model_options *options, loam_error *error)
{
    double start = loam_seconds();
    struct gguf gguf;
    loam_status status = loam_gguf_read(&gguf, source, &engine->memory, error);
    if (status)
        return status; /* its messages name the file already */
    loam_model *model = loam_memory_get_zero(&engine->memory, 1, sizeof *model);
    if (model) {
        atomic_init(&model->references, 1);
        model->engine = loam_engine_retain(engine);
        loam_arena_init(&model->arena, &engine->memory);
        status = build(model, &gguf, source, options, error);
    } else {
        status = loam_fail_memory(error, sizeof *model);
    }
    loam_gguf_end(&gguf);
    if (!status) {
        model->load_seconds = loam_seconds() - start;
        *out = model;
        return LOAM_OK;
    }
    if (model)
        destroy_model(model);
    if (status == LOAM_FORMAT || status == LOAM_UNSUPPORTED)
        loam_error_prefix(error, source->name, strlen(source->name));
    return status;
}

/* ---- planning ------------------------------------------------------------- */

/* What the vocabulary takes, by making it in memory counted apart. */
static loam_status measure_vocabulary(uint64_t *out, loam_engine *engine, const struct gguf *gguf,
                                      loam_error *error)
{
    struct memory counted;
    struct tokenizer *tokenizer = NULL;
    loam_memory_init(&counted, &engine->memory.host, engine->memory.limit);
    loam_status status = loam_tokenizer_create(&tokenizer, gguf, &counted, error);
    *out = atomic_load(&counted.held);
    loam_tokenizer_destroy(tokenizer);
    return status;
}

static loam_status measure(loam_memory_plan *out, loam_engine *engine, const struct gguf *gguf,
                           struct source *source, const loam_model_options *options,
                           loam_error *error)
{
    loam_graph *graph;
    loam_tensor logits;
    struct description description;
    struct graph_size size;
    loam_compile_options limits = limits_of(options);
    struct source_map map = {0};
    loam_status status = loam_graph_create(&graph, engine, error);
    if (status)
        return status;
    if (gguf->packed)
        loam_source_map(&map, source);
    graph->file = map.data;
    status = loam_arch_build(&description, &logits, graph, gguf, source, error);
    if (!status)
        status = loam_graph_measure(&size, graph, logits, &limits, error);
    if (!status)
        status = measure_vocabulary(&out->vocabulary_bytes, engine, gguf, error);
    if (!status) {
        if (out->context_length == 0)
            out->context_length = description.context_length;
        uint64_t pages = ((uint64_t)out->context_length + LOAM_PAGE_TOKENS - 1) / LOAM_PAGE_TOKENS;
        uint64_t logits_row = (uint64_t)description.vocabulary * sizeof(float);
        out->weight_bytes = size.weight_bytes;
        out->mapped_bytes = mapped_bytes(graph);
        uint64_t state = loam_graph_state_bytes(graph);
        out->state_bytes = loam_states_limit(state) * state * out->sessions;
        out->kv_bytes = pages * (size.page_bytes + size.device_page_bytes) * out->sessions;
        /* Nodes, phases and tables of the graph; chunks of arenas. */
        uint64_t tables = 128 * 1024 + 1024 * (uint64_t)graph->node_count;
        /* Each session keeps a row of logits, its sampler works on another. */
        out->scratch_bytes =
            tables + loam_max(size.scratch_bytes, size.upload_bytes) +
            limits.max_sequences * logits_row +
            out->sessions * (7 * logits_row + out->context_length * sizeof(int32_t));
        out->total_bytes = out->weight_bytes + out->kv_bytes + out->state_bytes +
                           out->scratch_bytes + out->vocabulary_bytes;
    }
    loam_graph_release(graph);
    loam_source_unmap(&map);
    return status;
}

loam_status loam_model_measure(loam_memory_plan *out, loam_engine *engine, struct source *source,
                               const loam_model_options *options, uint32_t context_length,
                               uint32_t sessions, loam_error *error)
{
    struct gguf gguf;
    loam_status status = loam_gguf_read(&gguf, source, &engine->memory, error);
    if (status)
        return status;
    *out =
        (loam_memory_plan){.context_length = context_length, .sessions = sessions ? sessions : 1};
    status = measure(out, engine, &gguf, source, options, error);
    loam_gguf_end(&gguf);
    if (status == LOAM_FORMAT || status == LOAM_UNSUPPORTED)
        loam_error_prefix(error, source->name, strlen(source->name));
    return status;
}

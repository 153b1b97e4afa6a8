/* SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "format/mix.h"

#include "cache/states.h"

loam_status loam_api_open_source(struct source *out, const loam_source *given, loam_error *error)
{
    loam_source source;
    loam_status status = loam_api_given(given, "source", error);
    if (!status)
        status = loam_struct_read(&source, sizeof source, given, "source", error);
    return status ? status : loam_source_open(out, &source, error);
}

/* The line that a load leaves in the host's log. */
static void log_load(const loam_model *model, const struct source *source)
{
    const loam_engine *engine = model->engine;
    loam_error line = {.struct_size = sizeof line};
    if (!engine->log)
        return;
    loam_fail(&line, LOAM_OK, "%s: %.*s, %llu MB of weights, opened in %u ms", source->name,
              LOAM_SHOWN(model->architecture.length), model->architecture.data,
              (unsigned long long)(model->size.weight_bytes >> 20),
              (unsigned)(model->load_seconds * 1000));
    engine->log(engine->log_user, LOAM_LOG_INFO, line.message, strlen(line.message));
}

loam_status loam_model_open_source(loam_model **out, loam_engine *engine, const loam_source *given,
                                   const loam_model_options *given_options, loam_error *error)
{
    loam_model_options options;
    struct source source;
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_api_given(engine, "engine", error);
    if (!status)
        status = loam_struct_read(&options, sizeof options, given_options, "model options", error);
    if (!status)
        status = loam_model_complete(&options, error);
    if (!status)
        status = loam_engine_check(engine, error);
    if (!status)
        status = loam_api_open_source(&source, given, error);
    if (status)
        return status;
    status = loam_model_load(out, engine, &source, &options, error);
    if (!status)
        log_load(*out, &source);
    loam_source_close(&source);
    return status;
}

loam_status loam_model_open(loam_model **out, loam_engine *engine, const char *path,
                            size_t path_length, const loam_model_options *options,
                            loam_error *error)
{
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_PATH,
                          .path = {.data = path, .length = path_length}};
    return loam_model_open_source(out, engine, &source, options, error);
}

loam_status loam_model_plan(loam_memory_plan *out, loam_engine *engine, const loam_source *given,
                            const loam_model_options *given_options, uint32_t context_length,
                            uint32_t sessions, loam_error *error)
{
    loam_model_options options;
    loam_memory_plan plan;
    struct source source;
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(engine, "engine", error);
    if (!status)
        status = loam_struct_read(&options, sizeof options, given_options, "model options", error);
    if (!status)
        status = loam_model_complete(&options, error);
    if (!status)
        status = loam_api_open_source(&source, given, error);
    if (status)
        return status;
    status = loam_model_measure(&plan, engine, &source, &options, context_length, sessions, error);
    loam_source_close(&source);
    if (!status)
        loam_struct_write(out, &plan, sizeof plan);
    return status;
}

loam_status loam_model_pack(loam_engine *engine, const loam_source *given,
                            loam_write_function write, void *user, loam_error *error)
{
    struct source source;
    loam_status status = loam_api_given(engine, "engine", error);
    if (!status && !write)
        status = loam_fail(error, LOAM_INVALID_ARGUMENT, "write is NULL");
    if (!status)
        status = loam_engine_check(engine, error);
    if (!status)
        status = loam_api_open_source(&source, given, error);
    if (status)
        return status;
    status = loam_model_write_packed(engine, &source, write, user, error);
    loam_source_close(&source);
    return status;
}

loam_status loam_model_quantize(loam_quantize_info *out, loam_engine *engine,
                                const loam_source *given,
                                const loam_quantize_options *given_options,
                                loam_write_function write, void *user, loam_error *error)
{
    loam_quantize_options options;
    loam_quantize_info info;
    struct source source, importance;
    loam_status status = loam_api_given(engine, "engine", error);
    if (!status && (out || !write))
        status = loam_struct_check(out, "out", error);
    if (!status)
        status =
            loam_struct_read(&options, sizeof options, given_options, "quantize options", error);
    if (!status)
        status = loam_engine_check(engine, error);
    if (!status)
        status = loam_api_open_source(&source, given, error);
    if (status)
        return status;
    if (options.importance)
        status = loam_api_open_source(&importance, options.importance, error);
    if (!status) {
        status = loam_quantize_file(&info, engine, &source, options.importance ? &importance : NULL,
                                    &options, write, user, error);
        if (options.importance)
            loam_source_close(&importance);
    }
    loam_source_close(&source);
    if (!status && out)
        loam_struct_write(out, &info, sizeof info);
    return status;
}

loam_status loam_model_importance(loam_model *model, const int32_t *tokens, size_t count,
                                  const loam_importance_options *given, loam_write_function write,
                                  void *user, loam_error *error)
{
    loam_importance_options options;
    loam_status status = loam_api_given(model, "model", error);
    if (!status)
        status = loam_api_given(tokens, "tokens", error);
    if (!status && !write)
        status = loam_fail(error, LOAM_INVALID_ARGUMENT, "write is NULL");
    if (!status)
        status = loam_struct_read(&options, sizeof options, given, "importance options", error);
    if (status)
        return status;
    return loam_importance_collect(model, tokens, count, &options, write, user, error);
}

const char *loam_mix_name(size_t index)
{
    const struct mix *mix = loam_mix_at(index);
    return mix ? mix->name : NULL;
}

loam_status loam_model_get_info(loam_model_info *out, loam_model *model, loam_error *error)
{
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(model, "model", error);
    if (status)
        return status;
    loam_model_info info = {
        .architecture = model->architecture,
        .name = model->name,
        .parameters = model->parameters,
        .weight_bytes = model->size.weight_bytes,
        .scratch_bytes = model->size.scratch_bytes,
        .kv_bytes_per_page = model->size.page_bytes + model->size.device_page_bytes,
        .vocabulary_size = model->description.vocabulary,
        .embedding_output = model->description.embedding_output,
        .pooling = model->description.pooling,
        .context_length = model->description.context_length,
        .embedding_length = model->description.embedding_length,
        .layer_count = model->description.layers,
        .kv_type = model->limits.kv_type,
        .max_step_rows = model->limits.max_rows,
        .max_step_sessions = model->limits.max_sequences,
        .load_seconds = model->load_seconds,
        .mapped_bytes = model->mapped_bytes,
        .state_bytes = loam_graph_state_bytes(model->graph),
        .state_count = (uint32_t)loam_states_limit(loam_graph_state_bytes(model->graph))};
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}

loam_status loam_model_embed(loam_model *model, const int32_t *tokens, size_t count,
                             const loam_embed_options *given, float *out, loam_error *error)
{
    loam_embed_options options;
    loam_status status = loam_api_given(model, "model", error);
    if (!status)
        status = loam_api_given(tokens, "tokens", error);
    if (!status)
        status = loam_api_given(out, "out", error);
    if (!status)
        status = loam_struct_read(&options, sizeof options, given, "embed options", error);
    if (!status)
        status = loam_embed_check(model, tokens, count, &options, error);
    if (!status)
        status = loam_engine_enter(model->engine, error);
    if (status)
        return status;
    status = loam_embed_compute(model, tokens, count, &options, out, error);
    loam_engine_leave(model->engine);
    return status;
}

const char *loam_architecture_name(size_t index)
{
    const struct family *family = loam_arch_family(index);
    return family ? family->name : NULL;
}

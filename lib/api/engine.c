/* SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "cpu/cpu.h"

/* ---- the library ---------------------------------------------------------- */

#define TEXT_OF(x)                        #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

uint32_t loam_version(void)
{
    return LOAM_VERSION_MAJOR * 1000000 + LOAM_VERSION_MINOR * 1000 + LOAM_VERSION_PATCH;
}

const char *loam_version_string(void)
{
    return VERSION_TEXT(LOAM_VERSION_MAJOR, LOAM_VERSION_MINOR, LOAM_VERSION_PATCH);
}

static bool is_named(const char *name, size_t length, const char *wanted)
{
    return name && length == strlen(wanted) && memcmp(name, wanted, length) == 0;
}

int32_t loam_has_feature(const char *name, size_t name_length)
{
    static const char *const features[] = {"gguf", "threads", "graph"};
    size_t length = loam_length(name, name_length);
    for (size_t i = 0; i < LOAM_COUNT_OF(features); i++)
        if (is_named(name, length, features[i]))
            return 1;
    if (!name || length <= 4 || memcmp(name, "cpu-", 4) != 0)
        return 0;
    return loam_cpu_levels_built(loam_cpu_level_from_name(name + 4, length - 4));
}

const char *loam_cpu_level_name(int32_t level)
{
    return loam_cpu_levels_name(level);
}

int32_t loam_cpu_level_from_name(const char *name, size_t name_length)
{
    size_t length = loam_length(name, name_length);
    for (int32_t level = 0; level < LOAM_CPU_LEVEL_COUNT; level++)
        if (is_named(name, length, loam_cpu_level_name(level)))
            return level;
    return -1;
}

int32_t loam_cpu_level_available(int32_t level)
{
    return loam_cpu_levels_available(level);
}

/* ---- the engine ----------------------------------------------------------- */

static loam_status check_allocator(loam_allocator *out, const loam_engine_options *options,
                                   loam_error *error)
{
    loam_status status = loam_struct_read(out, sizeof *out, options->allocator, "allocator", error);
    if (status)
        return status;
    if (!out->allocate != !out->release || !out->allocate_large != !out->release_large ||
        (options->allocator && !out->allocate))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "allocator: allocate and release come together, and so do the large ones");
    return LOAM_OK;
}

static loam_status check_executor(loam_executor *out, const loam_engine_options *options,
                                  loam_error *error)
{
    loam_status status = loam_struct_read(out, sizeof *out, options->executor, "executor", error);
    if (status)
        return status;
    if (options->executor && (!out->parallel_for || out->threads < 1))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "executor: parallel_for is NULL or threads is %d, expected at least 1",
                         (int)out->threads);
    return LOAM_OK;
}

static void destroy(loam_engine *engine)
{
    loam_engine_end_devices(engine);
    if (engine->backend)
        engine->backend->functions->destroy(engine->backend);
    loam_pool_destroy(engine->pool);
    loam_lock_end(&engine->lock);
    /* The engine's own block is taken from the host directly, since its
     * counters lie in it. */
    loam_allocator host = engine->memory.host;
    host.release(host.user, engine, sizeof *engine, 16);
}

/* The level that runs: the one wanted, or for BEST the best that may. */
static loam_status choose_level(int32_t *out, const loam_engine_options *options, loam_error *error)
{
    int32_t level =
        options->cpu_level == LOAM_CPU_BEST ? loam_cpu_levels_best() : options->cpu_level;
    *out = level;
    if (level != LOAM_CPU_AMX)
        return LOAM_OK;
    if (!options->no_tiles && loam_cpu_levels_request(level))
        return LOAM_OK;
    if (options->cpu_level != LOAM_CPU_BEST)
        return loam_fail(error, LOAM_UNSUPPORTED, "engine options: CPU level amx, but %s",
                         options->no_tiles ? "no_tiles is set" : "the system lends no tiles");
    *out = loam_cpu_levels_below(level);
    return LOAM_OK;
}

static loam_status fill(loam_engine *engine, const loam_engine_options *options,
                        const loam_executor *executor, loam_error *error)
{
    engine->process = loam_process_id();
    engine->log = options->log;
    engine->log_user = options->log_user;
    loam_status status = choose_level(&engine->cpu_level, options, error);
    if (status)
        return status;
    status = loam_pool_create(&engine->pool, &engine->memory, options->threads,
                              options->executor ? executor : NULL, error);
    if (status)
        return status;
    return loam_cpu_create(&engine->backend, &engine->memory, engine->pool, engine->cpu_level,
                           error);
}

loam_status loam_engine_create(loam_engine **out, const loam_engine_options *given,
                               loam_error *error)
{
    loam_engine_options options;
    loam_allocator host;
    loam_executor executor;
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_struct_read(&options, sizeof options, given, "engine options", error);
    if (!status)
        status = check_allocator(&host, &options, error);
    if (!status)
        status = check_executor(&executor, &options, error);
    if (status)
        return status;
    if (!loam_cpu_level_available(options.cpu_level))
        return loam_fail(error, LOAM_UNSUPPORTED, "engine options: CPU level %d is not available",
                         (int)options.cpu_level);
    if (options.no_tiles != 0 && options.no_tiles != 1)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "engine options: no_tiles is %d, expected 0 or 1", (int)options.no_tiles);
    if (options.threads < 0 || options.threads > 1024)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "engine options: threads is %d, expected 0 to 1024", (int)options.threads);
    struct memory memory;
    loam_memory_init(&memory, &host, options.memory_limit);
    loam_engine *engine = memory.host.allocate(memory.host.user, sizeof *engine, 16);
    if (!engine)
        return loam_fail_memory(error, sizeof *engine);
    memset(engine, 0, sizeof *engine);
    loam_memory_init(&engine->memory, &host, options.memory_limit);
    atomic_init(&engine->references, 1);
    if (!loam_lock_init(&engine->lock)) {
        memory.host.release(memory.host.user, engine, sizeof *engine, 16);
        return loam_fail_memory(error, sizeof *engine);
    }
    status = fill(engine, &options, &executor, error);
    if (status) {
        destroy(engine);
        return status;
    }
    *out = engine;
    return LOAM_OK;
}

loam_engine *loam_engine_retain(loam_engine *engine)
{
    if (engine)
        atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
    return engine;
}

void loam_engine_release(loam_engine *engine)
{
    if (engine && atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) == 1)
        destroy(engine);
}

loam_status loam_engine_get_info(loam_engine_info *out, loam_engine *engine, loam_error *error)
{
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(engine, "engine", error);
    if (status)
        return status;
    loam_engine_info info = {.threads = loam_pool_threads(engine->pool),
                             .cpu_level = engine->cpu_level,
                             .bytes_held = atomic_load(&engine->memory.held),
                             .bytes_peak = atomic_load(&engine->memory.peak),
                             .memory_limit = engine->memory.limit};
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}

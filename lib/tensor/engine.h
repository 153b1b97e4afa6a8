/* SPDX-License-Identifier: MIT */
/* The engine: memory, threads, backends and the lock that serialises computing. */
#ifndef LOAM_TENSOR_ENGINE_H
#define LOAM_TENSOR_ENGINE_H

#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/thread.h"
#include "tensor/backend.h"

struct loam_engine {
    atomic_uint references;
    struct memory memory;
    struct pool *pool;
    struct backend *backend; /* the CPU */
    struct backend *devices[MOST_BACKENDS - 1];
    uint32_t device_count;
    struct lock lock;   /* held while computing */
    int64_t process;    /* that created it */
    int32_t cpu_level;
    loam_log_function log;
    void *log_user;
};

/* Begins computing: waits for other computing calls. Every OK is followed by
 * loam_engine_leave.
 * [blocks; errors: FORKED] */
loam_status loam_engine_enter(loam_engine *engine, loam_error *error);
void loam_engine_leave(loam_engine *engine);

/* Backend number `index`: the CPU, then the devices. */
static inline struct backend *loam_engine_backend(const loam_engine *engine, uint32_t index)
{
    return index == CPU_BACKEND ? engine->backend : engine->devices[index - 1];
}

/* Adds a device, which the engine then owns, also on failure. Graphs made from
 * now on are placed on the devices in the order in which they were added; must
 * not be called while others use the engine, or after a graph was compiled.
 * [errors: INVALID_ARGUMENT, STATE] */
loam_status loam_engine_add_device(loam_engine *engine, struct backend *device, loam_error *error);

/* Ends the devices, the last added first. */
void loam_engine_end_devices(loam_engine *engine);

/* FORKED in a forked child. */
loam_status loam_engine_check(const loam_engine *engine, loam_error *error);

#endif

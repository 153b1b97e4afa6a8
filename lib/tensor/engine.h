/* SPDX-License-Identifier: MIT */
/* The engine: memory, threads, backend and the lock that serialises computing. */
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
    struct backend *backend;
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

/* FORKED in a forked child. */
loam_status loam_engine_check(const loam_engine *engine, loam_error *error);

#endif

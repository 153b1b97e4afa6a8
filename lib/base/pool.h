/* SPDX-License-Identifier: MIT */
/*
 * The computing threads of an engine. Work comes in phases of numbered tiles;
 * each worker begins on its own contiguous range, which keeps one memory
 * stream per core, then takes from the end of the largest remainder. A phase
 * ends when its tiles are done, not when all threads have arrived: a thread
 * that lost its core delays nobody. Workers spin briefly, then park.
 */
#ifndef LOAM_BASE_POOL_H
#define LOAM_BASE_POOL_H

#include "base/error.h"
#include "base/memory.h"

/* Thread-safe: phases of several callers run one after the other. */
struct pool;

/* `threads` includes the calling thread; 0: one per CPU that affinity and
 * cgroup limits leave to this process. With an executor no thread is started.
 * [errors: MEMORY, THREAD] */
loam_status loam_pool_create(struct pool **out, struct memory *memory, int32_t threads,
                             const loam_executor *executor, loam_error *error);

/* Stops the threads and returns the memory; NULL is fine. In a forked child,
 * which has no such threads, it only returns the memory. */
void loam_pool_destroy(struct pool *pool);

/* Threads that may work at once, the caller's included. */
int32_t loam_pool_threads(const struct pool *pool);

/* A phase: run(context, tile, worker) once for each tile in [0, tiles), in any
 * order, worker in [0, loam_pool_threads): no two calls at once have the same.
 * Every compute entry sets round-to-nearest without flush-to-zero around its
 * tiles and restores what it found.
 * stop may be NULL; it is asked before each tile, and once it has said other
 * than 0 the remaining tiles are skipped. Returns false if tiles were skipped. */
bool loam_pool_run(struct pool *pool, uint32_t tiles,
                   void (*run)(void *context, uint32_t tile, int32_t worker), void *context,
                   int32_t (*stop)(void *user), void *stop_user);

#endif

/* SPDX-License-Identifier: MIT */
/* Threads, locks, clocks, and what the system says of CPUs. */
#ifndef LOAM_BASE_THREAD_H
#define LOAM_BASE_THREAD_H

#include "base/base.h"

#include <pthread.h>

/* A lock. Thread-safe. */
struct lock {
    pthread_mutex_t mutex;
};

bool loam_lock_init(struct lock *lock);
void loam_lock_end(struct lock *lock);
void loam_lock_take(struct lock *lock);
void loam_lock_give(struct lock *lock);

/* Where threads sleep until something has changed. Thread-safe. */
struct condition {
    pthread_cond_t condition;
};

bool loam_condition_init(struct condition *condition);
void loam_condition_end(struct condition *condition);

/* Gives the lock, sleeps until another thread wakes, at most `seconds` (below
 * 0: no limit), and takes the lock again. Also returns for no reason. */
void loam_condition_wait(struct condition *condition, struct lock *lock, double seconds);
void loam_condition_wake(struct condition *condition);

/* Starts a thread of 256 KB stack with all signals blocked, so that handlers
 * of the host never run on it. */
bool loam_thread_start(pthread_t *out, void *(*run)(void *), void *context);
void loam_thread_join(pthread_t thread);

/* Identifies this process: another value in a forked child. */
int64_t loam_process_id(void);

/* CPUs that affinity and cgroup limits leave to this process; at least 1. */
int32_t loam_cpu_count(void);

/* Seconds on a clock that never goes back. */
double loam_seconds(void);

/* Sets round-to-nearest, no flush-to-zero, and gives the former setting. */
uint64_t loam_float_environment_set(void);
void loam_float_environment_restore(uint64_t former);

#endif

/* SPDX-License-Identifier: MIT */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/thread.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { STACK_BYTES = 256 * 1024 };

bool loam_lock_init(struct lock *lock)
{
    return pthread_mutex_init(&lock->mutex, NULL) == 0;
}

void loam_lock_end(struct lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

void loam_lock_take(struct lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

void loam_lock_give(struct lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

bool loam_condition_init(struct condition *condition)
{
    return pthread_cond_init(&condition->condition, NULL) == 0;
}

void loam_condition_end(struct condition *condition)
{
    pthread_cond_destroy(&condition->condition);
}

void loam_condition_wait(struct condition *condition, struct lock *lock, double seconds)
{
    struct timespec until;
    if (seconds < 0) {
        pthread_cond_wait(&condition->condition, &lock->mutex);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until); /* the clock of conditions by default */
    double end = (double)until.tv_nsec * 1e-9 + (seconds < 1e6 ? seconds : 1e6);
    until.tv_sec += (time_t)end;
    until.tv_nsec = (long)((end - (double)(time_t)end) * 1e9);
    pthread_cond_timedwait(&condition->condition, &lock->mutex, &until);
}

void loam_condition_wake(struct condition *condition)
{
    pthread_cond_broadcast(&condition->condition);
}

bool loam_thread_start(pthread_t *out, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    sigset_t all, former;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* A thread inherits the mask: the host's handlers must not run on ours. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    bool started = pthread_create(out, &attributes, run, context) == 0;
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

void loam_thread_join(pthread_t thread)
{
    pthread_join(thread, NULL);
}

int64_t loam_process_id(void)
{
    return getpid();
}

/* Reads the beginning of a small file as text; false if there is none. */
static bool read_text(const char *path, char *out, size_t capacity)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t count = read(descriptor, out, capacity - 1);
    close(descriptor);
    if (count <= 0)
        return false;
    out[count] = 0;
    return true;
}

/* CPUs that quota / period microseconds amount to, rounded up; 0: no limit. */
static int32_t cpus_of_quota(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = (quota + period - 1) / period;
    return cpus > 100000 ? 0 : (int32_t)cpus;
}

/* The limit of the control group, version 2 or 1; 0: none. A limit of an outer
 * group is seen where the group's files are mounted as the root, as in
 * containers. */
static int32_t cgroup_limit(void)
{
    char text[512], *rest;
    if (read_text("/sys/fs/cgroup/cpu.max", text, sizeof text)) {
        if (text[0] == 'm') /* "max 100000" */
            return 0;
        long long quota = strtoll(text, &rest, 10);
        return cpus_of_quota(quota, strtoll(rest, NULL, 10));
    }
    if (!read_text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, sizeof text))
        return 0;
    long long quota = strtoll(text, NULL, 10);
    if (!read_text("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text, sizeof text))
        return 0;
    return cpus_of_quota(quota, strtoll(text, NULL, 10));
}

int32_t loam_cpu_count(void)
{
    long count = 0;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
#endif
    if (count < 1)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t limit = cgroup_limit();
    if (limit > 0 && count > limit)
        count = limit;
    return count < 1 ? 1 : (int32_t)count;
}

double loam_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

uint64_t loam_float_environment_set(void)
{
#if defined(__x86_64__)
    uint32_t former = _mm_getcsr();
    _mm_setcsr(0x1F80); /* exceptions masked, nearest, denormals as they are */
    return former;
#elif defined(__aarch64__)
    uint64_t former;
    __asm__ volatile("mrs %0, fpcr" : "=r"(former));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return former;
#else
    return 0;
#endif
}

void loam_float_environment_restore(uint64_t former)
{
#if defined(__x86_64__)
    _mm_setcsr((unsigned)former);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(former));
#else
    (void)former;
#endif
}

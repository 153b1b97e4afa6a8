/* SPDX-License-Identifier: MIT */
/*
 * Threads start each sample together and work for a given time, not for a
 * given amount: a thread that lost its core then lowers the sum, but does not
 * let the others wait. The first sample warms up and is not counted.
 */
#include "limits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct run {
    const struct work *work;
    double sample_seconds;
    pthread_barrier_t barrier;
};

struct runner {
    struct run *run;
    pthread_t thread;
    int index;
    double rates[SAMPLES + 1];
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *run_thread(void *argument)
{
    struct runner *runner = argument;
    struct run *run = runner->run;
    const struct work *work = run->work;
    if (work->begin)
        work->begin(work->context, runner->index);
    for (int sample = 0; sample <= SAMPLES; sample++) {
        pthread_barrier_wait(&run->barrier);
        double start = seconds_now(), now = start, pieces = 0;
        for (; now - start < run->sample_seconds; now = seconds_now(), pieces++)
            work->piece(work->context, runner->index);
        runner->rates[sample] = pieces * work->amount / (now - start);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct rate summarise(const struct runner *runners, int threads)
{
    double sums[SAMPLES] = {0};
    for (int sample = 0; sample < SAMPLES; sample++)
        for (int i = 0; i < threads; i++)
            sums[sample] += runners[i].rates[sample + 1];
    qsort(sums, SAMPLES, sizeof *sums, compare);
    return (struct rate){.median = sums[SAMPLES / 2], .best = sums[SAMPLES - 1]};
}

bool limits_run(struct rate *out, const struct work *work, int threads, double seconds)
{
    struct run run = {.work = work, .sample_seconds = seconds / (SAMPLES + 1)};
    struct runner *runners = calloc((size_t)threads, sizeof *runners);
    if (!runners || pthread_barrier_init(&run.barrier, NULL, (unsigned)threads)) {
        free(runners);
        return false;
    }
    for (int i = 0; i < threads; i++) {
        runners[i].run = &run;
        runners[i].index = i;
        if (i && pthread_create(&runners[i].thread, NULL, run_thread, &runners[i])) {
            /* Those made wait at the barrier for good. */
            fprintf(stderr, "limits: could not start thread %d of %d\n", i + 1, threads);
            exit(1);
        }
    }
    run_thread(&runners[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(runners[i].thread, NULL);
    pthread_barrier_destroy(&run.barrier);
    *out = summarise(runners, threads);
    free(runners);
    return true;
}

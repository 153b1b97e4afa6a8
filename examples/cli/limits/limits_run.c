/* SPDX-License-Identifier: MIT */
/*
 * Threads start each sample together and work until the same moment, not for a
 * given amount: one that lost its core lowers the sum, but no other waits for
 * it. The first sample warms up and is not counted.
 */
#include "limits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct run {
    const struct work *work;
    double sample_seconds;
    double start; /* of the sample; written between two barriers by one thread */
    pthread_barrier_t barrier;
};

struct runner {
    struct run *run;
    pthread_t thread;
    int index;
    double pieces[SAMPLES + 1], seconds[SAMPLES + 1]; /* of each sample, since its start */
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
        if (pthread_barrier_wait(&run->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            run->start = seconds_now();
        pthread_barrier_wait(&run->barrier);
        double seconds = 0, pieces = 0;
        for (; seconds < run->sample_seconds; pieces++) {
            work->piece(work->context, runner->index);
            seconds = seconds_now() - run->start;
        }
        runner->pieces[sample] = pieces;
        runner->seconds[sample] = seconds;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What all threads did of a sample, by the time until the last had ended. */
static double rate_of(const struct runner *runners, int threads, double amount, int sample)
{
    double pieces = 0, seconds = 0;
    for (int i = 0; i < threads; i++) {
        pieces += runners[i].pieces[sample];
        seconds = runners[i].seconds[sample] > seconds ? runners[i].seconds[sample] : seconds;
    }
    return pieces * amount / seconds;
}

static struct rate summarise(const struct runner *runners, int threads, double amount)
{
    double rates[SAMPLES];
    for (int sample = 0; sample < SAMPLES; sample++)
        rates[sample] = rate_of(runners, threads, amount, sample + 1);
    qsort(rates, SAMPLES, sizeof *rates, compare);
    return (struct rate){.median = rates[SAMPLES / 2], .best = rates[SAMPLES - 1]};
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
    *out = summarise(runners, threads, work->amount);
    free(runners);
    return true;
}

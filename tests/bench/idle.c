/* SPDX-License-Identifier: MIT */
/*
 * What an idle engine costs:  idle MODEL THREADS SECONDS
 *
 * Opens the model, computes one token, so that all threads have worked, then
 * waits. Prints the CPU time that the process took while it computed and while
 * it waited, as a JSON object. A guest that waits must take none.
 */
#include <loam/loam.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void wait_until(double end)
{
    double left;
    while ((left = end - seconds_of(CLOCK_MONOTONIC)) > 0) {
        struct timespec time = {.tv_sec = (time_t)left};
        time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
        nanosleep(&time, NULL);
    }
}

static int measure(loam_session *session, double seconds, loam_error *error)
{
    const int32_t token = 1;
    double start = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    if (loam_session_evaluate(session, &token, 1, NULL, 0, error))
        return 1;
    double computed = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    wait_until(seconds_of(CLOCK_MONOTONIC) + seconds);
    double waited = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    printf("{\"token_cpu_s\": %.6f, \"idle_cpu_s\": %.6f, \"idle_s\": %.3f}\n", computed - start,
           waited - computed, seconds);
    return 0;
}

int main(int count, char **arguments)
{
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *session = NULL;
    loam_error error = {.struct_size = sizeof error};
    loam_engine_options options = {.struct_size = sizeof options};
    if (count != 4) {
        fprintf(stderr, "usage: idle MODEL THREADS SECONDS\n");
        return 2;
    }
    options.threads = atoi(arguments[2]);
    int failed = loam_engine_create(&engine, &options, &error) ||
                 loam_model_open(&model, engine, arguments[1], LOAM_NUL_TERMINATED, NULL, &error) ||
                 loam_session_create(&session, model, NULL, &error) ||
                 measure(session, atof(arguments[3]), &error);
    if (failed)
        fprintf(stderr, "idle: %s\n", error.message);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    return failed;
}

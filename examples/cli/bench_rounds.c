/* SPDX-License-Identifier: MIT */
/*
 * The rounds: one to warm up, then in each the prompt, the decoding and, for a short time
 * beside each, the limits of the machine. Its speed drifts, so that only numbers of one
 * round are comparable; reading is measured before and after the decoding.
 */
#include "bench.h"
#include "limits/limits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Of each measurement of a limit; there are up to eight in a round. */
static const double LIMIT_SECONDS = 0.1;

static int32_t *tokens_of(const struct bench *bench, size_t row)
{
    return bench->tokens + row * bench->length;
}

/* ---- sessions ----------------------------------------------------------------- */

/* Tokens by chance, others in each session, so that none profits of another's. */
static int make_tokens(struct bench *bench)
{
    loam_model_info info = {.struct_size = sizeof info};
    size_t count = bench->length * (size_t)bench->rows;
    uint64_t state = 1;
    loam_model_get_info(&info, bench->model, NULL);
    bench->tokens = malloc(count * sizeof *bench->tokens);
    if (!bench->tokens)
        return fail("out of memory");
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bench->tokens[i] = (int32_t)((state >> 33) % info.vocabulary_size);
    }
    return EXIT_OK;
}

/* Reads tokens [from, to) of a row. With from == to what a rewind left to be
 * computed again, as for models with a recurrent state. */
static int read_tokens(struct bench *bench, size_t row, size_t from, size_t to)
{
    interrupt_watch(bench->sessions[row]);
    loam_status status = loam_session_evaluate(bench->sessions[row], tokens_of(bench, row) + from,
                                               to - from, NULL, 0, &bench->error);
    interrupt_watch(NULL);
    return status ? fail_with(&bench->error) : EXIT_OK;
}

/* The first session is filled up to the depth; rounds read its prompt. The
 * others, which only decode, hold depth and prompt from the start. */
static int make_sessions(struct bench *bench)
{
    loam_session_options options = {.struct_size = sizeof options};
    loam_generation_options generation = {.struct_size = sizeof generation, .ignore_end = 1};
    /* One token is generated untimed; and no session may come to be full. */
    options.context_length = (uint32_t)bench->length + (uint32_t)bench->decode + 3;
    for (size_t row = 0; row < (size_t)bench->rows; row++) {
        if (loam_session_create(&bench->sessions[row], bench->model, &options, &bench->error) ||
            loam_session_configure(bench->sessions[row], &generation, &bench->error))
            return fail_with(&bench->error);
        int code = read_tokens(bench, row, 0, row ? bench->length : (size_t)bench->depth);
        if (code)
            return code;
    }
    return EXIT_OK;
}

void bench_end(struct bench *bench)
{
    for (size_t row = 0; row < MAX_ROWS; row++)
        loam_session_release(bench->sessions[row]);
    free(bench->tokens);
}

/* ---- prompt and decoding ------------------------------------------------------ */

static int time_prompt(struct bench *bench, double *tps)
{
    size_t depth = (size_t)bench->depth, count = (size_t)bench->prompt;
    if (loam_session_rewind(bench->sessions[0], depth, &bench->error))
        return fail_with(&bench->error);
    int code = read_tokens(bench, 0, depth, depth);
    double start = seconds_now();
    if (!code && count)
        code = read_tokens(bench, 0, depth, depth + count);
    *tps = (double)count / (seconds_now() - start);
    return code;
}

/* One step of sessions [first, first + count); *tokens: how many gave one. */
static int step(struct bench *bench, size_t first, size_t count, size_t *tokens)
{
    *tokens = 0;
    for (size_t i = first; i < first + count; i++)
        bench->events[i].struct_size = sizeof bench->events[i];
    if (loam_step(bench->events + first, bench->sessions + first, count, &bench->error))
        return fail_with(&bench->error);
    for (size_t i = first; i < first + count; i++) {
        const loam_event *event = &bench->events[i];
        if (event->type == LOAM_EVENT_STOP)
            return event->stop_reason == LOAM_STOP_CANCELLED
                       ? EXIT_INTERRUPTED
                       : fail("decoding stopped: %s", loam_status_text(event->status));
        *tokens += event->type == LOAM_EVENT_TOKEN;
    }
    return EXIT_OK;
}

/* Sets each session to its tokens and lets it generate one more, untimed: the
 * last token is computed again, and recurrent models compute some before it. */
static int begin_decoding(struct bench *bench)
{
    for (size_t row = 0; row < (size_t)bench->rows; row++) {
        if (loam_session_prompt_tokens(bench->sessions[row], tokens_of(bench, row), bench->length,
                                       &bench->error))
            return fail_with(&bench->error);
        int code = EXIT_OK;
        for (size_t tokens = 0; !code && tokens == 0;)
            code = step(bench, row, 1, &tokens);
        if (code)
            return code;
    }
    return EXIT_OK;
}

/* Each step computes one token of each session. */
static int time_decoding(struct bench *bench, double *tps)
{
    size_t tokens, total = 0;
    int code = begin_decoding(bench);
    interrupt_watch(bench->sessions[0]);
    double start = seconds_now();
    for (long long i = 0; !code && i < bench->decode; i++) {
        code = step(bench, 0, (size_t)bench->rows, &tokens);
        total += tokens;
    }
    *tps = (double)total / (seconds_now() - start);
    interrupt_watch(NULL);
    return code;
}

/* ---- the machine -------------------------------------------------------------- */

/* The most memory that was resident. Linux counts it for each program; what
 * getrusage says may be of the program that started this one. */
static uint64_t peak_resident(void)
{
    char line[128];
    unsigned long long kilobytes = 0;
    struct rusage usage;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %llu", &kilobytes);
    if (file)
        fclose(file);
    if (!kilobytes && getrusage(RUSAGE_SELF, &usage) == 0)
        kilobytes = (unsigned long long)usage.ru_maxrss;
    return kilobytes * 1024;
}

static double limit_of(const struct measurements *all, const char *group, int threads)
{
    const struct measurement *best = limits_best(all, group, threads);
    return best ? best->rate.median : 0;
}

/* With the threads of the engine, and no unit above its level. */
static struct settings limit_settings(const struct bench *bench)
{
    loam_engine_info engine = {.struct_size = sizeof engine};
    loam_engine_get_info(&engine, bench->engine, NULL);
    return (struct settings){.threads = engine.threads,
                             .seconds = LIMIT_SECONDS,
                             .read_bytes = (size_t)bench->read_bytes,
                             .level = limits_level_from_name(loam_cpu_level_name(engine.cpu_level)),
                             .brief = true,
                             .huge_only = true};
}

static int no_limit(void)
{
    return fail("the limits cannot be measured; --no-limits leaves them out");
}

/* Adds half of the rate: it is the mean of before and after the decoding. */
static int measure_reading(const struct bench *bench, double *gbps)
{
    struct measurements all = {.count = 0};
    const struct settings settings = limit_settings(bench);
    if (!limits_read(&all, &settings))
        return no_limit();
    *gbps += limit_of(&all, "read", settings.threads) / 2;
    return interrupt_happened() ? EXIT_INTERRUPTED : EXIT_OK;
}

static int measure_units(const struct bench *bench, struct bench_round *round)
{
    struct measurements all = {.count = 0};
    const struct settings settings = limit_settings(bench);
    if (!limits_units(&all, &settings, "int8") || !limits_units(&all, &settings, "f32"))
        return no_limit();
    round->int8_gmacs = limit_of(&all, "int8", settings.threads);
    round->f32_gmacs = limit_of(&all, "f32", settings.threads);
    return interrupt_happened() ? EXIT_INTERRUPTED : EXIT_OK;
}

/* ---- all of it ---------------------------------------------------------------- */

static int run_round(struct bench *bench, struct bench_round *round, bool limits)
{
    int code = time_prompt(bench, &round->prompt_tps);
    if (!code && limits)
        code = measure_units(bench, round);
    if (!code && limits)
        code = measure_reading(bench, &round->read_gbps);
    if (!code && bench->decode)
        code = time_decoding(bench, &round->decode_tps);
    if (!code && limits)
        code = measure_reading(bench, &round->read_gbps);
    return code;
}

int bench_run(struct bench *bench)
{
    struct bench_round warm_up;
    size_t length = (size_t)(bench->depth + bench->prompt);
    bench->length = length ? length : 1;
    int code = make_tokens(bench);
    if (!code)
        code = make_sessions(bench);
    if (!code)
        code = run_round(bench, &warm_up, false);
    bench->peak_bytes = peak_resident(); /* before the limits take theirs */
    for (long long i = 0; !code && i < bench->rounds; i++)
        code = run_round(bench, &bench->results[i], bench->read_bytes != 0);
    return code;
}

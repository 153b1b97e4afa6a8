/* SPDX-License-Identifier: MIT */
/* loam bench: tokens per second of prompts and of decoding, what a token costs
 * at least, and the share of the machine's limits that was reached. */
#include "bench.h"

#include <stdlib.h>

/* ---- numbers ------------------------------------------------------------------ */

enum quantity {
    PROMPT_TPS,
    DECODE_TPS,
    READ,
    INT8,
    F32,
    PROMPT_FRACTION,
    DECODE_FRACTION,
    QUANTITIES
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double share(double amount, double limit)
{
    return limit > 0 ? amount / limit : 0;
}

static double quantity_of(const struct bench *bench, const struct token_costs *costs,
                          const struct bench_round *round, int quantity)
{
    double unit = costs->is_float ? round->f32_gmacs : round->int8_gmacs;
    switch (quantity) {
    case PROMPT_TPS:
        return round->prompt_tps;
    case DECODE_TPS:
        return round->decode_tps;
    case READ:
        return round->read_gbps;
    case INT8:
        return round->int8_gmacs;
    case F32:
        return round->f32_gmacs;
    case PROMPT_FRACTION:
        return share(round->prompt_tps * (double)costs->multiply_adds, unit * 1e9);
    default: /* a step reads the weights once for all rows */
        return share(round->decode_tps / (double)bench->rows * (double)costs->bytes,
                     round->read_gbps * 1e9);
    }
}

/* Medians over the rounds: of shares the medians of each round's. */
static void find_medians(double out[QUANTITIES], const struct bench *bench,
                         const struct token_costs *costs)
{
    double values[MAX_ROUNDS];
    for (int quantity = 0; quantity < QUANTITIES; quantity++) {
        for (long long i = 0; i < bench->rounds; i++)
            values[i] = quantity_of(bench, costs, &bench->results[i], quantity);
        out[quantity] = median(values, (size_t)bench->rounds);
    }
}

/* ---- output ------------------------------------------------------------------- */

struct report {
    const struct bench *bench;
    struct token_costs costs;
    double medians[QUANTITIES];
    loam_model_info model;
    loam_engine_info engine;
};

static void print_json(const struct report *report)
{
    const struct bench *bench = report->bench;
    const double *medians = report->medians;
    printf("{\"prompt_tps\": %.3f, \"decode_tps\": %.3f, \"decode_row_tps\": %.3f, "
           "\"load_s\": %.6f, \"peak_bytes\": %llu, \"engine_peak_bytes\": %llu, "
           "\"weight_bytes_per_token\": %llu, \"multiply_adds_per_token\": %llu, "
           "\"threads\": %d, \"cpu\": \"%s\", \"prompt\": %lld, \"decode\": %lld, "
           "\"depth\": %lld, \"rows\": %lld, \"rounds\": %lld",
           medians[PROMPT_TPS], medians[DECODE_TPS], medians[DECODE_TPS] / (double)bench->rows,
           report->model.load_seconds, (unsigned long long)bench->peak_bytes,
           (unsigned long long)report->engine.bytes_peak, (unsigned long long)report->costs.bytes,
           (unsigned long long)report->costs.multiply_adds, (int)report->engine.threads,
           loam_cpu_level_name(report->engine.cpu_level), bench->prompt, bench->decode,
           bench->depth, bench->rows, bench->rounds);
    if (bench->read_bytes)
        printf(", \"limit_read_gbps\": %.4f, \"limit_int8_gmacs\": %.4f, "
               "\"limit_f32_gmacs\": %.4f, \"decode_fraction\": %.6f, "
               "\"prompt_fraction\": %.6f, \"prompt_unit\": \"%s\"",
               medians[READ], medians[INT8], medians[F32], medians[DECODE_FRACTION],
               medians[PROMPT_FRACTION], report->costs.is_float ? "f32" : "int8");
    printf("}\n");
}

static void print_text(const struct report *report)
{
    const struct bench *bench = report->bench;
    const double *medians = report->medians;
    printf("prompt   %10.1f tokens/s, %lld tokens at depth %lld", medians[PROMPT_TPS],
           bench->prompt, bench->depth);
    if (bench->read_bytes)
        printf(", %.1f %% of the %s unit", 100 * medians[PROMPT_FRACTION],
               report->costs.is_float ? "f32" : "int8");
    printf("\ndecode   %10.1f tokens/s", medians[DECODE_TPS]);
    if (bench->rows > 1)
        printf(" in %lld rows, %.1f each", bench->rows, medians[DECODE_TPS] / (double)bench->rows);
    if (bench->read_bytes)
        printf(", %.1f %% of the read bandwidth", 100 * medians[DECODE_FRACTION]);
    printf("\nload     %10.3f s\n", report->model.load_seconds);
    printf("memory   %10.1f MB resident at most; the engine counts %.1f MB\n",
           (double)bench->peak_bytes / (1 << 20), (double)report->engine.bytes_peak / (1 << 20));
    printf("a token  %10.1f MB of weights, %.1f M multiply-adds\n",
           (double)report->costs.bytes / (1 << 20), (double)report->costs.multiply_adds / 1e6);
    if (bench->read_bytes)
        printf("limits   %10.1f GB/s read, %.1f G int8 and %.1f G f32 multiply-adds/s\n",
               medians[READ], medians[INT8], medians[F32]);
    printf("%d threads, %s, medians of %lld rounds\n", (int)report->engine.threads,
           loam_cpu_level_name(report->engine.cpu_level), bench->rounds);
}

/* ---- the command -------------------------------------------------------------- */

static int run(struct bench *bench, struct common *common, int json)
{
    struct report report = {.bench = bench};
    if (bench->rows > 16) /* what the library allows by itself */
        common->step_sessions = bench->rows;
    interrupt_begin();
    int code = open_engine(&bench->engine, common);
    if (!code)
        code = open_model(&bench->model, bench->engine, common, LOAM_KV_DEFAULT);
    if (!code)
        code = bench_costs(&report.costs, bench->engine, common->model);
    if (!code)
        code = bench_run(bench);
    if (!code) {
        report.model.struct_size = sizeof report.model;
        report.engine.struct_size = sizeof report.engine;
        loam_model_get_info(&report.model, bench->model, NULL);
        loam_engine_get_info(&report.engine, bench->engine, NULL);
        find_medians(report.medians, bench, &report.costs);
        (json ? print_json : print_text)(&report);
        code = finish_output();
    }
    bench_end(bench);
    loam_model_release(bench->model);
    loam_engine_release(bench->engine);
    return code;
}

int command_bench(int count, char **arguments)
{
    static struct bench bench; /* too large for the stack of a thread */
    struct common common = {0};
    int json = 0, no_limits = 0;
    bench.prompt = 512;
    bench.decode = 64;
    bench.rows = 1;
    bench.rounds = 5;
    bench.read_bytes = 512ull << 20;
    bench.error.struct_size = sizeof bench.error;
    const struct option options[] = {
        COMMON_OPTIONS(common),
        {"--prompt", "-p", OPTION_INTEGER, &bench.prompt, "N", "tokens of the prompt (default 512)",
         0, 1 << 20},
        {"--decode", "-n", OPTION_INTEGER, &bench.decode, "N",
         "tokens decoded one by one (default 64)", 0, 1 << 20},
        {"--depth", "-d", OPTION_INTEGER, &bench.depth, "D",
         "tokens that the session holds before the prompt (default 0)", 0, 1 << 20},
        {"--rows", NULL, OPTION_INTEGER, &bench.rows, "R",
         "sessions that decode side by side (default 1); decode_tps: together", 1, MAX_ROWS},
        {"--rounds", "-r", OPTION_INTEGER, &bench.rounds, "N",
         "rounds after one to warm up (default 5); all results are medians", 1, MAX_ROUNDS},
        {"--no-limits", NULL, OPTION_FLAG, &no_limits, NULL,
         "do not measure what the machine could do, in each round", 0, 0},
        {"--read-bytes", NULL, OPTION_BYTES, &bench.read_bytes, "BYTES",
         "memory that the limit of reading goes through (default 512M)", 0, 0},
        {"--json", NULL, OPTION_FLAG, &json, NULL,
         "a JSON object; peak_bytes: resident, of the whole process; engine_peak_bytes: as the "
         "engine counts",
         0, 0},
    };
    size_t rest;
    int code = options_read(count, arguments, "bench [-m FILE] [OPTIONS]", options,
                            COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    if (no_limits)
        bench.read_bytes = 0;
    else if (bench.read_bytes < 1 << 20 || bench.read_bytes > 1ull << 40) {
        fail("--read-bytes: expected from 1M to 1024G");
        return EXIT_USAGE;
    }
    return run(&bench, &common, json);
}

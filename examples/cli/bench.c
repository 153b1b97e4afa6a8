/* SPDX-License-Identifier: MIT */
/* loam bench: tokens per second of prompts and of decoding, medians of rounds
 * after one to warm up, and what a token costs at least. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 100 };

struct bench {
    loam_engine *engine;
    loam_model *model;
    loam_session *session;
    loam_error error;
    long long prompt, decode, rounds;
    double prompt_tps[MAX_ROUNDS], decode_tps[MAX_ROUNDS];
    uint64_t bytes_per_token, multiply_adds_per_token;
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

static int is_named(const loam_tensor_info *tensor, const char *name)
{
    return tensor->name.length == strlen(name) && !memcmp(tensor->name.data, name, strlen(name));
}

/* What decoding a token reads and multiplies: every weight of the file, as
 * large as in the file. Of the embedding table a token needs one row only,
 * unless the table is the output matrix as well. */
static void sum_costs(struct bench *bench, loam_file *file, uint64_t count)
{
    loam_tensor_info table = {.struct_size = sizeof table}, tensor = {.struct_size = sizeof tensor};
    int tied = 1;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t numbers = 1;
        loam_file_tensor(&tensor, file, i, NULL);
        for (uint32_t j = 0; j < tensor.dimension_count; j++)
            numbers *= tensor.dimensions[j];
        bench->bytes_per_token += tensor.bytes;
        if (tensor.dimension_count > 1)
            bench->multiply_adds_per_token += numbers;
        tied = tied && !is_named(&tensor, "output.weight");
        if (is_named(&tensor, "token_embd.weight"))
            table = tensor;
    }
    if (!tied && table.dimension_count) {
        bench->bytes_per_token -= table.bytes;
        bench->multiply_adds_per_token -= table.dimensions[0] * table.dimensions[1];
    }
}

static int find_costs(struct bench *bench, const char *path)
{
    loam_source source;
    loam_file_info info = {.struct_size = sizeof info};
    loam_file *file = NULL;
    builtin_source(&source, path, NULL);
    if (loam_file_open(&file, bench->engine, &source, &bench->error))
        return fail_with(&bench->error);
    loam_file_get_info(&info, file, NULL);
    sum_costs(bench, file, info.tensor_count);
    loam_file_release(file);
    return EXIT_OK;
}

/* Reads the prompt, then `decode` tokens one by one. */
static int run_round(struct bench *bench, const int32_t *tokens, double *prompt_tps,
                     double *decode_tps)
{
    if (loam_session_rewind(bench->session, 0, &bench->error))
        return fail_with(&bench->error);
    double start = seconds_now();
    if (bench->prompt && loam_session_evaluate(bench->session, tokens, (size_t)bench->prompt, NULL,
                                               0, &bench->error))
        return fail_with(&bench->error);
    double middle = seconds_now();
    for (long long i = 0; i < bench->decode; i++)
        if (loam_session_evaluate(bench->session, tokens + bench->prompt + i, 1, NULL, 0,
                                  &bench->error))
            return fail_with(&bench->error);
    double end = seconds_now();
    *prompt_tps = (double)bench->prompt / (middle - start);
    *decode_tps = (double)bench->decode / (end - middle);
    return EXIT_OK;
}

static int run_rounds(struct bench *bench)
{
    loam_model_info info = {.struct_size = sizeof info};
    loam_model_get_info(&info, bench->model, NULL);
    size_t count = (size_t)(bench->prompt + bench->decode);
    int32_t *tokens = malloc((count + 1) * sizeof *tokens);
    uint64_t state = 1;
    int code = tokens ? EXIT_OK : fail("out of memory");
    for (size_t i = 0; tokens && i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        tokens[i] = (int32_t)((state >> 33) % info.vocabulary_size);
    }
    for (long long i = -1; !code && i < bench->rounds; i++) /* -1: warm up */
        code = run_round(bench, tokens, &bench->prompt_tps[i < 0 ? 0 : i],
                         &bench->decode_tps[i < 0 ? 0 : i]);
    free(tokens);
    return code;
}

static int print(struct bench *bench, int json)
{
    loam_model_info model = {.struct_size = sizeof model};
    loam_engine_info engine = {.struct_size = sizeof engine};
    loam_model_get_info(&model, bench->model, NULL);
    loam_engine_get_info(&engine, bench->engine, NULL);
    double prompt = bench->prompt ? median(bench->prompt_tps, (size_t)bench->rounds) : 0;
    double decode = bench->decode ? median(bench->decode_tps, (size_t)bench->rounds) : 0;
    printf(json ? "{\"prompt_tps\": %.3f, \"decode_tps\": %.3f, \"load_s\": %.6f, "
                  "\"peak_bytes\": %llu, \"weight_bytes_per_token\": %llu, "
                  "\"multiply_adds_per_token\": %llu, \"threads\": %d, \"cpu\": \"%s\"}\n"
                : "prompt %.1f tokens/s, decode %.1f tokens/s, load %.3f s, peak %llu bytes, "
                  "a token reads %llu bytes of weights and takes %llu multiply-adds, "
                  "%d threads, %s\n",
           prompt, decode, model.load_seconds, (unsigned long long)engine.bytes_peak,
           (unsigned long long)bench->bytes_per_token,
           (unsigned long long)bench->multiply_adds_per_token, (int)engine.threads,
           loam_cpu_level_name(engine.cpu_level));
    return finish_output();
}

int command_bench(int count, char **arguments)
{
    struct common common = {0};
    struct bench bench = {
        .prompt = 512, .decode = 64, .rounds = 5, .error = {.struct_size = sizeof bench.error}};
    int json = 0;
    const struct option options[] = {
        COMMON_OPTIONS(common),
        {"--prompt", "-p", OPTION_INTEGER, &bench.prompt, "N", "tokens of the prompt (default 512)",
         0, 1 << 20},
        {"--decode", "-n", OPTION_INTEGER, &bench.decode, "N",
         "tokens decoded one by one (default 64)", 0, 1 << 20},
        {"--rounds", "-r", OPTION_INTEGER, &bench.rounds, "N",
         "rounds after one to warm up (default 5)", 1, MAX_ROUNDS},
        {"--json", NULL, OPTION_FLAG, &json, NULL, "a JSON object", 0, 0},
    };
    size_t rest;
    int code = options_read(count, arguments, "bench [-m FILE] [OPTIONS]", options,
                            COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    loam_session_options session = {.struct_size = sizeof session};
    session.context_length = (uint32_t)(bench.prompt + bench.decode + 1);
    interrupt_begin();
    code = open_engine(&bench.engine, &common);
    if (!code)
        code = open_model(&bench.model, bench.engine, &common, LOAM_KV_DEFAULT);
    if (!code)
        code = find_costs(&bench, common.model);
    if (!code && loam_session_create(&bench.session, bench.model, &session, &bench.error))
        code = fail_with(&bench.error);
    if (!code) {
        interrupt_watch(bench.session);
        code = run_rounds(&bench);
        interrupt_watch(NULL);
    }
    if (!code)
        code = print(&bench, json);
    loam_session_release(bench.session);
    loam_model_release(bench.model);
    loam_engine_release(bench.engine);
    return code;
}

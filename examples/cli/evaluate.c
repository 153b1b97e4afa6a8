/* SPDX-License-Identifier: MIT */
/* loam logits and loam nll: a model's own numbers for given tokens. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What both have open. */
struct work {
    loam_engine *engine;
    loam_model *model;
    loam_session *session;
    int32_t *ids;
    size_t count, vocabulary;
    float *logits; /* [piece][vocabulary] */
    size_t piece;
    const char *name; /* of the file written */
    loam_error error;
};

static void close_work(struct work *work)
{
    interrupt_watch(NULL);
    free(work->ids);
    free(work->logits);
    loam_session_release(work->session);
    loam_model_release(work->model);
    loam_engine_release(work->engine);
}

static int open_work(struct work *work, const struct common *common, uint32_t context)
{
    loam_model_info info = {.struct_size = sizeof info};
    loam_session_options options = {.struct_size = sizeof options};
    work->error.struct_size = sizeof work->error;
    interrupt_begin();
    int code = open_engine(&work->engine, common);
    if (!code)
        code = open_model(&work->model, work->engine, common, LOAM_KV_F32);
    if (code)
        return code;
    loam_model_get_info(&info, work->model, NULL);
    work->vocabulary = info.vocabulary_size;
    options.context_length = context;
    if (loam_session_create(&work->session, work->model, &options, &work->error))
        return fail_with(&work->error);
    work->logits = malloc(work->piece * work->vocabulary * sizeof *work->logits);
    if (!work->logits)
        return fail("out of memory for logits of %zu positions", work->piece);
    interrupt_watch(work->session);
    return EXIT_OK;
}

/* Little-endian on every machine. */
static int write_floats(FILE *out, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                  (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        if (fwrite(bytes, 1, 4, out) != 4)
            return -1;
    }
    return 0;
}

static int write_logits(FILE *out, void *context)
{
    struct work *work = context;
    for (size_t done = 0; done < work->count; done += work->piece) {
        size_t rows = work->count - done < work->piece ? work->count - done : work->piece;
        if (loam_session_evaluate(work->session, work->ids + done, rows, work->logits, rows,
                                  &work->error))
            return fail_with(&work->error);
        if (write_floats(out, work->logits, rows * work->vocabulary))
            return fail("%s: cannot write: %s", work->name, strerror(errno));
    }
    return EXIT_OK;
}

int command_logits(int count, char **arguments)
{
    struct common common = {0};
    struct work work = {0};
    const char *tokens = NULL, *out = NULL;
    long long pieces = 256;
    const struct option options[] = {
        COMMON_OPTIONS(common),
        {"--tokens", NULL, OPTION_TEXT, &tokens, "IDS.i32", "token ids, little-endian int32", 0, 0},
        {"--out", "-o", OPTION_TEXT, &out, "LOGITS.f32", "where to write, or - for standard output",
         0, 0},
        {"--pieces", NULL, OPTION_INTEGER, &pieces, "N", "tokens read at once (default 256)", 1,
         65536},
    };
    size_t rest;
    int code = options_read(count, arguments, "logits [-m FILE] --tokens IDS.i32 --out LOGITS.f32",
                            options, COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    if (!tokens || !out) {
        fail("%s is missing", tokens ? "--out" : "--tokens");
        return EXIT_USAGE;
    }
    work.piece = (size_t)pieces;
    work.name = strcmp(out, "-") == 0 ? "standard output" : out;
    code = read_ids(&work.ids, &work.count, tokens);
    if (!code)
        code = open_work(&work, &common, 0);
    if (!code && strcmp(out, "-") == 0) {
        code = write_logits(stdout, &work);
        code = code ? code : finish_output();
    } else if (!code) {
        code = write_whole(out, write_logits, &work);
    }
    close_work(&work);
    return code;
}

/* -ln p(token) under a row of logits. */
static double surprise(const float *row, size_t vocabulary, int32_t token)
{
    double most = row[0], sum = 0;
    for (size_t i = 1; i < vocabulary; i++)
        most = row[i] > most ? (double)row[i] : most;
    for (size_t i = 0; i < vocabulary; i++)
        sum += exp((double)row[i] - most);
    return log(sum) + most - (double)row[token];
}

/* Sums the tokens of one window, which begins with an empty context. */
static int add_window(struct work *work, const int32_t *ids, size_t count, double *sum)
{
    if (loam_session_rewind(work->session, 0, &work->error))
        return fail_with(&work->error);
    for (size_t done = 0; done < count; done += work->piece) {
        size_t rows = count - done < work->piece ? count - done : work->piece;
        if (loam_session_evaluate(work->session, ids + done, rows, work->logits, rows,
                                  &work->error))
            return fail_with(&work->error);
        for (size_t i = 0; i < rows && done + i + 1 < count; i++)
            *sum +=
                surprise(work->logits + i * work->vocabulary, work->vocabulary, ids[done + i + 1]);
    }
    return EXIT_OK;
}

static int read_text_ids(struct work *work, const char *model, const char *path)
{
    char *text;
    size_t size;
    loam_tokenizer *tokenizer = NULL;
    int code = read_file(&text, &size, path);
    if (code)
        return code;
    if (loam_model_tokenizer(&tokenizer, work->model, &work->error)) {
        free(text);
        return fail("%s: %s", model ? model : "the built-in model", work->error.message);
    }
    loam_tokenizer_encode(NULL, 0, &work->count, tokenizer, text, size, LOAM_ENCODE_ADD_SPECIAL,
                          NULL);
    work->ids = malloc((work->count + 1) * sizeof *work->ids);
    if (!work->ids)
        code = fail("%s: out of memory", path);
    else if (loam_tokenizer_encode(work->ids, work->count, &work->count, tokenizer, text, size,
                                   LOAM_ENCODE_ADD_SPECIAL, &work->error))
        code = fail_with(&work->error);
    loam_tokenizer_release(tokenizer);
    free(text);
    return code;
}

/* Tokens beyond the context go into further windows, each begun afresh. */
static int sum_windows(struct work *work, size_t window, double *sum, size_t *counted)
{
    for (size_t done = 0; done < work->count; done += window) {
        size_t count = work->count - done < window ? work->count - done : window;
        int code = add_window(work, work->ids + done, count, sum);
        if (code)
            return code;
        *counted += count - 1;
    }
    return EXIT_OK;
}

int command_nll(int count, char **arguments)
{
    struct common common = {0};
    struct work work = {.piece = 64};
    const char *tokens = NULL, *file = NULL;
    long long context = 0;
    int json = 0;
    const struct option options[] = {
        COMMON_OPTIONS(common),
        {"--tokens", NULL, OPTION_TEXT, &tokens, "IDS.i32", "token ids, little-endian int32", 0, 0},
        {"--file", "-f", OPTION_TEXT, &file, "TEXT", "text file, or - for standard input", 0, 0},
        {"--ctx", NULL, OPTION_INTEGER, &context, "N",
         "tokens of a window (default: the model's context)", 2, 1 << 30},
        {"--json", NULL, OPTION_FLAG, &json, NULL, "a JSON object", 0, 0},
    };
    size_t rest, counted = 0;
    double sum = 0;
    int code = options_read(count, arguments, "nll [-m FILE] (-f TEXT | --tokens IDS.i32)", options,
                            COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    if (!tokens == !file) {
        fail("one of --tokens and -f is needed");
        return EXIT_USAGE;
    }
    loam_model_info info = {.struct_size = sizeof info};
    code = open_work(&work, &common, (uint32_t)context);
    if (!code)
        code = tokens ? read_ids(&work.ids, &work.count, tokens)
                      : read_text_ids(&work, common.model, file);
    if (!code && work.count < 2)
        code = fail("%s: %zu tokens, expected at least 2", tokens ? tokens : file, work.count);
    if (!code) {
        loam_model_get_info(&info, work.model, NULL);
        code = sum_windows(&work, context ? (size_t)context : info.context_length, &sum, &counted);
    }
    if (!code) {
        double mean = sum / (double)counted;
        printf(json ? "{\"tokens\": %zu, \"nll\": %.9g, \"perplexity\": %.9g}\n"
                    : "tokens %zu  nll %.9g  perplexity %.9g\n",
               counted, mean, exp(mean));
        code = finish_output();
    }
    close_work(&work);
    return code;
}

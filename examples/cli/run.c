/* SPDX-License-Identifier: MIT */
/* loam run: continue a text. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
    struct common common;
    const char *prompt, *file;
    long long count, top_k, context, logprobs;
    double temperature, top_p, min_p, repetition, frequency, presence;
    long long seed;
    int ids, ignore_end, json, show_special, parse_special;
    struct text_list stops;
    loam_engine *engine;
    loam_model *model;
    loam_session *session;
    loam_error error;
    char *text; /* generated, for JSON */
    size_t text_length, text_capacity;
    int32_t *generated;
    float *log_probabilities;
    size_t generated_count, generated_capacity;
    int32_t stop;
};

static int read_options(struct run *run, int count, char **arguments)
{
    const struct option options[] = {
        COMMON_OPTIONS(run->common),
        {"--prompt", "-p", OPTION_TEXT, &run->prompt, "TEXT",
         "text to continue, or - for standard input", 0, 0},
        {"--file", "-f", OPTION_TEXT, &run->file, "FILE",
         "file with the text, or - for standard input", 0, 0},
        {"--tokens", "-n", OPTION_INTEGER, &run->count, "N",
         "tokens at most (default 256; 0: until the context is full)", 0, 1 << 30},
        {"--ctx", "-c", OPTION_INTEGER, &run->context, "N",
         "tokens of context (default: the model's)", 1, 1 << 30},
        {"--temp", NULL, OPTION_NUMBER, &run->temperature, "T",
         "temperature (default 0: the likeliest token always)", 0, 100},
        {"--top-k", NULL, OPTION_INTEGER, &run->top_k, "K", "only the K likeliest", 0, 1 << 30},
        {"--top-p", NULL, OPTION_NUMBER, &run->top_p, "P",
         "only the likeliest with this share together", 0, 1},
        {"--min-p", NULL, OPTION_NUMBER, &run->min_p, "P",
         "only those with this share of the likeliest", 0, 1},
        {"--seed", "-s", OPTION_INTEGER, &run->seed, "N", "of the random choice (default 0)", 0,
         9e18},
        {"--repeat-penalty", NULL, OPTION_NUMBER, &run->repetition, "R",
         "repetition penalty (1: none)", 0, 100},
        {"--frequency-penalty", NULL, OPTION_NUMBER, &run->frequency, "R", "frequency penalty",
         -100, 100},
        {"--presence-penalty", NULL, OPTION_NUMBER, &run->presence, "R", "presence penalty", -100,
         100},
        {"--stop", NULL, OPTION_LIST, &run->stops, "TEXT",
         "stop before this text; may be given again", 0, 0},
        {"--ignore-eos", NULL, OPTION_FLAG, &run->ignore_end, NULL, "end tokens do not stop", 0, 0},
        {"--parse-special", NULL, OPTION_FLAG, &run->parse_special, NULL,
         "text of control tokens in the prompt becomes them", 0, 0},
        {"--special", NULL, OPTION_FLAG, &run->show_special, NULL, "show control tokens", 0, 0},
        {"--ids", NULL, OPTION_FLAG, &run->ids, NULL, "print token ids, not text", 0, 0},
        {"--logprobs", NULL, OPTION_INTEGER, &run->logprobs, "N",
         "with --json: log-probabilities (1: yes)", 0, 1},
        {"--json", NULL, OPTION_FLAG, &run->json, NULL, "one JSON object at the end", 0, 0},
    };
    size_t rest;
    run->count = 256;
    int code = options_read(count, arguments, "run [-m FILE] -p TEXT [OPTIONS]", options,
                            COUNT_OF(options), NULL, 0, &rest);
    if (code < 0 && !run->prompt == !run->file) {
        fail("one of -p TEXT and -f FILE is needed");
        return EXIT_USAGE;
    }
    return code;
}

static int open_all(struct run *run)
{
    loam_session_options session = {.struct_size = sizeof session};
    loam_generation_options options = {.struct_size = sizeof options};
    loam_string stops[COUNT_OF(run->stops.items)];
    for (size_t i = 0; i < run->stops.count; i++) {
        stops[i].data = run->stops.items[i];
        stops[i].length = LOAM_NUL_TERMINATED;
    }
    options.temperature = (float)run->temperature;
    options.top_k = (int32_t)run->top_k;
    options.top_p = (float)run->top_p;
    options.min_p = (float)run->min_p;
    options.seed = (uint64_t)run->seed;
    options.repetition_penalty = (float)run->repetition;
    options.frequency_penalty = (float)run->frequency;
    options.presence_penalty = (float)run->presence;
    options.stop_strings = stops;
    options.stop_string_count = run->stops.count;
    options.max_tokens = (uint32_t)run->count;
    options.ignore_end = run->ignore_end;
    options.log_probability = run->logprobs != 0;
    options.show_special = run->show_special;
    session.context_length = (uint32_t)run->context;
    run->error.struct_size = sizeof run->error;
    int code = open_engine(&run->engine, &run->common);
    if (!code)
        code = open_model(&run->model, run->engine, &run->common, LOAM_KV_DEFAULT);
    if (code)
        return code;
    if (loam_session_create(&run->session, run->model, &session, &run->error) ||
        loam_session_configure(run->session, &options, &run->error))
        return fail_with(&run->error);
    return EXIT_OK;
}

/* The prompt with its control tokens, such as marks of turns: text of the
 * user's own, who asked for it. */
static int prompt_special(struct run *run, const char *text, size_t length)
{
    const uint32_t flags = LOAM_ENCODE_ADD_SPECIAL | LOAM_ENCODE_PARSE_SPECIAL;
    loam_tokenizer *tokenizer = NULL;
    int32_t *ids = NULL;
    size_t count = 0;
    int code = loam_model_tokenizer(&tokenizer, run->model, &run->error) ? fail_with(&run->error)
                                                                         : EXIT_OK;
    if (!code) {
        loam_tokenizer_encode(NULL, 0, &count, tokenizer, text, length, flags, NULL);
        ids = malloc((count + 1) * sizeof *ids);
        if (!ids)
            code = fail("out of memory for the prompt");
    }
    if (!code &&
        (loam_tokenizer_encode(ids, count, &count, tokenizer, text, length, flags, &run->error) ||
         loam_session_prompt_tokens(run->session, ids, count, &run->error)))
        code = fail_with(&run->error);
    free(ids);
    loam_tokenizer_release(tokenizer);
    return code;
}

static int set_prompt(struct run *run)
{
    char *text = NULL;
    const char *path = run->file ? run->file : strcmp(run->prompt, "-") == 0 ? "-" : NULL;
    size_t length = path ? 0 : strlen(run->prompt);
    int code = path ? read_file(&text, &length, path) : EXIT_OK;
    if (!code && run->parse_special)
        code = prompt_special(run, path ? text : run->prompt, length);
    else if (!code &&
             loam_session_prompt(run->session, path ? text : run->prompt, length, &run->error))
        code = fail_with(&run->error);
    free(text);
    return code;
}

/* Keeps what JSON needs at the end. */
static int keep(struct run *run, const loam_event *event)
{
    if (run->text_length + event->text_length > run->text_capacity) {
        run->text_capacity = 2 * run->text_capacity + event->text_length + 256;
        char *grown = realloc(run->text, run->text_capacity);
        if (!grown)
            return fail("out of memory for the text");
        run->text = grown;
    }
    if (event->text_length)
        memcpy(run->text + run->text_length, event->text, event->text_length);
    run->text_length += event->text_length;
    if (event->type != LOAM_EVENT_TOKEN)
        return EXIT_OK;
    if (run->generated_count == run->generated_capacity) {
        run->generated_capacity = 2 * run->generated_capacity + 256;
        int32_t *ids = realloc(run->generated, run->generated_capacity * sizeof *ids);
        run->generated = ids ? ids : run->generated;
        float *values = realloc(run->log_probabilities, run->generated_capacity * sizeof *values);
        run->log_probabilities = values ? values : run->log_probabilities;
        if (!ids || !values)
            return fail("out of memory for the tokens");
    }
    run->log_probabilities[run->generated_count] = event->log_probability;
    run->generated[run->generated_count++] = event->token;
    return EXIT_OK;
}

static void show_progress(const loam_event *event)
{
    static int shown;
    if (!isatty(STDERR_FILENO))
        return;
    if (event->type == LOAM_EVENT_PROGRESS)
        shown = fprintf(stderr, "\rreading %u of %u tokens", event->done, event->total);
    else if (shown) {
        fprintf(stderr, "\r%*s\r", shown, "");
        shown = 0;
    }
}

static int generate(struct run *run)
{
    loam_event event = {.struct_size = sizeof event};
    do {
        if (loam_session_next(run->session, &event, &run->error))
            return fail_with(&run->error);
        show_progress(&event);
        int code = keep(run, &event);
        if (code)
            return code;
        if (run->json)
            continue;
        if (run->ids && event.type == LOAM_EVENT_TOKEN)
            printf("%s%d", run->generated_count > 1 ? " " : "", (int)event.token);
        else if (!run->ids)
            fwrite(event.text, 1, event.text_length, stdout);
        if (fflush(stdout) != 0)
            return finish_output();
    } while (event.type != LOAM_EVENT_STOP);
    run->stop = event.stop_reason;
    if (!run->json)
        putchar('\n');
    return EXIT_OK;
}

static const char *stop_name(int32_t reason)
{
    static const char *const names[] = {"none",   "end",     "token",    "string",
                                        "length", "context", "cancelled"};
    return reason >= 0 && (size_t)reason < COUNT_OF(names) ? names[reason] : "error";
}

static double rate(uint32_t tokens, double seconds)
{
    return seconds > 0 ? tokens / seconds : 0;
}

static void print_json(const struct run *run)
{
    loam_timings timings = {.struct_size = sizeof timings};
    loam_model_info info = {.struct_size = sizeof info};
    loam_session_get_timings(&timings, run->session, NULL);
    loam_model_get_info(&info, run->model, NULL);
    uint32_t computed = timings.prompt_tokens - timings.kept_tokens;
    uint32_t after_first = timings.generated_tokens ? timings.generated_tokens - 1 : 0;
    printf("{\"text\": ");
    json_text(stdout, run->text, run->text_length);
    printf(", \"ids\": [");
    for (size_t i = 0; i < run->generated_count; i++)
        printf("%s%d", i ? ", " : "", (int)run->generated[i]);
    printf("]");
    for (size_t i = 0; run->logprobs && i < run->generated_count; i++) {
        printf(i ? ", " : ", \"logprobs\": [");
        json_number(stdout, (double)run->log_probabilities[i]);
        printf(i + 1 == run->generated_count ? "]" : "");
    }
    printf(", \"prompt_tokens\": %u, \"stop\": \"%s\", \"timings\": {\"prompt_tokens\": %u, "
           "\"kept_tokens\": %u, "
           "\"prompt_seconds\": %.6f, \"generated_tokens\": %u, \"generate_seconds\": %.6f, "
           "\"prompt_tps\": %.3f, \"decode_tps\": %.3f, \"load_seconds\": %.6f}}\n",
           timings.prompt_tokens, stop_name(run->stop), timings.prompt_tokens, timings.kept_tokens,
           timings.prompt_seconds, timings.generated_tokens, timings.generate_seconds,
           rate(computed, timings.prompt_seconds), rate(after_first, timings.generate_seconds),
           info.load_seconds);
}

int command_run(int count, char **arguments)
{
    struct run run = {.error = {.struct_size = sizeof run.error}};
    int code = read_options(&run, count, arguments);
    if (code >= 0)
        return code;
    interrupt_begin();
    code = open_all(&run);
    if (!code)
        code = set_prompt(&run);
    if (!code) {
        interrupt_watch(run.session);
        code = generate(&run);
        interrupt_watch(NULL);
    }
    if (!code && run.json)
        print_json(&run);
    if (!code)
        code = finish_output();
    if (!code && run.stop == LOAM_STOP_CANCELLED)
        code = EXIT_INTERRUPTED;
    free(run.text);
    free(run.generated);
    free(run.log_probabilities);
    loam_session_release(run.session);
    loam_model_release(run.model);
    loam_engine_release(run.engine);
    return code;
}

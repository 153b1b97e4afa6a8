/* SPDX-License-Identifier: MIT */
/* loam complete: the text that belongs at a place in a file. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct complete {
    struct common common;
    const char *place, *repository, *name;
    struct text_list context;
    long long count, context_length, prompt_tokens;
    double temperature;
    long long seed;
    int line, block, cut;
    char path[4096]; /* of the file, without the place */
    char *text;
    size_t size;
    long long at_line, at_column; /* from 1; column 0: the end of the line */
    loam_fill_in fill_in;
    loam_fill_in_file files[64]; /* their texts are malloc'ed */
    size_t file_count;
    loam_engine *engine;
    loam_model *model;
    loam_session *session;
    loam_error error;
    char *found; /* what was generated */
    size_t found_length, shown;
};

static int read_options(struct complete *complete, int count, char **arguments)
{
    const struct option options[] = {
        COMMON_OPTIONS(complete->common),
        {"--context", NULL, OPTION_LIST, &complete->context, "FILE",
         "another file of the project; may be given again", 0, 0},
        {"--repository", NULL, OPTION_TEXT, &complete->repository, "NAME", "name of the project", 0,
         0},
        {"--name", NULL, OPTION_TEXT, &complete->name, "PATH",
         "path of FILE as the model is told it (default: FILE)", 0, 0},
        {"--tokens", "-n", OPTION_INTEGER, &complete->count, "N", "tokens at most (default 128)", 1,
         1 << 30},
        {"--line", NULL, OPTION_FLAG, &complete->line, NULL, "stop at the end of the line", 0, 0},
        {"--block", NULL, OPTION_FLAG, &complete->block, NULL, "stop at the end of the block", 0,
         0},
        {"--ctx", "-c", OPTION_INTEGER, &complete->context_length, "N",
         "tokens of context (default: the model's)", 1, 1 << 30},
        {"--prompt-tokens", NULL, OPTION_INTEGER, &complete->prompt_tokens, "N",
         "tokens of the prompt at most (default: three quarters of the context)", 1, 1 << 30},
        {"--temp", NULL, OPTION_NUMBER, &complete->temperature, "T",
         "temperature (default 0: the likeliest token always)", 0, 100},
        {"--seed", "-s", OPTION_INTEGER, &complete->seed, "N", "of the random choice (default 0)",
         0, 9e18},
        {"--show-cut", NULL, OPTION_FLAG, &complete->cut, NULL,
         "say on standard error how much of the files is in the prompt", 0, 0},
    };
    size_t rest = 0;
    complete->count = 128;
    int code = options_read(count, arguments, "complete FILE:LINE[:COLUMN] [-m FILE] [OPTIONS]",
                            options, COUNT_OF(options), &complete->place, 1, &rest);
    if (code >= 0)
        return code;
    if (rest == 0) {
        fail("complete: name a place, such as main.c:12:5");
        return EXIT_USAGE;
    }
    if (complete->line && complete->block) {
        fail("complete: --line and --block exclude each other");
        return EXIT_USAGE;
    }
    return -1;
}

/* ---- the place ------------------------------------------------------------------- */

/* Takes ":NUMBER" off the end of text[*length]; 0 if there is none. */
static int take_number(const char *text, size_t *length, long long *out)
{
    size_t at = *length;
    while (at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9')
        at--;
    if (at == *length || *length - at > 9 || at < 2 || text[at - 1] != ':')
        return 0;
    *out = strtoll(text + at, NULL, 10);
    *length = at - 1;
    return 1;
}

/* FILE:LINE or FILE:LINE:COLUMN; a file's name may hold colons itself. */
static int read_place(struct complete *complete)
{
    size_t length = strlen(complete->place);
    long long last = 0, before = 0;
    int numbers = take_number(complete->place, &length, &last);
    if (numbers)
        numbers += take_number(complete->place, &length, &before);
    complete->at_line = numbers == 2 ? before : last;
    complete->at_column = numbers == 2 ? last : 0;
    if (numbers == 0 || complete->at_line == 0 || (numbers == 2 && last == 0) ||
        length >= sizeof complete->path) {
        fail("complete: found \"%.200s\", expected FILE:LINE or FILE:LINE:COLUMN, counted from 1",
             complete->place);
        return EXIT_USAGE;
    }
    memcpy(complete->path, complete->place, length);
    complete->path[length] = 0;
    return EXIT_OK;
}

/* Splits the text at the place. Columns count characters. */
static int find_place(struct complete *complete)
{
    const char *text = complete->text, *end = text + complete->size, *at = text;
    long long line = 1, columns = 1;
    while (line < complete->at_line) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            break;
        at = newline + 1;
        line++;
    }
    if (line < complete->at_line) {
        fail("%s: has %lld lines, there is no line %lld", complete->path, line, complete->at_line);
        return EXIT_FAILED;
    }
    while (at < end && *at != '\n' && !(*at == '\r' && at + 1 < end && at[1] == '\n') &&
           (complete->at_column == 0 || columns < complete->at_column)) {
        for (at++; at < end && (*at & 0xC0) == 0x80; at++) {
        }
        columns++;
    }
    if (complete->at_column > columns) {
        fail("%s: line %lld ends with column %lld, there is no column %lld", complete->path,
             complete->at_line, columns, complete->at_column);
        return EXIT_FAILED;
    }
    complete->fill_in.prefix.data = text;
    complete->fill_in.prefix.length = (size_t)(at - text);
    complete->fill_in.suffix.data = at;
    complete->fill_in.suffix.length = (size_t)(end - at);
    return EXIT_OK;
}

static int read_files(struct complete *complete)
{
    int code = read_place(complete);
    if (!code)
        code = read_file(&complete->text, &complete->size, complete->path);
    if (!code)
        code = find_place(complete);
    for (size_t i = 0; !code && i < complete->context.count; i++) {
        char *text;
        size_t size;
        code = read_file(&text, &size, complete->context.items[i]);
        if (code)
            break;
        complete->files[i].path.data = complete->context.items[i];
        complete->files[i].path.length = LOAM_NUL_TERMINATED;
        complete->files[i].text.data = text;
        complete->files[i].text.length = size;
        complete->file_count++;
    }
    return code;
}

/* ---- filling it ------------------------------------------------------------------- */

static int open_all(struct complete *complete)
{
    loam_session_options session = {.struct_size = sizeof session};
    loam_generation_options options = {.struct_size = sizeof options};
    loam_fill_in *fill_in = &complete->fill_in;
    options.max_tokens = (uint32_t)complete->count;
    options.temperature = (float)complete->temperature;
    options.seed = (uint64_t)complete->seed;
    session.context_length = (uint32_t)complete->context_length;
    fill_in->path.data = complete->name ? complete->name : complete->path;
    fill_in->path.length = LOAM_NUL_TERMINATED;
    fill_in->repository.data = complete->repository;
    fill_in->repository.length = complete->repository ? LOAM_NUL_TERMINATED : 0;
    fill_in->files = complete->files;
    fill_in->file_count = complete->file_count;
    fill_in->max_tokens = (uint32_t)complete->prompt_tokens;
    fill_in->until = complete->line    ? LOAM_FILL_TO_LINE
                     : complete->block ? LOAM_FILL_TO_BLOCK
                                       : LOAM_FILL_TO_END;
    int code = open_engine(&complete->engine, &complete->common);
    if (!code)
        code = open_model(&complete->model, complete->engine, &complete->common, LOAM_KV_DEFAULT);
    if (code)
        return code;
    if (loam_session_create(&complete->session, complete->model, &session, &complete->error) ||
        loam_session_configure(complete->session, &options, &complete->error))
        return fail_with(&complete->error);
    return EXIT_OK;
}

static int set_prompt(struct complete *complete)
{
    loam_fill_in_info info = {.struct_size = sizeof info};
    if (loam_session_fill_in(complete->session, &info, &complete->fill_in, &complete->error))
        return fail_with(&complete->error);
    if (complete->cut)
        fprintf(stderr,
                "prompt: %zu tokens; %zu of %zu bytes before the gap, %zu of %zu behind it, %zu of "
                "%zu files\n",
                info.token_count, info.prefix_bytes, complete->fill_in.prefix.length,
                info.suffix_bytes, complete->fill_in.suffix.length, info.file_count,
                complete->file_count);
    return EXIT_OK;
}

static int keep(struct complete *complete, const loam_event *event)
{
    char *grown = realloc(complete->found, complete->found_length + event->text_length + 1);
    if (!grown)
        return fail("out of memory for the text");
    complete->found = grown;
    if (event->text_length)
        memcpy(grown + complete->found_length, event->text, event->text_length);
    complete->found_length += event->text_length;
    return EXIT_OK;
}

/* Prints what is certain by now; *ended: nothing more belongs there. */
static int show(struct complete *complete, int whole, int32_t *ended)
{
    size_t length;
    if (loam_fill_in_end(&length, ended, &complete->fill_in, complete->found,
                         complete->found_length, &complete->error))
        return fail_with(&complete->error);
    if (whole && !*ended)
        length = complete->found_length;
    if (length > complete->shown)
        fwrite(complete->found + complete->shown, 1, length - complete->shown, stdout);
    complete->shown = length > complete->shown ? length : complete->shown;
    return fflush(stdout) == 0 ? EXIT_OK : finish_output();
}

static int generate(struct complete *complete)
{
    loam_event event = {.struct_size = sizeof event};
    int32_t ended = 0;
    while (event.type != LOAM_EVENT_STOP && !ended) {
        if (loam_session_next(complete->session, &event, &complete->error))
            return fail_with(&complete->error);
        int code = keep(complete, &event);
        if (!code)
            code = show(complete, event.type == LOAM_EVENT_STOP, &ended);
        if (code)
            return code;
    }
    if (isatty(STDOUT_FILENO))
        putchar('\n');
    return event.stop_reason == LOAM_STOP_CANCELLED ? EXIT_INTERRUPTED : finish_output();
}

int command_complete(int count, char **arguments)
{
    struct complete *complete = calloc(1, sizeof *complete);
    if (!complete)
        return fail("out of memory");
    complete->error.struct_size = sizeof complete->error;
    complete->fill_in.struct_size = sizeof complete->fill_in;
    int code = read_options(complete, count, arguments);
    if (code < 0) {
        interrupt_begin();
        code = read_files(complete);
        if (!code)
            code = open_all(complete);
        if (!code)
            code = set_prompt(complete);
        if (!code) {
            interrupt_watch(complete->session);
            code = generate(complete);
            interrupt_watch(NULL);
        }
    }
    for (size_t i = 0; i < complete->file_count; i++)
        free((char *)complete->files[i].text.data);
    loam_session_release(complete->session);
    loam_model_release(complete->model);
    loam_engine_release(complete->engine);
    free(complete->text);
    free(complete->found);
    free(complete);
    return code;
}

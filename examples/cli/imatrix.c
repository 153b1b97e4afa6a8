/* SPDX-License-Identifier: MIT */
/* loam imatrix: how much the input columns of each matrix count, by a text. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct collecting {
    loam_engine *engine;
    loam_model *model;
    const char *text, *to;
    int32_t *tokens;
    size_t count;
    loam_importance_options options;
    FILE *out;
    int number; /* errno of a failed write */
    int shows;  /* progress, on a terminal */
};

static int32_t take_bytes(void *user, const void *data, size_t size)
{
    struct collecting *collecting = user;
    errno = 0;
    if (fwrite(data, 1, size, collecting->out) == size)
        return 0;
    collecting->number = errno;
    return -1;
}

static int32_t show_progress(void *user, uint64_t done, uint64_t total)
{
    const struct collecting *collecting = user;
    if (collecting->shows)
        fprintf(stderr, "\r%llu of %llu tokens ", (unsigned long long)done,
                (unsigned long long)total);
    return interrupt_happened();
}

/* The text as tokens, control tokens not looked for. */
static int read_tokens(struct collecting *collecting)
{
    char *text = NULL;
    size_t length = 0, needed = 0;
    loam_tokenizer *tokenizer = NULL;
    loam_error error = {.struct_size = sizeof error};
    int code = read_file(&text, &length, collecting->text);
    if (code)
        return code;
    if (loam_model_tokenizer(&tokenizer, collecting->model, &error))
        code = fail_with(&error);
    if (!code) {
        loam_tokenizer_encode(NULL, 0, &needed, tokenizer, text, length, LOAM_ENCODE_ADD_SPECIAL,
                              NULL);
        collecting->tokens = malloc((needed ? needed : 1) * sizeof *collecting->tokens);
        if (!collecting->tokens)
            code = fail("%s: out of memory", collecting->text);
        else if (loam_tokenizer_encode(collecting->tokens, needed, &collecting->count, tokenizer,
                                       text, length, LOAM_ENCODE_ADD_SPECIAL, &error))
            code = fail_with(&error);
    }
    loam_tokenizer_release(tokenizer);
    free(text);
    return code;
}

static int collect(FILE *out, void *context)
{
    struct collecting *collecting = context;
    loam_error error = {.struct_size = sizeof error};
    collecting->out = out;
    loam_status status =
        loam_model_importance(collecting->model, collecting->tokens, collecting->count,
                              &collecting->options, take_bytes, collecting, &error);
    if (collecting->shows)
        fprintf(stderr, "\r%40s\r", "");
    if (!status)
        return EXIT_OK;
    if (interrupt_happened())
        return EXIT_INTERRUPTED;
    if (collecting->number)
        return fail("%s: cannot write: %s", collecting->to, strerror(collecting->number));
    return fail_with(&error);
}

static int run(struct collecting *collecting, const struct common *common, long long most)
{
    size_t chunk = collecting->options.chunk_tokens ? collecting->options.chunk_tokens : 512;
    interrupt_begin();
    collecting->shows = !common->quiet && isatty(2);
    collecting->options.progress = show_progress;
    collecting->options.progress_user = collecting;
    collecting->options.dataset.data = collecting->text;
    collecting->options.dataset.length = LOAM_NUL_TERMINATED;
    int code = open_engine(&collecting->engine, common);
    if (!code)
        code = open_model(&collecting->model, collecting->engine, common, LOAM_KV_DEFAULT);
    if (!code)
        code = read_tokens(collecting);
    if (!code && most && collecting->count > chunk * (size_t)most)
        collecting->count = chunk * (size_t)most;
    if (!code)
        code = write_whole(collecting->to, collect, collecting);
    if (!code && !common->quiet)
        fprintf(stderr, "%zu tokens, %zu chunks\n", collecting->count,
                collecting->count < chunk ? 1 : collecting->count / chunk);
    free(collecting->tokens);
    loam_model_release(collecting->model);
    loam_engine_release(collecting->engine);
    return code;
}

int command_imatrix(int count, char **arguments)
{
    struct common common = {0};
    struct collecting collecting = {0};
    long long chunk = 0, most = 0;
    const struct option options[] = {
        COMMON_OPTIONS(common),
        {"--file", "-f", OPTION_TEXT, &collecting.text, "FILE", "text that the model reads", 0, 0},
        {"--output", "-o", OPTION_TEXT, &collecting.to, "FILE", "importance file to write", 0, 0},
        {"--chunk", NULL, OPTION_INTEGER, &chunk, "N", "tokens read together (default: 512)", 1,
         1 << 20},
        {"--chunks", NULL, OPTION_INTEGER, &most, "N", "chunks at most (default: all)", 1, 1 << 30},
        {"--quiet", "-q", OPTION_FLAG, &common.quiet, NULL, "no progress, no summary", 0, 0},
    };
    size_t name_count;
    int code = options_read(count, arguments, "imatrix -m MODEL -f TEXT -o FILE [OPTIONS]", options,
                            COUNT_OF(options), NULL, 0, &name_count);
    if (code >= 0)
        return code;
    if (!collecting.text || !collecting.to) {
        fail("imatrix: %s is missing", collecting.text ? "-o FILE" : "-f TEXT");
        return EXIT_USAGE;
    }
    if (same_file(collecting.text, collecting.to) ||
        (common.model && same_file(common.model, collecting.to))) {
        fail("%s: is read, and cannot be written as well", collecting.to);
        return EXIT_USAGE;
    }
    collecting.options.struct_size = sizeof collecting.options;
    collecting.options.chunk_tokens = (uint32_t)chunk;
    return run(&collecting, &common, most);
}

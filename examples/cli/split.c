/* SPDX-License-Identifier: MIT */
/* loam count and loam split: how many tokens a text has, and where to cut it. */
#include "cli.h"

#include <stdlib.h>

struct document {
    struct common common;
    loam_engine *engine;
    loam_tokenizer *tokenizer;
    char *text;
    size_t size;
};

/* Opens the vocabulary and reads the file, standard input if there is none. */
static int open_document(struct document *document, const char *path)
{
    document->common.threads = 1;
    int code = open_engine(&document->engine, &document->common);
    if (!code)
        code = open_tokenizer(&document->tokenizer, document->engine, document->common.model);
    return code ? code : read_file(&document->text, &document->size, path ? path : "-");
}

static int close_document(struct document *document, int code)
{
    free(document->text);
    loam_tokenizer_release(document->tokenizer);
    loam_engine_release(document->engine);
    return code ? code : finish_output();
}

#define VOCABULARY_OPTIONS(document)                                                               \
    {"--model",   "-m",                                                                            \
     OPTION_TEXT, &(document).common.model,                                                        \
     "FILE",      "GGUF model file or tokenizer.json (default: one built in)",                     \
     0,           0},                                                                              \
        {"--parse-special",                                                                        \
         NULL,                                                                                     \
         OPTION_FLAG,                                                                              \
         &parse_special,                                                                           \
         NULL,                                                                                     \
         "text of control tokens becomes them",                                                    \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "--no-bos", NULL, OPTION_FLAG, &no_bos, NULL, "count no begin and end tokens", 0, 0        \
    }

static uint32_t flags_of(int parse_special, int no_bos)
{
    return (parse_special ? LOAM_ENCODE_PARSE_SPECIAL : 0) | (no_bos ? 0 : LOAM_ENCODE_ADD_SPECIAL);
}

int command_count(int count, char **arguments)
{
    struct document document = {{0}, NULL, NULL, NULL, 0};
    loam_error error = {.struct_size = sizeof error};
    int parse_special = 0, no_bos = 0;
    const char *path = NULL;
    const struct option options[] = {VOCABULARY_OPTIONS(document)};
    size_t rest, tokens = 0;
    int code = options_read(count, arguments, "count [-m FILE] [OPTIONS] [TEXT_FILE | -]", options,
                            COUNT_OF(options), &path, 1, &rest);
    if (code >= 0)
        return code;
    code = open_document(&document, path);
    if (!code &&
        loam_tokenizer_count_tokens(&tokens, document.tokenizer, document.text, document.size,
                                    flags_of(parse_special, no_bos), &error))
        code = fail_with(&error);
    if (!code)
        printf("%zu\n", tokens);
    return close_document(&document, code);
}

struct printer {
    const char *text;
    int json;
};

static int32_t print_chunk(void *user, const loam_chunk *chunk)
{
    static const char *const borders[] = {"token",     "word",  "line", "sentence",
                                          "paragraph", "block", "end"};
    const struct printer *printer = user;
    const char *border = borders[chunk->border];
    if (!printer->json) {
        printf("%zu %zu %u %s\n", chunk->begin, chunk->end, (unsigned)chunk->token_count, border);
        return 0;
    }
    printf("{\"begin\": %zu, \"end\": %zu, \"tokens\": %u, \"border\": \"%s\", \"text\": ",
           chunk->begin, chunk->end, (unsigned)chunk->token_count, border);
    json_text(stdout, printer->text + chunk->begin, chunk->end - chunk->begin);
    printf("}\n");
    return 0;
}

int command_split(int count, char **arguments)
{
    struct document document = {{0}, NULL, NULL, NULL, 0};
    struct printer printer = {NULL, 0};
    loam_error error = {.struct_size = sizeof error};
    long long most = 512, overlap = 0;
    int parse_special = 0, no_bos = 0;
    const char *path = NULL;
    const struct option options[] = {
        {"--tokens", "-n", OPTION_INTEGER, &most, "N", "at most that many in a chunk (512)", 1,
         1e9},
        {"--overlap", NULL, OPTION_INTEGER, &overlap, "N",
         "repeat up to that many of the chunk before", 0, 1e9},
        {"--json", NULL, OPTION_FLAG, &printer.json, NULL,
         "a JSON object on a line for each chunk, with its text", 0, 0},
        VOCABULARY_OPTIONS(document),
    };
    size_t rest;
    int code = options_read(count, arguments,
                            "split [-m FILE] [OPTIONS] [TEXT_FILE | -]\n\n"
                            "Prints a line for each chunk: first byte, byte behind the last, "
                            "tokens, border.",
                            options, COUNT_OF(options), &path, 1, &rest);
    if (code >= 0)
        return code;
    code = open_document(&document, path);
    loam_split_options split = {.struct_size = sizeof split,
                                .max_tokens = (uint32_t)most,
                                .overlap_tokens = (uint32_t)overlap,
                                .flags = flags_of(parse_special, no_bos),
                                .chunk = print_chunk,
                                .user = &printer};
    printer.text = document.text;
    if (!code &&
        loam_tokenizer_split(document.tokenizer, document.text, document.size, &split, &error))
        code = fail_with(&error);
    return close_document(&document, code);
}

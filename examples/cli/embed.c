/* SPDX-License-Identifier: MIT */
/* loam embed: the embedding of a token file. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is written: vectors one after the other. */
struct vectors {
    const char *name; /* of the file */
    float *values;
    size_t count;
};

static int write_vectors(FILE *out, void *context)
{
    const struct vectors *vectors = context;
    for (size_t i = 0; i < vectors->count; i++) { /* little-endian on every machine */
        uint32_t bits;
        memcpy(&bits, &vectors->values[i], sizeof bits);
        unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                  (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        if (fwrite(bytes, 1, 4, out) != 4)
            return fail("%s: cannot write: %s", vectors->name, strerror(errno));
    }
    return EXIT_OK;
}

/* The number of a pooling's name, or -1. */
static int32_t pooling_of(const char *name)
{
    static const char *const names[] = {"default", "mean", "first", "last", "tokens", "rank"};
    for (size_t i = 0; name && i < COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (int32_t)i;
    return name ? -1 : LOAM_POOLING_DEFAULT;
}

/* Opens the model, with steps that hold the whole text, and embeds it. */
static int embed(struct vectors *out, const struct common *common, loam_embed_options *options,
                 const int32_t *ids, size_t count)
{
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_error error = {.struct_size = sizeof error};
    loam_model_info info = {.struct_size = sizeof info};
    struct common whole = *common;
    whole.step_rows = count < 4096 ? (long long)count : 4096;
    options->struct_size = sizeof *options;
    int code = open_engine(&engine, &whole);
    if (!code)
        code = open_model(&model, engine, &whole, LOAM_KV_F32);
    if (!code) {
        loam_model_get_info(&info, model, NULL);
        int each = (options->pooling ? options->pooling : info.pooling) == LOAM_POOLING_TOKENS;
        out->count = (each ? count : 1) * (size_t)info.embedding_output;
        out->values = malloc((out->count + 1) * sizeof *out->values);
        if (!out->values)
            code = fail("out of memory for %zu numbers", out->count);
        else if (loam_model_embed(model, ids, count, options, out->values, &error))
            code = fail_with(&error);
    }
    loam_model_release(model);
    loam_engine_release(engine);
    return code;
}

int command_embed(int count, char **arguments)
{
    struct common common = {0};
    struct vectors vectors = {0};
    loam_embed_options embed_options = {0};
    const char *tokens = NULL, *out = NULL, *pooling = NULL;
    int normalise = 0;
    const struct option options[] = {
        COMMON_OPTIONS(common),
        {"--tokens", NULL, OPTION_TEXT, &tokens, "IDS.i32", "token ids, little-endian int32", 0, 0},
        {"--out", "-o", OPTION_TEXT, &out, "E.f32", "where to write, or - for standard output", 0,
         0},
        {"--pooling", NULL, OPTION_TEXT, &pooling, "NAME",
         "mean, first, last, tokens or rank (default: as the file says)", 0, 0},
        {"--normalise", NULL, OPTION_FLAG, &normalise, NULL, "vectors of length 1", 0, 0},
    };
    size_t rest, id_count = 0;
    int32_t *ids = NULL;
    int code = options_read(count, arguments, "embed -m FILE --tokens IDS.i32 --out E.f32", options,
                            COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    embed_options.pooling = pooling_of(pooling);
    embed_options.normalise = normalise;
    if (!tokens || !out || embed_options.pooling < 0) {
        if (tokens && out)
            fail("--pooling: found \"%s\", expected mean, first, last, tokens or rank", pooling);
        else
            fail("%s is missing", tokens ? "--out" : "--tokens");
        return EXIT_USAGE;
    }
    vectors.name = strcmp(out, "-") == 0 ? "standard output" : out;
    code = read_ids(&ids, &id_count, tokens);
    if (!code)
        code = embed(&vectors, &common, &embed_options, ids, id_count);
    if (!code && strcmp(out, "-") == 0) {
        code = write_vectors(stdout, &vectors);
        code = code ? code : finish_output();
    } else if (!code) {
        code = write_whole(out, write_vectors, &vectors);
    }
    free(vectors.values);
    free(ids);
    return code;
}

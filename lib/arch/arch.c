/* SPDX-License-Identifier: MIT */
#include "arch/arch.h"

#include <stdio.h>

/* The table of families: a new one is a file and a line here. */
static const struct family *const families[] = {
    &loam_family_llama,
};

const char *loam_arch_name(size_t i)
{
    return i < LOAM_COUNT_OF(families) ? families[i]->name : NULL;
}

static bool same(struct gguf_string text, const char *name)
{
    return text.length == strlen(name) && memcmp(text.data, name, text.length) == 0;
}

loam_status loam_arch_build(struct description *out, loam_tensor *result, loam_graph *graph,
                            const struct gguf *gguf, struct source *source, loam_error *error)
{
    struct builder builder = {.gguf = gguf, .source = source, .graph = graph, .error = error};
    loam_status status =
        loam_gguf_get_string(&builder.family, gguf, "general.architecture", NULL, error);
    if (status)
        return status;
    const struct gguf_entry *tokens;
    status = loam_gguf_get_array(&tokens, gguf, "tokenizer.ggml.tokens", GGUF_STRING, false, error);
    if (status)
        return status;
    builder.tokens = tokens ? (uint32_t)loam_min(tokens->count, UINT32_MAX) : 0;
    for (size_t i = 0; i < LOAM_COUNT_OF(families); i++) {
        if (!same(builder.family, families[i]->name))
            continue;
        *result = families[i]->build(&builder);
        *out = builder.description;
        return builder.status ? builder.status : loam_graph_failure(graph, error);
    }
    return loam_fail(error, LOAM_UNSUPPORTED,
                     "general.architecture: \"%.*s\" is not supported; supported: %s",
                     LOAM_SHOWN(builder.family.length), builder.family.data, families[0]->name);
}

/* ---- keys ----------------------------------------------------------------- */

/* "FAMILY.key" in out[128]; what does not fit can't be in the file either. */
static void full_key(char out[128], const struct builder *builder, const char *key)
{
    snprintf(out, 128, "%.*s.%s", LOAM_SHOWN(builder->family.length), builder->family.data, key);
}

uint32_t loam_builder_u32(struct builder *builder, const char *key, const uint32_t *fallback)
{
    char full[128];
    uint32_t value = 1;
    full_key(full, builder, key);
    if (!builder->status)
        builder->status = loam_gguf_get_u32(&value, builder->gguf, full, fallback, builder->error);
    return builder->status ? 1 : value;
}

float loam_builder_f32(struct builder *builder, const char *key, const float *fallback)
{
    char full[128];
    float value = 1;
    full_key(full, builder, key);
    if (!builder->status)
        builder->status = loam_gguf_get_f32(&value, builder->gguf, full, fallback, builder->error);
    return builder->status ? 1 : value;
}

struct gguf_string loam_builder_text(struct builder *builder, const char *key, const char *fallback)
{
    char full[128];
    struct gguf_string value = {.data = fallback, .length = strlen(fallback)}, given = value;
    full_key(full, builder, key);
    if (!builder->status)
        builder->status = loam_gguf_get_string(&given, builder->gguf, full, &value, builder->error);
    return builder->status ? value : given;
}

void loam_builder_refuse(struct builder *builder, loam_status code, const char *key,
                         const char *reason, uint64_t found)
{
    char full[128];
    full_key(full, builder, key);
    if (!builder->status)
        builder->status = loam_fail(builder->error, code, "%s: found %llu; %s", full,
                                    (unsigned long long)found, reason);
}

void loam_builder_describe(struct builder *builder)
{
    struct description *description = &builder->description;
    description->embedding_length = loam_builder_u32(builder, "embedding_length", NULL);
    description->context_length = loam_builder_u32(builder, "context_length", NULL);
    description->layers = loam_builder_u32(builder, "block_count", NULL);
    if (description->layers == 0 || description->layers > builder->gguf->tensor_count)
        loam_builder_refuse(builder, LOAM_FORMAT, "block_count",
                            "expected at least 1 and no more than the file has tensors",
                            description->layers);
    if (description->embedding_length == 0 || description->embedding_length > 1 << 20)
        loam_builder_refuse(builder, LOAM_FORMAT, "embedding_length", "expected 1 to 1048576",
                            description->embedding_length);
    if (description->context_length == 0 || description->context_length > 1 << 30)
        loam_builder_refuse(builder, LOAM_FORMAT, "context_length", "expected 1 to 2^30",
                            description->context_length);
}

/* ---- weights -------------------------------------------------------------- */

static void layer_name(char out[96], const char *name, uint32_t layer)
{
    const char *number = strstr(name, "%u");
    if (number)
        snprintf(out, 96, "%.*s%u%s", (int)(number - name), name, layer, number + 2);
    else
        snprintf(out, 96, "%s", name);
}

loam_tensor loam_builder_optional(struct builder *builder, const char *name, uint32_t layer,
                                  uint32_t width, uint32_t rows)
{
    char full[96];
    layer_name(full, name, layer);
    if (builder->status || !loam_gguf_find_tensor(builder->gguf, full))
        return LOAM_NO_TENSOR;
    return loam_builder_matrix(builder, name, layer, width, rows);
}

loam_tensor loam_builder_matrix(struct builder *builder, const char *name, uint32_t layer,
                                uint32_t width, uint32_t rows)
{
    char full[96];
    layer_name(full, name, layer);
    if (builder->status)
        return LOAM_NO_TENSOR;
    const struct gguf_tensor *tensor = loam_gguf_find_tensor(builder->gguf, full);
    if (!tensor) {
        builder->status = loam_fail(builder->error, LOAM_FORMAT, "tensor %s is missing", full);
        return LOAM_NO_TENSOR;
    }
    const uint64_t *dimensions = tensor->dimensions;
    if (dimensions[0] != width || dimensions[1] != rows || dimensions[2] != 1 ||
        dimensions[3] != 1) {
        builder->status = loam_fail(
            builder->error, LOAM_FORMAT,
            "tensor %s: shape is %llu x %llu x %llu x %llu, expected %u x %u", full,
            (unsigned long long)dimensions[0], (unsigned long long)dimensions[1],
            (unsigned long long)dimensions[2], (unsigned long long)dimensions[3], width, rows);
        return LOAM_NO_TENSOR;
    }
    return loam_graph_weight_at(builder->graph, full, tensor->type, width, rows, tensor->packed,
                                tensor->offset);
}

loam_tensor loam_builder_embeddings(struct builder *builder)
{
    uint32_t wanted = builder->tokens;
    if (wanted == 0) /* no vocabulary in the file: the key says how many */
        wanted = loam_builder_u32(builder, "vocab_size", NULL);
    const struct gguf_tensor *table =
        builder->status ? NULL : loam_gguf_find_tensor(builder->gguf, "token_embd.weight");
    /* Padded vocabularies have more rows than tokens, never fewer. */
    uint64_t rows = table && table->dimensions[1] < 1 << 24 ? table->dimensions[1] : 0;
    if (table && rows < wanted)
        builder->status = loam_fail(builder->error, LOAM_FORMAT,
                                    "tensor token_embd.weight: %llu rows for %u tokens",
                                    (unsigned long long)table->dimensions[1], wanted);
    builder->description.vocabulary = (uint32_t)rows;
    return loam_builder_matrix(builder, "token_embd.weight", 0,
                               builder->description.embedding_length, (uint32_t)rows);
}

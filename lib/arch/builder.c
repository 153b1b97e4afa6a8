/* SPDX-License-Identifier: MIT */
/* Keys and weights as families read them. */
#include "arch/arch.h"

#include <stdio.h>

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

bool loam_builder_flag(struct builder *builder, const char *key, bool fallback)
{
    char full[128];
    bool value = fallback;
    full_key(full, builder, key);
    if (!builder->status)
        builder->status =
            loam_gguf_get_bool(&value, builder->gguf, full, &fallback, builder->error);
    return value;
}

/* The entry if it is an array, with a number for each layer; else NULL. */
static const struct gguf_entry *array_of(struct builder *builder, const char *key, uint32_t layer)
{
    char full[128];
    full_key(full, builder, key);
    const struct gguf_entry *entry = builder->status ? NULL : loam_gguf_find(builder->gguf, full);
    if (!entry || !entry->is_array)
        return NULL;
    if (entry->type == GGUF_STRING || layer >= entry->count) {
        loam_builder_refuse(builder, LOAM_FORMAT, key, "expected a number for each layer",
                            entry->count);
        return NULL;
    }
    return entry;
}

uint32_t loam_builder_u32_at(struct builder *builder, const char *key, uint32_t layer,
                             const uint32_t *fallback, bool *is_array)
{
    const struct gguf_entry *entry = array_of(builder, key, layer);
    if (is_array)
        *is_array = entry != NULL;
    if (!entry)
        return loam_builder_u32(builder, key, fallback);
    double value = entry->type == GGUF_BOOL ? (double)(entry->data[layer] != 0)
                                            : loam_gguf_number(entry, layer);
    if (!(value >= 0 && value < 4294967296.0)) {
        loam_builder_refuse(builder, LOAM_FORMAT, key, "expected integers from 0 up", layer);
        return 1;
    }
    return (uint32_t)value;
}

float loam_builder_f32_at(struct builder *builder, const char *key, uint32_t layer,
                          const float *fallback)
{
    const struct gguf_entry *entry = array_of(builder, key, layer);
    return entry ? (float)loam_gguf_number(entry, layer) : loam_builder_f32(builder, key, fallback);
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

bool loam_builder_is(struct gguf_string text, const char *name)
{
    return text.length == strlen(name) && memcmp(text.data, name, text.length) == 0;
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

const struct gguf_tensor *loam_builder_find(const struct builder *builder, const char *name,
                                            uint32_t layer)
{
    char full[96];
    layer_name(full, name, layer);
    return loam_gguf_find_tensor(builder->gguf, full);
}

bool loam_builder_has(const struct builder *builder, const char *name, uint32_t layer)
{
    return loam_builder_find(builder, name, layer) != NULL;
}

loam_tensor loam_builder_optional(struct builder *builder, const char *name, uint32_t layer,
                                  uint32_t width, uint32_t rows)
{
    if (builder->status || !loam_builder_has(builder, name, layer))
        return LOAM_NO_TENSOR;
    return loam_builder_matrix(builder, name, layer, width, rows);
}

/* The tensor of that name, or NULL and a failure; full[96] is its name. */
static const struct gguf_tensor *find(struct builder *builder, char full[96], const char *name,
                                      uint32_t layer)
{
    layer_name(full, name, layer);
    if (builder->status)
        return NULL;
    const struct gguf_tensor *tensor = loam_gguf_find_tensor(builder->gguf, full);
    if (!tensor)
        builder->status = loam_fail(builder->error, LOAM_FORMAT, "tensor %s is missing", full);
    return tensor;
}

/* A shape with that many numbers is not width x rows x count. */
static void refuse_shape(struct builder *builder, const char *full, const uint64_t *found,
                         uint32_t width, uint32_t rows, uint32_t count)
{
    char expected[48];
    if (count == 1)
        snprintf(expected, sizeof expected, "%u x %u", width, rows);
    else
        snprintf(expected, sizeof expected, "%u x %u x %u", width, rows, count);
    builder->status = loam_fail(
        builder->error, LOAM_FORMAT, "tensor %s: shape is %llu x %llu x %llu x %llu, expected %s",
        full, (unsigned long long)found[0], (unsigned long long)found[1],
        (unsigned long long)found[2], (unsigned long long)found[3], expected);
}

loam_tensor loam_builder_stack(struct builder *builder, const char *name, uint32_t layer,
                               uint32_t width, uint32_t rows, uint32_t count)
{
    char full[96];
    const struct gguf_tensor *tensor = find(builder, full, name, layer);
    if (!tensor)
        return LOAM_NO_TENSOR;
    const uint64_t *dimensions = tensor->dimensions;
    if (dimensions[0] != width || dimensions[1] != rows || dimensions[2] != count ||
        dimensions[3] != 1 || (uint64_t)rows * count > 1 << 24) {
        refuse_shape(builder, full, dimensions, width, rows, count);
        return LOAM_NO_TENSOR;
    }
    if (tensor->packed && count > 1 && rows % PANEL_ROWS != 0) {
        builder->status = loam_fail(
            builder->error, LOAM_UNSUPPORTED,
            "tensor %s: %u rows of packed matrices, expected a multiple of 16", full, rows);
        return LOAM_NO_TENSOR;
    }
    return loam_graph_weight_at(builder->graph, full, tensor->type, width, rows * count,
                                tensor->packed, tensor->offset);
}

loam_tensor loam_builder_matrix(struct builder *builder, const char *name, uint32_t layer,
                                uint32_t width, uint32_t rows)
{
    return loam_builder_stack(builder, name, layer, width, rows, 1);
}

loam_tensor loam_builder_vector(struct builder *builder, const char *name, uint32_t layer,
                                uint32_t count)
{
    char full[96];
    const struct gguf_tensor *tensor = find(builder, full, name, layer);
    if (!tensor)
        return LOAM_NO_TENSOR;
    const uint64_t *d = tensor->dimensions;
    /* Their product fits. */
    if (d[0] * d[1] * d[2] * d[3] != count || tensor->type->block_elements != 1) {
        refuse_shape(builder, full, d, count, 1, 1);
        return LOAM_NO_TENSOR;
    }
    return loam_graph_weight_at(builder->graph, full, tensor->type, count, 1, tensor->packed,
                                tensor->offset);
}

loam_tensor loam_builder_optional_vector(struct builder *builder, const char *name, uint32_t layer,
                                         uint32_t count)
{
    if (builder->status || !loam_builder_has(builder, name, layer))
        return LOAM_NO_TENSOR;
    return loam_builder_vector(builder, name, layer, count);
}

loam_tensor loam_builder_rows(struct builder *builder, const char *name, uint32_t layer,
                              uint32_t width, uint32_t all, uint32_t first, uint32_t rows)
{
    char full[96], part[128];
    const struct gguf_tensor *tensor = find(builder, full, name, layer);
    if (!tensor)
        return LOAM_NO_TENSOR;
    const uint64_t *dimensions = tensor->dimensions;
    if (dimensions[0] != width || dimensions[1] != all || dimensions[2] != 1 ||
        dimensions[3] != 1 || first > all || rows > all - first) {
        refuse_shape(builder, full, dimensions, width, all, 1);
        return LOAM_NO_TENSOR;
    }
    uint64_t offset = tensor->bytes / all * first;
    if (tensor->packed) {
        if (first % PANEL_ROWS != 0) {
            builder->status = loam_fail(builder->error, LOAM_UNSUPPORTED,
                                        "tensor %s: packed, and its part from row %u is no "
                                        "multiple of 16",
                                        full, first);
            return LOAM_NO_TENSOR;
        }
        offset = loam_packed_panel_bytes(tensor->type, width) * (first / PANEL_ROWS);
    }
    snprintf(part, sizeof part, "%s[%u..]", full, first);
    return loam_graph_weight_at(builder->graph, part, tensor->type, width, rows, tensor->packed,
                                tensor->offset + offset);
}

loam_tensor loam_builder_first(struct builder *builder, const char *name, uint32_t width)
{
    char full[96];
    const struct gguf_tensor *tensor = find(builder, full, name, 0);
    if (!tensor)
        return LOAM_NO_TENSOR;
    if (tensor->dimensions[0] != width || tensor->type->id != LOAM_TYPE_F32) {
        refuse_shape(builder, full, tensor->dimensions, width, 1, 1);
        return LOAM_NO_TENSOR;
    }
    return loam_graph_weight_at(builder->graph, full, tensor->type, width, 1, false,
                                tensor->offset);
}

loam_tensor loam_builder_numbers(struct builder *builder, const char *name, uint32_t layer,
                                 uint32_t all, uint32_t first, uint32_t count)
{
    char full[96], part[128];
    const struct gguf_tensor *tensor = find(builder, full, name, layer);
    if (!tensor)
        return LOAM_NO_TENSOR;
    if (tensor->bytes != (uint64_t)all * sizeof(float) || tensor->type->id != LOAM_TYPE_F32 ||
        first > all || count > all - first) {
        refuse_shape(builder, full, tensor->dimensions, all, 1, 1);
        return LOAM_NO_TENSOR;
    }
    snprintf(part, sizeof part, "%s[%u..]", full, first);
    return loam_graph_weight_at(builder->graph, part, tensor->type, count, 1, false,
                                tensor->offset + (uint64_t)first * sizeof(float));
}

float loam_builder_scalar(struct builder *builder, const char *name, uint32_t layer, float fallback)
{
    char full[96];
    float value = fallback;
    if (builder->status || !loam_builder_has(builder, name, layer))
        return fallback;
    const struct gguf_tensor *tensor = find(builder, full, name, layer);
    if (tensor->type->id != LOAM_TYPE_F32 || tensor->bytes != sizeof value) {
        refuse_shape(builder, full, tensor->dimensions, 1, 1, 1);
        return fallback;
    }
    builder->status =
        loam_source_read(builder->source, tensor->offset, &value, sizeof value, builder->error);
    if (!builder->status && !(value > -1e30f && value < 1e30f))
        builder->status =
            loam_fail(builder->error, LOAM_FORMAT, "tensor %s: its number is not finite", full);
    return builder->status ? fallback : value;
}

enum { RANK = 4, MOST_LABELS = 1 << 16 }; /* pooling_type of files */

/* Scores that a classifier gives: one for each label; a file without labels has one. */
static uint32_t count_labels(struct builder *builder)
{
    char full[128];
    const struct gguf_entry *labels = NULL;
    full_key(full, builder, "classifier.output_labels");
    if (!builder->status)
        builder->status =
            loam_gguf_get_array(&labels, builder->gguf, full, GGUF_STRING, false, builder->error);
    if (labels && (labels->count == 0 || labels->count > MOST_LABELS))
        loam_builder_refuse(builder, LOAM_FORMAT, "classifier.output_labels",
                            "expected 1 to 65536 labels", labels->count);
    return labels && !builder->status ? (uint32_t)labels->count : 1;
}

void loam_builder_pooling(struct builder *builder, bool encoder)
{
    struct description *description = &builder->description;
    uint32_t type = loam_builder_u32(builder, "pooling_type", &(uint32_t){0});
    if (builder->status || (type == 0 && !encoder))
        return;
    if (type > RANK)
        loam_builder_refuse(builder, LOAM_UNSUPPORTED, "pooling_type",
                            "known are none (0), mean (1), first (2), last (3) and rank (4)", type);
    description->pooling = type == 0      ? LOAM_POOLING_TOKENS
                           : type == RANK ? LOAM_POOLING_RANK
                                          : (int32_t)type;
    description->embedding_output =
        type == RANK ? count_labels(builder) : description->embedding_length;
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

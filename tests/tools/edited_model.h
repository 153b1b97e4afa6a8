/* SPDX-License-Identifier: MIT */
/*
 * A model file of the reference data with other keys, tensors and numbers: what
 * is in real files, and in none of the reference data. Everything is copied to
 * memory that is never given back but by edited_end.
 */
#ifndef LOAM_TESTS_EDITED_MODEL_H
#define LOAM_TESTS_EDITED_MODEL_H

#include "test.h"

#include "format/gguf_write.h"

#include <loam/graph.h>

#include <stdbool.h>

enum { EDITED_MOST = 512 };

struct edited_tensor {
    struct gguf_tensor head;
    char name[64];
    unsigned char *data; /* [head.bytes] */
};

struct edited {
    struct memory memory;
    struct gguf gguf;
    struct gguf_entry entries[EDITED_MOST];
    struct edited_tensor tensors[EDITED_MOST];
    size_t entry_count, tensor_count;
    void *kept[EDITED_MOST]; /* of keys and values made here */
    size_t kept_count;
    unsigned char *file; /* what edited_write made */
    size_t size, capacity;
};

static inline void *edited_keep(struct edited *e, const void *data, size_t size)
{
    void *copy = calloc(size + 1, 1);
    if (!copy || e->kept_count == EDITED_MOST)
        exit(1);
    memcpy(copy, data, size);
    e->kept[e->kept_count++] = copy;
    return copy;
}

/* False if there is no such reference file. */
static inline bool edited_open(struct edited *e, const char *name)
{
    size_t size;
    unsigned char *bytes = test_read(test_data(name), &size);
    loam_source given = {
        .struct_size = sizeof given, .kind = LOAM_SOURCE_MEMORY, .data = bytes, .size = size};
    struct source source;
    *e = (struct edited){.size = 0};
    loam_memory_init(&e->memory, NULL, 0);
    if (!bytes)
        return false;
    if (loam_source_open(&source, &given, NULL) ||
        loam_gguf_read(&e->gguf, &source, &e->memory, NULL))
        exit(1);
    for (uint64_t i = 0; i < e->gguf.entry_count; i++)
        e->entries[e->entry_count++] = e->gguf.entries[i];
    for (uint64_t i = 0; i < e->gguf.tensor_count; i++) {
        struct edited_tensor *tensor = &e->tensors[e->tensor_count++];
        tensor->head = e->gguf.tensors[i];
        snprintf(tensor->name, sizeof tensor->name, "%.*s", (int)tensor->head.name.length,
                 tensor->head.name.data);
        tensor->data = edited_keep(e, bytes + tensor->head.offset, (size_t)tensor->head.bytes);
    }
    loam_source_close(&source);
    free(bytes);
    return true;
}

static inline void edited_end(struct edited *e)
{
    for (size_t i = 0; i < e->kept_count; i++)
        free(e->kept[i]);
    if (e->gguf.entry_count)
        loam_gguf_end(&e->gguf);
    free(e->file);
}

/* ---- keys ----------------------------------------------------------------- */

static inline struct gguf_entry *edited_key(struct edited *e, const char *key)
{
    for (size_t i = 0; i < e->entry_count; i++)
        if (e->entries[i].key.length == strlen(key) &&
            memcmp(e->entries[i].key.data, key, strlen(key)) == 0)
            return &e->entries[i];
    struct gguf_entry *entry = &e->entries[e->entry_count++];
    *entry = (struct gguf_entry){.count = 1};
    entry->key.length = strlen(key);
    entry->key.data = edited_keep(e, key, strlen(key));
    return entry;
}

static inline void edited_set_u32(struct edited *e, const char *key, uint32_t value)
{
    struct gguf_entry *entry = edited_key(e, key);
    entry->type = GGUF_U32;
    entry->is_array = false;
    entry->data = edited_keep(e, &value, sizeof value);
}

static inline void edited_set_f32(struct edited *e, const char *key, float value)
{
    struct gguf_entry *entry = edited_key(e, key);
    entry->type = GGUF_F32;
    entry->is_array = false;
    entry->data = edited_keep(e, &value, sizeof value);
}

/* An array of `count` empty strings. */
static inline void edited_set_strings(struct edited *e, const char *key, size_t count)
{
    static const struct gguf_string none[8] = {{"", 0}, {"", 0}, {"", 0}, {"", 0},
                                               {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct gguf_entry *entry = edited_key(e, key);
    entry->type = GGUF_STRING;
    entry->is_array = true;
    entry->count = count < 8 ? count : 8;
    entry->strings = none;
}

/* Another family, whose keys are those of the one before. */
static inline void edited_set_family(struct edited *e, const char *before, const char *name)
{
    char key[128];
    for (size_t i = 0; i < e->entry_count; i++) {
        struct gguf_string *found = &e->entries[i].key;
        size_t length = strlen(before);
        if (found->length <= length || found->data[length] != '.' ||
            memcmp(found->data, before, length) != 0)
            continue;
        snprintf(key, sizeof key, "%s%.*s", name, (int)(found->length - length),
                 found->data + length);
        found->length = strlen(key);
        found->data = edited_keep(e, key, strlen(key));
    }
    struct gguf_string value = {edited_keep(e, name, strlen(name)), strlen(name)};
    edited_key(e, "general.architecture")->strings = edited_keep(e, &value, sizeof value);
}

/* ---- tensors -------------------------------------------------------------- */

static inline struct edited_tensor *edited_find(struct edited *e, const char *name)
{
    for (size_t i = 0; i < e->tensor_count; i++)
        if (strcmp(e->tensors[i].name, name) == 0)
            return &e->tensors[i];
    return NULL;
}

/* The numbers of an F32 tensor that is there. */
static inline float *edited_numbers(struct edited *e, const char *name)
{
    struct edited_tensor *tensor = edited_find(e, name);
    if (!tensor || tensor->head.type->id != LOAM_TYPE_F32)
        exit(1);
    return (float *)(void *)tensor->data;
}

static inline void edited_remove(struct edited *e, const char *name)
{
    struct edited_tensor *tensor = edited_find(e, name);
    if (tensor)
        *tensor = e->tensors[--e->tensor_count];
}

/* A tensor of that type and shape; its bytes are zero, and returned. */
static inline void *edited_add(struct edited *e, const char *name, uint32_t type, uint64_t width,
                               uint64_t rows, uint64_t count)
{
    edited_remove(e, name);
    struct edited_tensor *tensor = &e->tensors[e->tensor_count++];
    const struct weight_type *known = loam_weight_type(type);
    *tensor = (struct edited_tensor){.head = {.type = known,
                                              .dimension_count = 3,
                                              .dimensions = {width, rows, count, 1}}};
    tensor->head.bytes = width / known->block_elements * known->block_bytes * rows * count;
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    void *zeros = calloc((size_t)tensor->head.bytes, 1);
    tensor->data = edited_keep(e, zeros, (size_t)tensor->head.bytes);
    free(zeros);
    return tensor->data;
}

/* ---- the file ------------------------------------------------------------- */

static inline int32_t edited_take(void *user, const void *data, size_t size)
{
    struct edited *e = user;
    if (e->size + size > e->capacity) {
        e->capacity = 2 * (e->size + size);
        e->file = realloc(e->file, e->capacity);
        if (!e->file)
            exit(1);
    }
    memcpy(e->file + e->size, data, size);
    e->size += size;
    return 0;
}

/* The file is e->file[e->size]. */
static inline void edited_write(struct edited *e)
{
    struct gguf_writer writer = {.write = edited_take, .user = e};
    uint64_t offset = 0;
    e->size = 0;
    loam_gguf_write_preamble(&writer, e->tensor_count, e->entry_count);
    for (size_t i = 0; i < e->entry_count; i++)
        loam_gguf_write_entry(&writer, &e->entries[i]);
    for (size_t i = 0; i < e->tensor_count; i++) {
        struct gguf_tensor *head = &e->tensors[i].head;
        head->name = (struct gguf_string){e->tensors[i].name, strlen(e->tensors[i].name)};
        loam_gguf_write_tensor(&writer, head, head->type->id, offset);
        offset = (offset + head->bytes + 31) / 32 * 32;
    }
    for (size_t i = 0; i < e->tensor_count; i++) {
        loam_gguf_write_padding(&writer, 32);
        loam_gguf_write_bytes(&writer, e->tensors[i].data, (size_t)e->tensors[i].head.bytes);
    }
    loam_gguf_write_padding(&writer, 32);
}

#endif

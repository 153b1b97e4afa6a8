/* SPDX-License-Identifier: MIT */
/* Files that hold nothing but a small vocabulary, made in memory. */
#ifndef LOAM_TESTS_TINY_VOCABULARY_H
#define LOAM_TESTS_TINY_VOCABULARY_H

#include "format/gguf.h"
#include "text/tokenizer.h"
#include "tools/tiny_model.h"

#include <stdbool.h>

/* Token types of the file format. */
enum { TINY_NORMAL = 1, TINY_UNKNOWN, TINY_CONTROL, TINY_USER, TINY_UNUSED, TINY_BYTE };

/* A vocabulary being described; what is NULL or 0 is left out of the file. */
struct tiny_words {
    const char *kind, *splitter, *name;
    const char *const *texts; /* [count] */
    const float *scores;
    const int32_t *types;
    size_t count;
    const char *const *merges; /* [merge_count] */
    size_t merge_count;
    const char *ids[4]; /* keys under tokenizer.ggml, and their values */
    uint32_t id_values[4];
    const char *flags[3]; /* the same for true and false */
    bool flag_values[3];
    const unsigned char *charsmap; /* [charsmap_size] */
    size_t charsmap_size;
};

static void tiny_array(struct tiny_file *file, const char *key, uint32_t type, uint64_t count)
{
    tiny_key(file, key, TINY_ARRAY);
    tiny_put_u32(file, type);
    tiny_put_u64(file, count);
}

static void tiny_texts(struct tiny_file *file, const char *key, const char *const *texts,
                       size_t count)
{
    tiny_array(file, key, TINY_STRING, count);
    for (size_t i = 0; i < count; i++)
        tiny_put_text(file, texts[i]);
}

static void tiny_named(struct tiny_file *file, const char *key, uint32_t type)
{
    char full[128];
    snprintf(full, sizeof full, "tokenizer.ggml.%s", key);
    tiny_key(file, full, type);
}

/* The file in file->bytes[file->capacity]. */
static inline void tiny_vocabulary(struct tiny_file *file, const struct tiny_words *words)
{
    uint64_t keys = (words->kind != NULL) + (words->splitter != NULL) + (words->name != NULL) +
                    (words->texts != NULL) + (words->scores != NULL) + (words->types != NULL) +
                    (words->merges != NULL) + (words->charsmap != NULL);
    for (int i = 0; i < 4; i++)
        keys += words->ids[i] != NULL;
    for (int i = 0; i < 3; i++)
        keys += words->flags[i] != NULL;
    file->size = 0;
    tiny_put(file, "GGUF", 4);
    tiny_put_u32(file, 3);
    tiny_put_u64(file, 0);
    tiny_put_u64(file, keys);
    if (words->kind)
        tiny_key_text(file, "tokenizer.ggml.model", words->kind);
    if (words->splitter)
        tiny_key_text(file, "tokenizer.ggml.pre", words->splitter);
    if (words->name)
        tiny_key_text(file, "general.name", words->name);
    if (words->texts)
        tiny_texts(file, "tokenizer.ggml.tokens", words->texts, words->count);
    if (words->scores) {
        tiny_array(file, "tokenizer.ggml.scores", TINY_F32, words->count);
        for (size_t i = 0; i < words->count; i++)
            tiny_put_f32(file, words->scores[i]);
    }
    if (words->types) {
        tiny_array(file, "tokenizer.ggml.token_type", TINY_I32, words->count);
        for (size_t i = 0; i < words->count; i++)
            tiny_put_u32(file, (uint32_t)words->types[i]);
    }
    if (words->merges)
        tiny_texts(file, "tokenizer.ggml.merges", words->merges, words->merge_count);
    if (words->charsmap) {
        tiny_array(file, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, words->charsmap_size);
        tiny_put(file, words->charsmap, words->charsmap_size);
    }
    for (int i = 0; i < 4; i++)
        if (words->ids[i]) {
            tiny_named(file, words->ids[i], TINY_U32);
            tiny_put_u32(file, words->id_values[i]);
        }
    for (int i = 0; i < 3; i++)
        if (words->flags[i]) {
            tiny_named(file, words->flags[i], TINY_BOOL);
            tiny_put(file, words->flag_values[i] ? "\1" : "\0", 1);
        }
}

/* Opens the vocabulary of a file in memory; the source's status if it is no
 * file at all. */
static inline loam_status tiny_open(struct tokenizer **out, struct memory *memory,
                                    const void *bytes, size_t size, loam_error *error)
{
    loam_source given = {
        .struct_size = sizeof given, .kind = LOAM_SOURCE_MEMORY, .data = bytes, .size = size};
    struct source source;
    struct gguf gguf;
    *out = NULL;
    loam_status status = loam_source_open(&source, &given, error);
    if (status)
        return status;
    status = loam_gguf_read(&gguf, &source, memory, error);
    if (!status) {
        status = loam_tokenizer_create(out, &gguf, memory, error);
        loam_gguf_end(&gguf);
    }
    loam_source_close(&source);
    return status;
}

/* The character that stands for a byte in GPT-2's alphabet, with a NUL. */
static inline void tiny_byte_character(char out[3], unsigned byte)
{
    bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    unsigned c = itself         ? byte
                 : byte <= 0x20 ? byte + 0x100
                 : byte < 0xA1  ? byte - 0x7F + 0x121
                                : 0x143;
    size_t size = 0;
    if (c >= 0x80)
        out[size++] = (char)(0xC0 | c >> 6);
    out[size++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
    out[size] = 0;
}

#endif

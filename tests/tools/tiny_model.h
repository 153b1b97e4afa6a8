/* SPDX-License-Identifier: MIT */
/*
 * A llama model of a few thousand numbers, made in memory: what tests need
 * that are not about the answer. One layer, width 32, two query heads and one
 * KV head of 16, a SentencePiece vocabulary of bytes and a few pieces, all
 * weights F32 and from a fixed generator. Keys and tensors are named as
 * converters for the format name them.
 */
#ifndef LOAM_TESTS_TINY_MODEL_H
#define LOAM_TESTS_TINY_MODEL_H

#include "test.h"

enum {
    TINY_WIDTH = 32,
    TINY_HEADS = 2,
    TINY_KV_WIDTH = 16,
    TINY_HIDDEN = 64,
    TINY_CONTEXT = 256,
    TINY_VOCABULARY = 270, /* 3 special, 256 bytes, 11 pieces */
    TINY_ALIGNMENT = 32
};

/* A file being written. */
struct tiny_file {
    unsigned char *bytes;
    size_t size, capacity;
};

static void tiny_put(struct tiny_file *file, const void *bytes, size_t size)
{
    if (!file->bytes || file->size + size > file->capacity) {
        fprintf(stderr, "the tiny model does not fit\n");
        exit(1);
    }
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

/* Little-endian, as every machine that the tests run on. */
static void tiny_put_u32(struct tiny_file *file, uint32_t value)
{
    tiny_put(file, &value, sizeof value);
}

static void tiny_put_u64(struct tiny_file *file, uint64_t value)
{
    tiny_put(file, &value, sizeof value);
}

static void tiny_put_f32(struct tiny_file *file, float value)
{
    tiny_put(file, &value, sizeof value);
}

static void tiny_put_text(struct tiny_file *file, const char *text)
{
    tiny_put_u64(file, strlen(text));
    tiny_put(file, text, strlen(text));
}

/* Numbers of value types in GGUF. */
enum { TINY_U32 = 4, TINY_I32 = 5, TINY_F32 = 6, TINY_BOOL = 7, TINY_STRING = 8, TINY_ARRAY = 9 };

static void tiny_key(struct tiny_file *file, const char *key, uint32_t type)
{
    tiny_put_text(file, key);
    tiny_put_u32(file, type);
}

static void tiny_key_u32(struct tiny_file *file, const char *key, uint32_t value)
{
    tiny_key(file, key, TINY_U32);
    tiny_put_u32(file, value);
}

static void tiny_key_text(struct tiny_file *file, const char *key, const char *value)
{
    tiny_key(file, key, TINY_STRING);
    tiny_put_text(file, value);
}

static void tiny_key_array(struct tiny_file *file, const char *key, uint32_t type)
{
    tiny_key(file, key, TINY_ARRAY);
    tiny_put_u32(file, type);
    tiny_put_u64(file, TINY_VOCABULARY);
}

/* Longer pieces have higher scores, so that merging reaches them. */
static const char *const tiny_pieces[] = {"\xE2\x96\x81", "a", "b", "o", "n", "c", "e", "on",
                                          "\xE2\x96\x81" "a", "\xE2\x96\x81" "on", "ce"};

static void tiny_put_vocabulary(struct tiny_file *file)
{
    char byte[8];
    const char *const special[] = {"<unk>", "<s>", "</s>"};
    tiny_key_array(file, "tokenizer.ggml.tokens", TINY_STRING);
    for (int i = 0; i < 3; i++)
        tiny_put_text(file, special[i]);
    for (int i = 0; i < 256; i++) {
        snprintf(byte, sizeof byte, "<0x%02X>", (unsigned)i);
        tiny_put_text(file, byte);
    }
    for (int i = 0; i < TINY_VOCABULARY - 259; i++)
        tiny_put_text(file, tiny_pieces[i]);
    tiny_key_array(file, "tokenizer.ggml.scores", TINY_F32);
    for (int i = 0; i < TINY_VOCABULARY; i++)
        tiny_put_f32(file, i < 259 ? 0 : (float)(i - 400));
    tiny_key_array(file, "tokenizer.ggml.token_type", TINY_I32);
    for (int i = 0; i < TINY_VOCABULARY; i++) /* unknown, control, byte, normal */
        tiny_put_u32(file, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
}

enum { TINY_KEYS = 17 };

static void tiny_put_keys(struct tiny_file *file)
{
    tiny_key_text(file, "general.architecture", "llama");
    tiny_key_text(file, "general.name", "tiny");
    tiny_key_u32(file, "llama.context_length", TINY_CONTEXT);
    tiny_key_u32(file, "llama.embedding_length", TINY_WIDTH);
    tiny_key_u32(file, "llama.block_count", 1);
    tiny_key_u32(file, "llama.feed_forward_length", TINY_HIDDEN);
    tiny_key_u32(file, "llama.attention.head_count", TINY_HEADS);
    tiny_key_u32(file, "llama.attention.head_count_kv", 1);
    tiny_key_u32(file, "llama.rope.dimension_count", TINY_WIDTH / TINY_HEADS);
    tiny_key(file, "llama.attention.layer_norm_rms_epsilon", TINY_F32);
    tiny_put_f32(file, 1e-5f);
    tiny_key_text(file, "tokenizer.ggml.model", "llama");
    tiny_put_vocabulary(file); /* three keys */
    tiny_key_u32(file, "tokenizer.ggml.bos_token_id", 1);
    tiny_key_u32(file, "tokenizer.ggml.eos_token_id", 2);
    tiny_key_u32(file, "tokenizer.ggml.unknown_token_id", 0);
}

struct tiny_tensor {
    const char *name;
    uint32_t width, rows; /* rows 0: a vector */
};

static const struct tiny_tensor tiny_tensors[] = {
    {"token_embd.weight", TINY_WIDTH, TINY_VOCABULARY},
    {"blk.0.attn_norm.weight", TINY_WIDTH, 0},
    {"blk.0.attn_q.weight", TINY_WIDTH, TINY_WIDTH},
    {"blk.0.attn_k.weight", TINY_WIDTH, TINY_KV_WIDTH},
    {"blk.0.attn_v.weight", TINY_WIDTH, TINY_KV_WIDTH},
    {"blk.0.attn_output.weight", TINY_WIDTH, TINY_WIDTH},
    {"blk.0.ffn_norm.weight", TINY_WIDTH, 0},
    {"blk.0.ffn_gate.weight", TINY_WIDTH, TINY_HIDDEN},
    {"blk.0.ffn_up.weight", TINY_WIDTH, TINY_HIDDEN},
    {"blk.0.ffn_down.weight", TINY_HIDDEN, TINY_WIDTH},
    {"output_norm.weight", TINY_WIDTH, 0},
    {"output.weight", TINY_WIDTH, TINY_VOCABULARY},
};

enum { TINY_TENSORS = sizeof tiny_tensors / sizeof tiny_tensors[0] };

static uint64_t tiny_numbers(const struct tiny_tensor *tensor)
{
    return (uint64_t)tensor->width * (tensor->rows ? tensor->rows : 1);
}

static void tiny_pad(struct tiny_file *file)
{
    while (file->size % TINY_ALIGNMENT != 0)
        tiny_put(file, "", 1);
}

static void tiny_put_tensors(struct tiny_file *file)
{
    uint64_t offset = 0, state = 1;
    for (size_t i = 0; i < TINY_TENSORS; i++) {
        const struct tiny_tensor *tensor = &tiny_tensors[i];
        tiny_put_text(file, tensor->name);
        tiny_put_u32(file, tensor->rows ? 2 : 1);
        tiny_put_u64(file, tensor->width);
        if (tensor->rows)
            tiny_put_u64(file, tensor->rows);
        tiny_put_u32(file, 0); /* F32 */
        tiny_put_u64(file, offset);
        offset += (tiny_numbers(tensor) * 4 + TINY_ALIGNMENT - 1) / TINY_ALIGNMENT * TINY_ALIGNMENT;
    }
    tiny_pad(file);
    for (size_t i = 0; i < TINY_TENSORS; i++) {
        for (uint64_t n = 0; n < tiny_numbers(&tiny_tensors[i]); n++) {
            float noise = (float)(int32_t)test_random(&state) * 0x1p-33f; /* [-1/4, 1/4) */
            tiny_put_f32(file, tiny_tensors[i].rows ? noise : 1 + noise);
        }
        tiny_pad(file);
    }
}

/* The model file in malloc'ed memory, which the caller frees. */
static inline unsigned char *tiny_model(size_t *size)
{
    struct tiny_file file = {.capacity = 1 << 18};
    file.bytes = malloc(file.capacity);
    tiny_put(&file, "GGUF", 4);
    tiny_put_u32(&file, 3);
    tiny_put_u64(&file, TINY_TENSORS);
    tiny_put_u64(&file, TINY_KEYS);
    tiny_put_keys(&file);
    tiny_put_tensors(&file);
    *size = file.size;
    return file.bytes;
}

#endif

/* SPDX-License-Identifier: MIT */
/* make-model: the header of a GGUF file, version 3, with a vocabulary. */
#include "tools/make_model.h"

#include "format/gguf.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- values ------------------------------------------------------------------ */

static void put(struct bytes *out, const void *data, size_t size)
{
    if (out->capacity - out->size < size) {
        size_t capacity = 2 * (out->capacity + size);
        unsigned char *larger = out->failed ? NULL : realloc(out->data, capacity);
        if (!larger) {
            out->failed = true;
            return;
        }
        out->data = larger;
        out->capacity = capacity;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

/* Little-endian on every machine. */
static void put_integer(struct bytes *out, uint64_t value, size_t size)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    put(out, bytes, size);
}

static void put_f32(struct bytes *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_integer(out, bits, 4);
}

static void put_text(struct bytes *out, const char *text)
{
    put_integer(out, strlen(text), 8);
    put(out, text, strlen(text));
}

/* ---- keys -------------------------------------------------------------------- */

/* The keys as they are written, counted. */
struct keys {
    struct bytes bytes;
    uint64_t count;
    const char *prefix; /* of the architecture's own */
};

static void key(struct keys *keys, const char *name, uint32_t type)
{
    put_text(&keys->bytes, name);
    put_integer(&keys->bytes, type, 4);
    keys->count++;
}

static void key_u32(struct keys *keys, const char *name, uint32_t value)
{
    key(keys, name, GGUF_U32);
    put_integer(&keys->bytes, value, 4);
}

static void key_text(struct keys *keys, const char *name, const char *value)
{
    key(keys, name, GGUF_STRING);
    put_text(&keys->bytes, value);
}

static void key_bool(struct keys *keys, const char *name, bool value)
{
    key(keys, name, GGUF_BOOL);
    put_integer(&keys->bytes, value, 1);
}

static void key_array(struct keys *keys, const char *name, uint32_t type, uint64_t count)
{
    key(keys, name, GGUF_ARRAY);
    put_integer(&keys->bytes, type, 4);
    put_integer(&keys->bytes, count, 8);
}

/* "ARCHITECTURE.name" */
static void own_u32(struct keys *keys, const char *name, uint32_t value)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", keys->prefix, name);
    key_u32(keys, full, value);
}

static void own_f32(struct keys *keys, const char *name, float value)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", keys->prefix, name);
    key(keys, full, GGUF_F32);
    put_f32(&keys->bytes, value);
}

static void put_parameters(struct keys *keys, const struct shape *shape)
{
    own_u32(keys, "vocab_size", shape->vocabulary);
    own_u32(keys, "context_length", shape->context);
    own_u32(keys, "embedding_length", shape->width);
    own_u32(keys, "block_count", shape->layers);
    own_u32(keys, "feed_forward_length", shape->hidden);
    own_u32(keys, "attention.head_count", shape->heads);
    own_u32(keys, "attention.head_count_kv", shape->kv_heads);
    own_u32(keys, "attention.key_length", shape->head_width);
    own_u32(keys, "attention.value_length", shape->head_width);
    own_f32(keys, "attention.layer_norm_rms_epsilon", shape->epsilon);
    own_u32(keys, "rope.dimension_count", shape->head_width);
    own_f32(keys, "rope.freq_base", shape->rope_base);
    if (shape->experts) {
        own_u32(keys, "expert_count", shape->experts);
        own_u32(keys, "expert_used_count", shape->experts_used);
    }
}

/* ---- vocabulary -------------------------------------------------------------- */

#define SPACE "\xE2\x96\x81"

enum { FIRST_BYTE = 3, FIRST_PIECE = FIRST_BYTE + 256, FIRST_WORD = FIRST_PIECE + 95 };

/* Piece i of the words: all strings of letters, short ones first, each with a
 * space in front and without; common letters come first. */
static void word(char out[32], uint32_t i)
{
    static const char letters[] = "etaoinsrhldcumfpgwybvkxjqz";
    uint32_t length = 1, count = 26, variants = 1; /* single letters are pieces already */
    while (i >= count * variants) {
        i -= count * variants;
        length++;
        count *= 26;
        variants = 2;
    }
    size_t at = i % variants == 0 ? strlen(SPACE) : 0;
    memcpy(out, SPACE, at);
    i /= variants;
    for (uint32_t n = length; n-- > 0; i /= 26)
        out[at + n] = letters[i % 26];
    out[at + length] = 0;
}

/* <unk> <s> </s>, the bytes, the space and printable ASCII, words. */
static void token_text(char out[32], uint32_t id)
{
    static const char *const special[FIRST_BYTE] = {"<unk>", "<s>", "</s>"};
    if (id < FIRST_BYTE)
        snprintf(out, 32, "%s", special[id]);
    else if (id < FIRST_PIECE)
        snprintf(out, 32, "<0x%02X>", (unsigned)(id - FIRST_BYTE));
    else if (id == FIRST_PIECE)
        snprintf(out, 32, "%s", SPACE);
    else if (id < FIRST_WORD)
        snprintf(out, 32, "%c", (int)(id - FIRST_PIECE) + ' ');
    else
        word(out, id - FIRST_WORD);
}

static void put_vocabulary(struct keys *keys, uint32_t count)
{
    enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, BYTE = 6 }; /* types of tokens */
    key_text(keys, "tokenizer.ggml.model", "llama");
    key_text(keys, "tokenizer.ggml.pre", "default");
    key_array(keys, "tokenizer.ggml.tokens", GGUF_STRING, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[32];
        token_text(text, i);
        put_text(&keys->bytes, text);
    }
    key_array(keys, "tokenizer.ggml.scores", GGUF_F32, count);
    for (uint32_t i = 0; i < count; i++) /* short pieces are merged first */
        put_f32(&keys->bytes, i < FIRST_PIECE ? 0 : -(float)(i - FIRST_PIECE));
    key_array(keys, "tokenizer.ggml.token_type", GGUF_I32, count);
    for (uint32_t i = 0; i < count; i++) {
        int type = i < FIRST_BYTE ? CONTROL : i < FIRST_PIECE ? BYTE : NORMAL;
        put_integer(&keys->bytes, i == 0 ? UNKNOWN : (uint64_t)type, 4);
    }
    key_u32(keys, "tokenizer.ggml.bos_token_id", 1);
    key_u32(keys, "tokenizer.ggml.eos_token_id", 2);
    key_u32(keys, "tokenizer.ggml.unknown_token_id", 0);
    key_bool(keys, "tokenizer.ggml.add_bos_token", true);
    key_bool(keys, "tokenizer.ggml.add_eos_token", false);
}

/* ---- all of it --------------------------------------------------------------- */

static void put_tensors(struct bytes *out, const struct tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor *tensor = &list->tensors[i];
        put_text(out, tensor->name);
        put_integer(out, tensor->dimension_count, 4);
        for (uint32_t j = 0; j < tensor->dimension_count; j++)
            put_integer(out, tensor->dimensions[j], 8);
        put_integer(out, tensor->type->id, 4);
        put_integer(out, tensor->offset, 8);
    }
}

void make_header(struct bytes *out, const struct shape *shape, const struct mix *mix,
                 const struct tensor_list *list, uint64_t seed)
{
    struct keys keys = {.prefix = shape->architecture};
    char title[96];
    snprintf(title, sizeof title, "%s of random weights, seed %llu", shape->name,
             (unsigned long long)seed);
    key_text(&keys, "general.architecture", shape->architecture);
    key_text(&keys, "general.name", title);
    key_u32(&keys, "general.file_type", mix->file_type);
    key_u32(&keys, "general.quantization_version", 2);
    put_parameters(&keys, shape);
    put_vocabulary(&keys, shape->vocabulary);

    put(out, "GGUF", 4);
    put_integer(out, 3, 4);
    put_integer(out, list->count, 8);
    put_integer(out, keys.count, 8);
    if (keys.bytes.failed)
        out->failed = true;
    else
        put(out, keys.bytes.data, keys.bytes.size);
    put_tensors(out, list);
    while (out->size % ALIGNMENT != 0 && !out->failed)
        put(out, "", 1);
    free(keys.bytes.data);
}

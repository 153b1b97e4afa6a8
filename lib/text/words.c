/* SPDX-License-Identifier: MIT */
/*
 * Texts repeat their words: short ones are remembered with their tokens for the
 * length of a call. A word replaces another in its slot, so that memory stays
 * bounded; what is remembered never changes a result.
 */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

enum {
    CACHED_BYTES = 24,
    CACHED_TOKENS = 9,
    LEAST_TEXT = 256,
    LEAST_SLOTS = 64,
    MOST_SLOTS = 1 << 15
};

/* A word of up to 24 bytes in three numbers; with its length they tell it from
 * all others. */
struct word_key {
    uint64_t parts[3];
};

/* 64 bytes: a line of the processor's cache. */
struct cached_word {
    struct word_key key;
    uint8_t length; /* 0: empty */
    uint8_t count;
    int32_t ids[CACHED_TOKENS];
};

static uint64_t load_8(const char *text)
{
    uint64_t part;
    memcpy(&part, text, sizeof part);
    return part;
}

static uint64_t load_4(const char *text)
{
    uint32_t part;
    memcpy(&part, text, sizeof part);
    return part;
}

/* Words are read in pieces of fixed size that may overlap. */
static struct word_key key_of(const char *text, size_t length)
{
    struct word_key key = {{0, 0, 0}};
    if (length > 16) {
        key.parts[0] = load_8(text);
        key.parts[1] = load_8(text + 8);
        key.parts[2] = load_8(text + length - 8);
    } else if (length >= 8) {
        key.parts[0] = load_8(text);
        key.parts[1] = load_8(text + length - 8);
    } else if (length >= 4) {
        key.parts[0] = load_4(text) | load_4(text + length - 4) << 32;
    } else {
        key.parts[0] = (uint64_t)(unsigned char)text[0] |
                       (uint64_t)(unsigned char)text[length / 2] << 8 |
                       (uint64_t)(unsigned char)text[length - 1] << 16;
    }
    return key;
}

static uint64_t slot_of(const struct encoder *encoder, const struct word_key *key, size_t length)
{
    uint64_t hash = (key->parts[0] ^ length) * 0x9E3779B97F4A7C15ull;
    hash = (hash ^ hash >> 32 ^ key->parts[1]) * 0xD6E8FEB86659FD93ull;
    hash = (hash ^ hash >> 32 ^ key->parts[2]) * 0xC2B2AE3D27D4EB4Full;
    return hash >> 40 & encoder->word_mask;
}

bool loam_words_begin(struct encoder *encoder, size_t text_length)
{
    uint64_t slots = LEAST_SLOTS;
    while (slots < text_length / 4 && slots < MOST_SLOTS)
        slots *= 2;
    if (text_length < LEAST_TEXT || encoder->tokenizer->kind == TOKENIZER_RWKV)
        return true;
    encoder->words = loam_memory_get_zero(encoder->memory, slots, sizeof *encoder->words);
    encoder->word_mask = slots - 1;
    return encoder->words != NULL;
}

static loam_status encode(struct encoder *encoder, struct token_list *out, const char *text,
                          size_t length, loam_error *error)
{
    switch (encoder->tokenizer->kind) {
    case TOKENIZER_BPE:
        return loam_bpe_encode(encoder, out, text, length, error);
    case TOKENIZER_WORDPIECE:
        return loam_wordpiece_encode(encoder, out, text, length, error);
    case TOKENIZER_UNIGRAM:
        return loam_unigram_encode(encoder, out, text, length, error);
    default:
        return loam_spm_encode(encoder, out, text, length, error);
    }
}

loam_status loam_encode_word(struct encoder *encoder, struct token_list *out, const char *text,
                             size_t length, loam_error *error)
{
    if (length > CACHED_BYTES || !encoder->words)
        return encode(encoder, out, text, length, error);
    struct word_key key = key_of(text, length);
    struct cached_word *word = &encoder->words[slot_of(encoder, &key, length)];
    if (word->length == length && word->key.parts[0] == key.parts[0] &&
        word->key.parts[1] == key.parts[1] && word->key.parts[2] == key.parts[2] &&
        out->capacity - out->count >= CACHED_TOKENS) {
        memcpy(out->ids + out->count, word->ids, sizeof word->ids);
        out->count += word->count;
        return LOAM_OK;
    }
    size_t before = out->count;
    loam_status status = encode(encoder, out, text, length, error);
    if (!status && out->count - before <= CACHED_TOKENS) {
        word->key = key;
        word->length = (uint8_t)length;
        word->count = (uint8_t)(out->count - before);
        if (word->count)
            memcpy(word->ids, out->ids + before, word->count * sizeof *word->ids);
    }
    return status;
}

bool loam_encoder_reserve(struct encoder *encoder, uint64_t bytes)
{
    return bytes <= encoder->buffer_capacity ||
           loam_memory_grow(encoder->memory, (void **)&encoder->buffer, &encoder->buffer_capacity,
                            bytes, 1);
}

void loam_encoder_end(struct encoder *encoder)
{
    loam_memory_free(encoder->memory, encoder->symbols);
    loam_memory_free(encoder->memory, encoder->queue);
    loam_memory_free(encoder->memory, encoder->buckets);
    loam_memory_free(encoder->memory, encoder->nodes);
    loam_memory_free(encoder->memory, encoder->buffer);
    loam_memory_free(encoder->memory, encoder->best);
    loam_memory_free(encoder->memory, encoder->words);
    loam_pipeline_scratch_end(encoder);
}

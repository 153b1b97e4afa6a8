/* SPDX-License-Identifier: MIT */
/*
 * Texts repeat their words: short ones are remembered with their tokens for the
 * length of a call. A word replaces another in its slot, so that memory stays
 * bounded; what is remembered never changes a result.
 */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

enum {
    CACHED_BYTES = 22,
    CACHED_TOKENS = 10,
    LEAST_TEXT = 256,
    LEAST_SLOTS = 64,
    MOST_SLOTS = 1 << 15
};

/* 64 bytes: a line of the processor's cache. */
struct cached_word {
    uint8_t length; /* 0: empty */
    uint8_t count;
    char text[CACHED_BYTES];
    int32_t ids[CACHED_TOKENS];
};

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
    struct cached_word *word =
        &encoder->words[loam_vocabulary_hash(text, length) & encoder->word_mask];
    if (word->length == length && memcmp(word->text, text, length) == 0 &&
        out->capacity - out->count >= CACHED_TOKENS) {
        memcpy(out->ids + out->count, word->ids, sizeof word->ids);
        out->count += word->count;
        return LOAM_OK;
    }
    size_t before = out->count;
    loam_status status = encode(encoder, out, text, length, error);
    if (!status && out->count - before <= CACHED_TOKENS) {
        word->length = (uint8_t)length;
        word->count = (uint8_t)(out->count - before);
        memcpy(word->text, text, length);
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
    loam_memory_free(encoder->memory, encoder->buffer);
    loam_memory_free(encoder->memory, encoder->best);
    loam_memory_free(encoder->memory, encoder->words);
}

/* SPDX-License-Identifier: MIT */
/* SentencePiece's byte-pair encoding: the pair whose text has the best score
 * is merged first, ties to the left; what has no token falls to byte tokens
 * (Kudo and Richardson, 2018). A text that spells the name of a byte token
 * stays text. */
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

/* Larger scores have smaller ranks: the bits of a float in their order, which
 * is that of signed magnitudes, turned round. Never NO_RANK. */
static uint32_t rank_of_score(float score)
{
    uint32_t bits;
    score += 0.0f; /* -0 is 0 */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7FFFFFFF;
}

static void rank(const struct tokenizer *t, const char *text, struct symbol *left,
                 const struct symbol *right)
{
    uint32_t length = left->length + right->length;
    left->rank = NO_RANK;
    if (length > t->longest)
        return;
    int32_t id = loam_vocabulary_find(t, text + left->start, length);
    if (id < 0 || (t->tokens[id].flags & LOAM_TOKEN_BYTE))
        return;
    left->rank = rank_of_score(t->tokens[id].score);
    left->result = id;
}

/* Where the file has merges, as tokenizer.json does, they decide. */
static void rank_by_merge(const struct tokenizer *t, const char *text, struct symbol *left,
                          const struct symbol *right)
{
    (void)text;
    const struct merge *merge = loam_vocabulary_merge(t, left->token, right->token);
    left->rank = merge ? merge->rank : NO_RANK;
    left->result = merge ? merge->result : -1;
}

/* One unknown for the character, or for several in a row. */
static loam_status emit_unknown(struct encoder *encoder, struct token_list *out, size_t first,
                                loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    bool repeats = t->fuses_unknown && out->count > first && out->ids[out->count - 1] == t->unknown;
    return t->unknown < 0 || repeats ? LOAM_OK
                                     : loam_tokenizer_push(out, encoder->memory, t->unknown, error);
}

/* first: tokens that were there before the word */
static loam_status emit(struct encoder *encoder, struct token_list *out, const char *text,
                        const struct symbol *symbol, size_t first, loam_error *error)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    int32_t id = symbol->token >= 0
                     ? symbol->token
                     : loam_vocabulary_find(tokenizer, text + symbol->start, symbol->length);
    if (id >= 0)
        return loam_tokenizer_push(out, encoder->memory, id, error);
    loam_status status = LOAM_OK;
    const char *bytes = text + symbol->start;
    for (uint32_t i = 0; i < symbol->length; i++) /* without tokens for all of its bytes */
        if (tokenizer->byte_tokens[(unsigned char)bytes[i]] < 0)
            return emit_unknown(encoder, out, first, error);
    for (uint32_t i = 0; !status && i < symbol->length; i++)
        status = loam_tokenizer_push(out, encoder->memory,
                                     tokenizer->byte_tokens[(unsigned char)bytes[i]], error);
    return status;
}

/* Appends text to the buffer, spaces as U+2581. */
static bool escape(struct encoder *encoder, const char *text, size_t length)
{
    if (!loam_encoder_reserve(encoder, encoder->buffer_count + 3 * (uint64_t)length))
        return false;
    char *out = encoder->buffer + encoder->buffer_count;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ') {
            memcpy(out, "\xE2\x96\x81", 3);
            out += 3;
        } else {
            *out++ = text[i];
        }
    }
    encoder->buffer_count = (size_t)(out - encoder->buffer);
    return true;
}

/* The text in the buffer. */
static loam_status encode_buffer(struct encoder *encoder, struct token_list *out, loam_error *error)
{
    const char *text = encoder->buffer;
    size_t length = encoder->buffer_count, count = 0, first = out->count;
    const struct tokenizer *t = encoder->tokenizer;
    if (!loam_merge_reserve(encoder, length))
        return loam_fail_memory(error, length * sizeof(struct symbol));
    for (size_t i = 0; i < length; count++) { /* a symbol for each character */
        uint32_t c;
        size_t bytes = loam_utf8_decode(&c, text + i, length - i);
        encoder->symbols[count] =
            (struct symbol){.start = (uint32_t)i,
                            .length = (uint32_t)bytes,
                            .token = t->merges ? loam_vocabulary_find(t, text + i, bytes) : -1,
                            .result = -1};
        i += bytes;
    }
    count = loam_merge_all(encoder, text, count, t->merges ? rank_by_merge : rank);
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < count; i++)
        status = emit(encoder, out, text, &encoder->symbols[i], first, error);
    return status;
}

loam_status loam_spm_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error)
{
    encoder->buffer_count = 0;
    if (!escape(encoder, text, length))
        return loam_fail_memory(error, 3 * (uint64_t)length);
    return encode_buffer(encoder, out, error);
}

/* Bytes of the first part of a text that can be merged on its own. It ends where
 * a character begins. */
static size_t part_of(const struct tokenizer *t, const char *text, size_t length)
{
    size_t size;
    unsigned char before = 0;
    for (size_t i = 0; i < length; i += size) {
        unsigned char byte = loam_vocabulary_joint(text + i, length - i, &size);
        if (i > 0 && (byte & 0xC0) != 0x80 && !loam_vocabulary_joins(t, before, byte))
            return i;
        before = byte;
    }
    return length;
}

/* One more space stands in front where the vocabulary asks for it. If the text
 * begins with spaces itself, they are one run. */
loam_status loam_spm_append(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    size_t at = 0;
    loam_status status = LOAM_OK;
    if (t->adds_space && !encoder->continues) {
        at = part_of(t, text, length);
        encoder->buffer_count = 0;
        if (!escape(encoder, " ", 1) || !escape(encoder, text, at))
            return loam_fail_memory(error, 3 * (uint64_t)at);
        status = encode_buffer(encoder, out, error);
    }
    for (size_t part, before; !status && at < length; at += part) {
        part = part_of(t, text + at, length - at);
        before = out->count;
        status = loam_encode_word(encoder, out, text + at, part, error);
        bool repeats = t->fuses_unknown && at > 0 && out->count > before &&
                       out->ids[before] == t->unknown && out->ids[before - 1] == t->unknown;
        if (!status && repeats) { /* unknown neighbours of two parts */
            memmove(out->ids + before, out->ids + before + 1,
                    (out->count - before - 1) * sizeof *out->ids);
            out->count--;
        }
    }
    return status;
}

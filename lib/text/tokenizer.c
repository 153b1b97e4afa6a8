/* SPDX-License-Identifier: MIT */
/* Text to tokens: special tokens first, then words or escaped text between
 * them; and what a vocabulary says of itself. */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

loam_status loam_tokenizer_push(struct token_list *list, struct memory *memory, int32_t id,
                                loam_error *error)
{
    if (!loam_memory_grow(memory, (void **)&list->ids, &list->capacity, (uint64_t)list->count + 1,
                          sizeof id))
        return loam_fail_memory(error, (list->count + 1) * sizeof id);
    list->ids[list->count++] = id;
    return LOAM_OK;
}

/* Text without special tokens, by splitter and merges. */
static loam_status append_words(struct encoder *encoder, struct token_list *list, const char *text,
                                size_t length, loam_error *error)
{
    struct split_walk walk;
    loam_status status = LOAM_OK;
    loam_split_begin(&walk, &encoder->tokenizer->splitter, text, length);
    for (size_t at = 0, word; !status && (word = loam_split_next(&walk)) > 0; at += word)
        status = loam_bpe_encode(encoder, list, text + at, word, error);
    return status;
}

/* Bytes of the first part of escaped text that can be merged on its own: up to
 * the next beginning of a run of spaces, over which no token reaches. */
static size_t part_of(const struct tokenizer *t, const char *text, size_t length)
{
    if (t->crosses_spaces)
        return length;
    size_t i = 0;
    while (length - i >= 3 && memcmp(text + i, "\xE2\x96\x81", 3) == 0)
        i += 3;
    const char *next = text + i;
    while (next && length - (size_t)(next - text) >= 3) {
        next = memchr(next, 0xE2, length - (size_t)(next - text) - 2);
        if (next && memcmp(next, "\xE2\x96\x81", 3) == 0)
            return (size_t)(next - text);
        next = next ? next + 1 : NULL;
    }
    return length;
}

/* Text without special tokens, spaces as U+2581, one more in front where the
 * vocabulary asks for it. */
static loam_status append_escaped(struct encoder *encoder, struct token_list *list,
                                  const char *text, size_t length, loam_error *error)
{
    uint64_t room = 3 * ((uint64_t)length + 1);
    char *escaped = loam_memory_get(encoder->memory, room, 1);
    if (!escaped)
        return loam_fail_memory(error, room);
    size_t written = 0, space = encoder->tokenizer->adds_space ? 1 : 0;
    for (size_t i = 0; i < length + space; i++) {
        char c = i < space ? ' ' : text[i - space];
        if (c == ' ') {
            memcpy(escaped + written, "\xE2\x96\x81", 3);
            written += 3;
        } else {
            escaped[written++] = c;
        }
    }
    loam_status status = LOAM_OK;
    for (size_t at = 0, part; !status && at < written; at += part) {
        part = part_of(encoder->tokenizer, escaped + at, written - at);
        status = loam_spm_encode(encoder, list, escaped + at, part, error);
    }
    loam_memory_free(encoder->memory, escaped);
    return status;
}

/* What lies between special tokens. The beginning of the text counts as one:
 * every stretch gets the space that SentencePiece puts in front. */
static loam_status append_plain(struct encoder *encoder, struct token_list *list, const char *text,
                                size_t length, loam_error *error)
{
    if (length == 0)
        return LOAM_OK;
    return encoder->tokenizer->kind == TOKENIZER_BPE
               ? append_words(encoder, list, text, length, error)
               : append_escaped(encoder, list, text, length, error);
}

static bool is_ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static loam_status append_all(struct encoder *encoder, struct token_list *list, const char *text,
                              size_t length, bool control, loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    size_t start = 0;
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < length;) {
        int32_t id = loam_special_at(t, text + i, length - i, control);
        if (id < 0) {
            i++;
            continue;
        }
        status = append_plain(encoder, list, text + start, i - start, error);
        if (!status)
            status = loam_tokenizer_push(list, encoder->memory, id, error);
        i += t->tokens[id].text_length;
        while (t->tokens[id].takes_spaces && i < length && is_ascii_space(text[i]))
            i++;
        start = i;
    }
    return status ? status : append_plain(encoder, list, text + start, length - start, error);
}

loam_status loam_tokenizer_append(struct token_list *list, const struct tokenizer *t,
                                  struct memory *memory, const char *text, size_t length,
                                  uint32_t flags, loam_error *error)
{
    struct encoder encoder = {.tokenizer = t, .memory = memory};
    loam_status status = LOAM_OK;
    if (length > INT32_MAX / 4)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "the text has %zu bytes, at most %d", length,
                         INT32_MAX / 4);
    if ((flags & LOAM_ENCODE_ADD_SPECIAL) && t->adds_begin)
        status = loam_tokenizer_push(list, memory, t->begin, error);
    if (!status)
        status = append_all(&encoder, list, text, length, (flags & LOAM_ENCODE_PARSE_SPECIAL) != 0,
                            error);
    if (!status && (flags & LOAM_ENCODE_ADD_SPECIAL) && t->adds_end)
        status = loam_tokenizer_push(list, memory, t->end, error);
    loam_memory_free(memory, encoder.symbols);
    loam_memory_free(memory, encoder.heap);
    return status;
}

size_t loam_tokenizer_piece(char *out, size_t capacity, const struct tokenizer *t, int32_t id,
                            bool show_special)
{
    const struct token *token = &t->tokens[id];
    if ((token->flags & (LOAM_TOKEN_CONTROL | LOAM_TOKEN_UNKNOWN)) && !show_special)
        return 0;
    if (capacity)
        memcpy(out, token->piece, loam_min(token->piece_length, capacity));
    return token->piece_length;
}

bool loam_tokenizer_strips_space(const struct tokenizer *t)
{
    return t->kind == TOKENIZER_SPM && t->adds_space;
}

uint32_t loam_tokenizer_count(const struct tokenizer *t)
{
    return t->count;
}

uint32_t loam_tokenizer_flags(const struct tokenizer *t, int32_t id)
{
    return t->tokens[id].flags;
}

void loam_tokenizer_describe_token(loam_token_info *out, const struct tokenizer *t, int32_t id)
{
    const struct token *token = &t->tokens[id];
    out->text = (loam_string){token->text, token->text_length};
    out->score = token->score;
    out->flags = token->flags;
}

void loam_tokenizer_describe(loam_tokenizer_info *out, const struct tokenizer *t)
{
    out->kind = t->kind_name;
    out->splitter = t->splitter_name;
    out->chat_template = t->chat_template;
    out->token_count = t->count;
    out->begin_token = t->begin;
    out->end_token = t->end;
    out->adds_begin = t->adds_begin;
}

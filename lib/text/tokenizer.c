/* SPDX-License-Identifier: MIT */
/* Text to tokens: special tokens first, then words or escaped text between
 * them; and what a vocabulary says of itself. */
#include "text/tokenizer.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

bool loam_token_list_grow(struct token_list *list, struct memory *memory, uint64_t wanted)
{
    if (wanted <= list->capacity)
        return true;
    struct token_list own = *list;
    if (list->given && list->ids == list->given) {
        own.ids = NULL;
        own.capacity = 0;
    }
    if (!loam_memory_grow(memory, (void **)&own.ids, &own.capacity, wanted, sizeof *own.ids))
        return false;
    if (list->ids == list->given && list->count)
        memcpy(own.ids, list->given, list->count * sizeof *own.ids);
    *list = own;
    return true;
}

void loam_token_list_end(struct token_list *list, struct memory *memory)
{
    if (list->ids != list->given)
        loam_memory_free(memory, list->ids);
    *list = (struct token_list){0};
}

loam_status loam_tokenizer_push(struct token_list *list, struct memory *memory, int32_t id,
                                loam_error *error)
{
    if (list->count < list->capacity) {
        list->ids[list->count++] = id;
        return LOAM_OK;
    }
    if (!loam_token_list_grow(list, memory, (uint64_t)list->count + 1))
        return loam_fail_memory(error, (list->count + 1) * sizeof id);
    list->ids[list->count++] = id;
    return LOAM_OK;
}

/* What lies between special tokens. The beginning of the text counts as one:
 * every stretch gets the space that SentencePiece puts in front. */
static loam_status append_plain(struct encoder *encoder, struct token_list *list, const char *text,
                                size_t start, size_t end, loam_error *error)
{
    size_t length = end - start;
    if (length == 0)
        return LOAM_OK;
    text += start;
    if (encoder->tokenizer->pipeline)
        return loam_pipeline_append(encoder, list, text, length, start == 0, error);
    switch (encoder->tokenizer->kind) {
    case TOKENIZER_BPE:
        return loam_bpe_append(encoder, list, text, length, error);
    case TOKENIZER_WORDPIECE:
        return loam_wordpiece_append(encoder, list, text, length, error);
    case TOKENIZER_UNIGRAM:
        return loam_unigram_append(encoder, list, text, length, error);
    case TOKENIZER_RWKV:
        return loam_rwkv_append(encoder, list, text, length, error);
    default:
        return loam_spm_append(encoder, list, text, length, error);
    }
}

/* Bytes of the white space that text[at] is, or 0. */
static size_t space_at(const char *text, size_t length, size_t at)
{
    uint32_t c;
    size_t size = loam_utf8_decode(&c, text + at, length - at);
    return c <= 0x10FFFF && loam_unicode_is_space(c) ? size : 0;
}

/* Where the white space before `end` begins, not before `start`. */
static size_t before_spaces(const char *text, size_t start, size_t end)
{
    while (end > start) {
        size_t at = end - 1;
        while (at > start && ((unsigned char)text[at] & 0xC0) == 0x80)
            at--;
        if (space_at(text, end, at) != end - at)
            break;
        end = at;
    }
    return end;
}

/* As regular expressions have it: alphabetic characters, marks, digits,
 * connectors, joiners. */
static bool is_word(uint32_t c)
{
    if (c >= 0x110000)
        return false;
    uint32_t in = loam_unicode_category_mask("L", 1) | loam_unicode_category_mask("M", 1) |
                  1u << CATEGORY_ND | 1u << CATEGORY_NL | 1u << CATEGORY_PC;
    return (in >> loam_unicode_category(c) & 1) || c == 0x200C || c == 0x200D ||
           (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

/* Whether no word goes on before or behind text[at..at + size). */
static bool stands_alone(const char *text, size_t length, size_t at, size_t size)
{
    uint32_t c = UINT32_MAX;
    size_t before = at;
    while (before > 0 && at - before < 4) {
        before--;
        if (((unsigned char)text[before] & 0xC0) != 0x80)
            break;
    }
    if (at > 0 && loam_utf8_decode(&c, text + before, at - before) == at - before && is_word(c))
        return false;
    at += size;
    if (at == length)
        return true;
    loam_utf8_decode(&c, text + at, length - at);
    return !is_word(c);
}

/* Where control tokens may stand: the stretches that are not data. */
struct trusted {
    const loam_text_span *spans; /* NULL: everywhere */
    size_t count, next;          /* the span that the position is in or before */
    bool control;                /* false: nowhere */
};

/* The longest special token at text[at]: control tokens inside the trusted
 * stretch around it, user-defined ones anywhere. */
static int32_t special_at(const struct tokenizer *t, struct trusted *trusted, const char *text,
                          size_t length, size_t at)
{
    if (!trusted->spans || !trusted->control)
        return loam_special_at(t, text + at, length - at, trusted->control);
    const loam_text_span *span = &trusted->spans[trusted->next];
    while (trusted->next < trusted->count && span->offset + span->length <= at)
        span = &trusted->spans[++trusted->next];
    int32_t user = loam_special_at(t, text + at, length - at, false);
    if (trusted->next == trusted->count || span->from_data || span->offset > at)
        return user;
    int32_t any = loam_special_at(t, text + at, span->offset + span->length - at, true);
    bool longer =
        any >= 0 && (user < 0 || t->tokens[any].text_length >= t->tokens[user].text_length);
    return longer ? any : user;
}

static loam_status append_all(struct encoder *encoder, struct token_list *list, const char *text,
                              size_t length, struct trusted trusted, loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    size_t start = 0;
    uint8_t wanted = trusted.control ? 3 : 2;
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < length;) {
        while (i < length && !(t->special_first[(unsigned char)text[i]] & wanted))
            i++;
        if (i == length)
            break;
        int32_t id = special_at(t, &trusted, text, length, i);
        if (id < 0) {
            i++;
            continue;
        }
        const struct token *token = &t->tokens[id];
        if (token->whole_word && !stands_alone(text, length, i, token->text_length)) {
            i += token->text_length;
            continue;
        }
        size_t end = token->takes_spaces_before ? before_spaces(text, start, i) : i;
        status = append_plain(encoder, list, text, start, end, error);
        if (!status)
            status = loam_tokenizer_push(list, encoder->memory, id, error);
        i += token->text_length;
        for (size_t size; token->takes_spaces && i < length && (size = space_at(text, length, i));)
            i += size;
        start = i;
    }
    return status ? status : append_plain(encoder, list, text, start, length, error);
}

loam_status loam_tokenizer_append(struct token_list *list, const struct tokenizer *t,
                                  struct memory *memory, const char *text, size_t length,
                                  uint32_t flags, loam_error *error)
{
    return loam_tokenizer_append_spans(list, t, memory, text, length, NULL, 0, flags, error);
}

loam_status loam_tokenizer_append_spans(struct token_list *list, const struct tokenizer *t,
                                        struct memory *memory, const char *text, size_t length,
                                        const loam_text_span *spans, size_t span_count,
                                        uint32_t flags, loam_error *error)
{
    struct trusted trusted = {
        .spans = spans, .count = span_count, .control = (flags & LOAM_ENCODE_PARSE_SPECIAL) != 0};
    struct encoder encoder = {
        .tokenizer = t, .memory = memory, .continues = (flags & TOKENIZER_CONTINUES) != 0};
    loam_status status = LOAM_OK;
    if (length > INT32_MAX / 4)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "the text has %zu bytes, at most %d", length,
                         INT32_MAX / 4);
    /* Most texts have a token for four bytes or more. */
    if (!loam_token_list_grow(list, memory, (uint64_t)list->count + length / 4) ||
        !loam_words_begin(&encoder, length))
        status = loam_fail_memory(error, length);
    if (!status && (flags & LOAM_ENCODE_ADD_SPECIAL) && t->adds_begin)
        status = loam_tokenizer_push(list, memory, t->begin, error);
    if (!status)
        status = append_all(&encoder, list, text, length, trusted, error);
    if (!status && (flags & LOAM_ENCODE_ADD_SPECIAL) && t->adds_end)
        status = loam_tokenizer_push(list, memory, t->end, error);
    if (!status && (flags & LOAM_ENCODE_ADD_SPECIAL) && t->adds_separator)
        status = loam_tokenizer_push(list, memory, t->separator, error);
    loam_encoder_end(&encoder);
    return status;
}

loam_string loam_tokenizer_piece_of(const struct tokenizer *t, int32_t id, bool show_special)
{
    const struct token *token = &t->tokens[id];
    bool hidden = (token->flags & (LOAM_TOKEN_CONTROL | LOAM_TOKEN_UNKNOWN)) && !show_special;
    return (loam_string){token->piece, hidden ? 0 : token->piece_length};
}

size_t loam_tokenizer_piece(char *out, size_t capacity, const struct tokenizer *t, int32_t id,
                            bool show_special)
{
    loam_string piece = loam_tokenizer_piece_of(t, id, show_special);
    size_t count = loam_min(piece.length, capacity);
    if (count)
        memcpy(out, piece.data, count);
    return piece.length;
}

bool loam_tokenizer_strips_space(const struct tokenizer *t)
{
    if (t->pipeline)
        return t->pipeline->strips_space;
    return (t->kind == TOKENIZER_SPM || t->kind == TOKENIZER_UNIGRAM) && t->adds_space;
}

uint32_t loam_tokenizer_added(const struct tokenizer *t)
{
    return (uint32_t)t->adds_begin + t->adds_end + t->adds_separator;
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

loam_string loam_tokenizer_tool_template(const struct tokenizer *t)
{
    return t->tool_template;
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

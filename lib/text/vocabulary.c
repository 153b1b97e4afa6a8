/* SPDX-License-Identifier: MIT */
/* Reading a vocabulary from a file's metadata, everything checked. */
#include "text/vocabulary.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

enum { MAX_TOKENS = 1 << 24, MAX_PROBES = 512 };

/* ---- tables --------------------------------------------------------------- */

/* Both halves of the result are mixed well: one is the slot, one the tag. */
static uint64_t hash_text(const char *text, size_t length)
{
    uint64_t hash = length * 0x9E3779B97F4A7C15ull, part = 0;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&part, text, 8);
        hash = (hash ^ part) * 0xD6E8FEB86659FD93ull;
        hash ^= hash >> 32;
    }
    part = 0;
    for (size_t i = 0; i < length; i++)
        part |= (uint64_t)(unsigned char)text[i] << 8 * i;
    hash = (hash ^ part) * 0xD6E8FEB86659FD93ull;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93ull;
    return hash ^ hash >> 32;
}

static uint64_t hash_pair(int32_t left, int32_t right)
{
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 31;
}

/* The byte that a character of GPT-2's alphabet stands for, or -1: printable
 * Latin-1 stands for itself, the other bytes follow from U+0100 on. */
static int byte_of_character(uint32_t c)
{
    if ((c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}

static bool is_byte_level(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t c;
        i += loam_utf8_decode(&c, text + i, length - i);
        if (byte_of_character(c) < 0)
            return false;
    }
    return true;
}

static bool is_reachable(const struct tokenizer *t, const struct token *token)
{
    if (token->text_length == 0 || (token->flags & (LOAM_TOKEN_CONTROL | LOAM_TOKEN_UNKNOWN)))
        return false;
    return t->kind == TOKENIZER_SPM ||
           (!(token->flags & LOAM_TOKEN_USER) && is_byte_level(token->text, token->text_length));
}

/* What plain text has to be to become that token. */
static loam_string key_of(const struct tokenizer *t, int32_t id)
{
    const struct token *token = &t->tokens[id];
    return t->kind == TOKENIZER_SPM ? (loam_string){token->text, token->text_length}
                                    : (loam_string){token->piece, token->piece_length};
}

/* The slot with that text, or the empty one where it belongs, or NULL after
 * too many steps. */
static struct text_slot *text_slot(const struct tokenizer *t, const char *text, size_t length,
                                   uint64_t hash)
{
    uint64_t at = hash & t->text_mask;
    for (int probes = 0; probes < MAX_PROBES; probes++, at = (at + 1) & t->text_mask) {
        struct text_slot *slot = &t->by_text[at];
        if (slot->id < 0)
            return slot;
        if (slot->tag != (uint32_t)(hash >> 32))
            continue;
        loam_string key = key_of(t, slot->id);
        if (key.length == length && memcmp(key.data, text, length) == 0)
            return slot;
    }
    return NULL;
}

int32_t loam_vocabulary_find(const struct tokenizer *t, const char *text, size_t length)
{
    const struct text_slot *slot = text_slot(t, text, length, hash_text(text, length));
    return slot ? slot->id : -1;
}

static uint64_t merge_slot(const struct tokenizer *t, int32_t left, int32_t right)
{
    uint64_t slot = hash_pair(left, right) & t->merge_mask;
    for (int probes = 0; probes < MAX_PROBES; probes++, slot = (slot + 1) & t->merge_mask)
        if (t->merges[slot].left < 0 ||
            (t->merges[slot].left == left && t->merges[slot].right == right))
            return slot;
    return UINT64_MAX;
}

const struct merge *loam_vocabulary_merge(const struct tokenizer *t, int32_t left, int32_t right)
{
    if (left < 0 || right < 0 || !t->merges)
        return NULL;
    uint64_t slot = merge_slot(t, left, right);
    return slot == UINT64_MAX || t->merges[slot].left < 0 ? NULL : &t->merges[slot];
}

static uint64_t table_size(uint64_t count)
{
    uint64_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

/* ---- pieces --------------------------------------------------------------- */

/* Byte-level text to bytes; characters outside the alphabet stay. */
static uint32_t decode_bytes(char *out, const char *text, size_t length)
{
    uint32_t written = 0;
    for (size_t i = 0; i < length;) {
        uint32_t c;
        size_t size = loam_utf8_decode(&c, text + i, length - i);
        int byte = byte_of_character(c);
        if (byte >= 0)
            out[written++] = (char)byte;
        else {
            memcpy(out + written, text + i, size);
            written += (uint32_t)size;
        }
        i += size;
    }
    return written;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<0x41>" is 0x41; anything else -1. */
static int byte_of_name(const char *text, size_t length)
{
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* SentencePiece text to bytes: U+2581 is a space. */
static uint32_t unescape(char *out, const char *text, size_t length)
{
    uint32_t written = 0;
    for (size_t i = 0; i < length;) {
        if (length - i >= 3 && memcmp(text + i, "\xE2\x96\x81", 3) == 0) {
            out[written++] = ' ';
            i += 3;
        } else {
            out[written++] = text[i++];
        }
    }
    return written;
}

static bool make_piece(struct tokenizer *t, struct token *token)
{
    bool raw = (token->flags & SPECIAL_FLAGS) != 0;
    int byte = token->flags & LOAM_TOKEN_BYTE ? byte_of_name(token->text, token->text_length) : -1;
    if (raw) {
        token->piece = token->text;
        token->piece_length = token->text_length;
        return true;
    }
    char *piece = loam_arena_get(&t->arena, (uint64_t)token->text_length + 1, 1);
    if (!piece)
        return false;
    if (byte >= 0) {
        piece[0] = (char)byte;
        token->piece_length = 1;
    } else if (t->kind == TOKENIZER_SPM) {
        token->piece_length = unescape(piece, token->text, token->text_length);
    } else {
        token->piece_length = decode_bytes(piece, token->text, token->text_length);
    }
    token->piece = piece;
    return true;
}

/* ---- reading -------------------------------------------------------------- */

static uint32_t flags_of_type(int64_t type)
{
    switch (type) { /* token types of the file format */
    case 2:
        return LOAM_TOKEN_UNKNOWN;
    case 3:
        return LOAM_TOKEN_CONTROL;
    case 4:
        return LOAM_TOKEN_USER;
    case 5:
        return LOAM_TOKEN_UNUSED;
    case 6:
        return LOAM_TOKEN_BYTE;
    default:
        return 0;
    }
}

static loam_status check_count(const struct gguf_entry *entry, uint64_t count, const char *key,
                               loam_error *error)
{
    if (!entry || entry->count == count)
        return LOAM_OK;
    return loam_fail(error, LOAM_FORMAT, "%s: has %llu elements for %llu tokens", key,
                     (unsigned long long)entry->count, (unsigned long long)count);
}

/* Whether U+2581 follows something other than U+2581 in the text. */
static bool crosses_space(const char *text, size_t length)
{
    bool space = true, before = true;
    for (size_t i = 0; i < length; before = space) {
        space = length - i >= 3 && memcmp(text + i, "\xE2\x96\x81", 3) == 0;
        if (space && !before)
            return true;
        i += space ? 3 : 1;
    }
    return false;
}

static loam_status read_tokens(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    const struct gguf_entry *texts, *scores, *types;
    loam_status status =
        loam_gguf_get_array(&texts, gguf, "tokenizer.ggml.tokens", GGUF_STRING, true, error);
    if (!status)
        status =
            loam_gguf_get_array(&scores, gguf, "tokenizer.ggml.scores", GGUF_F32, false, error);
    if (!status)
        status =
            loam_gguf_get_array(&types, gguf, "tokenizer.ggml.token_type", GGUF_I32, false, error);
    if (!status && (texts->count == 0 || texts->count > MAX_TOKENS))
        status =
            loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.tokens: %llu tokens, expected 1 to %d",
                      (unsigned long long)texts->count, MAX_TOKENS);
    if (!status)
        status = check_count(scores, texts->count, "tokenizer.ggml.scores", error);
    if (!status)
        status = check_count(types, texts->count, "tokenizer.ggml.token_type", error);
    if (status)
        return status;
    t->count = (uint32_t)texts->count;
    t->tokens = loam_arena_get(&t->arena, t->count, sizeof *t->tokens);
    if (!t->tokens)
        return loam_fail_memory(error, t->count * sizeof *t->tokens);
    for (uint32_t i = 0; i < t->count; i++) {
        struct gguf_string text = texts->strings[i];
        struct token *token = &t->tokens[i];
        float score = scores ? (float)loam_gguf_number(scores, i) : 0;
        if (text.length > UINT16_MAX)
            return loam_fail(error, LOAM_FORMAT,
                             "tokenizer.ggml.tokens: token %u has %zu bytes, at most 65535", i,
                             text.length);
        *token = (struct token){.text = loam_arena_text(&t->arena, text.data, text.length),
                                .text_length = (uint32_t)text.length,
                                .score = score == score ? score : 0,
                                .flags = types ? flags_of_type(loam_gguf_signed(types, i)) : 0};
        if (!token->text || !make_piece(t, token))
            return loam_fail_memory(error, text.length);
        if (text.length > t->longest)
            t->longest = (uint32_t)text.length;
        t->crosses_spaces = t->crosses_spaces || crosses_space(text.data, text.length);
    }
    return LOAM_OK;
}

static loam_status build_text_table(struct tokenizer *t, loam_error *error)
{
    uint64_t size = table_size(t->count);
    t->by_text = loam_arena_get(&t->arena, size, sizeof *t->by_text);
    if (!t->by_text)
        return loam_fail_memory(error, size * sizeof *t->by_text);
    memset(t->by_text, 0xFF, (size_t)size * sizeof *t->by_text);
    t->text_mask = size - 1;
    for (uint32_t i = 0; i < t->count; i++) {
        if (!is_reachable(t, &t->tokens[i]))
            continue;
        loam_string key = key_of(t, (int32_t)i);
        uint64_t hash = hash_text(key.data, key.length);
        struct text_slot *slot = text_slot(t, key.data, key.length, hash);
        if (!slot)
            return loam_fail(error, LOAM_FORMAT,
                             "tokenizer.ggml.tokens: too many tokens hash alike");
        *slot = (struct text_slot){.id = (int32_t)i, .tag = (uint32_t)(hash >> 32)};
    }
    for (int byte = 0; byte < 256; byte++) {
        char name[8] = "<0x00>", one = (char)byte;
        name[3] = "0123456789ABCDEF"[byte >> 4];
        name[4] = "0123456789ABCDEF"[byte & 15];
        t->byte_tokens[byte] = t->kind == TOKENIZER_SPM ? loam_vocabulary_find(t, name, 6)
                                                        : loam_vocabulary_find(t, &one, 1);
    }
    return LOAM_OK;
}

/* Both halves of "left right" as tokens. Merges that name texts which are no
 * tokens, or make one, are left out: they could only lead to bytes again. */
static loam_status add_merge(struct tokenizer *t, struct gguf_string text, uint32_t rank,
                             char *scratch, loam_error *error)
{
    const char *space = text.length > 2 ? memchr(text.data + 1, ' ', text.length - 2) : NULL;
    if (!space)
        return loam_fail(
            error, LOAM_FORMAT,
            "tokenizer.ggml.merges: merge %u (\"%.*s\") is not two texts with a space between",
            rank, LOAM_SHOWN(text.length), text.data);
    size_t left_length = (size_t)(space - text.data), right_length = text.length - left_length - 1;
    uint32_t left_bytes = decode_bytes(scratch, text.data, left_length);
    uint32_t right_bytes = decode_bytes(scratch + left_bytes, space + 1, right_length);
    int32_t left = loam_vocabulary_find(t, scratch, left_bytes);
    int32_t right = loam_vocabulary_find(t, scratch + left_bytes, right_bytes);
    int32_t result = loam_vocabulary_find(t, scratch, left_bytes + right_bytes);
    if (left < 0 || right < 0 || result < 0)
        return LOAM_OK;
    uint64_t slot = merge_slot(t, left, right);
    if (slot == UINT64_MAX)
        return loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.merges: too many merges hash alike");
    if (t->merges[slot].left < 0) /* the first of equal ones is the strongest */
        t->merges[slot] =
            (struct merge){.left = left, .right = right, .result = result, .rank = rank};
    return LOAM_OK;
}

static loam_status read_merges(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    const struct gguf_entry *merges;
    loam_status status = loam_gguf_get_array(&merges, gguf, "tokenizer.ggml.merges", GGUF_STRING,
                                             t->kind == TOKENIZER_BPE, error);
    if (status || !merges || t->kind != TOKENIZER_BPE)
        return status;
    if (merges->count > MAX_TOKENS)
        return loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.merges: %llu merges, at most %d",
                         (unsigned long long)merges->count, MAX_TOKENS);
    uint64_t size = table_size(merges->count), longest = 0;
    for (uint64_t i = 0; i < merges->count; i++)
        longest = loam_max(longest, merges->strings[i].length);
    t->merges = loam_arena_get(&t->arena, size, sizeof *t->merges);
    char *scratch = loam_memory_get(t->memory, longest + 1, 1);
    if (!t->merges || !scratch) {
        loam_memory_free(t->memory, scratch);
        return loam_fail_memory(error, size * sizeof *t->merges);
    }
    t->merge_mask = size - 1;
    for (uint64_t i = 0; i < size; i++)
        t->merges[i].left = -1;
    for (uint64_t i = 0; !status && i < merges->count; i++)
        status = add_merge(t, merges->strings[i], (uint32_t)i, scratch, error);
    loam_memory_free(t->memory, scratch);
    return status;
}

/* ---- special tokens ------------------------------------------------------- */

static loam_status read_id(int32_t *out, const struct tokenizer *t, const struct gguf *gguf,
                           const char *key, int32_t fallback, loam_error *error)
{
    uint32_t id, none = UINT32_MAX;
    loam_status status = loam_gguf_get_u32(&id, gguf, key, &none, error);
    *out = fallback >= 0 && (uint32_t)fallback < t->count ? fallback : -1;
    if (status || id == UINT32_MAX) /* converters write all ones for "none" */
        return status;
    if (id >= t->count)
        return loam_fail(error, LOAM_FORMAT, "%s: found %u, expected less than the %u tokens", key,
                         id, t->count);
    *out = (int32_t)id;
    return LOAM_OK;
}

static loam_status read_special_ids(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    static const char *const ends[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id",
                                       "tokenizer.ggml.eog_token_id"};
    static const char *const others[] = {
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.seperator_token_id",
        "tokenizer.ggml.cls_token_id", "tokenizer.ggml.mask_token_id"};
    bool spm = t->kind == TOKENIZER_SPM;
    int32_t id;
    loam_status status =
        read_id(&t->begin, t, gguf, "tokenizer.ggml.bos_token_id", spm ? 1 : -1, error);
    if (!status)
        status = read_id(&t->end, t, gguf, "tokenizer.ggml.eos_token_id", spm ? 2 : -1, error);
    if (!status)
        status =
            read_id(&t->unknown, t, gguf, "tokenizer.ggml.unknown_token_id", spm ? 0 : -1, error);
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(others); i++)
        status = read_id(&id, t, gguf, others[i], -1, error);
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(ends); i++) {
        status = read_id(&id, t, gguf, ends[i], -1, error);
        if (!status && id >= 0)
            t->tokens[id].flags |= LOAM_TOKEN_END;
    }
    if (status)
        return status;
    loam_vocabulary_mark_by_name(t);
    if (t->end >= 0)
        t->tokens[t->end].flags |= LOAM_TOKEN_END;
    bool begins = spm || t->pattern->adds_begin, spaces = spm, no = false;
    status =
        loam_gguf_get_bool(&t->adds_begin, gguf, "tokenizer.ggml.add_bos_token", &begins, error);
    if (!status)
        status = loam_gguf_get_bool(&t->adds_end, gguf, "tokenizer.ggml.add_eos_token", &no, error);
    if (!status)
        status = loam_gguf_get_bool(&t->adds_space, gguf, "tokenizer.ggml.add_space_prefix",
                                    &spaces, error);
    t->adds_begin = t->adds_begin && t->begin >= 0;
    t->adds_end = t->adds_end && t->end >= 0;
    return status;
}

/* The bytes of general.name in lower case hold one of the texts. */
static bool is_named(struct gguf_string name, const char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0; at + size <= name.length; at++) {
        size_t i = 0;
        while (i < size && (name.data[at + i] == text[i] ||
                            (text[i] >= 'a' && (name.data[at + i] | 0x20) == text[i])))
            i++;
        if (i == size)
            return true;
    }
    return false;
}

/* The tokens of Phi-3 take the white space behind them with them, but for
 * three. Its files do not say so; the reference goes by the model's name. */
static loam_status mark_space_takers(struct tokenizer *t, const struct gguf *gguf,
                                     loam_error *error)
{
    static const char *const others[] = {"<unk>", "<s>", "<|endoftext|>"};
    struct gguf_string name, none = {"", 0};
    loam_status status = loam_gguf_get_string(&name, gguf, "general.name", &none, error);
    if (status || !(is_named(name, "phi-3") || is_named(name, "phi3")))
        return status;
    for (uint32_t i = 0; i < t->count; i++) {
        struct token *token = &t->tokens[i];
        token->takes_spaces = (token->flags & SPECIAL_FLAGS) != 0;
        for (size_t k = 0; k < LOAM_COUNT_OF(others); k++)
            if (strcmp(token->text, others[k]) == 0)
                token->takes_spaces = false;
    }
    return LOAM_OK;
}

/* ---- the whole ------------------------------------------------------------ */

static bool same(struct gguf_string text, const char *name)
{
    return text.length == strlen(name) && memcmp(text.data, name, text.length) == 0;
}

static bool keep(struct tokenizer *t, loam_string *out, struct gguf_string text)
{
    out->data = loam_arena_text(&t->arena, text.data, text.length);
    out->length = text.length;
    return out->data != NULL;
}

static loam_status fail_splitter(struct gguf_string name, loam_error *error)
{
    const struct split_pattern *pattern;
    char list[512];
    size_t length = 0;
    for (size_t i = 0; (pattern = loam_pattern_at(i)) != NULL; i++) {
        size_t size = strcspn(pattern->names, " ");
        if (length + size + 3 > sizeof list)
            break;
        memcpy(list + length, ", ", 2);
        memcpy(list + length + 2, pattern->names, size);
        length += size + 2;
    }
    return loam_fail(error, LOAM_UNSUPPORTED,
                     "tokenizer.ggml.pre: \"%.*s\" is not supported; supported: %.*s and others "
                     "that split like these",
                     LOAM_SHOWN(name.length), name.data, (int)length - 2, list + 2);
}

static loam_status read_kind(struct tokenizer *t, const struct gguf *gguf, struct gguf_string kind,
                             loam_error *error)
{
    struct gguf_string none = {"", 0}, splitter, template;
    loam_status status = loam_gguf_get_string(&splitter, gguf, "tokenizer.ggml.pre", &none, error);
    if (!status)
        status = loam_gguf_get_string(&template, gguf, "tokenizer.chat_template", &none, error);
    if (status)
        return status;
    if (!same(kind, "llama") && !same(kind, "gpt2"))
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "tokenizer.ggml.model: \"%.*s\" is not supported; supported: llama, gpt2",
                         LOAM_SHOWN(kind.length), kind.data);
    t->kind = same(kind, "llama") ? TOKENIZER_SPM : TOKENIZER_BPE;
    if (t->kind == TOKENIZER_BPE)
        t->pattern = splitter.length ? loam_pattern_find(splitter.data, splitter.length)
                                     : loam_pattern_find("gpt-2", 5);
    if (t->kind == TOKENIZER_BPE && !t->pattern)
        return fail_splitter(splitter, error);
    if (t->kind == TOKENIZER_BPE)
        status = loam_split_create(&t->splitter, t->pattern, &t->arena, error);
    if (status)
        return status;
    if (!keep(t, &t->kind_name, kind) || !keep(t, &t->splitter_name, splitter) ||
        !keep(t, &t->chat_template, template))
        return loam_fail_memory(error, template.length);
    return LOAM_OK;
}

static loam_status fill(struct tokenizer *t, const struct gguf *gguf, struct gguf_string kind,
                        loam_error *error)
{
    loam_status status = read_kind(t, gguf, kind, error);
    if (!status)
        status = read_tokens(t, gguf, error);
    if (!status)
        status = read_special_ids(t, gguf, error);
    if (!status)
        status = mark_space_takers(t, gguf, error);
    if (!status)
        status = build_text_table(t, error);
    if (!status)
        status = read_merges(t, gguf, error);
    return status ? status : loam_special_build(t, error);
}

loam_status loam_tokenizer_create(struct tokenizer **out, const struct gguf *gguf,
                                  struct memory *memory, loam_error *error)
{
    struct gguf_string kind, none = {"no_vocab", 8};
    *out = NULL;
    loam_status status = loam_gguf_get_string(&kind, gguf, "tokenizer.ggml.model", &none, error);
    if (status || same(kind, "no_vocab"))
        return status;
    struct tokenizer *t = loam_memory_get_zero(memory, 1, sizeof *t);
    if (!t)
        return loam_fail_memory(error, sizeof *t);
    t->memory = memory;
    loam_arena_init(&t->arena, memory);
    status = fill(t, gguf, kind, error);
    if (status) {
        loam_tokenizer_destroy(t);
        return status;
    }
    *out = t;
    return LOAM_OK;
}

void loam_tokenizer_destroy(struct tokenizer *t)
{
    if (!t)
        return;
    struct memory *memory = t->memory;
    loam_arena_end(&t->arena);
    loam_memory_free(memory, t);
}

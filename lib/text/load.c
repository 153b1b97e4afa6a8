/* SPDX-License-Identifier: MIT */
/* Reading a vocabulary from a file's metadata, everything checked. */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

#include <float.h>

/* ---- tokens ---------------------------------------------------------------- */

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

struct token_arrays {
    const struct gguf_entry *texts, *scores, *types; /* the last two may be NULL */
};

static loam_status find_arrays(struct token_arrays *out, const struct gguf *gguf, loam_error *error)
{
    loam_status status =
        loam_gguf_get_array(&out->texts, gguf, "tokenizer.ggml.tokens", GGUF_STRING, true, error);
    if (!status)
        status = loam_gguf_get_array(&out->scores, gguf, "tokenizer.ggml.scores", GGUF_F32, false,
                                     error);
    if (!status)
        status = loam_gguf_get_array(&out->types, gguf, "tokenizer.ggml.token_type", GGUF_I32,
                                     false, error);
    if (status)
        return status;
    uint64_t count = out->texts->count;
    if (count == 0 || count > VOCABULARY_MAX_TOKENS)
        return loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.tokens: %llu tokens, expected 1 to %d",
                         (unsigned long long)count, VOCABULARY_MAX_TOKENS);
    status = check_count(out->scores, count, "tokenizer.ggml.scores", error);
    return status ? status : check_count(out->types, count, "tokenizer.ggml.token_type", error);
}

/* Texts and pieces, which are never longer, lie one behind the other. */
static loam_status read_tokens(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    struct token_arrays arrays;
    loam_status status = find_arrays(&arrays, gguf, error);
    if (status)
        return status;
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < arrays.texts->count; i++) {
        size_t length = arrays.texts->strings[i].length;
        if (length > UINT16_MAX)
            return loam_fail(error, LOAM_FORMAT,
                             "tokenizer.ggml.tokens: token %llu has %zu bytes, at most 65535",
                             (unsigned long long)i, length);
        bytes += 2 * (uint64_t)length + 2;
    }
    t->count = (uint32_t)arrays.texts->count;
    t->tokens = loam_arena_get(&t->arena, t->count, sizeof *t->tokens);
    char *room = loam_arena_get(&t->arena, bytes, 1);
    if (!t->tokens || !room)
        return loam_fail_memory(error, t->count * sizeof *t->tokens + bytes);
    for (uint32_t i = 0; i < t->count; i++) {
        struct gguf_string text = arrays.texts->strings[i];
        float score = arrays.scores ? (float)loam_gguf_number(arrays.scores, i) : 0;
        uint32_t flags = arrays.types ? flags_of_type(loam_gguf_signed(arrays.types, i)) : 0;
        memcpy(room, text.data, text.length);
        room[text.length] = 0;
        t->tokens[i] = (struct token){.text = room,
                                      .text_length = (uint32_t)text.length,
                                      .score = score == score ? score : 0,
                                      .flags = flags};
        room += text.length + 1;
        loam_piece_make(&t->tokens[i], t->kind, room);
        room += t->tokens[i].piece == room ? text.length + 1 : 0;
        if (text.length > t->longest)
            t->longest = (uint32_t)text.length;
        if (t->kind == TOKENIZER_SPM || t->kind == TOKENIZER_UNIGRAM)
            loam_vocabulary_note_joins(t, &t->tokens[i]);
    }
    return LOAM_OK;
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

/* Ids that files leave out are those of the original program of their kind. */
struct defaults {
    int32_t begin, end, unknown, separator;
    bool adds_begin, adds_end, adds_separator, adds_space;
};

static struct defaults defaults_of(const struct tokenizer *t)
{
    switch (t->kind) {
    case TOKENIZER_SPM:
        return (struct defaults){1, 2, 0, -1, true, false, false, true};
    case TOKENIZER_WORDPIECE:
        return (struct defaults){101, -1, 100, 102, true, false, true, false};
    case TOKENIZER_UNIGRAM:
        return (struct defaults){-1, 1, 2, -1, false, true, false, false};
    case TOKENIZER_RWKV:
        return (struct defaults){-1, -1, -1, -1, false, false, false, false};
    default:
        return (struct defaults){-1, -1, -1, -1, t->pattern->adds_begin, false, false, false};
    }
}

/* Tokens with other uses are checked, and those that end a text marked. */
static loam_status read_other_ids(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    static const char *const ends[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id",
                                       "tokenizer.ggml.eog_token_id"};
    static const char *const others[] = {"tokenizer.ggml.padding_token_id",
                                         "tokenizer.ggml.mask_token_id"};
    int32_t id;
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(others); i++)
        status = read_id(&id, t, gguf, others[i], -1, error);
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(ends); i++) {
        status = read_id(&id, t, gguf, ends[i], -1, error);
        if (!status && id >= 0)
            t->tokens[id].flags |= LOAM_TOKEN_END;
    }
    return status;
}

/* Tokens for filling in, under their newer or older keys. */
static loam_status read_fill_ids(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    loam_status status = LOAM_OK;
    for (int i = 0; !status && i < 2 * FILL_TOKEN_COUNT; i++) {
        const char *key = loam_fill_key((enum fill_token)(i / 2), i % 2);
        int32_t id = -1;
        if (key && t->fill_ids[i / 2] == 0)
            status = read_id(&id, t, gguf, key, -1, error);
        if (!status && id >= 0)
            t->fill_ids[i / 2] = (uint32_t)id + 1;
    }
    return status;
}

static loam_status read_special_ids(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    struct defaults d = defaults_of(t);
    int32_t class_token;
    loam_status status =
        read_id(&class_token, t, gguf, "tokenizer.ggml.cls_token_id", d.begin, error);
    if (!status)
        status = read_id(&t->begin, t, gguf, "tokenizer.ggml.bos_token_id",
                         t->kind == TOKENIZER_WORDPIECE ? class_token : d.begin, error);
    if (!status)
        status = read_id(&t->end, t, gguf, "tokenizer.ggml.eos_token_id", d.end, error);
    if (!status)
        status = read_id(&t->unknown, t, gguf, "tokenizer.ggml.unknown_token_id", d.unknown, error);
    if (!status) /* spelled like that in the format */
        status = read_id(&t->separator, t, gguf, "tokenizer.ggml.seperator_token_id", d.separator,
                         error);
    if (!status)
        status = read_other_ids(t, gguf, error);
    if (!status)
        status = read_fill_ids(t, gguf, error);
    if (status)
        return status;
    loam_vocabulary_mark_by_name(t);
    if (t->end >= 0)
        t->tokens[t->end].flags |= LOAM_TOKEN_END;
    status = loam_gguf_get_bool(&t->adds_begin, gguf, "tokenizer.ggml.add_bos_token", &d.adds_begin,
                                error);
    if (!status)
        status = loam_gguf_get_bool(&t->adds_end, gguf, "tokenizer.ggml.add_eos_token", &d.adds_end,
                                    error);
    if (!status)
        status = loam_gguf_get_bool(&t->adds_space, gguf, "tokenizer.ggml.add_space_prefix",
                                    &d.adds_space, error);
    t->adds_begin = t->adds_begin && t->begin >= 0;
    t->adds_end = t->adds_end && t->end >= 0;
    t->adds_separator = d.adds_separator && t->separator >= 0;
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

/* ---- what single kinds need ------------------------------------------------ */

static loam_status read_wordpiece(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    bool yes = true;
    loam_status status = loam_gguf_get_bool(&t->lower_case, gguf,
                                            "tokenizer.ggml.normalizer.lowercase", &yes, error);
    return status ? status
                  : loam_gguf_get_bool(&t->strips_accents, gguf,
                                       "tokenizer.ggml.normalizer.strip_accents", &t->lower_case,
                                       error);
}

static loam_status read_charsmap(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    static const char *const key = "tokenizer.ggml.precompiled_charsmap";
    const struct gguf_entry *map = loam_gguf_find(gguf, key);
    if (!map)
        return LOAM_OK;
    if (!map->is_array || (map->type != GGUF_U8 && map->type != GGUF_I8) || map->count > UINT32_MAX)
        return loam_fail(error, LOAM_FORMAT, "%s: found %s, expected an array of bytes", key,
                         loam_gguf_type_name(map->type));
    unsigned char *bytes = loam_arena_get(&t->arena, map->count + !map->count, 1);
    if (!bytes)
        return loam_fail_memory(error, map->count);
    memcpy(bytes, map->data, (size_t)map->count);
    return loam_charsmap_read(&t->charsmap, bytes, (size_t)map->count, error);
}

static loam_status read_unigram(struct tokenizer *t, const struct gguf *gguf, loam_error *error)
{
    float lowest = FLT_MAX;
    bool no = false;
    for (uint32_t i = 0; i < t->count; i++) /* of tokens of no special type */
        if (!(t->tokens[i].flags & (SPECIAL_FLAGS | LOAM_TOKEN_UNUSED | LOAM_TOKEN_BYTE)) &&
            t->tokens[i].score < lowest)
            lowest = t->tokens[i].score;
    t->unknown_score = lowest - 10;
    loam_status status = loam_gguf_get_bool(&t->merges_spaces, gguf,
                                            "tokenizer.ggml.remove_extra_whitespaces", &no, error);
    return status ? status : read_charsmap(t, gguf, error);
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
        size_t size = loam_pattern_name_length(pattern->names);
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

static bool find_kind(enum tokenizer_kind *out, struct gguf_string name)
{
    static const struct {
        const char *name;
        enum tokenizer_kind kind;
    } kinds[] = {{"llama", TOKENIZER_SPM},
                 {"gpt2", TOKENIZER_BPE},
                 {"bert", TOKENIZER_WORDPIECE},
                 {"t5", TOKENIZER_UNIGRAM},
                 {"rwkv", TOKENIZER_RWKV}};
    for (size_t i = 0; i < LOAM_COUNT_OF(kinds); i++)
        if (same(name, kinds[i].name)) {
            *out = kinds[i].kind;
            return true;
        }
    return false;
}

static loam_status read_kind(struct tokenizer *t, const struct gguf *gguf, struct gguf_string kind,
                             loam_error *error)
{
    struct gguf_string none = {"", 0}, splitter, template, for_tools;
    loam_status status = loam_gguf_get_string(&splitter, gguf, "tokenizer.ggml.pre", &none, error);
    if (!status)
        status = loam_gguf_get_string(&template, gguf, "tokenizer.chat_template", &none, error);
    if (!status)
        status = loam_gguf_get_string(&for_tools, gguf, "tokenizer.chat_template.tool_use", &none,
                                      error);
    if (status)
        return status;
    if (!find_kind(&t->kind, kind))
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "tokenizer.ggml.model: \"%.*s\" is not supported; supported: llama, gpt2, "
                         "bert, t5, rwkv",
                         LOAM_SHOWN(kind.length), kind.data);
    if (t->kind == TOKENIZER_BPE) {
        t->pattern = splitter.length ? loam_pattern_find(splitter.data, splitter.length)
                                     : loam_pattern_find("gpt-2", 5);
        status = t->pattern ? loam_split_create(&t->splitter, t->pattern, &t->arena, error)
                            : fail_splitter(splitter, error);
    }
    if (status)
        return status;
    if (!keep(t, &t->kind_name, kind) || !keep(t, &t->splitter_name, splitter) ||
        !keep(t, &t->chat_template, template) || !keep(t, &t->tool_template, for_tools))
        return loam_fail_memory(error, template.length);
    return LOAM_OK;
}

static loam_status fill(struct tokenizer *t, const struct gguf *gguf, struct gguf_string kind,
                        loam_error *error)
{
    const struct gguf_entry *merges = NULL;
    loam_status status = read_kind(t, gguf, kind, error);
    if (!status)
        status = read_tokens(t, gguf, error);
    if (!status)
        status = read_special_ids(t, gguf, error);
    if (!status)
        status = mark_space_takers(t, gguf, error);
    if (!status && t->kind == TOKENIZER_WORDPIECE)
        status = read_wordpiece(t, gguf, error);
    if (!status && t->kind == TOKENIZER_UNIGRAM)
        status = read_unigram(t, gguf, error);
    if (!status && t->kind == TOKENIZER_BPE)
        status =
            loam_gguf_get_array(&merges, gguf, "tokenizer.ggml.merges", GGUF_STRING, true, error);
    if (!status)
        status = loam_vocabulary_index(t, merges, error);
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
    loam_trie_destroy(&t->trie);
    loam_arena_end(&t->arena);
    loam_memory_free(memory, t);
}

/* SPDX-License-Identifier: MIT */
/* The model of a tokenizer.json and its added tokens, which share one list of
 * ids. */
#include "text/tokenizer_json.h"

#include <float.h>

/* Ids that no token has may be this many more than tokens: some files leave
 * room. */
enum { MOST_HOLES = 65536, FRONT_ROOM = 3 };

struct model {
    const struct json_node *node, *vocabulary, *merges, *added;
    loam_string type, unknown, prefix;
    bool whole_words, fuses, bytes_fall;
    uint32_t unknown_id, longest_word;
};

/* ---- what kind of model it is ---------------------------------------------- */

/* Old files have no type: then the fields that it alone has tell. */
static loam_status find_type(struct model *m, struct json_load *load)
{
    const struct json *json = &load->json;
    const char *type = NULL;
    loam_status status = loam_json_get_text(&m->type, load, m->node, "model", "type");
    if (status || m->type.length)
        return status;
    if (loam_json_member(json, m->node, "merges"))
        type = "BPE";
    else if (loam_json_member(json, m->node, "max_input_chars_per_word"))
        type = "WordPiece";
    if (!type)
        return loam_json_get_fail(load, m->node, "model", "an object with a \"type\"");
    m->type = (loam_string){type, strlen(type)};
    return LOAM_OK;
}

/* A text that must be absent, null or empty. */
static loam_status read_absent(struct json_load *load, const struct model *m, const char *key,
                               const char *path)
{
    loam_string text = {"", 0};
    const struct json_node *value = loam_json_get_value(load, m->node, key);
    if (value && value->kind == JSON_NUMBER && loam_json_number(&load->json, value) == 0)
        return LOAM_OK; /* "dropout": 0.0 */
    loam_status status = loam_json_get_text(&text, load, m->node, "model", key);
    return status || text.length == 0 ? status
                                      : loam_json_get_refuse(load, value, path, "expected none");
}

static loam_status read_bpe(struct json_load *load, struct model *m)
{
    loam_status status = loam_json_get_keys(
        load, m->node, "model",
        "type dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk "
        "byte_fallback ignore_merges vocab merges");
    if (!status)
        status = read_absent(load, m, "dropout", "model.dropout");
    if (!status)
        status =
            read_absent(load, m, "continuing_subword_prefix", "model.continuing_subword_prefix");
    if (!status)
        status = read_absent(load, m, "end_of_word_suffix", "model.end_of_word_suffix");
    if (!status)
        status = loam_json_get_bool(&m->fuses, load, m->node, "model", "fuse_unk");
    if (!status)
        status = loam_json_get_bool(&m->bytes_fall, load, m->node, "model", "byte_fallback");
    if (!status)
        status = loam_json_get_bool(&m->whole_words, load, m->node, "model", "ignore_merges");
    if (!status)
        status = loam_json_get_text(&m->unknown, load, m->node, "model", "unk_token");
    if (!status)
        status = loam_json_get_array(&m->merges, load, m->node, "model", "merges");
    if (!status && !m->merges)
        status = loam_json_get_fail(load, m->node, "model", "a BPE model with merges");
    return status;
}

static loam_status read_wordpiece(struct json_load *load, struct model *m)
{
    m->prefix = (loam_string){"##", 2};
    m->longest_word = 100;
    m->unknown = (loam_string){"[UNK]", 5};
    loam_status status = loam_json_get_keys(
        load, m->node, "model",
        "type unk_token continuing_subword_prefix max_input_chars_per_word vocab");
    if (!status)
        status = loam_json_get_text(&m->unknown, load, m->node, "model", "unk_token");
    if (!status)
        status =
            loam_json_get_text(&m->prefix, load, m->node, "model", "continuing_subword_prefix");
    if (!status)
        status =
            loam_json_get_id(&m->longest_word, load, m->node, "model", "max_input_chars_per_word");
    return status || m->prefix.length
               ? status
               : loam_json_get_refuse(load, m->node, "model", "no continuing_subword_prefix");
}

static loam_status read_unigram(struct json_load *load, struct model *m)
{
    loam_status status =
        loam_json_get_keys(load, m->node, "model", "type unk_id vocab byte_fallback");
    if (!status)
        status = loam_json_get_id(&m->unknown_id, load, m->node, "model", "unk_id");
    return status ? status
                  : loam_json_get_bool(&m->bytes_fall, load, m->node, "model", "byte_fallback");
}

static loam_status read_kind(struct json_load *load, struct model *m, bool bytes)
{
    struct tokenizer *t = load->tokenizer;
    loam_status status = find_type(m, load);
    const char *kind = "gpt2";
    if (status)
        return status;
    if (loam_json_get_equal(m->type, "BPE")) {
        t->kind = bytes ? TOKENIZER_BPE : TOKENIZER_SPM;
        kind = bytes ? "gpt2" : "llama";
        status = read_bpe(load, m);
    } else if (loam_json_get_equal(m->type, "WordPiece") && !bytes) {
        t->kind = TOKENIZER_WORDPIECE;
        kind = "bert";
        status = read_wordpiece(load, m);
    } else if (loam_json_get_equal(m->type, "Unigram") && !bytes) {
        t->kind = TOKENIZER_UNIGRAM;
        kind = "t5";
        status = read_unigram(load, m);
    } else {
        return loam_json_get_refuse(load, loam_json_member(&load->json, m->node, "type"),
                                    "model.type",
                                    "supported: BPE; WordPiece and Unigram without ByteLevel");
    }
    t->kind_name = (loam_string){kind, strlen(kind)};
    t->splitter_name = t->chat_template = (loam_string){"", 0};
    m->vocabulary = loam_json_get_value(load, m->node, "vocab");
    if (status)
        return status;
    uint8_t wanted = t->kind == TOKENIZER_UNIGRAM ? JSON_ARRAY : JSON_OBJECT;
    if (!m->vocabulary || m->vocabulary->kind != wanted)
        return loam_json_get_fail(load, m->vocabulary ? m->vocabulary : m->node, "model.vocab",
                                  wanted == JSON_ARRAY ? "an array" : "an object");
    return LOAM_OK;
}

/* ---- tokens ---------------------------------------------------------------- */

/* An entry of the vocabulary. */
struct entry {
    const struct json_node *text;
    uint32_t id;
    float score;
};

static loam_status read_entry(struct entry *out, struct json_load *load, const struct model *m,
                              const struct json_node *node, uint32_t index)
{
    const struct json *json = &load->json;
    *out = (struct entry){.text = node, .id = index};
    if (m->vocabulary->kind == JSON_OBJECT)
        return loam_json_whole(&out->id, json, node + 1, VOCABULARY_MAX_TOKENS - 1)
                   ? LOAM_OK
                   : loam_json_get_fail(load, node + 1, "model.vocab", "an id less than 16777216");
    if (node->kind != JSON_ARRAY || node->length != 2 || node[1].kind != JSON_STRING ||
        node[2].kind != JSON_NUMBER)
        return loam_json_get_fail(load, node, "model.vocab", "a text and a number");
    out->text = node + 1;
    out->score = (float)loam_json_number(json, node + 2);
    return LOAM_OK;
}

/* Makes the tokens' array, all without a text. */
static loam_status make_room(struct json_load *load, const struct model *m)
{
    struct tokenizer *t = load->tokenizer;
    uint64_t entries = m->vocabulary->length + (m->added ? (uint64_t)m->added->length : 0);
    uint32_t most = 0, index = 0;
    for (const struct json_node *node = loam_json_first(&load->json, m->vocabulary); node;
         node = loam_json_next(&load->json, m->vocabulary, node)) {
        struct entry entry;
        loam_status status = read_entry(&entry, load, m, node, index++);
        if (status)
            return status;
        most = (uint32_t)loam_max(most, entry.id);
    }
    for (const struct json_node *node = m->added ? loam_json_first(&load->json, m->added) : NULL;
         node; node = loam_json_next(&load->json, m->added, node)) {
        uint32_t id = 0;
        loam_status status = loam_json_get_id(&id, load, node, "added_tokens", "id");
        if (status)
            return status;
        most = (uint32_t)loam_max(most, id);
    }
    if (entries == 0)
        return loam_json_get_fail(load, m->vocabulary, "model.vocab", "at least one token");
    if (most >= entries + MOST_HOLES)
        return loam_json_get_fail(load, m->vocabulary, "model.vocab",
                                  "ids without large gaps between them");
    t->count = most + 1;
    t->tokens = loam_arena_get(&t->arena, t->count, sizeof *t->tokens);
    if (!t->tokens)
        return loam_fail_memory(load->error, t->count * sizeof *t->tokens);
    memset(t->tokens, 0, t->count * sizeof *t->tokens);
    for (uint32_t i = 0; i < t->count; i++)
        t->tokens[i] = (struct token){.text = NULL, .flags = LOAM_TOKEN_UNUSED};
    return LOAM_OK;
}

/* Gives a token its text, with room in front for what WordPiece puts there. */
static loam_status set_text(struct json_load *load, uint32_t id, const struct json_node *node,
                            const char *path)
{
    struct tokenizer *t = load->tokenizer;
    struct token *token = &t->tokens[id];
    if (token->text)
        return loam_json_get_fail(load, node, path, "each id once");
    if (node->length > 4 * UINT16_MAX)
        return loam_json_get_fail(load, node, path, "a token of at most 65535 bytes");
    char *room = loam_arena_get(&t->arena, FRONT_ROOM + (uint64_t)node->length + 1, 1);
    if (!room)
        return loam_fail_memory(load->error, node->length);
    memcpy(room, "\xE2\x96\x81", FRONT_ROOM);
    size_t length = loam_json_text(room + FRONT_ROOM, &load->json, node);
    if (length > UINT16_MAX)
        return loam_json_get_fail(load, node, path, "a token of at most 65535 bytes");
    room[FRONT_ROOM + length] = 0;
    token->text = room + FRONT_ROOM;
    token->text_length = (uint32_t)length;
    token->flags = 0;
    return LOAM_OK;
}

static loam_status read_vocabulary(struct json_load *load, const struct model *m)
{
    uint32_t index = 0;
    loam_status status = LOAM_OK;
    for (const struct json_node *node = loam_json_first(&load->json, m->vocabulary);
         !status && node; node = loam_json_next(&load->json, m->vocabulary, node)) {
        struct entry entry;
        status = read_entry(&entry, load, m, node, index++);
        if (!status)
            status = set_text(load, entry.id, entry.text, "model.vocab");
        if (!status)
            load->tokenizer->tokens[entry.id].score = entry.score;
    }
    return status;
}

/* ---- added tokens ---------------------------------------------------------- */

static bool has_upper_case(loam_string text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] >= 'A' && text.data[i] <= 'Z')
            return true;
    return false;
}

/* A token that is looked for in the changed text is looked for in the text
 * itself, which is the same unless the change is one of the token's own letters. */
static loam_status check_normalized(struct json_load *load, const struct json_node *node,
                                    loam_string content)
{
    const struct pipeline *pipeline = load->tokenizer->pipeline;
    bool lower = false;
    for (size_t i = 0; i < pipeline->change_count; i++)
        lower = lower || pipeline->changes[i].kind == CHANGE_LOWER;
    return lower && has_upper_case(content)
               ? loam_json_get_refuse(load, node, "added_tokens.normalized",
                                      "a token with capitals in a text without")
               : LOAM_OK;
}

static loam_status read_added(struct json_load *load, const struct json_node *node)
{
    static const char *const path = "added_tokens";
    bool word = false, left = false, right = false, normalized = false, special = false;
    uint32_t id = UINT32_MAX;
    loam_string content = {NULL, 0};
    loam_status status = loam_json_get_keys(
        load, node, path, "id content single_word lstrip rstrip normalized special");
    if (!status)
        status = loam_json_get_id(&id, load, node, path, "id");
    if (!status)
        status = loam_json_get_text(&content, load, node, path, "content");
    if (!status)
        status = loam_json_get_bool(&word, load, node, path, "single_word");
    if (!status)
        status = loam_json_get_bool(&left, load, node, path, "lstrip");
    if (!status)
        status = loam_json_get_bool(&right, load, node, path, "rstrip");
    if (!status)
        status = loam_json_get_bool(&normalized, load, node, path, "normalized");
    if (!status)
        status = loam_json_get_bool(&special, load, node, path, "special");
    if (status)
        return status;
    if (id == UINT32_MAX || content.length == 0)
        return loam_json_get_fail(load, node, path, "an object with id and content");
    if (normalized && (status = check_normalized(load, node, content)))
        return status;
    struct token *token = &load->tokenizer->tokens[id];
    if (token->text && word) /* the model could find it inside words */
        return loam_json_get_refuse(load, node, "added_tokens.single_word",
                                    "of a token that model.vocab has");
    if (!token->text)
        status = set_text(load, id, loam_json_member(&load->json, node, "content"), path);
    else if (token->text_length != content.length ||
             memcmp(token->text, content.data, content.length) != 0)
        status = loam_json_get_fail(load, node, path, "the text that model.vocab has for the id");
    token->flags = special ? LOAM_TOKEN_CONTROL : LOAM_TOKEN_USER;
    token->whole_word = word;
    token->takes_spaces = right;
    token->takes_spaces_before = left;
    return status;
}

static loam_status read_all_added(struct json_load *load, const struct model *m)
{
    loam_status status = LOAM_OK;
    for (const struct json_node *node = m->added ? loam_json_first(&load->json, m->added) : NULL;
         !status && node; node = loam_json_next(&load->json, m->added, node))
        status = node->kind == JSON_OBJECT
                     ? read_added(load, node)
                     : loam_json_get_fail(load, node, "added_tokens", "an object");
    return status;
}

/* ---- what follows from them ------------------------------------------------ */

static loam_status find_unknown(struct json_load *load, const struct model *m)
{
    struct tokenizer *t = load->tokenizer;
    t->unknown = -1;
    if (t->kind == TOKENIZER_UNIGRAM) {
        if (m->unknown_id != UINT32_MAX && m->unknown_id >= t->count)
            return loam_json_get_fail(load, loam_json_member(&load->json, m->node, "unk_id"),
                                      "model.unk_id", "the id of a token");
        t->unknown = m->unknown_id == UINT32_MAX ? -1 : (int32_t)m->unknown_id;
    } else if (m->unknown.length) {
        for (uint32_t i = 0; i < t->count; i++)
            if (t->tokens[i].text && t->tokens[i].text_length == m->unknown.length &&
                memcmp(t->tokens[i].text, m->unknown.data, m->unknown.length) == 0)
                t->unknown = (int32_t)i;
        if (t->unknown < 0)
            return loam_json_get_fail(load, m->node, "model.unk_token", "a text of the vocabulary");
    }
    /* Of byte-level vocabularies it is often the end token. */
    if (t->unknown >= 0 && t->kind != TOKENIZER_BPE)
        t->tokens[t->unknown].flags = LOAM_TOKEN_UNKNOWN;
    t->says_unknown = t->kind == TOKENIZER_BPE && t->unknown >= 0;
    t->fuses_unknown = m->fuses;
    return LOAM_OK;
}

/* Words begin with U+2581, and what goes on with nothing, as in files of the
 * other format. What stands in brackets is no word. */
static void mark_beginning(struct token *token, loam_string prefix)
{
    bool brackets = token->text_length > 1 && token->text[0] == '[' &&
                    token->text[token->text_length - 1] == ']';
    if ((token->flags & SPECIAL_FLAGS) || brackets)
        return;
    if (token->text_length > prefix.length &&
        memcmp(token->text, prefix.data, prefix.length) == 0) {
        token->text += prefix.length;
        token->text_length -= (uint32_t)prefix.length;
    } else {
        token->text -= FRONT_ROOM;
        token->text_length += FRONT_ROOM;
    }
}

static bool is_byte_name(const struct token *token)
{
    return token->text_length == 6 && memcmp(token->text, "<0x", 3) == 0 && token->text[5] == '>' &&
           !(token->flags & SPECIAL_FLAGS);
}

static loam_status make_pieces(struct json_load *load, const struct model *m)
{
    struct tokenizer *t = load->tokenizer;
    for (uint32_t i = 0; i < t->count; i++) {
        struct token *token = &t->tokens[i];
        if (!token->text)
            token->text = "";
        else if (t->kind == TOKENIZER_WORDPIECE)
            mark_beginning(token, m->prefix);
        if (m->bytes_fall && is_byte_name(token))
            token->flags |= LOAM_TOKEN_BYTE;
        char *room = loam_arena_get(&t->arena, (uint64_t)token->text_length + 1, 1);
        if (!room)
            return loam_fail_memory(load->error, token->text_length);
        loam_piece_make(token, t->kind, room);
        t->longest = (uint32_t)loam_max(t->longest, token->text_length);
        if (t->kind == TOKENIZER_SPM || t->kind == TOKENIZER_UNIGRAM)
            loam_vocabulary_note_joins(t, token);
    }
    return LOAM_OK;
}

/* Unigram's byte tokens; the other kinds find theirs by their names. */
static loam_status find_bytes(struct json_load *load, const struct model *m)
{
    struct tokenizer *t = load->tokenizer;
    int found = 0;
    if (!m->bytes_fall || t->kind != TOKENIZER_UNIGRAM)
        return LOAM_OK;
    memset(t->byte_tokens, 0xFF, sizeof t->byte_tokens); /* -1 */
    for (uint32_t i = 0; i < t->count; i++) {
        const struct token *token = &t->tokens[i];
        if (!(token->flags & LOAM_TOKEN_BYTE) || token->piece_length != 1)
            continue;
        int32_t *slot = &t->byte_tokens[(unsigned char)token->piece[0]];
        found += *slot < 0;
        *slot = (int32_t)i;
    }
    t->falls_to_bytes = true;
    return found == 256 ? LOAM_OK
                        : loam_json_get_fail(load, m->vocabulary, "model.byte_fallback",
                                             "a token <0x..> for every byte");
}

static void find_lowest_score(struct tokenizer *t)
{
    float lowest = FLT_MAX;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->tokens[i].text_length && t->tokens[i].score < lowest)
            lowest = t->tokens[i].score;
    t->unknown_score = lowest - 10;
}

/* ---- merges ---------------------------------------------------------------- */

/* "left right" of one item: a text like that, or an array of both. */
static loam_status read_merge(struct gguf_string *out, struct json_load *load,
                              const struct json_node *node)
{
    static const char *const path = "model.merges";
    bool pair = node->kind == JSON_ARRAY && node->length == 2 && node[1].kind == JSON_STRING &&
                node[2].kind == JSON_STRING;
    if (!pair && node->kind != JSON_STRING)
        return loam_json_get_fail(load, node, path, "\"left right\" or [\"left\", \"right\"]");
    if (!pair && !node->escaped) {
        *out = (struct gguf_string){load->json.text + node->start, node->length};
    } else {
        uint64_t room = pair ? (uint64_t)node[1].length + node[2].length + 1 : node->length;
        char *bytes = loam_arena_get(&load->scratch, room, 1);
        if (!bytes)
            return loam_fail_memory(load->error, room);
        size_t length = loam_json_text(bytes, &load->json, pair ? node + 1 : node);
        if (pair) {
            if (memchr(bytes, ' ', length))
                return loam_json_get_refuse(load, node, path, "a token with a space in it");
            bytes[length++] = ' ';
            length += loam_json_text(bytes + length, &load->json, node + 2);
        }
        *out = (struct gguf_string){bytes, length};
    }
    return out->length > 2 && memchr(out->data + 1, ' ', out->length - 2)
               ? LOAM_OK
               : loam_json_get_fail(load, node, path, "two texts");
}

static loam_status index_all(struct json_load *load, const struct model *m)
{
    struct gguf_entry entry = {.type = GGUF_STRING, .is_array = true};
    struct gguf_string *texts = NULL;
    loam_status status = LOAM_OK;
    if (!m->merges)
        return loam_vocabulary_index(load->tokenizer, NULL, load->error);
    texts = loam_arena_get(&load->scratch, m->merges->length, sizeof *texts);
    if (!texts)
        return loam_fail_memory(load->error, m->merges->length * sizeof *texts);
    for (const struct json_node *node = loam_json_first(&load->json, m->merges); !status && node;
         node = loam_json_next(&load->json, m->merges, node))
        status = read_merge(&texts[entry.count++], load, node);
    entry.strings = texts;
    return status ? status : loam_vocabulary_index(load->tokenizer, &entry, load->error);
}

loam_status loam_json_model_read(struct json_load *load, bool bytes)
{
    struct tokenizer *t = load->tokenizer;
    struct model m = {.node = loam_json_get_value(load, load->root, "model"),
                      .unknown_id = UINT32_MAX};
    if (!m.node || m.node->kind != JSON_OBJECT)
        return loam_json_get_fail(load, m.node ? m.node : load->root, "model", "an object");
    loam_status status = read_kind(load, &m, bytes);
    if (!status)
        status = loam_json_get_array(&m.added, load, load->root, "", "added_tokens");
    if (!status)
        status = make_room(load, &m);
    if (!status)
        status = read_vocabulary(load, &m);
    if (!status)
        status = read_all_added(load, &m);
    if (!status)
        status = find_unknown(load, &m);
    if (!status)
        status = make_pieces(load, &m);
    if (!status)
        status = find_bytes(load, &m);
    t->longest_word = m.longest_word;
    if (!status && t->kind == TOKENIZER_UNIGRAM)
        find_lowest_score(t);
    if (!status)
        status = loam_json_steps_finish(load, m.whole_words);
    if (!status)
        status = index_all(load, &m);
    if (t->kind == TOKENIZER_SPM && !m.bytes_fall)
        memset(t->byte_tokens, 0xFF, sizeof t->byte_tokens); /* -1: none */
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Finding tokens by their text, and merges by their halves. */
#include "text/vocabulary.h"
#include "text/tokenizer.h"

/* Longest token of the kinds that walk a tree: what a byte of text may cost. */
enum { MAX_PROBES = 512, LONGEST_IN_TRIE = 1024 };

/* ---- hash tables ----------------------------------------------------------- */

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

/* Eight bytes at a time; the last ones may overlap those before. */
uint64_t loam_vocabulary_hash(const char *text, size_t length)
{
    uint64_t hash = length * 0x9E3779B97F4A7C15ull, part = 0;
    for (; length > 8; text += 8, length -= 8) {
        hash = (hash ^ load_8(text)) * 0xD6E8FEB86659FD93ull;
        hash ^= hash >> 32;
    }
    if (length == 8)
        part = load_8(text);
    else if (length >= 4)
        part = load_4(text) | load_4(text + length - 4) << 32;
    else if (length)
        part = (uint64_t)(unsigned char)text[0] | (uint64_t)(unsigned char)text[length / 2] << 8 |
               (uint64_t)(unsigned char)text[length - 1] << 16;
    hash = (hash ^ part) * 0xD6E8FEB86659FD93ull;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93ull;
    return hash ^ hash >> 32;
}

static uint64_t hash_pair(int32_t left, int32_t right)
{
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 31;
}

static void fetch(const void *address)
{
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    (void)address;
#endif
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
    const struct text_slot *slot = text_slot(t, text, length, loam_vocabulary_hash(text, length));
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
    while (2 * size < 3 * count)
        size *= 2;
    return size;
}

void loam_vocabulary_note_joins(struct tokenizer *t, const struct token *token)
{
    size_t size;
    unsigned char before = 0;
    for (size_t i = 0; i < token->text_length; i += size) {
        unsigned char byte = loam_vocabulary_joint(token->text + i, token->text_length - i, &size);
        if (i > 0)
            t->joins[before][byte >> 3] |= (uint8_t)(1 << (byte & 7));
        before = byte;
    }
}

/* ---- building -------------------------------------------------------------- */

/* Tokens and merges are put in some at a time: first where they would lie is
 * fetched, so that memory is not waited for one by one. */
enum { BATCH = 16 };

/* Tokens [first, first + count) into the table; of equal texts the last stays. */
static loam_status put_texts(struct tokenizer *t, uint32_t first, uint32_t count, loam_error *error)
{
    uint64_t hashes[BATCH];
    for (uint32_t i = 0; i < count; i++) {
        loam_string key = key_of(t, (int32_t)(first + i));
        hashes[i] = loam_vocabulary_hash(key.data, key.length);
        fetch(&t->by_text[hashes[i] & t->text_mask]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!t->tokens[first + i].plain)
            continue;
        loam_string key = key_of(t, (int32_t)(first + i));
        struct text_slot *slot = text_slot(t, key.data, key.length, hashes[i]);
        if (!slot)
            return loam_fail(error, LOAM_FORMAT,
                             "tokenizer.ggml.tokens: too many tokens hash alike");
        t->texts_differ = t->texts_differ && slot->id < 0;
        *slot = (struct text_slot){.id = (int32_t)(first + i), .tag = (uint32_t)(hashes[i] >> 32)};
    }
    return LOAM_OK;
}

static loam_status build_text_table(struct tokenizer *t, loam_error *error)
{
    loam_status status = LOAM_OK;
    uint64_t size = table_size(t->count);
    t->by_text = loam_arena_get(&t->arena, size, sizeof *t->by_text);
    if (!t->by_text)
        return loam_fail_memory(error, size * sizeof *t->by_text);
    memset(t->by_text, 0xFF, (size_t)size * sizeof *t->by_text);
    t->text_mask = size - 1;
    t->texts_differ = true;
    for (uint32_t i = 0; !status && i < t->count; i += BATCH)
        status = put_texts(t, i, loam_min(BATCH, t->count - i), error);
    if (status)
        return status;
    for (int byte = 0; byte < 256; byte++) {
        char name[8] = "<0x00>", one = (char)byte;
        name[3] = "0123456789ABCDEF"[byte >> 4];
        name[4] = "0123456789ABCDEF"[byte & 15];
        t->byte_tokens[byte] = t->kind == TOKENIZER_SPM ? loam_vocabulary_find(t, name, 6)
                                                        : loam_vocabulary_find(t, &one, 1);
    }
    return LOAM_OK;
}

/* ---- merges ---------------------------------------------------------------- */

enum { LEFT = 0, RIGHT = 1, RESULT = 2 };

struct pending {
    char *scratch;
    const char *bytes; /* of left and right, decoded */
    uint32_t starts[3], lengths[3];
    uint64_t hashes[3];
    int32_t ids[3];
};

/* Training gives each merge the next id. Whether the token of that id is what
 * "left right" makes: then its bytes are known, and that each character of `left`
 * stands for one of them. */
static bool is_result(struct pending *out, const struct tokenizer *t, int64_t id,
                      struct gguf_string text, size_t left)
{
    const struct token *token = id < t->count && t->kind == TOKENIZER_BPE ? &t->tokens[id] : NULL;
    uint32_t left_bytes = 0;
    if (!token || !t->texts_differ || !token->plain || token->text_length != text.length - 1 ||
        memcmp(token->text, text.data, left) != 0 ||
        memcmp(token->text + left, text.data + left + 1, text.length - left - 1) != 0)
        return false;
    for (size_t i = 0; i < left; i++)
        left_bytes += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    out->ids[RESULT] = (int32_t)id;
    out->bytes = token->piece;
    out->lengths[LEFT] = left_bytes;
    out->lengths[RESULT] = token->piece_length;
    return true;
}

/* Half of a merge in the form of the kind. */
static uint32_t decode(const struct tokenizer *t, char *out, const char *text, size_t length)
{
    bool plain;
    if (t->kind == TOKENIZER_BPE)
        return loam_piece_decode_bytes(out, text, length, &plain);
    memcpy(out, text, length);
    return (uint32_t)length;
}

static void decode_halves(struct pending *out, const struct tokenizer *t, struct gguf_string text,
                          size_t left)
{
    uint32_t bytes = decode(t, out->scratch, text.data, left);
    out->ids[RESULT] = -1;
    out->bytes = out->scratch;
    out->lengths[LEFT] = bytes;
    out->lengths[RESULT] =
        bytes + decode(t, out->scratch + bytes, text.data + left + 1, text.length - left - 1);
}

/* Takes "left right" apart; `guess` may be the token that they make. */
static loam_status decode_merge(struct pending *out, const struct tokenizer *t,
                                struct gguf_string text, uint32_t rank, int64_t guess,
                                loam_error *error)
{
    const char *space = text.length > 2 ? memchr(text.data + 1, ' ', text.length - 2) : NULL;
    if (!space)
        return loam_fail(
            error, LOAM_FORMAT,
            "tokenizer.ggml.merges: merge %u (\"%.*s\") is not two texts with a space between",
            rank, LOAM_SHOWN(text.length), text.data);
    size_t left = (size_t)(space - text.data);
    if (!is_result(out, t, guess, text, left))
        decode_halves(out, t, text, left);
    out->starts[LEFT] = out->starts[RESULT] = 0;
    out->starts[RIGHT] = out->lengths[LEFT];
    out->lengths[RIGHT] = out->lengths[RESULT] - out->lengths[LEFT];
    for (int i = LEFT; i <= RIGHT; i++) {
        out->hashes[i] = loam_vocabulary_hash(out->bytes + out->starts[i], out->lengths[i]);
        fetch(&t->by_text[out->hashes[i] & t->text_mask]);
    }
    return LOAM_OK;
}

/* Fetches the first tokens that the merges may mean, then their texts. */
static void fetch_tokens(const struct tokenizer *t, const struct pending *batch, size_t count)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < count; k++)
            for (int i = LEFT; i <= RIGHT; i++) {
                int32_t id = t->by_text[batch[k].hashes[i] & t->text_mask].id;
                if (id >= 0)
                    fetch(pass ? (const void *)t->tokens[id].piece : &t->tokens[id]);
            }
}

static int32_t find_part(const struct tokenizer *t, const struct pending *p, int part)
{
    const struct text_slot *slot =
        text_slot(t, p->bytes + p->starts[part], p->lengths[part], p->hashes[part]);
    return slot ? slot->id : -1;
}

/* Both halves of "left right" and the whole as tokens; -1 for what is none. */
static void find_tokens(const struct tokenizer *t, struct pending *p)
{
    p->ids[LEFT] = find_part(t, p, LEFT);
    p->ids[RIGHT] = find_part(t, p, RIGHT);
    fetch(&t->merges[hash_pair(p->ids[LEFT], p->ids[RIGHT]) & t->merge_mask]);
    if (p->ids[RESULT] >= 0)
        return;
    p->hashes[RESULT] = loam_vocabulary_hash(p->bytes, p->lengths[RESULT]);
    p->ids[RESULT] = find_part(t, p, RESULT);
}

/* Merges that name texts which are no tokens, or make one, are left out: they
 * could only lead to bytes again. */
static loam_status add_merge(struct tokenizer *t, const struct pending *p, uint32_t rank,
                             loam_error *error)
{
    const int32_t *ids = p->ids;
    if (ids[LEFT] < 0 || ids[RIGHT] < 0 || ids[RESULT] < 0)
        return LOAM_OK;
    uint64_t slot = merge_slot(t, ids[LEFT], ids[RIGHT]);
    if (slot == UINT64_MAX)
        return loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.merges: too many merges hash alike");
    if (t->merges[slot].left >= 0) /* the first of equal ones is the strongest */
        return LOAM_OK;
    t->merges[slot] =
        (struct merge){.left = ids[LEFT], .right = ids[RIGHT], .result = ids[RESULT], .rank = rank};
    t->tokens[ids[LEFT]].taken = t->tokens[ids[RIGHT]].taken = true;
    t->merges_ordered = t->merges_ordered && !t->tokens[ids[RESULT]].taken;
    return LOAM_OK;
}

static loam_status add_merges(struct tokenizer *t, const struct gguf_entry *merges, char *scratch,
                              uint64_t longest, loam_error *error)
{
    struct pending batch[BATCH];
    loam_status status = LOAM_OK;
    int64_t guess = 0;
    for (int k = 0; k < BATCH; k++)
        batch[k].scratch = scratch + k * longest;
    for (uint64_t i = 0; !status && i < merges->count; i += BATCH) {
        size_t count = loam_min(BATCH, merges->count - i);
        for (size_t k = 0; !status && k < count; k++)
            status = decode_merge(&batch[k], t, merges->strings[i + k], (uint32_t)(i + k),
                                  guess + (int64_t)k, error);
        if (!status)
            fetch_tokens(t, batch, count);
        for (size_t k = 0; !status && k < count; k++)
            find_tokens(t, &batch[k]);
        guess = status ? 0 : batch[count - 1].ids[RESULT] + 1;
        for (size_t k = 0; !status && k < count; k++)
            status = add_merge(t, &batch[k], (uint32_t)(i + k), error);
    }
    return status;
}

static loam_status build_merges(struct tokenizer *t, const struct gguf_entry *merges,
                                loam_error *error)
{
    if (merges->count > VOCABULARY_MAX_TOKENS)
        return loam_fail(error, LOAM_FORMAT, "tokenizer.ggml.merges: %llu merges, at most %d",
                         (unsigned long long)merges->count, VOCABULARY_MAX_TOKENS);
    uint64_t size = table_size(merges->count), longest = 1;
    for (uint64_t i = 0; i < merges->count; i++)
        longest = loam_max(longest, merges->strings[i].length);
    t->merges = loam_arena_get(&t->arena, size, sizeof *t->merges);
    char *scratch = loam_memory_get(t->memory, BATCH * longest, 1);
    if (!t->merges || !scratch) {
        loam_memory_free(t->memory, scratch);
        return loam_fail_memory(error, size * sizeof *t->merges);
    }
    t->merge_mask = size - 1;
    t->merge_count = (uint32_t)merges->count;
    t->merges_ordered = true;
    memset(t->merges, 0xFF, (size_t)size * sizeof *t->merges); /* left -1 */
    loam_status status = add_merges(t, merges, scratch, longest, error);
    loam_memory_free(t->memory, scratch);
    return status;
}

/* Tokens that text can become, in a tree. */
static loam_status build_trie(struct tokenizer *t, loam_error *error)
{
    loam_status status = loam_trie_create(&t->trie, t->memory, error);
    for (uint32_t i = 0; !status && i < t->count; i++) {
        const struct token *token = &t->tokens[i];
        bool raw = t->kind == TOKENIZER_RWKV; /* the others look for U+2581 */
        const char *text = raw ? token->piece : token->text;
        uint32_t length = raw ? token->piece_length : token->text_length;
        if (!token->plain)
            continue;
        if (length > LONGEST_IN_TRIE)
            return loam_fail(error, LOAM_UNSUPPORTED,
                             "tokenizer.ggml.tokens: token %u has %u bytes; supported for this "
                             "kind: at most %d",
                             i, length, LONGEST_IN_TRIE);
        status = loam_trie_put(&t->trie, text, length, (int32_t)i, error);
    }
    return status;
}

loam_status loam_vocabulary_index(struct tokenizer *t, const struct gguf_entry *merges,
                                  loam_error *error)
{
    if (t->kind != TOKENIZER_SPM && t->kind != TOKENIZER_BPE)
        return build_trie(t, error);
    loam_status status = build_text_table(t, error);
    return status || !merges ? status : build_merges(t, merges, error);
}

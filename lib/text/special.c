/* SPDX-License-Identifier: MIT */
/*
 * Tokens that are found in a text before it is split: sorted by their text, so
 * that those which go on as the text does are a range that narrows byte by
 * byte. A text costs at most SPECIAL_LONGEST narrowings for each of its bytes,
 * however many tokens there are.
 */
#include "text/vocabulary.h"

enum { SPECIAL_LONGEST = 512 };

/* By text, then id. */
static bool before(const struct tokenizer *t, int32_t a, int32_t b)
{
    const struct token *x = &t->tokens[a], *y = &t->tokens[b];
    int order = memcmp(x->text, y->text, loam_min(x->text_length, y->text_length));
    if (order != 0)
        return order < 0;
    return x->text_length != y->text_length ? x->text_length < y->text_length : a < b;
}

/* Restores the heap below `at`: the last by order on top. */
static void sift(const struct tokenizer *t, int32_t *ids, size_t at, size_t count)
{
    int32_t id = ids[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(t, ids[child], ids[child + 1]))
            child++;
        if (!before(t, id, ids[child]))
            break;
        ids[at] = ids[child];
    }
    ids[at] = id;
}

static void sort(const struct tokenizer *t, int32_t *ids, size_t count)
{
    for (size_t i = count / 2; i > 0; i--)
        sift(t, ids, i - 1, count);
    for (size_t left = count; left > 1; left--) {
        int32_t last = ids[0];
        ids[0] = ids[left - 1];
        ids[left - 1] = last;
        sift(t, ids, 0, left - 1);
    }
}

static bool same_text(const struct tokenizer *t, int32_t a, int32_t b)
{
    const struct token *x = &t->tokens[a], *y = &t->tokens[b];
    return x->text_length == y->text_length && memcmp(x->text, y->text, x->text_length) == 0;
}

loam_status loam_special_build(struct tokenizer *t, loam_error *error)
{
    size_t count = 0, kept = 0;
    for (uint32_t i = 0; i < t->count; i++)
        count += (t->tokens[i].flags & SPECIAL_FLAGS) != 0;
    t->special = loam_arena_get(&t->arena, count, sizeof *t->special);
    if (!t->special)
        return loam_fail_memory(error, count * sizeof *t->special);
    count = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct token *token = &t->tokens[i];
        if (!(token->flags & SPECIAL_FLAGS) || token->text_length == 0)
            continue;
        if (token->text_length > SPECIAL_LONGEST)
            return loam_fail(error, LOAM_UNSUPPORTED,
                             "tokenizer.ggml.tokens: token %u is a control or user-defined one of "
                             "%u bytes; supported: at most %d",
                             i, token->text_length, SPECIAL_LONGEST);
        t->special_first[(unsigned char)token->text[0]] |= token->flags & LOAM_TOKEN_USER ? 2 : 1;
        t->special[count++] = (int32_t)i;
    }
    sort(t, t->special, count);
    for (size_t i = 0; i < count; i++) /* of equal texts the last id */
        if (i + 1 == count || !same_text(t, t->special[i], t->special[i + 1]))
            t->special[kept++] = t->special[i];
    t->special_count = kept;
    return LOAM_OK;
}

/* The first of special[low..high) whose byte at `depth` is at least `byte`. */
static size_t first_from(const struct tokenizer *t, size_t low, size_t high, size_t depth,
                         unsigned byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)t->tokens[t->special[middle]].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t loam_special_at(const struct tokenizer *t, const char *text, size_t length, bool control)
{
    if (!(t->special_first[(unsigned char)text[0]] & (control ? 3 : 2)))
        return -1;
    uint32_t wanted = control ? SPECIAL_FLAGS : LOAM_TOKEN_USER;
    size_t low = 0, high = t->special_count;
    int32_t found = -1;
    for (size_t depth = 0; low < high && depth < length; depth++) {
        /* A text that ends here, which only the first one can, sorts before
         * those that go on; its NUL is never compared with text. */
        low += t->tokens[t->special[low]].text_length == depth;
        unsigned byte = (unsigned char)text[depth];
        low = first_from(t, low, high, depth, byte);
        high = first_from(t, low, high, depth, byte + 1);
        if (low < high && t->tokens[t->special[low]].text_length == depth + 1 &&
            (t->tokens[t->special[low]].flags & wanted))
            found = t->special[low];
    }
    return found;
}

/* SPDX-License-Identifier: MIT */
/* Unigram: of all ways to take a text apart, that whose tokens have the largest
 * sum of scores (Kudo, 2018). A character that is no token is unknown, at a
 * score lower than any by 10; neighbours of that kind are one unknown. */
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

#include <float.h>

/* The best way to the end of a token. */
struct best {
    double score;
    int32_t token;
    uint32_t start;
};

/* Tries all tokens that begin at `at`. */
static void extend(struct best *best, const struct tokenizer *t, const char *text, size_t at,
                   size_t length, size_t character)
{
    bool whole = false; /* a token is exactly the character */
    int32_t node = TRIE_ROOT;
    for (size_t end = at; end < length;) {
        node = loam_trie_step(&t->trie, node, (unsigned char)text[end++]);
        if (node == TRIE_NONE)
            break;
        int32_t id = t->trie.values[node];
        if (id < 0)
            continue;
        whole = whole || end - at == character;
        double score = best[at].score +
                       (t->tokens[id].flags & LOAM_TOKEN_USER ? 0 : (double)t->tokens[id].score);
        if (score > best[end].score)
            best[end] = (struct best){score, id, (uint32_t)at};
    }
    double score = best[at].score + t->unknown_score;
    if (!whole && score > best[at + character].score)
        best[at + character] = (struct best){score, t->unknown, (uint32_t)at};
}

/* The bytes of what has no token, the last first. */
static loam_status emit_bytes(struct encoder *encoder, struct token_list *out, const char *text,
                              size_t start, size_t end, loam_error *error)
{
    loam_status status = LOAM_OK;
    while (!status && end > start)
        status =
            loam_tokenizer_push(out, encoder->memory,
                                encoder->tokenizer->byte_tokens[(unsigned char)text[--end]], error);
    return status;
}

/* Follows the way back and appends it the right way round. */
static loam_status emit(struct encoder *encoder, struct token_list *out, const struct best *best,
                        const char *text, size_t length, loam_error *error)
{
    size_t before = out->count;
    int32_t unknown = encoder->tokenizer->unknown, last = -1;
    for (size_t end = length; end > 0; end = best[end].start) {
        int32_t id = best[end].token;
        bool repeats = id == unknown && last == unknown;
        last = id;
        loam_status status = LOAM_OK;
        if (id == unknown && encoder->tokenizer->falls_to_bytes)
            status = emit_bytes(encoder, out, text, best[end].start, end, error);
        else
            status = id >= 0 && !repeats ? loam_tokenizer_push(out, encoder->memory, id, error)
                                         : LOAM_OK;
        if (status)
            return status;
    }
    for (size_t low = before, high = out->count; low + 1 < high; low++) {
        int32_t id = out->ids[low];
        out->ids[low] = out->ids[--high];
        out->ids[high] = id;
    }
    return LOAM_OK;
}

loam_status loam_unigram_encode(struct encoder *encoder, struct token_list *out, const char *text,
                                size_t length, loam_error *error)
{
    if (!loam_memory_grow(encoder->memory, (void **)&encoder->best, &encoder->best_capacity,
                          (uint64_t)length + 1, sizeof *encoder->best))
        return loam_fail_memory(error, (length + 1) * sizeof *encoder->best);
    struct best *best = encoder->best;
    best[0] = (struct best){0, -1, 0};
    for (size_t i = 1; i <= length; i++)
        best[i] = (struct best){-DBL_MAX, -1, 0};
    for (size_t at = 0; at < length;) {
        uint32_t c;
        size_t character = loam_utf8_decode(&c, text + at, length - at);
        extend(best, encoder->tokenizer, text, at, length, character);
        at += character;
    }
    return emit(encoder, out, best, text, length, error);
}

/* ---- normalising ----------------------------------------------------------- */

/* Where the normalised text stands. */
struct normaliser {
    struct encoder *encoder;
    struct token_list *out;
    size_t first;       /* tokens that were there before this text */
    unsigned char last; /* byte in the buffer; ' ' for U+2581 */
    bool in_word;       /* the last character was no space */
    bool has_space;     /* the space in front of the text is there */
};

/* The part in the buffer becomes tokens. Unknown neighbours of two parts are
 * one as well. */
static loam_status end_part(struct normaliser *n, loam_error *error)
{
    struct encoder *encoder = n->encoder;
    struct token_list *out = n->out;
    size_t length = encoder->buffer_count, before = out->count;
    int32_t unknown = encoder->tokenizer->unknown;
    encoder->buffer_count = 0;
    loam_status status =
        length ? loam_encode_word(encoder, out, encoder->buffer, length, error) : LOAM_OK;
    if (!status && before > n->first && out->count > before && unknown >= 0 &&
        out->ids[before - 1] == unknown && out->ids[before] == unknown) {
        memmove(out->ids + before, out->ids + before + 1,
                (out->count - before - 1) * sizeof *out->ids);
        out->count--;
    }
    return status;
}

/* A byte, or U+2581 for a space, goes to the buffer; a new part begins where no
 * token reaches over. */
static loam_status add_joint(struct normaliser *n, unsigned char byte, loam_error *error)
{
    struct encoder *encoder = n->encoder;
    loam_status status = LOAM_OK;
    if (encoder->buffer_count && (byte & 0xC0) != 0x80 &&
        !loam_vocabulary_joins(encoder->tokenizer, n->last, byte))
        status = end_part(n, error);
    if (!status && !loam_encoder_reserve(encoder, encoder->buffer_count + 3))
        status = loam_fail_memory(error, encoder->buffer_count + 3);
    if (status)
        return status;
    if (byte == ' ') {
        memcpy(encoder->buffer + encoder->buffer_count, "\xE2\x96\x81", 3);
        encoder->buffer_count += 3;
    } else {
        encoder->buffer[encoder->buffer_count++] = (char)byte;
    }
    n->last = byte;
    return LOAM_OK;
}

/* Bytes of one character, normalised. A U+2581 of the text is a letter here, but
 * to tokens it is a space. */
static loam_status add_bytes(struct normaliser *n, const char *bytes, size_t count,
                             loam_error *error)
{
    const struct tokenizer *t = n->encoder->tokenizer;
    loam_status status = LOAM_OK;
    for (size_t i = 0, size; !status && i < count; i += size) {
        unsigned char joint = loam_vocabulary_joint(bytes + i, count - i, &size);
        if (bytes[i] == ' ') {
            n->in_word = false;
            if (!t->merges_spaces)
                status = add_joint(n, ' ', error);
            continue;
        }
        if (!n->in_word) {
            n->in_word = true;
            if (t->merges_spaces || (t->adds_space && !n->has_space))
                status = add_joint(n, ' ', error);
            n->has_space = true;
        }
        if (!status)
            status = add_joint(n, joint, error);
    }
    return status;
}

loam_status loam_unigram_append(struct encoder *encoder, struct token_list *out, const char *text,
                                size_t length, loam_error *error)
{
    struct normaliser n = {.encoder = encoder, .out = out, .first = out->count};
    loam_status status = LOAM_OK;
    encoder->buffer_count = 0;
    for (size_t i = 0; !status && i < length;) {
        loam_string replacement;
        size_t size =
            loam_charsmap_match(&encoder->tokenizer->charsmap, text + i, length - i, &replacement);
        if (size) {
            status = add_bytes(&n, replacement.data, replacement.length, error);
        } else {
            uint32_t c;
            size = loam_utf8_decode(&c, text + i, length - i);
            status = c <= 0x10FFFF ? add_bytes(&n, text + i, size, error)
                                   : add_bytes(&n, "\xEF\xBF\xBD", 3, error);
        }
        i += size;
    }
    return status ? status : end_part(&n, error);
}

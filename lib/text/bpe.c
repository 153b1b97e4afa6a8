/* SPDX-License-Identifier: MIT */
/* Byte-level byte-pair encoding: the pair of lowest rank is merged first, ties
 * to the left (Sennrich et al., 2016; the byte alphabet of GPT-2). */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

static void rank(const struct tokenizer *t, const char *text, struct symbol *left,
                 const struct symbol *right)
{
    (void)text;
    const struct merge *merge = loam_vocabulary_merge(t, left->token, right->token);
    left->rank = merge ? merge->rank : NO_RANK;
    left->result = merge ? merge->result : -1;
}

loam_status loam_bpe_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    int32_t whole = length <= tokenizer->longest && tokenizer->pattern->keeps_whole_words
                        ? loam_vocabulary_find(tokenizer, text, length)
                        : -1;
    if (whole >= 0)
        return loam_tokenizer_push(out, encoder->memory, whole, error);
    if (!loam_merge_reserve(encoder, length))
        return loam_fail_memory(error, length * sizeof(struct symbol));
    for (size_t i = 0; i < length; i++)
        encoder->symbols[i] =
            (struct symbol){.start = (uint32_t)i,
                            .length = 1,
                            .token = tokenizer->byte_tokens[(unsigned char)text[i]]};
    size_t count = loam_merge_all(encoder, text, length, rank);
    for (size_t i = 0; i < count; i++) {
        /* A byte that the vocabulary lacks gives no token, as in the reference:
         * the "unknown" token of such files is often a control token. */
        int32_t id = encoder->symbols[i].token;
        if (id < 0 && tokenizer->says_unknown)
            id = tokenizer->unknown;
        loam_status status =
            id >= 0 ? loam_tokenizer_push(out, encoder->memory, id, error) : LOAM_OK;
        if (status)
            return status;
    }
    return LOAM_OK;
}

loam_status loam_bpe_append(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error)
{
    struct split_walk walk;
    loam_status status = LOAM_OK;
    loam_split_begin(&walk, &encoder->tokenizer->splitter, encoder->memory, text, length);
    for (size_t at = 0, word; !status && (word = loam_split_next(&walk)) > 0; at += word)
        status = loam_encode_word(encoder, out, text + at, word, error);
    loam_split_end(&walk);
    return status;
}

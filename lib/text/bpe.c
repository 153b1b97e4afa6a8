/* SPDX-License-Identifier: MIT */
/* Byte-level byte-pair encoding: the pair of lowest rank is merged first, ties
 * to the left (Sennrich et al., 2016; the byte alphabet of GPT-2). */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

static bool propose(struct encoder *encoder, const char *text, int32_t left, int32_t right)
{
    (void)text;
    if (left < 0 || right < 0)
        return true;
    const struct symbol *a = &encoder->symbols[left], *b = &encoder->symbols[right];
    const struct merge *merge = loam_vocabulary_merge(encoder->tokenizer, a->token, b->token);
    if (!merge)
        return true;
    return loam_merge_push(encoder, &(struct candidate){.rank = merge->rank,
                                                        .left = left,
                                                        .right = right,
                                                        .length = a->length + b->length,
                                                        .result = merge->result});
}

static bool start(struct encoder *encoder, const char *text, size_t length)
{
    if (!loam_memory_grow(encoder->memory, (void **)&encoder->symbols, &encoder->symbol_capacity,
                          length, sizeof *encoder->symbols))
        return false;
    for (size_t i = 0; i < length; i++)
        encoder->symbols[i] =
            (struct symbol){.previous = (int32_t)i - 1,
                            .next = i + 1 < length ? (int32_t)i + 1 : -1,
                            .start = (uint32_t)i,
                            .length = 1,
                            .token = encoder->tokenizer->byte_tokens[(unsigned char)text[i]]};
    encoder->heap_count = 0;
    for (size_t i = 0; i + 1 < length; i++)
        if (!propose(encoder, text, (int32_t)i, (int32_t)i + 1))
            return false;
    return true;
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
    if (!start(encoder, text, length))
        return loam_fail_memory(error, length * sizeof(struct symbol));
    if (!loam_merge_all(encoder, text, propose))
        return loam_fail_memory(error, encoder->heap_capacity * sizeof(struct candidate));
    for (int32_t i = 0; i >= 0; i = encoder->symbols[i].next) {
        /* A byte that the vocabulary lacks gives no token, as in the reference:
         * the "unknown" token of such files is often a control token. */
        int32_t id = encoder->symbols[i].token;
        loam_status status =
            id >= 0 ? loam_tokenizer_push(out, encoder->memory, id, error) : LOAM_OK;
        if (status)
            return status;
    }
    return LOAM_OK;
}

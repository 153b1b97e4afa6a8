/* SPDX-License-Identifier: MIT */
/* SentencePiece's byte-pair encoding: the pair whose text has the best score
 * is merged first, ties to the left; what has no token falls to byte tokens
 * (Kudo and Richardson, 2018). A text that spells the name of a byte token
 * stays text. */
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

static bool propose(struct encoder *encoder, const char *text, int32_t left, int32_t right)
{
    if (left < 0 || right < 0)
        return true;
    const struct symbol *a = &encoder->symbols[left], *b = &encoder->symbols[right];
    uint32_t length = a->length + b->length;
    if (length > encoder->tokenizer->longest)
        return true;
    int32_t id = loam_vocabulary_find(encoder->tokenizer, text + a->start, length);
    if (id < 0 || (encoder->tokenizer->tokens[id].flags & LOAM_TOKEN_BYTE))
        return true;
    return loam_merge_push(encoder,
                           &(struct candidate){.score = encoder->tokenizer->tokens[id].score,
                                               .left = left,
                                               .right = right,
                                               .length = length,
                                               .result = id});
}

/* One symbol for each character; returns their number, or 0 without memory. */
static size_t start(struct encoder *encoder, const char *text, size_t length)
{
    size_t count = 0;
    if (!loam_memory_grow(encoder->memory, (void **)&encoder->symbols, &encoder->symbol_capacity,
                          length, sizeof *encoder->symbols))
        return 0;
    for (size_t i = 0; i < length; count++) {
        uint32_t c;
        size_t bytes = loam_utf8_decode(&c, text + i, length - i);
        encoder->symbols[count] = (struct symbol){.previous = (int32_t)count - 1,
                                                  .next = (int32_t)count + 1,
                                                  .start = (uint32_t)i,
                                                  .length = (uint32_t)bytes,
                                                  .token = -1};
        i += bytes;
    }
    encoder->symbols[count - 1].next = -1;
    encoder->heap_count = 0;
    for (size_t i = 0; i + 1 < count; i++)
        if (!propose(encoder, text, (int32_t)i, (int32_t)i + 1))
            return 0;
    return count;
}

static loam_status emit(struct encoder *encoder, struct token_list *out, const char *text,
                        const struct symbol *symbol, loam_error *error)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    int32_t id = symbol->token >= 0
                     ? symbol->token
                     : loam_vocabulary_find(tokenizer, text + symbol->start, symbol->length);
    if (id >= 0)
        return loam_tokenizer_push(out, encoder->memory, id, error);
    loam_status status = LOAM_OK;
    for (uint32_t i = 0; !status && i < symbol->length; i++) {
        id = tokenizer->byte_tokens[(unsigned char)text[symbol->start + i]];
        if (id < 0) /* no byte tokens: one unknown for the character */
            return tokenizer->unknown < 0
                       ? LOAM_OK
                       : loam_tokenizer_push(out, encoder->memory, tokenizer->unknown, error);
        status = loam_tokenizer_push(out, encoder->memory, id, error);
    }
    return status;
}

loam_status loam_spm_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error)
{
    if (length == 0)
        return LOAM_OK;
    if (start(encoder, text, length) == 0)
        return loam_fail_memory(error, length * sizeof(struct symbol));
    if (!loam_merge_all(encoder, text, propose))
        return loam_fail_memory(error, encoder->heap_capacity * sizeof(struct candidate));
    loam_status status = LOAM_OK;
    for (int32_t i = 0; !status && i >= 0; i = encoder->symbols[i].next)
        status = emit(encoder, out, text, &encoder->symbols[i], error);
    return status;
}

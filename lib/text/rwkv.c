/* SPDX-License-Identifier: MIT */
/* RWKV's vocabularies: from the left, the longest token that fits. */
#include "text/tokenizer.h"
#include "text/vocabulary.h"

loam_status loam_rwkv_append(struct encoder *encoder, struct token_list *out, const char *text,
                             size_t length, loam_error *error)
{
    const struct tokenizer *t = encoder->tokenizer;
    size_t found;
    for (size_t at = 0; at < length; at += found) {
        int32_t id = loam_trie_longest(&t->trie, text + at, length - at, &found);
        if (id < 0) {
            id = t->unknown;
            found = 1;
        }
        loam_status status =
            id >= 0 ? loam_tokenizer_push(out, encoder->memory, id, error) : LOAM_OK;
        if (status)
            return status;
    }
    return LOAM_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * What tokens are, by their texts: files often do not say which tokens end a
 * turn, and give tokens for filling in the middle as text of the user's.
 */
#include "text/vocabulary.h"

#define BAR  "\xEF\xBD\x9C" /* U+FF5C, as DeepSeek has it */
#define LOW  "\xE2\x96\x81" /* U+2581 */
#define FACE "<" BAR
#define BACK BAR ">"

/* Tokens that end a turn or a document in models in use. */
static const char *const ends[] = {
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<|end_of_sentence|>",
    FACE "end" LOW "of" LOW "sentence" BACK,
    "<end_of_utterance>",
    "<turn|>",
    "[e~[",
    "</s>",
};

/* Tokens around the pieces of a prompt that is to be filled in. */
static const char *const fills[] = {
    "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",    FACE "fim" LOW "begin" BACK,
    "<PRE>",          LOW "<PRE>",    "<|code_prefix|>", "<|prefix|>",
    "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",    FACE "fim" LOW "hole" BACK,
    "<SUF>",          LOW "<SUF>",    "<|code_suffix|>", "<|suffix|>",
    "<|fim_middle|>", "<fim-middle>", "<fim_middle>",    FACE "fim" LOW "end" BACK,
    "<MID>",          LOW "<MID>",    "<|code_middle|>", "<|middle|>",
    "<|fim_pad|>",    "<fim-pad>",    "<fim_pad>",       "<|fim_repo|>",
    "<|repo_name|>",  "<fim-repo>",   "<REPO>",          "<reponame>",
    "<|file_sep|>",
};

static bool is_one_of(const struct token *token, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (token->text_length == strlen(names[i]) &&
            memcmp(token->text, names[i], token->text_length) == 0)
            return true;
    return false;
}

static bool has_text(const struct tokenizer *t, const char *text)
{
    for (uint32_t i = 0; i < t->count; i++)
        if ((t->tokens[i].flags & (LOAM_TOKEN_CONTROL | LOAM_TOKEN_USER)) &&
            is_one_of(&t->tokens[i], &text, 1))
            return true;
    return false;
}

void loam_vocabulary_mark_by_name(struct tokenizer *t)
{
    static const char *const end_of_message = "<|end|>";
    /* Where "<|return|>" and "<|call|>" end a turn, "<|end|>" ends a message of it. */
    bool messages = (has_text(t, "<|return|>") || has_text(t, "<|flush|>")) &&
                    (has_text(t, "<|call|>") || has_text(t, "<|calls|>"));
    for (uint32_t i = 0; i < t->count; i++) {
        struct token *token = &t->tokens[i];
        if (!(token->flags & (LOAM_TOKEN_CONTROL | LOAM_TOKEN_USER)))
            continue;
        bool ends_turn = is_one_of(token, ends, LOAM_COUNT_OF(ends)) &&
                         !(messages && is_one_of(token, &end_of_message, 1));
        if (!ends_turn && !is_one_of(token, fills, LOAM_COUNT_OF(fills)))
            continue;
        token->flags = (token->flags & ~(uint32_t)LOAM_TOKEN_USER) | LOAM_TOKEN_CONTROL;
        if (ends_turn)
            token->flags |= LOAM_TOKEN_END;
    }
}

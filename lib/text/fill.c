/* SPDX-License-Identifier: MIT */
/*
 * Families of models that fill in the middle, and how a vocabulary tells which
 * is its own. Sources, by row:
 *   qwen        "Qwen2.5-Coder Technical Report", arXiv 2409.12186, and the
 *               examples of its repository
 *   starcoder2  "StarCoder 2 and The Stack v2", arXiv 2402.19173, section 5.1
 *   starcoder   model card of bigcode/starcoder; Granite Code has the same tokens
 *               (arXiv 2405.04324)
 *   santacoder  model card of bigcode/santacoder
 *   deepseek    README of deepseek-ai/DeepSeek-Coder, code insertion and
 *               repository-level completion
 *   codellama   "Code Llama", arXiv 2308.12950, and the infilling of its reference program
 *   codestral   mistral-common, FIM requests
 *   fim         documentation of CodeGemma and of Granite 3.3 and 4: as qwen,
 *               without tokens for files that are documented for this use
 */
#include "text/fill.h"

#include "text/vocabulary.h"

#define BAR "\xEF\xBD\x9C" /* U+FF5C */
#define LOW "\xE2\x96\x81" /* U+2581 */

static const struct fill_family families[] = {
    {.name = "qwen",
     .texts = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>",
               "<|file_sep|>"},
     .path = FILL_PATH_BEFORE,
     .needs_separator = true,
     .newline = true},
    {.name = "fim",
     .texts = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"},
     .comment_space = true},
    {.name = "starcoder2",
     .texts = {"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<repo_name>",
               "<file_sep>"},
     .path = FILL_PATH_INSIDE,
     .needs_separator = true},
    {.name = "starcoder",
     .texts = {"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"},
     .comment_space = true},
    {.name = "santacoder",
     .texts = {"<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>"},
     .comment_space = true},
    {.name = "deepseek",
     .texts = {"<" BAR "fim" LOW "begin" BAR ">", "<" BAR "fim" LOW "hole" BAR ">",
               "<" BAR "fim" LOW "end" BAR ">"}},
    {.name = "codellama",
     .texts = {LOW "<PRE>", LOW "<SUF>", LOW "<MID>", [FILL_END] = LOW "<EOT>"},
     .comment_space = true},
    {.name = "codestral",
     .texts = {"[PREFIX]", "[SUFFIX]"},
     .suffix_first = true,
     .comment_space = true},
};

/* For files that name the ids of tokens with other texts. */
static const struct fill_family by_key = {.name = "fim", .comment_space = true};

const char *loam_fill_key(enum fill_token token, int which)
{
    static const char *const keys[FILL_TOKEN_COUNT][2] = {
        [FILL_PREFIX] = {"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"},
        [FILL_SUFFIX] = {"tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"},
        [FILL_MIDDLE] = {"tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"},
        [FILL_PAD] = {"tokenizer.ggml.fim_pad_token_id"},
        [FILL_REPOSITORY] = {"tokenizer.ggml.fim_rep_token_id"},
        [FILL_SEPARATOR] = {"tokenizer.ggml.fim_sep_token_id"}};
    return keys[token][which];
}

/* Ids of every family's tokens by their texts. Of equal texts the last counts. */
static void find_texts(int32_t ids[][FILL_TOKEN_COUNT], const struct tokenizer *t)
{
    bool begins[256] = {false};
    for (size_t f = 0; f < LOAM_COUNT_OF(families); f++)
        for (int k = 0; k < FILL_TOKEN_COUNT; k++) {
            ids[f][k] = -1;
            if (families[f].texts[k])
                begins[(unsigned char)families[f].texts[k][0]] = true;
        }
    for (uint32_t i = 0; i < t->count; i++) {
        const struct token *token = &t->tokens[i];
        char last = token->text_length < 5 ? 0 : token->text[token->text_length - 1];
        if ((last != '>' && last != ']') || !begins[(unsigned char)token->text[0]])
            continue;
        for (size_t f = 0; f < LOAM_COUNT_OF(families); f++)
            for (int k = 0; k < FILL_TOKEN_COUNT; k++)
                if (families[f].texts[k] && strcmp(families[f].texts[k], token->text) == 0)
                    ids[f][k] = (int32_t)i;
    }
}

static bool is_whole(const struct fill_family *family, const int32_t *ids)
{
    return ids[FILL_PREFIX] >= 0 && ids[FILL_SUFFIX] >= 0 &&
           (ids[FILL_MIDDLE] >= 0 || !family->texts[FILL_MIDDLE]) &&
           (ids[FILL_SEPARATOR] >= 0 || !family->needs_separator);
}

bool loam_fill_find(struct fill_tokens *out, const struct tokenizer *t)
{
    int32_t ids[LOAM_COUNT_OF(families)][FILL_TOKEN_COUNT];
    find_texts(ids, t);
    for (size_t f = 0; f < LOAM_COUNT_OF(families); f++) {
        for (int k = 0; k < FILL_TOKEN_COUNT; k++) /* what the file says comes first */
            if (t->fill_ids[k] && families[f].texts[k])
                ids[f][k] = (int32_t)t->fill_ids[k] - 1;
        /* Ids alone do not tell families: one text at least is the family's. */
        int32_t prefix = ids[f][FILL_PREFIX];
        if (!is_whole(&families[f], ids[f]) ||
            strcmp(t->tokens[prefix].text, families[f].texts[FILL_PREFIX]) != 0)
            continue;
        out->family = &families[f];
        memcpy(out->ids, ids[f], sizeof out->ids);
        return true;
    }
    out->family = &by_key;
    for (int k = 0; k < FILL_TOKEN_COUNT; k++)
        out->ids[k] = (int32_t)t->fill_ids[k] - 1;
    return out->ids[FILL_PREFIX] >= 0 && out->ids[FILL_SUFFIX] >= 0 && out->ids[FILL_MIDDLE] >= 0;
}

/* SPDX-License-Identifier: MIT */
/* The tokens of a vocabulary, and finding one by its text. */
#ifndef LOAM_TEXT_VOCABULARY_H
#define LOAM_TEXT_VOCABULARY_H

#include "format/gguf.h"
#include "text/split.h"

enum tokenizer_kind {
    TOKENIZER_SPM, /* "llama": SentencePiece, merged by score */
    TOKENIZER_BPE  /* "gpt2": byte-level, merged by rank */
};

struct token {
    const char *text;  /* as in the file, NUL behind it */
    const char *piece; /* the bytes that it stands for */
    uint32_t text_length, piece_length;
    float score;
    uint32_t flags; /* LOAM_TOKEN_... */
};

/* Which two tokens become one, and how early. */
struct merge {
    int32_t left, right, result;
    uint32_t rank;
};

struct tokenizer {
    struct memory *memory;
    struct arena arena;
    enum tokenizer_kind kind;
    const struct splitter *splitter;
    loam_string kind_name, splitter_name, chat_template;
    struct token *tokens;
    uint32_t count;
    uint32_t longest; /* bytes of the longest text */
    int32_t *by_text; /* open hash table of ids, -1 empty */
    uint64_t text_mask;
    struct merge *merges; /* open hash table by left and right, left -1 empty */
    uint64_t merge_mask;
    int32_t byte_tokens[256]; /* token of each byte, or -1 */
    int32_t begin, end, unknown;
    bool adds_begin, adds_end, adds_space;
    uint8_t
        special_first[256]; /* bytes that a special token begins with: 1 control, 2 user-defined */
    uint32_t *special_lengths; /* their lengths, descending */
    size_t special_length_count;
};

/* The id of a token with that text, the last if there are several, or -1. For
 * byte-level vocabularies the text is in bytes. */
int32_t loam_vocabulary_find(const struct tokenizer *tokenizer, const char *text, size_t length);

/* The merge of two tokens, or NULL. */
const struct merge *loam_vocabulary_merge(const struct tokenizer *tokenizer, int32_t left,
                                          int32_t right);

/* Scratch of one encoding call, grown as needed. */
struct symbol {
    int32_t previous, next; /* -1: none */
    uint32_t start, length; /* in the text; 0: merged away */
    int32_t token;
};

struct candidate {
    float score;   /* SPM: larger first */
    uint32_t rank; /* BPE: smaller first */
    int32_t left, right;
    uint32_t length; /* of both; tells a stale candidate */
    int32_t result;
};

struct encoder {
    const struct tokenizer *tokenizer;
    struct memory *memory;
    struct symbol *symbols;
    size_t symbol_capacity;
    struct candidate *heap;
    size_t heap_count, heap_capacity;
};

struct token_list;

/* Appends the tokens of a word (BPE), or of a text with spaces already
 * escaped (SPM). */
loam_status loam_bpe_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error);
loam_status loam_spm_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error);

/* Appends one id. */
loam_status loam_tokenizer_push(struct token_list *list, struct memory *memory, int32_t id,
                                loam_error *error);

/* ---- merge.c: the queue of possible merges ---- */

bool loam_merge_push(struct encoder *encoder, const struct candidate *candidate);
bool loam_merge_pop(struct encoder *encoder, struct candidate *out);

/* Joins two neighbours into the left one. */
void loam_merge_join(struct encoder *encoder, const struct candidate *candidate);

#endif

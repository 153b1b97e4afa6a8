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
    uint32_t flags;    /* LOAM_TOKEN_... */
    bool takes_spaces; /* white space behind it in a text goes with it */
};

/* Of the hash table of texts; the tag saves looking at tokens that differ. */
struct text_slot {
    int32_t id; /* -1: empty */
    uint32_t tag;
};

/* Flags of tokens that are found in a text before it is split. */
enum { SPECIAL_FLAGS = LOAM_TOKEN_CONTROL | LOAM_TOKEN_USER | LOAM_TOKEN_UNKNOWN };

/* Which two tokens become one, and how early. */
struct merge {
    int32_t left, right, result;
    uint32_t rank;
};

struct tokenizer {
    struct memory *memory;
    struct arena arena;
    enum tokenizer_kind kind;
    const struct split_pattern *pattern; /* byte-level: how words are found */
    struct splitter splitter;
    loam_string kind_name, splitter_name, chat_template;
    struct token *tokens;
    uint32_t count;
    uint32_t longest;          /* bytes of the longest text */
    struct text_slot *by_text; /* open hash table */
    uint64_t text_mask;
    struct merge *merges; /* open hash table by left and right, left -1 empty */
    uint64_t merge_mask;
    int32_t byte_tokens[256]; /* token of each byte, or -1 */
    int32_t begin, end, unknown;
    bool adds_begin, adds_end, adds_space;
    bool crosses_spaces;        /* SPM: some token goes on with a space after another character */
    uint8_t special_first[256]; /* first bytes of special tokens: 1 control, 2 user-defined */
    int32_t *special;           /* ids sorted by text, each text once */
    size_t special_count;
};

/* The id of the token that plain text of that form becomes, the last if there
 * are several, or -1. Control and unknown tokens are never found: no text may
 * turn into one unless the caller asks for it. For byte-level vocabularies the
 * text is in bytes, and neither user-defined tokens are found (they are matched
 * before splitting) nor texts outside the byte alphabet, which no text reaches. */
int32_t loam_vocabulary_find(const struct tokenizer *tokenizer, const char *text, size_t length);

/* The merge of two tokens, or NULL. */
const struct merge *loam_vocabulary_merge(const struct tokenizer *tokenizer, int32_t left,
                                          int32_t right);

/* Marks control tokens and tokens that end a text by what they are called.
 * Converters often mark them as text of the user's: they are not. */
void loam_vocabulary_mark_by_name(struct tokenizer *tokenizer);

/* ---- special.c ---- */

loam_status loam_special_build(struct tokenizer *tokenizer, loam_error *error);

/* The longest special token at text[0], length at least 1, or -1: user-defined
 * ones, and with `control` all. */
int32_t loam_special_at(const struct tokenizer *tokenizer, const char *text, size_t length,
                        bool control);

/* ---- encoding ---- */

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
/* Adds the merge of two neighbouring symbols of the text to the queue, if there
 * is one; -1 is no symbol. false without memory. */
typedef bool (*merge_proposal)(struct encoder *encoder, const char *text, int32_t left,
                               int32_t right);

/* Carries out merges, the best first, until none is left. */
bool loam_merge_all(struct encoder *encoder, const char *text, merge_proposal propose);

#endif

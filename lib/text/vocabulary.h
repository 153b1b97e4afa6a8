/* SPDX-License-Identifier: MIT */
/* The tokens of a vocabulary, and what its kinds share. */
#ifndef LOAM_TEXT_VOCABULARY_H
#define LOAM_TEXT_VOCABULARY_H

#include "format/gguf.h"
#include "text/charsmap.h"
#include "text/fill.h"
#include "text/pipeline.h"
#include "text/split.h"
#include "text/trie.h"

enum tokenizer_kind {
    TOKENIZER_SPM,       /* "llama": SentencePiece, merged by score */
    TOKENIZER_BPE,       /* "gpt2": byte-level, merged by rank */
    TOKENIZER_WORDPIECE, /* "bert" */
    TOKENIZER_UNIGRAM,   /* "t5": SentencePiece, best sum of scores */
    TOKENIZER_RWKV       /* "rwkv": longest match */
};

struct token {
    const char *text;  /* as in the file, NUL behind it */
    const char *piece; /* the bytes that it stands for */
    uint32_t text_length, piece_length;
    float score;
    uint32_t flags;    /* LOAM_TOKEN_... */
    bool takes_spaces; /* white space behind it in a text goes with it */
    bool takes_spaces_before;
    bool whole_word; /* found only where no character of a word is before or behind it */
    bool plain;      /* text can become it that is not special */
    bool taken;      /* by a merge */
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
    loam_string kind_name, splitter_name, chat_template, tool_template;
    struct token *tokens;
    uint32_t count;
    uint32_t longest;          /* bytes of the longest text */
    struct text_slot *by_text; /* open hash table, of kinds that merge */
    uint64_t text_mask;
    bool texts_differ;    /* no two tokens of the table have the same text */
    struct merge *merges; /* open hash table by left and right, left -1 empty */
    uint64_t merge_mask;
    uint32_t merge_count;     /* ranks are less */
    bool merges_ordered;      /* a merge that makes a token stands before all that take it */
    struct trie trie;         /* of the other kinds */
    int32_t byte_tokens[256]; /* token of each byte, or -1 */
    int32_t begin, end, unknown, separator;
    struct pipeline *pipeline; /* of a tokenizer.json, or NULL */
    bool adds_begin, adds_end, adds_space;
    bool adds_separator;        /* after a text, WordPiece */
    bool says_unknown;          /* byte-level: for bytes that have no token */
    bool fuses_unknown;         /* SentencePiece: unknown neighbours are one */
    bool falls_to_bytes;        /* Unigram: unknown characters become byte tokens */
    uint32_t longest_word;      /* WordPiece with a pipeline: in characters */
    bool merges_spaces;         /* Unigram: of spaces one is left, none at the ends */
    bool lower_case;            /* WordPiece */
    bool strips_accents;        /* WordPiece */
    float unknown_score;        /* Unigram */
    struct charsmap charsmap;   /* Unigram */
    uint8_t joins[256][32];     /* SentencePiece: bit b of [a]: see loam_vocabulary_joins */
    uint8_t special_first[256]; /* first bytes of special tokens: 1 control, 2 user-defined */
    int32_t *special;           /* ids sorted by text, each text once */
    size_t special_count;
    uint32_t fill_ids[FILL_TOKEN_COUNT]; /* id + 1 of tokens that the file names; 0: none */
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

/* Builds what encoding looks tokens up in, when the tokens have been read;
 * `merges` (NULL if the kind has none) are texts "left right" by rank.
 * [errors: MEMORY, FORMAT, UNSUPPORTED (a token is too long for its kind)] */
loam_status loam_vocabulary_index(struct tokenizer *tokenizer, const struct gguf_entry *merges,
                                  loam_error *error);

/* SentencePiece: whether some token has byte b behind byte a, U+2581 counting as
 * a space. Where none has, no token reaches over that place of a text, and what
 * lies on both sides can be encoded for itself. */
static inline bool loam_vocabulary_joins(const struct tokenizer *tokenizer, unsigned char a,
                                         unsigned char b)
{
    return tokenizer->joins[a][b >> 3] >> (b & 7) & 1;
}

/* The byte for which the character at text[0], or a byte of it, counts there;
 * *size is 3 for U+2581, else 1. */
static inline unsigned char loam_vocabulary_joint(const char *text, size_t length, size_t *size)
{
    bool space = length >= 3 && memcmp(text, "\xE2\x96\x81", 3) == 0;
    *size = space ? 3 : 1;
    return space ? ' ' : (unsigned char)text[0];
}

/* Notes which bytes stand side by side in a token. */
void loam_vocabulary_note_joins(struct tokenizer *tokenizer, const struct token *token);

enum { VOCABULARY_MAX_TOKENS = 1 << 24 };

/* A hash of texts, both halves mixed well. */
uint64_t loam_vocabulary_hash(const char *text, size_t length);

/* Marks control tokens and tokens that end a text by what they are called.
 * Converters often mark them as text of the user's: they are not. */
void loam_vocabulary_mark_by_name(struct tokenizer *tokenizer);

/* ---- pieces.c: from the texts of a file to bytes ---- */

/* Sets piece and plain of a token from its text and flags. room[text_length + 1]
 * lives as long as the token and may hold the piece. */
void loam_piece_make(struct token *token, enum tokenizer_kind kind, char *room);

/* Byte-level text to bytes; characters outside the alphabet stay, and *plain is
 * false. Writes at most `length` bytes, returns their number. */
uint32_t loam_piece_decode_bytes(char *out, const char *text, size_t length, bool *plain);

/* ---- special.c ---- */

loam_status loam_special_build(struct tokenizer *tokenizer, loam_error *error);

/* The longest special token at text[0], length at least 1, or -1: user-defined
 * ones, and with `control` all. */
int32_t loam_special_at(const struct tokenizer *tokenizer, const char *text, size_t length,
                        bool control);

/* ---- encoding ---- */

/* A part of a word. */
struct symbol {
    uint32_t start, length; /* in the text; length 0: merged away */
    int32_t token;
    int32_t result;         /* of merging it with the next one */
    uint32_t rank;          /* of that merge, the smallest first; or NO_RANK */
    int32_t previous, next; /* -1: none */
};

#define NO_RANK UINT32_MAX

struct best;
struct bucket;
struct bucket_node;
struct cached_word;

/* Scratch of one encoding call, grown as needed. */
struct encoder {
    const struct tokenizer *tokenizer;
    struct memory *memory;
    bool continues; /* no space goes before the text: TOKENIZER_CONTINUES */
    struct symbol *symbols;
    size_t symbol_capacity;
    uint64_t *queue;
    size_t queue_capacity;
    struct bucket *buckets; /* [merge_count], all empty between words */
    struct bucket_node *nodes;
    size_t node_capacity;
    char *buffer; /* normalised text */
    size_t buffer_count, buffer_capacity;
    struct best *best;
    size_t best_capacity;
    struct cached_word *words;
    uint64_t word_mask;
    struct pipeline_scratch *scratch;
};

void loam_encoder_end(struct encoder *encoder);

/* Makes the buffer hold at least `bytes`; false without memory. */
bool loam_encoder_reserve(struct encoder *encoder, uint64_t bytes);

struct token_list;

/* Appends one id. */
loam_status loam_tokenizer_push(struct token_list *list, struct memory *memory, int32_t id,
                                loam_error *error);

/* ---- words.c ---- */

/* Prepares to remember words of a text of that length; false without memory. */
bool loam_words_begin(struct encoder *encoder, size_t text_length);

/* Appends the tokens of a word in the form of the kind (below), from memory if
 * it was seen before. */
loam_status loam_encode_word(struct encoder *encoder, struct token_list *out, const char *text,
                             size_t length, loam_error *error);

/* ---- the kinds: words, length at least 1 ---- */

/* A word in bytes. */
loam_status loam_bpe_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error);
/* A text; spaces may also be U+2581. */
loam_status loam_spm_encode(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error);
/* A word normalised, U+2581 in front. */
loam_status loam_wordpiece_encode(struct encoder *encoder, struct token_list *out, const char *text,
                                  size_t length, loam_error *error);
/* A text normalised, with spaces as U+2581. */
loam_status loam_unigram_encode(struct encoder *encoder, struct token_list *out, const char *text,
                                size_t length, loam_error *error);

/* ---- the kinds: texts between special tokens ---- */

loam_status loam_bpe_append(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error);
loam_status loam_spm_append(struct encoder *encoder, struct token_list *out, const char *text,
                            size_t length, loam_error *error);
loam_status loam_wordpiece_append(struct encoder *encoder, struct token_list *out, const char *text,
                                  size_t length, loam_error *error);
loam_status loam_unigram_append(struct encoder *encoder, struct token_list *out, const char *text,
                                size_t length, loam_error *error);
loam_status loam_rwkv_append(struct encoder *encoder, struct token_list *out, const char *text,
                             size_t length, loam_error *error);

/* Whether BERT's program sets the character apart. */
bool loam_wordpiece_is_ideograph(uint32_t c);

/* ---- merge.c, merge_ordered.c ---- */

/* Sets rank and result of `left` for its merge with the symbol behind it. */
typedef void (*merge_rank)(const struct tokenizer *tokenizer, const char *text, struct symbol *left,
                           const struct symbol *right);

/* Makes room for that many symbols and their merging; false without memory. */
bool loam_merge_reserve(struct encoder *encoder, size_t count);

/* Merges encoder->symbols[count], with start, length and token set, until no
 * merge is left: the lowest rank first, ties to the left. Returns how many are
 * left, at the front of the array. Takes no memory. */
size_t loam_merge_all(struct encoder *encoder, const char *text, size_t count, merge_rank rank);

/* The same for merges in order and ranks below merge_count: in linear time but
 * for sorting. */
bool loam_merge_ordered_reserve(struct encoder *encoder, size_t count);
size_t loam_merge_ordered(struct encoder *encoder, const char *text, size_t count, merge_rank rank);

/* Links the symbols, ranks them all. */
void loam_merge_link(struct encoder *encoder, const char *text, size_t count, merge_rank rank);

/* Joins symbol `at` with the next one; the caller ranks it and the one before
 * anew. */
void loam_merge_join(struct symbol *symbols, int32_t at);

/* Puts the symbols that are left to the front. */
size_t loam_merge_compact(struct symbol *symbols, size_t count);

/* Ranks a symbol, if there is one, with what stands behind it now. Whether it
 * can be merged. */
bool loam_merge_rank_again(struct encoder *encoder, const char *text, int32_t at, merge_rank rank);

/* A heap of numbers, the smallest on top. */
void loam_heap_make(uint64_t *heap, size_t count);
void loam_heap_push(uint64_t *heap, size_t *count, uint64_t item);
uint64_t loam_heap_pop(uint64_t *heap, size_t *count);

#endif

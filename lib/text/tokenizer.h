/* SPDX-License-Identifier: MIT */
/*
 * lib/text: Unicode, split patterns, vocabularies of all kinds; text to tokens
 * and back. Knows nothing of weights, graphs or sessions.
 *
 * tokenizer.h: the vocabulary of a model file.
 */
#ifndef LOAM_TEXT_TOKENIZER_H
#define LOAM_TEXT_TOKENIZER_H

#include "format/gguf.h"

/* A vocabulary, checked: every id in it is in range. Immutable. Thread-safe. */
struct tokenizer;

/* Reads tokenizer.* of the header. Everything needed is copied: the header may
 * end before the tokenizer does. *out is NULL if the file has no vocabulary
 * (no tokenizer.ggml.model, or "no_vocab").
 * [errors: MEMORY, FORMAT (names the key), UNSUPPORTED (names the kind or splitter)] */
loam_status loam_tokenizer_create(struct tokenizer **out, const struct gguf *gguf,
                                  struct memory *memory, loam_error *error);
/* Reads a tokenizer.json, all of text[size]; nothing of it is kept.
 * [errors: MEMORY, FORMAT (line, byte and key), UNSUPPORTED (names what)] */
loam_status loam_tokenizer_json_create(struct tokenizer **out, const char *text, size_t size,
                                       struct memory *memory, loam_error *error);
void loam_tokenizer_destroy(struct tokenizer *tokenizer);

/* Ids of a growing array. It may begin in an array of the caller, `given`, and moves
 * out when that is full; ids is then the list's, to free, as it is without one. What
 * is behind `count` may have been written as well, up to the capacity. */
struct token_list {
    int32_t *ids;
    size_t count, capacity;
    int32_t *given; /* NULL: none */
};

/* Makes room for `wanted` ids in all; false without memory. */
bool loam_token_list_grow(struct token_list *list, struct memory *memory, uint64_t wanted);

/* Frees what is the list's own. */
void loam_token_list_end(struct token_list *list, struct memory *memory);

/* Beside LOAM_ENCODE_...: the text goes on from another one, so that SentencePiece
 * vocabularies put no space before it. */
enum { TOKENIZER_CONTINUES = 1 << 16 };

/* Appends the tokens of the text; flags: LOAM_ENCODE_... On failure (MEMORY)
 * the list may hold a part. Time: linear in the text, for every text. */
loam_status loam_tokenizer_append(struct token_list *list, const struct tokenizer *tokenizer,
                                  struct memory *memory, const char *text, size_t length,
                                  uint32_t flags, loam_error *error);

/* The same for a text whose stretches are trusted or not (NULL: all of it is):
 * control tokens are found in trusted stretches only. */
loam_status loam_tokenizer_append_spans(struct token_list *list, const struct tokenizer *tokenizer,
                                        struct memory *memory, const char *text, size_t length,
                                        const loam_text_span *spans, size_t span_count,
                                        uint32_t flags, loam_error *error);

/* The bytes that token `id` (in range) stands for when it follows others:
 * "\xE2\x96\x81" already turned to a space, byte tokens to their byte,
 * byte-level characters to their bytes. Control tokens give nothing unless
 * show_special. Writes at most capacity bytes; returns the full length. */
size_t loam_tokenizer_piece(char *out, size_t capacity, const struct tokenizer *tokenizer,
                            int32_t id, bool show_special);

/* The same bytes where they lie, as long as the tokenizer lives. */
loam_string loam_tokenizer_piece_of(const struct tokenizer *tokenizer, int32_t id,
                                    bool show_special);

/* Whether the first text token of a decoded text loses one leading space
 * (vocabularies that add a space before a text). */
bool loam_tokenizer_strips_space(const struct tokenizer *tokenizer);

/* How many tokens LOAM_ENCODE_ADD_SPECIAL adds. */
uint32_t loam_tokenizer_added(const struct tokenizer *tokenizer);

uint32_t loam_tokenizer_count(const struct tokenizer *tokenizer);
uint32_t loam_tokenizer_flags(const struct tokenizer *tokenizer, int32_t id); /* LOAM_TOKEN_... */
void loam_tokenizer_describe_token(loam_token_info *out, const struct tokenizer *tokenizer,
                                   int32_t id);
loam_string loam_tokenizer_tool_template(const struct tokenizer *tokenizer); /* may be empty */
void loam_tokenizer_describe(loam_tokenizer_info *out, const struct tokenizer *tokenizer);

/*
 * Detokenising in a stream: pieces go in, whole UTF-8 characters come out.
 * Invalid bytes become U+FFFD, one for each maximal subpart. Zero-initialised.
 */
struct utf8_stream {
    char held[4]; /* the beginning of a character */
    size_t held_count;
};

/* Appends bytes[length] to the stream and writes what became certain to out,
 * which has room for 3 * (length + 4) bytes. Returns the bytes written. */
size_t loam_utf8_stream_push(struct utf8_stream *stream, char *out, const char *bytes,
                             size_t length);

/* The text ends: writes U+FFFD for what is held. out has room for 12 bytes. */
size_t loam_utf8_stream_finish(struct utf8_stream *stream, char *out);

#endif

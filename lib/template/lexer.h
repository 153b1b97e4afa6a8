/* SPDX-License-Identifier: MIT */
/* A template's text to tokens, white space control done. */
#ifndef LOAM_TEMPLATE_LEXER_H
#define LOAM_TEMPLATE_LEXER_H

#include "base/error.h"
#include "template/heap.h"

enum token_kind {
    TOKEN_END, /* of the template */
    TOKEN_TEXT,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_PRINT_BEGIN,
    TOKEN_PRINT_END,
    TOKEN_NAME,
    TOKEN_STRING, /* with its quotes */
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_OPERATOR
};

struct token {
    uint32_t start, length; /* in the source */
    uint8_t kind;           /* enum token_kind */
    char operator[2];       /* OPERATOR: its characters, the second may be 0 */
};

struct tokens {
    struct token *items; /* in the heap; the last is TOKEN_END */
    size_t count, capacity;
};

/* source[length] has newlines as "\n" and none at its end (see
 * loam_lexer_normalize). Errors name line and column. */
loam_status loam_lexer_run(struct tokens *out, struct heap *heap, const char *source, size_t length,
                           loam_error *error);

/* Turns each "\r\n" and "\r" into "\n", takes one newline off the end, in
 * place; returns the new length. */
size_t loam_lexer_normalize(char *source, size_t length);

/* Fails with "line L, column C: " and the message. */
loam_status loam_lexer_fail(loam_error *error, loam_status code, const char *source, size_t length,
                            size_t at, const char *message, const char *detail,
                            size_t detail_length);

#endif

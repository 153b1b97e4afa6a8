/* SPDX-License-Identifier: MIT */
/* Tokens to instructions, in one pass: parse_statement.c and
 * parse_expression.c. Code that is written before what it follows at run time
 * ("a if b": a stands first and runs second) is moved. */
#ifndef LOAM_TEMPLATE_PARSER_H
#define LOAM_TEMPLATE_PARSER_H

#include "template/lexer.h"
#include "template/program.h"

/* Calls of parsing functions inside each other: brackets count three times,
 * blocks once. The deepest takes less than 48 KB of stack. */
enum { PARSE_DEPTH = 160 };

struct parser {
    struct program *program;
    struct heap *scratch; /* of what only parsing needs */
    struct token *token;  /* the next one */
    loam_error *error;
    loam_status status;
    unsigned depth;
    size_t landed;            /* where the last jump that was given its target goes to */
    struct parsed_loop *loop; /* innermost of the present body, NULL: none */
    /* Names that macro bodies give a meaning to, used since the flags were
     * last cleared. */
    bool uses_positional, uses_keywords, uses_caller;
};

/* The loop being parsed: where its continue and break go. */
struct parsed_loop {
    struct parsed_loop *outer;
    size_t next;
    int32_t breaks; /* the last of its break jumps, -1: none; each holds the one before */
};

/* ---- parse_code.c: tokens and code -------------------------------------------- */

bool loam_parser_fail(struct parser *parser, const struct token *token, const char *message);
/* "message 'token'" */
bool loam_parser_fail_token(struct parser *parser, const struct token *token, const char *message);
bool loam_parser_fail_memory(struct parser *parser);
bool loam_parser_enter(struct parser *parser); /* one level deeper */

bool loam_parser_is(const struct parser *parser, const char *operator);
bool loam_parser_is_name(const struct parser *parser, const char *name);
bool loam_parser_skip(struct parser *parser, const char *operator);
bool loam_parser_skip_name(struct parser *parser, const char *name);
bool loam_parser_expect(struct parser *parser, const char *operator);
bool loam_parser_expect_name(struct parser *parser, const char *name);
bool loam_parser_expect_block_end(struct parser *parser);
/* Takes any name and gives its symbol. */
bool loam_parser_symbol(struct parser *parser, int32_t *out);

static inline size_t parser_here(const struct parser *parser)
{
    return parser->program->code_count;
}

bool loam_parser_emit(struct parser *parser, enum opcode operation, unsigned count,
                      int64_t operand);
/* Prints the value of the expression before. */
bool loam_parser_emit_print(struct parser *parser);
/* The jump at `from` goes to the end of the code. */
void loam_parser_land(struct parser *parser, size_t from);
/* Jumps back to `to`. */
bool loam_parser_emit_back(struct parser *parser, enum opcode operation, size_t to);
/* Moves code[start, middle) behind the end. */
bool loam_parser_rotate(struct parser *parser, size_t start, size_t middle);
bool loam_parser_constant(struct parser *parser, struct value value, int32_t *out);
/* The constant of a token's text. */
bool loam_parser_name_constant(struct parser *parser, const struct token *token, int32_t *out);

/* ---- parse_expression.c ---------------------------------------------------------- */

/* A value, as in "a if b else c". */
bool loam_parse_expression(struct parser *parser);
/* Without "if": what "for" walks over. */
bool loam_parse_unconditional(struct parser *parser);
/* Values with commas between them are a tuple. `conditional`: as above. */
bool loam_parse_tuple(struct parser *parser, bool conditional);
/* "| name(...)" any number of times; the first name may stand without '|'. */
bool loam_parse_filters(struct parser *parser, bool first_is_bare);
/* "(...)": the arguments of a call and the instruction itself. */
bool loam_parse_call(struct parser *parser);

/* ---- parse_literal.c ---- */

/* String tokens one after another, numbers. */
bool loam_parse_literal(struct parser *parser);

/* ---- parse_statement.c ----------------------------------------------------------- */

/* The whole template. */
bool loam_parse_template(struct parser *parser);

/* Up to a block tag whose name is in `ends` ("else endfor"); the position is
 * behind that name. */
bool loam_parse_body(struct parser *parser, const char *ends);

/* ---- parse_block.c: the blocks, behind their names ---- */

bool loam_parse_for(struct parser *parser);
bool loam_parse_if(struct parser *parser);
bool loam_parse_set(struct parser *parser);
bool loam_parse_with(struct parser *parser);
bool loam_parse_macro(struct parser *parser);
bool loam_parse_call_block(struct parser *parser);
bool loam_parse_filter_block(struct parser *parser);
bool loam_parse_generation(struct parser *parser);
bool loam_parse_break(struct parser *parser, bool next);

#endif

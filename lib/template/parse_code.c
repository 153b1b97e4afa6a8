/* SPDX-License-Identifier: MIT */
#include "template/parser.h"

bool loam_parser_fail(struct parser *parser, const struct token *token, const char *message)
{
    const struct program *program = parser->program;
    if (!parser->status)
        parser->status = loam_lexer_fail(parser->error, LOAM_FORMAT, program->source,
                                         program->source_length, token->start, message, NULL, 0);
    return false;
}

bool loam_parser_fail_token(struct parser *parser, const struct token *token, const char *message)
{
    const struct program *program = parser->program;
    if (token->kind == TOKEN_END)
        return loam_parser_fail(parser, token, "unexpected end of the template");
    if (!parser->status)
        parser->status =
            loam_lexer_fail(parser->error, LOAM_FORMAT, program->source, program->source_length,
                            token->start, message, program->source + token->start, token->length);
    return false;
}

bool loam_parser_fail_memory(struct parser *parser)
{
    if (!parser->status)
        parser->status = loam_fail_memory(parser->error, 0);
    return false;
}

bool loam_parser_enter(struct parser *parser)
{
    const struct program *program = parser->program;
    if (parser->depth < PARSE_DEPTH) {
        parser->depth++;
        return true;
    }
    if (!parser->status)
        parser->status = loam_lexer_fail(parser->error, LOAM_UNSUPPORTED, program->source,
                                         program->source_length, parser->token->start,
                                         "expressions or blocks nest too deeply", NULL, 0);
    return false;
}

/* ---- tokens ----------------------------------------------------------------------- */

bool loam_parser_is(const struct parser *parser, const char *operator)
{
    return parser->token->kind == TOKEN_OPERATOR &&
           parser->token->operator[0] == operator[0] && parser->token->operator[1] == operator[1];
}

bool loam_parser_is_name(const struct parser *parser, const char *name)
{
    return parser->token->kind == TOKEN_NAME && strlen(name) == parser->token->length &&
           memcmp(parser->program->source + parser->token->start, name, parser->token->length) == 0;
}

bool loam_parser_skip(struct parser *parser, const char *operator)
{
    bool found = loam_parser_is(parser, operator);
    parser->token += found;
    return found;
}

bool loam_parser_skip_name(struct parser *parser, const char *name)
{
    bool found = loam_parser_is_name(parser, name);
    parser->token += found;
    return found;
}

bool loam_parser_expect(struct parser *parser, const char *operator)
{
    return loam_parser_skip(parser, operator) ||
           loam_parser_fail_token(parser, parser->token, "unexpected");
}

bool loam_parser_expect_name(struct parser *parser, const char *name)
{
    return loam_parser_skip_name(parser, name) ||
           loam_parser_fail_token(parser, parser->token, "unexpected");
}

bool loam_parser_expect_block_end(struct parser *parser)
{
    if (parser->token->kind != TOKEN_BLOCK_END)
        return loam_parser_fail_token(parser, parser->token, "expected the end of the tag, found");
    parser->token++;
    return true;
}

bool loam_parser_symbol(struct parser *parser, int32_t *out)
{
    const struct token *token = parser->token;
    struct program *program = parser->program;
    if (token->kind != TOKEN_NAME)
        return loam_parser_fail_token(parser, token, "expected a name, found");
    *out = loam_program_symbol(program, program->source + token->start, token->length);
    if (*out < 0)
        return loam_parser_fail_memory(parser);
    parser->uses_caller |= *out == program->caller;
    parser->uses_positional |= *out == program->varargs;
    parser->uses_keywords |= *out == program->kwargs;
    parser->token++;
    return true;
}

/* ---- code ------------------------------------------------------------------------- */

bool loam_parser_emit(struct parser *parser, enum opcode operation, unsigned count, int64_t operand)
{
    struct program *program = parser->program;
    if (count > UINT16_MAX || operand > INT32_MAX || operand < INT32_MIN ||
        program->code_count >= INT32_MAX)
        return loam_parser_fail(parser, parser->token, "too many of these");
    if (!loam_heap_grow(&program->heap, (void **)&program->code, &program->code_capacity,
                        (uint64_t)program->code_count + 1, sizeof *program->code))
        return loam_parser_fail_memory(parser);
    program->code[program->code_count++] = (struct instruction){.operation = (uint8_t)operation,
                                                                .count = (uint16_t)count,
                                                                .operand = (int32_t)operand,
                                                                .place = parser->token->start};
    return true;
}

bool loam_parser_emit_print(struct parser *parser)
{
    struct program *program = parser->program;
    struct instruction *last = &program->code[program->code_count - 1];
    /* Unless a jump comes here that does not pass the sum. */
    if (program->code_count && last->operation == DO_SUM && parser->landed != program->code_count) {
        last->operation = DO_PRINT_SUM;
        return true;
    }
    return loam_parser_emit(parser, DO_PRINT, 0, 0);
}

void loam_parser_land(struct parser *parser, size_t from)
{
    parser->program->code[from].operand = (int32_t)(parser->program->code_count - from - 1);
    parser->landed = parser->program->code_count;
}

bool loam_parser_emit_back(struct parser *parser, enum opcode operation, size_t to)
{
    return loam_parser_emit(parser, operation, 0,
                            (int64_t)to - (int64_t)parser->program->code_count - 1);
}

bool loam_parser_rotate(struct parser *parser, size_t start, size_t middle)
{
    struct program *program = parser->program;
    size_t count = middle - start, rest = program->code_count - middle;
    if (count == 0 || rest == 0)
        return true;
    size_t size = sizeof *program->code;
    struct instruction *code = program->code + start;
    struct instruction *copy = loam_memory_get(parser->scratch->memory, count, size);
    if (!copy)
        return loam_parser_fail_memory(parser);
    memcpy(copy, code, count * size);
    memmove(code, code + count, rest * size);
    memcpy(code + rest, copy, count * size);
    loam_memory_free(parser->scratch->memory, copy);
    return true;
}

bool loam_parser_constant(struct parser *parser, struct value value, int32_t *out)
{
    struct program *program = parser->program;
    if (program->constant_count >= INT32_MAX ||
        !loam_heap_grow(&program->heap, (void **)&program->constants, &program->constant_capacity,
                        (uint64_t)program->constant_count + 1, sizeof value))
        return loam_parser_fail_memory(parser);
    *out = (int32_t)program->constant_count;
    program->constants[program->constant_count++] = value;
    return true;
}

bool loam_parser_name_constant(struct parser *parser, const struct token *token, int32_t *out)
{
    struct text *text = loam_heap_get(&parser->program->heap, 1, sizeof *text);
    if (!text)
        return loam_parser_fail_memory(parser);
    *text = (struct text){.bytes = parser->program->source + token->start, .length = token->length};
    loam_text_hash(text); /* rendering shares constants between threads */
    loam_text_is_ascii(text);
    return loam_parser_constant(parser, value_text(text), out);
}

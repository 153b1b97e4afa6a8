/* SPDX-License-Identifier: MIT */
/* Text, prints and blocks in a row. */
#include "template/parser.h"

static bool parse_text(struct parser *parser)
{
    int32_t constant;
    if (!loam_parser_name_constant(parser, parser->token, &constant) ||
        !loam_parser_emit(parser, DO_TEXT, 0, constant))
        return false;
    parser->token++;
    return true;
}

static bool parse_print(struct parser *parser)
{
    uint32_t place = parser->token->start;
    parser->token++;
    if (!loam_parse_tuple(parser, true))
        return false;
    if (parser->token->kind != TOKEN_PRINT_END)
        return loam_parser_fail_token(parser, parser->token, "expected the end of the tag, found");
    if (!loam_parser_emit_print(parser))
        return false;
    struct instruction *print = &parser->program->code[parser->program->code_count - 1];
    if (print->operation == DO_PRINT)
        print->place = place;
    parser->token++;
    return true;
}

/* "{% print a, b %}" */
static bool parse_print_block(struct parser *parser)
{
    do {
        if (!loam_parse_expression(parser) || !loam_parser_emit_print(parser))
            return false;
    } while (loam_parser_skip(parser, ","));
    return loam_parser_expect_block_end(parser);
}

static bool parse_break(struct parser *parser)
{
    return loam_parse_break(parser, false);
}

static bool parse_continue(struct parser *parser)
{
    return loam_parse_break(parser, true);
}

/* Behind "{%". */
static bool parse_block(struct parser *parser)
{
    static const struct {
        const char *name;
        bool (*parse)(struct parser *parser);
    } blocks[] = {
        {"if", loam_parse_if},           {"for", loam_parse_for},
        {"set", loam_parse_set},         {"macro", loam_parse_macro},
        {"call", loam_parse_call_block}, {"filter", loam_parse_filter_block},
        {"with", loam_parse_with},       {"generation", loam_parse_generation},
        {"break", parse_break},          {"continue", parse_continue},
        {"print", parse_print_block},
    };
    static const char *const known[] = {"block",  "extends", "include",
                                        "import", "from",    "autoescape"};
    for (size_t i = 0; i < LOAM_COUNT_OF(blocks); i++)
        if (loam_parser_skip_name(parser, blocks[i].name))
            return blocks[i].parse(parser);
    for (size_t i = 0; i < LOAM_COUNT_OF(known); i++)
        if (loam_parser_is_name(parser, known[i]))
            return loam_parser_fail_token(parser, parser->token, "this tag is not supported:");
    return loam_parser_fail_token(parser, parser->token, "unknown tag");
}

/* Whether the name token is one of the words of `ends`. */
static bool is_one_of(const struct parser *parser, const char *ends)
{
    const char *name = parser->program->source + parser->token->start;
    size_t length = parser->token->length;
    if (parser->token->kind != TOKEN_NAME)
        return false;
    while (*ends) {
        const char *space = strchr(ends, ' ');
        size_t word = space ? (size_t)(space - ends) : strlen(ends);
        if (word == length && memcmp(ends, name, length) == 0)
            return true;
        ends += word + (ends[word] == ' ');
    }
    return false;
}

bool loam_parse_body(struct parser *parser, const char *ends)
{
    if (!loam_parser_enter(parser))
        return false;
    for (;;) {
        bool good = true;
        switch (parser->token->kind) {
        case TOKEN_TEXT:
            good = parse_text(parser);
            break;
        case TOKEN_PRINT_BEGIN:
            good = parse_print(parser);
            break;
        case TOKEN_BLOCK_BEGIN:
            parser->token++;
            if (is_one_of(parser, ends)) {
                parser->token++;
                parser->depth--;
                return true;
            }
            good = parse_block(parser);
            break;
        default: /* the end */
            if (*ends)
                return loam_parser_fail_token(parser, parser->token, "unexpected");
            parser->depth--;
            return true;
        }
        if (!good)
            return false;
    }
}

bool loam_parse_template(struct parser *parser)
{
    return loam_parse_body(parser, "") && loam_parser_emit(parser, DO_END, 0, 0);
}

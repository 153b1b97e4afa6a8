/* SPDX-License-Identifier: MIT */
/* Strings and numbers as templates write them. */
#include "base/utf8.h"
#include "base/number.h"
#include "template/parser.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `count` hexadecimal digits at text[*at]. */
static bool read_hex(const char *text, size_t length, size_t *at, size_t count, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++, ++*at) {
        int digit = *at < length ? hex_digit(text[*at]) : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* The escape behind a backslash at text[*at]: writes its bytes to out[4],
 * returns their number, or -1. */
static int read_escape(const char *text, size_t length, size_t *at, char out[4])
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char kind = text[(*at)++];
    const char *found = kind ? strchr(from, kind) : NULL;
    uint32_t c = 0;
    if (kind == '\n')
        return 0;
    if (found) {
        out[0] = to[found - from];
        return 1;
    }
    if (kind >= '0' && kind <= '7') {
        c = (uint32_t)(kind - '0');
        for (int i = 0; i < 2 && *at < length && text[*at] >= '0' && text[*at] <= '7'; i++)
            c = c << 3 | (uint32_t)(text[(*at)++] - '0');
    } else if (kind == 'x' || kind == 'u' || kind == 'U') {
        if (!read_hex(text, length, at, kind == 'x' ? 2 : kind == 'u' ? 4 : 8, &c))
            return -1;
    } else if (kind == 'N') {
        return -1;
    } else { /* no escape: the backslash stays */
        out[0] = '\\';
        out[1] = kind;
        --*at;
        return 1;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return -1;
    return (int)loam_utf8_encode(out, c);
}

/* Appends a string token's characters to out, which has room for all. */
static bool append_string(struct parser *parser, const struct token *token, char *out,
                          size_t *written)
{
    const char *text = parser->program->source + token->start + 1;
    size_t length = token->length - 2;
    for (size_t at = 0; at < length;) {
        if (text[at] != '\\') {
            out[(*written)++] = text[at++];
            continue;
        }
        char bytes[4];
        at++;
        int count = read_escape(text, length, &at, bytes);
        if (count < 0)
            return loam_parser_fail(parser, token, "an escape that is not supported in a string");
        memcpy(out + *written, bytes, (size_t)count);
        *written += (size_t)count;
    }
    return true;
}

static bool parse_strings(struct parser *parser)
{
    struct program *program = parser->program;
    const struct token *end = parser->token;
    uint64_t room = 0;
    size_t length = 0;
    int32_t constant;
    for (; end->kind == TOKEN_STRING; end++)
        room += end->length;
    struct text *text = loam_heap_get(&program->heap, 1, sizeof *text);
    char *bytes = loam_heap_bytes(&program->heap, room);
    if (!text || !bytes)
        return loam_parser_fail_memory(parser);
    for (const struct token *token = parser->token; token < end; token++)
        if (!append_string(parser, token, bytes, &length))
            return false;
    *text = (struct text){.bytes = bytes, .length = length};
    loam_text_hash(text);
    loam_text_is_ascii(text);
    if (!loam_parser_constant(parser, value_text(text), &constant) ||
        !loam_parser_emit(parser, DO_CONSTANT, 0, constant))
        return false;
    parser->token = (struct token *)(uintptr_t)end;
    return true;
}

static bool parse_integer(struct parser *parser)
{
    const struct token *token = parser->token;
    const char *text = parser->program->source + token->start;
    char mark = token->length > 1 && text[0] == '0' ? (char)(text[1] | 32) : 0;
    unsigned base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    uint64_t value = 0;
    int32_t constant;
    for (size_t i = base == 10 ? 0 : 2; i < token->length; i++) {
        if (text[i] == '_')
            continue;
        if (!loam_multiply(&value, value, base) ||
            !loam_sum(&value, value, (uint64_t)hex_digit(text[i])) || value > INT64_MAX)
            return loam_parser_fail(parser, token, "an integer of more than 64 bits");
    }
    return loam_parser_constant(parser, value_integer((int64_t)value), &constant) &&
           loam_parser_emit(parser, DO_CONSTANT, 0, constant) && parser->token++;
}

static bool parse_float(struct parser *parser)
{
    const struct token *token = parser->token;
    char digits[400];
    size_t length = 0;
    int32_t constant;
    double number;
    for (size_t i = 0; i < token->length; i++) {
        if (length == sizeof digits)
            return loam_parser_fail(parser, token, "a number of too many digits");
        if (parser->program->source[token->start + i] != '_')
            digits[length++] = parser->program->source[token->start + i];
    }
    if (!loam_number_read(&number, digits, length))
        return loam_parser_fail_token(parser, token, "not a number:");
    return loam_parser_constant(parser, value_float(number), &constant) &&
           loam_parser_emit(parser, DO_CONSTANT, 0, constant) && parser->token++;
}

bool loam_parse_literal(struct parser *parser)
{
    return parser->token->kind == TOKEN_STRING    ? parse_strings(parser)
           : parser->token->kind == TOKEN_INTEGER ? parse_integer(parser)
                                                  : parse_float(parser);
}

/* SPDX-License-Identifier: MIT */
/* The settings are fixed: trim_blocks, lstrip_blocks, no line statements. */
#include "template/lexer.h"

#include "base/utf8.h"
#include "template/characters.h"
#include "template/place.h"

struct lexer {
    struct heap *heap;
    const char *source;
    size_t length, at;
    struct tokens *out;
    char brackets[128]; /* open ones */
    size_t bracket_count;
    loam_error *error;
};

size_t loam_lexer_normalize(char *source, size_t length)
{
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        char c = source[i];
        source[written++] = c == '\r' ? '\n' : c;
        if (c == '\r' && i + 1 < length && source[i + 1] == '\n')
            i++;
    }
    return written && source[written - 1] == '\n' ? written - 1 : written;
}

loam_status loam_lexer_fail(loam_error *error, loam_status code, const char *source, size_t length,
                            size_t at, const char *message, const char *detail,
                            size_t detail_length)
{
    struct place place = loam_place_of(source, length, at);
    if (!detail)
        return loam_fail(error, code, "line %u, column %u: %s", place.line, place.column, message);
    return loam_fail(error, code, "line %u, column %u: %s '%.*s'", place.line, place.column,
                     message, LOAM_SHOWN(detail_length), detail);
}

static loam_status fail(struct lexer *lexer, size_t at, const char *message)
{
    return loam_lexer_fail(lexer->error, LOAM_FORMAT, lexer->source, lexer->length, at, message,
                           NULL, 0);
}

static loam_status push(struct lexer *lexer, enum token_kind kind, size_t start, size_t end)
{
    if (!loam_heap_grow(lexer->heap, (void **)&lexer->out->items, &lexer->out->capacity,
                        (uint64_t)lexer->out->count + 1, sizeof(struct token)))
        return loam_fail_memory(lexer->error, sizeof(struct token));
    lexer->out->items[lexer->out->count++] = (struct token){
        .start = (uint32_t)start, .length = (uint32_t)(end - start), .kind = (uint8_t)kind};
    return LOAM_OK;
}

/* The character at `at`, or 0 behind the end. */
static char peek(const struct lexer *lexer, size_t at)
{
    return at < lexer->length ? lexer->source[at] : 0;
}

static bool matches(const struct lexer *lexer, size_t at, const char *text)
{
    size_t length = strlen(text);
    return lexer->length - at >= length && memcmp(lexer->source + at, text, length) == 0;
}

/* Bytes of white space at `at`. */
static size_t space_at(const struct lexer *lexer, size_t at)
{
    size_t end = at;
    while (end < lexer->length) {
        uint32_t c;
        size_t step = loam_utf8_decode(&c, lexer->source + end, lexer->length - end);
        if (!loam_characters_is_space(c))
            break;
        end += step;
    }
    return end - at;
}

/* The end of [start, end) without the white space at its end. */
static size_t strip_end(const struct lexer *lexer, size_t start, size_t end)
{
    while (end > start) {
        size_t at = end - 1;
        uint32_t c;
        while (at > start && ((unsigned char)lexer->source[at] & 0xC0) == 0x80)
            at--;
        loam_utf8_decode(&c, lexer->source + at, end - at);
        if (!loam_characters_is_space(c))
            break;
        end = at;
    }
    return end;
}

/* Text before a tag, whose sign is '-', '+' or another character. `line_start`:
 * the text begins a line. */
static loam_status push_text(struct lexer *lexer, size_t start, size_t end, char sign, bool block,
                             bool line_start)
{
    if (sign == '-') {
        end = strip_end(lexer, start, end);
    } else if (sign != '+' && block) {
        size_t line = end;
        while (line > start && lexer->source[line - 1] != '\n')
            line--;
        if ((line > start || line_start) && line + space_at(lexer, line) >= end)
            end = line;
    }
    return end > start ? push(lexer, TOKEN_TEXT, start, end) : LOAM_OK;
}

/* The next "{{", "{%" or "{#" from `at` on; the length if there is none. */
static size_t find_tag(const struct lexer *lexer, size_t at)
{
    while (at + 1 < lexer->length) {
        const char *brace = memchr(lexer->source + at, '{', lexer->length - at - 1);
        if (!brace)
            break;
        if (brace[1] == '{' || brace[1] == '%' || brace[1] == '#')
            return (size_t)(brace - lexer->source);
        at = (size_t)(brace - lexer->source) + 1;
    }
    return lexer->length;
}

static loam_status skip_comment(struct lexer *lexer)
{
    size_t start = lexer->at;
    for (size_t at = start + 2; at + 1 < lexer->length; at++) {
        if (lexer->source[at] != '#' || lexer->source[at + 1] != '}')
            continue;
        char sign = at > start + 2 ? lexer->source[at - 1] : 0;
        lexer->at = at + 2;
        if (sign == '-')
            lexer->at += space_at(lexer, lexer->at);
        else if (sign != '+' && peek(lexer, lexer->at) == '\n')
            lexer->at++;
        return LOAM_OK;
    }
    return fail(lexer, start, "missing end of comment tag");
}

/* Whether "{% raw %}" stands at `at`; *end is the byte behind it. */
static bool raw_begins(const struct lexer *lexer, size_t at, size_t *end)
{
    at += 2;
    if (peek(lexer, at) == '-' || peek(lexer, at) == '+')
        at++;
    at += space_at(lexer, at);
    if (!matches(lexer, at, "raw"))
        return false;
    at += 3;
    at += space_at(lexer, at);
    if (matches(lexer, at, "-%}")) {
        *end = at + 3 + space_at(lexer, at + 3);
        return true;
    }
    *end = at + 2;
    return matches(lexer, at, "%}");
}

/* Behind "{% raw %}": the text up to "{% endraw %}", and over it. */
static loam_status read_raw(struct lexer *lexer, size_t tag)
{
    size_t start = lexer->at;
    for (size_t at = start; at + 1 < lexer->length; at++) {
        if (lexer->source[at] != '{' || lexer->source[at + 1] != '%')
            continue;
        char sign = peek(lexer, at + 2);
        size_t i = at + 2 + (sign == '-' || sign == '+');
        i += space_at(lexer, i);
        if (!matches(lexer, i, "endraw"))
            continue;
        i += 6;
        i += space_at(lexer, i);
        char closing = peek(lexer, i);
        i += closing == '-' || closing == '+';
        if (!matches(lexer, i, "%}"))
            continue;
        lexer->at = i + 2;
        if (closing == '-')
            lexer->at += space_at(lexer, lexer->at);
        else if (closing != '+' && peek(lexer, lexer->at) == '\n')
            lexer->at++;
        return push_text(lexer, start, at, sign, true, lexer->source[start - 1] == '\n');
    }
    return fail(lexer, tag, "missing end of raw block");
}

/* ---- inside tags --------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit_of(char c, int base)
{
    if (base == 16)
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    return c >= '0' && c < '0' + base;
}

/* Digits with single underscores between them. */
static size_t digits_at(const struct lexer *lexer, size_t at, int base)
{
    size_t start = at;
    while (is_digit_of(peek(lexer, at), base) ||
           (at > start && peek(lexer, at) == '_' && is_digit_of(peek(lexer, at + 1), base)))
        at++;
    return at - start;
}

static loam_status read_number(struct lexer *lexer)
{
    size_t start = lexer->at, end;
    char mark = (char)(peek(lexer, start + 1) | 32);
    int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    bool integer = true;
    if (lexer->source[start] == '0' && base && digits_at(lexer, start + 2, base)) {
        end = start + 2 + digits_at(lexer, start + 2, base);
    } else {
        end = start + digits_at(lexer, start, 10);
        /* After a point ("x.1.2") each number is an integer. */
        bool after_point = start > 0 && lexer->source[start - 1] == '.';
        if (!after_point && peek(lexer, end) == '.' && is_digit(peek(lexer, end + 1))) {
            end += 1 + digits_at(lexer, end + 1, 10);
            integer = false;
        }
        size_t exponent = end + 1;
        if (peek(lexer, exponent) == '-' || peek(lexer, exponent) == '+')
            exponent++;
        if (!after_point && (peek(lexer, end) | 32) == 'e' && is_digit(peek(lexer, exponent))) {
            end = exponent + digits_at(lexer, exponent, 10);
            integer = false;
        }
    }
    lexer->at = end;
    if (is_name_byte(peek(lexer, end)))
        return fail(lexer, start, "a name must not begin with a digit");
    return push(lexer, integer ? TOKEN_INTEGER : TOKEN_FLOAT, start, end);
}

static loam_status read_string(struct lexer *lexer)
{
    size_t start = lexer->at;
    char quote = lexer->source[start];
    for (size_t at = start + 1; at < lexer->length; at++) {
        if (lexer->source[at] == '\\') {
            at++;
        } else if (lexer->source[at] == quote) {
            lexer->at = at + 1;
            return push(lexer, TOKEN_STRING, start, lexer->at);
        }
    }
    return fail(lexer, start, "a string without its closing quote");
}

static loam_status balance(struct lexer *lexer, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *open = strchr(opening, c), *close = strchr(closing, c);
    if (open) {
        if (lexer->bracket_count == sizeof lexer->brackets)
            return loam_lexer_fail(lexer->error, LOAM_UNSUPPORTED, lexer->source, lexer->length,
                                   lexer->at, "brackets nest too deeply", NULL, 0);
        lexer->brackets[lexer->bracket_count++] = closing[open - opening];
    } else if (close) {
        if (!lexer->bracket_count || lexer->brackets[lexer->bracket_count - 1] != c)
            return loam_lexer_fail(lexer->error, LOAM_FORMAT, lexer->source, lexer->length,
                                   lexer->at, "unexpected", &lexer->source[lexer->at], 1);
        lexer->bracket_count--;
    }
    return LOAM_OK;
}

static loam_status read_operator(struct lexer *lexer)
{
    static const char *const pairs[] = {"==", "!=", ">=", "<=", "//", "**"};
    size_t start = lexer->at;
    char c = lexer->source[start];
    size_t length = 1;
    if (!c || !strchr("+-*/%~[](){}=<>.:|,;!", c))
        return loam_lexer_fail(lexer->error, LOAM_FORMAT, lexer->source, lexer->length, start,
                               "unexpected character", lexer->source + start, 1);
    for (size_t i = 0; i < LOAM_COUNT_OF(pairs); i++)
        if (matches(lexer, start, pairs[i]))
            length = 2;
    if (c == '!' && length == 1)
        return fail(lexer, start, "unexpected character '!'");
    loam_status status = balance(lexer, c);
    if (!status)
        status = push(lexer, TOKEN_OPERATOR, start, start + length);
    if (!status)
        memcpy(lexer->out->items[lexer->out->count - 1].operator, lexer->source + start, length);
    lexer->at += length;
    return status;
}

/* Whether the tag ends here, and over its end. */
static bool tag_ends(struct lexer *lexer, bool block)
{
    const char *closing = block ? "%}" : "}}";
    char sign = lexer->source[lexer->at];
    bool signed_end = sign == '-' || (block && sign == '+');
    if (lexer->bracket_count || !matches(lexer, lexer->at + signed_end, closing))
        return false;
    lexer->at += signed_end + 2u;
    if (sign == '-')
        lexer->at += space_at(lexer, lexer->at);
    else if (block && sign != '+' && peek(lexer, lexer->at) == '\n')
        lexer->at++;
    return true;
}

static loam_status read_tag(struct lexer *lexer)
{
    size_t start = lexer->at;
    bool block = lexer->source[start + 1] == '%';
    loam_status status =
        push(lexer, block ? TOKEN_BLOCK_BEGIN : TOKEN_PRINT_BEGIN, start, start + 2);
    lexer->at += 2;
    if (peek(lexer, lexer->at) == '-' || peek(lexer, lexer->at) == '+')
        lexer->at++;
    lexer->bracket_count = 0;
    while (!status) {
        size_t space = space_at(lexer, lexer->at);
        lexer->at += space;
        if (lexer->at == lexer->length)
            return fail(lexer, start,
                        block ? "the block tag is not closed, expected '%}'"
                              : "the print tag is not closed, expected '}}'");
        size_t at = lexer->at;
        char c = lexer->source[at];
        if (tag_ends(lexer, block))
            return push(lexer, block ? TOKEN_BLOCK_END : TOKEN_PRINT_END, at, at + 2);
        if (is_digit(c)) {
            status = read_number(lexer);
        } else if (is_name_byte(c)) {
            while (is_name_byte(peek(lexer, lexer->at)))
                lexer->at++;
            status = push(lexer, TOKEN_NAME, at, lexer->at);
        } else {
            status = c == '"' || c == '\'' ? read_string(lexer) : read_operator(lexer);
        }
    }
    return status;
}

loam_status loam_lexer_run(struct tokens *out, struct heap *heap, const char *source, size_t length,
                           loam_error *error)
{
    struct lexer lexer = {
        .heap = heap, .source = source, .length = length, .out = out, .error = error};
    loam_status status = LOAM_OK;
    bool line_start = true;
    while (!status && lexer.at < length) {
        size_t start = lexer.at, tag = find_tag(&lexer, start), raw_end = 0;
        if (tag == length) {
            status = push(&lexer, TOKEN_TEXT, start, length);
            break;
        }
        char kind = source[tag + 1];
        status = push_text(&lexer, start, tag, peek(&lexer, tag + 2), kind != '{', line_start);
        lexer.at = tag;
        if (status)
            break;
        if (kind == '#') {
            status = skip_comment(&lexer);
        } else if (kind == '%' && raw_begins(&lexer, tag, &raw_end)) {
            lexer.at = raw_end;
            status = read_raw(&lexer, tag);
        } else {
            status = read_tag(&lexer);
        }
        line_start = lexer.at > 0 && source[lexer.at - 1] == '\n';
    }
    return status ? status : push(&lexer, TOKEN_END, length, length);
}

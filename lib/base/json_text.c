/* SPDX-License-Identifier: MIT */
#include "base/json_text.h"

#include "base/utf8.h"

/* The first byte from `at` on that is no plain character, or length; *wide is
 * set if one before it is beyond ASCII. A branch and no arithmetic takes the
 * loop on, so that looks need not wait for one another. */
static inline size_t skip_plain(const char *text, size_t at, size_t length, bool *wide)
{
    bytes16 all = {0};
    size_t end = length;
    for (; length - at >= 2 * sizeof all; at += 2 * sizeof all) {
        bytes16 low = bytes16_load(text + at), high = bytes16_load(text + at + sizeof all);
        if (bytes16_tops(json_text_marks(low) | json_text_marks(high)))
            break;
        all |= low | high;
    }
    for (; length - at >= sizeof all; at += sizeof all) {
        bytes16 bytes = bytes16_load(text + at);
        uint64_t marks = bytes16_tops(json_text_marks(bytes));
        if (marks) {
            end = at + bytes16_first(marks);
            if (!bytes16_tops(bytes))
                at = end;
            break;
        }
        all |= bytes;
    }
    *wide |= bytes16_tops(all) != 0;
    for (; at < end; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte == '"' || byte == '\\' || byte < 0x20)
            break;
        *wide |= byte >= 0x80;
    }
    return at;
}

bool loam_json_text_scan(struct json_string *out, const char *text, size_t length)
{
    bool wide = false;
    size_t at = skip_plain(text, 0, length, &wide);
    bool escaped = at < length && text[at] == '\\';
    while (at < length && text[at] == '\\')
        at = skip_plain(text, at + loam_min(2, length - at), length, &wide);
    *out = (struct json_string){.length = at, .escaped = escaped, .wide = wide};
    return at < length && text[at] == '"';
}

/* ---- escapes ----------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of four digits, or -1. */
static int32_t code_unit(const char *text, size_t length)
{
    int32_t unit = 0;
    if (length < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

size_t loam_json_text_escape(uint32_t *out, const char *text, size_t length)
{
    static const char short_forms[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                          ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    if (length < 2)
        return 0;
    *out = (unsigned char)short_forms[(unsigned char)text[1]];
    if (*out)
        return 2;
    int32_t high = text[1] == 'u' ? code_unit(text + 2, length - 2) : -1;
    if (high < 0 || (high >= 0xDC00 && high < 0xE000))
        return 0;
    *out = (uint32_t)high;
    if (high < 0xD800 || high >= 0xE000)
        return 6;
    int32_t low =
        length >= 12 && text[6] == '\\' && text[7] == 'u' ? code_unit(text + 8, length - 8) : -1;
    *out = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return low >= 0xDC00 && low < 0xE000 ? 12 : 0;
}

size_t loam_json_text_resolve(char *out, size_t *written, const struct json_string *string,
                              const char *text)
{
    char *start = out;
    size_t at = 0;
    while (at < string->length) {
        uint32_t c;
        if (string->length - at >= sizeof(bytes16)) { /* no more is written than was read */
            bytes16 bytes = bytes16_load(text + at);
            uint64_t marks = bytes16_tops(json_text_marks(bytes));
            memcpy(out, &bytes, sizeof bytes);
            size_t plain = marks ? bytes16_first(marks) : sizeof bytes;
            out += plain;
            at += plain;
        } else if (text[at] != '\\') {
            *out++ = text[at++];
        }
        if (at == string->length || text[at] != '\\')
            continue;
        size_t bytes = loam_json_text_escape(&c, text + at, string->length - at);
        if (!bytes)
            break;
        at += bytes;
        out += loam_utf8_encode(out, c);
    }
    *written = (size_t)(out - start);
    return at;
}

/* ---- numbers ----------------------------------------------------------------- */

static size_t skip_digits(const char *text, size_t at, size_t length)
{
    while (at < length && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

enum json_number_fault loam_json_text_number(size_t *end, bool *whole, const char *text,
                                             size_t length)
{
    size_t start = length > 0 && text[0] == '-', at = skip_digits(text, start, length), digits;
    *end = 0;
    *whole = true;
    if (at == start || (at > start + 1 && text[start] == '0'))
        return JSON_NUMBER_NONE;
    if (at < length && text[at] == '.') {
        digits = at + 1;
        *end = at = skip_digits(text, digits, length);
        *whole = false;
        if (at == digits)
            return JSON_NUMBER_POINT;
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        digits = at + 1;
        digits += digits < length && (text[digits] == '-' || text[digits] == '+');
        *end = at = skip_digits(text, digits, length);
        *whole = false;
        if (at == digits)
            return JSON_NUMBER_POWER;
    }
    *end = at;
    return JSON_NUMBER_GOOD;
}

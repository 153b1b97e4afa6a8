/* SPDX-License-Identifier: MIT */
/*
 * Strings and numbers of JSON: what both readers share, the one that lists the
 * nodes of a file (base/json.h) and the one that makes values of templates.
 */
#ifndef LOAM_BASE_JSON_TEXT_H
#define LOAM_BASE_JSON_TEXT_H

#include "base/bytes16.h"

/* Those of 16 bytes that are no plain characters of a string: quotes,
 * backslashes, control characters. */
static inline bytes16 json_text_marks(bytes16 bytes)
{
    return (bytes16)((bytes == '"') | (bytes == '\\') | (bytes < 0x20));
}

/* A string between its quotes. */
struct json_string {
    size_t length; /* bytes as written */
    bool escaped;  /* there are backslashes */
    bool wide;     /* there are bytes beyond ASCII */
};

/* Whether text[length], behind the opening quote, begins with at most 15 plain
 * ASCII characters and the closing quote: their number. Most strings do. */
static inline bool json_text_short(size_t *out, const char *text, size_t length)
{
    if (length < sizeof(bytes16))
        return false;
    bytes16 bytes = bytes16_load(text);
    uint64_t marks = bytes16_tops(json_text_marks(bytes) | bytes);
    if (!marks)
        return false;
    *out = bytes16_first(marks);
    return text[*out] == '"';
}

/* text[0] is behind the opening quote. False: out->length is where a control
 * character stands, or `length` if there is no closing quote. What follows a
 * backslash is not looked at. */
bool loam_json_text_scan(struct json_string *out, const char *text, size_t length);

/* The character of the escape at text[0], a backslash: its bytes, or 0 if it is
 * none. Halves of surrogate pairs must not stand alone. */
size_t loam_json_text_escape(uint32_t *out, const char *text, size_t length);

/* Writes a scanned string, escapes resolved, to out[string->length]; *written
 * is the number of bytes. Returns the string's length, or where an escape is at
 * fault. */
size_t loam_json_text_resolve(char *out, size_t *written, const struct json_string *string,
                              const char *text);

/* What is wrong with the number at text[0], a digit or a minus sign. */
enum json_number_fault { JSON_NUMBER_GOOD, JSON_NUMBER_NONE, JSON_NUMBER_POINT, JSON_NUMBER_POWER };

/* *end is behind the number, or where a digit is missing; *whole: neither
 * fraction nor exponent. */
enum json_number_fault loam_json_text_number(size_t *end, bool *whole, const char *text,
                                             size_t length);

#endif

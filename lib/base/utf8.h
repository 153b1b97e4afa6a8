/* SPDX-License-Identifier: MIT */
/* UTF-8, strict: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef LOAM_BASE_UTF8_H
#define LOAM_BASE_UTF8_H

#include "base/base.h"

/* Decodes the character at text[0], length at least 1. Returns the bytes it
 * takes, 1 to 4, and sets *out. For an invalid sequence *out is 0xFFFFFFFF and
 * the return value is the length of its maximal subpart (Unicode Standard,
 * section 3.9, "U+FFFD substitution of maximal subparts"). */
size_t loam_utf8_decode(uint32_t *out, const char *text, size_t length);

/* Writes the code point (valid) to out[4] and returns its bytes. */
size_t loam_utf8_encode(char out[4], uint32_t code_point);

/* Whether the whole text is valid. */
bool loam_utf8_valid(const char *text, size_t length);

/* How many of the bytes at the end begin a character that more bytes could
 * complete: 0 to 3. */
size_t loam_utf8_incomplete(const char *text, size_t length);

#endif

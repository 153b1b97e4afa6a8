/* SPDX-License-Identifier: MIT */
/* What string methods ask of a character, after Unicode. */
#ifndef LOAM_TEMPLATE_CHARACTERS_H
#define LOAM_TEMPLATE_CHARACTERS_H

#include "base/base.h"

/* White space as Python's str.isspace has it. */
bool loam_characters_is_space(uint32_t character);
bool loam_characters_is_alphabetic(uint32_t character); /* a letter */
bool loam_characters_is_digit(uint32_t character);
bool loam_characters_is_decimal(uint32_t character);
/* Whether repr shows it as itself. */
bool loam_characters_is_printable(uint32_t character);
bool loam_characters_is_upper(uint32_t character);
bool loam_characters_is_lower(uint32_t character);
bool loam_characters_is_title(uint32_t character);

enum letter_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };

/* The character in that case: one to three characters, and their number.
 * A final sigma counts as any other. */
size_t loam_characters_convert(uint32_t out[3], uint32_t character, enum letter_case wanted);

#endif

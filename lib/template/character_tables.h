/* SPDX-License-Identifier: MIT */
/* Tables of characters.c, written by tests/tools/case_tables.py. */
#ifndef LOAM_TEMPLATE_CHARACTER_TABLES_H
#define LOAM_TEMPLATE_CHARACTER_TABLES_H

#include "base/base.h"

/* Sets of code points: where they begin and end by turns, ascending. */
extern const uint32_t loam_alphabetic[], loam_decimals[], loam_digits[], loam_printable[],
    loam_uppercase[], loam_lowercase[], loam_titlecase[];
extern const size_t loam_alphabetic_count, loam_decimals_count, loam_digits_count,
    loam_printable_count, loam_uppercase_count, loam_lowercase_count, loam_titlecase_count;

/* Every `distance`-th code point of first to last, and what is added to it. */
struct case_run {
    uint32_t first, last;
    int32_t distance, added;
};

extern const struct case_run loam_to_upper[], loam_to_lower[], loam_to_title[];
extern const size_t loam_to_upper_count, loam_to_lower_count, loam_to_title_count;

struct special_case {
    uint32_t character;
    uint32_t becomes[3][3]; /* by enum letter_case */
};

extern const struct special_case loam_special_cases[];
extern const size_t loam_special_cases_count;

#endif

/* SPDX-License-Identifier: MIT */
/* Properties of code points (Unicode Standard, chapters 3 and 4). */
#ifndef LOAM_TEXT_UNICODE_H
#define LOAM_TEXT_UNICODE_H

#include "base/base.h"

/* In the order of tests/tools/unicode_tables.py. */
enum category {
    CATEGORY_CN,
    CATEGORY_LU,
    CATEGORY_LL,
    CATEGORY_LT,
    CATEGORY_LM,
    CATEGORY_LO,
    CATEGORY_MN,
    CATEGORY_MC,
    CATEGORY_ME,
    CATEGORY_ND,
    CATEGORY_NL,
    CATEGORY_NO,
    CATEGORY_PC,
    CATEGORY_PD,
    CATEGORY_PS,
    CATEGORY_PE,
    CATEGORY_PI,
    CATEGORY_PF,
    CATEGORY_PO,
    CATEGORY_SM,
    CATEGORY_SC,
    CATEGORY_SK,
    CATEGORY_SO,
    CATEGORY_ZS,
    CATEGORY_ZL,
    CATEGORY_ZP,
    CATEGORY_CC,
    CATEGORY_CF,
    CATEGORY_CS,
    CATEGORY_CO
};

extern const uint32_t loam_unicode_ranges[];
extern const size_t loam_unicode_range_count;

/* The category of a code point; CN for what is none. */
enum category loam_unicode_category(uint32_t code_point);

/* Bits of the categories of that name: "Lu", or "L" for all of them; 0 for
 * what is no category. */
uint32_t loam_unicode_category_mask(const char *name, size_t length);

/* The White_Space property. */
bool loam_unicode_is_space(uint32_t code_point);

/* ---- scripts: those that patterns name, in the order of the generator ---- */

enum script { SCRIPT_HAN, SCRIPT_HIRAGANA, SCRIPT_KATAKANA, SCRIPT_HANGUL, SCRIPT_OTHER };

struct unicode_script_range {
    uint32_t first, last, script;
};

extern const struct unicode_script_range loam_unicode_script_ranges[];
extern const size_t loam_unicode_script_range_count;

enum script loam_unicode_script(uint32_t code_point);

/* The script of that name, or -1. */
int loam_unicode_script_named(const char *name, size_t length);

/* ---- case and decomposition ---- */

struct unicode_lower_run {
    uint32_t first, last, stride;
    int32_t difference;
};

struct unicode_base {
    uint32_t code_point, base;
};

extern const struct unicode_lower_run loam_unicode_lower_runs[];
extern const size_t loam_unicode_lower_run_count;
extern const struct unicode_base loam_unicode_bases[];
extern const size_t loam_unicode_base_count;

/* Simple lower case: one code point for one. */
uint32_t loam_unicode_lower(uint32_t code_point);

/* The first character of the full canonical decomposition: the letter without
 * its accents, the first letter of a Hangul syllable. */
uint32_t loam_unicode_first_part(uint32_t code_point);

#endif

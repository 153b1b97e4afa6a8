/* SPDX-License-Identifier: MIT */
/* General categories of code points (Unicode Standard, section 4.5). */
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

/* The White_Space property. */
bool loam_unicode_is_space(uint32_t code_point);

#endif

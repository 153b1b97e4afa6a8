/* SPDX-License-Identifier: MIT */
#include "text/unicode.h"

enum category loam_unicode_category(uint32_t code_point)
{
    if (code_point > 0x10FFFF)
        return CATEGORY_CN;
    size_t low = 0, high = loam_unicode_range_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (loam_unicode_ranges[middle] >> 8 <= code_point)
            low = middle;
        else
            high = middle;
    }
    return (enum category)(loam_unicode_ranges[low] & 0xFF);
}

bool loam_unicode_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

uint32_t loam_unicode_category_mask(const char *name, size_t length)
{
    /* In the order of enum category. */
    static const char names[] = "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCo";
    uint32_t mask = 0;
    if (length < 1 || length > 2)
        return 0;
    for (size_t i = 0; i + 1 < sizeof names; i += 2)
        if (names[i] == name[0] && (length == 1 || names[i + 1] == name[1]))
            mask |= (uint32_t)1 << i / 2;
    return mask;
}

enum script loam_unicode_script(uint32_t code_point)
{
    size_t low = 0, high = loam_unicode_script_range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct unicode_script_range *range = &loam_unicode_script_ranges[middle];
        if (code_point < range->first)
            high = middle;
        else if (code_point > range->last)
            low = middle + 1;
        else
            return (enum script)range->script;
    }
    return SCRIPT_OTHER;
}

int loam_unicode_script_named(const char *name, size_t length)
{
    static const char *const names[] = {"Han", "Hiragana", "Katakana", "Hangul"};
    for (size_t i = 0; i < LOAM_COUNT_OF(names); i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return (int)i;
    return -1;
}

uint32_t loam_unicode_lower(uint32_t code_point)
{
    size_t low = 0, high = loam_unicode_lower_run_count;
    if (code_point < 0x80)
        return code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct unicode_lower_run *run = &loam_unicode_lower_runs[middle];
        if (code_point < run->first)
            high = middle;
        else if (code_point > run->last)
            low = middle + 1;
        else
            return (code_point - run->first) % run->stride
                       ? code_point
                       : (uint32_t)((int64_t)code_point + run->difference);
    }
    return code_point;
}

uint32_t loam_unicode_first_part(uint32_t code_point)
{
    size_t low = 0, high = loam_unicode_base_count;
    if (code_point >= 0xAC00 && code_point < 0xAC00 + 11172) /* section 3.12 */
        return 0x1100 + (code_point - 0xAC00) / 588;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (loam_unicode_bases[middle].code_point < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < loam_unicode_base_count && loam_unicode_bases[low].code_point == code_point
               ? loam_unicode_bases[low].base
               : code_point;
}

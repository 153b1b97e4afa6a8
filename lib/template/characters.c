/* SPDX-License-Identifier: MIT */
#include "template/characters.h"

#include "template/character_tables.h"

/* Whether the character lies in the set: an odd number of edges up to it. */
static bool in_set(const uint32_t *edges, size_t count, uint32_t character)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edges[middle] <= character)
            low = middle + 1;
        else
            high = middle;
    }
    return low % 2 == 1;
}

bool loam_characters_is_space(uint32_t c)
{
    if (c < 128)
        return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool loam_characters_is_alphabetic(uint32_t c)
{
    return in_set(loam_alphabetic, loam_alphabetic_count, c);
}

bool loam_characters_is_digit(uint32_t c)
{
    return in_set(loam_digits, loam_digits_count, c);
}

bool loam_characters_is_decimal(uint32_t c)
{
    return in_set(loam_decimals, loam_decimals_count, c);
}

bool loam_characters_is_printable(uint32_t c)
{
    return c < 127 ? c >= 32 : in_set(loam_printable, loam_printable_count, c);
}

bool loam_characters_is_upper(uint32_t c)
{
    return in_set(loam_uppercase, loam_uppercase_count, c);
}

bool loam_characters_is_lower(uint32_t c)
{
    return in_set(loam_lowercase, loam_lowercase_count, c);
}

bool loam_characters_is_title(uint32_t c)
{
    return in_set(loam_titlecase, loam_titlecase_count, c);
}

static const struct special_case *find_special(uint32_t c)
{
    size_t low = 0, high = loam_special_cases_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (loam_special_cases[middle].character < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < loam_special_cases_count && loam_special_cases[low].character == c
               ? &loam_special_cases[low]
               : NULL;
}

static uint32_t convert_one(const struct case_run *runs, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (runs[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || runs[low].first > c || (c - runs[low].first) % (uint32_t)runs[low].distance)
        return c;
    return (uint32_t)((int32_t)c + runs[low].added);
}

size_t loam_characters_convert(uint32_t out[3], uint32_t c, enum letter_case wanted)
{
    if (c < 128) {
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        out[0] = wanted == CASE_LOWER ? c + 32 * upper : c - 32 * lower;
        return 1;
    }
    const struct special_case *special = find_special(c);
    if (special) {
        size_t count = 0;
        for (; count < 3 && special->becomes[wanted][count]; count++)
            out[count] = special->becomes[wanted][count];
        return count;
    }
    out[0] = wanted == CASE_UPPER   ? convert_one(loam_to_upper, loam_to_upper_count, c)
             : wanted == CASE_LOWER ? convert_one(loam_to_lower, loam_to_lower_count, c)
                                    : convert_one(loam_to_title, loam_to_title_count, c);
    return 1;
}

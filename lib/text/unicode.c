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

/* SPDX-License-Identifier: MIT */
#include "text/charsmap.h"

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

loam_status loam_charsmap_read(struct charsmap *out, const unsigned char *bytes, size_t size,
                               loam_error *error)
{
    *out = (struct charsmap){0};
    if (size == 0)
        return LOAM_OK;
    uint32_t array = size >= 4 ? read_u32(bytes) : 0;
    if (size < 4 || array > size - 4 || array % 4 || (size > 4 + (size_t)array && bytes[size - 1]))
        return loam_fail(error, LOAM_FORMAT,
                         "tokenizer.ggml.precompiled_charsmap: %zu bytes with an array of %u are "
                         "no map",
                         size, array);
    out->units = bytes + 4;
    out->unit_count = array / 4;
    out->texts = (const char *)bytes + 4 + array;
    out->text_bytes = size - 4 - array;
    return LOAM_OK;
}

/* A unit; beyond the array one that ends every match. */
static uint32_t unit(const struct charsmap *map, size_t index)
{
    return index < map->unit_count ? read_u32(map->units + 4 * index) : UINT32_C(1) << 31;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << (unit & (UINT32_C(1) << 9) ? 8 : 0);
}

size_t loam_charsmap_match(const struct charsmap *map, const char *text, size_t length,
                           loam_string *replacement)
{
    size_t longest = 0, value = 0, node = offset_of(unit(map, 0));
    for (size_t i = 0; map->unit_count && i < length && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        node ^= byte;
        uint32_t u = unit(map, node);
        if ((u & (UINT32_C(1) << 31 | 0xFF)) != byte)
            break;
        node ^= offset_of(u);
        if (u >> 8 & 1) {
            longest = i + 1;
            value = unit(map, node) & 0x7FFFFFFF;
        }
    }
    if (longest == 0 || value >= map->text_bytes)
        return 0;
    /* The list ends with a NUL, which was checked. */
    *replacement = (loam_string){map->texts + value, strlen(map->texts + value)};
    return longest;
}

/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "text/pipeline.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

static bool add_character(struct text_buffer *out, uint32_t c)
{
    char bytes[4];
    return loam_normal_add(out, bytes, loam_utf8_encode(bytes, c));
}

/* White space, as BERT's program counts it: control characters go unless they
 * are that. */
static bool clean(struct text_buffer *out, uint32_t c, const char *bytes, size_t size)
{
    uint32_t others = 1u << CATEGORY_CC | 1u << CATEGORY_CF | 1u << CATEGORY_CO;
    if (loam_unicode_is_space(c) &&
        (c == '\t' || c == '\n' || c == '\r' || !(others >> loam_unicode_category(c) & 1)))
        return loam_normal_add(out, " ", 1);
    if (c == 0 || c == 0xFFFD || (others >> loam_unicode_category(c) & 1))
        return true;
    return loam_normal_add(out, bytes, size);
}

/* One character, or bytes that are none, which stay. */
static bool change_character(struct text_buffer *out, const struct change *change, uint32_t c,
                             const char *bytes, size_t size)
{
    if (c > 0x10FFFF)
        return loam_normal_add(out, bytes, size);
    switch (change->kind) {
    case CHANGE_LOWER:
        if (c == 0x130) /* the one character whose lower case is two */
            return loam_normal_add(out, "i\xCC\x87", 3);
        return add_character(out, loam_unicode_lower(c));
    case CHANGE_DROP:
        return (change->categories >> loam_unicode_category(c) & 1) ||
               loam_normal_add(out, bytes, size);
    case CHANGE_CLEAN:
        return clean(out, c, bytes, size);
    default: /* CHANGE_IDEOGRAPHS */
        if (!loam_wordpiece_is_ideograph(c))
            return loam_normal_add(out, bytes, size);
        return loam_normal_add(out, " ", 1) && loam_normal_add(out, bytes, size) &&
               loam_normal_add(out, " ", 1);
    }
}

static bool change_each(struct text_buffer *out, const struct change *change, const char *text,
                        size_t length)
{
    for (size_t i = 0, size; i < length; i += size) {
        uint32_t c;
        size = loam_utf8_decode(&c, text + i, length - i);
        if (!change_character(out, change, c, text + i, size))
            return false;
    }
    return true;
}

static bool replace_text(struct text_buffer *out, const struct change *change, const char *text,
                         size_t length)
{
    loam_string from = change->from;
    size_t start = 0;
    for (size_t i = 0; i + from.length <= length;) {
        const char *found = memchr(text + i, from.data[0], length - from.length - i + 1);
        if (!found)
            break;
        i = (size_t)(found - text);
        if (memcmp(found, from.data, from.length) != 0) {
            i++;
            continue;
        }
        if (!loam_normal_add(out, text + start, i - start) ||
            !loam_normal_add(out, change->to.data, change->to.length))
            return false;
        start = i += from.length;
    }
    return loam_normal_add(out, text + start, length - start);
}

static bool replace_pattern(struct text_buffer *out, const struct change *change, const char *text,
                            size_t length)
{
    struct split_walk walk;
    bool fits = true;
    loam_split_begin(&walk, change->pattern, out->memory, text, length);
    for (size_t at = 0, size; fits && (size = loam_split_next(&walk)) > 0; at += size)
        fits = walk.matched ? loam_normal_add(out, change->to.data, change->to.length)
                            : loam_normal_add(out, text + at, size);
    loam_split_end(&walk);
    return fits;
}

static bool apply_map(struct text_buffer *out, const struct change *change, const char *text,
                      size_t length)
{
    for (size_t i = 0; i < length;) {
        loam_string to;
        uint32_t c;
        size_t size = loam_charsmap_match(&change->map, text + i, length - i, &to);
        if (!size) {
            size = loam_utf8_decode(&c, text + i, length - i);
            to = (loam_string){text + i, size};
        }
        if (!loam_normal_add(out, to.data, to.length))
            return false;
        i += size;
    }
    return true;
}

static bool strip(struct text_buffer *out, const struct change *change, const char *text,
                  size_t length)
{
    uint32_t c;
    size_t end = 0, start = 0;
    bool leading = change->left;
    for (size_t i = 0; i < length;) {
        size_t size = loam_utf8_decode(&c, text + i, length - i);
        bool space = c <= 0x10FFFF && loam_unicode_is_space(c);
        leading = leading && space;
        i += size;
        start = leading ? i : start;
        end = space && change->right ? end : i;
    }
    return end <= start || loam_normal_add(out, text + start, end - start);
}

bool loam_change_apply(struct text_buffer *out, struct normal_scratch *scratch,
                       const struct change *change, const char *text, size_t length)
{
    switch (change->kind) {
    case CHANGE_FORM:
        return loam_normal_append(out, scratch, text, length, change->form);
    case CHANGE_FRONT:
        return length == 0 || (loam_normal_add(out, change->to.data, change->to.length) &&
                               loam_normal_add(out, text, length));
    case CHANGE_TEXT:
        return replace_text(out, change, text, length);
    case CHANGE_PATTERN:
        return replace_pattern(out, change, text, length);
    case CHANGE_MAP:
        return apply_map(out, change, text, length);
    case CHANGE_STRIP:
        return strip(out, change, text, length);
    default:
        return change_each(out, change, text, length);
    }
}

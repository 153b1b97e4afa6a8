/* SPDX-License-Identifier: MIT */
/*
 * A text is taken in stretches that begin with a character of ASCII: these are
 * in every form, and nothing in front composes with them. Hangul is arithmetic
 * (Unicode Standard, section 3.12).
 */
#include "text/normal.h"
#include "base/utf8.h"

enum {
    POINT_BITS = 21,
    POINT_MASK = (1 << POINT_BITS) - 1,
    RAW_BYTE = 0x110000, /* and the byte: one that is no UTF-8 */
    SYLLABLES = 0xAC00,
    LEADING = 0x1100,
    VOWELS = 0x1161,
    TRAILING = 0x11A7,
    VOWEL_COUNT = 21,
    TRAILING_COUNT = 28,
    SYLLABLE_COUNT = 19 * VOWEL_COUNT * TRAILING_COUNT
};

bool loam_normal_add(struct text_buffer *buffer, const char *bytes, size_t count)
{
    if (count == 0)
        return true;
    if (buffer->capacity - buffer->count < count &&
        !loam_memory_grow(buffer->memory, (void **)&buffer->bytes, &buffer->capacity,
                          (uint64_t)buffer->count + count, 1))
        return false;
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
    return true;
}

static uint32_t class_of(uint32_t c)
{
    size_t low = 0, high = loam_normal_class_count;
    if (c < 0x300)
        return 0;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (loam_normal_classes[middle] >> 8 <= c)
            low = middle;
        else
            high = middle;
    }
    return loam_normal_classes[low] & 0xFF;
}

static bool add_point(struct normal_scratch *s, uint32_t c)
{
    if (s->count == s->capacity && !loam_memory_grow(s->memory, (void **)&s->points, &s->capacity,
                                                     (uint64_t)s->count + 1, sizeof c))
        return false;
    s->points[s->count++] = c | class_of(c) << POINT_BITS;
    return true;
}

/* The decomposition of a character, or NULL. */
static const struct normal_parts *parts_of(uint32_t c, bool compatible)
{
    size_t low = 0, high = loam_normal_part_count;
    while (low < high) { /* the first one behind all of c */
        size_t middle = (low + high) / 2;
        if (loam_normal_parts[middle].code_point <= c)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && loam_normal_parts[low - 1].code_point == c; low--)
        if (compatible || !loam_normal_parts[low - 1].compatible)
            return &loam_normal_parts[low - 1];
    return NULL;
}

static bool decompose(struct normal_scratch *s, uint32_t c, bool compatible)
{
    if (c < 0xA0)
        return add_point(s, c);
    if (c - SYLLABLES < SYLLABLE_COUNT) {
        uint32_t index = c - SYLLABLES, trailing = index % TRAILING_COUNT;
        return add_point(s, LEADING + index / (VOWEL_COUNT * TRAILING_COUNT)) &&
               add_point(s, VOWELS + index / TRAILING_COUNT % VOWEL_COUNT) &&
               (trailing == 0 || add_point(s, TRAILING + trailing));
    }
    const struct normal_parts *parts = parts_of(c, compatible);
    if (!parts)
        return add_point(s, c);
    const char *text = (const char *)loam_normal_texts + parts->at;
    for (size_t i = 0; i < parts->length;) {
        i += loam_utf8_decode(&c, text + i, parts->length - i);
        if (!add_point(s, c))
            return false;
    }
    return true;
}

/* ---- canonical order ------------------------------------------------------- */

enum { SHORT_RUN = 16 };

/* Sorts marks by class, equal ones staying in order. */
static bool sort_run(struct normal_scratch *s, uint32_t *run, size_t count)
{
    size_t starts[257] = {0};
    if (count <= SHORT_RUN) {
        for (size_t i = 1; i < count; i++) {
            uint32_t point = run[i];
            size_t at = i;
            for (; at > 0 && run[at - 1] >> POINT_BITS > point >> POINT_BITS; at--)
                run[at] = run[at - 1];
            run[at] = point;
        }
        return true;
    }
    if (!loam_memory_grow(s->memory, (void **)&s->sorted, &s->sorted_capacity, count, sizeof *run))
        return false;
    for (size_t i = 0; i < count; i++)
        starts[(run[i] >> POINT_BITS) + 1]++;
    for (size_t i = 1; i < 257; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++)
        s->sorted[starts[run[i] >> POINT_BITS]++] = run[i];
    memcpy(run, s->sorted, count * sizeof *run);
    return true;
}

static bool order(struct normal_scratch *s)
{
    for (size_t i = 0; i < s->count;) {
        size_t start = i;
        while (i < s->count && s->points[i] >> POINT_BITS)
            i++;
        if (i - start > 1 && !sort_run(s, s->points + start, i - start))
            return false;
        i += i == start;
    }
    return true;
}

/* ---- composition ----------------------------------------------------------- */

/* What two characters compose, or 0. */
static uint32_t compose_two(uint32_t first, uint32_t second)
{
    if (first - LEADING < 19 && second - VOWELS < VOWEL_COUNT)
        return SYLLABLES + ((first - LEADING) * VOWEL_COUNT + (second - VOWELS)) * TRAILING_COUNT;
    if (first - SYLLABLES < SYLLABLE_COUNT && (first - SYLLABLES) % TRAILING_COUNT == 0 &&
        second - TRAILING - 1 < TRAILING_COUNT - 1)
        return first + (second - TRAILING);
    size_t low = 0, high = loam_normal_pair_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct normal_pair *pair = &loam_normal_pairs[middle];
        if (pair->first < first || (pair->first == first && pair->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    const struct normal_pair *pair = &loam_normal_pairs[low];
    return low < loam_normal_pair_count && pair->first == first && pair->second == second
               ? pair->composed
               : 0;
}

/* A mark composes with the last starter unless one of its class or higher, or
 * another starter, stands between. */
static void compose(struct normal_scratch *s)
{
    size_t kept = 0, starter = SIZE_MAX;
    uint32_t last = 0; /* class of what was kept last behind the starter */
    for (size_t i = 0; i < s->count; i++) {
        uint32_t point = s->points[i], class = point >> POINT_BITS;
        bool adjacent = starter != SIZE_MAX && starter + 1 == kept;
        bool blocked = starter == SIZE_MAX || (!adjacent && (last == 0 || last >= class));
        uint32_t composed =
            blocked ? 0 : compose_two(s->points[starter] & POINT_MASK, point & POINT_MASK);
        if (composed) {
            s->points[starter] = composed; /* always a starter */
            continue;
        }
        if (class == 0)
            starter = kept;
        last = class;
        s->points[kept++] = point;
    }
    s->count = kept;
}

/* ---- a text ---------------------------------------------------------------- */

static bool append_stretch(struct text_buffer *out, struct normal_scratch *s, const char *text,
                           size_t length, enum normal_form form)
{
    bool compatible = form == NORMAL_NFKC || form == NORMAL_NFKD;
    s->count = 0;
    for (size_t i = 0, size; i < length; i += size) {
        uint32_t c;
        size = loam_utf8_decode(&c, text + i, length - i);
        bool valid = c <= 0x10FFFF;
        for (size_t k = 0; !valid && k < size; k++)
            if (!add_point(s, RAW_BYTE + (unsigned char)text[i + k]))
                return false;
        if (valid && !decompose(s, c, compatible))
            return false;
    }
    if (!order(s))
        return false;
    if (form == NORMAL_NFC || form == NORMAL_NFKC)
        compose(s);
    for (size_t i = 0; i < s->count; i++) {
        char bytes[4];
        uint32_t c = s->points[i] & POINT_MASK;
        bytes[0] = (char)(c - RAW_BYTE);
        size_t size = c >= RAW_BYTE ? 1 : loam_utf8_encode(bytes, c);
        if (!loam_normal_add(out, bytes, size))
            return false;
    }
    return true;
}

bool loam_normal_append(struct text_buffer *out, struct normal_scratch *scratch, const char *text,
                        size_t length, enum normal_form form)
{
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && (unsigned char)text[end] < 0x80)
            end++;
        /* The last character of ASCII may compose with what follows. */
        size_t plain = end < length && end > at ? end - 1 : end;
        if (!loam_normal_add(out, text + at, plain - at))
            return false;
        for (; end < length && (unsigned char)text[end] >= 0x80; end++)
            ;
        if (end > plain && !append_stretch(out, scratch, text + plain, end - plain, form))
            return false;
        at = end;
    }
    return true;
}

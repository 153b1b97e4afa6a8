/* SPDX-License-Identifier: MIT */
/* Strings and what is made of them, the origin of every byte kept. */
#ifndef LOAM_TEMPLATE_TEXT_H
#define LOAM_TEMPLATE_TEXT_H

#include "template/value.h"

struct machine;

/* Bytes that grow, with their origins. Zero-initialised. */
struct text_builder {
    char *bytes;
    size_t length, capacity;
    struct run *runs;
    size_t run_count, run_capacity;
};

/* Room for that many bytes, for a builder which is to become large. */
bool loam_builder_reserve(struct machine *machine, struct text_builder *builder, size_t length);
bool loam_builder_add(struct machine *machine, struct text_builder *builder, const char *bytes,
                      size_t length, bool from_data);
bool loam_builder_add_text(struct machine *machine, struct text_builder *builder,
                           const struct text *text);
/* Bytes [start, end) of the text. */
bool loam_builder_add_part(struct machine *machine, struct text_builder *builder,
                           const struct text *text, size_t start, size_t end);

/* The builder's bytes from `start` on as a text, which may share them: the
 * builder is not used again. NULL: failed. */
struct text *loam_builder_finish(struct machine *machine, struct text_builder *builder);

/* The same as a copy, and cuts the builder there. */
struct text *loam_builder_cut(struct machine *machine, struct text_builder *builder, size_t start);

/* A text that holds a copy of the bytes, or refers to them. NULL: failed. */
struct text *loam_text_copy(struct machine *machine, const char *bytes, size_t length,
                            bool from_data);
struct text *loam_text_refer(struct machine *machine, const char *bytes, size_t length,
                             bool from_data);

/* Bytes [start, end): the text's own. */
struct text *loam_text_part(struct machine *machine, struct text *text, size_t start, size_t end);

/* One text of several values, which are all texts. */
struct text *loam_text_join(struct machine *machine, const struct value *parts, size_t count);

/* a[length] == b[length]; short texts, which most are, without a call. */
static inline bool text_bytes_equal(const char *a, const char *b, size_t length)
{
    uint64_t x[2], y[2];
    uint32_t c[2], d[2];
    if (length > 16)
        return memcmp(a, b, length) == 0;
    if (length >= 8) {
        memcpy(&x[0], a, 8);
        memcpy(&y[0], b, 8);
        memcpy(&x[1], a + length - 8, 8);
        memcpy(&y[1], b + length - 8, 8);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    if (length >= 4) {
        memcpy(&c[0], a, 4);
        memcpy(&d[0], b, 4);
        memcpy(&c[1], a + length - 4, 4);
        memcpy(&d[1], b + length - 4, 4);
        return ((c[0] ^ d[0]) | (c[1] ^ d[1])) == 0;
    }
    while (length > 0 && a[length - 1] == b[length - 1])
        length--;
    return length == 0;
}

static inline bool text_equal(const struct text *a, const struct text *b)
{
    return a == b || (a->length == b->length && text_bytes_equal(a->bytes, b->bytes, a->length));
}

bool loam_text_is(const struct text *text, const char *bytes);
/* Less than, equal to or more than 0, by code points. */
int loam_text_compare(const struct text *a, const struct text *b);
uint32_t loam_text_hash(struct text *text);
/* Whether any byte came from the caller's data. */
bool loam_text_from_data(const struct text *text);

/* Characters and their places. */
bool loam_text_is_ascii(struct text *text);
size_t loam_text_characters(struct text *text);
/* The byte at which character `index` begins; the length if there are fewer. */
size_t loam_text_offset(struct text *text, size_t index);
/* The characters before the byte `offset`. */
size_t loam_text_index(struct text *text, size_t offset);
/* Bytes of the character that begins at bytes[at]. */
size_t loam_text_step(const struct text *text, size_t at);

/* Where `wanted` stands first or last in bytes [start, end); SIZE_MAX: nowhere. */
size_t loam_text_find(const struct text *text, size_t start, size_t end, const char *wanted,
                      size_t length);
size_t loam_text_find_last(const struct text *text, size_t start, size_t end, const char *wanted,
                           size_t length);

/* The range that is left when characters of `set` (NULL: white space) are
 * taken off the ends. */
void loam_text_strip(const struct text *text, const struct text *set, bool left, bool right,
                     size_t *start, size_t *end);

#endif

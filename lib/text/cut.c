/* SPDX-License-Identifier: MIT */
#include "text/pipeline.h"

#include "base/utf8.h"

static const char low_line[3] = {'\xE2', '\x96', '\x81'}; /* U+2581 */

static bool add_piece(struct piece_list *out, size_t start, size_t length)
{
    if (length == 0)
        return true;
    if (out->count == out->capacity &&
        !loam_memory_grow(out->memory, (void **)&out->items, &out->capacity,
                          (uint64_t)out->count + 1, sizeof *out->items))
        return false;
    out->items[out->count++] = (struct piece){(uint32_t)start, (uint32_t)length};
    return true;
}

/* Whether a match goes to the piece before, or to the one before it that waits. */
static bool joins_last(enum cut_keep keep, bool matches, bool last_matched)
{
    switch (keep) {
    case KEEP_CONTIGUOUS:
        return matches == last_matched;
    case KEEP_PREVIOUS:
        return matches && !last_matched;
    default:
        return keep == KEEP_NEXT && !matches && last_matched;
    }
}

/* The character of GPT-2's alphabet for each byte: printable ones of Latin-1
 * stand for themselves, the others for those from U+0100 on. */
static bool to_alphabet(struct text_buffer *out, const char *bytes, size_t length)
{
    char text[4];
    out->count = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t c = (unsigned char)bytes[i];
        if (c <= ' ')
            c += 0x100;
        else if (c >= 0x7F && c <= 0xA0)
            c += 0x121 - 0x7F;
        else if (c == 0xAD)
            c = 0x143;
        if (!loam_normal_add(out, text, loam_utf8_encode(text, c)))
            return false;
    }
    return true;
}

/* Characters that begin in text[length]. */
static size_t count_characters(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

static bool cut_piece(struct piece_list *out, struct text_buffer *alphabet, const struct cut *cut,
                      const char *text, struct piece piece)
{
    struct split_walk walk;
    size_t first = out->count, length = piece.length, seen = 0;
    const char *seen_text = text + piece.start;
    bool last_matched = false, fits = true;
    if (cut->on_bytes) {
        if (!to_alphabet(alphabet, seen_text, length))
            return false;
        seen_text = alphabet->bytes;
        length = alphabet->count;
    }
    loam_split_begin(&walk, cut->pattern, out->memory, seen_text, length);
    for (size_t at = 0, size, word; fits && (word = loam_split_next(&walk)) > 0; at += size) {
        size = cut->on_bytes ? count_characters(seen_text + seen, word) : word;
        seen += word;
        if (cut->keep == KEEP_ISOLATED) {
            fits = add_piece(out, piece.start + at, size);
            continue;
        }
        bool matches = walk.matched != cut->inverted;
        if (cut->keep == KEEP_REMOVED && matches)
            continue;
        if (out->count > first && joins_last(cut->keep, matches, last_matched))
            out->items[out->count - 1].length += (uint32_t)size;
        else
            fits = add_piece(out, piece.start + at, size);
        last_matched = matches;
    }
    loam_split_end(&walk);
    return fits;
}

static bool add_space(struct piece_list *out, struct text_buffer *changed, const char *text,
                      struct piece piece)
{
    size_t start = changed->count;
    return (text[piece.start] == ' ' || loam_normal_add(changed, " ", 1)) &&
           loam_normal_add(changed, text + piece.start, piece.length) &&
           add_piece(out, start, changed->count - start);
}

static bool add_meta(struct piece_list *out, struct text_buffer *changed, const struct cut *cut,
                     const char *text, struct piece piece, bool first)
{
    size_t start = changed->count;
    const char *bytes = text + piece.start;
    bool has_one = bytes[0] == ' ' || (piece.length >= 3 && memcmp(bytes, low_line, 3) == 0);
    if (!has_one && (cut->front == FRONT_ALWAYS || (cut->front == FRONT_FIRST && first)) &&
        !loam_normal_add(changed, low_line, 3))
        return false;
    for (size_t i = 0; i < piece.length; i++)
        if (!(bytes[i] == ' ' ? loam_normal_add(changed, low_line, 3)
                              : loam_normal_add(changed, bytes + i, 1)))
            return false;
    return add_piece(out, start, changed->count - start);
}

bool loam_cut_apply(struct piece_list *out, struct text_buffer *changed, bool *is_changed,
                    const struct cut *cut, const char *text, const struct piece_list *pieces,
                    bool first)
{
    bool done = true;
    *is_changed = cut->kind != CUT_PATTERN;
    for (size_t i = 0; done && i < pieces->count; i++) {
        struct piece piece = pieces->items[i];
        if (cut->kind == CUT_PATTERN)
            done = cut_piece(out, changed, cut, text, piece);
        else if (cut->kind == CUT_SPACE)
            done = add_space(out, changed, text, piece);
        else
            done = add_meta(out, changed, cut, text, piece, first && piece.start == 0);
    }
    return done;
}

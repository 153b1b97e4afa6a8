/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "text/regex.h"

/* A scan that is more than BLOCK bytes beyond its last match asks the memo once
 * in each BLOCK bytes of the text: words in use never get there. */
enum { BLOCK = 64, FIRST_SIZE = 256 };

/* Places are less than 2^32, automata of a memo less than 2^8, rows less than
 * 2^24: the compiler's limit of a table is 2^20 entries. */
static uint64_t key_of(size_t place, uint32_t number, uint32_t row)
{
    return (uint64_t)place << 32 | number << 24 | row;
}

/* The slot with that key, or the empty one where it belongs. */
static uint64_t *slot_of(uint64_t *keys, size_t size, uint64_t key)
{
    uint64_t hash = key * 0x9E3779B97F4A7C15ull;
    size_t at = (hash ^ hash >> 32) & (size - 1);
    while (keys[at] && keys[at] != key)
        at = (at + 1) & (size - 1);
    return &keys[at];
}

/* A table with room for more, without what no scan can meet again. */
static bool make_room(struct regex_memo *memo)
{
    size_t kept = 0, size = FIRST_SIZE;
    if (2 * memo->count < memo->size)
        return true;
    for (size_t i = 0; i < memo->size; i++)
        kept += memo->keys[i] >> 32 >= memo->begin;
    while (size < 4 * kept)
        size *= 2;
    uint64_t *keys = loam_memory_get_zero(memo->memory, size, sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < memo->size; i++)
        if (memo->keys[i] && memo->keys[i] >> 32 >= memo->begin)
            *slot_of(keys, size, memo->keys[i]) = memo->keys[i];
    loam_memory_free(memo->memory, memo->keys);
    memo->keys = keys;
    memo->size = size;
    memo->count = kept;
    return true;
}

/* Whether a scan was there before; notes that one is there now. If this one
 * does find a match, all that lies before its end is never scanned again, so
 * that what was noted does not matter. */
static bool seen_before(struct regex_memo *memo, uint64_t key)
{
    if (!memo || !memo->memory || !make_room(memo))
        return false;
    uint64_t *slot = slot_of(memo->keys, memo->size, key);
    if (*slot)
        return true;
    *slot = key;
    memo->count++;
    return false;
}

void loam_regex_memo_end(struct regex_memo *memo)
{
    loam_memory_free(memo->memory, memo->keys);
    memo->keys = NULL;
    memo->count = memo->size = 0;
}

struct scan {
    size_t at, match; /* match: where the last one ends */
    uint32_t row;     /* 0: no match can follow */
};

/* Goes on up to `limit`; characters may reach over it, up to `end`. */
static void scan_to(struct scan *scan, const uint32_t *next, const struct regex_classes *classes,
                    const char *text, size_t limit, size_t end)
{
    size_t at = scan->at, match = scan->match;
    uint32_t row = scan->row;
    while (at < limit && row) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t entry, c;
        size_t bytes = 1;
        if (byte < 0x80) {
            entry = next[row + classes->ascii[byte]];
        } else {
            bytes = loam_utf8_decode(&c, text + at, end - at);
            entry = next[row + loam_regex_class(classes, c)];
        }
        match = entry & 1 ? at : match;
        row = entry >> 1;
        at += bytes;
    }
    *scan = (struct scan){at, match, row};
}

/* The class of the character that ends at text[at]. */
static uint8_t class_before(const struct regex_classes *classes, const char *text, size_t begin,
                            size_t at)
{
    size_t start = at - 1;
    uint32_t c;
    while (start > begin && at - start < 4 && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    size_t bytes = loam_utf8_decode(&c, text + start, at - start);
    return bytes == at - start ? loam_regex_class(classes, c) : classes->none;
}

size_t loam_regex_match(const struct regex_automaton *automaton,
                        const struct regex_classes *classes, const char *text, size_t begin,
                        size_t at, size_t end, struct regex_memo *memo, uint32_t number)
{
    struct scan scan = {at, at, automaton->start};
    if (automaton->starts && at > begin)
        scan.row = automaton->starts[class_before(classes, text, begin, at)];
    size_t limit = (at / BLOCK + 2) * BLOCK;
    for (;; limit += BLOCK) {
        scan_to(&scan, automaton->next, classes, text, loam_min(limit, end), end);
        if (!scan.row)
            return scan.match - at;
        if (scan.at == end)
            break;
        if (scan.at - scan.match > BLOCK && seen_before(memo, key_of(scan.at, number, scan.row)))
            return scan.match - at;
    }
    bool whole = automaton->next[scan.row + classes->count - 1] & 1;
    return (whole ? end : scan.match) - at;
}

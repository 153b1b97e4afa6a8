/* SPDX-License-Identifier: MIT */
/* Where text for a gap ends: with its line, or with its block. */
#include "text/fill.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Columns of white space that a line begins with; a tab counts to the next
 * eighth. */
static size_t indentation(const char *line, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length && is_blank(line[i]); i++)
        columns += line[i] == '\t' ? 8 - columns % 8 : line[i] == ' ';
    return columns;
}

/* The line of the gap, up to the gap. */
static loam_string line_before(loam_string prefix)
{
    size_t at = prefix.length;
    while (at > 0 && prefix.data[at - 1] != '\n')
        at--;
    return (loam_string){at < prefix.length ? prefix.data + at : NULL, prefix.length - at};
}

static bool is_all_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_blank(text[i]))
            return false;
    return true;
}

/* How far the line of the gap is indented: what stands before the gap, and if
 * that is blank, the text goes on with it. */
static size_t block_indentation(loam_string before, const char *text, size_t length)
{
    if (!is_all_blank(before.data, before.length))
        return indentation(before.data, before.length);
    return indentation(before.data, before.length) + indentation(text, length);
}

static size_t end_of_block(bool *ended, loam_string before, const char *text, size_t length)
{
    size_t least = block_indentation(before, text, length), certain = 0;
    bool begun = !is_all_blank(before.data, before.length);
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline ? (size_t)(newline - text) : length;
        bool blank = is_all_blank(text + at, end - at);
        if (at > 0 && begun && least == 0 && newline && blank) {
            *ended = true; /* an empty line ends a block that is not indented */
            return certain;
        }
        if (at > 0 && !blank && indentation(text + at, end - at) < least) {
            *ended = true;
            return certain;
        }
        if (!blank) {
            certain = end;
            begun = true;
        }
        at = end + (newline != NULL);
    }
    return certain;
}

size_t loam_fill_end(bool *ended, const loam_fill_in *fill_in, const char *text, size_t length)
{
    *ended = false;
    if (length == 0 || fill_in->until == LOAM_FILL_TO_END)
        return length;
    if (fill_in->until == LOAM_FILL_TO_LINE) {
        const char *newline = memchr(text, '\n', length);
        *ended = newline != NULL;
        return newline ? (size_t)(newline - text) : length;
    }
    return end_of_block(ended, line_before(fill_in->prefix), text, length);
}

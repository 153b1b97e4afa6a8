/* SPDX-License-Identifier: MIT */
#include "text/border.h"
#include "base/utf8.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The fence that the line at `at` is (CommonMark, section 4.5), count 0 if it is
 * none; *bare: nothing stands behind it. */
static struct fence fence_at(const char *text, size_t length, size_t at, bool *bare)
{
    struct fence fence = {0, 0};
    size_t i = at;
    while (i < length && i < at + 3 && text[i] == ' ')
        i++;
    char mark = i < length ? text[i] : 0;
    if (mark != '`' && mark != '~')
        return fence;
    for (; i < length && text[i] == mark; i++)
        fence.count++;
    fence.mark = mark;
    if (fence.count < 3)
        fence.count = 0;
    while (i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    *bare = i == length || text[i] == '\n';
    return fence;
}

/* Goes over the beginning of a line. Whether it opens a block of code. */
static bool enter_line(struct border_walk *walk, size_t at)
{
    bool bare = false;
    struct fence found = fence_at(walk->text, walk->length, at, &bare);
    walk->closed = false;
    if (found.count == 0)
        return false;
    if (walk->fence.count == 0) {
        walk->fence = found;
        return true;
    }
    if (found.mark == walk->fence.mark && found.count >= walk->fence.count && bare) {
        walk->fence = (struct fence){0, 0};
        walk->closed = true;
    }
    return false;
}

void loam_border_begin(struct border_walk *walk, const char *text, size_t length, size_t at,
                       struct fence fence)
{
    *walk = (struct border_walk){.text = text, .length = length, .at = at, .fence = fence};
    if (at == 0 || text[at - 1] == '\n')
        enter_line(walk, at);
}

/* A mark that ends sentences where no space follows: U+3002, U+FF01, U+FF1F. */
static bool is_wide_end(const char text[3])
{
    return memcmp(text, "\xE3\x80\x82", 3) == 0 || memcmp(text, "\xEF\xBC\x81", 3) == 0 ||
           memcmp(text, "\xEF\xBC\x9F", 3) == 0;
}

/* Whether a sentence ends before `end`, with what follows at `next`. */
static bool ends_sentence(const char *text, size_t end, char next)
{
    while (end > 0 && (text[end - 1] == '"' || text[end - 1] == '\'' || text[end - 1] == ')' ||
                       text[end - 1] == ']'))
        end--;
    char last = end > 0 ? text[end - 1] : 0;
    return (last == '.' || last == '!' || last == '?') && !(next >= 'a' && next <= 'z');
}

/* Whether the line that ends before `end` closes a function: "}" or "};". */
static bool closes_function(const char *text, size_t end)
{
    while (end > 0 && (text[end - 1] == ';' || text[end - 1] == '\r'))
        end--;
    return end > 0 && text[end - 1] == '}' && (end == 1 || text[end - 2] == '\n');
}

/* What kind of border the start of a line is. `end`: of the words before. */
static int32_t line_kind(struct border_walk *walk, size_t line, size_t end, size_t newlines)
{
    const char *text = walk->text;
    bool inside = walk->fence.count > 0, closed = walk->closed;
    bool opens = enter_line(walk, line);
    char first = text[line];
    if (opens || closed || (!inside && closes_function(text, end)))
        return LOAM_BORDER_BLOCK;
    if (newlines > 1)
        return inside || is_space(first) || first == '}' || first == ')' ? LOAM_BORDER_PARAGRAPH
                                                                         : LOAM_BORDER_BLOCK;
    if (!inside && ends_sentence(text, end, first))
        return LOAM_BORDER_SENTENCE;
    return LOAM_BORDER_LINE;
}

bool loam_border_next(struct border_walk *walk, struct border *out)
{
    const char *text = walk->text;
    size_t i = walk->at, newlines = 0, line = 0;
    for (; i < walk->length && !is_space(text[i]); i++)
        if (i >= walk->at + 3 && walk->fence.count == 0 && is_wide_end(text + i - 3)) {
            *out = (struct border){.at = i, .kind = LOAM_BORDER_SENTENCE, .fence = walk->fence};
            walk->at = i;
            return true;
        }
    size_t end = i;
    for (; i < walk->length && is_space(text[i]); i++)
        if (text[i] == '\n') {
            newlines++;
            line = i + 1;
        }
    walk->at = i;
    if (i == walk->length)
        return false;
    *out = (struct border){.at = newlines ? line : i, .fence = walk->fence};
    if (newlines)
        out->kind = line_kind(walk, line, end, newlines);
    else
        out->kind = walk->fence.count == 0 && ends_sentence(text, end, text[i])
                        ? LOAM_BORDER_SENTENCE
                        : LOAM_BORDER_WORD;
    return true;
}

size_t loam_border_align(const char *text, size_t length, size_t at, size_t least)
{
    if (at >= length)
        return length;
    for (size_t back = 1; back <= 3 && back <= at && at - back >= least; back++) {
        uint32_t c;
        size_t size = loam_utf8_decode(&c, text + at - back, length - (at - back));
        if (c <= 0x10FFFF && size > back)
            return at - back;
    }
    return at;
}

/* SPDX-License-Identifier: MIT */
#include "text/split.h"
#include "base/utf8.h"
#include "text/unicode.h"

/* Classes of characters; a set is a sum of them. */
enum {
    LETTER = 1,       /* \p{L} */
    NUMBER = 2,       /* \p{N} */
    SPACE_SIGN = 4,   /* ' ' */
    NEWLINE = 8,      /* [\r\n] */
    OTHER_SPACE = 16, /* the rest of \s */
    OTHER = 32,       /* everything else */
    SPACES = SPACE_SIGN | NEWLINE | OTHER_SPACE
};

enum { MANY = 0x7FFFFFFF, ITEMS = 3, ALTERNATIVES = 8, STAGES = 2 };

/* Between `least` and `most` characters of a set, as many as possible. */
struct item {
    uint32_t set;
    int32_t least, most;
};

struct alternative {
    const char *const *literals; /* one of these texts, or NULL: items */
    bool ignores_case;
    struct item items[ITEMS]; /* until one of set 0 */
    bool before_space_or_end; /* (?!\S) behind it */
};

struct splitter {
    const char *const *names;
    bool keeps_whole_words;
    struct alternative stages[STAGES][ALTERNATIVES];
};

static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", NULL};

/* The published patterns of the models' tokenizers. */
#define GPT2_WORDS                                                                                 \
    {                                                                                              \
        {.literals = contractions}, {.items = {{SPACE_SIGN, 0, 1}, {LETTER, 1, MANY}}},            \
            {.items = {{SPACE_SIGN, 0, 1}, {NUMBER, 1, MANY}}},                                    \
            {.items = {{SPACE_SIGN, 0, 1}, {OTHER, 1, MANY}}},                                     \
            {.items = {{SPACES, 1, MANY}}, .before_space_or_end = true},                           \
            {.items = {{SPACES, 1, MANY}}},                                                        \
    }

static const char *const gpt2_names[] = {"default", "gpt-2", "gpt2", NULL};
static const char *const llama3_names[] = {"llama-bpe", "llama3", "llama-v3", NULL};
static const char *const smollm_names[] = {"smollm", NULL};

static const struct splitter splitters[] = {
    {.names = gpt2_names, .stages = {GPT2_WORDS}},
    {.names = llama3_names,
     .keeps_whole_words = true,
     .stages = {{
         {.literals = contractions, .ignores_case = true},
         {.items = {{SPACE_SIGN | OTHER_SPACE | OTHER, 0, 1}, {LETTER, 1, MANY}}},
         {.items = {{NUMBER, 1, 3}}},
         {.items = {{SPACE_SIGN, 0, 1}, {OTHER, 1, MANY}, {NEWLINE, 0, MANY}}},
         {.items = {{SPACES, 0, MANY}, {NEWLINE, 1, MANY}}},
         {.items = {{SPACES, 1, MANY}}, .before_space_or_end = true},
         {.items = {{SPACES, 1, MANY}}},
     }}},
    {.names = smollm_names, .stages = {{{.items = {{NUMBER, 1, 1}}}}, GPT2_WORDS}},
};

const struct splitter *loam_split_find(const char *name, size_t length)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(splitters); i++)
        for (const char *const *known = splitters[i].names; *known; known++)
            if (strlen(*known) == length && memcmp(*known, name, length) == 0)
                return &splitters[i];
    return NULL;
}

bool loam_split_keeps_whole_words(const struct splitter *splitter)
{
    return splitter->keeps_whole_words;
}

/* ---- matching ------------------------------------------------------------- */

static uint32_t class_of(uint32_t c)
{
    if (c == ' ')
        return SPACE_SIGN;
    if (c == '\r' || c == '\n')
        return NEWLINE;
    if (c < 0x80) {
        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            return LETTER;
        if (c >= '0' && c <= '9')
            return NUMBER;
        return c >= 9 && c <= 13 ? OTHER_SPACE : OTHER;
    }
    if (loam_unicode_is_space(c))
        return OTHER_SPACE;
    enum category category = loam_unicode_category(c);
    if (category >= CATEGORY_LU && category <= CATEGORY_LO)
        return LETTER;
    return category >= CATEGORY_ND && category <= CATEGORY_NO ? NUMBER : OTHER;
}

/* Class and bytes of the character at text[0]. */
static uint32_t class_at(const char *text, size_t length, size_t *bytes)
{
    uint32_t c;
    *bytes = loam_utf8_decode(&c, text, length);
    return class_of(c);
}

/* Start of the character before `end`, whose bytes were matched as one. */
static size_t step_back(const char *text, size_t end)
{
    size_t at = end - 1;
    while (at > 0 && end - at < 4 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    size_t bytes;
    class_at(text + at, end - at, &bytes);
    return at + bytes == end ? at : end - 1;
}

/* Bytes that items match at text, or SIZE_MAX. Tries the longest first; goes
 * back in an item only as far as the next one needs. The depth is ITEMS. */
static size_t match_items(const struct item *item, size_t left, const char *text, size_t length)
{
    if (left == 0 || item->set == 0)
        return 0;
    size_t end = 0, bytes;
    int32_t count = 0;
    while (count < item->most && end < length &&
           (class_at(text + end, length - end, &bytes) & item->set)) {
        end += bytes;
        count++;
    }
    for (; count >= item->least; count--) {
        size_t rest = match_items(item + 1, left - 1, text + end, length - end);
        if (rest != SIZE_MAX)
            return end + rest;
        if (count > 0)
            end = step_back(text, end);
    }
    return SIZE_MAX;
}

static size_t match_literal(const struct alternative *alternative, const char *text, size_t length)
{
    for (const char *const *literal = alternative->literals; *literal; literal++) {
        size_t size = strlen(*literal), i = 0;
        while (i < size && i < length &&
               (text[i] == (*literal)[i] || (alternative->ignores_case && (*literal)[i] >= 'a' &&
                                             (text[i] | 0x20) == (*literal)[i])))
            i++;
        if (i == size)
            return size;
    }
    return SIZE_MAX;
}

static size_t match(const struct alternative *alternative, const char *text, size_t length)
{
    if (alternative->literals)
        return match_literal(alternative, text, length);
    size_t end = match_items(alternative->items, ITEMS, text, length), bytes;
    if (end == SIZE_MAX || end == 0 || !alternative->before_space_or_end || end == length ||
        (class_at(text + end, length - end, &bytes) & SPACES))
        return end == 0 ? SIZE_MAX : end;
    end = step_back(text, end); /* the last space belongs to the word behind it */
    return end ? end : SIZE_MAX;
}

/* Bytes that the stage matches at text, or 0. */
static size_t match_stage(const struct alternative *alternatives, const char *text, size_t length)
{
    for (size_t i = 0; i < ALTERNATIVES; i++) {
        if (!alternatives[i].literals && alternatives[i].items[0].set == 0)
            return 0;
        size_t end = match(&alternatives[i], text, length);
        if (end != SIZE_MAX)
            return end;
    }
    return 0;
}

size_t loam_split_next(const struct splitter *splitter, const char *text, size_t length)
{
    const struct alternative *last = splitter->stages[0];
    if (splitter->stages[1][0].literals || splitter->stages[1][0].items[0].set) {
        /* What the first stage does not match, up to its next match, is what
         * the second one sees. */
        size_t gap = 0, bytes, end = match_stage(last, text, length);
        if (end)
            return end;
        while (gap < length && !match_stage(last, text + gap, length - gap)) {
            class_at(text + gap, length - gap, &bytes);
            gap += bytes;
        }
        length = gap;
        last = splitter->stages[1];
    }
    size_t end = match_stage(last, text, length), bytes;
    if (end)
        return end;
    class_at(text, length, &bytes);
    return bytes;
}

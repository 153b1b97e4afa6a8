/* SPDX-License-Identifier: MIT */
#include "text/split.h"
#include "base/utf8.h"
#include "text/unicode.h"

/* Classes of characters; a set is a sum of them. */
enum {
    LETTER = 1,         /* \p{L} */
    DIGIT = 2,          /* [0-9] */
    OTHER_NUMBER = 4,   /* the rest of \p{N} */
    SPACE_SIGN = 8,     /* ' ' */
    NEWLINE = 16,       /* [\r\n] */
    OTHER_SPACE = 32,   /* the rest of \s */
    PUNCTUATION = 64,   /* \p{P} */
    ASCII_SYMBOL = 128, /* [$+<=>^~|] */
    OTHER = 256,        /* everything else */
    NUMBER = DIGIT | OTHER_NUMBER,
    SPACES = SPACE_SIGN | NEWLINE | OTHER_SPACE,
    SIGNS = PUNCTUATION | ASCII_SYMBOL | OTHER /* [^\s\p{L}\p{N}] */
};

enum { MANY = 0x7FFFFFFF, ITEMS = 3, ALTERNATIVES = 8 };

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
    struct alternative stages[SPLIT_STAGES][ALTERNATIVES]; /* until an empty one */
};

static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", NULL};

/* The published patterns of the models' tokenizers. A single white-space
 * character that no alternative takes is a word all the same, so GPT-2's last
 * alternative, \s+, is not needed. */
#define GPT2_WORDS                                                                                 \
    {                                                                                              \
        {.literals = contractions}, {.items = {{SPACE_SIGN, 0, 1}, {LETTER, 1, MANY}}},            \
            {.items = {{SPACE_SIGN, 0, 1}, {NUMBER, 1, MANY}}},                                    \
            {.items = {{SPACE_SIGN, 0, 1}, {SIGNS, 1, MANY}}},                                     \
            {.items = {{SPACES, 1, MANY}}, .before_space_or_end = true},                           \
    }

static const char *const gpt2_names[] = {
    "gpt-2",           "phi-2",    "mpt",    "olmo",    "jais",
    "gigachat",        "trillion", "mellum", "exaone4", "a.x-4.0",
    "granite-docling", NULL};
static const char *const llama3_names[] = {"llama-bpe", "llama3", "llama-v3", NULL};
static const char *const smollm_names[] = {"smollm",    "starcoder", "refact",     "command-r",
                                           "codeshell", "exaone",    "minerva-7b", NULL};
static const char *const default_names[] = {"default", NULL};

static const struct splitter splitters[] = {
    {.names = gpt2_names, .stages = {GPT2_WORDS}},
    {.names = llama3_names,
     .keeps_whole_words = true,
     .stages = {{
         {.literals = contractions, .ignores_case = true},
         {.items = {{SPACE_SIGN | OTHER_SPACE | SIGNS, 0, 1}, {LETTER, 1, MANY}}},
         {.items = {{NUMBER, 1, 3}}},
         {.items = {{SPACE_SIGN, 0, 1}, {SIGNS, 1, MANY}, {NEWLINE, 0, MANY}}},
         {.items = {{SPACES, 0, MANY}, {NEWLINE, 1, MANY}}},
         {.items = {{SPACES, 1, MANY}}, .before_space_or_end = true},
         {.items = {{SPACES, 1, MANY}}},
     }}},
    {.names = smollm_names, .stages = {{{.items = {{NUMBER, 1, 1}}}}, GPT2_WORDS}},
    {.names = default_names,
     .stages = {{{.items = {{PUNCTUATION | ASCII_SYMBOL, 1, MANY}}}},
                GPT2_WORDS,
                {{.items = {{NUMBER, 1, MANY}}}},
                {{.items = {{DIGIT, 3, 3}}}}}},
};

/* The first name of each. */
static const char *const first_names[] = {"gpt-2", "llama-bpe", "smollm", "default", NULL};

const char *const *loam_split_names(void)
{
    return first_names;
}

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

static uint32_t class_of_ascii(uint32_t c)
{
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return LETTER;
    if (c == ' ')
        return SPACE_SIGN;
    if (c >= '0' && c <= '9')
        return DIGIT;
    if (c == '\r' || c == '\n')
        return NEWLINE;
    if (c >= 9 && c <= 13)
        return OTHER_SPACE;
    if (c < ' ' || c == '`' || c == 0x7F)
        return OTHER;
    return c == '$' || c == '+' || (c >= '<' && c <= '>') || c == '^' || c == '~' || c == '|'
               ? ASCII_SYMBOL
               : PUNCTUATION;
}

static uint32_t class_of(uint32_t c)
{
    if (loam_unicode_is_space(c))
        return OTHER_SPACE;
    enum category category = loam_unicode_category(c);
    if (category >= CATEGORY_LU && category <= CATEGORY_LO)
        return LETTER;
    if (category >= CATEGORY_ND && category <= CATEGORY_NO)
        return OTHER_NUMBER;
    return category >= CATEGORY_PC && category <= CATEGORY_PO ? PUNCTUATION : OTHER;
}

/* Class and bytes of the character at text[0]. */
static uint32_t class_at(const char *text, size_t length, size_t *bytes)
{
    uint32_t c = (unsigned char)text[0];
    if (c < 0x80) {
        *bytes = 1;
        return class_of_ascii(c);
    }
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

/* ---- stages --------------------------------------------------------------- */

/* Bytes of the stage's next piece of text: a match, or all up to the next. */
static size_t next_piece(const struct alternative *alternatives, const char *text, size_t length)
{
    size_t bytes, piece = match_stage(alternatives, text, length);
    if (piece)
        return piece;
    do {
        class_at(text + piece, length - piece, &bytes);
        piece += bytes;
    } while (piece < length && !match_stage(alternatives, text + piece, length - piece));
    return piece;
}

static bool is_empty(const struct alternative *stage)
{
    return !stage[0].literals && stage[0].items[0].set == 0;
}

void loam_split_begin(struct split_walk *walk, const struct splitter *splitter, const char *text,
                      size_t length)
{
    *walk = (struct split_walk){.splitter = splitter, .text = text, .ends = {length}};
}

size_t loam_split_next(struct split_walk *walk)
{
    size_t at = walk->at, stage = 0;
    if (at == walk->ends[0])
        return 0;
    for (; stage < SPLIT_STAGES && !is_empty(walk->splitter->stages[stage]); stage++) {
        size_t *end = &walk->ends[stage + 1];
        if (*end == at)
            *end = at + next_piece(walk->splitter->stages[stage], walk->text + at,
                                   walk->ends[stage] - at);
    }
    walk->at = walk->ends[stage];
    return walk->at - at;
}

/* SPDX-License-Identifier: MIT */
/* Expressions: what they match, which are refused, memory that fails. Published
 * patterns are in unit/split and conformance/tokenizer. */
#include "test.h"

#include "fault/host.h"
#include "text/split.h"

static struct memory memory;
static loam_error error = {.struct_size = sizeof error};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static loam_status compile(struct splitter *out, const char *expression, struct arena *arena)
{
    struct split_pattern pattern = {.names = "test", .stages = {expression}};
    error.message[0] = 0;
    return loam_split_create(out, &pattern, arena, &error);
}

/* Bytes that the expression matches at the beginning of the text, -1 if it does
 * not compile. */
static int match(const char *expression, const char *text)
{
    struct splitter splitter;
    struct arena arena;
    int found = -1;
    loam_arena_init(&arena, &memory);
    if (compile(&splitter, expression, &arena) == LOAM_OK)
        found = (int)loam_regex_match(&splitter.stages[0], &splitter.classes, text, 0, 0,
                                      strlen(text), NULL, 0);
    else
        printf("# %s\n", error.message);
    loam_arena_end(&arena);
    return found;
}

static void expressions_match(void)
{
    static const struct {
        const char *expression, *text;
        int length;
    } cases[] = {
        {"a", "a", 1},
        {"a", "b", 0},
        {"ab|a", "ac", 1},
        {"a|ab", "ab", 1}, /* the first alternative, not the longest */
        {"(?:a|ab)c", "abc", 3},
        {"(?:a|ab)(?:c|bcd)", "abcd", 4},
        {"a*", "aaab", 3},
        {"a+?", "aaa", 1},
        {"a*?b", "aab", 3},
        {"a??b", "ab", 2},
        {"a{2}", "aaa", 2},
        {"a{2}", "a", 0},
        {"a{2,}", "aaaa", 4},
        {"a{1,3}", "aaaa", 3},
        {"a{1,3}?", "aaaa", 1},
        {"(ab){2}c", "ababc", 5},
        {"(?:a|b)*c", "abbac", 5},
        {"(?:a*)*b", "aab", 3}, /* an empty turn ends */
        {"a++", "aaa", 3},
        {"a++a", "aaa", 0}, /* gives nothing back */
        {"a*+a", "aaa", 0},
        {"a?+a", "a", 0},
        {"a?+a", "aa", 2},
        {"a{1,2}+a", "aa", 0},
        {"a{1,2}+a", "aaa", 3},
        {"a{2}+a", "aaa", 3},
        {"[^a]?+b", "cb", 2},
        {"\\s+(?!\\S)", "   a", 2},
        {"\\s+(?!\\S)", "   ", 3},
        {"\\s+(?!\\S)", " a", 0},
        {"a(?=b)", "ab", 1},
        {"a(?=b)", "a", 0},
        {"((?=[\\p{L}])[^a-z])+", "AB1", 2},
        {"a$", "a", 1},
        {"a$", "ab", 0},
        {".", "\n", 0},
        {".", "\xC3\xA9", 2},
        {"[a-c]+", "abcd", 3},
        {"[^a-c]+", "xyza", 3},
        {"[]a]+", "a]b", 2},
        {"[a-]+", "a-b", 2},
        {"[\\]\\\\]+", "]\\a", 2},
        {"[^\\s\\p{L}\\p{N}]+",
         "!?\xE2\x82\xAC"
         "a",
         5},
        {"[\\r\\n]+", "\r\n ", 2},
        {"\\d+",
         "1\xD9\xA1"
         "a",
         3},
        {"\\D", "1", 0},
        {"\\w+", "a_1\xC3\xA9-", 5},
        {"[^\\w]", "a", 0},
        {"[a[bc]d]+", "abcdx", 4},
        {"[^x[yz]]+", "abz", 2},
        {"\\P{L}", "a", 0},
        {"\\pL", "a", 1},
        {"\\p{Lu}+",
         "AB\xC3\x89"
         "c",
         4},
        {"\\p{Han}+",
         "\xE4\xBD\xA0\xE5\xA5\xBD"
         "a",
         6},
        {"[\\p{L}&&[^\\p{Han}]]+", "a\xE4\xBD\xA0", 1},
        {"[\\p{P}\\p{S}&&[^~]]+", "+~", 1},
        {"\\x41\\x{42}\\u0043", "ABC", 3},
        {"(?i:'s|k)", "'S", 2},
        {"(?i:'s|k)", "'\xC5\xBF", 3},    /* U+017F folds to s */
        {"(?i:'s|k)", "\xE2\x84\xAA", 3}, /* U+212A folds to k */
        {"(?i:[sd])+", "SdD", 3},
        {"(?i:a)a", "AA", 0}, /* ends with its group */
        {"'(?:[sS]|[lL][lL])", "'Ll", 3},
        {"\\.\\*\\?\\+\\|", ".*?+|", 5},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int found = match(cases[i].expression, cases[i].text);
        if (found != cases[i].length) {
            printf("# %s on \"%s\":\n", cases[i].expression, cases[i].text);
            CHECK_EQUAL(found, cases[i].length);
        }
    }
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* The words of a text, each match in brackets. */
static const char *cut(const char *expression, const char *text)
{
    static char shown[256];
    struct splitter splitter;
    struct split_walk walk;
    struct arena arena;
    size_t at = 0, word, written = 0;
    loam_arena_init(&arena, &memory);
    CHECK_EQUAL(compile(&splitter, expression, &arena), LOAM_OK);
    loam_split_begin(&walk, &splitter, &memory, text, strlen(text));
    while ((word = loam_split_next(&walk)) > 0) {
        written += (size_t)snprintf(shown + written, sizeof shown - written,
                                    walk.matched ? "[%.*s]" : "%.*s", (int)word, text + at);
        at += word;
    }
    loam_split_end(&walk);
    loam_arena_end(&arena);
    return shown;
}

/* As Python's re has it. */
static void looking_behind(void)
{
    CHECK_TEXT(cut("(?<=a)b", "babbab"), "ba[b]ba[b]");
    CHECK_TEXT(cut("(?<!a)b", "babbab"), "[b]ab[b]ab");
    CHECK_TEXT(cut("(?<=\\xE9)b", "b\xC3\xA9"
                                  "b\xC3\xA8"
                                  "b"),
               "b\xC3\xA9[b]\xC3\xA8"
               "b");
    CHECK_TEXT(cut("(?<!\\d)\\d(?!\\d)", "1 23 4a5"), "[1] 23 [4]a[5]");
    CHECK_TEXT(cut("a(?<=a)|b(?<=a)", "ab"), "[a]b");
    CHECK_TEXT(cut("(?:(?<=b)a|(?<=a)b)+", "aababb"), "aa[bab]b");
    CHECK_TEXT(cut("(?=b)(?<=a)b|(?=b)(?<!a).", "abb"), "a[b][b]");
    CHECK_TEXT(cut("a++(?<=a)b?", "aabab"), "[aab][ab]");
    CHECK_TEXT(cut("(?<!.)a", "aa\xFF"
                              "a"),
               "[a]a\xFF"
               "a"); /* bytes that are no character are one of no category */
}

static void others_are_refused(void)
{
    static const char *const bad[] = {"(",
                                      ")",
                                      "a)",
                                      "(a",
                                      "[a",
                                      "[",
                                      "a\\",
                                      "*",
                                      "+a",
                                      "(?<=ab)b",
                                      "(?>a)",
                                      "(?=ab)",
                                      "(?!a|b)",
                                      "\\b",
                                      "^a",
                                      "a{,3}",
                                      "a{2,1}",
                                      "a{1001}",
                                      "(ab)++",
                                      "\\1",
                                      "\\p{Xx}",
                                      "\\p{",
                                      "\\p",
                                      "\\x{110000}",
                                      "\\x{}",
                                      "[b-a]",
                                      "[a-\\s]",
                                      "[a[^b]]",
                                      "[^a&&[b]]",
                                      "[a&&b]",
                                      "(?i:\xC3\xA9)",
                                      "(?i:[a-z])",
                                      "\xFF",
                                      "(?P<n>a)",
                                      "\\q",
                                      "(((((((((((((((((a)))))))))))))))))",
                                      "(?:a{1000}){1000}"};
    struct splitter splitter;
    struct arena arena;
    for (size_t i = 0; i < COUNT(bad); i++) {
        loam_arena_init(&arena, &memory);
        loam_status status = compile(&splitter, bad[i], &arena);
        if (status != LOAM_UNSUPPORTED || !strstr(error.message, "split pattern, byte"))
            printf("# %s: %d %s\n", bad[i], (int)status, error.message);
        CHECK_EQUAL(status, LOAM_UNSUPPORTED);
        loam_arena_end(&arena);
    }
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* Small expressions whose automata have a state for every set of places. */
static void automata_are_bounded(void)
{
    struct splitter splitter;
    struct arena arena;
    loam_arena_init(&arena, &memory);
    CHECK_EQUAL(compile(&splitter, "(?:a|b)*a(?:a|b){20}", &arena), LOAM_UNSUPPORTED);
    CHECK(strstr(error.message, "automaton") != NULL);
    loam_arena_end(&arena);
}

static void memory_fails(void)
{
    for (int pattern = 0; pattern < 30; pattern += 7) {
        long n = 1;
        for (bool failed = true; failed; n++) {
            struct host host = {.fail_from = n, .fail_to = n};
            loam_allocator allocator = {.struct_size = sizeof allocator,
                                        .user = &host,
                                        .allocate = host_allocate,
                                        .release = host_release};
            struct memory failing;
            struct arena arena;
            struct splitter splitter;
            loam_memory_init(&failing, &allocator, 0);
            loam_arena_init(&arena, &failing);
            loam_status status =
                loam_split_create(&splitter, loam_pattern_at((size_t)pattern % 20), &arena, &error);
            failed = atomic_load(&host.calls) >= n;
            CHECK_EQUAL(status, failed ? LOAM_MEMORY : LOAM_OK);
            loam_arena_end(&arena);
            CHECK_EQUAL(atomic_load(&host.blocks), 0);
        }
        CHECK(n > 10);
    }
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(expressions_match);
    RUN(looking_behind);
    RUN(others_are_refused);
    RUN(automata_are_bounded);
    RUN(memory_fails);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/* Words of a text by each splitter: what the patterns say, of any bytes, and in
 * linear time. The patterns against real texts are in conformance/tokenizer. */
#include "test.h"

#include "text/split.h"

#include <time.h>

enum { MOST_PATTERNS = 64 };

static struct memory memory;
static struct arena arena;
static struct splitter splitters[MOST_PATTERNS]; /* of each pattern */
static size_t splitter_count;

/* The splitter of that name, or NULL. */
static const struct splitter *find(const char *name)
{
    const struct split_pattern *pattern = loam_pattern_find(name, strlen(name));
    for (size_t i = 0; i < splitter_count; i++)
        if (pattern && loam_pattern_at(i) == pattern)
            return &splitters[i];
    return NULL;
}

static void every_pattern_compiles(void)
{
    const struct split_pattern *pattern;
    loam_error error = {.struct_size = sizeof error};
    for (; (pattern = loam_pattern_at(splitter_count)) != NULL; splitter_count++) {
        REQUIRE(splitter_count < MOST_PATTERNS);
        if (loam_split_create(&splitters[splitter_count], pattern, &arena, &error))
            printf("# %s: %s\n", pattern->names, error.message);
        CHECK(splitters[splitter_count].count > 0);
        CHECK(splitters[splitter_count].stages[0].next != NULL);
    }
    CHECK(splitter_count > 20);
}

/* The words of text[length], with '|' between them. */
static void split(char *out, const struct splitter *splitter, const char *text, size_t length)
{
    struct split_walk walk;
    size_t written = 0, at = 0, word;
    out[0] = 0;
    REQUIRE(splitter);
    loam_split_begin(&walk, splitter, &memory, text, length);
    while ((word = loam_split_next(&walk)) > 0) {
        if (at)
            out[written++] = '|';
        memcpy(out + written, text + at, word);
        written += word;
        at += word;
    }
    out[written] = 0;
    CHECK_EQUAL(at, length);
    CHECK_EQUAL(loam_split_next(&walk), 0);
    loam_split_end(&walk);
}

struct sample {
    const char *splitter, *text, *words;
};

static const struct sample samples[] = {
    {"gpt-2", "", ""},
    {"gpt-2", "It's 12 o'clock!!", "It|'s| 12| o|'|clock|!!"},
    {"gpt-2", "IT'S", "IT|'|S"},
    {"gpt-2", "a  b   ", "a| | b|   "},
    {"gpt-2", "a\n\n b", "a|\n\n| b"},
    {"gpt-2", "a\nb\t\tc", "a|\n|b|\t|\t|c"},
    {"gpt-2", "x\xC3\xA9y\xC2\xB2 \xE2\x80\x94", "x\xC3\xA9y|\xC2\xB2| \xE2\x80\x94"},
    {"gpt-2", "a\xC2\xA0\xC2\xA0z", "a|\xC2\xA0|\xC2\xA0|z"}, /* no-break spaces */
    {"gpt-2", "a\xFF\x80-b", "a|\xFF\x80-|b"},
    {"llama-bpe", "IT'S it's", "IT|'S| it|'s"},
    {"llama-bpe", "12345 67", "123|45| |67"},
    {"llama-bpe", "a.b\tc (d", "a|.b|\tc| (|d"},
    {"llama-bpe", "x!?\r\n\r\n  y", "x|!?\r\n\r\n| | y"},
    {"llama-bpe", " \n \n  z", " \n \n| | z"},
    {"llama-bpe", "a   ", "a|   "},
    {"llama3", "(x", "(x"},
    {"llama-v3", "(x", "(x"},
    {"smollm", "a12 b3", "a|1|2| b|3"},
    {"smollm", "a 1  2", "a| |1|  |2"}, /* what follows a cut is not seen */
    {"starcoder", "x42", "x|4|2"},
    {"default", "IT's $5.00, 12345", "IT|'|s| |$|5|.|00|,| |123|45"},
    {"default", "a--b \xE2\x80\x94`", "a|--|b| |\xE2\x80\x94|`"},
};

static void words_of_each_splitter(void)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char words[256];
        split(words, find(samples[i].splitter), samples[i].text, strlen(samples[i].text));
        if (strcmp(words, samples[i].words) != 0) {
            printf("# %s:\n", samples[i].splitter);
            CHECK_TEXT(words, samples[i].words);
        }
    }
}

static void unknown_names_are_not_found(void)
{
    CHECK(!loam_pattern_find("gpt-3", 5));
    CHECK(!loam_pattern_find("", 0));
    CHECK(!loam_pattern_find("gpt-2 phi-2", 11));
    CHECK(!loam_pattern_find("gpt-22", 6));
    CHECK(loam_pattern_find("gpt-22", 5) != NULL); /* the length counts */
    CHECK(loam_pattern_find("exaone4", 7) == loam_pattern_find("gpt-2", 5));
}

/* Characters that patterns tell apart, and broken ones. */
static const char *const parts[] = {"a",
                                    "Z",
                                    "1",
                                    "9",
                                    " ",
                                    " ",
                                    "\n",
                                    "\r",
                                    "\t",
                                    "'",
                                    "s",
                                    "'ll",
                                    "!",
                                    "$",
                                    "`",
                                    "\xC3\xA9",
                                    "\xC2\xA0",
                                    "\xC2\xB2",
                                    "\xE2\x80\x94",
                                    "\xE4\xBD\xA0",
                                    "\xF0\x9F\x98\x80",
                                    "\x80",
                                    "\xE4\xBD",
                                    "\xF0\x9F",
                                    "\xFF"};

/* Every word has bytes, together they are the text, whatever it holds; copies
 * of exact size let a sanitizer see a read behind the end. */
static void any_bytes_are_split(void)
{
    uint64_t random = 7;
    for (int round = 0; round < 4000; round++) {
        char text[64], words[256];
        size_t length = 0;
        for (uint32_t count = test_random(&random) % 12; count > 0; count--) {
            const char *part = parts[test_random(&random) % (sizeof parts / sizeof parts[0])];
            memcpy(text + length, part, strlen(part));
            length += strlen(part);
        }
        char *copy = malloc(length + !length);
        memcpy(copy, text, length);
        for (size_t i = 0; i < splitter_count; i++)
            split(words, &splitters[i], copy, length);
        free(copy);
    }
}

/* ---- time ------------------------------------------------------------------ */

/* Sanitizers are ten times slower; what is not linear shows all the same. */
enum { LONG_SIZE = TEST_SANITIZED ? 200000 : 1000000, FAR_SIZE = 100000 };

/* What could be looked at again and again. */
static const char *const units[] = {"a",        " ",  "\n",   "ab cd ", "\n    ",  "'",
                                    "1",        " 1", "\x80", "!\n",    "x\t ",    "\r\n",
                                    "\xC2\xA0", "'s", "aA",   "Aa1 !'", "    \n\t"};

static void repeat(char *text, size_t size, const char *unit)
{
    size_t length = strlen(unit);
    for (size_t at = 0; at < size; at++)
        text[at] = unit[at % length];
}

/* Processor time of one walk. */
static double walk_time(const struct splitter *splitter, const char *text, size_t size)
{
    struct split_walk walk;
    clock_t begin = clock();
    size_t at = 0, word;
    loam_split_begin(&walk, splitter, &memory, text, size);
    while ((word = loam_split_next(&walk)) > 0)
        at += word;
    loam_split_end(&walk);
    CHECK_EQUAL(at, size);
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* Four times the text takes at most nine times as long, where the square would
 * take sixteen times: three for each doubling. The best of some tries, so that
 * a busy machine does not matter; what takes a fiftieth of a second is not asked. */
static bool is_linear(const struct splitter *splitter, const char *text, size_t size)
{
    double few = 1e9, many = 1e9;
    for (int attempt = 0; attempt < 5; attempt++) {
        double large = walk_time(splitter, text, size);
        many = large < many ? large : many;
        if (many < 0.02)
            return true;
        double small = walk_time(splitter, text, size / 4);
        few = small < few ? small : few;
        if (many <= 9 * few)
            return true;
    }
    printf("# %.3f s for %zu bytes, %.3f s for %zu\n", few, size / 4, many, size);
    return false;
}

static void long_texts_take_linear_time(void)
{
    char *text = malloc(LONG_SIZE);
    REQUIRE(text);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        repeat(text, LONG_SIZE, units[i]);
        for (size_t k = 0; k < splitter_count; k++) {
            bool linear = is_linear(&splitters[k], text, LONG_SIZE);
            if (!linear)
                printf("# pattern %zu, text of \"%s\"\n", k, units[i]);
            CHECK(linear);
        }
    }
    free(text);
}

/* Expressions that look far ahead for what never comes, as a vocabulary's own
 * may: with one word for each character, with none, and with as many states on
 * the way as there are places in a turn. */
static const char *const far_looking[] = {"\\s*x|\\s",
                                          "a*b",
                                          "a*b|a",
                                          "(?:aaa)*b|a",
                                          "(?:a{50})*b|a|\\s",
                                          "[a ]*\\n+|[a1]*'|[ a]",
                                          "(?:\\s+a)*\\s+b|.",
                                          "[^b]*b|[^c]*c|[^\\n]+$|\\S"};

static void far_looking_patterns_take_linear_time(void)
{
    static const char *const texts[] = {"a", " ", "\n", "a ", "1"};
    char *text = malloc(FAR_SIZE);
    REQUIRE(text);
    for (size_t i = 0; i < sizeof far_looking / sizeof far_looking[0]; i++) {
        struct split_pattern pattern = {.names = "test", .stages = {far_looking[i]}};
        struct splitter splitter;
        struct arena own;
        loam_arena_init(&own, &memory);
        REQUIRE(loam_split_create(&splitter, &pattern, &own, NULL) == LOAM_OK);
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
            repeat(text, FAR_SIZE, texts[k]);
            bool linear = is_linear(&splitter, text, FAR_SIZE);
            if (!linear)
                printf("# pattern %s, text of \"%s\"\n", far_looking[i], texts[k]);
            CHECK(linear);
        }
        loam_arena_end(&own);
    }
    free(text);
}

/* What is remembered of a scan never changes a word: the same words as with no
 * memory to remember in. */
static void words_are_the_same_without_memory(void)
{
    enum { SIZE = 4000 };
    char text[SIZE];
    uint64_t random = 11;
    for (size_t i = 0; i < sizeof far_looking / sizeof far_looking[0]; i++) {
        struct split_pattern pattern = {.names = "test", .stages = {"[^b]+", far_looking[i]}};
        struct splitter splitter;
        struct arena own;
        loam_arena_init(&own, &memory);
        REQUIRE(loam_split_create(&splitter, &pattern, &own, NULL) == LOAM_OK);
        for (int round = 0; round < 40; round++) {
            struct split_walk with, without;
            for (size_t at = 0; at < SIZE; at++) /* long runs, few surprises */
                text[at] = test_random(&random) % 200 ? (round & 1 ? 'a' : ' ')
                                                      : "ab x\n1'"[test_random(&random) % 7];
            loam_split_begin(&with, &splitter, &memory, text, SIZE);
            loam_split_begin(&without, &splitter, NULL, text, SIZE);
            for (size_t word = 1; word;) {
                word = loam_split_next(&with);
                if (loam_split_next(&without) != word) {
                    CHECK_EQUAL(with.at, without.at);
                    break;
                }
            }
            CHECK_EQUAL(without.at, SIZE);
            loam_split_end(&with);
            loam_split_end(&without);
        }
        loam_arena_end(&own);
    }
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    loam_arena_init(&arena, &memory);
    RUN(every_pattern_compiles);
    RUN(words_of_each_splitter);
    RUN(unknown_names_are_not_found);
    RUN(any_bytes_are_split);
    RUN(long_texts_take_linear_time);
    RUN(far_looking_patterns_take_linear_time);
    RUN(words_are_the_same_without_memory);
    loam_arena_end(&arena);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/* Stop strings in streams, against a search that tries every place. */
#include "test.h"

#include <time.h>

#include "base/utf8.h"
#include "session/stop.h"

enum { MOST_TEXT = 256, MOST_STRINGS = 6 };

static struct memory test_memory;

static struct stop_matcher *new_matcher(const loam_string *strings, size_t count)
{
    struct stop_matcher *matcher = NULL;
    if (loam_stop_create(&matcher, &test_memory, strings, count, NULL) != LOAM_OK)
        exit(2);
    return matcher;
}

static int ends_with(const char *text, size_t length, const char *end, size_t end_length)
{
    return end_length <= length && memcmp(text + length - end_length, end, end_length) == 0;
}

/* The length of text[length] up to its earliest-ending stop string, and the
 * longest of those that end there; *match 0: none. */
static size_t naive_match(size_t *match, const char *text, size_t length,
                          const loam_string *strings, size_t count)
{
    *match = 0;
    for (size_t end = 1; end <= length; end++) {
        for (size_t i = 0; i < count; i++)
            if (strings[i].length > *match &&
                ends_with(text, end, strings[i].data, strings[i].length))
                *match = strings[i].length;
        if (*match)
            return end;
    }
    return length;
}

/* The longest end of text[length] that begins a stop string and is shorter. */
static size_t naive_held(const char *text, size_t length, const loam_string *strings, size_t count)
{
    size_t held = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 1; n < strings[i].length; n++)
            if (n > held && ends_with(text, length, strings[i].data, n))
                held = n;
    return held;
}

/* The place at or before `cut` where text[length] may be cut: not between the
 * bytes of one character, and not after the begun one at the end. */
static size_t naive_cut(const char *text, size_t length, size_t cut)
{
    for (size_t start = cut > 3 ? cut - 3 : 0; start < cut; start++) {
        uint32_t code_point;
        if (loam_utf8_incomplete(text + start, cut - start) != cut - start)
            continue;
        size_t size = loam_utf8_decode(&code_point, text + start, length - start);
        if (cut == length || size > cut - start)
            return start;
    }
    return cut;
}

struct stream {
    char text[MOST_TEXT];
    size_t length;
    loam_string strings[MOST_STRINGS];
    size_t count;
};

/* Pushes the stream in random chunks and compares after each; the number of
 * differences. */
static int differences(const struct stream *stream, uint64_t *state)
{
    struct stop_matcher *matcher = new_matcher(stream->strings, stream->count);
    char given[MOST_TEXT];
    size_t given_length = 0, pushed = 0, match, length;
    int differ = 0;
    size_t stop = naive_match(&match, stream->text, stream->length, stream->strings, stream->count);
    unsigned longest = 1 + test_random(state) % 12;
    bool matched = false;
    const char *out;
    while (pushed < stream->length && !matched) {
        size_t chunk = loam_min(test_random(state) % (longest + 1), stream->length - pushed);
        differ += loam_stop_push(&out, &length, &matched, matcher, stream->text + pushed, chunk,
                                 NULL) != LOAM_OK;
        pushed += chunk;
        if (length)
            memcpy(given + given_length, out, length);
        given_length += length;
        size_t held =
            matched ? match : naive_held(stream->text, pushed, stream->strings, stream->count);
        size_t end = matched ? stop : pushed;
        differ += given_length != naive_cut(stream->text, end, end - held);
        differ += matched != (match && pushed >= stop);
    }
    differ += matched != (match > 0);
    loam_stop_finish(&out, &length, matcher);
    if (length)
        memcpy(given + given_length, out, length);
    given_length += length;
    if (!match)
        differ += given_length != stream->length;
    else
        differ += length != 0;
    differ += memcmp(given, stream->text, given_length) != 0;
    loam_stop_destroy(matcher);
    return differ;
}

static const char two_letters[][5] = {"a", "b"};
static const char characters[][5] = {"a", "\xC3\xA9", "\xC3\xA8", "\xE2\x82\xAC",
                                     "\xF0\x9F\x98\x80"};
static const char bytes[][5] = {"a", "\xC3", "\xA9", "\xE2", "\x82", "\xF0", "\x9F", "\xFF"};

/* Appends random members of the alphabet while fewer than `wanted` bytes. */
static size_t random_text(char *text, size_t wanted, const char (*alphabet)[5], size_t letters,
                          uint64_t *state)
{
    size_t length = 0;
    while (length < wanted) {
        const char *letter = alphabet[test_random(state) % letters];
        memcpy(text + length, letter, strlen(letter));
        length += strlen(letter);
    }
    return length;
}

/* Random streams; some stop strings are cut out of the stream, at any byte. */
static int random_streams(int rounds, const char (*alphabet)[5], size_t letters, uint64_t seed)
{
    int differ = 0, matches = 0;
    for (int round = 0; round < rounds; round++) {
        static struct stream stream;
        static char strings[MOST_STRINGS][64];
        stream.length =
            random_text(stream.text, 1 + test_random(&seed) % 120, alphabet, letters, &seed);
        stream.count = test_random(&seed) % (MOST_STRINGS + 1);
        for (size_t i = 0; i < stream.count; i++) {
            size_t length = 1 + test_random(&seed) % (i % 2 ? 4 : 12);
            stream.strings[i].data = strings[i];
            if (test_random(&seed) % 2 && length <= stream.length) {
                memcpy(strings[i], stream.text + test_random(&seed) % (stream.length - length + 1),
                       length);
                strings[i][length - 1] ^= test_random(&seed) % 2; /* mostly a near miss */
            } else {
                length = random_text(strings[i], length, alphabet, letters, &seed);
            }
            stream.strings[i].length = length;
        }
        size_t match;
        naive_match(&match, stream.text, stream.length, stream.strings, stream.count);
        matches += match > 0;
        differ += differences(&stream, &seed);
    }
    CHECK(matches > rounds / 20 && matches < rounds - rounds / 20);
    return differ;
}

static void equals_the_naive_one_on_letters(void)
{
    CHECK_EQUAL(random_streams(20000, two_letters, LOAM_COUNT_OF(two_letters), 1), 0);
}

static void equals_the_naive_one_on_characters(void)
{
    CHECK_EQUAL(random_streams(20000, characters, LOAM_COUNT_OF(characters), 2), 0);
}

static void equals_the_naive_one_on_bytes(void)
{
    CHECK_EQUAL(random_streams(20000, bytes, LOAM_COUNT_OF(bytes), 3), 0);
}

/* Valid streams with stop strings of any bytes: what was given out is valid
 * at every moment. */
static void gives_out_whole_characters(void)
{
    uint64_t seed = 4;
    int invalid = 0, cut_inside = 0;
    for (int round = 0; round < 20000; round++) {
        char text[MOST_TEXT], stops[2][8], given[MOST_TEXT];
        size_t length = random_text(text, 60, characters, LOAM_COUNT_OF(characters), &seed);
        loam_string strings[2];
        for (int i = 0; i < 2; i++) {
            size_t size = 1 + test_random(&seed) % 5;
            memcpy(stops[i], text + test_random(&seed) % 50, size);
            stops[i][size - 1] ^= test_random(&seed) % 4 != 0;
            strings[i] = (loam_string){stops[i], size};
            cut_inside += (stops[i][0] & 0xC0) == 0x80;
        }
        struct stop_matcher *matcher = new_matcher(strings, 2);
        size_t given_length = 0, pushed = 0, out_length;
        bool matched = false;
        const char *out;
        while (pushed < length && !matched) {
            size_t chunk = loam_min(1 + test_random(&seed) % 5, length - pushed);
            CHECK_EQUAL(
                loam_stop_push(&out, &out_length, &matched, matcher, text + pushed, chunk, NULL),
                LOAM_OK);
            pushed += chunk;
            if (out_length)
                memcpy(given + given_length, out, out_length);
            given_length += out_length;
            invalid += !loam_utf8_valid(given, given_length);
        }
        loam_stop_destroy(matcher);
    }
    CHECK_EQUAL(invalid, 0);
    CHECK(cut_inside > 1000);
}

static void check_push(struct stop_matcher *matcher, const char *text, const char *wanted,
                       bool wanted_match)
{
    const char *out;
    size_t length;
    bool matched;
    CHECK_EQUAL(loam_stop_push(&out, &length, &matched, matcher, text, strlen(text), NULL),
                LOAM_OK);
    CHECK_EQUAL(length, strlen(wanted));
    CHECK(!length || (out && memcmp(out, wanted, loam_min(length, strlen(wanted))) == 0));
    CHECK_EQUAL(matched, wanted_match);
}

static void check_finish(struct stop_matcher *matcher, const char *wanted)
{
    const char *out;
    size_t length;
    loam_stop_finish(&out, &length, matcher);
    CHECK_EQUAL(length, strlen(wanted));
    CHECK(!length || (out && memcmp(out, wanted, loam_min(length, strlen(wanted))) == 0));
}

static void holds_back_what_could_begin_one(void)
{
    const loam_string strings[3] = {{"</s>", 4}, {"\n\nUser:", LOAM_NUL_TERMINATED}, {"User", 4}};
    struct stop_matcher *matcher = new_matcher(strings, 3);
    check_push(matcher, "", "", false);
    check_push(matcher, "Hello <", "Hello ", false);
    check_push(matcher, "/", "", false);
    check_push(matcher, "b> \n", "</b> ", false);
    check_push(matcher, "\n", "", false);
    check_push(matcher, "\n", "\n", false);
    check_push(matcher, "Use", "", false);
    check_push(matcher, "r: tail", "\n\n", true); /* "User" ends first */
    check_finish(matcher, "");
    check_push(matcher, "a</", "a", false); /* a new stream */
    check_finish(matcher, "</");
    check_push(matcher, "s>", "s>", false);
    check_push(matcher, "x<", "x", false);
    loam_stop_reset(matcher);
    check_push(matcher, "/s>", "/s>", false);
    check_push(matcher, "</s>", "", true);
    loam_stop_destroy(matcher);
}

static void cuts_at_the_longest_that_ends_first(void)
{
    const loam_string strings[3] = {{"b", 1}, {"aab", 3}, {"ab", 2}};
    struct stop_matcher *matcher = new_matcher(strings, 3);
    check_push(matcher, "xaaabz", "xa", true);
    check_push(matcher, "xabz", "x", true);
    loam_stop_destroy(matcher);
}

/* A stop string of the second byte of a character takes all of it. */
static void stops_inside_characters(void)
{
    const loam_string strings[2] = {{"\xA9!", 2}, {"\x82", 1}};
    struct stop_matcher *matcher = new_matcher(strings, 2);
    check_push(matcher, "a\xC3\xA9", "a", false);
    check_push(matcher, "?", "\xC3\xA9?", false);
    check_push(matcher, "a\xC3\xA9!", "a", true);
    check_push(matcher, "b\xE2\x82\xAC", "b", true);
    check_push(matcher, "c\xE2", "c", false);
    check_push(matcher, "\x82", "", true);
    check_push(matcher, "d\xFF\x82", "d\xFF", true); /* no character is cut */
    check_push(matcher, "e\xF0\x9F", "e", false);
    check_finish(matcher, "\xF0\x9F");
    loam_stop_destroy(matcher);
}

static void needs_no_strings(void)
{
    struct stop_matcher *matcher = new_matcher(NULL, 0);
    check_finish(matcher, "");
    check_push(matcher, "", "", false);
    check_push(matcher, "abc\xC3", "abc", false);
    check_push(matcher, "\xA9", "\xC3\xA9", false);
    check_finish(matcher, "");
    loam_stop_destroy(matcher);
}

static void refuses_empty_strings(void)
{
    const loam_string empty[3] = {{"a", 1}, {"b", 1}, {"", 0}};
    const loam_string null[1] = {{NULL, 5}}, null_ended[1] = {{NULL, LOAM_NUL_TERMINATED}};
    struct stop_matcher *matcher;
    loam_error error = {.struct_size = sizeof error};
    CHECK_EQUAL(loam_stop_create(&matcher, &test_memory, empty, 3, &error), LOAM_INVALID_ARGUMENT);
    CHECK(matcher == NULL);
    CHECK(strstr(error.message, "[2]") != NULL);
    CHECK_EQUAL(loam_stop_create(&matcher, &test_memory, null, 1, &error), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_stop_create(&matcher, &test_memory, null_ended, 1, &error),
                LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_stop_create(&matcher, &test_memory, NULL, 1, &error), LOAM_INVALID_ARGUMENT);
    loam_stop_destroy(NULL);
}

/* Four megabytes of a's, byte by byte, against strings of up to 64 KB that differ
 * from it in their last byte: a matcher that starts over, tries each string
 * alone, or moves what it holds each time, takes 2^37 steps. */
static void is_linear_on_nasty_streams(void)
{
    enum { STRINGS = 32, LONGEST = 1 << 16, STREAM = 1 << 22 };
    static char stops[STRINGS][LONGEST];
    loam_string strings[STRINGS];
    for (size_t i = 0; i < STRINGS; i++) {
        size_t length = LONGEST / STRINGS * (i + 1);
        memset(stops[i], 'a', length);
        stops[i][length - 1] = 'b';
        stops[i][0] = i % 2 ? 'a' : 'c';
        strings[i] = (loam_string){stops[i], length};
    }
    struct stop_matcher *matcher = new_matcher(strings, STRINGS);
    size_t given = 0, length, failures = 0;
    bool matched;
    const char *out;
    clock_t start = clock();
    for (size_t i = 0; i < STREAM; i++) {
        char byte = i == STREAM / 2 ? 'd' : 'a';
        failures += loam_stop_push(&out, &length, &matched, matcher, &byte, 1, NULL) != LOAM_OK;
        failures += matched;
        given += length;
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK_EQUAL(failures, 0);
    CHECK(seconds < 2); /* takes a tenth */
    loam_stop_finish(&out, &length, matcher);
    CHECK(length > 0);
    CHECK_EQUAL(given + length, STREAM);
    loam_stop_destroy(matcher);
}

/* ---- memory ----------------------------------------------------------------- */

static void *failing_allocate(void *user, size_t size, size_t alignment)
{
    int *left = user;
    (void)alignment;
    return (*left)-- > 0 ? malloc(size) : NULL;
}

static void failing_release(void *user, void *block, size_t size, size_t alignment)
{
    (void)user;
    (void)size;
    (void)alignment;
    free(block);
}

/* Text whose push failed was not taken: pushed again, the stream is whole. */
static void survives_every_failed_allocation(void)
{
    static const char text[] = "ababababababababababababababababababababababc-abd";
    const loam_string strings[2] = {{"ababababababababababababababababababd", 37}, {"abd", 3}};
    int failures = 0;
    for (int fail_at = 0;; fail_at++) {
        int left = fail_at;
        bool failed = false, matched = false;
        struct memory memory;
        const loam_allocator host = {sizeof host,     &left, failing_allocate,
                                     failing_release, NULL,  NULL};
        loam_memory_init(&memory, &host, 0);
        struct stop_matcher *matcher;
        loam_error error = {.struct_size = sizeof error};
        if (loam_stop_create(&matcher, &memory, strings, 2, &error) != LOAM_OK) {
            CHECK(matcher == NULL);
            CHECK_EQUAL(error.code, LOAM_MEMORY);
            CHECK_EQUAL(atomic_load(&memory.held), 0);
            failures++;
            continue;
        }
        char given[sizeof text];
        size_t given_length = 0, length;
        const char *out;
        for (size_t i = 0; text[i] && !matched; i++) {
            loam_status status =
                loam_stop_push(&out, &length, &matched, matcher, text + i, 1, &error);
            if (status != LOAM_OK) {
                CHECK_EQUAL(status, LOAM_MEMORY);
                CHECK(!out && !length);
                failed = true;
                left = 100;
                i--;
                continue;
            }
            if (length)
                memcpy(given + given_length, out, length);
            given_length += length;
        }
        CHECK(matched);
        CHECK_EQUAL(given_length, strlen(text) - 3);
        CHECK(memcmp(given, text, given_length) == 0);
        loam_stop_destroy(matcher);
        CHECK_EQUAL(atomic_load(&memory.held), 0);
        if (!failed)
            break;
        failures++;
    }
    CHECK(failures >= 5);
}

static void gives_all_memory_back(void)
{
    CHECK_EQUAL(atomic_load(&test_memory.held), 0);
}

int main(void)
{
    loam_memory_init(&test_memory, NULL, 0);
    RUN(equals_the_naive_one_on_letters);
    RUN(equals_the_naive_one_on_characters);
    RUN(equals_the_naive_one_on_bytes);
    RUN(gives_out_whole_characters);
    RUN(holds_back_what_could_begin_one);
    RUN(cuts_at_the_longest_that_ends_first);
    RUN(stops_inside_characters);
    RUN(needs_no_strings);
    RUN(refuses_empty_strings);
    RUN(is_linear_on_nasty_streams);
    RUN(survives_every_failed_allocation);
    RUN(gives_all_memory_back);
    return test_end();
}

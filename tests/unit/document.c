/* SPDX-License-Identifier: MIT */
/* Documents cut into chunks: what holds for every text, and which borders are
 * preferred. The vocabulary is of single bytes and a few merges, so that tokens
 * reach over borders. */
#include "test.h"

#include "base/utf8.h"
#include "text/border.h"
#include "tools/tiny_vocabulary.h"

#include <loam/loam.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static loam_engine *engine;
static loam_tokenizer *tokenizer;
static loam_error error = {.struct_size = sizeof error};

enum { MOST_CHUNKS = 1 << 17 };
static loam_chunk chunks[MOST_CHUNKS];
static size_t chunk_count, stop_at;

static int32_t take(void *user, const loam_chunk *chunk)
{
    (void)user;
    if (chunk_count < MOST_CHUNKS)
        chunks[chunk_count] = *chunk;
    return ++chunk_count == stop_at;
}

static loam_status split(const char *text, size_t length, uint32_t most, uint32_t overlap)
{
    const loam_split_options options = {.struct_size = sizeof options,
                                        .max_tokens = most,
                                        .overlap_tokens = overlap,
                                        .chunk = take};
    chunk_count = 0;
    return loam_tokenizer_split(tokenizer, text, length, &options, &error);
}

static size_t tokens_of(const char *text, size_t begin, size_t end)
{
    size_t count = 0;
    char *copy = malloc(end - begin + 1); /* of exact size */
    memcpy(copy, text + begin, end - begin);
    CHECK_EQUAL(loam_tokenizer_count_tokens(&count, tokenizer, copy, end - begin, 0, &error),
                LOAM_OK);
    free(copy);
    return count;
}

/* What holds for every text. */
static void check(const char *text, size_t length, uint32_t most, uint32_t overlap)
{
    CHECK_EQUAL(split(text, length, most, overlap), LOAM_OK);
    REQUIRE(chunk_count <= MOST_CHUNKS && (chunk_count > 0) == (length > 0));
    for (size_t i = 0; i < chunk_count; i++) {
        const loam_chunk *chunk = &chunks[i];
        size_t before = i ? chunks[i - 1].end : 0;
        CHECK(chunk->begin <= before && chunk->end > before);
        CHECK(i == 0 || chunk->begin > chunks[i - 1].begin);
        CHECK(i + 1 == chunk_count ? chunk->end == length : chunk->end < length);
        CHECK_EQUAL(chunk->border == LOAM_BORDER_END, i + 1 == chunk_count);
        CHECK_EQUAL(chunk->token_count, tokens_of(text, chunk->begin, chunk->end));
        CHECK_EQUAL(loam_border_align(text, length, chunk->end, 0), chunk->end);
        CHECK_EQUAL(loam_border_align(text, length, chunk->begin, 0), chunk->begin);
        if (chunk->begin < before)
            CHECK(tokens_of(text, chunk->begin, before) <= overlap);
        if (chunk->token_count > most) { /* one character */
            CHECK(chunk->begin == before);
            CHECK(loam_border_align(text, length, chunk->end - 1, before) == before);
        }
        if (test_failed_here) {
            printf("# chunk %zu, %zu to %zu of %zu; most %u, overlap %u\n", i, chunk->begin,
                   chunk->end, length, most, overlap);
            return;
        }
    }
}

static void check_all(const char *text, size_t length)
{
    static const uint32_t sizes[] = {1, 2, 3, 7, 16, 50, 200, 100000};
    for (size_t i = 0; i < COUNT(sizes) && !test_failed_here; i++) {
        check(text, length, sizes[i], 0);
        check(text, length, sizes[i], sizes[i] / 4);
        check(text, length, sizes[i], sizes[i] / 2);
    }
}

/* ---- texts ---- */

static void append(char *text, size_t *length, const char *what)
{
    memcpy(text + *length, what, strlen(what));
    *length += strlen(what);
}

static void made_documents(void)
{
    static const char *const parts[] = {
        "The cat sat. ",
        "What is that? Nothing!\n",
        "\n\n",
        "```c\nint f(void)\n{\n\n    return 0;\n}\n```\n",
        "static int g(int a)\n{\n    int b = a;\n\n    return b;\n}\n",
        "~~~\nopen",
        "    indented\n",
        "\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82",
        "\xF0\x9F\x99\x82",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "\r\n",
        "\t",
        "\xE9\x80",
        "\xFF"};
    static char text[8192];
    uint64_t state = 7;
    for (int round = 0; round < 60 && !test_failed_here; round++) {
        size_t length = 0, count = test_random(&state) % 80;
        for (size_t i = 0; i < count && length < sizeof text - 128; i++)
            append(text, &length, parts[test_random(&state) % COUNT(parts)]);
        char *copy = malloc(length + 1); /* of exact size but for one byte */
        memcpy(copy, text, length);
        check_all(copy, length);
        free(copy);
    }
}

static void random_bytes(void)
{
    static char text[3000];
    uint64_t state = 11;
    for (int round = 0; round < 12 && !test_failed_here; round++) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = round & 1 ? (char)test_random(&state) : "a \n`.~{}"[test_random(&state) & 7];
        check_all(text, test_random(&state) % sizeof text);
    }
}

static void one_huge_line(void)
{
    size_t length = TEST_SANITIZED ? 100000 : 400000;
    char *text = malloc(length);
    memset(text, 'x', length);
    check(text, length, 100, 50);
    memset(text, ' ', length);
    check(text, length, 100, 0);
    memset(text, '\n', length);
    check(text, length, 100, 10);
    for (size_t i = 0; i + 3 <= length; i += 3)
        memcpy(text + i, "\xE6\x97\xA5", 3);
    check(text, length - length % 3, 64, 16);
    free(text);
}

static void nothing_and_little(void)
{
    CHECK_EQUAL(split("", 0, 5, 0), LOAM_OK);
    CHECK_EQUAL(chunk_count, 0);
    CHECK_EQUAL(split(NULL, 0, 5, 0), LOAM_OK);
    CHECK_EQUAL(split("\xF0\x9F\x99\x82z", 5, 1, 0), LOAM_OK);
    CHECK_EQUAL(chunk_count, 2);
    CHECK_EQUAL(chunks[0].end, 4);
    CHECK_EQUAL(chunks[0].token_count, 4);
    CHECK_EQUAL(chunks[1].token_count, 1);
}

static void wrong_arguments(void)
{
    CHECK_EQUAL(split("abc", 3, 0, 0), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(split("abc", 3, 4, 3), LOAM_INVALID_ARGUMENT);
    const loam_split_options none = {.struct_size = sizeof none, .max_tokens = 4};
    CHECK_EQUAL(loam_tokenizer_split(tokenizer, "abc", 3, &none, &error), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_tokenizer_split(tokenizer, "abc", 3, NULL, &error), LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(loam_tokenizer_split(NULL, "abc", 3, &none, &error), LOAM_INVALID_ARGUMENT);
}

static void the_callback_ends_it(void)
{
    stop_at = 2;
    CHECK_EQUAL(split("aaaa bbbb cccc dddd", 19, 5, 0), LOAM_CANCELLED);
    CHECK_EQUAL(chunk_count, 2);
    stop_at = 0;
}

/* ---- borders ---- */

/* The first chunk ends before `rest`, at a border of that kind. */
static void ends_before(const char *text, uint32_t most, const char *rest, int32_t kind)
{
    CHECK_EQUAL(split(text, strlen(text), most, 0), LOAM_OK);
    CHECK_EQUAL(chunks[0].end, (size_t)(strstr(text, rest) - text));
    CHECK_EQUAL(chunks[0].border, kind);
    if (test_failed_here)
        printf("# \"%.*s\"\n", (int)chunks[0].end, text);
}

static void borders_are_preferred(void)
{
    ends_before("one two three\n\nfour five. Six seven\neight", 38, "four", LOAM_BORDER_BLOCK);
    ends_before("one two three four five. Six seven\neight nine", 40, "Six", LOAM_BORDER_SENTENCE);
    ends_before("one two three four five\nsix seven eight nine", 40, "six", LOAM_BORDER_LINE);
    ends_before("one two three four five six seven eight", 30, "seven", LOAM_BORDER_WORD);
    ends_before("see e.g. the others", 12, "the", LOAM_BORDER_WORD);
    ends_before("he said \"so.\" Then he left the house", 22, "Then", LOAM_BORDER_SENTENCE);
    ends_before("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyzzzzz", 30, "yz", LOAM_BORDER_TOKEN);
    ends_before("\xE6\x97\xA5\xE3\x80\x82\xE6\x9C\xAC\xE6\x9C\xAC", 10, "\xE6\x9C\xAC",
                LOAM_BORDER_SENTENCE);
}

static void code_stays_whole(void)
{
    ends_before("Some words about it.\n```c\nint a;\n\nint b;\n\nint c;\n```\nAfter.", 45, "```c",
                LOAM_BORDER_BLOCK);
    ends_before("```c\nint a;\n\nint b;\n```\nAfter the code. More words here", 36, "After",
                LOAM_BORDER_BLOCK);
    /* Where a block alone is too long, at its blank lines. */
    ends_before("```\nint a = 1;\n\nint b = 2;\n\nint cccccccccccccccccccccc = 3;\n```\n", 40,
                "int c", LOAM_BORDER_PARAGRAPH);
    ends_before(
        "int f(void)\n{\n    return 1;\n}\nint g(void)\n{\n    int a;\n\n    return 2;\n}\n", 64,
        "int g", LOAM_BORDER_BLOCK);
    ends_before("~~~\na\n```\nb b b b b b b b b\n~~~\nafter after after after", 40, "after",
                LOAM_BORDER_BLOCK);
}

/* A fence that is open where a chunk begins is known there. */
static void fences_are_remembered(void)
{
    const char *text = "```\nfirst line. More\nsecond line. More\nthird line. More\nfourth line. "
                       "More\n```\n";
    for (uint32_t most = 20; most < 60; most++) {
        CHECK_EQUAL(split(text, strlen(text), most, most / 3), LOAM_OK);
        for (size_t i = 0; i < chunk_count; i++)
            CHECK(chunks[i].border != LOAM_BORDER_SENTENCE);
    }
}

static void overlap_begins_at_borders(void)
{
    static const char text[] = "alpha beta gamma\ndelta epsilon zeta\neta theta iota\nkappa lambda";
    CHECK_EQUAL(split(text, sizeof text - 1, 40, 20), LOAM_OK);
    REQUIRE(chunk_count > 1);
    CHECK_EQUAL(chunks[0].end, 36);
    CHECK_EQUAL(chunks[1].begin, 17);
    CHECK_EQUAL(split(text, sizeof text - 1, 40, 10), LOAM_OK);
    REQUIRE(chunk_count > 1);
    CHECK_EQUAL(chunks[1].begin, 31); /* no line begins so late */
}

/* ---- real vocabularies ---- */

static void real_vocabularies(void)
{
    static const char *const names[] = {"llama-spm", "bert-bge", "gpt-2", "other/unigram"};
    size_t size;
    char *text = (char *)test_read(test_data("tokenizer/README.md"), &size);
    if (!text)
        SKIP("no reference data: tokenizer");
    loam_tokenizer *own = tokenizer;
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[64];
        snprintf(path, sizeof path, "tokenizer/%s.gguf", names[i]);
        loam_source source = {.struct_size = sizeof source,
                              .path = {test_data(path), LOAM_NUL_TERMINATED}};
        CHECK_EQUAL(loam_tokenizer_open(&tokenizer, engine, &source, &error), LOAM_OK);
        check_all(text, size);
        check(text, size, 128, 32);
        size_t full = 0; /* nearly all chunks are nearly full */
        for (size_t k = 0; k + 1 < chunk_count; k++)
            full += chunks[k].token_count >= 40;
        CHECK(full + 1 >= chunk_count * 3 / 4);
        loam_tokenizer_release(tokenizer);
    }
    tokenizer = own;
    free(text);
}

/* A tokenizer.json of the 256 bytes and a few merges. */
static void open_own(void)
{
    static char json[16384];
    size_t at = (size_t)sprintf(json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (unsigned i = 0; i < 256; i++) {
        char name[3];
        tiny_byte_character(name, i);
        at += (size_t)sprintf(json + at, "\"%s%s\":%u,",
                              name[0] == '"' || name[0] == '\\' ? "\\" : "", name, i);
    }
    sprintf(json + at, "\"aa\":256,\"aaaa\":257,\"\xC4\xA0"
                       "a\":258},\"merges\":[\"a a\",\"aa aa\","
                       "\"\xC4\xA0 a\"]},\"pre_tokenizer\":{\"type\":\"ByteLevel\","
                       "\"add_prefix_space\":false,\"use_regex\":false}}");
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_MEMORY,
                          .data = json,
                          .size = strlen(json)};
    loam_engine_options options = {.struct_size = sizeof options, .threads = 1};
    if (loam_engine_create(&engine, &options, &error) ||
        loam_tokenizer_open(&tokenizer, engine, &source, &error)) {
        printf("Bail out! %s\n", error.message);
        exit(1);
    }
}

int main(void)
{
    open_own();
    RUN(made_documents);
    RUN(random_bytes);
    RUN(one_huge_line);
    RUN(nothing_and_little);
    RUN(wrong_arguments);
    RUN(the_callback_ends_it);
    RUN(borders_are_preferred);
    RUN(code_stays_whole);
    RUN(fences_are_remembered);
    RUN(overlap_begins_at_borders);
    RUN(real_vocabularies);
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
    return test_end();
}

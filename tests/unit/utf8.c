/* SPDX-License-Identifier: MIT */
/* UTF-8, strict, and detokenising in a stream. */
#include "test.h"

#include "base/utf8.h"
#include "text/tokenizer.h"

static void every_code_point_goes_both_ways(void)
{
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char text[4];
        uint32_t found;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        size_t length = loam_utf8_encode(text, c);
        CHECK(loam_utf8_decode(&found, text, length) == length && found == c);
        for (size_t cut = 1; cut < length; cut++) {
            CHECK_EQUAL(loam_utf8_decode(&found, text, cut), cut);
            CHECK_EQUAL(found, 0xFFFFFFFFu);
            CHECK_EQUAL(loam_utf8_incomplete(text, cut), cut);
        }
        CHECK_EQUAL(loam_utf8_incomplete(text, length), 0);
    }
}

static void invalid_sequences_are_refused(void)
{
    static const char *const invalid[] = {"\x80",
                                          "\xBF",
                                          "\xC0\x80",
                                          "\xC1\xBF",
                                          "\xE0\x80\x80",
                                          "\xE0\x9F\xBF",
                                          "\xED\xA0\x80",
                                          "\xED\xBF\xBF",
                                          "\xF0\x8F\xBF\xBF",
                                          "\xF4\x90\x80\x80",
                                          "\xF5\x80\x80\x80",
                                          "\xFF",
                                          "a\xC3",
                                          "\xE2\x82"};
    for (size_t i = 0; i < LOAM_COUNT_OF(invalid); i++)
        CHECK(!loam_utf8_valid(invalid[i], strlen(invalid[i])));
    CHECK(loam_utf8_valid("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10) && loam_utf8_valid("", 0));
}

/* The stream's output for bytes given in pieces. */
static size_t stream(char *out, const char *bytes, size_t length, size_t piece)
{
    struct utf8_stream state = {0};
    size_t written = 0;
    for (size_t i = 0; i < length; i += piece)
        written +=
            loam_utf8_stream_push(&state, out + written, bytes + i, loam_min(piece, length - i));
    return written + loam_utf8_stream_finish(&state, out + written);
}

/* The example of the Unicode Standard, section 3.9, table 3-8 and following. */
static void maximal_subparts_become_one_replacement(void)
{
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64",
         "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x62\xEF\xBF\xBD\x63\xEF\xBF\xBD\xEF\xBF\xBD\x64"},
        {"\xC0\xAF\xE0\x80\xBF\x41",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41"},
        {"\xED\xA0\x80\x41", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41"},
        {"x\xF0\x9F", "x\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(cases); i++)
        for (size_t piece = 1; piece <= 5; piece++) {
            char out[128];
            size_t length = stream(out, cases[i].bytes, strlen(cases[i].bytes), piece);
            CHECK(length == strlen(cases[i].expected) &&
                  memcmp(out, cases[i].expected, length) == 0);
        }
}

static void pieces_do_not_matter(void)
{
    uint64_t random = 7;
    for (int i = 0; i < 2000; i++) {
        char bytes[24], whole[128], parts[128];
        size_t length = test_random(&random) % 24;
        for (size_t j = 0; j < length; j++)
            bytes[j] = "a\x80\xBF\xC3\xE2\x82\xAC\xF0\x9F\x98\xED\xA0"[test_random(&random) % 12];
        size_t expected = stream(whole, bytes, length, 24);
        CHECK(loam_utf8_valid(whole, expected));
        for (size_t piece = 1; piece < 5; piece++) {
            size_t found = stream(parts, bytes, length, piece);
            CHECK(found == expected && memcmp(whole, parts, found) == 0);
        }
    }
}

int main(void)
{
    RUN(every_code_point_goes_both_ways);
    RUN(invalid_sequences_are_refused);
    RUN(maximal_subparts_become_one_replacement);
    RUN(pieces_do_not_matter);
    return test_end();
}

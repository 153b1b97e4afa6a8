/* SPDX-License-Identifier: MIT */
/* Text that comes in pieces leaves in whole characters, however it is cut. */
#include "test.h"

#include "base/utf8.h"
#include "text/tokenizer.h"

#define BAD "\xEF\xBF\xBD"

struct sample {
    const char *bytes, *text;
};

/* One U+FFFD for each maximal subpart; the long one is table 3-8 of the
 * Unicode Standard, section 3.9. */
static const struct sample samples[] = {
    {"", ""},
    {"plain", "plain"},
    {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"a\xF1\x80\x80\xE1\x80\xC2"
     "b\x80"
     "c\x80\xBF"
     "d",
     "a" BAD BAD BAD "b" BAD "c" BAD BAD "d"},
    {"\xC0\xAF\xE0\x80\xBF", BAD BAD BAD BAD BAD}, /* overlong */
    {"\xED\xA0\x80", BAD BAD BAD},                 /* a surrogate */
    {"\xF4\x91\x92\x93", BAD BAD BAD BAD},         /* beyond U+10FFFF */
    {"\xFF\xFE", BAD BAD},
    {"end\xF0\x9F\x98", "end" BAD}, /* cut off */
    {"end\xE2", "end" BAD},
    {"\xE2\x82\xE2\x82\xAC", BAD "\xE2\x82\xAC"},
    {"\xF0\x9F\xF0\x9F\x98\x80", BAD "\xF0\x9F\x98\x80"},
};

/* Pushes into a buffer of exactly the room that the header asks for, so that
 * a sanitizer sees a byte too many. */
static size_t push(struct utf8_stream *stream, char *text, const char *bytes, size_t length)
{
    size_t room = 3 * (length + 4);
    char *out = malloc(room), *in = malloc(length + 1);
    memcpy(in, bytes, length);
    size_t written = loam_utf8_stream_push(stream, out, in, length);
    CHECK(written <= room);
    CHECK(loam_utf8_valid(out, written));
    memcpy(text, out, written);
    free(out);
    free(in);
    return written;
}

static size_t finish(struct utf8_stream *stream, char *text)
{
    char out[12];
    size_t written = loam_utf8_stream_finish(stream, out);
    CHECK(written <= sizeof out);
    memcpy(text, out, sizeof out);
    return written;
}

static void whole_texts(void)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct utf8_stream stream = {0};
        char text[256];
        size_t length = push(&stream, text, samples[i].bytes, strlen(samples[i].bytes));
        length += finish(&stream, text + length);
        text[length] = 0;
        CHECK_TEXT(text, samples[i].text);
    }
}

/* Cut at every set of places. */
static void cuts_change_nothing(void)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const char *bytes = samples[i].bytes;
        size_t size = strlen(bytes);
        for (uint32_t cuts = 0; size && cuts < 1u << (size - 1); cuts++) {
            struct utf8_stream stream = {0};
            char text[256];
            size_t length = 0, from = 0;
            for (size_t at = 1; at <= size; at++)
                if (at == size || (cuts >> (at - 1) & 1)) {
                    length += push(&stream, text + length, bytes + from, at - from);
                    from = at;
                }
            length += finish(&stream, text + length);
            text[length] = 0;
            if (strcmp(text, samples[i].text) != 0) {
                CHECK_TEXT(text, samples[i].text);
                return;
            }
        }
    }
}

/* A character comes out with its last byte, and not before. */
static void nothing_is_held_longer_than_needed(void)
{
    struct utf8_stream stream = {0};
    char text[64];
    CHECK_EQUAL(push(&stream, text, "a\xF0\x9F", 3), 1);
    CHECK_EQUAL(push(&stream, text, "", 0), 0);
    CHECK_EQUAL(push(&stream, text, "\x98", 1), 0);
    CHECK_EQUAL(push(&stream, text, "\x80", 1), 4);
    CHECK(memcmp(text, "\xF0\x9F\x98\x80", 4) == 0);
    CHECK_EQUAL(push(&stream, text, "\xE2", 1), 0);
    CHECK_EQUAL(push(&stream, text, "b", 1), 4); /* no character any more */
    CHECK_EQUAL(finish(&stream, text), 0);
}

static void finishing_leaves_nothing(void)
{
    struct utf8_stream stream = {0};
    char text[64];
    CHECK_EQUAL(push(&stream, text, "\xE2\x82", 2), 0);
    CHECK_EQUAL(finish(&stream, text), 3);
    CHECK_EQUAL(finish(&stream, text), 0);
    CHECK_EQUAL(push(&stream, text, "x", 1), 1);
    CHECK(text[0] == 'x');
}

int main(void)
{
    RUN(whole_texts);
    RUN(cuts_change_nothing);
    RUN(nothing_is_held_longer_than_needed);
    RUN(finishing_leaves_nothing);
    return test_end();
}

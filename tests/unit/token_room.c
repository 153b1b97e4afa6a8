/* SPDX-License-Identifier: MIT */
/* Tokens into arrays of every size: the same ids, nothing behind the array, and the
 * number that it should have had. */
#include "test.h"

#include <loam/loam.h>

static const char vocabulary[] =
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"aa\":3,\"ab\":4,\"<e>\":5},"
    "\"merges\":[\"a a\",\"a b\"]},\"pre_tokenizer\":{\"type\":\"Whitespace\"},"
    "\"added_tokens\":[{\"id\":5,\"content\":\"<e>\",\"special\":true}]}";

enum { MOST = 400, FLAGS = LOAM_ENCODE_PARSE_SPECIAL };
static loam_error error = {.struct_size = sizeof error};
static int32_t all[MOST];

static void every_capacity(void)
{
    loam_engine *engine;
    loam_tokenizer *tokenizer;
    loam_engine_options options = {.struct_size = sizeof options, .threads = 1};
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_MEMORY,
                          .data = vocabulary,
                          .size = sizeof vocabulary - 1};
    char text[600] = "";
    size_t count, length;
    REQUIRE(loam_engine_create(&engine, &options, &error) == LOAM_OK);
    REQUIRE(loam_tokenizer_open(&tokenizer, engine, &source, &error) == LOAM_OK);
    /* Words that return, long ones, and single tokens between them. */
    while (strlen(text) < 500)
        strcat(text, "aab cabaac<e>bb aab abcabcabcabcabcabcabcabcabcabcabc ");
    length = strlen(text);
    REQUIRE(loam_tokenizer_encode(all, MOST, &count, tokenizer, text, length, FLAGS, &error) ==
            LOAM_OK);
    CHECK(count > 200 && count < MOST);
    CHECK(all[0] == 3 && all[1] == 1 && all[2] == 2);
    for (size_t capacity = 0; capacity <= MOST; capacity++) {
        int32_t *ids = malloc((capacity + 1) * sizeof *ids);
        size_t found = 0;
        REQUIRE(ids);
        ids[capacity] = 12345;
        loam_status status =
            loam_tokenizer_encode(ids, capacity, &found, tokenizer, text, length, FLAGS, &error);
        CHECK_EQUAL(status, capacity < count ? LOAM_TOO_SMALL : LOAM_OK);
        CHECK_EQUAL(found, count);
        CHECK_EQUAL(ids[capacity], 12345);
        CHECK(memcmp(ids, all, (capacity < count ? capacity : count) * sizeof *ids) == 0);
        free(ids);
    }
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
}

int main(void)
{
    RUN(every_capacity);
    return test_end();
}

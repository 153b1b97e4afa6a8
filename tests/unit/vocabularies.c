/* SPDX-License-Identifier: MIT */
/* The kinds of vocabularies that do not merge, merging of long words, and what
 * is remembered between words. Real vocabularies are in conformance/tokenizer. */
#include "test.h"

#include "base/utf8.h"
#include "fault/host.h"
#include "text/vocabulary.h"
#include "tools/tiny_vocabulary.h"

#include <math.h>
#include <time.h>

#define LOW          "\xE2\x96\x81" /* U+2581 */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned char bytes[1 << 18];
static struct memory memory;
static loam_error error = {.struct_size = sizeof error};

static struct tokenizer *open_words(const struct tiny_words *words)
{
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *tokenizer;
    error.message[0] = 0;
    tiny_vocabulary(&file, words);
    if (tiny_open(&tokenizer, &memory, bytes, file.size, &error))
        printf("# %s\n", error.message);
    return tokenizer;
}

static struct token_list encode_list(const struct tokenizer *tokenizer, const char *text,
                                     size_t length, uint32_t flags)
{
    struct token_list list = {0};
    char *copy = malloc(length + !length); /* of exact size */
    memcpy(copy, text, length);
    CHECK_EQUAL(loam_tokenizer_append(&list, tokenizer, &memory, copy, length, flags, &error),
                LOAM_OK);
    free(copy);
    return list;
}

/* The ids of the text, as text: "1 23 4". */
static const char *encode(const struct tokenizer *tokenizer, const char *text, uint32_t flags)
{
    static char shown[4096];
    struct token_list list = encode_list(tokenizer, text, strlen(text), flags);
    size_t at = 0;
    shown[0] = 0;
    for (size_t i = 0; i < list.count && at + 16 < sizeof shown; i++)
        at += (size_t)sprintf(shown + at, "%s%d", i ? " " : "", (int)list.ids[i]);
    loam_memory_free(&memory, list.ids);
    return shown;
}

static void end(struct tokenizer *tokenizer)
{
    loam_tokenizer_destroy(tokenizer);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* ---- WordPiece ------------------------------------------------------------- */

static const char *const piece_texts[] = {
    "[PAD]", "[UNK]",        "[CLS]", "[SEP]",   LOW "un",       "aff",      "able",
    LOW "a", LOW "!",        LOW "$", LOW "aff", LOW "\xC3\x9F", "\xC3\x9F", LOW "\xE4\xBD\xA0",
    LOW "A", LOW "e\xCC\x81"};
static const int32_t piece_types[] = {3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static struct tiny_words piece_words(void)
{
    return (struct tiny_words){.kind = "bert",
                               .texts = piece_texts,
                               .types = piece_types,
                               .count = COUNT(piece_texts),
                               .ids = {"cls_token_id", "seperator_token_id", "unknown_token_id"},
                               .id_values = {2, 3, 1}};
}

static void wordpiece(void)
{
    struct tiny_words words = piece_words();
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "unaffable", 0), "4 5 6");
    CHECK_TEXT(encode(t, "unaffable", LOAM_ENCODE_ADD_SPECIAL), "2 4 5 6 3");
    CHECK_TEXT(encode(t, "", LOAM_ENCODE_ADD_SPECIAL), "2 3");
    CHECK_TEXT(encode(t, "  UN\taff!!a ", 0), "4 10 8 8 7");
    CHECK_TEXT(encode(t, "unz a", 0), "1 7"); /* a rest makes all of the word unknown */
    CHECK_TEXT(encode(t, "a$a", 0), "7 9 7");
    CHECK_TEXT(encode(t, "\xC3\x9F\xC3\x9F", 0), "11 12");
    CHECK_TEXT(encode(t,
                      "a\xE4\xBD\xA0"
                      "a",
                      0),
               "7 13 7");                                 /* ideographs stand alone */
    CHECK_TEXT(encode(t, "\xC3\xA1 \xC3\x80", 0), "7 7"); /* letters without accents */
    CHECK_TEXT(encode(t, "a\xCC\x81", 0), "7");
    CHECK_TEXT(encode(t, "u\x01\xC2\xADn\xFF", 0), "4"); /* control characters, broken bytes */
    CHECK_TEXT(encode(t, "[CLS]", 0), "1 1 1");
    CHECK_TEXT(encode(t, "[CLS]a", LOAM_ENCODE_PARSE_SPECIAL), "2 7");
    end(t);
    words.flags[0] = "normalizer.lowercase";
    t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "A a", 0), "14 7");
    CHECK_TEXT(encode(t, "e\xCC\x81", 0), "15");
    end(t);
}

/* ---- Unigram --------------------------------------------------------------- */

static const char *const gram_texts[] = {"<pad>", "</s>",    "<unk>", LOW,      "a",
                                         "b",     "ab",      "aab",   "ba",     "c",
                                         LOW "a", (LOW LOW), "<x>",   ("b" LOW)};
static const float gram_scores[] = {0, 0, 0, -2, -3, -3, -4, -7, -5.5f, -1, -6, -1, 0, -4.5f};
static const int32_t gram_types[] = {3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1};

static struct tiny_words gram_words(void)
{
    return (struct tiny_words){
        .kind = "t5",
        .texts = gram_texts,
        .scores = gram_scores,
        .types = gram_types,
        .count = COUNT(gram_texts),
        .flags = {"add_space_prefix", "remove_extra_whitespaces"},
        .flag_values = {true, true},
    };
}

static void unigram(void)
{
    struct tiny_words words = gram_words();
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "ab", 0), "3 6");
    CHECK_TEXT(encode(t, "aab", 0), "3 7"); /* -9 before -2-3-4 by order: equal sums */
    CHECK_TEXT(encode(t, "a", LOAM_ENCODE_ADD_SPECIAL), "3 4 1");
    CHECK_TEXT(encode(t, "  c   c  ", 0), "3 9 3 9");
    CHECK_TEXT(encode(t, "", LOAM_ENCODE_ADD_SPECIAL), "1");
    CHECK_TEXT(encode(t, "  ", 0), "");
    CHECK_TEXT(encode(t, "czzc", 0), "3 9 2 9"); /* unknown ones side by side are one */
    CHECK_TEXT(encode(t, "c\xFFz\xC3\xA9", 0), "3 9 2");
    CHECK_TEXT(encode(t, "b c", 0), "3 13 9"); /* a token with a space behind a letter */
    CHECK_TEXT(encode(t, "c<x>c", 0), "3 9 12 3 9");
    CHECK_TEXT(encode(t, "</s>", 0), "3 2");
    CHECK_TEXT(encode(t, "</s>", LOAM_ENCODE_PARSE_SPECIAL), "1");
    CHECK(loam_tokenizer_strips_space(t));
    end(t);
    words.flag_values[1] = false;
    t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "c   c ", 0), "3 9 3 11 9 3");
    CHECK_TEXT(encode(t, "  c", 0), "3 11 9");
    end(t);
}

/* The largest sum over all ways, by trying every one. */
static double best_sum(const char *text, size_t length)
{
    double best[64];
    best[0] = 0;
    for (size_t stop = 1; stop <= length; stop++) {
        best[stop] = -INFINITY;
        for (size_t i = 3; i < COUNT(gram_texts); i++) {
            size_t size = strlen(gram_texts[i]);
            if (size <= stop && memcmp(text + stop - size, gram_texts[i], size) == 0)
                best[stop] =
                    fmax(best[stop], best[stop - size] + (gram_types[i] == 4 ? 0 : gram_scores[i]));
        }
    }
    return best[length];
}

/* Sums of scores as large as can be, over texts that are cut into parts. */
static void unigram_sums_are_the_largest(void)
{
    struct tiny_words words = gram_words();
    struct tokenizer *t = open_words(&words);
    uint64_t random = 1;
    REQUIRE(t);
    for (int round = 0; round < 500; round++) {
        char text[32], escaped[64] = LOW;
        size_t length = 1 + test_random(&random) % 12;
        for (size_t i = 0; i < length; i++) {
            bool space = i > 0 && i + 1 < length && text[i - 1] != ' ';
            text[i] = "abc "[test_random(&random) % (space ? 4 : 3)];
            text[i + 1] = 0;
            strcat(escaped, text[i] == ' ' ? LOW : text + i);
        }
        struct token_list list = encode_list(t, text, length, 0);
        double sum = 0;
        for (size_t i = 0; i < list.count; i++)
            sum += gram_scores[list.ids[i]];
        CHECK(sum == best_sum(escaped, strlen(escaped)));
        loam_memory_free(&memory, list.ids);
    }
    end(t);
}

/* A map of "A" to "a", of U+00E9 to "ab" and of U+3000 to a space. */
static size_t make_charsmap(unsigned char *out)
{
    enum { UNITS = 1024 };
    static const char texts[] = "a\0ab\0 ";
    uint32_t units[UNITS] = {0};
    /* Children of a node whose offset leads to `base` lie at base ^ byte. */
    units[0] = 256 << 10;
    units[256 ^ 'A'] = 'A' | 1 << 8 | (256 ^ 'A' ^ 512) << 10;
    units[512] = UINT32_C(1) << 31 | 0;
    units[256 ^ 0xC3] = 0xC3 | (uint32_t)(256 ^ 0xC3 ^ 640) << 10;
    units[640 ^ 0xA9] = 0xA9 | 1 << 8 | (uint32_t)(640 ^ 0xA9 ^ 513) << 10;
    units[513] = UINT32_C(1) << 31 | 2;
    units[256 ^ 0xE3] = 0xE3 | (uint32_t)(256 ^ 0xE3 ^ 768) << 10;
    units[768 ^ 0x80] = 0x80 | (uint32_t)(768 ^ 0x80 ^ 896) << 10;
    units[896 ^ 0x80] = 0x80 | 1 << 8 | (uint32_t)(896 ^ 0x80 ^ 514) << 10;
    units[514] = UINT32_C(1) << 31 | 5;
    size_t size = 0;
    for (int i = -1; i < UNITS; i++)
        for (int k = 0; k < 4; k++)
            out[size++] = (unsigned char)((i < 0 ? 4 * UNITS : units[i]) >> 8 * k);
    memcpy(out + size, texts, sizeof texts);
    return size + sizeof texts;
}

static void charsmap_replaces_before_tokens_are_sought(void)
{
    static unsigned char map[8192];
    struct tiny_words words = gram_words();
    words.charsmap = map;
    words.charsmap_size = make_charsmap(map);
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "Ab", 0), "3 6");
    CHECK_TEXT(encode(t, "c\xC3\xA9", 0), "3 9 6");
    CHECK_TEXT(encode(t,
                      "c\xE3\x80\x80"
                      "c",
                      0),
               "3 9 3 9");
    CHECK_TEXT(encode(t, "\xC3", 0), "3 2");
    CHECK_TEXT(encode(t, "\xE3\x80", 0), "3 2");
    end(t);
}

/* Maps that are not well-formed are refused, or match wrongly at worst. */
static void broken_charsmaps(void)
{
    static unsigned char map[8192];
    size_t size = make_charsmap(map);
    static const size_t sizes[] = {1, 3, 4, 100, 4000, 4099};
    struct tiny_words words = gram_words();
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *t;
    words.charsmap = map;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        words.charsmap_size = sizes[i];
        tiny_vocabulary(&file, &words);
        CHECK_EQUAL(tiny_open(&t, &memory, bytes, file.size, &error), LOAM_FORMAT);
        CHECK(strstr(error.message, "precompiled_charsmap") != NULL);
    }
    uint64_t random = 9;
    for (int round = 0; round < 300; round++) {
        static unsigned char copy[8192];
        memcpy(copy, map, size);
        for (int i = 0; i < 200; i++)
            copy[4 + test_random(&random) % (size - 5)] = (unsigned char)test_random(&random);
        words.charsmap = copy;
        words.charsmap_size = size;
        t = open_words(&words);
        REQUIRE(t);
        encode(t, "Ab\xC3\xA9\xE3\x80\x80\xC3", 0);
        loam_tokenizer_destroy(t);
    }
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* ---- RWKV ------------------------------------------------------------------ */

static void rwkv(void)
{
    static const char *const texts[] = {"<s>",  "a",    "ab",   "abcd", "\\n", "\\x00", "\\xe4",
                                        "\\'x", "\\\\", "\\xg", "<",    "s",   ">"};
    static const int32_t types[] = {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct tiny_words words = {
        .kind = "rwkv", .texts = texts, .types = types, .count = COUNT(texts)};
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "abcabcda", 0), "2 3 1");
    CHECK_TEXT(encode(t, "\n'x\\\xE4xg", 0), "4 7 8 6 9");
    CHECK_TEXT(encode(t, "aza", 0), "1 1"); /* no token, no unknown token */
    CHECK_TEXT(encode(t, "<s>", 0), "10 11 12");
    CHECK_TEXT(encode(t, "<s>", LOAM_ENCODE_PARSE_SPECIAL), "0");
    struct token_list list = encode_list(t, "\0a", 2, LOAM_ENCODE_ADD_SPECIAL);
    CHECK_EQUAL(list.count, 2);
    CHECK_EQUAL(list.ids[0], 5);
    loam_memory_free(&memory, list.ids);
    end(t);
}

static void long_tokens_are_refused_where_trees_are_walked(void)
{
    static char name[1026];
    memset(name, 'x', sizeof name - 1);
    const char *texts[] = {"<unk>", name};
    struct tiny_words words = {.kind = "rwkv", .texts = texts, .count = 2};
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *t;
    tiny_vocabulary(&file, &words);
    CHECK_EQUAL(tiny_open(&t, &memory, bytes, file.size, &error), LOAM_UNSUPPORTED);
    CHECK(strstr(error.message, "1025 bytes") != NULL);
    name[1024] = 0;
    t = open_words(&words);
    CHECK(t != NULL);
    end(t);
}

/* ---- long words ------------------------------------------------------------ */

enum { MERGES = 40 };

static char alphabet[256][3];

/* Merges over "abc", each of two tokens that are there. With `disorder` another
 * stands behind that makes a token which an earlier one takes; no text needs it. */
static struct tokenizer *open_merges(uint64_t *random, bool disorder)
{
    static char names[MERGES][64], lines[MERGES + 3][136];
    const char *texts[256 + MERGES + 3], *merges[MERGES + 3];
    for (unsigned i = 0; i < 256; i++) {
        tiny_byte_character(alphabet[i], i);
        texts[i] = alphabet[i];
    }
    for (int i = 0; i < MERGES; i++) {
        const char *halves[2];
        bool again = true;
        while (again) {
            for (int side = 0; side < 2; side++) {
                uint32_t pick = test_random(random) % (uint32_t)(3 + i);
                halves[side] = pick < 3 ? &"a\0b\0c"[2 * pick] : names[pick - 3];
            }
            again = strlen(halves[0]) + strlen(halves[1]) > 24;
            sprintf(names[i], "%s%s", halves[0], halves[1]);
            for (int k = 0; k < i; k++)
                again = again || strcmp(names[i], names[k]) == 0;
        }
        sprintf(lines[i], "%s %s", halves[0], halves[1]);
        texts[256 + i] = names[i];
        merges[i] = lines[i];
    }
    texts[256 + MERGES] = "xy";
    texts[257 + MERGES] = "xyz";
    merges[MERGES] = "xy z";
    merges[MERGES + 1] = "x y";
    struct tiny_words words = {.kind = "gpt2",
                               .texts = texts,
                               .count = 258 + MERGES,
                               .merges = merges,
                               .merge_count = disorder ? MERGES + 2 : MERGES};
    return open_words(&words);
}

/* Two ways to merge give the same tokens. */
static void long_words_are_merged_in_order(void)
{
    enum { LENGTH = 9000 };
    static char text[LENGTH];
    uint64_t random = 21;
    for (int round = 0; round < 20; round++) {
        uint64_t same = random;
        struct tokenizer *lists = open_merges(&random, false);
        struct tokenizer *heap = open_merges(&same, true);
        REQUIRE(lists && heap);
        CHECK(lists->merges_ordered && !heap->merges_ordered);
        for (int i = 0; i < LENGTH; i++)
            text[i] = "abc"[test_random(&random) % (1 + (uint32_t)round % 3)];
        struct token_list a = encode_list(lists, text, LENGTH, 0);
        struct token_list b = encode_list(heap, text, LENGTH, 0);
        CHECK_EQUAL(a.count, b.count);
        CHECK(a.count == b.count && memcmp(a.ids, b.ids, a.count * sizeof *a.ids) == 0);
        CHECK(round > 0 || a.count < LENGTH);
        loam_memory_free(&memory, a.ids);
        loam_memory_free(&memory, b.ids);
        loam_tokenizer_destroy(lists);
        end(heap);
    }
}

/* Words that come again give what they gave alone. */
static void words_are_remembered(void)
{
    uint64_t random = 5;
    struct tokenizer *t = open_merges(&random, false);
    static char text[40000];
    struct token_list alone = {0};
    size_t length = 0;
    REQUIRE(t);
    for (int i = 0; i < 1200; i++) {
        size_t start = length;
        text[length++] = ' ';
        for (uint32_t n = 1 + test_random(&random) % 30; n > 0; n--)
            text[length++] = "abcd"[test_random(&random) % (i % 3 ? 2 : 4)];
        CHECK_EQUAL(
            loam_tokenizer_append(&alone, t, &memory, text + start, length - start, 0, NULL),
            LOAM_OK);
    }
    struct token_list together = encode_list(t, text, length, 0);
    CHECK_EQUAL(together.count, alone.count);
    CHECK(together.count == alone.count &&
          memcmp(together.ids, alone.ids, alone.count * sizeof *alone.ids) == 0);
    loam_memory_free(&memory, together.ids);
    loam_memory_free(&memory, alone.ids);
    end(t);
}

static void a_megabyte_of_anything(void)
{
    enum { SIZE = 1000000 };
    static const char *const units[] = {"a", "ab", " ", "c ", "\xFF", "\xC3\xA9", "z", "<x", LOW};
    struct tiny_words pieces = piece_words(), grams = gram_words();
    struct tokenizer *all[2] = {open_words(&pieces), open_words(&grams)};
    char *text = malloc(SIZE);
    for (size_t i = 0; i < COUNT(units); i++) {
        for (size_t at = 0; at < SIZE; at++)
            text[at] = units[i][at % strlen(units[i])];
        for (int k = 0; k < 2; k++) {
            clock_t begin = clock();
            struct token_list list = encode_list(all[k], text, SIZE, 0);
            CHECK(clock() - begin < 10 * CLOCKS_PER_SEC);
            loam_memory_free(&memory, list.ids);
        }
    }
    free(text);
    loam_tokenizer_destroy(all[0]);
    end(all[1]);
}

/* ---- memory ---------------------------------------------------------------- */

/* Opens and encodes with the n-th allocation failing; false once n is beyond
 * the last one. */
static bool fails_cleanly(const struct tiny_words *words, const char *text, size_t length, long n)
{
    struct host host = {.fail_from = n, .fail_to = n};
    loam_allocator allocator = {.struct_size = sizeof allocator,
                                .user = &host,
                                .allocate = host_allocate,
                                .release = host_release};
    struct memory failing;
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *t;
    struct token_list list = {0};
    tiny_vocabulary(&file, words);
    loam_memory_init(&failing, &allocator, 0);
    loam_status status = tiny_open(&t, &failing, bytes, file.size, &error);
    if (t)
        status = loam_tokenizer_append(&list, t, &failing, text, length, 3, &error);
    bool failed = atomic_load(&host.calls) >= n;
    CHECK_EQUAL(status, failed ? LOAM_MEMORY : LOAM_OK);
    loam_memory_free(&failing, list.ids);
    loam_tokenizer_destroy(t);
    CHECK_EQUAL(atomic_load(&host.blocks), 0);
    return failed;
}

static void every_allocation_fails_in_turn(void)
{
    static unsigned char map[8192];
    static const char *const merges[] = {"a b", "ab ab"};
    static const char *const letters[] = {"a", "b", "ab", "abab"};
    static char text[12000];
    struct tiny_words all[3] = {
        piece_words(),
        gram_words(),
        {.kind = "gpt2", .texts = letters, .count = 4, .merges = merges, .merge_count = 2}};
    all[1].charsmap = map;
    all[1].charsmap_size = make_charsmap(map);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "ab"[i % 2];
    memcpy(text, "un aff A <x> c", 14);
    for (size_t i = 0; i < COUNT(all); i++) {
        long n = 1;
        while (n < 1000 && fails_cleanly(&all[i], text, sizeof text, n))
            n++;
        CHECK(n > 10 && n < 1000);
    }
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(wordpiece);
    RUN(unigram);
    RUN(unigram_sums_are_the_largest);
    RUN(charsmap_replaces_before_tokens_are_sought);
    RUN(broken_charsmaps);
    RUN(rwkv);
    RUN(long_tokens_are_refused_where_trees_are_walked);
    RUN(long_words_are_merged_in_order);
    RUN(words_are_remembered);
    RUN(a_megabyte_of_anything);
    RUN(every_allocation_fails_in_turn);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/* Vocabularies read and refused; merging against its plain definition; special
 * tokens; memory that fails. Real vocabularies are in conformance/tokenizer. */
#include "test.h"

#include "base/utf8.h"
#include "fault/host.h"
#include "tools/tiny_vocabulary.h"

#include <time.h>

#define SPACE        "\xE2\x96\x81"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MAX_IDS = 512, MAX_WORDS = 400 };

static unsigned char bytes[1 << 18];
static struct memory memory;
static loam_error error = {.struct_size = sizeof error};

/* ---- helpers -------------------------------------------------------------- */

static loam_status try_open(struct tokenizer **out, const struct tiny_words *words)
{
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    error.message[0] = 0;
    tiny_vocabulary(&file, words);
    return tiny_open(out, &memory, bytes, file.size, &error);
}

static struct tokenizer *open_words(const struct tiny_words *words)
{
    struct tokenizer *tokenizer;
    if (try_open(&tokenizer, words))
        printf("# %s\n", error.message);
    return tokenizer;
}

/* The ids of the text, as text: "1 23 4". */
static const char *encode_bytes(const struct tokenizer *tokenizer, const char *text, size_t length,
                                uint32_t flags)
{
    static char shown[MAX_IDS * 8];
    struct token_list list = {0};
    size_t at = 0;
    char *copy = malloc(length + !length); /* of exact size */
    memcpy(copy, text, length);
    shown[0] = 0;
    CHECK_EQUAL(loam_tokenizer_append(&list, tokenizer, &memory, copy, length, flags, &error),
                LOAM_OK);
    for (size_t i = 0; i < list.count && i < MAX_IDS; i++)
        at += (size_t)sprintf(shown + at, "%s%d", i ? " " : "", (int)list.ids[i]);
    loam_memory_free(&memory, list.ids);
    free(copy);
    return shown;
}

static const char *encode(const struct tokenizer *tokenizer, const char *text, uint32_t flags)
{
    return encode_bytes(tokenizer, text, strlen(text), flags);
}

static const char *piece(const struct tokenizer *tokenizer, int32_t id, bool show_special)
{
    static char text[64];
    size_t length = loam_tokenizer_piece(text, sizeof text - 1, tokenizer, id, show_special);
    text[length] = 0;
    return text;
}

static void end(struct tokenizer *tokenizer)
{
    loam_tokenizer_destroy(tokenizer);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* ---- SentencePiece -------------------------------------------------------- */

static const char *const spm_texts[] = {
    "<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", SPACE,   "h",           "e",         "l",
    "o",     "he",  "ll",   "hell",   "lo",     "hello", SPACE "hello", SPACE SPACE, "<|im_end|>"};
static const float spm_scores[] = {0,  0,  0,  0,  0,  -1, -1, -1, -1,
                                   -1, -2, -3, -4, -5, -6, -7, -8, 0};
static const int32_t spm_types[] = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3};

static struct tiny_words spm_words(void)
{
    return (struct tiny_words){.kind = "llama",
                               .texts = spm_texts,
                               .scores = spm_scores,
                               .types = spm_types,
                               .count = COUNT(spm_texts)};
}

static void sentencepiece_merges_by_score(void)
{
    struct tiny_words words = spm_words();
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "hello", 0), "15");
    CHECK_TEXT(encode(t, "hello hell", 0), "15 5 12");
    CHECK_TEXT(encode(t, "  hello", 0), "16 15");
    CHECK_TEXT(encode(t, "llo", 0), "5 11 9"); /* "ll" before "lo" */
    CHECK_TEXT(encode(t, "\xC3\xA9", 0), "5 3 4");
    CHECK_TEXT(encode(t, "z", 0), "5 0"); /* no byte token: unknown */
    CHECK_TEXT(encode(t, "", 0), "");
    CHECK_TEXT(encode(t, "", LOAM_ENCODE_ADD_SPECIAL), "1");
    CHECK_TEXT(encode(t, "he", LOAM_ENCODE_ADD_SPECIAL), "1 5 10");
    CHECK(loam_tokenizer_strips_space(t));
    end(t);
}

static void metadata_turns_begin_end_and_space(void)
{
    struct tiny_words words = spm_words();
    words.flags[0] = "add_bos_token";
    words.flags[1] = "add_eos_token";
    words.flag_values[1] = true;
    words.flags[2] = "add_space_prefix";
    words.ids[0] = "eos_token_id";
    words.id_values[0] = 17;
    struct tokenizer *t = open_words(&words);
    loam_tokenizer_info info = {.struct_size = sizeof info};
    REQUIRE(t);
    CHECK_TEXT(encode(t, "he", LOAM_ENCODE_ADD_SPECIAL), "10 17");
    CHECK_TEXT(encode(t, "he", 0), "10");
    CHECK(!loam_tokenizer_strips_space(t));
    loam_tokenizer_describe(&info, t);
    CHECK_EQUAL(info.token_count, COUNT(spm_texts));
    CHECK_EQUAL(info.begin_token, 1);
    CHECK_EQUAL(info.end_token, 17);
    CHECK_EQUAL(info.adds_begin, 0);
    CHECK_TEXT(info.kind.data, "llama");
    end(t);
}

/* "<s" and ">" make "<s>", "<0xC3" and ">" make "<0xC3>": not as text. */
static void text_never_becomes_a_control_or_byte_token(void)
{
    static const char *const texts[] = {"<unk>", "<s>", "</s>", "<",     "s",     ">",
                                        "<s",    SPACE, "0",    "x",     "C",     "3",
                                        "<0",    "<0x", "<0xC", "<0xC3", "<0xC3>"};
    static const int32_t types[] = {2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 6};
    struct tiny_words words = {
        .kind = "llama", .texts = texts, .types = types, .count = COUNT(texts)};
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "<s>", 0), "7 6 5");
    CHECK_TEXT(encode(t, "<s>", LOAM_ENCODE_PARSE_SPECIAL), "1");
    CHECK_TEXT(encode(t, "<s><s", LOAM_ENCODE_PARSE_SPECIAL), "1 7 6");
    CHECK_TEXT(encode(t, "<0xC3>", 0), "7 15 5");
    CHECK_TEXT(encode(t, "<0xC3>", LOAM_ENCODE_PARSE_SPECIAL), "7 15 5");
    CHECK_TEXT(encode(t, "\xC3", 0), "7 16");
    CHECK_TEXT(encode(t, "<unk>", LOAM_ENCODE_PARSE_SPECIAL), "0");
    end(t);
}

static void pieces_and_flags(void)
{
    struct tiny_words words = spm_words();
    struct tokenizer *t = open_words(&words);
    loam_token_info info = {.struct_size = sizeof info};
    char two[2];
    REQUIRE(t);
    CHECK_TEXT(piece(t, 15, false), " hello");
    CHECK_TEXT(piece(t, 3, false), "\xC3");
    CHECK_TEXT(piece(t, 1, false), "");
    CHECK_TEXT(piece(t, 1, true), "<s>");
    CHECK_EQUAL(loam_tokenizer_piece(two, 2, t, 15, false), 6);
    CHECK(memcmp(two, " h", 2) == 0);
    CHECK_EQUAL(loam_tokenizer_flags(t, 0), LOAM_TOKEN_UNKNOWN);
    CHECK_EQUAL(loam_tokenizer_flags(t, 1), LOAM_TOKEN_CONTROL);
    CHECK_EQUAL(loam_tokenizer_flags(t, 2), LOAM_TOKEN_CONTROL | LOAM_TOKEN_END);
    CHECK_EQUAL(loam_tokenizer_flags(t, 3), LOAM_TOKEN_BYTE);
    CHECK_EQUAL(loam_tokenizer_flags(t, 17), LOAM_TOKEN_CONTROL | LOAM_TOKEN_END); /* by name */
    loam_tokenizer_describe_token(&info, t, 15);
    CHECK_TEXT(info.text.data, SPACE "hello");
    CHECK(info.score == -7);
    end(t);
}

/* ---- byte level ----------------------------------------------------------- */

/* Ids 0 to 255 are the bytes, then come others. */
struct byte_vocabulary {
    char alphabet[256][3];
    const char *texts[MAX_WORDS];
    int32_t types[MAX_WORDS];
    struct tiny_words words;
};

static struct byte_vocabulary byte_level;

static struct tiny_words *byte_words(const char *splitter, const char *const *texts, size_t count,
                                     const char *const *merges, size_t merge_count)
{
    struct byte_vocabulary *v = &byte_level;
    for (unsigned i = 0; i < 256; i++) {
        tiny_byte_character(v->alphabet[i], i);
        v->texts[i] = v->alphabet[i];
    }
    for (size_t i = 0; i < 256 + count; i++)
        v->types[i] = TINY_NORMAL;
    if (count)
        memcpy(v->texts + 256, texts, count * sizeof *texts);
    v->words = (struct tiny_words){.kind = "gpt2",
                                   .splitter = splitter,
                                   .texts = v->texts,
                                   .types = v->types,
                                   .count = 256 + count,
                                   .merges = merges,
                                   .merge_count = merge_count};
    return &v->words;
}

static void byte_level_merges_by_rank(void)
{
    static const char *const texts[] = {"ab", "bc", "abc", "\xC4\xA0\x61", "\xC3\x83\xC2\xA9",
                                        "ab"};
    static const char *const merges[] = {
        "b c", "a b", "a bc", "\xC4\xA0 a", "\xC3\x83 \xC2\xA9", "no token", "b c"};
    struct tokenizer *t = open_words(byte_words("gpt-2", texts, 6, merges, 7));
    REQUIRE(t);
    CHECK_TEXT(encode(t, "abc", 0), "258"); /* b c, then a bc; its repetition does not count */
    CHECK_TEXT(encode(t, "ab", 0), "261");  /* the last of two equal tokens */
    CHECK_TEXT(encode(t, " a", 0), "259");
    CHECK_TEXT(encode(t, " ab", 0), "32 261");
    CHECK_TEXT(encode(t, "\xC3\xA9", 0), "260");
    CHECK_TEXT(encode(t, "no", 0), "110 111");
    CHECK_TEXT(encode_bytes(t, "\0\xFF", 2, 0), "0 255");
    CHECK_TEXT(piece(t, 259, false), " a");
    CHECK_TEXT(piece(t, 260, false), "\xC3\xA9");
    for (int id = 0; id < 256; id++) {
        char byte = 0;
        CHECK_EQUAL(loam_tokenizer_piece(&byte, 1, t, id, false), 1);
        CHECK_EQUAL((unsigned char)byte, id);
    }
    CHECK(!loam_tokenizer_strips_space(t));
    end(t);
}

/* A byte without a token leaves no other in its place, least of all a control
 * token; a token of characters outside the alphabet is out of reach. */
static void bytes_without_a_token(void)
{
    static const char *const texts[] = {"<end>", "a", "\xC4\xA0", " "};
    static const char *const merges[] = {"a b"};
    static const int32_t types[] = {3, 1, 1, 1};
    struct tiny_words words = {.kind = "gpt2",
                               .texts = texts,
                               .types = types,
                               .count = 4,
                               .merges = merges,
                               .merge_count = 1,
                               .ids = {"unknown_token_id"}};
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "axa", 0), "1 1");
    CHECK_TEXT(encode(t, "a a", 0), "1 2 1");
    end(t);
}

static void whole_words_are_kept_by_llama3(void)
{
    static const char *const texts[] = {"abc", "xyz"};
    static const char *const merges[] = {"a b"};
    for (int control = 0; control < 2; control++) {
        struct tiny_words *words = byte_words("llama-bpe", texts, 2, merges, 1);
        byte_level.types[257] = control ? TINY_CONTROL : TINY_NORMAL;
        struct tokenizer *t = open_words(words);
        REQUIRE(t);
        CHECK_TEXT(encode(t, "abc", 0), "256");
        CHECK_TEXT(encode(t, "xyz", 0), control ? "120 121 122" : "257");
        CHECK_TEXT(encode(t, "xyz", LOAM_ENCODE_PARSE_SPECIAL), "257");
        end(t);
        byte_words("gpt-2", texts, 2, merges, 1);
        t = open_words(words);
        REQUIRE(t);
        CHECK_TEXT(encode(t, "abc", 0), "97 98 99");
        end(t);
    }
}

/* ---- special tokens ------------------------------------------------------- */

/* Files of Phi-3 have "</s>" as text of the user's and end with another. */
static void end_tokens_by_name_are_control_tokens(void)
{
    struct tiny_words words = spm_words();
    int32_t types[COUNT(spm_types)];
    memcpy(types, spm_types, sizeof types);
    types[2] = TINY_USER;
    words.types = types;
    words.ids[0] = "eos_token_id";
    words.id_values[0] = 15;
    struct tokenizer *t = open_words(&words);
    REQUIRE(t);
    CHECK_EQUAL(loam_tokenizer_flags(t, 2), LOAM_TOKEN_CONTROL | LOAM_TOKEN_END);
    CHECK_EQUAL(loam_tokenizer_flags(t, 15), LOAM_TOKEN_END); /* text all the same */
    CHECK_EQUAL(loam_tokenizer_flags(t, 14), 0);
    CHECK_TEXT(encode(t, "hello", 0), "15");
    CHECK(strstr(encode(t, "</s>", 0), "2") == NULL);
    CHECK_TEXT(encode(t, "</s>", LOAM_ENCODE_PARSE_SPECIAL), "2");
    end(t);
}

static void special_tokens_longest_first(void)
{
    static const char *const texts[] = {"<a>", "<a><b>", "<user>", "<user>!", "<us", "<a>"};
    static const int32_t types[] = {3, 3, 4, 3, 4, 3};
    static const char *const merges[] = {"a b"};
    struct tiny_words *words = byte_words("gpt-2", texts, 6, merges, 1);
    memcpy(byte_level.types + 256, types, sizeof types);
    struct tokenizer *t = open_words(words);
    REQUIRE(t);
    CHECK_TEXT(encode(t, "<a>", 0), "60 97 62");
    CHECK_TEXT(encode(t, "<a>", LOAM_ENCODE_PARSE_SPECIAL), "261"); /* the last of equal ones */
    CHECK_TEXT(encode(t, "<a><b>", LOAM_ENCODE_PARSE_SPECIAL), "257");
    CHECK_TEXT(encode(t, "<a><b", LOAM_ENCODE_PARSE_SPECIAL), "261 60 98");
    CHECK_TEXT(encode(t, "x<user>!", 0), "120 258 33");
    CHECK_TEXT(encode(t, "x<user>!", LOAM_ENCODE_PARSE_SPECIAL), "120 259");
    CHECK_TEXT(encode(t, "<use", 0), "260 101");
    CHECK_TEXT(encode_bytes(t, "<a>\0", 4, LOAM_ENCODE_PARSE_SPECIAL), "261 0");
    CHECK_TEXT(piece(t, 258, false), "<user>"); /* text of the user's, not hidden */
    CHECK_TEXT(piece(t, 256, false), "");
    end(t);
}

/* Against trying every special token at every place. */
static void special_tokens_as_defined(void)
{
    static char names[100][8];
    const char *texts[100];
    static const char *const merges[] = {"x y"};
    uint64_t random = 3;
    for (int round = 0; round < 40; round++) {
        struct tiny_words *words;
        for (int i = 0; i < 100; i++) {
            size_t length = 1 + test_random(&random) % 6;
            for (size_t k = 0; k < length; k++)
                names[i][k] = "ab"[test_random(&random) % 2];
            names[i][length] = 0;
            texts[i] = names[i];
        }
        words = byte_words("gpt-2", texts, 100, merges, 1);
        for (int i = 0; i < 100; i++)
            byte_level.types[256 + i] = i % 3 ? TINY_CONTROL : TINY_USER;
        struct tokenizer *t = open_words(words);
        REQUIRE(t);
        char text[40], wanted[400] = "";
        for (int i = 0; i < 39; i++)
            text[i] = "abc"[test_random(&random) % 3];
        text[39] = 0;
        for (size_t at = 0, size; at < 39; at += size) {
            int best = -1;
            size = 1;
            for (int i = 0; i < 100; i++)
                if (strncmp(text + at, names[i], strlen(names[i])) == 0 &&
                    (best < 0 || strlen(names[i]) >= size)) {
                    best = i;
                    size = strlen(names[i]);
                }
            sprintf(wanted + strlen(wanted), "%s%d", at ? " " : "",
                    best >= 0 ? 256 + best : text[at]);
        }
        CHECK_TEXT(encode(t, text, LOAM_ENCODE_PARSE_SPECIAL), wanted);
        end(t);
    }
}

static void phi3_tokens_take_spaces(void)
{
    struct tiny_words words = spm_words();
    for (int phi = 0; phi < 2; phi++) {
        words.name = phi ? "My Phi-3 mini" : "Other";
        struct tokenizer *t = open_words(&words);
        REQUIRE(t);
        CHECK_TEXT(encode(t, "<|im_end|> \t\nhe", LOAM_ENCODE_PARSE_SPECIAL),
                   phi ? "17 5 10" : "17 16 0 0 10");
        CHECK_TEXT(encode(t, "<s> he", LOAM_ENCODE_PARSE_SPECIAL), "1 16 10");
        CHECK_TEXT(encode(t, "<|im_end|> ", LOAM_ENCODE_PARSE_SPECIAL), phi ? "17" : "17 16");
        end(t);
    }
}

/* ---- merging as defined --------------------------------------------------- */

static char pieces[MAX_WORDS][24];
static float scores[MAX_WORDS];

/* A vocabulary of random pieces: id 0 is unknown, then single characters, then
 * texts over them. Tokens that reach over the beginning of a space exist or
 * not. */
static size_t random_pieces(uint64_t *random, bool crossing, const char **texts, int32_t *types)
{
    static const char *const characters[] = {"a", "b", "\xC3\xA9", SPACE};
    size_t count = 5;
    strcpy(pieces[0], "<unk>");
    for (int i = 0; i < 4; i++)
        strcpy(pieces[1 + i], characters[i]);
    while (count < 120) {
        char *text = pieces[count];
        bool space_last = true, crosses = false;
        text[0] = 0;
        for (uint32_t n = 2 + test_random(random) % 4; n > 0; n--) {
            uint32_t pick = test_random(random) % 4;
            crosses = crosses || (pick == 3 && !space_last);
            space_last = pick == 3;
            strcat(text, characters[pick]);
        }
        if (crosses && !crossing)
            continue;
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = pieces[i];
        types[i] = i ? TINY_NORMAL : TINY_UNKNOWN;
        scores[i] = -(float)(test_random(random) % 30); /* with ties */
    }
    return count;
}

static int find_piece(size_t count, const char *text, size_t length)
{
    int found = -1; /* the last of equal ones */
    for (size_t i = 1; i < count; i++)
        if (strlen(pieces[i]) == length && memcmp(pieces[i], text, length) == 0)
            found = (int)i;
    return found;
}

/* Joins the best pair, the leftmost of equal ones, until there is none. */
static void merge_plainly(char *shown, size_t count, const char *text)
{
    size_t starts[200], n = 0;
    shown[0] = 0;
    for (size_t i = 0; text[i]; i++)
        if (((unsigned char)text[i] & 0xC0) != 0x80)
            starts[n++] = i;
    starts[n] = strlen(text);
    for (;;) {
        int best = -1;
        size_t where = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            int id = find_piece(count, text + starts[i], starts[i + 2] - starts[i]);
            if (id >= 0 && (best < 0 || scores[id] > scores[best])) {
                best = id;
                where = i;
            }
        }
        if (best < 0)
            break;
        memmove(starts + where + 1, starts + where + 2, (n - where - 1) * sizeof *starts);
        n--;
    }
    for (size_t i = 0; i < n; i++)
        sprintf(shown + strlen(shown), "%s%d", i ? " " : "",
                find_piece(count, text + starts[i], starts[i + 1] - starts[i]));
}

static void sentencepiece_as_defined(void)
{
    const char *texts[MAX_WORDS];
    int32_t types[MAX_WORDS];
    uint64_t random = 11;
    for (int round = 0; round < 60; round++) {
        struct tiny_words words = {
            .kind = "llama", .texts = texts, .scores = scores, .types = types};
        words.flags[0] = "add_space_prefix";
        words.count = random_pieces(&random, round % 2, texts, types);
        struct tokenizer *t = open_words(&words);
        REQUIRE(t);
        for (int i = 0; i < 20; i++) {
            char text[200] = "", escaped[200] = "", wanted[1000];
            for (uint32_t n = 1 + test_random(&random) % 40; n > 0; n--) {
                uint32_t pick = test_random(&random) % 4;
                strcat(text, pick == 3 ? " " : pieces[1 + pick]);
                strcat(escaped, pieces[1 + pick]);
            }
            merge_plainly(wanted, words.count, escaped);
            CHECK_TEXT(encode(t, text, 0), wanted);
        }
        end(t);
    }
}

/* Merges made at random, each of two tokens that are there; the plain
 * definition looks for the lowest rank over all neighbours. */
static void byte_level_as_defined(void)
{
    static char names[100][64], lines[100][136];
    uint64_t random = 5;
    for (int round = 0; round < 60; round++) {
        const char *texts[100], *merges[100];
        int left[100], right[100];
        for (int i = 0; i < 100; i++) {
            const char *halves[2];
            int *sides[2] = {&left[i], &right[i]};
            for (int side = 0; side < 2; side++) {
                int made = i && test_random(&random) % 2;
                int pick = (int)(test_random(&random) % (made ? (uint32_t)i : 3));
                if (made && strlen(names[pick]) > 16)
                    made = 0, pick = 0;
                *sides[side] = made ? 256 + pick : "abc"[pick];
                halves[side] = made ? names[pick] : &"a\0b\0c"[2 * pick];
            }
            sprintf(names[i], "%s%s", halves[0], halves[1]);
            sprintf(lines[i], "%s %s", halves[0], halves[1]);
            for (int k = 0; k < i; k++) /* equal texts are one token, the last */
                if (strcmp(names[k], names[i]) == 0)
                    sprintf(names[i], "#%d", i), sprintf(lines[i], "# %d", i);
            texts[i] = names[i];
            merges[i] = lines[i];
        }
        struct tokenizer *t = open_words(byte_words("gpt-2", texts, 100, merges, 100));
        REQUIRE(t);
        for (int n = 0; n < 20; n++) {
            char text[64], wanted[500] = "";
            int ids[64], count = 1 + (int)(test_random(&random) % 40);
            for (int i = 0; i < count; i++)
                ids[i] = text[i] = "abc"[test_random(&random) % 3];
            text[count] = 0;
            for (;;) {
                int best = 100, where = 0;
                for (int i = 0; i + 1 < count; i++)
                    for (int k = 0; k < best; k++)
                        if (names[k][0] != '#' && left[k] == ids[i] && right[k] == ids[i + 1])
                            best = k, where = i;
                if (best == 100)
                    break;
                ids[where] = 256 + best;
                memmove(ids + where + 1, ids + where + 2,
                        (size_t)(count - where - 2) * sizeof *ids);
                count--;
            }
            for (int i = 0; i < count; i++)
                sprintf(wanted + strlen(wanted), "%s%d", i ? " " : "", ids[i]);
            CHECK_TEXT(encode(t, text, 0), wanted);
        }
        end(t);
    }
}

/* ---- time ----------------------------------------------------------------- */

static void append_long(const struct tokenizer *t, const char *unit)
{
    enum { SIZE = 1000000 };
    char *text = malloc(SIZE);
    struct token_list list = {0};
    for (size_t i = 0; i < SIZE; i++)
        text[i] = unit[i % strlen(unit)];
    clock_t begin = clock();
    CHECK_EQUAL(loam_tokenizer_append(&list, t, &memory, text, SIZE, 3, &error), LOAM_OK);
    CHECK(clock() - begin < 10 * CLOCKS_PER_SEC); /* with sanitizers; else well under one */
    CHECK(list.count > 0);
    loam_memory_free(&memory, list.ids);
    free(text);
}

/* One word of a million bytes, and special tokens that almost match. */
static void a_megabyte_of_anything(void)
{
    static const char *const units[] = {"a", "aab", " ", "<", "<|im_en", "\x80", "hell", "aa "};
    static const char *const texts[] = {"aa", "aaaa", "aab", "<|im_end|>", "<<<<<<<<<<<<<<<<x"};
    static const char *const merges[] = {"a a", "aa aa", "aa b"};
    struct tiny_words words = spm_words();
    struct tokenizer *spm = open_words(&words);
    byte_words("llama-bpe", texts, 5, merges, 3);
    byte_level.types[259] = byte_level.types[260] = TINY_CONTROL;
    struct tokenizer *bpe = open_words(&byte_level.words);
    REQUIRE(spm && bpe);
    for (size_t i = 0; i < COUNT(units); i++) {
        append_long(spm, units[i]);
        append_long(bpe, units[i]);
    }
    loam_tokenizer_destroy(spm);
    end(bpe);
}

/* ---- what is refused ------------------------------------------------------ */

static void refused(const struct tiny_words *words, loam_status status, const char *key,
                    const char *also)
{
    struct tokenizer *t;
    loam_status found = try_open(&t, words);
    CHECK_EQUAL(found, status);
    if (!strstr(error.message, key) || !strstr(error.message, also)) {
        printf("# \"%s\" should name %s and %s\n", error.message, key, also);
        test_failed_here++;
    }
    CHECK(t == NULL);
    end(t);
}

static void broken_merges_are_refused(void)
{
    static const char *const bad[] = {"ab", " a", "a ", " ", "", "a", " a b"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tiny_words *words = byte_words("gpt-2", NULL, 0, &bad[i], 1);
        if (strcmp(bad[i], " a b") == 0) { /* a space is allowed to be in front */
            struct tokenizer *t = open_words(words);
            CHECK(t != NULL);
            end(t);
            continue;
        }
        refused(words, LOAM_FORMAT, "tokenizer.ggml.merges", "merge 0");
    }
    refused(byte_words("gpt-2", NULL, 0, NULL, 0), LOAM_FORMAT, "tokenizer.ggml.merges", "missing");
}

static void broken_vocabularies_are_refused(void)
{
    static const char *const ids[] = {"bos_token_id", "eos_token_id", "unknown_token_id",
                                      "eot_token_id", "padding_token_id"};
    struct tiny_words words = spm_words();
    words.texts = NULL;
    refused(&words, LOAM_FORMAT, "tokenizer.ggml.tokens", "missing");
    words = spm_words();
    words.count = 0;
    refused(&words, LOAM_FORMAT, "tokenizer.ggml.tokens", "0 tokens");
    for (size_t i = 0; i < COUNT(ids); i++) {
        words = spm_words();
        words.ids[0] = ids[i];
        words.id_values[0] = COUNT(spm_texts);
        refused(&words, LOAM_FORMAT, ids[i], "18");
        words.id_values[0] = UINT32_MAX; /* none */
        struct tokenizer *t = open_words(&words);
        CHECK(t != NULL);
        end(t);
    }
    words = spm_words();
    words.kind = "plamo2";
    refused(&words, LOAM_UNSUPPORTED, "tokenizer.ggml.model", "\"plamo2\"");
    refused(byte_words("gpt-9", NULL, 0, (const char *const[]){"a b"}, 1), LOAM_UNSUPPORTED,
            "tokenizer.ggml.pre",
            "\"gpt-9\" is not supported; supported: gpt-2, ");
    char name[600];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    const char *texts[] = {name};
    words = (struct tiny_words){
        .kind = "llama", .texts = texts, .types = (const int32_t[]){TINY_USER}, .count = 1};
    refused(&words, LOAM_UNSUPPORTED, "tokenizer.ggml.tokens", "599");
}

/* Arrays of another length or type than the tokens have. */
static void arrays_must_fit_the_tokens(void)
{
    static const char *const keys[] = {"tokenizer.ggml.scores", "tokenizer.ggml.token_type",
                                       "tokenizer.ggml.merges", "tokenizer.ggml.tokens"};
    for (int round = 0; round < 6; round++) {
        struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
        struct tokenizer *t;
        int broken = round < 2 ? round : round - 2;
        tiny_put(&file, "GGUF", 4);
        tiny_put_u32(&file, 3);
        tiny_put_u64(&file, 0);
        tiny_put_u64(&file, broken == 3 ? 2 : 3);
        tiny_key_text(&file, "tokenizer.ggml.model", broken == 2 ? "gpt2" : "llama");
        if (broken != 3)
            tiny_texts(&file, "tokenizer.ggml.tokens", spm_texts, 5);
        /* Four elements of the right type, or five of a wrong one. */
        uint32_t type = round >= 2 ? 10 : broken == 0 ? TINY_F32 : TINY_I32;
        tiny_array(&file, keys[broken], type, round >= 2 ? 5 : 4);
        for (int i = 0; i < (round >= 2 ? 10 : 4); i++)
            tiny_put_u32(&file, 0);
        CHECK_EQUAL(tiny_open(&t, &memory, bytes, file.size, &error), LOAM_FORMAT);
        CHECK(strstr(error.message, keys[broken]) != NULL);
        end(t);
    }
}

static void no_vocabulary_is_no_error(void)
{
    struct tiny_words words = {.name = "weights only"};
    struct tokenizer *t = (struct tokenizer *)bytes;
    CHECK_EQUAL(try_open(&t, &words), LOAM_OK);
    CHECK(t == NULL);
    words.kind = "no_vocab";
    CHECK_EQUAL(try_open(&t, &words), LOAM_OK);
    CHECK(t == NULL);
    loam_tokenizer_destroy(NULL);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

static void reference_files(void)
{
    static const struct {
        const char *file, *key;
    } files[] = {{"gguf_bad/valid.gguf", NULL},
                 {"gguf_bad/merges_without_space.gguf", "tokenizer.ggml.merges"},
                 {"gguf_bad/bos_out_of_range.gguf", "tokenizer.ggml.bos_token_id"},
                 {"gguf_bad/tokens_are_numbers.gguf", "tokenizer.ggml.tokens"}};
    for (size_t i = 0; i < COUNT(files); i++) {
        size_t size;
        struct tokenizer *t;
        unsigned char *file = test_read(test_data(files[i].file), &size);
        if (!file)
            SKIP("no reference data: gguf_bad");
        CHECK_EQUAL(tiny_open(&t, &memory, file, size, &error),
                    files[i].key ? LOAM_FORMAT : LOAM_OK);
        CHECK(files[i].key ? strstr(error.message, files[i].key) != NULL : t != NULL);
        end(t);
        free(file);
    }
}

/* ---- memory --------------------------------------------------------------- */

/* Opens and encodes with the n-th allocation failing; false once n is beyond
 * the last one. */
static bool fails_cleanly(const struct tiny_words *words, long n)
{
    struct host host = {.fail_from = n, .fail_to = n};
    loam_allocator allocator = {.struct_size = sizeof allocator,
                                .user = &host,
                                .allocate = host_allocate,
                                .release = host_release};
    char text[400] = "hello <s> hell \xC3\xA9 aaaaaaaaaaabaabaab llo llo llo <|im_end|>";
    for (int i = 0; i < 48; i++)
        strcat(text, i == 0 || i == 16 ? " abcd" : "abcd");
    struct memory failing;
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *t;
    struct token_list list = {0};
    tiny_vocabulary(&file, words);
    loam_memory_init(&failing, &allocator, 0);
    error.message[0] = 0;
    loam_status status = tiny_open(&t, &failing, bytes, file.size, &error);
    CHECK((status == LOAM_OK) == (t != NULL));
    if (t)
        status = loam_tokenizer_append(&list, t, &failing, text, strlen(text), 3, &error);
    bool failed = atomic_load(&host.calls) >= n;
    CHECK_EQUAL(status, failed ? LOAM_MEMORY : LOAM_OK);
    CHECK(!failed || error.message[0]);
    loam_memory_free(&failing, list.ids);
    loam_tokenizer_destroy(t);
    CHECK_EQUAL(atomic_load(&host.blocks), 0);
    CHECK_EQUAL(atomic_load(&host.wrong), 0);
    return failed;
}

/* In "abcd" the pair "bc" is one candidate, which makes two: the queue, full
 * with 16 and with 32 of them, grows while merging. */
static void every_allocation_fails_in_turn(void)
{
    static const char *const pairs[] = {"a", "b", "c", "d", "bc", "abc", "bcd", SPACE};
    static const char *const texts[] = {"bc", "abc", "bcd", "aa", "aab", "<|im_end|>"};
    static const char *const merges[] = {"b c", "a bc", "bc d", "a a", "aa b"};
    const struct tiny_words spm = {.kind = "llama", .texts = pairs, .count = COUNT(pairs)};
    const struct tiny_words more = spm_words();
    const struct tiny_words *all[] = {&spm, &more, &byte_level.words};
    byte_words("smollm", texts, 6, merges, 5);
    byte_level.types[261] = TINY_CONTROL;
    for (size_t i = 0; i < COUNT(all); i++) {
        long n = 1;
        while (n < 1000 && fails_cleanly(all[i], n))
            n++;
        CHECK(n > 10 && n < 1000);
    }
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(sentencepiece_merges_by_score);
    RUN(metadata_turns_begin_end_and_space);
    RUN(text_never_becomes_a_control_or_byte_token);
    RUN(pieces_and_flags);
    RUN(byte_level_merges_by_rank);
    RUN(bytes_without_a_token);
    RUN(whole_words_are_kept_by_llama3);
    RUN(end_tokens_by_name_are_control_tokens);
    RUN(special_tokens_longest_first);
    RUN(special_tokens_as_defined);
    RUN(phi3_tokens_take_spaces);
    RUN(sentencepiece_as_defined);
    RUN(byte_level_as_defined);
    RUN(a_megabyte_of_anything);
    RUN(broken_merges_are_refused);
    RUN(broken_vocabularies_are_refused);
    RUN(arrays_must_fit_the_tokens);
    RUN(no_vocabulary_is_no_error);
    RUN(reference_files);
    RUN(every_allocation_fails_in_turn);
    return test_end();
}

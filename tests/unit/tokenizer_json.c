/* SPDX-License-Identifier: MIT */
/* tokenizer.json: every supported step against the library that defines the
 * format, and what is refused, with its place. */
#include "test.h"

#include "base/json.h"
#include "text/normal.h"
#include "text/tokenizer.h"
#include "tokenizer_json_cases.h"

#include <loam/loam.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct memory memory;
static loam_error error = {.struct_size = sizeof error};
static char json[1 << 16];

static loam_status open_json(struct tokenizer **out, const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size + !size); /* of exact size */
    memcpy(copy, text, size);
    error.message[0] = 0;
    loam_status status = loam_tokenizer_json_create(out, copy, size, &memory, &error);
    free(copy);
    return status;
}

/* The ids as text, control tokens parsed. */
static const char *encode(const struct tokenizer *tokenizer, const char *text, uint32_t flags)
{
    static char shown[8192];
    struct token_list list = {0};
    size_t at = 0;
    CHECK_EQUAL(loam_tokenizer_append(&list, tokenizer, &memory, text, strlen(text), flags, &error),
                LOAM_OK);
    shown[0] = 0;
    for (size_t i = 0; i < list.count && at + 16 < sizeof shown; i++)
        at += (size_t)sprintf(shown + at, "%s%d", i ? " " : "", (int)list.ids[i]);
    loam_memory_free(&memory, list.ids);
    return shown;
}

static void steps_are_those_of_the_reference(void)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tokenizer *tokenizer;
        snprintf(json, sizeof json, "%s%s%s", cases[i].begin, cases[i].steps, cases[i].model);
        int failed = test_failed_here;
        CHECK_EQUAL(open_json(&tokenizer, json), LOAM_OK);
        for (size_t k = 0; tokenizer && k < COUNT(case_texts); k++)
            CHECK_TEXT(encode(tokenizer, case_texts[k], LOAM_ENCODE_PARSE_SPECIAL),
                       cases[i].ids[k]);
        if (test_failed_here > failed)
            printf("# case %zu: %s %s\n", i, cases[i].steps, error.message);
        loam_tokenizer_destroy(tokenizer);
    }
    printf("# %zu cases\n", COUNT(cases));
}

/* ---- what is refused ---- */

#define MODEL(fields) "{\"model\":{" fields "}}"
#define BPE(fields)   MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}," fields)
#define WITH(step)    "{" step ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}"
#define ADDED(fields) WITH("\"added_tokens\":[{\"id\":1,\"content\":\"x\"" fields "}]")

static const struct {
    const char *json;
    loam_status status;
    const char *message;
} bad[] = {
    {"", LOAM_FORMAT, "line 1, byte 0: the text ends, expected a JSON value"},
    {"{", LOAM_FORMAT, "line 1, byte 1: the text ends"},
    {"{}x", LOAM_FORMAT, "byte 2: found \"x\", expected nothing"},
    {"{\"a\" 1}", LOAM_FORMAT, "byte 5: found \"1}\", expected ':'"},
    {"[1 2]", LOAM_FORMAT, "expected ',' or ']'"},
    {"{\"a\":1 \"b\"}", LOAM_FORMAT, "expected ',' or '}'"},
    {"{a}", LOAM_FORMAT, "expected a key in quotes"},
    {"\"\\ud800x\"", LOAM_FORMAT, "expected an escape"},
    {"\"\\udc00\"", LOAM_FORMAT, "expected an escape"},
    {"\"\\u12g4\"", LOAM_FORMAT, "expected an escape"},
    {"\"\\q\"", LOAM_FORMAT, "expected an escape"},
    {"\"a", LOAM_FORMAT, "expected the end of a string"},
    {"\"\n\"", LOAM_FORMAT, "expected an escape for a control character"},
    {"01", LOAM_FORMAT, "expected a JSON value"},
    {"1.", LOAM_FORMAT, "expected a digit"},
    {"1e", LOAM_FORMAT, "expected a digit"},
    {"nul", LOAM_FORMAT, "expected a JSON value"},
    {"\"\xFF\"", LOAM_FORMAT, "not valid UTF-8"},
    {"[]", LOAM_FORMAT, "the file: found an array, expected an object"},
    {"{}", LOAM_FORMAT, "model: found an object, expected an object"},
    {"{\"model\":3}", LOAM_FORMAT, "model: found 3"},
    {"{\n\"models\":1}", LOAM_UNSUPPORTED, "line 2, byte 3: the file: models"},
    {MODEL("\"type\":\"WordLevel\""), LOAM_UNSUPPORTED, "model.type: WordLevel"},
    {MODEL("\"vocab\":{}"), LOAM_FORMAT, "an object with a \"type\""},
    {MODEL("\"type\":7"), LOAM_FORMAT, "model.type: found 7, expected a string"},
    {MODEL("\"type\":\"BPE\",\"merges\":[]"), LOAM_FORMAT, "model.vocab"},
    {MODEL("\"type\":\"BPE\",\"vocab\":[],\"merges\":[]"), LOAM_FORMAT, "expected an object"},
    {MODEL("\"type\":\"BPE\",\"vocab\":{},\"merges\":[]"), LOAM_FORMAT, "at least one token"},
    {MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]"), LOAM_FORMAT, "an id less"},
    {MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":99999},\"merges\":[]"), LOAM_FORMAT, "large gaps"},
    {MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]"), LOAM_FORMAT, "once"},
    {BPE("\"merges\":{}"), LOAM_FORMAT, "model.merges: found an object, expected an array"},
    {BPE("\"merge\":[]"), LOAM_UNSUPPORTED, "model: merge is not supported"},
    {BPE("\"fuse_unk\":true"), LOAM_FORMAT, "with merges"},
    {BPE("\"merges\":[\"ab\"]"), LOAM_FORMAT, "model.merges: found ab, expected two texts"},
    {BPE("\"merges\":[3]"), LOAM_FORMAT, "model.merges: found 3"},
    {BPE("\"merges\":[[\"a\",1]]"), LOAM_FORMAT, "model.merges: found an array"},
    {BPE("\"merges\":[[\"a b\",\"c\"]]"), LOAM_UNSUPPORTED, "a token with a space"},
    {BPE("\"merges\":[],\"dropout\":0.5"), LOAM_FORMAT, "model.dropout"},
    {BPE("\"merges\":[],\"end_of_word_suffix\":\"</w>\""), LOAM_UNSUPPORTED, "end_of_word"},
    {BPE("\"merges\":[],\"unk_token\":\"zz\""), LOAM_FORMAT, "model.unk_token"},
    {BPE("\"merges\":[],\"fuse_unk\":1"), LOAM_FORMAT, "fuse_unk: found 1, expected true or"},
    {MODEL("\"type\":\"Unigram\",\"vocab\":[[\"a\"]]"), LOAM_FORMAT, "a text and a number"},
    {MODEL("\"type\":\"Unigram\",\"vocab\":[[\"a\",1]],\"unk_id\":1"), LOAM_FORMAT, "unk_id"},
    {MODEL("\"type\":\"Unigram\",\"vocab\":[[\"a\",1]],\"byte_fallback\":true"), LOAM_FORMAT,
     "for every byte"},
    {MODEL("\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0},\"continuing_subword_prefix\":\"\""),
     LOAM_UNSUPPORTED, "no continuing_subword_prefix"},
    {WITH("\"normalizer\":{\"type\":\"Nmt\"}"), LOAM_UNSUPPORTED, "normalizer: Nmt"},
    {WITH("\"normalizer\":{\"type\":\"NFC\",\"x\":1}"), LOAM_UNSUPPORTED, "x is not supported"},
    {WITH("\"normalizer\":{}"), LOAM_FORMAT, "an object with a \"type\""},
    {WITH("\"normalizer\":{\"type\":\"Sequence\"}"), LOAM_FORMAT, "a Sequence with a list"},
    {WITH("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\"}]}"),
     LOAM_UNSUPPORTED, "normalizer: Sequence"},
    {WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":"
          "\"\"}"),
     LOAM_UNSUPPORTED, "normalizer: split pattern, byte 1"},
    {WITH("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{}}"), LOAM_FORMAT, "either"},
    {WITH("\"normalizer\":{\"type\":\"Replace\"}"), LOAM_FORMAT, "a step with a pattern"},
    {WITH("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A*\"}"), LOAM_FORMAT,
     "base64"},
    {WITH("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"////////\"}"),
     LOAM_FORMAT, "no map"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?<=ab)b\"}}"),
     LOAM_UNSUPPORTED, "pre_tokenizer: split pattern"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":"
          "\"Odd\"}"),
     LOAM_UNSUPPORTED, "Odd is not supported: an unknown behavior"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
          "{\"type\":\"Metaspace\"}]}"),
     LOAM_UNSUPPORTED, "Metaspace is not supported: behind ByteLevel"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}"), LOAM_UNSUPPORTED,
     "a replacement other than U+2581"},
    {WITH("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"last\"}"),
     LOAM_UNSUPPORTED, "last is not supported"},
    {WITH("\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Metaspace\","
          "\"prepend_scheme\":\"first\"}"),
     LOAM_UNSUPPORTED, "may change the beginning"},
    {WITH("\"decoder\":{\"type\":\"CTC\"}"), LOAM_UNSUPPORTED, "decoder: CTC"},
    {WITH("\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":2,\"stop\":0}"),
     LOAM_UNSUPPORTED, "decoder: Strip"},
    {WITH("\"post_processor\":{\"type\":\"Odd\"}"), LOAM_UNSUPPORTED, "post_processor: Odd"},
    {WITH("\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"a\",0]}"), LOAM_FORMAT,
     "a text and an id"},
    {WITH("\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",7]}"), LOAM_FORMAT,
     "the id of a token"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\"}"), LOAM_FORMAT, "an array"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
          "{\"id\":\"q\"}}],\"special_tokens\":{}}"),
     LOAM_FORMAT, "one of special_tokens"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
          "{\"id\":\"a\"}}],\"special_tokens\":{\"a\":{\"ids\":[0,0]}}}"),
     LOAM_UNSUPPORTED, "more than one token"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{}},"
          "{\"Sequence\":{}}]}"),
     LOAM_UNSUPPORTED, "a text twice"},
    {WITH("\"added_tokens\":[{\"id\":0,\"content\":\"a\",\"single_word\":true}]"),
     LOAM_UNSUPPORTED, "of a token that model.vocab has"},
    {ADDED(",\"special\":0"), LOAM_FORMAT, "added_tokens.special: found 0"},
    {WITH("\"added_tokens\":[1]"), LOAM_FORMAT, "added_tokens: found 1"},
    {WITH("\"added_tokens\":[{\"id\":0,\"content\":\"b\"}]"), LOAM_FORMAT, "the text that"},
    {WITH("\"added_tokens\":[{\"id\":1}]"), LOAM_FORMAT, "an object with id and content"},
    {WITH("\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":[{\"id\":1,\"content\":"
          "\"X\",\"normalized\":true}]"),
     LOAM_UNSUPPORTED, "added_tokens.normalized"},
};

static void others_are_refused(void)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct tokenizer *tokenizer;
        CHECK_EQUAL(open_json(&tokenizer, bad[i].json), bad[i].status);
        CHECK(!tokenizer);
        CHECK(strstr(error.message, bad[i].message));
        if (test_failed_here) {
            printf("# %s\n# gave: %s\n", bad[i].json, error.message);
            return;
        }
    }
}

static void deep_nesting_is_refused(void)
{
    struct tokenizer *tokenizer;
    memset(json, '[', 10000);
    json[10000] = 0;
    CHECK_EQUAL(open_json(&tokenizer, json), LOAM_FORMAT);
    CHECK(strstr(error.message, "nest too deeply"));
}

/* ---- what else a file says ---- */

static void begin_and_end_tokens(void)
{
    static const char *const file =
        "{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true},{\"id\":4,\"content\":"
        "\"</"
        "s>\",\"special\":true}],\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"post_processor\":{"
        "\"type\":\"RobertaProcessing\",\"cls\":[\"<s>\",3],\"sep\":[\"</"
        "s>\",4]},\"model\":{\"type\":"
        "\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"\\u0120\":2},\"merges\":[]}}";
    struct tokenizer *tokenizer;
    loam_tokenizer_info info = {.struct_size = sizeof info};
    CHECK_EQUAL(open_json(&tokenizer, file), LOAM_OK);
    REQUIRE(tokenizer);
    CHECK_TEXT(encode(tokenizer, "ab", LOAM_ENCODE_ADD_SPECIAL), "3 2 0 1 4");
    CHECK_TEXT(encode(tokenizer, "a<s>b", LOAM_ENCODE_PARSE_SPECIAL), "2 0 3 2 1");
    CHECK_TEXT(encode(tokenizer, "a<s>b", 0), "2 0 1"); /* no token has those signs */
    loam_tokenizer_describe(&info, tokenizer);
    CHECK_TEXT(info.kind.data, "gpt2");
    CHECK_EQUAL(info.token_count, 5);
    CHECK_EQUAL(info.begin_token, 3);
    CHECK_EQUAL(info.end_token, 4);
    CHECK_EQUAL(info.adds_begin, 1);
    CHECK(loam_tokenizer_flags(tokenizer, 4) & LOAM_TOKEN_END);
    CHECK_EQUAL(loam_tokenizer_added(tokenizer), 2);
    loam_tokenizer_destroy(tokenizer);
}

static void bytes_instead_of_unknown(void)
{
    struct tokenizer *tokenizer;
    size_t at =
        (size_t)sprintf(json, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":"
                              "true,\"vocab\":[[\"<unk>\",0],[\"a\",-1]");
    for (int i = 0; i < 256; i++)
        at += (size_t)sprintf(json + at, ",[\"<0x%02X>\",-20]", i);
    sprintf(json + at, "]}}");
    CHECK_EQUAL(open_json(&tokenizer, json), LOAM_OK);
    REQUIRE(tokenizer);
    CHECK_TEXT(encode(tokenizer,
                      "a\xC3\xA9\xE6\x97\xA5"
                      "a",
                      0),
               "1 197 171 232 153 167 1");
    loam_tokenizer_destroy(tokenizer);
}

/* Ids without a token are no text, and nothing becomes them. */
static void holes_are_unused(void)
{
    struct tokenizer *tokenizer;
    CHECK_EQUAL(open_json(&tokenizer, MODEL("\"type\":\"BPE\",\"vocab\":{\"a\":5},\"merges\":[]")),
                LOAM_OK);
    REQUIRE(tokenizer);
    CHECK_EQUAL(loam_tokenizer_count(tokenizer), 6);
    CHECK_EQUAL(loam_tokenizer_flags(tokenizer, 2), LOAM_TOKEN_UNUSED);
    CHECK_EQUAL(loam_tokenizer_piece(NULL, 0, tokenizer, 2, true), 0);
    CHECK_TEXT(encode(tokenizer, "aba", 0), "5 5");
    loam_tokenizer_destroy(tokenizer);
}

/* ---- normalization forms ---- */

static void normalization_forms(void)
{
    static const struct {
        const char *text, *forms[4]; /* NFC, NFD, NFKC, NFKD */
    } rows[] = {
        {"abc", {"abc", "abc", "abc", "abc"}},
        {"e\xCC\x81", {"\xC3\xA9", "e\xCC\x81", "\xC3\xA9", "e\xCC\x81"}},
        {"\xC3\xA9", {"\xC3\xA9", "e\xCC\x81", "\xC3\xA9", "e\xCC\x81"}},
        {"\xEF\xAC\x81", {"\xEF\xAC\x81", "\xEF\xAC\x81", "fi", "fi"}},
        /* Marks are put in order; a composition that is excluded stays apart. */
        {"a\xCC\x81\xCC\xA7",
         {"\xC3\xA1\xCC\xA7", "a\xCC\xA7\xCC\x81", "\xC3\xA1\xCC\xA7", "a\xCC\xA7\xCC\x81"}},
        {"\xE0\xA5\x98",
         {"\xE0\xA4\x95\xE0\xA4\xBC", "\xE0\xA4\x95\xE0\xA4\xBC", "\xE0\xA4\x95\xE0\xA4\xBC",
          "\xE0\xA4\x95\xE0\xA4\xBC"}},
        /* Hangul: U+D55C. */
        {"\xED\x95\x9C",
         {"\xED\x95\x9C", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C",
          "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"}},
        {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB",
         {"\xED\x95\x9C", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C",
          "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"}},
        /* No UTF-8: stays, and nothing composes over it. */
        {"e\xFF\xCC\x81\xC3",
         {"e\xFF\xCC\x81\xC3", "e\xFF\xCC\x81\xC3", "e\xFF\xCC\x81\xC3", "e\xFF\xCC\x81\xC3"}},
    };
    struct normal_scratch scratch = {.memory = &memory};
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int form = 0; form < 4; form++) {
            struct text_buffer out = {.memory = &memory};
            CHECK(loam_normal_append(&out, &scratch, rows[i].text, strlen(rows[i].text),
                                     (enum normal_form)form));
            CHECK(loam_normal_add(&out, "", 1));
            CHECK_TEXT(out.bytes, rows[i].forms[form]);
            loam_memory_free(&memory, out.bytes);
        }
    loam_memory_free(&memory, scratch.points);
    loam_memory_free(&memory, scratch.sorted);
}

/* A run of a hundred thousand marks in the wrong order. */
static void many_marks_take_linear_time(void)
{
    enum { MARKS = 100000 };
    struct normal_scratch scratch = {.memory = &memory};
    struct text_buffer text = {.memory = &memory}, out = {.memory = &memory};
    for (int i = 0; i < MARKS; i++) /* classes 230 and 202 */
        CHECK(loam_normal_add(&text, i % 2 ? "\xCC\xA7" : "\xCC\x81", 2));
    CHECK(loam_normal_append(&out, &scratch, text.bytes, text.count, NORMAL_NFD));
    CHECK_EQUAL(out.count, 2 * MARKS);
    CHECK(memcmp(out.bytes, "\xCC\xA7\xCC\xA7", 4) == 0);
    CHECK(memcmp(out.bytes + MARKS, "\xCC\x81\xCC\x81", 4) == 0);
    loam_memory_free(&memory, text.bytes);
    loam_memory_free(&memory, out.bytes);
    loam_memory_free(&memory, scratch.points);
    loam_memory_free(&memory, scratch.sorted);
}

static void nothing_is_kept(void)
{
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(steps_are_those_of_the_reference);
    RUN(others_are_refused);
    RUN(deep_nesting_is_refused);
    RUN(begin_and_end_tokens);
    RUN(bytes_instead_of_unknown);
    RUN(holes_are_unused);
    RUN(normalization_forms);
    RUN(many_marks_take_linear_time);
    RUN(nothing_is_kept);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/* Prompts for filling in, of families whose vocabularies are not among the
 * reference data: each with a vocabulary of a few letters, compared with token
 * lists written by hand. */
#include "test.h"

#include "fault/host.h"
#include "text/fill.h"
#include "text/vocabulary.h"
#include "tools/tiny_vocabulary.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOW          "\xE2\x96\x81" /* U+2581 */
#define BAR          "\xEF\xBD\x9C" /* U+FF5C */

static unsigned char bytes[1 << 16];
static struct memory memory;
static loam_error error = {.struct_size = sizeof error};

enum { MOST = 32 };

/* Letters come first, the family's own tokens from 10 on. */
enum { BEGIN, END, A, B, C, NEWLINE, SPACE, SLASH, SHARP, DOT, FIRST };

struct vocabulary {
    const char *texts[MOST];
    int32_t types[MOST];
    float scores[MOST];
    struct tiny_words words;
};

static struct tokenizer *open_words(struct vocabulary *vocabulary, const char *kind,
                                    const char *const *special, size_t count)
{
    static const char *const spm[] = {"<s>", "</s>", "a", "b", "c", "\n", LOW, "/", "#", "."};
    static const char *const bpe[] = {"<|begin|>", "<|endoftext|>", "a", "b", "c",
                                      "\xC4\x8A",  "\xC4\xA0",      "/", "#", "."};
    static const char *const merges[] = {"a b"};
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *tokenizer = NULL;
    bool is_spm = strcmp(kind, "llama") == 0;
    for (size_t i = 0; i < FIRST + count; i++) {
        vocabulary->texts[i] = i >= FIRST ? special[i - FIRST] : is_spm ? spm[i] : bpe[i];
        vocabulary->types[i] = i >= FIRST || i <= END ? TINY_CONTROL : TINY_NORMAL;
        vocabulary->scores[i] = -(float)i;
    }
    struct tiny_words *words = &vocabulary->words;
    words->kind = kind;
    words->texts = vocabulary->texts;
    words->types = vocabulary->types;
    words->scores = vocabulary->scores;
    words->count = FIRST + count;
    words->ids[2] = "bos_token_id";
    words->id_values[2] = BEGIN;
    words->ids[3] = "eos_token_id";
    words->id_values[3] = END;
    if (!is_spm) {
        words->splitter = "gpt-2";
        words->merges = merges;
        words->merge_count = 1;
    }
    tiny_vocabulary(&file, words);
    if (tiny_open(&tokenizer, &memory, bytes, file.size, &error))
        printf("# %s\n", error.message);
    return tokenizer;
}

static loam_string text(const char *given)
{
    return (loam_string){given, strlen(given)};
}

static const loam_fill_in_file files[] = {{{"c", 1}, {"b", 1}}, {{"b.c", 3}, {"a\n", 2}}};

static loam_fill_in gap(const char *prefix, const char *suffix, size_t file_count)
{
    return (loam_fill_in){.struct_size = sizeof(loam_fill_in),
                          .prefix = text(prefix),
                          .suffix = text(suffix),
                          .path = text("a"),
                          .repository = text(file_count ? "c" : ""),
                          .files = files,
                          .file_count = file_count};
}

/* Compares with the list, which is ended by -1. */
static void check_prompt(const struct tokenizer *tokenizer, const loam_fill_in *fill_in,
                         const int32_t *wanted)
{
    struct token_list list = {0};
    loam_fill_in_info info;
    size_t count = 0;
    while (wanted[count] >= 0)
        count++;
    CHECK_EQUAL(loam_fill_append(&list, &info, tokenizer, &memory, fill_in, &error), LOAM_OK);
    bool same = list.count == count && memcmp(list.ids, wanted, count * sizeof *wanted) == 0;
    CHECK(same);
    for (size_t i = 0; !same && i < list.count; i++)
        printf("#   %d\n", (int)list.ids[i]);
    CHECK_EQUAL(info.token_count, list.count);
    loam_memory_free(&memory, list.ids);
}

#define PROMPT(...) ((const int32_t[]){__VA_ARGS__, -1})

static void check_family(const struct tokenizer *tokenizer, const char *name)
{
    struct fill_tokens found;
    CHECK(loam_fill_find(&found, tokenizer));
    CHECK_TEXT(found.family->name, name);
}

static void end(struct tokenizer *tokenizer)
{
    loam_tokenizer_destroy(tokenizer);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

/* ---- families ----------------------------------------------------------------------- */

enum { PREFIX = FIRST, SUFFIX, MIDDLE, FOURTH, FIFTH, SIXTH };

static void qwen(void)
{
    static const char *const special[] = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
                                          "<|fim_pad|>",    "<|repo_name|>",  "<|file_sep|>"};
    struct vocabulary vocabulary = {.types = {0}};
    struct tokenizer *t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    check_family(t, "qwen");
    loam_fill_in fill_in = gap("b\n", "c", 0);
    check_prompt(t, &fill_in, PROMPT(PREFIX, B, NEWLINE, SUFFIX, C, MIDDLE));
    fill_in = gap("b\n", "c", 2);
    check_prompt(t, &fill_in,
                 PROMPT(FIFTH, C, NEWLINE,             /* the project */
                        SIXTH, C, NEWLINE, B, NEWLINE, /* a file, its last line ended */
                        SIXTH, B, DOT, C, NEWLINE, A, NEWLINE, SIXTH, A,
                        NEWLINE, /* the path of the file with the gap */
                        PREFIX, B, NEWLINE, SUFFIX, C, MIDDLE));
    /* Text of control tokens is no token: its letters are not even there. */
    fill_in = gap("<|fim_suffix|>a", "", 0);
    check_prompt(t, &fill_in, PROMPT(PREFIX, A, SUFFIX, MIDDLE));
    end(t);
}

static void granite_and_codegemma(void)
{
    static const char *const special[] = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"};
    struct vocabulary vocabulary = {.types = {0}};
    struct tokenizer *t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    check_family(t, "fim");
    loam_fill_in fill_in = gap("b", "c", 2);
    check_prompt(t, &fill_in,
                 PROMPT(PREFIX, SHARP, SPACE, C, NEWLINE, B, NEWLINE, SLASH, SLASH, SPACE, B, DOT,
                        C, NEWLINE, A, NEWLINE, SHARP, SPACE, A, NEWLINE, B, SUFFIX, C, MIDDLE));
    end(t);
}

static void starcoder_and_santacoder(void)
{
    static const char *const special[] = {"<fim_prefix>", "<fim_suffix>", "<fim_middle>",
                                          "<fim_pad>", "<filename>"};
    static const char *const santa[] = {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"};
    struct vocabulary vocabulary = {.types = {0}};
    struct tokenizer *t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    check_family(t, "starcoder");
    loam_fill_in fill_in = gap("b", "c", 0);
    check_prompt(t, &fill_in, PROMPT(PREFIX, B, SUFFIX, C, MIDDLE));
    end(t);
    vocabulary = (struct vocabulary){.types = {0}};
    t = open_words(&vocabulary, "gpt2", santa, COUNT(santa));
    REQUIRE(t);
    check_family(t, "santacoder");
    check_prompt(t, &fill_in, PROMPT(PREFIX, B, SUFFIX, C, MIDDLE));
    end(t);
}

/* The prefix begins as a text does, with a space; the suffix goes on. */
static void codellama(void)
{
    static const char *const special[] = {LOW "<PRE>", LOW "<SUF>", LOW "<MID>", LOW "<EOT>"};
    struct vocabulary vocabulary = {.types = {0}};
    struct fill_tokens found;
    struct tokenizer *t = open_words(&vocabulary, "llama", special, COUNT(special));
    REQUIRE(t);
    check_family(t, "codellama");
    CHECK(loam_fill_find(&found, t));
    CHECK_EQUAL(found.ids[FILL_END], FOURTH);
    loam_fill_in fill_in = gap("b", "c", 0);
    check_prompt(t, &fill_in, PROMPT(BEGIN, PREFIX, SPACE, B, SUFFIX, C, MIDDLE));
    fill_in = gap("b", "", 0);
    check_prompt(t, &fill_in, PROMPT(BEGIN, PREFIX, SPACE, B, SUFFIX, MIDDLE));
    fill_in = gap("b", "c", 1); /* one text, one space */
    check_prompt(t, &fill_in,
                 PROMPT(BEGIN, PREFIX, SPACE, SHARP, SPACE, C, NEWLINE, B, NEWLINE, SHARP, SPACE, A,
                        NEWLINE, B, SUFFIX, C, MIDDLE));
    end(t);
}

static void codestral(void)
{
    static const char *const special[] = {"[PREFIX]", "[SUFFIX]"};
    struct vocabulary vocabulary = {.types = {0}};
    struct tokenizer *t = open_words(&vocabulary, "llama", special, COUNT(special));
    REQUIRE(t);
    check_family(t, "codestral");
    loam_fill_in fill_in = gap("b", "c", 0);
    check_prompt(t, &fill_in, PROMPT(BEGIN, SUFFIX, C, PREFIX, SPACE, B));
    fill_in.max_tokens = 5; /* begin, two marks and one token of either side */
    fill_in.prefix = text("a\na\nb");
    check_prompt(t, &fill_in, PROMPT(BEGIN, SUFFIX, PREFIX, SPACE, B));
    end(t);
}

static void deepseek(void)
{
    static const char *const special[] = {"<" BAR "fim" LOW "begin" BAR ">",
                                          "<" BAR "fim" LOW "hole" BAR ">",
                                          "<" BAR "fim" LOW "end" BAR ">"};
    struct vocabulary vocabulary = {.words = {.flags = {"add_bos_token"}, .flag_values = {true}}};
    struct tokenizer *t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    check_family(t, "deepseek");
    loam_fill_in fill_in = gap("b", "c", 1);
    check_prompt(t, &fill_in,
                 PROMPT(BEGIN, PREFIX, SHARP, C, NEWLINE, B, NEWLINE, SHARP, A, NEWLINE, B, SUFFIX,
                        C, MIDDLE));
    end(t);
}

/* ---- what files say ------------------------------------------------------------------ */

static void ids_of_the_file_come_first(void)
{
    static const char *const special[] = {"<one>", "<two>", "<three>"};
    static const char *const twice[] = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
                                        "<other>"};
    struct vocabulary vocabulary = {
        .words = {.ids = {"fim_pre_token_id", "suffix_token_id"}, .id_values = {PREFIX, SUFFIX}}};
    struct fill_tokens found;
    struct tokenizer *t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    CHECK(!loam_fill_find(&found, t)); /* no middle */
    end(t);
    vocabulary = (struct vocabulary){.words = {.ids = {"fim_mid_token_id"}, .id_values = {FOURTH}}};
    t = open_words(&vocabulary, "gpt2", twice, COUNT(twice));
    REQUIRE(t);
    check_family(t, "fim");
    loam_fill_in fill_in = gap("b", "c", 0);
    check_prompt(t, &fill_in, PROMPT(PREFIX, B, SUFFIX, C, FOURTH));
    end(t);
    vocabulary = (struct vocabulary){.words = {.ids = {"fim_mid_token_id"}, .id_values = {99}}};
    t = open_words(&vocabulary, "gpt2", twice, COUNT(twice));
    CHECK(!t && strstr(error.message, "fim_mid_token_id"));
}

static void older_keys_are_known(void)
{
    static const char *const special[] = {"<one>", "<two>", "<three>"};
    struct vocabulary vocabulary = {.types = {0}};
    struct tokenizer *t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    end(t);
    vocabulary.words.ids[0] = "prefix_token_id";
    vocabulary.words.ids[1] = "suffix_token_id";
    vocabulary.words.id_values[0] = FIRST + 2;
    vocabulary.words.id_values[1] = FIRST + 1;
    struct tiny_words *words = &vocabulary.words;
    t = open_words(&vocabulary, "gpt2", special, COUNT(special));
    REQUIRE(t);
    end(t);
    words->ids[2] = "middle_token_id"; /* in the place of bos_token_id */
    words->id_values[2] = FIRST;
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    tiny_vocabulary(&file, words);
    CHECK_EQUAL(tiny_open(&t, &memory, bytes, file.size, &error), LOAM_OK);
    REQUIRE(t);
    check_family(t, "fim");
    loam_fill_in fill_in = gap("b", "c", 0);
    check_prompt(t, &fill_in, PROMPT(FIRST + 2, B, FIRST + 1, C, FIRST));
    end(t);
}

int main(void)
{
    loam_memory_init(&memory, NULL, 0);
    RUN(qwen);
    RUN(granite_and_codegemma);
    RUN(starcoder_and_santacoder);
    RUN(codellama);
    RUN(codestral);
    RUN(deepseek);
    RUN(ids_of_the_file_come_first);
    RUN(older_keys_are_known);
    return test_end();
}

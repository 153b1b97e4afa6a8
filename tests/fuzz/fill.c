/* SPDX-License-Identifier: MIT */
/*
 * Prompts for filling in the middle. The first byte picks a family's tokens and
 * the kind of vocabulary, the second what the vocabulary and the gap are like,
 * the third the most tokens; then texts, each with a NUL behind it: prefix,
 * suffix, path, repository, paths and texts of files; what is left is text that
 * a model wrote into the gap.
 */
#include "fuzz.h"

#include "text/fill.h"
#include "text/vocabulary.h"
#include "tools/tiny_vocabulary.h"

#include <stdlib.h>

#define LOW "\xE2\x96\x81" /* U+2581 */
#define BAR "\xEF\xBD\x9C" /* U+FF5C */

enum { ALPHABET = 256, MOST_SPECIAL = 6, BEGIN = ALPHABET, FIRST, MOST_FILES = 6 };

static const char *const families[][MOST_SPECIAL] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>",
     "<|file_sep|>"},
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<repo_name>", "<file_sep>"},
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},
    {"<" BAR "fim" LOW "begin" BAR ">", "<" BAR "fim" LOW "hole" BAR ">",
     "<" BAR "fim" LOW "end" BAR ">"},
    {LOW "<PRE>", LOW "<SUF>", LOW "<MID>", LOW "<EOT>"},
    {"[PREFIX]", "[SUFFIX]"},
    {"<|fim_prefix|>", "<|fim_suffix|>"}, /* a middle is missing: no family */
};

/* A token for each byte, the beginning of a text, and the family's. */
static struct tokenizer *open_family(struct memory *memory, unsigned family, bool spm, bool begins)
{
    static unsigned char bytes[1 << 16];
    static char names[ALPHABET][8];
    const char *texts[FIRST + MOST_SPECIAL];
    int32_t types[FIRST + MOST_SPECIAL];
    struct tokenizer *tokenizer = NULL;
    size_t count = FIRST;
    for (unsigned i = 0; i < ALPHABET; i++) {
        if (spm)
            snprintf(names[i], sizeof names[i], "<0x%02X>", i);
        else
            tiny_byte_character(names[i], i);
        texts[i] = names[i];
        types[i] = spm ? TINY_BYTE : TINY_NORMAL;
    }
    texts[BEGIN] = "<s>";
    types[BEGIN] = TINY_CONTROL;
    for (size_t i = 0; i < MOST_SPECIAL && families[family][i]; i++) {
        types[count] = TINY_CONTROL;
        texts[count++] = families[family][i];
    }
    struct tiny_words words = {.kind = spm ? "llama" : "gpt2",
                               .splitter = spm ? NULL : "gpt-2",
                               .texts = texts,
                               .types = types,
                               .count = count,
                               .merges = texts,
                               .ids = {"bos_token_id"},
                               .id_values = {BEGIN},
                               .flags = {"add_bos_token"},
                               .flag_values = {begins}};
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    tiny_vocabulary(&file, &words);
    return tiny_open(&tokenizer, memory, bytes, file.size, NULL) ? NULL : tokenizer;
}

/* Each is made once and kept: that takes longer than all else. */
static const struct tokenizer *family_of(unsigned family, bool spm, bool begins)
{
    static struct memory memory;
    static struct tokenizer *opened[sizeof families / sizeof families[0]][2][2];
    struct tokenizer **place = &opened[family][spm][begins];
    if (!memory.host.allocate)
        loam_memory_init(&memory, NULL, 0);
    if (!*place)
        *place = open_family(&memory, family, spm, begins);
    if (!*place)
        abort();
    return *place;
}

/* The next text of the input. */
static loam_string take(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *zero = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
    const uint8_t *stop = zero ? zero : end;
    loam_string text = {(const char *)*at, (size_t)(stop - *at)};
    *at = zero ? zero + 1 : end;
    return text;
}

/* Behind the token, up to the next control token, stand the bytes of the text,
 * which is what vocabularies of bytes show. */
static void check_part(const struct token_list *list, int32_t token, const char *text,
                       size_t length, bool whole)
{
    size_t at = 0, end;
    while (at < list->count && list->ids[at] != token)
        at++;
    if (at == list->count)
        abort();
    for (end = ++at; end < list->count && list->ids[end] < ALPHABET;)
        end++;
    if (end - at < length || (whole && end - at != length))
        abort();
    for (size_t i = 0; i < length; i++)
        if (list->ids[end - length + i] != (unsigned char)text[i])
            abort();
}

/* One of each token that stands once, and no control token from the texts. */
static void check_marks(const struct token_list *list, const struct fill_tokens *tokens,
                        const loam_fill_in_info *info, const struct tokenizer *tokenizer)
{
    size_t counts[FILL_TOKEN_COUNT] = {0}, begins = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool known = list->ids[i] >= 0 && list->ids[i] < ALPHABET;
        begins += list->ids[i] == BEGIN;
        for (int k = 0; k < FILL_TOKEN_COUNT; k++)
            if (list->ids[i] == tokens->ids[k]) {
                counts[k]++;
                known = true;
            }
        if (!known && list->ids[i] != BEGIN)
            abort();
    }
    if (counts[FILL_PREFIX] != 1 || counts[FILL_SUFFIX] != 1 || counts[FILL_REPOSITORY] > 1 ||
        counts[FILL_MIDDLE] != (tokens->ids[FILL_MIDDLE] >= 0) || counts[FILL_END] ||
        counts[FILL_PAD] || counts[FILL_SEPARATOR] > info->file_count + 1 ||
        begins != tokenizer->adds_begin)
        abort();
}

static void check_prompt(const struct tokenizer *tokenizer, struct memory *memory,
                         const loam_fill_in *gap, bool spm)
{
    struct token_list list = {0};
    struct fill_tokens tokens;
    loam_fill_in_info info;
    loam_error error = {.struct_size = sizeof error};
    bool found = loam_fill_find(&tokens, tokenizer);
    loam_status status = loam_fill_append(&list, &info, tokenizer, memory, gap, &error);
    if (status != LOAM_OK) {
        if (error.code != status || error.message[0] == 0 ||
            (found ? status != LOAM_CONTEXT_FULL || gap->max_tokens == 0
                   : status != LOAM_UNSUPPORTED))
            abort();
        loam_memory_free(memory, list.ids);
        return;
    }
    if (!found || info.token_count != list.count ||
        (gap->max_tokens && list.count > gap->max_tokens) ||
        info.prefix_bytes > gap->prefix.length || info.suffix_bytes > gap->suffix.length ||
        info.file_count > gap->file_count ||
        (info.file_count && info.file_bytes > gap->files[info.file_count - 1].text.length) ||
        (!gap->max_tokens &&
         (info.prefix_bytes < gap->prefix.length || info.suffix_bytes < gap->suffix.length)))
        abort();
    check_marks(&list, &tokens, &info, tokenizer);
    if (!spm) {
        size_t dropped = gap->prefix.length - info.prefix_bytes;
        check_part(&list, tokens.ids[FILL_PREFIX], gap->prefix.data + dropped, info.prefix_bytes,
                   false);
        check_part(&list, tokens.ids[FILL_SUFFIX], gap->suffix.data, info.suffix_bytes, true);
    }
    loam_memory_free(memory, list.ids);
}

/* What is decided stays so, whatever the model writes behind it. */
static void check_end(const loam_fill_in *gap, const char *text, size_t length)
{
    bool ended, whole_ended;
    size_t whole = loam_fill_end(&whole_ended, gap, text, length);
    if (whole > length)
        abort();
    for (size_t cut = 0; cut < length; cut++) {
        size_t size = loam_fill_end(&ended, gap, text, cut);
        if (size > cut || (ended && (!whole_ended || size != whole)) || size > whole)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    loam_fill_in_file files[MOST_FILES];
    if (size < 3 || size > 4096)
        return 0;
    const uint8_t *at = data + 3, *end = data + size;
    bool spm = data[0] >= 128;
    loam_fill_in gap = {.struct_size = sizeof gap, .files = files, .until = data[1] % 3};
    gap.max_tokens = data[2] < 200 ? data[2] : 0;
    gap.prefix = take(&at, end);
    gap.suffix = take(&at, end);
    gap.path = take(&at, end);
    gap.repository = take(&at, end);
    for (size_t wanted = data[1] / 3 % (MOST_FILES + 1); gap.file_count < wanted;
         gap.file_count++) {
        files[gap.file_count].path = take(&at, end);
        files[gap.file_count].text = take(&at, end);
    }
    loam_memory_init(&memory, NULL, 64u << 20);
    check_prompt(family_of(data[0] % 8, spm, data[1] >= 128), &memory, &gap, spm);
    check_end(&gap, (const char *)at, (size_t)(end - at));
    if (atomic_load(&memory.held) != 0)
        abort();
    return 0;
}

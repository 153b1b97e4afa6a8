/* SPDX-License-Identifier: MIT */
/*
 * A vocabulary and a text, from any bytes. Bytes that begin as a model file do
 * are its header, and their end is the text. Other bytes, and that end, are text
 * for small vocabularies of our own, one of each kind, under a splitter that the
 * first byte picks.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "text/patterns.h"
#include "tools/tiny_vocabulary.h"

/* Texts that make most merges and special tokens possible. */
static const char *const spm_texts[] = {"<unk>",    "<s>",
                                        "</s>",     "<0x41>",
                                        "<0xE2>",   "\xE2\x96\x81",
                                        "a",        "b",
                                        "ab",       "<",
                                        "<s",       "s",
                                        ">",        "\xE2\x96\x81\xE2\x96\x81",
                                        "aab",      "b\xE2\x96\x81",
                                        "<|user|>", "<|u"};
static const int32_t spm_types[] = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 4};
static const char *const merges[] = {"a b", "a ab", "\xC4\xA0 a", "1 2", "' s", "a a", "aa aa"};
static const char *const bpe_texts[] = {"ab", "aab",  "\xC4\xA0\x61", "12",   "'s",
                                        "aa", "aaaa", "<s>",          "<s>a", "<s"};

enum { BPE_COUNT = 256 + sizeof bpe_texts / sizeof bpe_texts[0] };

/* Every id is in range, and its piece does not change with the room for it. */
static void check_ids(const struct tokenizer *tokenizer, const struct token_list *list)
{
    struct utf8_stream stream = {0};
    for (size_t i = 0; i < list->count; i++) {
        char piece[64], out[3 * (sizeof piece + 4)];
        int32_t id = list->ids[i];
        if (id < 0 || (uint32_t)id >= loam_tokenizer_count(tokenizer))
            abort();
        size_t length = loam_tokenizer_piece(piece, sizeof piece, tokenizer, id, true);
        if (length != loam_tokenizer_piece(NULL, 0, tokenizer, id, true))
            abort();
        if (length > sizeof piece)
            length = sizeof piece;
        if (!loam_utf8_valid(out, loam_utf8_stream_push(&stream, out, piece, length)))
            abort();
    }
}

/* Text never gives a control token that was not asked for. */
static void check_plain(const struct tokenizer *tokenizer, const struct token_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (loam_tokenizer_flags(tokenizer, list->ids[i]) & LOAM_TOKEN_CONTROL)
            abort();
}

static void encode(const struct tokenizer *tokenizer, struct memory *memory, const uint8_t *data,
                   size_t size)
{
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct token_list list = {0};
        loam_status status =
            loam_tokenizer_append(&list, tokenizer, memory, (const char *)data, size, flags, NULL);
        if (status != LOAM_OK && status != LOAM_MEMORY)
            abort();
        check_ids(tokenizer, &list);
        if (flags == 0)
            check_plain(tokenizer, &list);
        loam_memory_free(memory, list.ids);
    }
}

static void with_our_own(const struct tiny_words *words, struct memory *memory, const uint8_t *data,
                         size_t size)
{
    static unsigned char bytes[1 << 15];
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    struct tokenizer *tokenizer;
    tiny_vocabulary(&file, words);
    if (tiny_open(&tokenizer, memory, bytes, file.size, NULL))
        abort();
    encode(tokenizer, memory, data, size);
    loam_tokenizer_destroy(tokenizer);
}

/* The name of a splitter by number. */
static const char *splitter_name(char *out, size_t size, unsigned number)
{
    size_t count = 0;
    while (loam_pattern_at(count))
        count++;
    const char *names = loam_pattern_at(number % count)->names;
    snprintf(out, size, "%.*s", (int)loam_pattern_name_length(names), names);
    return out;
}

/* Words, and sums of scores, over the same texts as above. */
static void other_kinds(struct memory *memory, const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"bert", "t5", "rwkv"};
    struct tiny_words words = {
        .texts = spm_texts,
        .types = spm_types,
        .count = sizeof spm_texts / sizeof spm_texts[0],
        .ids = {"cls_token_id", "seperator_token_id", "unknown_token_id"},
        .id_values = {1, 2, 0},
        .flags = {"add_space_prefix", "remove_extra_whitespaces", "normalizer.lowercase"}};
    for (int i = 0; i < 3; i++) {
        words.kind = kinds[i];
        words.flag_values[i] = data[0] >> i & 1;
        with_our_own(&words, memory, data + 1, size - 1);
    }
}

static void text_alone(struct memory *memory, const uint8_t *data, size_t size)
{
    char splitter[64];
    struct tiny_words words = {.kind = "llama",
                               .texts = spm_texts,
                               .types = spm_types,
                               .count = sizeof spm_texts / sizeof spm_texts[0]};
    /* Without the token that reaches over a space, every other time. */
    words.count -= data[0] & 4 ? 0 : 3;
    words.name = data[0] & 8 ? "phi-3" : "other";
    with_our_own(&words, memory, data + 1, size - 1);
    char alphabet[256][3];
    const char *texts[BPE_COUNT];
    int32_t types[BPE_COUNT];
    for (unsigned i = 0; i < BPE_COUNT; i++) {
        if (i < 256)
            tiny_byte_character(alphabet[i], i);
        texts[i] = i < 256 ? alphabet[i] : bpe_texts[i - 256];
        types[i] = i < BPE_COUNT - 3 ? TINY_NORMAL : i == BPE_COUNT - 1 ? TINY_USER : TINY_CONTROL;
    }
    words = (struct tiny_words){.kind = "gpt2",
                                .splitter = splitter_name(splitter, sizeof splitter, data[0]),
                                .texts = texts,
                                .types = types,
                                .count = BPE_COUNT,
                                .merges = merges,
                                .merge_count = sizeof merges / sizeof merges[0]};
    with_our_own(&words, memory, data + 1, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    struct tokenizer *tokenizer;
    loam_memory_init(&memory, NULL, 64u << 20);
    if (size >= 4 && memcmp(data, "GGUF", 4) == 0) {
        size_t text = size < 400 ? size : 400;
        if (tiny_open(&tokenizer, &memory, data, size, NULL) == LOAM_OK && tokenizer) {
            encode(tokenizer, &memory, data + size - text, text);
            encode(tokenizer, &memory, (const uint8_t *)"once <s> on\xC3\xA9", 13);
            loam_tokenizer_destroy(tokenizer);
        }
        data += size - text;
        size = text < 64 ? text : 64;
    }
    if (size > 0) {
        text_alone(&memory, data, size);
        other_kinds(&memory, data, size);
    }
    if (atomic_load(&memory.held) != 0)
        abort();
    return 0;
}

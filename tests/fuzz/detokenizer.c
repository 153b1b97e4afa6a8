/* SPDX-License-Identifier: MIT */
/*
 * Tokens to text. The first byte picks the kind of vocabulary, the second how
 * the bytes are cut for the stream; then texts of tokens up to an empty one,
 * each with a NUL behind it and its type in front; then ids, one byte each.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "tools/tiny_vocabulary.h"

#include <loam/loam.h>

#include <stdlib.h>

enum { MOST_WORDS = 64, ALPHABET = 256, MOST_IDS = 400, MOST_FILE = 1 << 17 };

struct words {
    char names[ALPHABET][8];
    const char *texts[ALPHABET + MOST_WORDS];
    int32_t types[ALPHABET + MOST_WORDS];
    size_t count;
};

/* A token for each byte, as the kind writes it, behind the texts of the input;
 * RWKV has bytes above 0x7F in escapes. Returns what is left of the input. */
static size_t read_words(struct words *words, const char *kind, const uint8_t *data, size_t size)
{
    size_t at = 0;
    words->count = 0;
    while (at < size && data[at] && words->count < MOST_WORDS) {
        const uint8_t *end = memchr(data + at, 0, size - at);
        if (!end)
            return size;
        words->types[words->count] = data[at] % 6 + 1;
        words->texts[words->count++] = (const char *)data + at + 1;
        at = (size_t)(end - data) + 1;
    }
    for (unsigned i = 0; i < ALPHABET; i++) {
        char *name = words->names[i];
        if (strcmp(kind, "gpt2") == 0)
            tiny_byte_character(name, i);
        else if (strcmp(kind, "rwkv") == 0)
            snprintf(name, sizeof words->names[i], "\\x%02x", i);
        else
            snprintf(name, sizeof words->names[i], "<0x%02X>", i);
        words->types[words->count] = strcmp(kind, "gpt2") == 0 ? TINY_NORMAL : TINY_BYTE;
        words->texts[words->count++] = name;
    }
    return at < size ? at + 1 : size;
}

static void check_same(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length != b_length || (a_length && memcmp(a, b, a_length) != 0))
        abort();
}

/* However the bytes are cut, the same whole characters come out: those of the
 * text where it is valid. */
static void check_stream(const char *text, size_t length, size_t step)
{
    struct utf8_stream stream = {0}, whole_stream = {0};
    char *out = malloc(3 * (length + 4) + 12), *whole = malloc(3 * (length + 4) + 12);
    size_t written = 0, whole_written;
    if (!out || !whole)
        abort();
    for (size_t at = 0, part; at < length; at += part) {
        part = step < length - at ? step : length - at;
        size_t more = loam_utf8_stream_push(&stream, out + written, text + at, part);
        if (!loam_utf8_valid(out + written, more))
            abort();
        written += more;
    }
    written += loam_utf8_stream_finish(&stream, out + written);
    whole_written = loam_utf8_stream_push(&whole_stream, whole, text, length);
    whole_written += loam_utf8_stream_finish(&whole_stream, whole + whole_written);
    check_same(out, written, whole, whole_written);
    if (loam_utf8_valid(text, length))
        check_same(out, written, text, length);
    free(out);
    free(whole);
}

/* With any room the beginning of the same text is written, and its full length
 * is told. */
static void check_decode(loam_tokenizer *tokenizer, const int32_t *ids, size_t count,
                         uint32_t flags, size_t step)
{
    size_t length = 0, again = 0;
    loam_status status =
        loam_tokenizer_decode(NULL, 0, &length, tokenizer, ids, count, flags, NULL);
    if (status != (length ? LOAM_TOO_SMALL : LOAM_OK))
        abort();
    size_t rooms[] = {length, length / 2, length ? length - 1 : 0, length < step ? length : step};
    char *full = malloc(length + 1);
    if (!full)
        abort();
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        char *part = malloc(rooms[i] + !rooms[i]); /* a byte too many is seen */
        if (!part)
            abort();
        status = loam_tokenizer_decode(part, rooms[i], &again, tokenizer, ids, count, flags, NULL);
        if (status != (rooms[i] < length ? LOAM_TOO_SMALL : LOAM_OK) || again != length)
            abort();
        if (i == 0)
            memcpy(full, part, length);
        check_same(part, rooms[i], full, rooms[i]);
        free(part);
    }
    check_stream(full, length, step);
    free(full);
}

static void use(loam_tokenizer *tokenizer, const uint8_t *data, size_t size, size_t step)
{
    loam_tokenizer_info info = {.struct_size = sizeof info};
    int32_t ids[MOST_IDS];
    size_t count = size < MOST_IDS ? size : MOST_IDS;
    loam_tokenizer_get_info(&info, tokenizer, NULL);
    for (size_t i = 0; i < count; i++) /* the texts of the input are the first */
        ids[i] = data[i] % (int32_t)info.token_count;
    check_decode(tokenizer, ids, count, 0, step);
    check_decode(tokenizer, ids, count, LOAM_DECODE_SHOW_SPECIAL, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"gpt2", "llama", "rwkv", "t5", "bert"};
    static unsigned char bytes[MOST_FILE];
    static struct words words;
    if (size < 3 || size > 4096)
        return 0;
    const char *kind = kinds[data[0] % 5];
    size_t step = 1 + data[1] % 9;
    size_t used = read_words(&words, kind, data + 2, size - 2);
    struct tiny_words described = {.kind = kind,
                                   .texts = words.texts,
                                   .types = words.types,
                                   .count = words.count,
                                   .merges = words.texts,
                                   .flags = {"add_space_prefix"},
                                   .flag_values = {data[0] >= 128}};
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    tiny_vocabulary(&file, &described);
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = 1, .memory_limit = 64u << 20};
    loam_source source = {
        .struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY, .data = bytes, .size = file.size};
    loam_engine_info info = {.struct_size = sizeof info};
    loam_engine *engine = NULL;
    loam_tokenizer *tokenizer = NULL;
    if (loam_engine_create(&engine, &options, NULL))
        return 0;
    loam_engine_get_info(&info, engine, NULL);
    uint64_t before = info.bytes_held;
    if (loam_tokenizer_open(&tokenizer, engine, &source, NULL) == LOAM_OK && tokenizer)
        use(tokenizer, data + 2 + used, size - 2 - used, step);
    loam_tokenizer_release(tokenizer);
    loam_engine_get_info(&info, engine, NULL);
    if (info.bytes_held != before)
        abort();
    loam_engine_release(engine);
    return 0;
}

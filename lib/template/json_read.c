/* SPDX-License-Identifier: MIT */
/* One pass without recursion: open containers stand in a stack of their own. */
#include "template/json_read.h"

#include "base/utf8.h"
#include "base/number.h"
#include "template/place.h"

struct reader {
    struct machine *machine;
    const char *text, *what;
    size_t length, at;
    bool from_data;
};

/* An open list or object. */
struct level {
    struct sequence *list;
    struct mapping *mapping;
    struct value key;
};

static bool fail(struct reader *reader, size_t at, const char *message)
{
    struct place place = loam_place_of(reader->text, reader->length, at);
    return FAIL(reader->machine, LOAM_FORMAT, "%s: line %u, column %u: %s", reader->what,
                place.line, place.column, message);
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->length &&
           (reader->text[reader->at] == ' ' || reader->text[reader->at] == '\n' ||
            reader->text[reader->at] == '\r' || reader->text[reader->at] == '\t'))
        reader->at++;
}

static bool read_hex(struct reader *reader, uint32_t *out)
{
    *out = 0;
    if (reader->length - reader->at < 4)
        return fail(reader, reader->at, "\\u needs four hexadecimal digits");
    for (int i = 0; i < 4; i++) {
        char c = reader->text[reader->at + (size_t)i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return fail(reader, reader->at, "\\u needs four hexadecimal digits");
        *out = *out << 4 | (uint32_t)digit;
    }
    reader->at += 4;
    return true;
}

/* What follows a backslash. */
static bool read_escape(struct reader *reader, struct text_builder *builder)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    size_t start = reader->at - 1;
    char bytes[4];
    uint32_t c, low;
    if (reader->at == reader->length)
        return fail(reader, reader->at, "the text ends inside a string");
    char kind = reader->text[reader->at++];
    const char *found = kind ? strchr(from, kind) : NULL;
    if (found)
        return loam_builder_add(reader->machine, builder, &to[found - from], 1, reader->from_data);
    if (kind != 'u')
        return fail(reader, start, "unknown escape in a string");
    if (!read_hex(reader, &c))
        return false;
    if (c >= 0xD800 && c < 0xDC00 && reader->length - reader->at >= 6 &&
        memcmp(reader->text + reader->at, "\\u", 2) == 0) {
        reader->at += 2;
        if (!read_hex(reader, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(reader, start, "half of a surrogate pair stands alone");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xD800 && c <= 0xDFFF) {
        return fail(reader, start, "half of a surrogate pair stands alone");
    }
    return loam_builder_add(reader->machine, builder, bytes, loam_utf8_encode(bytes, c),
                            reader->from_data);
}

#define EACH_BYTE(value) ((uint64_t)(value) * 0x0101010101010101ull)

/* Bytes of text[length], eight at a time, in which is no quote, backslash or
 * control character; *all collects their bits. */
static size_t plain_bytes(const char *text, size_t length, uint64_t *all)
{
    size_t at = 0;
    for (uint64_t word; length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
        /* The top bit of each byte that is zero, or less than a space. */
        uint64_t found = ((quote - EACH_BYTE(1)) & ~quote) | ((slash - EACH_BYTE(1)) & ~slash) |
                         ((word - EACH_BYTE(' ')) & ~word);
        found &= EACH_BYTE(0x80);
        if (!found) {
            *all |= word;
            continue;
        }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        /* Exact up to the first one found, which is the lowest. */
        int bit = __builtin_ctzll(found) & ~7;
        *all |= word & ((1ull << bit) - 1);
        at += (size_t)bit / 8;
#endif
        break;
    }
    return at;
}

/* The position is behind the opening quote. */
static bool read_string(struct reader *reader, struct value *out)
{
    struct text_builder builder = {0};
    size_t start = reader->at;
    bool escaped = false;
    uint64_t all = 0;
    for (;;) {
        reader->at += plain_bytes(reader->text + reader->at, reader->length - reader->at, &all);
        if (reader->at == reader->length)
            return fail(reader, reader->at, "the text ends inside a string");
        unsigned char c = (unsigned char)reader->text[reader->at];
        all |= c;
        if (c < 0x20)
            return fail(reader, reader->at, "a control character inside a string");
        reader->at++;
        if (c != '"' && c != '\\')
            continue;
        size_t end = reader->at - 1;
        if (c == '"' && !escaped) {
            struct text *text = loam_text_refer(reader->machine, reader->text + start, end - start,
                                                reader->from_data);
            if (text)
                text->width = all & EACH_BYTE(0x80) ? WIDTH_WIDE : WIDTH_ASCII;
            *out = value_text(text);
            return text != NULL;
        }
        escaped = true;
        if (!loam_builder_add(reader->machine, &builder, reader->text + start, end - start,
                              reader->from_data))
            return false;
        if (c == '"')
            break;
        if (!read_escape(reader, &builder))
            return false;
        start = reader->at;
    }
    *out = value_text(loam_builder_finish(reader->machine, &builder));
    return out->text != NULL;
}

static size_t count_digits(const struct reader *reader, size_t at)
{
    size_t count = 0;
    while (at + count < reader->length && reader->text[at + count] >= '0' &&
           reader->text[at + count] <= '9')
        count++;
    return count;
}

static bool read_integer(struct reader *reader, struct value *out, size_t start, size_t end,
                         bool negative)
{
    uint64_t value = 0;
    for (size_t i = start; i < end; i++)
        if (!loam_multiply(&value, value, 10) ||
            !loam_sum(&value, value, (uint64_t)(reader->text[i] - '0')))
            value = UINT64_MAX;
    if (end - start > 19 || value > (uint64_t)INT64_MAX + negative)
        return fail(reader, start, "an integer of more than 64 bits");
    *out = value_integer((int64_t)(negative ? 0 - value : value));
    return true;
}

static bool read_number(struct reader *reader, struct value *out)
{
    bool negative = reader->text[reader->at] == '-', integer = true;
    size_t start = reader->at + negative, digits = count_digits(reader, start), end;
    double number;
    if (digits == 0 || (digits > 1 && reader->text[start] == '0'))
        return fail(reader, reader->at, "not a JSON value");
    end = start + digits;
    if (end < reader->length && reader->text[end] == '.') {
        digits = count_digits(reader, end + 1);
        if (digits == 0)
            return fail(reader, end, "digits must follow the point");
        end += 1 + digits;
        integer = false;
    }
    if (end < reader->length && (reader->text[end] == 'e' || reader->text[end] == 'E')) {
        size_t sign = end + 1 < reader->length &&
                      (reader->text[end + 1] == '-' || reader->text[end + 1] == '+');
        digits = count_digits(reader, end + 1 + sign);
        if (digits == 0)
            return fail(reader, end, "digits must follow the exponent's mark");
        end += 1 + sign + digits;
        integer = false;
    }
    reader->at = end;
    if (integer)
        return read_integer(reader, out, start, end, negative);
    if (!loam_number_read(&number, reader->text + start, end - start))
        return fail(reader, start, "not a JSON value");
    *out = value_float(negative ? -number : number);
    return true;
}

static bool read_word(struct reader *reader, struct value *out)
{
    static const struct {
        const char *word;
        struct value value;
    } words[] = {{"true", {.kind = VALUE_BOOLEAN, .boolean = true}},
                 {"false", {.kind = VALUE_BOOLEAN}},
                 {"null", {.kind = VALUE_NONE}}};
    for (size_t i = 0; i < LOAM_COUNT_OF(words); i++) {
        size_t length = strlen(words[i].word);
        if (reader->length - reader->at >= length &&
            memcmp(reader->text + reader->at, words[i].word, length) == 0) {
            *out = words[i].value;
            reader->at += length;
            return true;
        }
    }
    return fail(reader, reader->at, "not a JSON value");
}

/* A value that is no container. */
static bool read_scalar(struct reader *reader, struct value *out)
{
    char c = reader->text[reader->at];
    if (c == '"') {
        reader->at++;
        return read_string(reader, out);
    }
    if (!(c == '-' || (c >= '0' && c <= '9') ? read_number(reader, out) : read_word(reader, out)))
        return false;
    out->from_data = reader->from_data;
    return true;
}

static bool read_key(struct reader *reader, struct value *out)
{
    skip_space(reader);
    if (reader->at == reader->length || reader->text[reader->at] != '"')
        return fail(reader, reader->at, "expected a key in quotes");
    reader->at++;
    if (!read_string(reader, out))
        return false;
    skip_space(reader);
    if (reader->at == reader->length || reader->text[reader->at] != ':')
        return fail(reader, reader->at, "expected ':'");
    reader->at++;
    return true;
}

/* Opens the container at the present bracket. */
static bool open_level(struct reader *reader, struct level *level, struct value *out)
{
    bool list = reader->text[reader->at++] == '[';
    *level = (struct level){0};
    if (list) {
        level->list = loam_sequence_new(reader->machine, FLAVOUR_LIST, 0);
        if (!level->list)
            return false;
        level->list->from_data = reader->from_data;
        *out = value_sequence(level->list);
        return true;
    }
    level->mapping = loam_mapping_new(reader->machine);
    if (!level->mapping)
        return false;
    level->mapping->from_data = reader->from_data;
    *out = value_mapping(level->mapping);
    return true;
}

/* Whether the container closes here; else, unless it is just opened, a comma
 * is due. */
static bool read_closing(struct reader *reader, const struct level *level, bool opened,
                         bool *closed)
{
    skip_space(reader);
    char wanted = level->list ? ']' : '}';
    char c = reader->at < reader->length ? reader->text[reader->at] : 0;
    *closed = c == wanted && reader->at < reader->length;
    if (*closed || (c == ',' && !opened)) {
        reader->at++;
        return true;
    }
    return opened ||
           fail(reader, reader->at, level->list ? "expected ',' or ']'" : "expected ',' or '}'");
}

static bool put(struct reader *reader, struct level *level, struct value value)
{
    return level->list ? loam_sequence_add(reader->machine, level->list, value)
                       : loam_mapping_set(reader->machine, level->mapping, level->key, value);
}

static bool read_value(struct reader *reader, struct level *levels, struct value *out)
{
    size_t depth = 0;
    for (bool opened = false;;) {
        struct value value;
        bool closed = false;
        if (depth) {
            if (!read_closing(reader, &levels[depth - 1], opened, &closed))
                return false;
            if (closed && --depth == 0)
                return true;
            opened = false;
            if (closed)
                continue;
            if (levels[depth - 1].mapping && !read_key(reader, &levels[depth - 1].key))
                return false;
        }
        skip_space(reader);
        if (reader->at == reader->length)
            return fail(reader, reader->at, "the text ends before the value");
        char c = reader->text[reader->at];
        opened = c == '[' || c == '{';
        if (opened && depth == VALUE_DEPTH)
            return fail(reader, reader->at, "lists and objects nest too deeply");
        if (!machine_spend(reader->machine, 1) ||
            !(opened ? open_level(reader, &levels[depth], &value) : read_scalar(reader, &value)) ||
            (depth && !put(reader, &levels[depth - 1], value)))
            return false;
        if (depth == 0)
            *out = value;
        depth += opened;
        if (depth == 0)
            return true;
    }
}

bool loam_json_read(struct machine *machine, struct value *out, const char *text, size_t length,
                    bool from_data, const char *what)
{
    struct reader reader = {
        .machine = machine, .text = text, .what = what, .length = length, .from_data = from_data};
    if (!loam_utf8_valid(text, length))
        return FAIL(machine, LOAM_FORMAT, "%s: is not valid UTF-8", what);
    struct level *levels = loam_heap_get(&machine->heap, VALUE_DEPTH, sizeof *levels);
    if (!levels)
        return loam_machine_fail_memory(machine);
    if (!read_value(&reader, levels, out))
        return false;
    skip_space(&reader);
    return reader.at == length || fail(&reader, reader.at, "more text behind the value");
}

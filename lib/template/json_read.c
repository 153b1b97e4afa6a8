/* SPDX-License-Identifier: MIT */
/* One pass without recursion: open containers stand in a stack of their own. */
#include "template/json_read.h"

#include "base/json_text.h"
#include "base/number.h"
#include "base/utf8.h"
#include "template/place.h"

struct reader {
    struct machine *machine;
    const char *text, *what;
    size_t length, at;
    bool from_data;
    struct text *keys[64]; /* read lately, by hash */
};

/* An open list or object. */
struct level {
    struct value container;
    struct value key; /* of the member being read */
};

static bool fail(struct reader *reader, size_t at, const char *message)
{
    if (!loam_utf8_valid(reader->text, reader->length))
        return FAIL(reader->machine, LOAM_FORMAT, "%s: is not valid UTF-8", reader->what);
    struct place place = loam_place_of(reader->text, reader->length, at);
    return FAIL(reader->machine, LOAM_FORMAT, "%s: line %u, column %u: %s", reader->what,
                place.line, place.column, message);
}

/* The byte behind white space, 0 at the end. */
static inline char next_byte(struct reader *reader)
{
    const char *text = reader->text;
    size_t at = reader->at, length = reader->length;
    while (at < length &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        at++;
    reader->at = at;
    return at < length ? text[at] : 0;
}

/* ---- strings --------------------------------------------------------------------------- */

static bool fail_escape(struct reader *reader, size_t at)
{
    const char *text = reader->text + at;
    size_t digits = 2;
    if (reader->length - at < 2 || text[1] != 'u')
        return fail(reader, at, "unknown escape in a string");
    while (digits < 6 && digits < reader->length - at && text[digits] &&
           strchr("0123456789abcdefABCDEF", text[digits]))
        digits++;
    return fail(reader, at,
                digits == 6 ? "half of a surrogate pair stands alone"
                            : "\\u needs four hexadecimal digits");
}

/* Copies a string with escapes. */
static const char *resolve(struct reader *reader, struct json_string *string, size_t start)
{
    struct machine *machine = reader->machine;
    size_t raw = string->length, written;
    if (!machine_spend(machine, raw / 16))
        return NULL;
    char *bytes = loam_heap_bytes(&machine->heap, raw);
    if (!bytes) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    size_t at = loam_json_text_resolve(bytes, &written, string, reader->text + start);
    if (at < raw) {
        fail_escape(reader, start + at);
        return NULL;
    }
    loam_heap_return(&machine->heap, bytes + raw, raw - written);
    string->length = written;
    return bytes;
}

static inline struct text *make_text(struct reader *reader, const char *bytes, size_t length,
                                     enum text_width width)
{
    struct text *text = heap_get_one(&reader->machine->heap, sizeof *text);
    if (!text) {
        loam_machine_fail_memory(reader->machine);
        return NULL;
    }
    *text = (struct text){.bytes = length ? bytes : "",
                          .length = length,
                          .from_data = length && reader->from_data,
                          .width = (uint8_t)width};
    return text;
}

/* A string that is long, or not plain. */
static struct text *read_long(struct reader *reader)
{
    struct json_string string;
    size_t start = reader->at;
    const char *bytes = reader->text + start;
    bool good = loam_json_text_scan(&string, bytes, reader->length - start);
    reader->at += string.length;
    if (!good) {
        fail(reader, reader->at,
             reader->at == reader->length ? "the text ends inside a string"
                                          : "a control character inside a string");
        return NULL;
    }
    reader->at++;
    if (string.wide && !loam_utf8_valid(bytes, string.length)) {
        fail(reader, start, "is not valid UTF-8");
        return NULL;
    }
    if (!string.escaped)
        return make_text(reader, bytes, string.length, string.wide ? WIDTH_WIDE : WIDTH_ASCII);
    bytes = resolve(reader, &string, start);
    return bytes ? make_text(reader, bytes, string.length, WIDTH_UNKNOWN) : NULL;
}

/* The position is behind the opening quote. */
static inline struct text *read_string(struct reader *reader)
{
    const char *bytes = reader->text + reader->at;
    size_t length;
    if (!json_text_short(&length, bytes, reader->length - reader->at))
        return read_long(reader);
    reader->at += length + 1;
    return make_text(reader, bytes, length, WIDTH_ASCII);
}

/* The same for a key. Few keys stand for most of them: one that was read lately
 * is not made again. */
static inline struct text *read_key_text(struct reader *reader)
{
    const char *bytes = reader->text + reader->at;
    size_t length;
    uint32_t word;
    if (!json_text_short(&length, bytes, reader->length - reader->at))
        return read_long(reader);
    reader->at += length + 1;
    memcpy(&word, bytes, sizeof word); /* text goes on for 16 bytes */
    word = (length < 4 ? word << (8 * (4 - length) % 32) : word) + (uint32_t)length;
    struct text **recent = &reader->keys[word * 0x9E3779B1u >> 26];
    if (!*recent || (*recent)->length != length ||
        !text_bytes_equal((*recent)->bytes, bytes, length))
        *recent = make_text(reader, bytes, length, WIDTH_ASCII);
    return *recent;
}

/* ---- other values ------------------------------------------------------------------------ */

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
    static const char *const messages[] = {[JSON_NUMBER_NONE] = "not a JSON value",
                                           [JSON_NUMBER_POINT] = "digits must follow the point",
                                           [JSON_NUMBER_POWER] =
                                               "digits must follow the exponent's mark"};
    bool negative = reader->text[reader->at] == '-', whole;
    size_t start = reader->at, length;
    double number;
    enum json_number_fault fault =
        loam_json_text_number(&length, &whole, reader->text + start, reader->length - start);
    if (fault)
        return fail(reader, start + length, messages[fault]);
    reader->at = start + length;
    start += negative;
    if (whole)
        return read_integer(reader, out, start, reader->at, negative);
    if (!loam_number_read(&number, reader->text + start, reader->at - start))
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

/* A value that is no container; c is its first byte. */
static bool read_scalar(struct reader *reader, struct value *out, char c)
{
    if (c == '"') {
        reader->at++;
        *out = value_text(read_string(reader));
        return out->text != NULL;
    }
    if (reader->at == reader->length)
        return fail(reader, reader->at, "the text ends before the value");
    if (!(c == '-' || (c >= '0' && c <= '9') ? read_number(reader, out) : read_word(reader, out)))
        return false;
    out->from_data = reader->from_data;
    return true;
}

/* ---- lists and objects --------------------------------------------------------------------- */

static bool read_key(struct reader *reader, struct value *out)
{
    if (next_byte(reader) != '"')
        return fail(reader, reader->at, "expected a key in quotes");
    reader->at++;
    *out = value_text(read_key_text(reader));
    if (!out->text)
        return false;
    if (next_byte(reader) != ':')
        return fail(reader, reader->at, "expected ':'");
    reader->at++;
    return true;
}

/* Opens the container at the present bracket and closes it if it is empty. */
static bool open_level(struct reader *reader, struct level *level, bool list, bool *empty)
{
    reader->at++;
    *empty = next_byte(reader) == (list ? ']' : '}');
    reader->at += *empty;
    if (list) {
        struct sequence *items = loam_sequence_new(reader->machine, FLAVOUR_LIST, 0);
        if (!items)
            return false;
        items->from_data = reader->from_data;
        level->container = value_sequence(items);
        return true;
    }
    struct mapping *members = loam_mapping_new(reader->machine);
    if (!members)
        return false;
    members->from_data = reader->from_data;
    level->container = value_mapping(members);
    return *empty || read_key(reader, &level->key);
}

static inline bool put(struct reader *reader, struct level *level, struct value value)
{
    return level->container.kind == VALUE_SEQUENCE
               ? loam_sequence_add(reader->machine, level->container.sequence, value)
               : loam_mapping_set(reader->machine, level->container.mapping, level->key, value);
}

/* Behind a whole value: puts it into the container around it, and that one into
 * the next if it ends here, and so on, up to a comma (*depth > 0: another value
 * is due) or the end of the outermost. */
static bool finish(struct reader *reader, struct level *levels, size_t *depth, struct value *value)
{
    while (*depth) {
        struct level *level = &levels[*depth - 1];
        bool list = level->container.kind == VALUE_SEQUENCE;
        if (!put(reader, level, *value))
            return false;
        char c = next_byte(reader);
        if (c == ',') {
            reader->at++;
            return list || read_key(reader, &level->key);
        }
        if (c != (list ? ']' : '}'))
            return fail(reader, reader->at, list ? "expected ',' or ']'" : "expected ',' or '}'");
        reader->at++;
        *value = level->container;
        --*depth;
    }
    return true;
}

static bool read_value(struct reader *reader, struct level *levels, struct value *out)
{
    size_t depth = 0;
    do {
        bool open = false;
        char c = next_byte(reader);
        if (!machine_spend(reader->machine, 1))
            return false;
        if (c == '[' || c == '{') {
            bool empty;
            if (depth == VALUE_DEPTH)
                return fail(reader, reader->at, "lists and objects nest too deeply");
            if (!open_level(reader, &levels[depth], c == '[', &empty))
                return false;
            *out = levels[depth].container;
            depth += open = !empty;
        } else if (!read_scalar(reader, out, c)) {
            return false;
        }
        if (!open && !finish(reader, levels, &depth, out))
            return false;
    } while (depth);
    return true;
}

bool loam_json_read(struct machine *machine, struct value *out, const char *text, size_t length,
                    bool from_data, const char *what)
{
    struct reader reader = {
        .machine = machine, .text = text, .what = what, .length = length, .from_data = from_data};
    struct level *levels = loam_heap_get(&machine->heap, VALUE_DEPTH, sizeof *levels);
    if (!levels)
        return loam_machine_fail_memory(machine);
    if (!read_value(&reader, levels, out))
        return false;
    next_byte(&reader);
    return reader.at == length || fail(&reader, reader.at, "more text behind the value");
}

/* SPDX-License-Identifier: MIT */
/* JSON as Python's json.dumps writes it. */
#include "base/json_text.h"
#include "base/number.h"
#include "base/utf8.h"
#include "template/show.h"
#include "template/sort.h"

struct writer {
    struct machine *machine;
    struct text_builder *builder;
    const struct json_style *style;
    bool from_data;
};

static bool add(struct writer *writer, const char *bytes, size_t length)
{
    return loam_builder_add(writer->machine, writer->builder, bytes, length, writer->from_data);
}

static bool add_escape(struct writer *writer, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    char out[6] = {'\\', 'u'};
    for (int i = 0; i < 4; i++)
        out[2 + i] = digits[unit >> (12 - 4 * i) & 15];
    return add(writer, out, sizeof out);
}

/* A character that does not stand for itself. */
static bool write_escaped(struct writer *writer, uint32_t c)
{
    static const char short_forms[] = "\"\"\\\\\nn\rr\tt\bb\ff";
    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2)
        if ((uint32_t)short_forms[i] == c) {
            char out[2] = {'\\', short_forms[i + 1]};
            return add(writer, out, 2);
        }
    if (c < 0x10000)
        return add_escape(writer, c);
    return add_escape(writer, 0xD800 + ((c - 0x10000) >> 10)) &&
           add_escape(writer, 0xDC00 + ((c - 0x10000) & 0x3FF));
}

static bool write_text(struct writer *writer, const struct text *text)
{
    size_t start = 0, at = 0;
    uint8_t most = writer->style->ensure_ascii ? 0x7E : 0xFF;
    if (!add(writer, "\"", 1))
        return false;
    while (at < text->length) {
        if (text->length - at >= sizeof(bytes16)) {
            bytes16 bytes = bytes16_load(text->bytes + at);
            if (!bytes16_tops(json_text_marks(bytes) | (bytes16)(bytes > most))) {
                at += sizeof bytes;
                continue;
            }
        }
        unsigned char byte = (unsigned char)text->bytes[at];
        uint32_t c = byte;
        size_t step = 1;
        bool escape = byte < 0x20 || byte == '"' || byte == '\\' || byte > most;
        if (escape) {
            step = loam_utf8_decode(&c, text->bytes + at, text->length - at);
            if (!add(writer, text->bytes + start, at - start) || !write_escaped(writer, c))
                return false;
            start = at + step;
        }
        at += step;
    }
    return add(writer, text->bytes + start, at - start) && add(writer, "\"", 1);
}

static bool write_float(struct writer *writer, double number)
{
    char text[NUMBER_TEXT];
    size_t length = loam_number_show(text, number);
    if (number != number)
        return add(writer, "NaN", 3);
    if (text[length - 1] == 'f')
        return add(writer, number < 0 ? "-Infinity" : "Infinity", number < 0 ? 9 : 8);
    return add(writer, text, length);
}

static bool write_scalar(struct writer *writer, struct value value)
{
    char number[NUMBER_TEXT];
    switch (value.kind) {
    case VALUE_NONE:
        return add(writer, "null", 4);
    case VALUE_BOOLEAN:
        return add(writer, value.boolean ? "true" : "false", value.boolean ? 4 : 5);
    case VALUE_INTEGER:
        return add(writer, number, loam_number_show_integer(number, value.integer));
    case VALUE_FLOAT:
        return write_float(writer, value.number);
    case VALUE_STRING:
        return write_text(writer, value.text);
    default:
        return FAIL(writer->machine, LOAM_FORMAT, "Object of type %s is not JSON serializable",
                    loam_values_type(value));
    }
}

static bool write_line(struct writer *writer, int depth)
{
    const struct text *indent = writer->style->indent;
    if (!indent)
        return true;
    if (!add(writer, "\n", 1))
        return false;
    for (; depth > 0; depth--)
        if (!add(writer, indent->bytes, indent->length))
            return false;
    return true;
}

static bool write_separator(struct writer *writer, const struct text *separator,
                            const char *otherwise)
{
    return separator ? add(writer, separator->bytes, separator->length)
                     : add(writer, otherwise, strlen(otherwise));
}

static bool write_comma(struct writer *writer)
{
    return write_separator(writer, writer->style->item_separator,
                           writer->style->indent ? "," : ", ");
}

static bool write_value(struct writer *writer, struct value value, int depth);

/* A key that is no text becomes one. */
static bool write_key(struct writer *writer, struct value key)
{
    if (key.kind == VALUE_STRING)
        return write_text(writer, key.text);
    if (key.kind != VALUE_NONE && !value_is_number(key))
        return FAIL(writer->machine, LOAM_FORMAT,
                    "keys must be str, int, float, bool or None, not %s", loam_values_type(key));
    return add(writer, "\"", 1) && write_scalar(writer, key) && add(writer, "\"", 1);
}

static bool write_mapping(struct writer *writer, const struct mapping *mapping, int depth)
{
    size_t *order = NULL;
    if (writer->style->sort_keys && !loam_sort_keys(writer->machine, &order, mapping))
        return false;
    if (!add(writer, "{", 1))
        return false;
    for (size_t i = 0; i < mapping->count; i++) {
        const struct entry *entry = &mapping->entries[order ? order[i] : i];
        if ((i && !write_comma(writer)) || !write_line(writer, depth) ||
            !write_key(writer, entry->key) ||
            !write_separator(writer, writer->style->key_separator, ": ") ||
            !write_value(writer, entry->item, depth))
            return false;
    }
    return (!mapping->count || write_line(writer, depth - 1)) && add(writer, "}", 1);
}

static bool write_value(struct writer *writer, struct value value, int depth)
{
    if (depth == VALUE_DEPTH)
        return FAIL(writer->machine, LOAM_UNSUPPORTED, "values nest more than %d deep",
                    VALUE_DEPTH);
    if (!machine_spend(writer->machine, 1))
        return false;
    if (value.kind == VALUE_MAPPING)
        return write_mapping(writer, value.mapping, depth + 1);
    if (value.kind != VALUE_SEQUENCE || value.sequence->flavour > FLAVOUR_TUPLE)
        return write_scalar(writer, value);
    const struct sequence *list = value.sequence;
    if (!add(writer, "[", 1))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if ((i && !write_comma(writer)) || !write_line(writer, depth + 1) ||
            !write_value(writer, list->items[i], depth + 1))
            return false;
    return (!list->count || write_line(writer, depth)) && add(writer, "]", 1);
}

bool loam_show_json(struct machine *machine, struct text_builder *builder, struct value value,
                    const struct json_style *style)
{
    struct writer writer = {.machine = machine,
                            .builder = builder,
                            .style = style,
                            .from_data = loam_values_from_data(machine, value, VALUE_DEPTH)};
    return write_value(&writer, value, 0);
}

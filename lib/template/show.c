/* SPDX-License-Identifier: MIT */
/* str() and repr(). A container is shown as data if any part of it is. */
#include "template/show.h"

#include "base/utf8.h"
#include "template/characters.h"
#include "base/number.h"

static bool add(struct machine *machine, struct text_builder *builder, const char *bytes,
                bool from_data)
{
    return loam_builder_add(machine, builder, bytes, strlen(bytes), from_data);
}

static bool add_hex(struct machine *machine, struct text_builder *builder, uint32_t c,
                    bool from_data)
{
    static const char digits[] = "0123456789abcdef";
    int count = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    char out[10] = {'\\', count == 2 ? 'x' : count == 4 ? 'u' : 'U'};
    for (int i = 0; i < count; i++)
        out[2 + i] = digits[c >> 4 * (count - 1 - i) & 15];
    return loam_builder_add(machine, builder, out, (size_t)count + 2, from_data);
}

static bool repr_text(struct machine *machine, struct text_builder *builder,
                      const struct text *text, bool from_data)
{
    bool single = memchr(text->bytes, '\'', text->length) != NULL;
    bool twice = memchr(text->bytes, '"', text->length) != NULL;
    char quote = single && !twice ? '"' : '\'';
    size_t start = 0, at = 0;
    if (!loam_builder_add(machine, builder, &quote, 1, from_data))
        return false;
    while (at < text->length) {
        uint32_t c;
        size_t step = loam_utf8_decode(&c, text->bytes + at, text->length - at);
        char escaped[2] = {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : (char)c};
        bool simple = c == '\n' || c == '\r' || c == '\t' || c == '\\' || c == (uint32_t)quote;
        if (simple || !loam_characters_is_printable(c)) {
            if (!loam_builder_add(machine, builder, text->bytes + start, at - start, from_data) ||
                !(simple ? loam_builder_add(machine, builder, escaped, 2, from_data)
                         : add_hex(machine, builder, c, from_data)))
                return false;
            start = at + step;
        }
        at += step;
    }
    return loam_builder_add(machine, builder, text->bytes + start, at - start, from_data) &&
           loam_builder_add(machine, builder, &quote, 1, from_data);
}

static bool repr_at(struct machine *machine, struct text_builder *builder, struct value value,
                    bool from_data, int depth);

static bool repr_sequence(struct machine *machine, struct text_builder *builder,
                          const struct sequence *sequence, bool from_data, int depth)
{
    static const char *const opening[] = {
        "[", "(", "", "", "dict_keys([", "dict_values([", "dict_items(["};
    static const char *const closing[] = {"]", ")", "", "", "])", "])", "])"};
    if (sequence->flavour == FLAVOUR_GENERATOR)
        return FAIL(machine, LOAM_UNSUPPORTED, "a generator has no text: use |list or |join");
    if (!add(machine, builder, opening[sequence->flavour], from_data))
        return false;
    for (size_t i = 0; i < sequence->count; i++)
        if ((i && !add(machine, builder, ", ", from_data)) ||
            !repr_at(machine, builder, sequence->items[i], from_data, depth))
            return false;
    if (sequence->flavour == FLAVOUR_TUPLE && sequence->count == 1 &&
        !add(machine, builder, ",", from_data))
        return false;
    return add(machine, builder, closing[sequence->flavour], from_data);
}

static bool repr_range(struct machine *machine, struct text_builder *builder,
                       const struct sequence *range)
{
    char number[NUMBER_TEXT];
    int64_t parts[] = {range->start, range->stop, range->step};
    for (int i = 0; i < (range->step == 1 ? 2 : 3); i++)
        if (!add(machine, builder, i ? ", " : "range(", false) ||
            !loam_builder_add(machine, builder, number, loam_number_show_integer(number, parts[i]),
                              false))
            return false;
    return add(machine, builder, ")", false);
}

static bool repr_mapping(struct machine *machine, struct text_builder *builder,
                         const struct mapping *mapping, bool from_data, int depth)
{
    if (!add(machine, builder, "{", from_data))
        return false;
    for (size_t i = 0; i < mapping->count; i++)
        if ((i && !add(machine, builder, ", ", from_data)) ||
            !repr_at(machine, builder, mapping->entries[i].key, from_data, depth) ||
            !add(machine, builder, ": ", from_data) ||
            !repr_at(machine, builder, mapping->entries[i].item, from_data, depth))
            return false;
    return add(machine, builder, "}", from_data);
}

static bool repr_scalar(struct machine *machine, struct text_builder *builder, struct value value,
                        bool from_data)
{
    char number[NUMBER_TEXT];
    switch (value.kind) {
    case VALUE_UNDEFINED:
        return add(machine, builder, "Undefined", from_data);
    case VALUE_NONE:
        return add(machine, builder, "None", from_data);
    case VALUE_BOOLEAN:
        return add(machine, builder, value.boolean ? "True" : "False", from_data);
    case VALUE_INTEGER:
        return loam_builder_add(machine, builder, number,
                                loam_number_show_integer(number, value.integer), from_data);
    case VALUE_FLOAT:
        return loam_builder_add(machine, builder, number, loam_number_show(number, value.number),
                                from_data);
    default:
        return FAIL(machine, LOAM_UNSUPPORTED, "a value of type '%s' has no text",
                    loam_values_type(value));
    }
}

static bool repr_at(struct machine *machine, struct text_builder *builder, struct value value,
                    bool from_data, int depth)
{
    if (depth == 0)
        return FAIL(machine, LOAM_UNSUPPORTED, "values nest more than %d deep", VALUE_DEPTH);
    if (!machine_spend(machine, 1))
        return false;
    switch (value.kind) {
    case VALUE_STRING:
        return repr_text(machine, builder, value.text, from_data);
    case VALUE_SEQUENCE:
        if (value.sequence->flavour == FLAVOUR_RANGE)
            return repr_range(machine, builder, value.sequence);
        return repr_sequence(machine, builder, value.sequence, from_data, depth - 1);
    case VALUE_NAMESPACE:
        return add(machine, builder, "<Namespace ", from_data) &&
               repr_mapping(machine, builder, value.mapping, from_data, depth - 1) &&
               add(machine, builder, ">", from_data);
    case VALUE_MAPPING:
        return repr_mapping(machine, builder, value.mapping, from_data, depth - 1);
    default:
        return repr_scalar(machine, builder, value, from_data);
    }
}

bool loam_show_repr(struct machine *machine, struct text_builder *builder, struct value value)
{
    bool from_data = loam_values_from_data(machine, value, VALUE_DEPTH);
    return repr_at(machine, builder, value, from_data, VALUE_DEPTH);
}

bool loam_show_print(struct machine *machine, struct text_builder *builder, struct value value)
{
    if (value.kind == VALUE_STRING)
        return loam_builder_add_text(machine, builder, value.text);
    if (value.kind == VALUE_UNDEFINED)
        return true;
    return loam_show_repr(machine, builder, value);
}

struct text *loam_show_text(struct machine *machine, struct value value)
{
    struct text_builder builder = {0};
    if (value.kind == VALUE_STRING)
        return value.text;
    if (!loam_show_print(machine, &builder, value))
        return NULL;
    return loam_builder_finish(machine, &builder);
}

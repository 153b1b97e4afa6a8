/* SPDX-License-Identifier: MIT */
/* "%s" % value, and the filter format. */
#include "template/filters.h"
#include "template/format.h"
#include "template/show.h"

struct percent {
    struct machine *machine;
    struct text *format;
    size_t at; /* in the format */
    const struct arguments *arguments;
    size_t next; /* positional argument */
    struct text_builder out;
};

/* "(name)": the item of the mapping, or the keyword. */
static bool named_value(struct percent *percent, struct value *out)
{
    size_t start = percent->at + 1;
    size_t end = loam_text_find(percent->format, start, percent->format->length, ")", 1);
    const struct arguments *arguments = percent->arguments;
    struct value *item = NULL;
    if (end == SIZE_MAX)
        return FAIL(percent->machine, LOAM_FORMAT, "incomplete format key");
    struct text *name = loam_text_part(percent->machine, percent->format, start, end);
    if (!name)
        return false;
    percent->at = end + 1;
    percent->next = arguments->count;
    if (arguments->count == 2 && arguments->values[1].kind == VALUE_MAPPING)
        item = loam_mapping_find_text(percent->machine, arguments->values[1].mapping, name);
    for (size_t i = 0; i < arguments->keyword_count && !item; i++)
        if (text_equal(arguments->keywords[2 * i].text, name)) {
            *out = arguments->keywords[2 * i + 1];
            return true;
        }
    if (!item)
        return FAIL(percent->machine, LOAM_FORMAT, "format: no value named '%.*s'",
                    LOAM_SHOWN(name->length), name->bytes);
    *out = *item;
    return true;
}

static char peek(const struct percent *percent)
{
    return percent->at < percent->format->length ? percent->format->bytes[percent->at] : 0;
}

static bool read_spec(struct percent *percent, struct format_spec *spec)
{
    for (;; percent->at++) {
        char c = peek(percent);
        if (c == '-')
            spec->align = '<';
        else if (c == '+' || (c == ' ' && !spec->sign))
            spec->sign = c;
        else if (c == '#')
            spec->alternate = true;
        else if (c == '0')
            spec->zero = true;
        else if (c != ' ')
            break;
    }
    bool good = loam_format_read(percent->format, &percent->at, &spec->width);
    if (good && peek(percent) == '.') {
        percent->at++;
        good = loam_format_read(percent->format, &percent->at, &spec->precision);
    }
    if (!good)
        return FAIL(percent->machine, LOAM_UNSUPPORTED, "format: width or precision is too large");
    if (spec->align == '<')
        spec->zero = false;
    spec->type = peek(percent);
    percent->at++;
    if (spec->type == 'i' || spec->type == 'u')
        spec->type = 'd';
    if (!spec->type || !strchr("dxXoeEfFgGcrsa%", spec->type))
        return FAIL(percent->machine, LOAM_FORMAT, "format: an unsupported conversion");
    return true;
}

static bool convert(struct percent *percent, struct value value, struct format_spec *spec)
{
    struct machine *machine = percent->machine;
    struct text_builder builder = {0};
    if (strchr("rsa", spec->type)) {
        struct text *text = NULL;
        if (spec->type == 'a')
            return FAIL(machine, LOAM_UNSUPPORTED, "format: %%a is not supported");
        if (spec->type == 's')
            text = loam_show_text(machine, value);
        else if (loam_show_repr(machine, &builder, value))
            text = loam_builder_finish(machine, &builder);
        spec->align = spec->align ? spec->align : '>';
        return text && loam_format_text(machine, &percent->out, text, spec);
    }
    if (spec->type == 'c' && value.kind == VALUE_STRING) {
        if (loam_text_characters(value.text) != 1)
            return FAIL(machine, LOAM_FORMAT, "%%c requires int or char");
        return loam_format_text(machine, &percent->out, value.text, spec);
    }
    if (value.kind == VALUE_FLOAT && spec->type == 'd') { /* cut, as int() does */
        if (!(value.number > -9.2e18 && value.number < 9.2e18))
            return FAIL(machine, LOAM_UNSUPPORTED, "an integer of more than 64 bits");
        value.integer = (int64_t)value.number;
        value.kind = VALUE_INTEGER;
    }
    return loam_format_number(machine, &percent->out, value, spec);
}

/* Behind a percent sign. */
static bool directive(struct percent *percent)
{
    struct format_spec spec = {.precision = -1};
    struct value value = {0};
    bool named = peek(percent) == '(';
    if ((named && !named_value(percent, &value)) || !read_spec(percent, &spec))
        return false;
    if (spec.type == '%')
        return loam_builder_add(percent->machine, &percent->out, "%", 1,
                                loam_text_from_data(percent->format));
    if (!named) {
        if (percent->next >= percent->arguments->count)
            return FAIL(percent->machine, LOAM_FORMAT, "not enough arguments for format string");
        value = percent->arguments->values[percent->next++];
    }
    return convert(percent, value, &spec);
}

bool loam_format_percent(struct machine *machine, struct value *out, struct text *format,
                         const struct arguments *arguments)
{
    struct percent percent = {
        .machine = machine, .format = format, .arguments = arguments, .next = 1};
    while (percent.at < format->length) {
        size_t found = loam_text_find(format, percent.at, format->length, "%", 1);
        size_t end = found == SIZE_MAX ? format->length : found;
        if (!machine_spend(machine, 1) ||
            !loam_builder_add_part(machine, &percent.out, format, percent.at, end))
            return false;
        percent.at = end + 1;
        if (found != SIZE_MAX && !directive(&percent))
            return false;
    }
    bool mapping = arguments->count == 2 && arguments->values[1].kind == VALUE_MAPPING;
    if (percent.next < arguments->count && !mapping)
        return FAIL(machine, LOAM_FORMAT, "not all arguments converted during string formatting");
    struct text *text = loam_builder_finish(machine, &percent.out);
    *out = value_text(text);
    return text != NULL;
}

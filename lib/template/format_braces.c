/* SPDX-License-Identifier: MIT */
/* str.format: "{}", "{0}", "{name.attribute[item]!r:>10}". */
#include "template/format.h"
#include "template/show.h"

struct braces {
    struct machine *machine;
    struct text *format;
    size_t at;
    const struct arguments *arguments;
    size_t next; /* automatic number */
    struct text_builder out;
};

static bool fail(struct braces *braces, const char *message)
{
    return FAIL(braces->machine, LOAM_FORMAT, "format: %s", message);
}

/* Digits are an integer, else text. */
static bool key_of(struct braces *braces, size_t start, size_t end, struct value *out)
{
    size_t at = start;
    int number = 0;
    if (end > start && loam_format_read(braces->format, &at, &number) && at == end) {
        *out = value_integer(number);
        return true;
    }
    struct text *text = loam_text_part(braces->machine, braces->format, start, end);
    *out = value_text(text);
    return text != NULL;
}

/* The argument that a field's first name means. */
static bool argument_of(struct braces *braces, size_t start, size_t end, struct value *out)
{
    const struct arguments *arguments = braces->arguments;
    struct value key = value_integer((int64_t)braces->next);
    if (start == end)
        braces->next++;
    else if (!key_of(braces, start, end, &key))
        return false;
    if (key.kind == VALUE_INTEGER) {
        if ((uint64_t)key.integer + 1 >= arguments->count)
            return fail(braces, "replacement index out of range");
        *out = arguments->values[key.integer + 1];
        return true;
    }
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (text_equal(arguments->keywords[2 * i].text, key.text)) {
            *out = arguments->keywords[2 * i + 1];
            return true;
        }
    return fail(braces, "no argument of that name");
}

/* The end of a name: at one of the characters. */
static size_t name_end(const struct braces *braces, size_t at, const char *ends)
{
    const struct text *format = braces->format;
    while (at < format->length && !(format->bytes[at] && strchr(ends, format->bytes[at])))
        at++;
    return at;
}

/* name.attribute[item] */
static bool field_value(struct braces *braces, struct value *out)
{
    struct text *format = braces->format;
    size_t end = name_end(braces, braces->at, ".[!:}{");
    if (!argument_of(braces, braces->at, end, out))
        return false;
    braces->at = end;
    while (braces->at < format->length &&
           (format->bytes[braces->at] == '.' || format->bytes[braces->at] == '[')) {
        bool item = format->bytes[braces->at++] == '[';
        struct value key;
        end = name_end(braces, braces->at, item ? "]" : ".[!:}{");
        if (end == format->length || end == braces->at)
            return fail(braces, "empty attribute in format string");
        if (!key_of(braces, braces->at, end, &key))
            return false;
        braces->at = end + item;
        if (!machine_spend(braces->machine, 1) ||
            !(item || key.kind != VALUE_STRING
                  ? loam_operators_subscript(braces->machine, out, *out, key)
                  : loam_operators_attribute(braces->machine, out, *out, key.text)))
            return false;
        if (out->kind == VALUE_UNDEFINED)
            return loam_values_fail_undefined(braces->machine, *out);
    }
    return true;
}

static char peek(const struct braces *braces)
{
    return braces->at < braces->format->length ? braces->format->bytes[braces->at] : 0;
}

static bool is_align(char c)
{
    return c == '<' || c == '>' || c == '^' || c == '=';
}

/* [[fill]align][sign][#][0][width][grouping][.precision][type] */
static bool read_spec(struct braces *braces, struct format_spec *spec)
{
    struct text *format = braces->format;
    size_t step = braces->at < format->length ? loam_text_step(format, braces->at) : 0;
    if (step && braces->at + step < format->length && is_align(format->bytes[braces->at + step]) &&
        peek(braces) != '}') {
        spec->fill = loam_text_part(braces->machine, format, braces->at, braces->at + step);
        if (!spec->fill)
            return false;
        braces->at += step;
    }
    if (is_align(peek(braces)))
        spec->align = format->bytes[braces->at++];
    if (peek(braces) == '+' || peek(braces) == ' ' || peek(braces) == '-') {
        spec->sign = format->bytes[braces->at++];
        spec->sign = spec->sign == '-' ? 0 : spec->sign;
    }
    if (peek(braces) == '#') {
        spec->alternate = true;
        braces->at++;
    }
    if (peek(braces) == '0') {
        spec->zero = !spec->align;
        braces->at++;
    }
    bool good = loam_format_read(format, &braces->at, &spec->width);
    if (peek(braces) == ',' || peek(braces) == '_')
        spec->group = format->bytes[braces->at++];
    if (good && peek(braces) == '.') {
        braces->at++;
        good = loam_format_read(format, &braces->at, &spec->precision);
    }
    if (!good)
        return fail(braces, "width or precision is too large");
    if (peek(braces) && peek(braces) != '}')
        spec->type = format->bytes[braces->at++];
    return peek(braces) == '}' || fail(braces, "an unsupported format specification");
}

static bool put_value(struct braces *braces, struct value value, struct format_spec *spec,
                      bool plain)
{
    struct machine *machine = braces->machine;
    if (plain)
        return loam_show_print(machine, &braces->out, value);
    if (value.kind == VALUE_STRING) {
        if ((spec->type && spec->type != 's') || spec->sign || spec->align == '=' || spec->group)
            return fail(braces, "a format code that text does not have");
        return loam_format_text(machine, &braces->out, value.text, spec);
    }
    if (!value_is_number(value))
        return fail(braces, "a format specification for a value that has none");
    if (!spec->type && (value.kind == VALUE_FLOAT || value.kind == VALUE_BOOLEAN)) {
        struct text_builder builder = {0};
        if (spec->precision >= 0 || spec->sign || spec->zero || spec->group)
            return FAIL(machine, LOAM_UNSUPPORTED, "format: a number needs a type such as f here");
        spec->align = spec->align ? spec->align : '>';
        struct text *text = loam_show_print(machine, &builder, value)
                                ? loam_builder_finish(machine, &builder)
                                : NULL;
        return text && loam_format_text(machine, &braces->out, text, spec);
    }
    spec->type = spec->type ? spec->type : 'd';
    if (!strchr("bcdoxXeEfFgG%", spec->type))
        return fail(braces, "an unsupported format code");
    return loam_format_number(machine, &braces->out, value, spec);
}

/* Behind "{". */
static bool replacement(struct braces *braces)
{
    struct format_spec spec = {.precision = -1};
    struct text_builder builder = {0};
    struct value value;
    bool plain = true;
    if (!field_value(braces, &value))
        return false;
    if (peek(braces) == '!') {
        char conversion =
            braces->at + 1 < braces->format->length ? braces->format->bytes[braces->at + 1] : 0;
        if (conversion != 'r' && conversion != 's')
            return fail(braces, "an unsupported conversion behind '!'");
        if (!(conversion == 'r' ? loam_show_repr(braces->machine, &builder, value)
                                : loam_show_print(braces->machine, &builder, value)))
            return false;
        struct text *text = loam_builder_finish(braces->machine, &builder);
        if (!text)
            return false;
        value = value_text(text);
        braces->at += 2;
    }
    if (peek(braces) == ':') {
        braces->at++;
        plain = peek(braces) == '}';
        if (!read_spec(braces, &spec))
            return false;
    }
    if (peek(braces) != '}')
        return fail(braces, "expected '}' before end of string");
    braces->at++;
    return put_value(braces, value, &spec, plain);
}

bool loam_format_braces(struct machine *machine, struct value *out,
                        const struct arguments *arguments)
{
    struct text *format = arguments->values[0].text;
    struct braces braces = {.machine = machine, .format = format, .arguments = arguments};
    while (braces.at < format->length) {
        size_t end = name_end(&braces, braces.at, "{}");
        char c = end < format->length ? format->bytes[end] : 0;
        bool twice = c && end + 1 < format->length && format->bytes[end + 1] == c;
        if (!machine_spend(machine, 1) ||
            !loam_builder_add_part(machine, &braces.out, format, braces.at, end + twice))
            return false;
        braces.at = end + (c != 0) + twice;
        if (c == '}' && !twice)
            return fail(&braces, "single '}' encountered in format string");
        if (c == '{' && !twice && !replacement(&braces))
            return false;
    }
    struct text *text = loam_builder_finish(machine, &braces.out);
    *out = value_text(text);
    return text != NULL;
}

/* SPDX-License-Identifier: MIT */
#include "template/native.h"

#include "template/execute.h"

const struct native *loam_native_find(const struct native *table, const char *name, size_t length)
{
    for (; table->name && length; table++)
        if (table->name[0] == name[0] && strlen(table->name) == length &&
            memcmp(table->name, name, length) == 0)
            return table;
    return NULL;
}

/* The place of the name in "a,b,c", from 1; 0: none. */
static size_t parameter_place(const char *parameters, const struct text *name)
{
    for (size_t place = 1; parameters && *parameters; place++) {
        const char *comma = strchr(parameters, ',');
        size_t length = comma ? (size_t)(comma - parameters) : strlen(parameters);
        if (length == name->length && memcmp(parameters, name->bytes, length) == 0)
            return place;
        parameters += length + (comma != NULL);
    }
    return 0;
}

static size_t parameter_count(const char *parameters)
{
    size_t count = parameters != NULL;
    for (; parameters && *parameters; parameters++)
        count += *parameters == ',';
    return count;
}

bool loam_native_call(struct machine *machine, struct value *out, const struct native *native,
                      const struct arguments *arguments)
{
    struct value bound[NATIVE_PARAMETERS + 1] = {{0}};
    *out = value_none();
    if (native->call_any)
        return native->call_any(machine, out, arguments);
    size_t count = parameter_count(native->parameters);
    if (arguments->count > count + 1)
        return FAIL(machine, LOAM_FORMAT, "%s takes at most %zu argument(s), %zu were given",
                    native->name, count, arguments->count - 1);
    memcpy(bound, arguments->values, arguments->count * sizeof *bound);
    for (size_t i = 0; i < arguments->keyword_count; i++) {
        const struct text *name = arguments->keywords[2 * i].text;
        size_t place = parameter_place(native->parameters, name);
        if (place == 0 || bound[place].kind != VALUE_MISSING)
            return FAIL(machine, LOAM_FORMAT, "%s: unexpected argument '%.*s'", native->name,
                        LOAM_SHOWN(name->length), name->bytes);
        bound[place] = arguments->keywords[2 * i + 1];
    }
    for (size_t i = 1; i <= native->required; i++)
        if (bound[i].kind == VALUE_MISSING)
            return FAIL(machine, LOAM_FORMAT, "%s: argument %zu is missing", native->name, i);
    return native->call(machine, out, bound);
}

bool loam_native_integer(struct machine *machine, int64_t *out, struct value argument,
                         const char *name)
{
    if (argument.kind == VALUE_MISSING || argument.kind == VALUE_NONE)
        return true;
    if (argument.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, argument);
    if (!value_is_integer(argument))
        return FAIL(machine, LOAM_FORMAT, "%s must be an integer, not '%s'", name,
                    loam_values_type(argument));
    *out = value_to_integer(argument);
    return true;
}

bool loam_native_string(struct machine *machine, struct text **out, struct value argument,
                        const char *name)
{
    if (argument.kind == VALUE_MISSING || argument.kind == VALUE_NONE)
        return true;
    if (argument.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, argument);
    if (argument.kind != VALUE_STRING)
        return FAIL(machine, LOAM_FORMAT, "%s must be str, not '%s'", name,
                    loam_values_type(argument));
    *out = argument.text;
    return true;
}

/* Digits as an index, anything else as text. */
static bool path_part(struct machine *machine, struct value *out, struct text *path, size_t start,
                      size_t end)
{
    int64_t index = 0;
    bool digits = end > start && end - start < 10;
    for (size_t i = start; i < end && digits; i++) {
        digits = path->bytes[i] >= '0' && path->bytes[i] <= '9';
        index = 10 * index + (path->bytes[i] - '0');
    }
    if (digits) {
        *out = value_integer(index);
        return true;
    }
    struct text *part = loam_text_part(machine, path, start, end);
    *out = value_text(part);
    return part != NULL;
}

bool loam_native_path(struct machine *machine, struct value *out, struct value value,
                      struct value path)
{
    *out = value;
    if (value_is_integer(path))
        return loam_operators_subscript(machine, out, value, path);
    if (path.kind != VALUE_STRING)
        return FAIL(machine, LOAM_FORMAT, "an attribute must be str or int, not '%s'",
                    loam_values_type(path));
    for (size_t start = 0, end; start <= path.text->length; start = end + 1) {
        struct value key;
        end = loam_text_find(path.text, start, path.text->length, ".", 1);
        end = end == SIZE_MAX ? path.text->length : end;
        if (!path_part(machine, &key, path.text, start, end) ||
            !loam_operators_subscript(machine, out, *out, key))
            return false;
    }
    return true;
}

struct text *loam_native_escape(struct machine *machine, struct text *text)
{
    static const char *const entities[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&#34;", ['\''] = "&#39;"};
    struct text_builder builder = {0};
    size_t start = 0;
    if (text->markup)
        return text;
    for (size_t i = 0; i < text->length; i++) {
        const char *entity = entities[(unsigned char)text->bytes[i]];
        if (!entity)
            continue;
        if (!loam_builder_add_part(machine, &builder, text, start, i) ||
            !loam_builder_add(machine, &builder, entity, strlen(entity), loam_text_from_data(text)))
            return NULL;
        start = i + 1;
    }
    if (!loam_builder_add_part(machine, &builder, text, start, text->length))
        return NULL;
    struct text *escaped = loam_builder_finish(machine, &builder);
    if (escaped)
        escaped->markup = true;
    return escaped;
}

/* SPDX-License-Identifier: MIT */
/* Command lines by table: --name VALUE, --name=VALUE, -x VALUE. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int print_help(const char *usage, const struct option *options, size_t count)
{
    printf("usage: loam %s\n\n", usage);
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s%s", options[i].brief ? options[i].brief : "",
                 options[i].brief ? ", " : "    ", options[i].name, options[i].argument ? " " : "",
                 options[i].argument ? options[i].argument : "");
        printf("  %-28s %s\n", left, options[i].help);
    }
    return finish_output();
}

static int bad_value(const struct option *option, const char *text, const char *expected)
{
    fail("%s: found \"%s\", expected %s", option->name, text, expected);
    return EXIT_USAGE;
}

static int read_integer(const struct option *option, const char *text)
{
    char *end, expected[96];
    errno = 0;
    long long value = strtoll(text, &end, 10);
    snprintf(expected, sizeof expected, "an integer from %.0f to %.0f", option->least,
             option->most);
    if (end == text || *end || errno || (double)value < option->least ||
        (double)value > option->most)
        return bad_value(option, text, expected);
    *(long long *)option->value = value;
    return -1;
}

static int read_number(const struct option *option, const char *text)
{
    char *end, expected[96];
    double value = strtod(text, &end);
    snprintf(expected, sizeof expected, "a number from %g to %g", option->least, option->most);
    if (end == text || *end || !(value >= option->least && value <= option->most))
        return bad_value(option, text, expected);
    *(double *)option->value = value;
    return -1;
}

static int read_bytes(const struct option *option, const char *text)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long value = text[0] == '-' ? 0 : strtoull(text, &end, 10);
    if (text[0] == '-' || end == text || errno)
        return bad_value(option, text, "bytes, such as 800M or 4G");
    const char *unit = *end ? strchr(units, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if ((*end && (!unit || end[1])) || value > ~0ull >> shift)
        return bad_value(option, text, "bytes, such as 800M or 4G");
    *(unsigned long long *)option->value = value << shift;
    return -1;
}

static int set(const struct option *option, const char *text)
{
    struct text_list *list = option->value;
    switch (option->kind) {
    case OPTION_FLAG:
        *(int *)option->value = 1;
        return -1;
    case OPTION_TEXT:
        *(const char **)option->value = text;
        return -1;
    case OPTION_INTEGER:
        return read_integer(option, text);
    case OPTION_NUMBER:
        return read_number(option, text);
    case OPTION_BYTES:
        return read_bytes(option, text);
    default:
        if (list->count == COUNT_OF(list->items))
            return bad_value(option, text, "at most 64 of them");
        list->items[list->count++] = text;
        return -1;
    }
}

/* The option that an argument names, up to a '='. */
static const struct option *find(const char *argument, const struct option *options, size_t count)
{
    size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &options[i];
        if ((strlen(option->name) == length && memcmp(option->name, argument, length) == 0) ||
            (option->brief && strcmp(option->brief, argument) == 0))
            return option;
    }
    return NULL;
}

int options_read(int count, char **arguments, const char *usage, const struct option *options,
                 size_t option_count, const char **rest, size_t capacity, size_t *rest_count)
{
    int only_rest = 0;
    *rest_count = 0;
    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        if (!only_rest && strcmp(argument, "--") == 0) {
            only_rest = 1;
            continue;
        }
        if (!only_rest && (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0))
            return print_help(usage, options, option_count);
        if (only_rest || argument[0] != '-' || argument[1] == 0) {
            if (*rest_count == capacity) {
                fail("%s: unexpected argument; usage: loam %s", argument, usage);
                return EXIT_USAGE;
            }
            rest[(*rest_count)++] = argument;
            continue;
        }
        const struct option *option = find(argument, options, option_count);
        if (!option) {
            fail("%s: no such option; usage: loam %s", argument, usage);
            return EXIT_USAGE;
        }
        const char *value = strchr(argument, '=');
        value = value && argument[1] == '-' ? value + 1 : NULL;
        if (!value && option->kind != OPTION_FLAG) {
            if (i + 1 == count) {
                fail("%s: a value is missing (%s)", option->name, option->argument);
                return EXIT_USAGE;
            }
            value = arguments[++i];
        }
        int code = set(option, value);
        if (code >= 0)
            return code;
    }
    return -1;
}

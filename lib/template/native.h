/* SPDX-License-Identifier: MIT */
/* Filters, tests, methods and functions that are written in C. */
#ifndef LOAM_TEMPLATE_NATIVE_H
#define LOAM_TEMPLATE_NATIVE_H

#include "template/values.h"

enum { NATIVE_PARAMETERS = 5 };

/* A call's arguments; values[0] is what a filter, test or method works on
 * (none for a function). Keywords are pairs of name and value. */
struct arguments {
    const struct value *values;
    size_t count;
    const struct value *keywords;
    size_t keyword_count;
};

/* Exactly one of call and call_any is set. `call` gets arguments[0] and one
 * value for each of the parameters, VALUE_MISSING where none was given;
 * call_any gets them as they stand in the call. */
struct native {
    const char *name;
    bool (*call)(struct machine *machine, struct value *out, struct value *arguments);
    bool (*call_any)(struct machine *machine, struct value *out, const struct arguments *arguments);
    const char *parameters; /* names with commas between them, or NULL */
    size_t required;        /* how many of them must be given */
};

/* Tables end with a NULL name. */
extern const struct native loam_filters[], loam_tests[], loam_functions[], loam_text_methods[],
    loam_mapping_methods[], loam_sequence_methods[], loam_loop_methods[], loam_cycler_methods[],
    loam_joiner_methods[];

/* The entry of that name, or NULL. */
const struct native *loam_native_find(const struct native *table, const char *name, size_t length);

/* Calls it; false: failed. */
bool loam_native_call(struct machine *machine, struct value *out, const struct native *native,
                      const struct arguments *arguments);

/* ---- what natives share ---- */

/* Converts an argument; MISSING and none leave *out as it is. Fails for
 * other types, naming the parameter. */
bool loam_native_integer(struct machine *machine, int64_t *out, struct value argument,
                         const char *name);
bool loam_native_string(struct machine *machine, struct text **out, struct value argument,
                        const char *name);

/* value.name as the template would see it: attribute, then item; undefined if
 * there is none. */
bool loam_operators_attribute(struct machine *machine, struct value *out, struct value value,
                              struct text *name);
/* value[key] likewise: item, then attribute. */
bool loam_operators_subscript(struct machine *machine, struct value *out, struct value value,
                              struct value key);

/* The attribute path "a.b.0" of a value, as filters take it: text or integer. */
bool loam_native_path(struct machine *machine, struct value *out, struct value value,
                      struct value path);

/* printf-style and brace-style formatting. */
bool loam_format_percent(struct machine *machine, struct value *out, struct text *format,
                         const struct arguments *arguments);
bool loam_format_braces(struct machine *machine, struct value *out,
                        const struct arguments *arguments);
/* Appends the time by strftime's rules. */
bool loam_strftime(struct machine *machine, struct text_builder *builder, const struct text *format,
                   const struct template_time *time);

/* HTML escaping; a text that is markup is itself. NULL: failed. */
struct text *loam_native_escape(struct machine *machine, struct text *text);

#endif

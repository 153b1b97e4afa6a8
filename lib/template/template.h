/* SPDX-License-Identifier: MIT */
/*
 * lib/template: chat templates, in the language of Jinja: text and a context
 * in JSON to text. Knows nothing of tokens, models or sessions; no input or
 * output; steps, depth and memory have limits.
 *
 * lexer -> parser -> program (instructions) -> machine, with values, text
 * (each byte's origin), filters, tests, methods and functions.
 */
#ifndef LOAM_TEMPLATE_TEMPLATE_H
#define LOAM_TEMPLATE_TEMPLATE_H

#include "template/machine.h"

struct template; /* Immutable. Thread-safe. */

/* [errors: MEMORY, FORMAT and UNSUPPORTED with line and column] */
loam_status loam_template_compile(struct template **out, struct memory *memory, const char *text,
                                  size_t length, loam_error *error);
void loam_template_destroy(struct template *template);

/* A variable set beside those of the context, if that lacks it; its text counts
 * as the template's own. */
struct template_variable {
    const char *name;
    loam_string text;
};

struct template_options {
    const struct template_time *time; /* NULL: not given */
    uint64_t steps, memory;           /* limits, not 0 */
    uint32_t calls;                   /* depth of macro calls, not 0 */
    const loam_string
        *trusted; /* names of context variables that count as the template's own text */
    size_t trusted_count;
    const struct template_variable *variables;
    size_t variable_count;
};

/* Text and the runs of its bytes' origin; ended by loam_template_end_text. */
struct template_text {
    struct heap heap;
    const char *bytes; /* a NUL behind it */
    size_t length;
    const struct run *runs;
    size_t run_count;
};

/* context[length]: a JSON object.
 * [errors: MEMORY, FORMAT, UNSUPPORTED, STATE (no time), REFUSED] */
loam_status loam_template_render(struct template_text *out, const struct template *template,
                                 const char *context, size_t length,
                                 const struct template_options *options, loam_error *error);
void loam_template_end_text(struct template_text *text);

#endif

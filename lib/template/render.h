/* SPDX-License-Identifier: MIT */
/*
 * lib/template: chat templates, in the language of Jinja: text and a context
 * in JSON to text. Knows nothing of tokens, models or sessions; no input or
 * output; steps, depth and memory have limits.
 *
 * lexer -> parser -> program (instructions) -> machine, with values, text
 * (each byte's origin), filters, tests, methods and functions.
 */
#ifndef LOAM_TEMPLATE_RENDER_H
#define LOAM_TEMPLATE_RENDER_H

#include "template/machine.h"
#include "template/program.h"

/* A variable set where the context lacks it; it counts as the template's own text. */
struct render_variable {
    const char *name;
    loam_string text;
};

/* A variable set from JSON of its own. It counts as data. */
struct render_part {
    const char *name; /* for messages as well */
    loam_string json;
    bool is_list;  /* anything but an array is refused */
    bool fallback; /* the context's own comes first */
};

struct render_options {
    const struct template_time *time; /* NULL: not given */
    uint64_t steps, memory;           /* limits, not 0 */
    uint32_t calls;                   /* depth of macro calls, not 0 */
    const loam_string *trusted; /* variables of the context that count as the template's own */
    size_t trusted_count;
    const struct render_variable *variables;
    size_t variable_count;
    const struct render_part *parts;
    size_t part_count;
    struct heap_chunk *spare; /* memory to use again, which the rendering owns then; may be NULL */
};

/* Text and the runs of its bytes' origin; ended by loam_render_end. */
struct rendered {
    struct heap heap;
    const char *bytes; /* a NUL behind it */
    size_t length;
    const struct run *runs;
    size_t run_count;
};

/* context[length]: a JSON object.
 * [errors: MEMORY, FORMAT, UNSUPPORTED, STATE (no time), REFUSED] */
loam_status loam_render_run(struct rendered *out, const struct program *program,
                            struct memory *memory, const char *context, size_t length,
                            const struct render_options *options, loam_error *error);
void loam_render_end(struct rendered *rendered);
/* The same, but returns memory for the next rendering. */
struct heap_chunk *loam_render_end_keeping(struct rendered *rendered);

#endif

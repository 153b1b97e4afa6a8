/* SPDX-License-Identifier: MIT */
#include "template/render.h"

#include "template/json_read.h"
#include "template/place.h"

#include <stdio.h>

/* ---- the context -------------------------------------------------------------------------- */

/* Makes the text of a value, and of what is in it, count as the template's own. */
static bool trust(struct machine *machine, struct value *value, int depth)
{
    value->from_data = false;
    if (depth == 0)
        return FAIL(machine, LOAM_UNSUPPORTED, "values nest more than %d deep", VALUE_DEPTH);
    if (value->kind == VALUE_STRING) {
        value->text->from_data = false;
        value->text->runs = NULL;
    } else if (value->kind == VALUE_SEQUENCE) {
        value->sequence->from_data = false;
        for (size_t i = 0; i < value->sequence->count; i++)
            if (!trust(machine, &value->sequence->items[i], depth - 1))
                return false;
    } else if (value->kind == VALUE_MAPPING) {
        value->mapping->from_data = false;
        for (size_t i = 0; i < value->mapping->count; i++)
            if (!trust(machine, &value->mapping->entries[i].key, depth - 1) ||
                !trust(machine, &value->mapping->entries[i].item, depth - 1))
                return false;
    }
    return true;
}

/* Whether a role is a plain word, which can't be a control token by itself. */
static bool is_plain_word(const struct text *text)
{
    for (size_t i = 0; i < text->length; i++) {
        char c = text->bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return text->length <= 64;
}

/* messages[].role is the host's word, not the user's: templates put control
 * tokens together with it ("<|" + role + "|>"). */
static bool trust_roles(struct machine *machine, struct mapping *context)
{
    struct text messages = {.bytes = "messages", .length = 8},
                role = {.bytes = "role", .length = 4};
    struct value *list = loam_mapping_find_text(machine, context, &messages);
    if (!list || list->kind != VALUE_SEQUENCE)
        return machine->status == LOAM_OK;
    for (size_t i = 0; i < list->sequence->count; i++) {
        struct value message = list->sequence->items[i];
        struct value *found = message.kind == VALUE_MAPPING
                                  ? loam_mapping_find_text(machine, message.mapping, &role)
                                  : NULL;
        if (found && found->kind == VALUE_STRING && is_plain_word(found->text) &&
            !trust(machine, found, 1))
            return false;
    }
    return machine->status == LOAM_OK;
}

static bool trust_variables(struct machine *machine, struct mapping *context,
                            const struct render_options *options)
{
    for (size_t i = 0; i < options->trusted_count; i++) {
        loam_string name = options->trusted[i];
        struct text text = {.bytes = name.data, .length = loam_length(name.data, name.length)};
        struct value *found = loam_mapping_find_text(machine, context, &text);
        if (machine->status || (found && !trust(machine, found, VALUE_DEPTH)))
            return false;
    }
    for (size_t i = 0; i < options->variable_count; i++) {
        const struct render_variable *variable = &options->variables[i];
        struct text *name = loam_text_refer(machine, variable->name, strlen(variable->name), false);
        struct text *text =
            loam_text_copy(machine, variable->text.data, variable->text.length, false);
        if (!name || !text)
            return false;
        if (!loam_mapping_find_text(machine, context, name) &&
            (machine->status ||
             !loam_mapping_set(machine, context, value_text(name), value_text(text))))
            return false;
    }
    return true;
}

static bool add_parts(struct machine *machine, struct mapping *context,
                      const struct render_options *options)
{
    for (size_t i = 0; i < options->part_count; i++) {
        const struct render_part *part = &options->parts[i];
        struct text *name = loam_text_refer(machine, part->name, strlen(part->name), false);
        struct value value;
        if (!name)
            return false;
        if (part->fallback && loam_mapping_find_text(machine, context, name))
            continue;
        if (machine->status ||
            !loam_json_read(machine, &value, part->json.data, part->json.length, true, part->name))
            return false;
        if (part->is_list && value.kind != VALUE_SEQUENCE)
            return FAIL(machine, LOAM_FORMAT, "%s: is a JSON %s, expected an array", part->name,
                        loam_values_type(value));
        if (!loam_mapping_set(machine, context, value_text(name), value))
            return false;
    }
    return true;
}

/* Sets the globals: functions, and over them the context's variables. */
static bool set_globals(struct machine *machine, const struct mapping *context)
{
    const struct program *program = machine->program;
    machine->globals =
        loam_heap_get(&machine->heap, program->symbol_count, sizeof *machine->globals);
    if (!machine->globals)
        return loam_machine_fail_memory(machine);
    for (size_t i = 0; i < program->symbol_count; i++) {
        const struct native *function = program->symbols[i].function;
        machine->globals[i] = function ? (struct value){.kind = VALUE_FUNCTION, .native = function}
                                       : (struct value){.kind = VALUE_MISSING};
    }
    for (size_t i = 0; i < context->count; i++) {
        const struct text *name = context->entries[i].key.text;
        int32_t symbol = loam_program_find(program, name->bytes, name->length);
        if (symbol >= 0)
            machine->globals[symbol] = context->entries[i].item;
    }
    return true;
}

static bool read_context(struct machine *machine, const char *context, size_t length,
                         const struct render_options *options)
{
    struct value value;
    const char *what = options->part_count ? "variables" : "context";
    if (!loam_json_read(machine, &value, context, length, true, what))
        return false;
    if (value.kind != VALUE_MAPPING)
        return FAIL(machine, LOAM_FORMAT, "%s: is a JSON %s, expected an object", what,
                    loam_values_type(value));
    return add_parts(machine, value.mapping, options) && trust_roles(machine, value.mapping) &&
           trust_variables(machine, value.mapping, options) && set_globals(machine, value.mapping);
}

/* ---- rendering ---------------------------------------------------------------------------- */

/* Puts "line L, column C: " before the message. */
static void add_place(const struct machine *machine)
{
    const struct program *program = machine->program;
    char prefix[64];
    if (!machine->at || machine->refused || machine->status == LOAM_MEMORY)
        return;
    struct place place = loam_place_of(program->source, program->source_length, machine->at->place);
    int length = snprintf(prefix, sizeof prefix, "line %u, column %u", place.line, place.column);
    loam_error_prefix(machine->error, prefix, (size_t)length);
}

static bool run(struct machine *machine, const char *context, size_t length,
                const struct render_options *options)
{
    /* What is printed is often about as long as the context. */
    if (!read_context(machine, context, length, options) ||
        (length <= options->memory / 16 &&
         !loam_builder_reserve(machine, &machine->output, length)) ||
        !loam_machine_run(machine))
        return false;
    machine->steps_left += 1024; /* for the NUL */
    size_t end = machine->output.length;
    if (!loam_builder_add(machine, &machine->output, "", 1, false))
        return false;
    machine->output.length = end;
    return true;
}

loam_status loam_render_run(struct rendered *out, const struct program *program,
                            struct memory *memory, const char *context, size_t length,
                            const struct render_options *options, loam_error *error)
{
    struct machine machine = {.error = error,
                              .steps_left = options->steps,
                              .calls_left = 8,
                              .program = program,
                              .time = options->time,
                              .frame_limit = options->calls};
    *out = (struct rendered){0};
    loam_heap_init(&machine.heap, memory, options->memory);
    loam_heap_give(&machine.heap, options->spare);
    if (!run(&machine, context, length, options)) {
        add_place(&machine);
        loam_heap_end(&machine.heap);
        return machine.status;
    }
    size_t run_count = machine.output.run_count;
    if (run_count && machine.output.runs[run_count - 1].end > machine.output.length) {
        machine.output.runs[run_count - 1].end--;
        size_t before = run_count > 1 ? machine.output.runs[run_count - 2].end : 0;
        run_count -= machine.output.runs[run_count - 1].end == before;
    }
    *out = (struct rendered){.heap = machine.heap,
                             .bytes = machine.output.bytes,
                             .length = machine.output.length,
                             .runs = machine.output.runs,
                             .run_count = run_count};
    return LOAM_OK;
}

struct heap_chunk *loam_render_end_keeping(struct rendered *rendered)
{
    struct heap_chunk *spare = loam_heap_end_keeping(&rendered->heap);
    *rendered = (struct rendered){0};
    return spare;
}

void loam_render_end(struct rendered *rendered)
{
    loam_heap_end(&rendered->heap);
    *rendered = (struct rendered){0};
}

/* SPDX-License-Identifier: MIT */
#include "template/template.h"

#include "base/utf8.h"
#include "template/json_read.h"
#include "template/lexer.h"
#include "template/parser.h"
#include "template/place.h"

#include <stdio.h>

/* A template takes a few times its own size; what a hostile one may take. */
enum { SOURCE_MOST = 8 << 20, COMPILED_MOST = 512 << 20, FIRST_SYMBOLS = 64 };

struct template
{
    struct memory *memory;
    struct program program;
};

/* ---- symbols ------------------------------------------------------------------------------ */

static uint32_t hash_of(const char *name, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

static bool grow_index(struct program *program)
{
    size_t size = program->symbol_index_size ? 2 * program->symbol_index_size : FIRST_SYMBOLS;
    uint32_t *index = loam_heap_get(&program->heap, size, sizeof *index);
    if (!index)
        return false;
    memset(index, 0, size * sizeof *index);
    for (size_t i = 0; i < program->symbol_count; i++) {
        size_t at = hash_of(program->symbols[i].name, program->symbols[i].length) & (size - 1);
        while (index[at])
            at = (at + 1) & (size - 1);
        index[at] = (uint32_t)i + 1;
    }
    program->symbol_index = index;
    program->symbol_index_size = size;
    return true;
}

/* The place in the index where the name is or would be. */
static size_t find_slot(const struct program *program, const char *name, size_t length)
{
    size_t mask = program->symbol_index_size - 1, at = hash_of(name, length) & mask;
    for (; program->symbol_index[at]; at = (at + 1) & mask) {
        const struct symbol *symbol = &program->symbols[program->symbol_index[at] - 1];
        if (symbol->length == length && memcmp(symbol->name, name, length) == 0)
            break;
    }
    return at;
}

int32_t loam_program_symbol(struct program *program, const char *name, size_t length)
{
    if (program->symbol_count >= program->symbol_index_size / 2 && !grow_index(program))
        return -1;
    size_t slot = find_slot(program, name, length);
    if (program->symbol_index[slot])
        return (int32_t)program->symbol_index[slot] - 1;
    if (program->symbol_count >= INT32_MAX / 2 ||
        !loam_heap_grow(&program->heap, (void **)&program->symbols, &program->symbol_capacity,
                        (uint64_t)program->symbol_count + 1, sizeof *program->symbols))
        return -1;
    program->symbols[program->symbol_count] = (struct symbol){
        .name = name, .length = length, .function = loam_native_find(loam_functions, name, length)};
    program->symbol_index[slot] = (uint32_t)++program->symbol_count;
    return (int32_t)program->symbol_count - 1;
}

/* ---- compiling ---------------------------------------------------------------------------- */

static bool special_symbols(struct program *program)
{
    program->loop = loam_program_symbol(program, "loop", 4);
    program->caller = loam_program_symbol(program, "caller", 6);
    program->varargs = loam_program_symbol(program, "varargs", 7);
    program->kwargs = loam_program_symbol(program, "kwargs", 6);
    return program->loop >= 0 && program->caller >= 0 && program->varargs >= 0 &&
           program->kwargs >= 0;
}

static loam_status compile(struct program *program, struct heap *scratch, loam_error *error)
{
    struct tokens tokens = {0};
    loam_status status =
        loam_lexer_run(&tokens, scratch, program->source, program->source_length, error);
    if (status)
        return status;
    struct parser parser = {
        .program = program, .scratch = scratch, .token = tokens.items, .error = error};
    if (!special_symbols(program))
        return loam_fail_memory(error, 0);
    if (!loam_parse_template(&parser))
        return parser.status;
    return LOAM_OK;
}

loam_status loam_template_compile(struct template **out, struct memory *memory, const char *text,
                                  size_t length, loam_error *error)
{
    struct heap scratch;
    *out = NULL;
    if (length > SOURCE_MOST)
        return loam_fail(error, LOAM_UNSUPPORTED, "the template has %zu bytes, at most %d", length,
                         SOURCE_MOST);
    if (!loam_utf8_valid(text, length))
        return loam_fail(error, LOAM_FORMAT, "the template is not valid UTF-8");
    struct template *template = loam_memory_get_zero(memory, 1, sizeof *template);
    if (!template)
        return loam_fail_memory(error, sizeof *template);
    struct program *program = &template->program;
    template->memory = memory;
    loam_heap_init(&program->heap, memory, COMPILED_MOST);
    loam_heap_init(&scratch, memory, COMPILED_MOST);
    char *source = loam_heap_bytes(&program->heap, length + 1);
    loam_status status = source ? LOAM_OK : loam_fail_memory(error, length + 1);
    if (source) {
        if (length)
            memcpy(source, text, length);
        program->source = source;
        program->source_length = loam_lexer_normalize(source, length);
        source[program->source_length] = 0;
        status = compile(program, &scratch, error);
    }
    loam_heap_end(&scratch);
    if (status)
        loam_template_destroy(template);
    else
        *out = template;
    return status;
}

void loam_template_destroy(struct template *template)
{
    if (!template)
        return;
    loam_heap_end(&template->program.heap);
    loam_memory_free(template->memory, template);
}

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
                            const struct template_options *options)
{
    for (size_t i = 0; i < options->trusted_count; i++) {
        loam_string name = options->trusted[i];
        struct text text = {.bytes = name.data, .length = loam_length(name.data, name.length)};
        struct value *found = loam_mapping_find_text(machine, context, &text);
        if (machine->status || (found && !trust(machine, found, VALUE_DEPTH)))
            return false;
    }
    for (size_t i = 0; i < options->variable_count; i++) {
        const struct template_variable *variable = &options->variables[i];
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
        size_t slot = find_slot(program, name->bytes, name->length);
        if (program->symbol_index[slot])
            machine->globals[program->symbol_index[slot] - 1] = context->entries[i].item;
    }
    return true;
}

static bool read_context(struct machine *machine, const char *context, size_t length,
                         const struct template_options *options)
{
    struct value value;
    if (!loam_json_read(machine, &value, context, length, true, "context"))
        return false;
    if (value.kind != VALUE_MAPPING)
        return FAIL(machine, LOAM_FORMAT, "context: is a JSON %s, expected an object",
                    loam_values_type(value));
    return trust_roles(machine, value.mapping) &&
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
                const struct template_options *options)
{
    if (!read_context(machine, context, length, options) || !loam_machine_run(machine))
        return false;
    machine->steps_left += 1024; /* for the NUL */
    size_t end = machine->output.length;
    if (!loam_builder_add(machine, &machine->output, "", 1, false))
        return false;
    machine->output.length = end;
    return true;
}

loam_status loam_template_render(struct template_text *out, const struct template *template,
                                 const char *context, size_t length,
                                 const struct template_options *options, loam_error *error)
{
    struct machine machine = {.error = error,
                              .steps_left = options->steps,
                              .calls_left = 8,
                              .program = &template->program,
                              .time = options->time,
                              .frame_limit = options->calls};
    *out = (struct template_text){0};
    loam_heap_init(&machine.heap, template->memory, options->memory);
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
    *out = (struct template_text){.heap = machine.heap,
                                  .bytes = machine.output.bytes,
                                  .length = machine.output.length,
                                  .runs = machine.output.runs,
                                  .run_count = run_count};
    return LOAM_OK;
}

void loam_template_end_text(struct template_text *text)
{
    loam_heap_end(&text->heap);
    *text = (struct template_text){0};
}

/* SPDX-License-Identifier: MIT */
/* Calls of macros, functions, methods and recursive loops. */
#include "template/execute.h"

bool loam_calls_enter(struct machine *machine)
{
    if (machine->frame_count == machine->frame_limit)
        return FAIL(machine, LOAM_UNSUPPORTED, "calls nest more than %zu deep",
                    machine->frame_limit);
    if (!loam_heap_grow(&machine->heap, (void **)&machine->frames, &machine->frame_capacity,
                        (uint64_t)machine->frame_count + 1, sizeof *machine->frames))
        return loam_machine_fail_memory(machine);
    machine->frames[machine->frame_count++] = (struct call_frame){.back = machine->at,
                                                                  .scope = machine->scope,
                                                                  .loop = machine->loop,
                                                                  .output = machine->output.length};
    return true;
}

bool loam_calls_return(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    struct call_frame *frame = &machine->frames[--machine->frame_count];
    struct text *text = loam_builder_cut(machine, &machine->output, frame->output);
    machine->at = frame->back;
    machine->scope = frame->scope;
    machine->loop = frame->loop;
    return text && loam_machine_push(machine, value_text(text));
}

/* ---- arguments of macros ------------------------------------------------------------------ */

static bool too_many(struct machine *machine, const struct macro_code *code)
{
    return FAIL(machine, LOAM_FORMAT, "macro '%.*s' takes not more than %zu argument(s)",
                LOAM_SHOWN(code->name->length), code->name->bytes, code->count);
}

/* Binds positional arguments; what is left over is the list varargs. */
static bool bind_positional(struct machine *machine, struct scope *scope,
                            const struct macro_code *code, const struct arguments *arguments)
{
    size_t given = arguments->count - 1;
    for (size_t i = 0; i < code->count; i++)
        if (!loam_machine_bind(machine, scope, code->parameters[i],
                               i < given ? arguments->values[i + 1] : (struct value){0}))
            return false;
    if (!code->takes_positional)
        return given <= code->count || too_many(machine, code);
    struct sequence *rest = loam_sequence_new(machine, FLAVOUR_TUPLE, 0);
    for (size_t i = code->count; rest && i < given; i++)
        if (!loam_sequence_add(machine, rest, arguments->values[i + 1]))
            return false;
    return rest && loam_machine_bind(machine, scope, (uint32_t)machine->program->varargs,
                                     value_sequence(rest));
}

/* The parameter of that name, or -1. */
static int64_t find_parameter(const struct machine *machine, const struct macro_code *code,
                              const struct text *name)
{
    for (size_t i = 0; i < code->count; i++) {
        const struct symbol *symbol = &machine->program->symbols[code->parameters[i]];
        if (symbol->length == name->length && memcmp(symbol->name, name->bytes, name->length) == 0)
            return (int64_t)i;
    }
    return -1;
}

static bool bind_keyword(struct machine *machine, struct scope *scope,
                         const struct macro_code *code, const struct arguments *arguments,
                         size_t index, struct mapping *rest)
{
    struct text *name = arguments->keywords[2 * index].text;
    struct value value = arguments->keywords[2 * index + 1];
    int64_t parameter = find_parameter(machine, code, name);
    if (parameter >= 0 && (size_t)parameter + 1 < arguments->count)
        return FAIL(machine, LOAM_FORMAT, "macro '%.*s' got several values for '%.*s'",
                    LOAM_SHOWN(code->name->length), code->name->bytes, LOAM_SHOWN(name->length),
                    name->bytes);
    if (parameter >= 0)
        return loam_machine_bind(machine, scope, code->parameters[parameter], value);
    if (code->takes_caller && loam_text_is(name, "caller"))
        return loam_machine_bind(machine, scope, (uint32_t)machine->program->caller, value);
    if (rest)
        return loam_mapping_set(machine, rest, value_text(name), value);
    return FAIL(machine, LOAM_FORMAT, "macro '%.*s' takes no keyword argument '%.*s'",
                LOAM_SHOWN(code->name->length), code->name->bytes, LOAM_SHOWN(name->length),
                name->bytes);
}

static bool call_macro(struct machine *machine, const struct macro *macro,
                       const struct arguments *arguments, size_t base)
{
    const struct macro_code *code = macro->code;
    struct scope *scope = loam_machine_scope(machine, macro->scope);
    struct mapping *rest = NULL;
    if (!scope)
        return false;
    if (code->takes_keywords) {
        rest = loam_mapping_new(machine);
        if (!rest || !loam_machine_bind(machine, scope, (uint32_t)machine->program->kwargs,
                                        value_mapping(rest)))
            return false;
    }
    if (code->takes_caller &&
        !loam_machine_bind(machine, scope, (uint32_t)machine->program->caller, (struct value){0}))
        return false;
    if (!bind_positional(machine, scope, code, arguments))
        return false;
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (!bind_keyword(machine, scope, code, arguments, i, rest))
            return false;
    machine->stack_count = base;
    if (!loam_calls_enter(machine))
        return false;
    machine->scope = scope;
    machine->loop = NULL;
    machine->at = macro->body - 1; /* the machine goes on behind it */
    return true;
}

/* A function or method, or what calls like one. */
static bool call_native(struct machine *machine, const struct native *native,
                        struct arguments *arguments, struct value self, size_t base)
{
    struct value value;
    machine->stack[base] = self; /* where the callee was */
    if (!loam_native_call(machine, &value, native, arguments))
        return false;
    machine->stack_count = base;
    return loam_machine_push(machine, value);
}

bool loam_calls_call(struct machine *machine, const struct instruction *instruction)
{
    size_t keywords = 2 * (size_t)instruction->flags;
    size_t base = machine->stack_count - keywords - instruction->count - 1;
    struct value callee = machine->stack[base];
    struct arguments arguments = {.values = machine->stack + base,
                                  .count = instruction->count + 1u,
                                  .keywords = machine->stack + machine->stack_count - keywords,
                                  .keyword_count = instruction->flags};
    switch (callee.kind) {
    case VALUE_MACRO:
        return call_macro(machine, callee.macro, &arguments, base);
    case VALUE_FUNCTION:
        return call_native(machine, callee.native, &arguments, value_none(), base);
    case VALUE_METHOD:
        return call_native(machine, callee.method->native, &arguments, callee.method->self, base);
    case VALUE_LOOP:
        return loam_loops_call(machine, callee.loop, &arguments, base);
    case VALUE_JOINER:
        return call_native(machine, &loam_joiner_methods[0], &arguments, callee, base);
    case VALUE_UNDEFINED:
        return loam_values_fail_undefined(machine, callee);
    default:
        return FAIL(machine, LOAM_FORMAT, "'%s' object is not callable", loam_values_type(callee));
    }
}

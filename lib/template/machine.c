/* SPDX-License-Identifier: MIT */
#include "template/machine.h"

#include "template/execute.h"
#include "template/show.h"

bool loam_machine_fail_memory(struct machine *machine)
{
    machine->status = loam_fail(machine->error, LOAM_MEMORY,
                                "out of memory, or the rendering's limit of %llu bytes is reached",
                                (unsigned long long)machine->heap.limit);
    return false;
}

bool loam_machine_exhausted(struct machine *machine)
{
    machine->steps_left = 0;
    return FAIL(machine, LOAM_UNSUPPORTED, "the template takes more steps than the limit allows");
}

bool loam_machine_push(struct machine *machine, struct value value)
{
    if (machine->stack_count == machine->stack_capacity &&
        !loam_heap_grow(&machine->heap, (void **)&machine->stack, &machine->stack_capacity,
                        (uint64_t)machine->stack_count + 1, sizeof value))
        return loam_machine_fail_memory(machine);
    machine->stack[machine->stack_count++] = value;
    return true;
}

struct value loam_machine_undefined(enum undefined_detail detail, enum value_kind owner,
                                    struct text *name)
{
    return (struct value){
        .kind = VALUE_UNDEFINED, .detail = (uint8_t)detail, .owner = (uint8_t)owner, .text = name};
}

/* ---- variables ---------------------------------------------------------------------- */

struct scope *loam_machine_scope(struct machine *machine, struct scope *outer)
{
    struct scope *scope = loam_heap_get(&machine->heap, 1, sizeof *scope);
    if (!scope) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    *scope = (struct scope){.outer = outer};
    return scope;
}

static struct value *find(struct machine *machine, uint32_t symbol)
{
    for (struct scope *scope = machine->scope; scope; scope = scope->outer) {
        if (!(scope->present >> symbol % 64 & 1))
            continue;
        for (uint32_t i = 0; i < scope->count; i++)
            if (scope->bindings[i].symbol == symbol)
                return &scope->bindings[i].value;
    }
    return &machine->globals[symbol];
}

bool loam_machine_bind(struct machine *machine, struct scope *scope, uint32_t symbol,
                       struct value value)
{
    if (!scope) {
        machine->globals[symbol] = value;
        return true;
    }
    for (uint32_t i = 0; i < scope->count; i++)
        if (scope->bindings[i].symbol == symbol) {
            scope->bindings[i].value = value;
            return true;
        }
    if (scope->count == scope->capacity &&
        !loam_heap_grow(&machine->heap, (void **)&scope->bindings, &scope->capacity,
                        (uint64_t)scope->count + 1, sizeof *scope->bindings))
        return loam_machine_fail_memory(machine);
    scope->bindings[scope->count++] = (struct binding){symbol, value};
    scope->present |= 1ull << symbol % 64;
    return true;
}

static bool run_load(struct machine *machine, const struct instruction *instruction)
{
    const struct symbol *symbol = &machine->program->symbols[instruction->operand];
    struct value *value = find(machine, (uint32_t)instruction->operand);
    if (value->kind != VALUE_MISSING)
        return loam_machine_push(machine, *value);
    struct text *name = loam_text_refer(machine, symbol->name, symbol->length, false);
    return name && loam_machine_push(machine,
                                     loam_machine_undefined(UNDEFINED_NAME, VALUE_UNDEFINED, name));
}

static bool run_store(struct machine *machine, const struct instruction *instruction)
{
    struct value value = machine_pop(machine);
    if (value.kind == VALUE_MISSING)
        value = loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL);
    return loam_machine_bind(machine, machine->scope, (uint32_t)instruction->operand, value);
}

static bool run_store_attribute(struct machine *machine, const struct instruction *instruction)
{
    struct value value = machine_pop(machine), space = *find(machine, instruction->count);
    if (space.kind != VALUE_NAMESPACE)
        return FAIL(machine, LOAM_FORMAT, "cannot assign attribute on non-namespace object");
    return loam_mapping_set(machine, space.mapping,
                            machine->program->constants[instruction->operand], value);
}

static bool run_unpack(struct machine *machine, const struct instruction *instruction)
{
    struct sequence *items;
    struct value value = machine_pop(machine);
    if (value.kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, value);
    if (!loam_values_iterate(machine, &items, value))
        return false;
    if (items->count != instruction->count)
        return FAIL(machine, LOAM_FORMAT, "cannot unpack %zu values into %u names", items->count,
                    instruction->count);
    for (size_t i = items->count; i > 0; i--)
        if (!loam_machine_push(machine, items->items[i - 1]))
            return false;
    return true;
}

static bool run_scope_begin(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    struct scope *scope = loam_machine_scope(machine, machine->scope);
    machine->scope = scope ? scope : machine->scope;
    return scope != NULL;
}

static bool run_scope_end(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    machine->scope = machine->scope->outer;
    return true;
}

/* ---- output --------------------------------------------------------------------------- */

static bool run_text(struct machine *machine, const struct instruction *instruction)
{
    return loam_builder_add_text(machine, &machine->output,
                                 machine->program->constants[instruction->operand].text);
}

static bool run_print(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    return loam_show_print(machine, &machine->output, machine_pop(machine));
}

static bool run_capture_begin(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    return loam_machine_push(machine,
                             (struct value){.kind = VALUE_MARK, .mark = machine->output.length});
}

static bool run_capture_end(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    struct value *mark = &machine->stack[machine->stack_count - 1];
    struct text *text = loam_builder_cut(machine, &machine->output, mark->mark);
    if (text)
        *mark = value_text(text);
    return text != NULL;
}

/* ---- values --------------------------------------------------------------------------- */

static bool run_constant(struct machine *machine, const struct instruction *instruction)
{
    return loam_machine_push(machine, machine->program->constants[instruction->operand]);
}

static bool run_undefined(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    return loam_machine_push(machine,
                             loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL));
}

static bool run_attribute(struct machine *machine, const struct instruction *instruction)
{
    struct value *top = &machine->stack[machine->stack_count - 1];
    return loam_operators_attribute(machine, top, *top,
                                    machine->program->constants[instruction->operand].text);
}

static bool run_subscript(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    struct value key = machine_pop(machine), *top = &machine->stack[machine->stack_count - 1];
    return loam_operators_subscript(machine, top, *top, key);
}

static bool run_item(struct machine *machine, const struct instruction *instruction)
{
    struct value key = machine->program->constants[instruction->operand];
    struct value *top = &machine->stack[machine->stack_count - 1];
    struct value *item =
        top->kind == VALUE_MAPPING ? loam_mapping_find_text(machine, top->mapping, key.text) : NULL;
    if (!item)
        return !machine->status && loam_operators_subscript(machine, top, *top, key);
    *top = *item;
    return true;
}

static bool run_slice(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    machine->stack_count -= 3;
    struct value *top = &machine->stack[machine->stack_count - 1];
    return loam_operators_slice(machine, top, *top, top + 1);
}

static bool run_sequence(struct machine *machine, const struct instruction *instruction)
{
    size_t count = (size_t)instruction->operand;
    struct sequence *list = loam_sequence_new(
        machine, instruction->operation == DO_LIST ? FLAVOUR_LIST : FLAVOUR_TUPLE, count);
    if (!list)
        return false;
    machine->stack_count -= count;
    if (count)
        memcpy(list->items, machine->stack + machine->stack_count, count * sizeof *list->items);
    list->count = count;
    return loam_machine_push(machine, value_sequence(list));
}

static bool run_mapping(struct machine *machine, const struct instruction *instruction)
{
    size_t count = 2 * (size_t)instruction->operand;
    struct mapping *mapping = loam_mapping_new(machine);
    if (!mapping)
        return false;
    machine->stack_count -= count;
    for (size_t i = 0; i < count; i += 2)
        if (!loam_mapping_set(machine, mapping, machine->stack[machine->stack_count + i],
                              machine->stack[machine->stack_count + i + 1]))
            return false;
    return loam_machine_push(machine, value_mapping(mapping));
}

static bool run_binary(struct machine *machine, const struct instruction *instruction)
{
    struct value b = machine_pop(machine), *top = &machine->stack[machine->stack_count - 1];
    return loam_operators_binary(machine, top, instruction->operand, *top, b);
}

static bool run_sign(struct machine *machine, const struct instruction *instruction)
{
    struct value *top = &machine->stack[machine->stack_count - 1];
    bool negate = instruction->operation == DO_NEGATE;
    if (top->kind == VALUE_UNDEFINED)
        return loam_values_fail_undefined(machine, *top);
    if (!value_is_number(*top))
        return FAIL(machine, LOAM_FORMAT, "bad operand type for unary %s: '%s'", negate ? "-" : "+",
                    loam_values_type(*top));
    if (top->kind == VALUE_FLOAT) {
        top->number = negate ? -top->number : top->number;
        return true;
    }
    int64_t number = value_to_integer(*top);
    if (negate && number == INT64_MIN)
        return FAIL(machine, LOAM_UNSUPPORTED, "an integer of more than 64 bits");
    top->kind = VALUE_INTEGER;
    top->integer = negate ? -number : number;
    return true;
}

static bool run_not(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    struct value *top = &machine->stack[machine->stack_count - 1];
    *top = value_boolean(!loam_values_truth(*top));
    return true;
}

static bool run_compare(struct machine *machine, const struct instruction *instruction)
{
    bool holds;
    struct value b = machine_pop(machine), *top = &machine->stack[machine->stack_count - 1];
    if (!loam_operators_compare(machine, &holds, instruction->count, *top, b))
        return false;
    *top = value_boolean(holds);
    if (instruction->operation == DO_COMPARE)
        return true;
    if (holds)
        *top = b;
    else
        machine_jump(machine);
    return true;
}

/* ---- jumps ---------------------------------------------------------------------------- */

static bool run_jump(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    machine_jump(machine);
    return true;
}

static bool run_jump_if_false(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    if (!loam_values_truth(machine_pop(machine)))
        machine_jump(machine);
    return true;
}

static bool run_short_circuit(struct machine *machine, const struct instruction *instruction)
{
    bool truth = loam_values_truth(machine->stack[machine->stack_count - 1]);
    if (truth == (instruction->operation == DO_OR))
        machine_jump(machine);
    else
        machine->stack_count--;
    return true;
}

/* ---- calls ---------------------------------------------------------------------------- */

static bool run_native(struct machine *machine, const struct instruction *instruction)
{
    const struct native *table = instruction->operation == DO_FILTER ? loam_filters : loam_tests;
    size_t keywords = 2 * (size_t)instruction->flags;
    size_t base = machine->stack_count - keywords - instruction->count - 1;
    struct arguments arguments = {.values = machine->stack + base,
                                  .count = instruction->count + 1u,
                                  .keywords = machine->stack + machine->stack_count - keywords,
                                  .keyword_count = instruction->flags};
    struct value value;
    if (!loam_native_call(machine, &value, table + instruction->operand, &arguments))
        return false;
    machine->stack_count = base;
    return loam_machine_push(machine, value);
}

static bool run_macro(struct machine *machine, const struct instruction *instruction)
{
    struct macro *macro = loam_heap_get(&machine->heap, 1, sizeof *macro);
    if (!macro)
        return loam_machine_fail_memory(machine);
    *macro = (struct macro){.code = &machine->program->macros[instruction->count],
                            .body = instruction + 1,
                            .scope = machine->scope};
    for (struct scope *scope = machine->scope; scope && !scope->captured; scope = scope->outer)
        scope->captured = true;
    machine_jump(machine);
    return loam_machine_push(machine, (struct value){.kind = VALUE_MACRO, .macro = macro});
}

static bool run_parameter_default(struct machine *machine, const struct instruction *instruction)
{
    if (find(machine, instruction->count)->kind != VALUE_MISSING)
        machine_jump(machine);
    return true;
}

bool loam_machine_run(struct machine *machine)
{
    static bool (*const operations[])(struct machine *, const struct instruction *) = {
        [DO_TEXT] = run_text,
        [DO_PRINT] = run_print,
        [DO_CONSTANT] = run_constant,
        [DO_UNDEFINED] = run_undefined,
        [DO_LOAD] = run_load,
        [DO_STORE] = run_store,
        [DO_STORE_ATTRIBUTE] = run_store_attribute,
        [DO_UNPACK] = run_unpack,
        [DO_ATTRIBUTE] = run_attribute,
        [DO_SUBSCRIPT] = run_subscript,
        [DO_ITEM] = run_item,
        [DO_SLICE] = run_slice,
        [DO_LIST] = run_sequence,
        [DO_TUPLE] = run_sequence,
        [DO_MAPPING] = run_mapping,
        [DO_BINARY] = run_binary,
        [DO_SUM] = loam_sums_add,
        [DO_PRINT_SUM] = loam_sums_print,
        [DO_NEGATE] = run_sign,
        [DO_POSITIVE] = run_sign,
        [DO_NOT] = run_not,
        [DO_COMPARE] = run_compare,
        [DO_COMPARE_CHAIN] = run_compare,
        [DO_JUMP] = run_jump,
        [DO_JUMP_IF_FALSE] = run_jump_if_false,
        [DO_AND] = run_short_circuit,
        [DO_OR] = run_short_circuit,
        [DO_CALL] = loam_calls_call,
        [DO_FILTER] = run_native,
        [DO_TEST] = run_native,
        [DO_SCOPE_BEGIN] = run_scope_begin,
        [DO_SCOPE_END] = run_scope_end,
        [DO_CAPTURE_BEGIN] = run_capture_begin,
        [DO_CAPTURE_END] = run_capture_end,
        [DO_LOOP_START] = loam_loops_start,
        [DO_LOOP_FILTER] = loam_loops_filter,
        [DO_LOOP_KEEP] = loam_loops_keep,
        [DO_LOOP_NEXT] = loam_loops_next,
        [DO_LOOP_FINISH] = loam_loops_finish,
        [DO_LOOP_END] = loam_loops_end,
        [DO_MACRO] = run_macro,
        [DO_PARAMETER_DEFAULT] = run_parameter_default,
        [DO_RETURN] = loam_calls_return,
    };
    /* machine->at is the instruction being run, which may jump; the next one
     * is behind it. */
    for (machine->at = machine->program->code; machine->at->operation != DO_END; machine->at++)
        if (!machine_spend(machine, 1) || !operations[machine->at->operation](machine, machine->at))
            return false;
    return true;
}

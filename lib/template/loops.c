/* SPDX-License-Identifier: MIT */
/* Loops: each turn has a scope, in which are its item and `loop`. */
#include "template/execute.h"

/* A loop over the items; the scope is the one it stands in. */
static struct loop *begin(struct machine *machine, struct value iterable,
                          const struct instruction *start)
{
    struct loop *loop = loam_heap_get(&machine->heap, 1, sizeof *loop);
    if (!loop) {
        loam_machine_fail_memory(machine);
        return NULL;
    }
    *loop = (struct loop){.index = -1,
                          .start = start,
                          .around = machine->scope,
                          .outer = machine->loop,
                          .stack_count = machine->stack_count};
    if (!loam_values_iterate(machine, &loop->items, iterable))
        return NULL;
    machine->loop = loop;
    return loop;
}

bool loam_loops_start(struct machine *machine, const struct instruction *instruction)
{
    struct value iterable = machine_pop(machine);
    struct loop *loop = begin(machine, iterable, instruction);
    if (loop)
        loop->recursive = instruction->flags;
    return loop != NULL;
}

/* Makes the scope of the next turn: the one of the turn before, if no macro
 * refers to it. */
static bool turn(struct machine *machine, struct loop *loop)
{
    while (machine->scope != loop->around && machine->scope->outer != loop->around)
        machine->scope = machine->scope->outer; /* continue left blocks inside */
    machine->stack_count = loop->stack_count;
    if (machine->scope == loop->around || machine->scope->captured) {
        machine->scope = loam_machine_scope(machine, loop->around);
        if (!machine->scope) {
            machine->scope = loop->around;
            return false;
        }
    }
    machine->scope->count = 0;
    machine->scope->present = 0;
    return true;
}

bool loam_loops_filter(struct machine *machine, const struct instruction *instruction)
{
    struct loop *loop = machine->loop;
    (void)instruction;
    if (!loop->kept) {
        loop->kept = loam_sequence_new(machine, FLAVOUR_LIST, 0);
        if (!loop->kept)
            return false;
    }
    if (loop->looked_at == loop->items->count) {
        loop->items = loop->kept;
        machine->scope = loop->around;
        machine_jump(machine);
        return true;
    }
    return turn(machine, loop) && loam_machine_push(machine, loop->items->items[loop->looked_at++]);
}

bool loam_loops_keep(struct machine *machine, const struct instruction *instruction)
{
    struct loop *loop = machine->loop;
    (void)instruction;
    if (loam_values_truth(machine_pop(machine)) &&
        !loam_sequence_add(machine, loop->kept, loop->items->items[loop->looked_at - 1]))
        return false;
    machine_jump(machine);
    return true;
}

bool loam_loops_next(struct machine *machine, const struct instruction *instruction)
{
    struct loop *loop = machine->loop;
    int32_t symbol = machine->program->loop;
    (void)instruction;
    if (loop->index + 1 >= (int64_t)loop->items->count) {
        machine->scope = loop->around;
        machine->stack_count = loop->stack_count;
        machine_jump(machine);
        return true;
    }
    loop->index++;
    return turn(machine, loop) &&
           (symbol < 0 || loam_machine_bind(machine, machine->scope, (uint32_t)symbol,
                                            (struct value){.kind = VALUE_LOOP, .loop = loop})) &&
           loam_machine_push(machine, loop->items->items[loop->index]);
}

bool loam_loops_finish(struct machine *machine, const struct instruction *instruction)
{
    (void)instruction;
    if (machine->loop->index >= 0)
        machine_jump(machine);
    return true;
}

bool loam_loops_end(struct machine *machine, const struct instruction *instruction)
{
    struct loop *loop = machine->loop;
    machine->scope = loop->around;
    machine->stack_count = loop->stack_count;
    machine->loop = loop->outer;
    return !loop->called || loam_calls_return(machine, instruction);
}

bool loam_loops_call(struct machine *machine, struct loop *loop, const struct arguments *arguments,
                     size_t base)
{
    if (!loop->recursive)
        return FAIL(machine, LOAM_FORMAT, "loop() is called, but the loop is not recursive");
    if (arguments->count != 2 || arguments->keyword_count)
        return FAIL(machine, LOAM_FORMAT, "loop() takes one argument");
    struct value iterable = arguments->values[1];
    machine->stack_count = base;
    if (!loam_calls_enter(machine))
        return false;
    machine->scope = loop->around;
    struct loop *inner = begin(machine, iterable, loop->start);
    if (!inner)
        return false;
    inner->recursive = inner->called = true;
    inner->depth = loop->depth + 1;
    machine->at = loop->start;
    return true;
}

bool loam_loops_attribute(struct machine *machine, struct value *out, struct loop *loop,
                          const struct text *name, bool *found)
{
    int64_t count = (int64_t)loop->items->count, index = loop->index;
    const struct {
        const char *name;
        struct value value;
    } attributes[] = {
        {"first", value_boolean(index == 0)},
        {"last", value_boolean(index == count - 1)},
        {"index0", value_integer(index)},
        {"index", value_integer(index + 1)},
        {"length", value_integer(count)},
        {"revindex", value_integer(count - index)},
        {"revindex0", value_integer(count - index - 1)},
        {"depth", value_integer(loop->depth + 1)},
        {"depth0", value_integer(loop->depth)},
    };
    (void)machine;
    *found = true;
    for (size_t i = 0; i < LOAM_COUNT_OF(attributes); i++)
        if (loam_text_is(name, attributes[i].name)) {
            *out = attributes[i].value;
            return true;
        }
    bool previous = loam_text_is(name, "previtem"), next = loam_text_is(name, "nextitem");
    *found = previous || next;
    if (previous && index > 0)
        *out = loop->items->items[index - 1];
    else if (next && index + 1 < count)
        *out = loop->items->items[index + 1];
    else
        *out = loam_machine_undefined(UNDEFINED_PLAIN, VALUE_UNDEFINED, NULL);
    return true;
}

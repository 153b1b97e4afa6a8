/* SPDX-License-Identifier: MIT */
/* a + b + c and a ~ b ~ c as one step: where all are plain text, which is nearly
 * always so, they are put together once, or printed one after the other. */
#include "template/execute.h"
#include "template/show.h"

static bool are_plain(const struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].kind != VALUE_STRING || values[i].text->markup)
            return false;
    return true;
}

/* One by one, from the left. */
static bool add_each(struct machine *machine, const struct instruction *instruction,
                     struct value *values)
{
    for (size_t i = 1; i < instruction->count; i++)
        if (!loam_operators_binary(machine, values, instruction->operand, values[0], values[i]))
            return false;
    return true;
}

bool loam_sums_add(struct machine *machine, const struct instruction *instruction)
{
    size_t count = instruction->count;
    struct value *values = machine->stack + machine->stack_count - count;
    if (are_plain(values, count)) {
        struct text *text = loam_text_join(machine, values, count);
        if (!text)
            return false;
        values[0] = value_text(text);
    } else if (!add_each(machine, instruction, values)) {
        return false;
    }
    machine->stack_count -= count - 1;
    return true;
}

bool loam_sums_print(struct machine *machine, const struct instruction *instruction)
{
    size_t count = instruction->count;
    struct value *values = machine->stack + machine->stack_count - count;
    machine->stack_count -= count;
    if (!are_plain(values, count))
        return add_each(machine, instruction, values) &&
               loam_show_print(machine, &machine->output, values[0]);
    for (size_t i = 0; i < count; i++)
        if (!loam_builder_add_text(machine, &machine->output, values[i].text))
            return false;
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * One rendering: memory, limits, variables, the stack and the output. What
 * filters, methods and tests get as their first argument.
 *
 * Functions that can fail return false (or NULL) after they have put status
 * and message into the machine; the place in the template is added at the end.
 */
#ifndef LOAM_TEMPLATE_MACHINE_H
#define LOAM_TEMPLATE_MACHINE_H

#include "base/error.h"
#include "template/heap.h"
#include "template/text.h"
#include "template/value.h"

struct program;
struct instruction;

/* Values nest at most so deep where they are shown, compared or read: such
 * walks recurse. */
enum { VALUE_DEPTH = 120 };

/* Date and time for strftime_now. */
struct template_time {
    int32_t year, month, day, hour, minute, second; /* month and day from 1 */
};

struct machine {
    struct heap heap;
    loam_error *error;
    loam_status status;
    bool refused;        /* the template called raise_exception */
    uint64_t steps_left; /* instructions, and items and bytes that functions walk over */
    uint32_t calls_left; /* of functions that functions call (map of map) */
    const struct program *program;
    const struct instruction *at;     /* being executed; tells the place of an error */
    const struct template_time *time; /* NULL: not given */

    struct value *globals; /* [symbols of the program] */
    struct scope *scope;   /* innermost; NULL: globals */
    struct loop *loop;     /* innermost of the present call */
    struct value *stack;
    size_t stack_count, stack_capacity;
    struct call_frame *frames;
    size_t frame_count, frame_capacity, frame_limit;
    struct text_builder output;
};

/* Sets the status and the message; false. */
#define FAIL(machine, code, ...)                                                                   \
    ((machine)->status = loam_fail((machine)->error, (code), __VA_ARGS__), false)

/* Memory or its limit is used up: false. */
bool loam_machine_fail_memory(struct machine *machine);

/* Counts work; false when the limit is reached. */
bool loam_machine_exhausted(struct machine *machine);
static inline bool machine_spend(struct machine *machine, uint64_t steps)
{
    if (steps > machine->steps_left)
        return loam_machine_exhausted(machine);
    machine->steps_left -= steps;
    return true;
}

/* Runs the program from its beginning; what it prints is in machine->output. */
bool loam_machine_run(struct machine *machine);

#endif

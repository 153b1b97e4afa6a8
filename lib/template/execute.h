/* SPDX-License-Identifier: MIT */
/* What the parts of the machine share: variables, loops, calls. */
#ifndef LOAM_TEMPLATE_EXECUTE_H
#define LOAM_TEMPLATE_EXECUTE_H

#include "template/program.h"

struct binding {
    uint32_t symbol;
    struct value value;
};

/* Variables of a block, inside those of the block around it. */
struct scope {
    struct scope *outer; /* NULL: the globals */
    struct binding *bindings;
    uint32_t count;
    size_t capacity;
    uint64_t present; /* bit symbol % 64 of each binding */
    bool captured;    /* a macro refers to it: it is not used again */
};

struct loop {
    struct sequence *items;
    int64_t index;                   /* of the present item, -1 before the first */
    size_t looked_at;                /* by the filter */
    struct sequence *kept;           /* by the filter */
    const struct instruction *start; /* its LOOP_START */
    struct scope *around;            /* the scope that the loop stands in */
    struct loop *outer;
    size_t stack_count;
    int64_t depth;
    bool recursive;
    bool called;             /* by loop(...): its end returns */
    struct sequence *before; /* arguments of loop.changed */
};

/* A macro that was met, with the variables around it. */
struct macro {
    const struct macro_code *code;
    const struct instruction *body;
    struct scope *scope;
};

struct call_frame {
    const struct instruction *back;
    struct scope *scope;
    struct loop *loop;
    size_t output; /* bytes of output before the call */
};

/* ---- machine.c ---- */

bool loam_machine_push(struct machine *machine, struct value value);
static inline struct value machine_pop(struct machine *machine)
{
    return machine->stack[--machine->stack_count];
}

/* Jumps; machine->at is the instruction that jumps. */
static inline void machine_jump(struct machine *machine)
{
    machine->at += machine->at->operand;
}

struct scope *loam_machine_scope(struct machine *machine, struct scope *outer);
bool loam_machine_bind(struct machine *machine, struct scope *scope, uint32_t symbol,
                       struct value value);
/* An undefined value that says `name` (may be NULL) is not there. */
struct value loam_machine_undefined(enum undefined_detail detail, enum value_kind owner,
                                    struct text *name);

/* ---- operators.c ---- */

bool loam_operators_binary(struct machine *machine, struct value *out, int kind, struct value a,
                           struct value b);
bool loam_operators_compare(struct machine *machine, bool *out, int kind, struct value a,
                            struct value b);
bool loam_operators_slice(struct machine *machine, struct value *out, struct value value,
                          const struct value bounds[3]);

/* ---- sums.c ---- */

bool loam_sums_add(struct machine *machine, const struct instruction *instruction);
bool loam_sums_print(struct machine *machine, const struct instruction *instruction);

/* ---- loops.c ---- */

bool loam_loops_start(struct machine *machine, const struct instruction *instruction);
bool loam_loops_filter(struct machine *machine, const struct instruction *instruction);
bool loam_loops_keep(struct machine *machine, const struct instruction *instruction);
bool loam_loops_next(struct machine *machine, const struct instruction *instruction);
bool loam_loops_finish(struct machine *machine, const struct instruction *instruction);
bool loam_loops_end(struct machine *machine, const struct instruction *instruction);
/* loop.name; *found: there is such an attribute. */
bool loam_loops_attribute(struct machine *machine, struct value *out, struct loop *loop,
                          const struct text *name, bool *found);
/* loop(iterable) of a recursive loop: goes to its body. */
bool loam_loops_call(struct machine *machine, struct loop *loop, const struct arguments *arguments,
                     size_t base);

/* ---- calls.c ---- */

bool loam_calls_call(struct machine *machine, const struct instruction *instruction);
/* Saves where the machine is; what is printed from now on is the call's value. */
bool loam_calls_enter(struct machine *machine);
bool loam_calls_return(struct machine *machine, const struct instruction *instruction);

#endif

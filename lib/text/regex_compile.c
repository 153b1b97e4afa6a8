/* SPDX-License-Identifier: MIT */
/*
 * The states of the automaton are lists of operations that wait for the next
 * character, the preferred one first; what waits behind a match has lost and
 * is left out. Look-ahead is settled when the next character is known (Thompson,
 * 1968; priorities as in Cox, "Regular Expression Matching in the Wild", 2010).
 */
#include "text/regex.h"

enum { MAX_STATES = 8192, MAX_TABLE = 1 << 20 };

/* The text of a state in the pool. */
struct state {
    uint32_t first, count;
};

struct compiler {
    const struct regex_program *program;
    const struct regex_classes *classes;
    struct memory *memory;
    struct state *states;
    size_t state_count, state_capacity;
    uint16_t *pool; /* operations of all states */
    size_t pool_count, pool_capacity;
    uint32_t *next; /* [state_count * classes] */
    size_t next_capacity;
    uint32_t *table;        /* hash table of states: index + 1 */
    uint16_t *stack, *list; /* [operations] */
    size_t list_count;
    uint32_t *seen, *seen_next; /* the step in which an operation was last seen */
    uint32_t step;
};

enum { TABLE = 1 << 14 };

static bool takes(const struct compiler *c, const struct regex_op *op, uint32_t class)
{
    bool end = class + 1 == c->classes->count;
    bool in = !end && (c->classes->members[class] >> op->set & 1);
    return op->kind == REGEX_LOOK ? in != op->negated : in;
}

/* Adds what waits for a character from `op` on to the list. An operation is
 * added once; its first place is its best. */
static void follow(struct compiler *c, size_t op)
{
    size_t depth = 0;
    c->stack[depth++] = (uint16_t)op;
    while (depth) {
        size_t at = c->stack[--depth];
        const struct regex_op *o = &c->program->ops[at];
        if (c->seen_next[at] == c->step)
            continue;
        c->seen_next[at] = c->step;
        if (o->kind == REGEX_SPLIT) {
            c->stack[depth++] = (uint16_t)((int64_t)at + o->b);
            c->stack[depth++] = (uint16_t)((int64_t)at + o->a);
        } else if (o->kind == REGEX_JUMP) {
            c->stack[depth++] = (uint16_t)((int64_t)at + o->a);
        } else {
            c->list[c->list_count++] = (uint16_t)at;
        }
    }
}

/* The list after a character of the class; whether the text before it is a
 * match. */
static bool advance(struct compiler *c, const struct state *state, uint32_t class)
{
    size_t depth = 0;
    uint16_t *work = c->stack + c->program->count + 2; /* `follow` has the first half */
    c->list_count = 0;
    c->step++;
    for (size_t i = state->count; i > 0; i--)
        work[depth++] = c->pool[state->first + i - 1];
    while (depth) {
        size_t at = work[--depth];
        const struct regex_op *o = &c->program->ops[at];
        if (c->seen[at] == c->step)
            continue;
        c->seen[at] = c->step;
        if (o->kind == REGEX_MATCH)
            return true;
        if (o->kind == REGEX_SET && takes(c, o, class))
            follow(c, at + 1);
        else if (o->kind == REGEX_LOOK && takes(c, o, class))
            work[depth++] = (uint16_t)(at + 1);
        else if (o->kind == REGEX_SPLIT) {
            work[depth++] = (uint16_t)((int64_t)at + o->b);
            work[depth++] = (uint16_t)((int64_t)at + o->a);
        } else if (o->kind == REGEX_JUMP)
            work[depth++] = (uint16_t)((int64_t)at + o->a);
    }
    return false;
}

static uint32_t hash_list(const uint16_t *list, size_t count)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ list[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* The state of the present list, a new one if there is none. */
static loam_status intern(struct compiler *c, uint32_t *out, loam_error *error)
{
    for (size_t i = 0; i < c->list_count; i++) /* behind a match nothing counts */
        if (c->program->ops[c->list[i]].kind == REGEX_MATCH)
            c->list_count = i + 1;
    size_t slot = hash_list(c->list, c->list_count) % TABLE;
    for (; c->table[slot]; slot = (slot + 1) % TABLE) {
        const struct state *state = &c->states[c->table[slot] - 1];
        if (state->count == c->list_count &&
            memcmp(c->pool + state->first, c->list, c->list_count * sizeof *c->list) == 0) {
            *out = c->table[slot] - 1;
            return LOAM_OK;
        }
    }
    if (c->state_count == MAX_STATES || c->state_count * c->classes->count > MAX_TABLE ||
        c->pool_count > MAX_TABLE)
        return loam_fail(error, LOAM_UNSUPPORTED, "the split pattern needs too large an automaton");
    if (!loam_memory_grow(c->memory, (void **)&c->states, &c->state_capacity, c->state_count + 1,
                          sizeof *c->states) ||
        !loam_memory_grow(c->memory, (void **)&c->pool, &c->pool_capacity,
                          c->pool_count + c->list_count, sizeof *c->pool) ||
        !loam_memory_grow(c->memory, (void **)&c->next, &c->next_capacity,
                          (c->state_count + 1) * c->classes->count, sizeof *c->next))
        return loam_fail_memory(error, c->pool_count * sizeof *c->pool);
    if (c->list_count)
        memcpy(c->pool + c->pool_count, c->list, c->list_count * sizeof *c->list);
    c->states[c->state_count] = (struct state){(uint32_t)c->pool_count, (uint32_t)c->list_count};
    c->pool_count += c->list_count;
    *out = (uint32_t)c->state_count++;
    c->table[slot] = *out + 1;
    return LOAM_OK;
}

static loam_status build(struct compiler *c, loam_error *error)
{
    uint32_t state;
    loam_status status = intern(c, &state, error); /* the empty list: state 0 */
    c->step++;
    follow(c, 0);
    if (!status)
        status = intern(c, &state, error);
    for (size_t i = 0; !status && i < c->state_count; i++)
        for (uint32_t class = 0; !status && class < c->classes->count; class ++) {
            struct state from = c->states[i];
            uint32_t match = advance(c, &from, class);
            status = intern(c, &state, error);
            if (!status)
                c->next[i * c->classes->count + class] = state * c->classes->count << 1 | match;
        }
    return status;
}

static void release(struct compiler *c)
{
    loam_memory_free(c->memory, c->states);
    loam_memory_free(c->memory, c->pool);
    loam_memory_free(c->memory, c->next);
    loam_memory_free(c->memory, c->table);
    loam_memory_free(c->memory, c->stack);
    loam_memory_free(c->memory, c->list);
    loam_memory_free(c->memory, c->seen);
    loam_memory_free(c->memory, c->seen_next);
}

loam_status loam_regex_compile(struct regex_automaton *out, const struct regex_program *program,
                               const struct regex_classes *classes, struct arena *arena,
                               loam_error *error)
{
    struct memory *memory = arena->memory;
    struct compiler c = {.program = program, .classes = classes, .memory = memory};
    size_t ops = program->count;
    /* An operation is on a stack at most twice for each that leads to it. */
    c.stack = loam_memory_get(memory, 6 * ops + 8, sizeof *c.stack);
    c.list = loam_memory_get(memory, ops + 1, sizeof *c.list);
    c.seen = loam_memory_get_zero(memory, ops, sizeof *c.seen);
    c.seen_next = loam_memory_get_zero(memory, ops, sizeof *c.seen_next);
    c.table = loam_memory_get_zero(memory, TABLE, sizeof *c.table);
    loam_status status = c.stack && c.list && c.seen && c.seen_next && c.table
                             ? build(&c, error)
                             : loam_fail_memory(error, 16 * (uint64_t)ops);
    size_t size = c.state_count * classes->count;
    uint32_t *next = status ? NULL : loam_arena_get(arena, size, sizeof *next);
    if (next)
        memcpy(next, c.next, size * sizeof *next);
    else if (!status)
        status = loam_fail_memory(error, size * sizeof *next);
    release(&c);
    *out = (struct regex_automaton){.next = next, .start = classes->count};
    return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * The states of the automaton are lists of operations that wait for the next
 * character, the preferred one first; what waits behind a match has lost and
 * is left out. Look-ahead is settled when the next character is known, look-behind
 * by the last one, which a state with a look-ahead keeps for what follows it (Thompson,
 * 1968; priorities as in Cox, "Regular Expression Matching in the Wild", 2010).
 */
#include "text/regex.h"

enum { MAX_STATES = 8192, MAX_TABLE = 1 << 20 };

/* A state's list in the pool. */
struct state {
    uint32_t first, count;
    uint64_t before; /* see compiler */
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
    uint64_t behind;            /* the sets that look-behind asks for */
    uint64_t before;            /* of these, those with the last character; none at the beginning */
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

static bool follows(const struct regex_op *op, uint64_t before)
{
    return (before >> op->set & 1) != op->negated;
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
        } else if (o->kind == REGEX_BEHIND) {
            if (follows(o, c->before))
                c->stack[depth++] = (uint16_t)(at + 1);
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
    c->before = c->classes->members[class] & c->behind;
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
        else if ((o->kind == REGEX_LOOK && takes(c, o, class)) ||
                 (o->kind == REGEX_BEHIND && follows(o, state->before)))
            work[depth++] = (uint16_t)(at + 1);
        else if (o->kind == REGEX_SPLIT) {
            work[depth++] = (uint16_t)((int64_t)at + o->b);
            work[depth++] = (uint16_t)((int64_t)at + o->a);
        } else if (o->kind == REGEX_JUMP)
            work[depth++] = (uint16_t)((int64_t)at + o->a);
    }
    return false;
}

static uint32_t hash_list(const uint16_t *list, size_t count, uint64_t before)
{
    uint32_t hash = 2166136261u ^ (uint32_t)(before ^ before >> 32);
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ list[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* The state of the present list, a new one if there is none. */
static loam_status intern(struct compiler *c, uint32_t *out, loam_error *error)
{
    bool looks = false;
    for (size_t i = 0; i < c->list_count; i++) { /* behind a match nothing counts */
        looks |= c->program->ops[c->list[i]].kind == REGEX_LOOK;
        if (c->program->ops[c->list[i]].kind == REGEX_MATCH)
            c->list_count = i + 1;
    }
    uint64_t before = looks ? c->before : 0;
    size_t slot = hash_list(c->list, c->list_count, before) % TABLE;
    for (; c->table[slot]; slot = (slot + 1) % TABLE) {
        const struct state *state = &c->states[c->table[slot] - 1];
        if (state->count == c->list_count && state->before == before &&
            (c->list_count == 0 ||
             memcmp(c->pool + state->first, c->list, c->list_count * sizeof *c->list) == 0)) {
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
    c->states[c->state_count] =
        (struct state){(uint32_t)c->pool_count, (uint32_t)c->list_count, before};
    c->pool_count += c->list_count;
    *out = (uint32_t)c->state_count++;
    c->table[slot] = *out + 1;
    return LOAM_OK;
}

/* The rows to begin with, by the character before. */
static loam_status begin(struct compiler *c, uint32_t *starts, loam_error *error)
{
    uint32_t count = c->classes->count, state;
    loam_status status = LOAM_OK;
    for (uint32_t i = 0; !status && i < count; i++) {
        c->before = i + 1 == count ? 0 : c->classes->members[i] & c->behind;
        c->list_count = 0;
        c->step++;
        follow(c, 0);
        status = intern(c, &state, error);
        if (!status)
            starts[i] = state * count;
    }
    return status;
}

static loam_status build(struct compiler *c, uint32_t *starts, loam_error *error)
{
    uint32_t state;
    loam_status status = intern(c, &state, error); /* the empty list: state 0 */
    if (!status)
        status = begin(c, starts, error);
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
    for (size_t i = 0; i < ops; i++)
        if (program->ops[i].kind == REGEX_BEHIND)
            c.behind |= (uint64_t)1 << program->ops[i].set;
    uint32_t *starts = loam_arena_get(arena, classes->count, sizeof *starts);
    loam_status status = starts && c.stack && c.list && c.seen && c.seen_next && c.table
                             ? build(&c, starts, error)
                             : loam_fail_memory(error, 16 * (uint64_t)ops);
    size_t size = c.state_count * classes->count;
    uint32_t *next = status ? NULL : loam_arena_get(arena, size, sizeof *next);
    if (next)
        memcpy(next, c.next, size * sizeof *next);
    else if (!status)
        status = loam_fail_memory(error, size * sizeof *next);
    release(&c);
    *out = (struct regex_automaton){.next = next};
    if (status)
        return status;
    out->start = starts[classes->count - 1];
    out->starts = c.behind ? starts : NULL;
    return status;
}

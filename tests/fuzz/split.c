/* SPDX-License-Identifier: MIT */
/*
 * Split patterns: up to a NUL an expression, or a pattern of the library by its
 * number, then a text. The automaton's words are compared with those of a
 * matcher that tries one alternative after the other, as the expression reads.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "text/split.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 100, MOST_OPS = 500, TURNS = 16 };

/* An expression on a text: what was tried in vain, by operation and place. */
struct trial {
    const struct regex_program *program;
    const struct regex_classes *classes;
    const char *text;
    size_t length;
    unsigned char *tried; /* [operations][length + 1] */
    struct {
        uint32_t op, at;
    } * stack; /* [2 * operations * (length + 1)]: each place is left open once */
};

/* Whether the character before the place is of the set. */
static bool is_behind(const struct trial *trial, const struct regex_op *op, size_t at)
{
    uint32_t c = 0;
    size_t start = 0, size = 0;
    while (start + size < at) {
        start += size;
        size = loam_utf8_decode(&c, trial->text + start, trial->length - start);
    }
    bool in =
        at > 0 && (trial->classes->members[loam_regex_class(trial->classes, c)] >> op->set & 1);
    return in != op->negated;
}

static bool takes(const struct trial *trial, const struct regex_op *op, size_t at, size_t *size)
{
    uint32_t c;
    if (at == trial->length)
        return op->kind == REGEX_LOOK && op->negated;
    *size = loam_utf8_decode(&c, trial->text + at, trial->length - at);
    bool in = trial->classes->members[loam_regex_class(trial->classes, c)] >> op->set & 1;
    return op->kind == REGEX_LOOK ? in != op->negated : in;
}

/* Bytes that the expression matches at text[start], 0 if none. */
static size_t try_match(struct trial *trial, size_t start)
{
    const struct regex_op *ops = trial->program->ops;
    size_t depth = 0, places = trial->length + 1;
    memset(trial->tried, 0, trial->program->count * places);
    trial->stack[depth].op = 0;
    trial->stack[depth++].at = (uint32_t)start;
    while (depth) {
        size_t op = trial->stack[--depth].op, at = trial->stack[depth].at, size = 0;
        for (bool alive = true; alive;) {
            const struct regex_op *o = &ops[op];
            unsigned char *tried = &trial->tried[op * places + at];
            alive = !*tried;
            *tried = 1;
            if (!alive)
                break;
            if (o->kind == REGEX_MATCH)
                return at - start;
            if (o->kind == REGEX_SPLIT) {
                trial->stack[depth].op = (uint32_t)((int64_t)op + o->b);
                trial->stack[depth++].at = (uint32_t)at;
            }
            if (o->kind == REGEX_SPLIT || o->kind == REGEX_JUMP) {
                op = (size_t)((int64_t)op + o->a);
                continue;
            }
            alive = o->kind == REGEX_BEHIND ? is_behind(trial, o, at) : takes(trial, o, at, &size);
            at += o->kind == REGEX_SET ? size : 0;
            op++;
        }
    }
    return 0;
}

/* Where the word at `at` ends by trial. */
static size_t word_by_trial(struct trial *trial, size_t at)
{
    size_t start = at;
    while (at < trial->length) {
        uint32_t c;
        size_t match = try_match(trial, at);
        if (match)
            return at == start ? at + match : at;
        at += loam_utf8_decode(&c, trial->text + at, trial->length - at);
    }
    return at;
}

/* Every word has bytes, and all are the text; with a trial, they are its. */
static void walk(const struct splitter *splitter, struct memory *memory, struct trial *trial,
                 const char *text, size_t length)
{
    struct split_walk walk;
    size_t at = 0, word;
    loam_split_begin(&walk, splitter, memory, text, length);
    while ((word = loam_split_next(&walk)) > 0) {
        if (word > length - at || (trial && at + word != word_by_trial(trial, at)))
            abort();
        at += word;
    }
    if (at != length)
        abort();
    loam_split_end(&walk);
}

/* What is remembered of scans that go far changes nothing. */
static void repeat(const struct splitter *splitter, struct memory *memory, const char *text,
                   size_t length)
{
    char long_text[TURNS * MOST_TEXT];
    struct split_walk with, without;
    size_t word = 1;
    for (size_t i = 0; i < TURNS * length; i++)
        long_text[i] = text[i % length];
    loam_split_begin(&with, splitter, memory, long_text, TURNS * length);
    loam_split_begin(&without, splitter, NULL, long_text, TURNS * length);
    while (word) {
        word = loam_split_next(&with);
        if (loam_split_next(&without) != word)
            abort();
    }
    loam_split_end(&with);
    loam_split_end(&without);
}

static void compare(const struct splitter *splitter, struct memory *memory, const char *expression,
                    const char *text, size_t length)
{
    struct regex_sets sets = {.memory = memory};
    struct regex_program program = {.sets = &sets};
    struct trial trial = {
        .program = &program, .classes = &splitter->classes, .text = text, .length = length};
    if (loam_regex_parse(&program, expression, strlen(expression), NULL))
        abort(); /* it was parsed before */
    size_t places = program.count * (length + 1);
    trial.tried = malloc(places);
    trial.stack = malloc(2 * places * sizeof *trial.stack);
    bool compares = program.count <= MOST_OPS && trial.tried && trial.stack;
    walk(splitter, memory, compares ? &trial : NULL, text, length);
    free(trial.tried);
    free(trial.stack);
    repeat(splitter, memory, text, length);
    loam_memory_free(memory, program.ops);
    loam_memory_free(memory, program.scratch);
    loam_memory_free(memory, sets.ranges);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    struct arena arena;
    struct splitter splitter;
    loam_error error = {.struct_size = sizeof error};
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    if (!end)
        return 0;
    const char *text = (const char *)end + 1, *expression = (const char *)data;
    size_t length = size - (size_t)(end - data) - 1, number = data[0] - 128u;
    struct split_pattern own = {.names = "own", .stages = {expression}};
    const struct split_pattern *known = data[0] >= 128 ? loam_pattern_at(number) : NULL;
    loam_memory_init(&memory, NULL, 64u << 20);
    loam_arena_init(&arena, &memory);
    loam_status status = loam_split_create(&splitter, known ? known : &own, &arena, &error);
    if (status && (known || error.code != status || error.message[0] == 0))
        abort();
    if (!status && !known && length <= MOST_TEXT)
        compare(&splitter, &memory, expression, text, length);
    else if (!status)
        walk(&splitter, &memory, NULL, text, length);
    loam_arena_end(&arena);
    if (atomic_load(&memory.held) != 0)
        abort();
    return 0;
}

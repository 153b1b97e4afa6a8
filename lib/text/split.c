/* SPDX-License-Identifier: MIT */
#include "text/split.h"
#include "base/utf8.h"

/* Parses all stages, then classifies characters for all of them at once. */
static loam_status parse_stages(struct splitter *out, const struct split_pattern *pattern,
                                struct regex_program *programs, struct arena *arena,
                                loam_error *error)
{
    struct regex_sets *sets = programs[0].sets;
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < PATTERN_STAGES && pattern->stages[i]; i++) {
        programs[i].sets = sets;
        programs[i].oniguruma = pattern->oniguruma;
        status =
            loam_regex_parse(&programs[i], pattern->stages[i], strlen(pattern->stages[i]), error);
        out->count = i + 1;
    }
    if (!status)
        status = loam_regex_classify(&out->classes, sets, arena, error);
    for (size_t i = 0; !status && i < out->count; i++)
        status = loam_regex_compile(&out->stages[i], &programs[i], &out->classes, arena, error);
    return status;
}

loam_status loam_split_create(struct splitter *out, const struct split_pattern *pattern,
                              struct arena *arena, loam_error *error)
{
    struct memory *memory = arena->memory;
    struct regex_sets sets = {.memory = memory};
    struct regex_program programs[PATTERN_STAGES] = {{.sets = &sets}};
    out->count = 0;
    loam_status status = parse_stages(out, pattern, programs, arena, error);
    for (size_t i = 0; i < PATTERN_STAGES; i++) {
        loam_memory_free(memory, programs[i].ops);
        loam_memory_free(memory, programs[i].scratch);
    }
    loam_memory_free(memory, sets.ranges);
    return status;
}

/* The end of the stage's next piece of text[at..end): a match, or all up to the
 * next one, whose end is kept. */
static size_t next_piece(struct split_walk *walk, size_t stage, size_t at, size_t end)
{
    const struct splitter *splitter = walk->splitter;
    const struct regex_automaton *automaton = &splitter->stages[stage];
    const char *text = walk->text;
    if (walk->matches[stage] > at) {
        at = walk->matches[stage];
        walk->matches[stage] = 0;
        walk->matched = true;
        return at;
    }
    size_t begin = at;
    walk->matched = false;
    for (;;) {
        uint32_t c;
        size_t match = loam_regex_match(automaton, &splitter->classes, text, walk->begins[stage],
                                        at, end, &walk->memo, (uint32_t)stage);
        if (match && at == begin) {
            walk->matched = true;
            return at + match;
        }
        if (match) {
            walk->matches[stage] = at + match;
            return at;
        }
        at += (unsigned char)text[at] < 0x80 ? 1 : loam_utf8_decode(&c, text + at, end - at);
        if (at == end)
            return end;
    }
}

void loam_split_begin(struct split_walk *walk, const struct splitter *splitter,
                      struct memory *memory, const char *text, size_t length)
{
    *walk = (struct split_walk){
        .splitter = splitter, .text = text, .ends = {length}, .memo = {.memory = memory}};
}

void loam_split_end(struct split_walk *walk)
{
    loam_regex_memo_end(&walk->memo);
}

size_t loam_split_next(struct split_walk *walk)
{
    size_t at = walk->at, stage = 0;
    if (at == walk->ends[0])
        return 0;
    walk->memo.begin = at;
    for (; stage < walk->splitter->count; stage++) {
        size_t *end = &walk->ends[stage + 1];
        if (*end != at)
            continue;
        walk->begins[stage + 1] = at;
        *end = next_piece(walk, stage, at, walk->ends[stage]);
    }
    walk->at = walk->ends[stage];
    return walk->at - at;
}

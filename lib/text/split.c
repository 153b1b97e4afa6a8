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

/* Bytes of the stage's next piece of text: a match, or all up to the next. */
static size_t next_piece(const struct splitter *splitter, size_t stage, const char *text,
                         size_t length, bool *matched)
{
    const struct regex_automaton *automaton = &splitter->stages[stage];
    size_t piece = loam_regex_match(automaton, &splitter->classes, text, length);
    *matched = piece > 0;
    if (piece)
        return piece;
    do {
        uint32_t c;
        piece += (unsigned char)text[piece] < 0x80
                     ? 1
                     : loam_utf8_decode(&c, text + piece, length - piece);
    } while (piece < length &&
             !loam_regex_match(automaton, &splitter->classes, text + piece, length - piece));
    return piece;
}

void loam_split_begin(struct split_walk *walk, const struct splitter *splitter, const char *text,
                      size_t length)
{
    *walk = (struct split_walk){.splitter = splitter, .text = text, .ends = {length}};
}

size_t loam_split_next(struct split_walk *walk)
{
    size_t at = walk->at, stage = 0;
    if (at == walk->ends[0])
        return 0;
    for (; stage < walk->splitter->count; stage++) {
        size_t *end = &walk->ends[stage + 1];
        if (*end == at)
            *end = at + next_piece(walk->splitter, stage, walk->text + at, walk->ends[stage] - at,
                                   &walk->matched);
    }
    walk->at = walk->ends[stage];
    return walk->at - at;
}

/* SPDX-License-Identifier: MIT */
/*
 * Splitting text into words before byte-pair encoding. A splitter is one or more
 * stages, each a regular expression. A stage cuts what the stage before gave it
 * into its matches and what lies between them; looking ahead or behind ends at
 * such a cut.
 */
#ifndef LOAM_TEXT_SPLIT_H
#define LOAM_TEXT_SPLIT_H

#include "text/patterns.h"
#include "text/regex.h"

/* Compiled expressions. Immutable. Thread-safe. */
struct splitter {
    struct regex_classes classes;
    struct regex_automaton stages[PATTERN_STAGES];
    size_t count;
};

/* Compiles the expressions, into the arena.
 * [errors: MEMORY, UNSUPPORTED] */
loam_status loam_split_create(struct splitter *out, const struct split_pattern *pattern,
                              struct arena *arena, loam_error *error);

/* A walk over the words of a text. */
struct split_walk {
    const struct splitter *splitter;
    const char *text;
    size_t at;
    size_t begins[PATTERN_STAGES + 1]; /* of the pieces that end there */
    size_t ends[PATTERN_STAGES + 1];   /* of the text, and of each stage's present piece */
    bool matched;                      /* the last word is a match, not what lies between two */
    size_t matches[PATTERN_STAGES];    /* ends of matches that were found ahead; 0: none */
    struct regex_memo memo;
};

/* What the walk needs to stay fast on every text comes from `memory`; without it
 * the words are the same. */
void loam_split_begin(struct split_walk *walk, const struct splitter *splitter,
                      struct memory *memory, const char *text, size_t length);
void loam_split_end(struct split_walk *walk);

/* Length of the next word, 0 at the end of the text. Invalid bytes count as
 * characters of no category. Time over a whole text: linear in it. */
size_t loam_split_next(struct split_walk *walk);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Splitting text into words before byte-pair encoding. A splitter is data: one
 * or more stages, each a list of alternatives that are tried in order at each
 * position. A stage cuts what the stage before gave it into its matches and
 * what lies between them; a look-ahead does not see beyond such a cut.
 */
#ifndef LOAM_TEXT_SPLIT_H
#define LOAM_TEXT_SPLIT_H

#include "base/error.h"

struct splitter;

enum { SPLIT_STAGES = 4 };

/* A walk over the words of a text. */
struct split_walk {
    const struct splitter *splitter;
    const char *text;
    size_t at;
    size_t ends[SPLIT_STAGES + 1]; /* of the text, and of each stage's present piece */
};

/* The splitter of that name (tokenizer.ggml.pre), or NULL. */
const struct splitter *loam_split_find(const char *name, size_t length);

/* Whether a word that is a token as a whole is not taken apart. */
bool loam_split_keeps_whole_words(const struct splitter *splitter);

/* The names of the splitters, one for each; the list ends with NULL. */
const char *const *loam_split_names(void);

void loam_split_begin(struct split_walk *walk, const struct splitter *splitter, const char *text,
                      size_t length);

/* Length of the next word, 0 at the end of the text. Invalid bytes count as
 * characters of no class. Time over a whole text: linear in it. */
size_t loam_split_next(struct split_walk *walk);

#endif

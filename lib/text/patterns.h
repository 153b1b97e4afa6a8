/* SPDX-License-Identifier: MIT */
/* The published split patterns of byte-level vocabularies, by their names. */
#ifndef LOAM_TEXT_PATTERNS_H
#define LOAM_TEXT_PATTERNS_H

#include "base/base.h"

enum { PATTERN_STAGES = 6 };

struct split_pattern {
    const char *names;                  /* of tokenizer.ggml.pre, with a space between */
    const char *stages[PATTERN_STAGES]; /* until NULL */
    bool keeps_whole_words;             /* a word that is a token is not taken apart */
    bool oniguruma;                     /* the syntax of that library, see regex.h */
    bool adds_begin;                    /* unless the file says otherwise */
};

/* Bytes of the first of the names. */
size_t loam_pattern_name_length(const char *names);

/* The pattern of that name, or NULL. */
const struct split_pattern *loam_pattern_find(const char *name, size_t length);

/* The i-th pattern, or NULL behind the last one. */
const struct split_pattern *loam_pattern_at(size_t i);

#endif

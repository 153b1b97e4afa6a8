/* SPDX-License-Identifier: MIT */
/*
 * Splitting text into words before byte-pair encoding. A splitter is data: one
 * or more stages, each a list of alternatives that are tried in order at each
 * position; what no alternative matches is passed on whole.
 */
#ifndef LOAM_TEXT_SPLIT_H
#define LOAM_TEXT_SPLIT_H

#include "base/error.h"

struct splitter;

/* The splitter of that name (tokenizer.ggml.pre), or NULL. */
const struct splitter *loam_split_find(const char *name, size_t length);

/* Whether a word that is a token as a whole is not taken apart. */
bool loam_split_keeps_whole_words(const struct splitter *splitter);

/* Length of the first word of text[length], length at least 1. Invalid bytes
 * count as characters of no class. Linear over a whole text. */
size_t loam_split_next(const struct splitter *splitter, const char *text, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/* Cutting a document into chunks of at most so many tokens. */
#ifndef LOAM_TEXT_DOCUMENT_H
#define LOAM_TEXT_DOCUMENT_H

#include "text/tokenizer.h"

/* Calls options->chunk for each chunk, in order. Time: linear in the text but
 * for the overlap, which is at most half of a chunk.
 * [errors: MEMORY, INVALID_ARGUMENT, CANCELLED (by the callback)] */
loam_status loam_document_split(const struct tokenizer *tokenizer, struct memory *memory,
                                const char *text, size_t length, const loam_split_options *options,
                                loam_error *error);

#endif

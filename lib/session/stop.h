/* SPDX-License-Identifier: MIT */
/* Stop strings in a stream of text: what could begin one is held back. */
#ifndef LOAM_SESSION_STOP_H
#define LOAM_SESSION_STOP_H

#include "base/error.h"
#include "base/memory.h"

/* Thread-compatible. */
struct stop_matcher;

/* Copies strings[count], none empty (INVALID_ARGUMENT names its index); count
 * 0 is fine. Takes time linear in their total length. */
loam_status loam_stop_create(struct stop_matcher **out, struct memory *memory,
                             const loam_string *strings, size_t count, loam_error *error);
void loam_stop_destroy(struct stop_matcher *matcher);

/* Forgets what is held. */
void loam_stop_reset(struct stop_matcher *matcher);

/* Adds text[length] to the stream. *out, *out_length is the text that is now
 * certain, owned by the matcher until its next call. Returns OK with *matched
 * true once the earliest-ending stop string is complete (the longest of those
 * that end there): the certain text then ends before it, and what follows it
 * is dropped.
 * [errors: MEMORY] */
loam_status loam_stop_push(const char **out, size_t *out_length, bool *matched,
                           struct stop_matcher *matcher, const char *text, size_t length,
                           loam_error *error);

/* The stream ends without a match: gives what was held. */
void loam_stop_finish(const char **out, size_t *out_length, struct stop_matcher *matcher);

#endif

/* SPDX-License-Identifier: MIT */
/* Statuses with one-line messages, and the size rule of public structs. */
#ifndef LOAM_BASE_ERROR_H
#define LOAM_BASE_ERROR_H

#include "base/base.h"

/* Fills *error (may be NULL) and returns `code`. The message is one line, says
 * what was found and what was expected, and names the file, key, tensor or
 * argument. Texts from files go in as %.*s with LOAM_SHOWN(length); bytes that
 * a terminal should not see are replaced by '?'. No float conversions: they
 * depend on the locale. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
loam_status loam_fail(loam_error *error, loam_status code, const char *format, ...);

/* Length of a text as a %.*s argument, at most 120. */
#define LOAM_SHOWN(length) ((int)((length) < 120 ? (length) : 120))

/* Out of memory, of whatever cause. */
loam_status loam_fail_memory(loam_error *error, uint64_t wanted_bytes);

/* Puts "prefix: " before the message, cutting its end if it gets too long. */
void loam_error_prefix(loam_error *error, const char *prefix, size_t prefix_length);

/* Copies the caller's struct `from`, which may be NULL for all zero, to the
 * `size` bytes at `to` by the size rule: a shorter one is filled up with zero,
 * a longer one's unknown bytes must be zero. `name` is for messages. */
loam_status loam_struct_read(void *to, size_t size, const void *from, const char *name,
                             loam_error *error);

/* Checks that `out` is a struct to be written: not NULL, struct_size sane. */
loam_status loam_struct_check(const void *out, const char *name, loam_error *error);

/* Copies the library's struct `from` of `size` bytes to the caller's `out`,
 * written to its own struct_size, which is kept. */
void loam_struct_write(void *out, const void *from, size_t size);

#endif

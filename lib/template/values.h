/* SPDX-License-Identifier: MIT */
/* Operations on values that are no text: making, comparing, walking. */
#ifndef LOAM_TEMPLATE_VALUES_H
#define LOAM_TEMPLATE_VALUES_H

#include "template/machine.h"

/* The name of a kind; that of sequences is "list". */
const char *loam_values_kind(enum value_kind kind);

/* Python's name of the value's type, such as "str"; static. */
const char *loam_values_type(struct value value);

bool loam_values_truth(struct value value);

/* *out = a == b. Fails if they nest too deeply. */
bool loam_values_equal(struct machine *machine, bool *out, struct value a, struct value b);

/* *out is less than, equal to or more than 0. Fails for types without order;
 * `operator` is for the message. `fold`: upper and lower case are the same. */
bool loam_values_compare(struct machine *machine, int *out, struct value a, struct value b,
                         const char *operator, bool fold);

/* Fails, saying what is undefined. */
bool loam_values_fail_undefined(struct machine *machine, struct value value);

/* Whether some part of the value stood in the caller's data. */
bool loam_values_from_data(struct machine *machine, struct value value, int depth);

/* ---- sequences ---- */

struct sequence *loam_sequence_new(struct machine *machine, enum sequence_flavour flavour,
                                   uint64_t room);
bool loam_sequence_add(struct machine *machine, struct sequence *sequence, struct value value);

/* What iterating over the value gives, as a sequence that is not to be
 * changed; a generator is used up. Fails if it can't be iterated over. */
bool loam_values_iterate(struct machine *machine, struct sequence **out, struct value value);

/* *out = the number of elements or characters. */
bool loam_values_length(struct machine *machine, int64_t *out, struct value value);

/* *out = needle in hay. */
bool loam_values_contains(struct machine *machine, bool *out, struct value hay,
                          struct value needle);

/* ---- mappings ---- */

struct mapping *loam_mapping_new(struct machine *machine);
bool loam_mapping_set(struct machine *machine, struct mapping *mapping, struct value key,
                      struct value item);
/* The item of a key, or NULL. Keys of other kinds than text and numbers are
 * compared one by one. */
struct value *loam_mapping_find(struct machine *machine, const struct mapping *mapping,
                                struct value key);
struct value *loam_mapping_find_text(struct machine *machine, const struct mapping *mapping,
                                     struct text *key);
/* Keys, values or pairs of both. */
struct sequence *loam_mapping_view(struct machine *machine, const struct mapping *mapping,
                                   enum sequence_flavour flavour);

#endif

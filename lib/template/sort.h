/* SPDX-License-Identifier: MIT */
/* Stable sorting by keys. */
#ifndef LOAM_TEMPLATE_SORT_H
#define LOAM_TEMPLATE_SORT_H

#include "template/values.h"

/* How keys are compared. */
struct sort_order {
    bool fold; /* upper and lower case are the same */
    bool reverse;
};

/* *out = the places of keys[count] in order, in the heap; equal ones keep
 * theirs. */
bool loam_sort(struct machine *machine, size_t **out, const struct value *keys, size_t count,
               struct sort_order order);

/* The same for the keys of a mapping. */
bool loam_sort_keys(struct machine *machine, size_t **out, const struct mapping *mapping);

#endif

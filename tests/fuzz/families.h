/* SPDX-License-Identifier: MIT */
/*
 * Changes to a model file that leave it a model file: numbers of its metadata,
 * names, shapes, types and places of tensors, some weights, and the family
 * itself. Bytes changed at random rarely get beyond the header's checks.
 */
#ifndef LOAM_TESTS_FUZZ_FAMILIES_H
#define LOAM_TESTS_FUZZ_FAMILIES_H

#include <stddef.h>
#include <stdint.h>

/* Writes a changed copy of the file to out[capacity] and returns its size; 0 if
 * it is no model file, or there is no room. */
size_t families_change(uint8_t *out, size_t capacity, const uint8_t *file, size_t size,
                       uint64_t *random);

#endif

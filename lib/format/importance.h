/* SPDX-License-Identifier: MIT */
/*
 * Importance files: for the input columns of each matrix, how large their
 * numbers were while a model read a text. GGUF of general.type "imatrix", with
 * tensors NAME.in_sum2 (sums of squares) and NAME.counts for each matrix or
 * each expert; or the binary form that came before it.
 */
#ifndef LOAM_FORMAT_IMPORTANCE_H
#define LOAM_FORMAT_IMPORTANCE_H

#include "format/gguf.h"

/* One entry of the older form. */
struct importance_entry {
    uint64_t name_offset, values_offset; /* in the file */
    uint32_t name_length, calls, count;
};

/* An open importance file. Values are read when they are asked for.
 * Thread-compatible. */
struct importance {
    struct source *source; /* the caller's, open as long as this */
    struct memory *memory;
    bool is_gguf;
    struct gguf gguf;
    struct importance_entry *entries;
    uint32_t entry_count; /* of the older form */
    uint32_t matrices;    /* that the file has */
    uint32_t chunks;      /* of text that it was made from; 0: not said */
};

/* [errors: MEMORY, IO, FORMAT, UNSUPPORTED] */
loam_status loam_importance_open(struct importance *out, struct source *source,
                                 struct memory *memory, loam_error *error);
void loam_importance_close(struct importance *importance);

/* The mean squares for a tensor of that name: *out is float[*count], given back
 * with loam_memory_free; NULL if the file has none. Experts follow each other;
 * those that saw no token have 1 throughout. Numbers that are not finite or below 0
 * are FORMAT.
 * [errors: MEMORY, IO, FORMAT] */
loam_status loam_importance_load(float **out, uint64_t *count, struct importance *importance,
                                 struct gguf_string name, loam_error *error);

#endif

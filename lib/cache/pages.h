/* SPDX-License-Identifier: MIT */
/*
 * lib/cache: memory of past tokens: pages of keys and values. Knows the size
 * of a page, not what is in it.
 *
 * pages.h: the pages of one sequence, in order. Page i holds positions
 * [64 i, 64 i + 64).
 */
#ifndef LOAM_CACHE_PAGES_H
#define LOAM_CACHE_PAGES_H

#include "base/error.h"
#include "base/memory.h"
#include "tensor/tensor.h"

/* Thread-compatible. */
struct pages {
    struct memory *memory;
    const loam_graph *graph; /* whose pages they are */
    uint64_t page_bytes;     /* 0: the model keeps nothing */
    void **table;            /* [count] */
    size_t count, capacity;
    size_t least; /* pages that trimming leaves */
};

/* The graph is compiled and outlives the pages. */
void loam_pages_init(struct pages *pages, struct memory *memory, const loam_graph *graph);

/* Takes pages until `positions` positions have room. What was there stays, on
 * failure as well.
 * [errors: MEMORY] */
loam_status loam_pages_reserve(struct pages *pages, uint64_t positions, loam_error *error);

/* Gives back all pages but those of the first `positions` positions, and at
 * least `least`. */
void loam_pages_trim(struct pages *pages, uint64_t positions);

/* Gives everything back. */
void loam_pages_end(struct pages *pages);

#endif

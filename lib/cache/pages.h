/* SPDX-License-Identifier: MIT */
/*
 * lib/cache: memory of past tokens: pages of keys and values. Knows the size
 * of a page, not what is in it.
 *
 * pages.h: the pages of one sequence, in order. Page i holds positions
 * [64 i, 64 i + 64). Memory is taken for several pages at once where they are
 * 4 MB or more, as many as there are already and up to 8 MB: such blocks lie in huge
 * pages of the system, so that attention over a long context does not wait for
 * address translation.
 */
#ifndef LOAM_CACHE_PAGES_H
#define LOAM_CACHE_PAGES_H

#include "base/error.h"
#include "base/memory.h"
#include "tensor/tensor.h"

/* A block of memory, of pages [first, first + count) of the table. */
struct page_block {
    void *memory;
    size_t first, count;
};

/* Thread-compatible. */
struct pages {
    struct memory *memory;
    const loam_graph *graph; /* whose pages they are */
    uint64_t page_bytes;     /* 0: the model keeps nothing */
    void **table;            /* [count] */
    size_t count, capacity;
    size_t least, most; /* pages that trimming leaves; that memory is taken for */
    struct page_block *blocks;
    size_t block_count, block_capacity;
};

/* The graph is compiled and outlives the pages; there will be no more than
 * `positions` positions. */
void loam_pages_init(struct pages *pages, struct memory *memory, const loam_graph *graph,
                     uint64_t positions);

/* Takes pages until `positions` positions have room. What was there stays, on
 * failure as well.
 * [errors: MEMORY] */
loam_status loam_pages_reserve(struct pages *pages, uint64_t positions, loam_error *error);

/* Ends all pages but those of the first `positions` positions, and at least
 * `least`; gives back the blocks of which none is left. */
void loam_pages_trim(struct pages *pages, uint64_t positions);

/* Gives everything back. */
void loam_pages_end(struct pages *pages);

#endif

/* SPDX-License-Identifier: MIT */
/* Memory of one compilation or rendering: a bump allocator that knows its limit. */
#ifndef LOAM_TEMPLATE_HEAP_H
#define LOAM_TEMPLATE_HEAP_H

#include "base/memory.h"

/* Structs and bytes come from areas of their own, so that a text which was
 * just made can grow where it lies. Thread-compatible. */
struct heap {
    struct memory *memory;
    uint64_t limit; /* of the bytes held */
    uint64_t held;
    struct heap_chunk *chunks, *spare;
    char *struct_at, *struct_end;
    char *byte_at, *byte_end;
};

void loam_heap_init(struct heap *heap, struct memory *memory, uint64_t limit);
void loam_heap_end(struct heap *heap);

/* Chunks of an ended heap, for one that comes after it: memory which a program
 * frees goes back to the system, and getting it again costs more than a rendering
 * does. A spare chunk is taken where one of that very size is wanted, so that
 * having some changes neither where things lie nor what the limit allows. */
struct heap_chunk;
enum { HEAP_SPARE = 1 << 20, HEAP_ALIGNMENT = 8 };

/* Hands chunks over to a heap without any: it owns them now. */
void loam_heap_give(struct heap *heap, struct heap_chunk *spare);
/* Ends the heap, but for up to HEAP_SPARE bytes in chunks, which are returned. */
struct heap_chunk *loam_heap_end_keeping(struct heap *heap);
void loam_heap_free_spare(struct memory *memory, struct heap_chunk *spare);

/* count * size bytes aligned to 8, or NULL: memory or the limit is used up.
 * Freed by loam_heap_end alone. */
void *loam_heap_get(struct heap *heap, uint64_t count, size_t size);

/* The same for one struct, without a call where there is room. */
static inline void *heap_get_one(struct heap *heap, size_t size)
{
    size_t bytes = loam_align(size, HEAP_ALIGNMENT);
    if (bytes > (size_t)(heap->struct_end - heap->struct_at))
        return loam_heap_get(heap, 1, size);
    char *block = heap->struct_at;
    heap->struct_at += bytes;
    return block;
}

/* The same, unaligned: for text. */
char *loam_heap_bytes(struct heap *heap, uint64_t count);

/* Gives back the last `count` bytes before `end`, which loam_heap_bytes gave
 * last, if that is possible. */
void loam_heap_return(struct heap *heap, const char *end, size_t count);

/* Takes the `count` bytes right behind `end`; false if they are not free. */
bool loam_heap_extend(struct heap *heap, const char *end, size_t count);

/* Makes an array of elements of `size` bytes hold `wanted`, at least doubling
 * it; the old one stays allocated. */
bool loam_heap_grow(struct heap *heap, void **array, size_t *capacity, uint64_t wanted,
                    size_t size);

#endif

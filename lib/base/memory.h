/* SPDX-License-Identifier: MIT */
/* All memory of an engine: counted, limited, and from the host if it wants. */
#ifndef LOAM_BASE_MEMORY_H
#define LOAM_BASE_MEMORY_H

#include "base/base.h"

#include <stdatomic.h>

/* One per engine. Thread-safe. */
struct memory {
    loam_allocator host; /* complete: defaults filled in */
    uint64_t limit;      /* 0: none */
    atomic_uint_fast64_t held, peak;
};

/* `host` may be NULL: malloc. */
void loam_memory_init(struct memory *memory, const loam_allocator *host, uint64_t limit);

/* A block of count * size bytes, aligned to 16; NULL if it can't be had or the
 * product overflows. A block of size 0 is valid. */
void *loam_memory_get(struct memory *memory, uint64_t count, size_t size);

/* The same, all zero. */
void *loam_memory_get_zero(struct memory *memory, uint64_t count, size_t size);

/* Gives back what loam_memory_get gave; NULL is fine. */
void loam_memory_free(struct memory *memory, void *block);

/* Makes an array of elements of `size` bytes hold at least `wanted` elements,
 * at least doubling it. *array and *capacity are changed on success only. */
bool loam_memory_grow(struct memory *memory, void **array, size_t *capacity, uint64_t wanted,
                      size_t size);

/* A large block, aligned to 64, contents undefined. The caller keeps its size. */
void *loam_memory_get_large(struct memory *memory, uint64_t bytes);
void loam_memory_free_large(struct memory *memory, void *block, uint64_t bytes);

/* Many small blocks that live and die together: a bump allocator.
 * Thread-compatible. */
struct arena {
    struct memory *memory;
    struct arena_chunk *chunks; /* newest first */
    size_t used, size;          /* of the newest chunk's payload */
};

void loam_arena_init(struct arena *arena, struct memory *memory);
void loam_arena_end(struct arena *arena);

/* count * size bytes aligned to 16, or NULL. Freed by loam_arena_end alone. */
void *loam_arena_get(struct arena *arena, uint64_t count, size_t size);

/* A copy of text[length] with a NUL behind it, or NULL. */
char *loam_arena_text(struct arena *arena, const char *text, size_t length);

#endif

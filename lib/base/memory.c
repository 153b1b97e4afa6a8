/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
    SMALL_ALIGNMENT = 16,
    LARGE_ALIGNMENT = 64,
    ARENA_CHUNK = 32 * 1024,
    HUGE_PAGE = 2 << 20
};

/* Weights are read from front to back at the speed of memory: in pages of
 * 2 MB that costs no misses of address translation. Only asked for; what the
 * system does not grant changes nothing. */
static void *huge_allocate(size_t size)
{
    void *block = aligned_alloc(HUGE_PAGE, loam_align(size, HUGE_PAGE));
#if defined(MADV_HUGEPAGE)
    if (block)
        (void)madvise(block, size & ~(size_t)(HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    return block;
}

static void *default_allocate(void *user, size_t size, size_t alignment)
{
    (void)user;
    if (alignment <= SMALL_ALIGNMENT)
        return malloc(size);
    if (size > SIZE_MAX - HUGE_PAGE)
        return NULL;
    if (size >= 2 * HUGE_PAGE)
        return huge_allocate(size);
    return aligned_alloc(alignment, loam_align(size, alignment));
}

static void default_release(void *user, void *block, size_t size, size_t alignment)
{
    (void)user;
    (void)size;
    (void)alignment;
    free(block);
}

void loam_memory_init(struct memory *memory, const loam_allocator *host, uint64_t limit)
{
    memset(memory, 0, sizeof *memory);
    if (host)
        memory->host = *host;
    if (!memory->host.allocate) {
        memory->host.allocate = default_allocate;
        memory->host.release = default_release;
    }
    if (!memory->host.allocate_large) {
        memory->host.allocate_large = memory->host.allocate;
        memory->host.release_large = memory->host.release;
    }
    memory->limit = limit;
    atomic_init(&memory->held, 0);
    atomic_init(&memory->peak, 0);
}

/* Books `bytes` before they are asked for, so that the limit is never passed,
 * not even for a moment by two threads together. */
static bool book(struct memory *memory, uint64_t bytes)
{
    uint_fast64_t before = atomic_load_explicit(&memory->held, memory_order_relaxed);
    uint64_t after;
    do {
        if (!loam_sum(&after, before, bytes) || (memory->limit && after > memory->limit))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&memory->held, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    uint_fast64_t peak = atomic_load_explicit(&memory->peak, memory_order_relaxed);
    while (peak < after && !atomic_compare_exchange_weak_explicit(
                               &memory->peak, &peak, after, memory_order_relaxed, memory_order_relaxed))
        ;
    return true;
}

static void unbook(struct memory *memory, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&memory->held, bytes, memory_order_relaxed);
}

/* Small blocks carry their size in front, padded to keep the alignment. */
struct header {
    _Alignas(SMALL_ALIGNMENT) size_t bytes;
};

void *loam_memory_get(struct memory *memory, uint64_t count, size_t size)
{
    uint64_t bytes;
    if (!loam_multiply(&bytes, count, size) || !loam_sum(&bytes, bytes, sizeof(struct header)) ||
        bytes > SIZE_MAX / 2 || !book(memory, bytes))
        return NULL;
    struct header *header = memory->host.allocate(memory->host.user, (size_t)bytes, SMALL_ALIGNMENT);
    if (!header) {
        unbook(memory, bytes);
        return NULL;
    }
    header->bytes = (size_t)bytes;
    return header + 1;
}

void *loam_memory_get_zero(struct memory *memory, uint64_t count, size_t size)
{
    void *block = loam_memory_get(memory, count, size);
    if (block)
        memset(block, 0, (size_t)(count * size));
    return block;
}

void loam_memory_free(struct memory *memory, void *block)
{
    if (!block)
        return;
    struct header *header = (struct header *)block - 1;
    size_t bytes = header->bytes;
    memory->host.release(memory->host.user, header, bytes, SMALL_ALIGNMENT);
    unbook(memory, bytes);
}

bool loam_memory_grow(struct memory *memory, void **array, size_t *capacity, uint64_t wanted,
                      size_t size)
{
    if (wanted <= *capacity)
        return true;
    if (wanted > SIZE_MAX / 4)
        return false;
    size_t room = loam_max((size_t)wanted, loam_max(*capacity * 2, 8));
    void *grown = loam_memory_get(memory, room, size);
    if (!grown)
        return false;
    if (*capacity)
        memcpy(grown, *array, *capacity * size);
    loam_memory_free(memory, *array);
    *array = grown;
    *capacity = room;
    return true;
}

void *loam_memory_get_large(struct memory *memory, uint64_t bytes)
{
    if (bytes > SIZE_MAX / 2 || !book(memory, bytes))
        return NULL;
    void *block = memory->host.allocate_large(memory->host.user, loam_max((size_t)bytes, 1),
                                              LARGE_ALIGNMENT);
    if (!block)
        unbook(memory, bytes);
    return block;
}

void loam_memory_free_large(struct memory *memory, void *block, uint64_t bytes)
{
    if (!block)
        return;
    memory->host.release_large(memory->host.user, block, loam_max((size_t)bytes, 1),
                               LARGE_ALIGNMENT);
    unbook(memory, bytes);
}

struct arena_chunk {
    _Alignas(SMALL_ALIGNMENT) struct arena_chunk *next;
};

void loam_arena_init(struct arena *arena, struct memory *memory)
{
    *arena = (struct arena){.memory = memory};
}

void loam_arena_end(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *next = arena->chunks->next;
        loam_memory_free(arena->memory, arena->chunks);
        arena->chunks = next;
    }
    arena->used = arena->size = 0;
}

void *loam_arena_get(struct arena *arena, uint64_t count, size_t size)
{
    uint64_t bytes;
    if (!loam_multiply(&bytes, count, size) || bytes > SIZE_MAX / 4)
        return NULL;
    size_t wanted = loam_align((size_t)bytes, SMALL_ALIGNMENT);
    if (!arena->chunks || wanted > arena->size - arena->used) {
        size_t payload = loam_max(wanted, ARENA_CHUNK);
        struct arena_chunk *chunk =
            loam_memory_get(arena->memory, 1, sizeof(struct arena_chunk) + payload);
        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->used = 0;
        arena->size = payload;
    }
    char *block = (char *)(arena->chunks + 1) + arena->used;
    arena->used += wanted;
    return block;
}

char *loam_arena_text(struct arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? loam_arena_get(arena, length + 1, 1) : NULL;
    if (!copy)
        return NULL;
    if (length)
        memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

/* SPDX-License-Identifier: MIT */
#include "template/heap.h"

enum { FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 1 << 20 };

struct heap_chunk {
    _Alignas(HEAP_ALIGNMENT) struct heap_chunk *next;
    size_t size; /* of what follows */
};

void loam_heap_init(struct heap *heap, struct memory *memory, uint64_t limit)
{
    *heap = (struct heap){.memory = memory, .limit = limit};
}

void loam_heap_free_spare(struct memory *memory, struct heap_chunk *spare)
{
    while (spare) {
        struct heap_chunk *next = spare->next;
        loam_memory_free(memory, spare);
        spare = next;
    }
}

void loam_heap_give(struct heap *heap, struct heap_chunk *spare)
{
    heap->spare = spare;
}

struct heap_chunk *loam_heap_end_keeping(struct heap *heap)
{
    struct heap_chunk *kept = NULL;
    size_t bytes = 0;
    while (heap->chunks) {
        struct heap_chunk *chunk = heap->chunks;
        heap->chunks = chunk->next;
        if (chunk->size <= HEAP_SPARE - bytes) {
            bytes += chunk->size;
            chunk->next = kept;
            kept = chunk;
        } else {
            loam_memory_free(heap->memory, chunk);
        }
    }
    loam_heap_free_spare(heap->memory, heap->spare);
    *heap = (struct heap){.memory = heap->memory, .limit = heap->limit};
    return kept;
}

void loam_heap_end(struct heap *heap)
{
    loam_heap_free_spare(heap->memory, loam_heap_end_keeping(heap));
}

/* The spare chunk of that size, or a new one, or NULL. */
static struct heap_chunk *find_chunk(struct heap *heap, size_t size)
{
    for (struct heap_chunk **at = &heap->spare; *at; at = &(*at)->next)
        if ((*at)->size == size) {
            struct heap_chunk *chunk = *at;
            *at = chunk->next;
            return chunk;
        }
    struct heap_chunk *chunk = loam_memory_get(heap->memory, 1, sizeof *chunk + size);
    if (chunk)
        chunk->size = size;
    return chunk;
}

/* A new area of at least `wanted` bytes. The larger the heap, the larger its
 * chunks: their number stays small. */
static char *get_chunk(struct heap *heap, uint64_t wanted, size_t *size)
{
    uint64_t usual = heap->held / 4 < FIRST_CHUNK ? FIRST_CHUNK : heap->held / 4;
    if (usual > LARGEST_CHUNK)
        usual = LARGEST_CHUNK;
    uint64_t payload = wanted > usual / 2 ? wanted : usual;
    uint64_t left = heap->limit - heap->held;
    if (payload > left && wanted <= left)
        payload = wanted;
    if (payload > left)
        return NULL;
    struct heap_chunk *chunk = find_chunk(heap, (size_t)payload);
    if (!chunk)
        return NULL;
    chunk->next = heap->chunks;
    heap->chunks = chunk;
    heap->held += payload;
    *size = (size_t)payload;
    return (char *)(chunk + 1);
}

/* A block from the area [*at, *end), which is replaced if it is too small, or
 * kept if the block is so large that it gets a chunk of its own. */
static char *take(struct heap *heap, char **at, char **end, size_t bytes)
{
    if (bytes > (size_t)(*end - *at) || !*at) {
        size_t size;
        char *area = get_chunk(heap, bytes, &size);
        if (!area)
            return NULL;
        if (size - bytes < (size_t)(*end - *at) && *at)
            return area;
        *at = area;
        *end = area + size;
    }
    char *block = *at;
    *at += bytes;
    return block;
}

void *loam_heap_get(struct heap *heap, uint64_t count, size_t size)
{
    uint64_t bytes;
    if (!loam_multiply(&bytes, count, size) || bytes > SIZE_MAX / 4)
        return NULL;
    return take(heap, &heap->struct_at, &heap->struct_end,
                loam_align((size_t)bytes, HEAP_ALIGNMENT));
}

char *loam_heap_bytes(struct heap *heap, uint64_t count)
{
    return count > SIZE_MAX / 4 ? NULL : take(heap, &heap->byte_at, &heap->byte_end, (size_t)count);
}

void loam_heap_return(struct heap *heap, const char *end, size_t count)
{
    if (end == heap->byte_at)
        heap->byte_at -= count;
}

bool loam_heap_extend(struct heap *heap, const char *end, size_t count)
{
    if (!end || end != heap->byte_at || count > (size_t)(heap->byte_end - heap->byte_at))
        return false;
    heap->byte_at += count;
    return true;
}

bool loam_heap_grow(struct heap *heap, void **array, size_t *capacity, uint64_t wanted, size_t size)
{
    if (wanted <= *capacity)
        return true;
    if (wanted > SIZE_MAX / 4)
        return false;
    size_t room = loam_max((size_t)wanted, loam_max(*capacity * 2, 4));
    void *grown = loam_heap_get(heap, room, size);
    if (!grown)
        return false;
    if (*capacity)
        memcpy(grown, *array, *capacity * size);
    *array = grown;
    *capacity = room;
    return true;
}

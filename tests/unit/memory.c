/* SPDX-License-Identifier: MIT */
/* The engine allocator: counts, limits, gives back. */
#include "test.h"

#include "base/memory.h"

static void counts(void)
{
    struct memory memory;
    loam_memory_init(&memory, NULL, 0);
    void *a = loam_memory_get(&memory, 10, 10);
    void *b = loam_memory_get_large(&memory, 1000);
    CHECK(a && b);
    CHECK((uintptr_t)a % 16 == 0 && (uintptr_t)b % 64 == 0);
    CHECK(atomic_load(&memory.held) >= 1100);
    loam_memory_free(&memory, a);
    loam_memory_free_large(&memory, b, 1000);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    CHECK(atomic_load(&memory.peak) >= 1100);
}

static void limits(void)
{
    struct memory memory;
    loam_memory_init(&memory, NULL, 4096);
    CHECK(!loam_memory_get(&memory, 1, 5000));
    CHECK(!loam_memory_get(&memory, UINT64_MAX / 2, 4));
    CHECK(!loam_memory_get_large(&memory, UINT64_MAX));
    void *block = loam_memory_get(&memory, 1, 3000);
    CHECK(block != NULL);
    CHECK(!loam_memory_get(&memory, 1, 3000));
    loam_memory_free(&memory, block);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    CHECK(atomic_load(&memory.peak) <= 4096);
}

static void arena_gives_back(void)
{
    struct memory memory;
    struct arena arena;
    loam_memory_init(&memory, NULL, 0);
    loam_arena_init(&arena, &memory);
    for (int i = 0; i < 1000; i++)
        CHECK(loam_arena_get(&arena, 1, (size_t)i * 7) != NULL);
    CHECK_TEXT(loam_arena_text(&arena, "loam!", 4), "loam");
    loam_arena_end(&arena);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

int main(void)
{
    RUN(counts);
    RUN(limits);
    RUN(arena_gives_back);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/* Pages of keys and values: blocks grow with what there is, and go when none of their
 * pages is left. */
#include "test.h"

#include "cache/pages.h"

enum { HEADS = 8, HEAD_WIDTH = 128, WIDTH = HEADS * HEAD_WIDTH };
static const uint64_t page_bytes = 64ull * WIDTH * sizeof(float) * 2;

static loam_error error;
static loam_engine *engine;

/* A graph whose pages take half a megabyte. */
static loam_graph *graph_of_pages(void)
{
    loam_attention_options attention = {.struct_size = sizeof attention,
                                        .heads = HEADS,
                                        .kv_heads = HEADS,
                                        .key_width = HEAD_WIDTH,
                                        .value_width = HEAD_WIDTH};
    loam_compile_options options = {.struct_size = sizeof options, .kv_type = LOAM_KV_F32};
    loam_graph *graph = NULL;
    CHECK_EQUAL(loam_engine_create(&engine, NULL, &error), LOAM_OK);
    CHECK_EQUAL(loam_graph_create(&graph, engine, &error), LOAM_OK);
    loam_tensor x = loam_graph_input(graph, WIDTH);
    loam_tensor y = loam_graph_attention(graph, x, x, x, &attention);
    CHECK_EQUAL(loam_graph_compile(graph, y, &options, &error), LOAM_OK);
    CHECK_EQUAL(loam_graph_page_bytes(graph), page_bytes);
    return graph;
}

static void end(loam_graph *graph)
{
    loam_graph_release(graph);
    loam_engine_release(engine);
}

static bool is_marked(const struct pages *pages, size_t index)
{
    const unsigned char *page = pages->table[index];
    return page[0] == index && page[page_bytes - 1] == index;
}

/* One page after the other, each filled to its ends with its number. */
static void grow_to(struct pages *pages, size_t count)
{
    while (pages->count < count) {
        size_t index = pages->count;
        CHECK_EQUAL(loam_pages_reserve(pages, index * 64 + 1, &error), LOAM_OK);
        CHECK_EQUAL(pages->count, index + 1);
        CHECK((uintptr_t)pages->table[index] % 64 == 0);
        memset(pages->table[index], (int)index, page_bytes);
        for (size_t i = 0; i <= index; i++)
            CHECK(is_marked(pages, i));
    }
}

static void grow_and_shrink(void)
{
    loam_graph *graph = graph_of_pages();
    struct memory memory;
    struct pages pages;
    loam_memory_init(&memory, NULL, 0);
    loam_pages_init(&pages, &memory, graph, UINT32_MAX);
    grow_to(&pages, 1);
    CHECK(atomic_load(&memory.held) < page_bytes + 1024); /* short texts take no more */
    grow_to(&pages, 60);
    CHECK(pages.block_count < 14); /* 8 of a page alone, then of 8 and 16 */
    CHECK(atomic_load(&memory.held) <= (60 + 16) * page_bytes);
    loam_pages_trim(&pages, 20 * 64 - 10);
    CHECK_EQUAL(pages.count, 20);
    CHECK(atomic_load(&memory.held) <= (20 + 16) * page_bytes);
    for (size_t i = 0; i < 20; i++)
        CHECK(is_marked(&pages, i));
    grow_to(&pages, 33);
    loam_pages_end(&pages);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    end(graph);
}

static void no_more_than_all(void)
{
    loam_graph *graph = graph_of_pages();
    for (size_t most = 1; most < 40; most++) {
        struct memory memory;
        struct pages pages;
        loam_memory_init(&memory, NULL, 0);
        loam_pages_init(&pages, &memory, graph, most * 64);
        for (size_t i = 1; i <= most; i += 3)
            CHECK_EQUAL(loam_pages_reserve(&pages, i * 64, &error), LOAM_OK);
        CHECK_EQUAL(loam_pages_reserve(&pages, most * 64, &error), LOAM_OK);
        CHECK(atomic_load(&memory.held) < most * page_bytes + 8192);
        loam_pages_end(&pages);
        CHECK_EQUAL(atomic_load(&memory.held), 0);
    }
    end(graph);
}

/* A block does not fit any more, a page does. */
static void the_last_page_of_memory(void)
{
    loam_graph *graph = graph_of_pages();
    struct memory memory;
    struct pages pages;
    loam_memory_init(&memory, NULL, 13 * page_bytes + 8192);
    loam_pages_init(&pages, &memory, graph, UINT32_MAX);
    grow_to(&pages, 13);
    CHECK_EQUAL(loam_pages_reserve(&pages, 14 * 64, &error), LOAM_MEMORY);
    CHECK_EQUAL(pages.count, 13);
    for (size_t i = 0; i < 13; i++)
        CHECK(is_marked(&pages, i));
    loam_pages_end(&pages);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
    end(graph);
}

int main(void)
{
    RUN(grow_and_shrink);
    RUN(no_more_than_all);
    RUN(the_last_page_of_memory);
    return test_end();
}

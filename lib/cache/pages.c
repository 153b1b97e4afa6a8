/* SPDX-License-Identifier: MIT */
#include "cache/pages.h"

/* Smaller blocks would not lie in huge pages; larger ones would be no faster. */
enum { LEAST_BLOCK_BYTES = 4 << 20, MOST_BLOCK_BYTES = 8 << 20 };

static size_t pages_for(uint64_t positions)
{
    return (size_t)((positions + LOAM_PAGE_TOKENS - 1) / LOAM_PAGE_TOKENS);
}

void loam_pages_init(struct pages *pages, struct memory *memory, const loam_graph *graph,
                     uint64_t positions)
{
    *pages = (struct pages){.memory = memory,
                            .graph = graph,
                            .page_bytes = loam_graph_page_bytes(graph),
                            .most = pages_for(positions)};
}

/* The pages that memory is taken for. */
static size_t room(const struct pages *pages)
{
    if (pages->block_count == 0)
        return 0;
    const struct page_block *last = &pages->blocks[pages->block_count - 1];
    return last->first + last->count;
}

static bool take_block(struct pages *pages, size_t count)
{
    if (!loam_memory_grow(pages->memory, (void **)&pages->blocks, &pages->block_capacity,
                          pages->block_count + 1, sizeof *pages->blocks))
        return false;
    void *memory = loam_memory_get_large(pages->memory, count * pages->page_bytes);
    if (!memory)
        return false;
    pages->blocks[pages->block_count++] =
        (struct page_block){.memory = memory, .first = pages->count, .count = count};
    return true;
}

/* Takes memory for at least one more page, `wanted` in the end. */
static bool grow(struct pages *pages, size_t wanted)
{
    size_t count = loam_max(pages->count, wanted - pages->count);
    count = loam_min(count, loam_max(MOST_BLOCK_BYTES / pages->page_bytes, 1));
    count = loam_min(count, loam_max(pages->most, wanted) - pages->count);
    if (count * pages->page_bytes < LEAST_BLOCK_BYTES)
        count = 1;
    /* Where memory ends, one page is better than none. */
    return take_block(pages, count) || (count > 1 && take_block(pages, 1));
}

loam_status loam_pages_reserve(struct pages *pages, uint64_t positions, loam_error *error)
{
    size_t wanted = pages->page_bytes ? pages_for(positions) : 0;
    if (!loam_memory_grow(pages->memory, (void **)&pages->table, &pages->capacity, wanted,
                          sizeof *pages->table))
        return loam_fail_memory(error, wanted * sizeof *pages->table);
    while (pages->count < wanted) {
        if (pages->count == room(pages) && !grow(pages, wanted))
            return loam_fail_memory(error, pages->page_bytes);
        const struct page_block *block = &pages->blocks[pages->block_count - 1];
        void *page = (char *)block->memory + (pages->count - block->first) * pages->page_bytes;
        loam_status status = loam_graph_page_open(pages->graph, page, error);
        if (status)
            return status;
        pages->table[pages->count++] = page;
    }
    return LOAM_OK;
}

void loam_pages_trim(struct pages *pages, uint64_t positions)
{
    size_t kept = loam_max(pages_for(positions), pages->least);
    while (pages->count > kept)
        loam_graph_page_close(pages->graph, pages->table[--pages->count]);
    while (pages->block_count && pages->blocks[pages->block_count - 1].first >= kept) {
        struct page_block *block = &pages->blocks[--pages->block_count];
        loam_memory_free_large(pages->memory, block->memory, block->count * pages->page_bytes);
    }
}

void loam_pages_end(struct pages *pages)
{
    pages->least = 0;
    loam_pages_trim(pages, 0);
    loam_memory_free(pages->memory, pages->table);
    loam_memory_free(pages->memory, pages->blocks);
    *pages = (struct pages){0};
}

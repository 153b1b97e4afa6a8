/* SPDX-License-Identifier: MIT */
#include "cache/pages.h"

static size_t pages_for(uint64_t positions)
{
    return (size_t)((positions + LOAM_PAGE_TOKENS - 1) / LOAM_PAGE_TOKENS);
}

void loam_pages_init(struct pages *pages, struct memory *memory, const loam_graph *graph)
{
    *pages = (struct pages){
        .memory = memory, .graph = graph, .page_bytes = loam_graph_page_bytes(graph)};
}

loam_status loam_pages_reserve(struct pages *pages, uint64_t positions, loam_error *error)
{
    size_t wanted = pages->page_bytes ? pages_for(positions) : 0;
    if (!loam_memory_grow(pages->memory, (void **)&pages->table, &pages->capacity, wanted,
                          sizeof *pages->table))
        return loam_fail_memory(error, wanted * sizeof *pages->table);
    while (pages->count < wanted) {
        void *page = loam_memory_get_large(pages->memory, pages->page_bytes);
        if (!page)
            return loam_fail_memory(error, pages->page_bytes);
        loam_status status = loam_graph_page_open(pages->graph, page, error);
        if (status) {
            loam_memory_free_large(pages->memory, page, pages->page_bytes);
            return status;
        }
        pages->table[pages->count++] = page;
    }
    return LOAM_OK;
}

void loam_pages_trim(struct pages *pages, uint64_t positions)
{
    size_t kept = loam_max(pages_for(positions), pages->least);
    while (pages->count > kept) {
        void *page = pages->table[--pages->count];
        loam_graph_page_close(pages->graph, page);
        loam_memory_free_large(pages->memory, page, pages->page_bytes);
    }
}

void loam_pages_end(struct pages *pages)
{
    pages->least = 0;
    loam_pages_trim(pages, 0);
    loam_memory_free(pages->memory, pages->table);
    *pages = (struct pages){0};
}

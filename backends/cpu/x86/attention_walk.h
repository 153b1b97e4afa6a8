/* SPDX-License-Identifier: MIT */
/*
 * How queries go through the pages, for a level that has defined before, by the
 * types of attention.h:
 *   QUERIES         of a set
 *   set_of          how many of so many queries, at most QUERIES, are the next set
 *   add_page_for    one page for one set, of which all see some of it
 *   likes_whole_pages, add_whole_page
 *                   one page for as many queries as it likes, which see all of
 *                   it; returns their number
 *   quantize_query  q8_0
 *   divide          O / L
 */
#ifndef LOAM_BACKENDS_CPU_X86_ATTENTION_WALK_H
#define LOAM_BACKENDS_CPU_X86_ATTENTION_WALK_H

#include "cpu/x86/attention.h"

/* Page `index` of those up to `last`. Who comes first to it calls the next. */
INLINE void attend_page(const struct attention_tile *tile, struct query *queries,
                        const struct scratch *scratch, size_t count, size_t index, size_t last,
                        int32_t type)
{
    struct page all = page_of(tile, index, last);
    size_t done = 0;
    if (likes_whole_pages(&all, count, type) && queries[count - 1].first <= index * PAGE &&
        queries[0].end >= (index + 1) * PAGE) {
        for (size_t i = 0; i < count; i++)
            look(&all, &queries[i], index);
        done = add_whole_page(&all, queries, scratch, count);
        all.near = all.far = 0;
    }
    for (size_t i = done; i < count; i += QUERIES) {
        struct page page = page_of(tile, index, last);
        int first,
            seeing = look_all(&page, queries + i, (int)loam_min(QUERIES, count - i), index, &first);
        if (seeing == 0)
            continue;
        page.near = all.near;
        page.far = all.far;
        for (int size; seeing > 0; seeing -= size, first += size) {
            size = set_of(seeing, type);
            add_page_for(size, &page, queries + i + first, scratch, type);
            page.near = page.far = 0;
        }
        all.near = all.far = 0;
    }
}

/* Where parts of page `index` go, of queries of which the first is number `base` of the
 * tile: o at once, m and l behind it. */
INLINE void begin_part(const struct attention_tile *tile, struct query *queries, size_t count,
                       size_t base, size_t index)
{
    const struct attention_parts *parts = tile->parts;
    size_t at = base * parts->count + (index - parts->first);
    for (size_t j = 0; j < count; j++)
        queries[j].out = parts->o + (at + j * parts->count) * tile->layout->value_width;
}

INLINE void end_part(const struct attention_tile *tile, const struct query *queries, size_t count,
                     size_t base, size_t index)
{
    const struct attention_parts *parts = tile->parts;
    float *sums = parts->sums + 2 * (base * parts->count + (index - parts->first));
    for (size_t j = 0; j < count; j++, sums += 2 * parts->count) {
        sums[0] = queries[j].m;
        sums[1] = queries[j].l;
    }
}

/* All queries of the tile, up to `most` at a time. */
INLINE void attention(const struct attention_tile *tile, struct query *queries,
                      const struct scratch *scratch, size_t most, int32_t type)
{
    size_t all = tile->row_count * tile->head_count;
    for (size_t i = 0; i < all; i += most) {
        size_t count = loam_min(most, all - i);
        for (size_t j = 0; j < count; j++) {
            set_query(&queries[j], tile, i + j);
            if (type == LOAM_KV_Q8_0)
                quantize_query(queries[j].integers, queries[j].q, tile->layout->key_width);
        }
        size_t first = queries[0].first / PAGE, last = (queries[count - 1].end - 1) / PAGE;
        if (tile->parts) {
            first = loam_max(first, tile->first_page);
            last = loam_min(last, tile->end_page - 1);
        }
        for (size_t index = first; index <= last; index++) {
            if (tile->parts)
                begin_part(tile, queries, count, i, index);
            attend_page(tile, queries, scratch, count, index, last, type);
            if (tile->parts)
                end_part(tile, queries, count, i, index);
        }
        for (size_t j = 0; !tile->parts && j < count; j++)
            divide(queries[j].out, queries[j].l, tile->layout->value_width);
    }
}

#endif

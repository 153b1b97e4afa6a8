/* SPDX-License-Identifier: MIT */
/*
 * What the levels' kernels of attention share: queries, pages, and how the first
 * go through the second. A query is one head of one row. Neighbours in heads
 * and then in rows go to each page one set of QUERIES after the other, while it
 * is in the nearest cache. As rows ascend, so do the ranges of positions that
 * they see.
 */
#ifndef LOAM_BACKENDS_CPU_X86_ATTENTION_H
#define LOAM_BACKENDS_CPU_X86_ATTENTION_H

#include "cpu/ref/ref.h"
#include "cpu/x86/float8.h"

struct integers; /* a quantised query, as the level likes it */
union wide_page; /* a piece of a page, widened for many queries; level avx2 */

struct query {
    const float *q; /* key_width numbers */
    float *out;     /* value_width numbers: O, in the end O / L; or o of a page */
    float m, l;
    size_t position;    /* its own */
    size_t first, end;  /* positions that it sees: [first, end) */
    float scale, slope; /* of its scores */
    bool has_sink;      /* M and L begin with it, and O with 0 */
    /* of the page at hand */
    size_t page_begin, page_end; /* positions in the page that it sees */
    bool merges;                 /* it saw pages before, or has a sink */
    float a, b;                  /* factors of the merge */
    struct integers *integers;   /* q8_0 */
};

/* Room for what becomes of a page, once for all of them. */
struct scratch {
    float (*weights)[PAGE]; /* of the queries that go to it at once: scores, then exp(score - m) */
    float *wide;            /* keys or values as f32, at the level avx512 */
    union wide_page *room;  /* the same at the level avx2 */
};

/* Lanes of positions p to p + 7 within [begin, end) keep x, others get -infinity. */
INLINE __m256 visible8(__m256 x, size_t begin, size_t end, size_t p)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256 nothing = _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)0xFF800000u));
    __m256i at = _mm256_add_epi32(lanes, _mm256_set1_epi32((int32_t)p));
    __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)begin), at);
    __m256i within = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)end), at);
    return _mm256_blendv_ps(nothing, x, _mm256_castsi256_ps(_mm256_andnot_si256(before, within)));
}

/* One page as some queries see it. */
struct page {
    const unsigned char *keys, *values;
    size_t key_width, value_width;
    size_t position;                 /* of the first */
    bool merges;                     /* with the pages before it; else it is a part */
    bool adjusts;                    /* scores are not just scaled: adjust_scores */
    float soft_cap;                  /* of them, or 0 */
    size_t begin, end;               /* seen by at least one query */
    size_t common_begin, common_end; /* seen by all */
    uintptr_t near, far;             /* from this page to the next and the one after it, or 0 */
    bool asks;                       /* for those two; for levels that look */
};

/* Asks for the lines of the next pages that correspond to `at` of this one: pages
 * lie far apart, where no hardware looks ahead. In two steps as in stream.h. */
INLINE void fetch_ahead(const struct page *page, const void *at)
{
    _mm_prefetch((const char *)((uintptr_t)at + page->far), _MM_HINT_T1);
    _mm_prefetch((const char *)((uintptr_t)at + page->near), _MM_HINT_T0);
}

/* Page `index` for the queries of a tile, so far seen by none. */
INLINE struct page page_of(const struct attention_tile *tile, size_t index, size_t last)
{
    const struct kv_layout *layout = tile->layout;
    const unsigned char *memory = tile->pages[index];
    uintptr_t here = (uintptr_t)memory;
    return (struct page){.keys = memory + layout->key_offset + tile->kv_head * layout->key_bytes,
                         .values =
                             memory + layout->value_offset + tile->kv_head * layout->value_bytes,
                         .key_width = layout->key_width,
                         .value_width = layout->value_width,
                         .position = index * PAGE,
                         .merges = !tile->parts,
                         .adjusts = tile->soft_cap != 0 || tile->slopes,
                         .soft_cap = tile->soft_cap,
                         .begin = PAGE,
                         .common_end = PAGE,
                         .near = (uintptr_t)tile->pages[loam_min(index + 1, last)] - here,
                         .far = (uintptr_t)tile->pages[loam_min(index + 2, last)] - here};
}

/* What of page `index` the query sees; true if it sees any of it. */
static inline bool look(struct page *page, struct query *query, size_t index)
{
    size_t before = index * PAGE;
    query->merges = page->merges && (query->has_sink || query->first < before);
    query->page_begin = query->first < before ? 0 : loam_min(query->first - before, PAGE);
    query->page_end = query->end <= before ? 0 : loam_min(query->end - before, PAGE);
    if (query->page_begin >= query->page_end)
        return false;
    page->begin = loam_min(page->begin, query->page_begin);
    page->end = loam_max(page->end, query->page_end);
    page->common_begin = loam_max(page->common_begin, query->page_begin);
    page->common_end = loam_min(page->common_end, query->page_end);
    return true;
}

/* Looks at the page with a set of queries; those that see some of it stand
 * together. Returns their number, and in *first the first of them. */
INLINE int look_all(struct page *page, struct query *queries, int count, size_t index, int *first)
{
    int seeing = 0;
    *first = 0;
    for (int h = 0; h < count; h++)
        if (look(page, &queries[h], index))
            *first = seeing++ ? *first : h;
    return seeing;
}

static inline void set_query(struct query *query, const struct attention_tile *tile, size_t index)
{
    const struct kv_layout *layout = tile->layout;
    size_t row = index / tile->head_count, position = tile->position + row;
    size_t head = tile->first_head + index % tile->head_count;
    row += tile->first_row;
    query->q = tile->q + row * tile->q_stride + head * layout->key_width;
    query->out = tile->out + row * tile->out_stride + head * layout->value_width;
    query->position = position;
    loam_attention_visible(tile, position, &query->first, &query->end);
    query->scale = loam_attention_scale(tile, position);
    query->slope = tile->slopes ? tile->slopes[head] : 0;
    query->has_sink = tile->sinks != NULL;
    query->m = query->l = 0;
    if (query->has_sink && !tile->parts) {
        query->m = tile->sinks[head];
        query->l = 1;
        memset(query->out, 0, layout->value_width * sizeof *query->out);
    }
}

/* What a model does to the scores of a query in a page beyond scaling them. */
struct adjustment {
    float soft_cap, slope;         /* or 0 */
    ptrdiff_t distance;            /* of the page's first position from the query's own */
    size_t begin, end;             /* positions that have scores */
    size_t query_begin, query_end; /* those that the query sees */
};

/* x86/attention_scores.c, at the level avx2: returns the largest of each lane. */
__m256 loam_avx2_adjust_scores(float *scores, const struct adjustment *adjustment);

/* The same for a page and a query. A function that is given these themselves makes gcc
 * read them again in every loop of scores: they were 0.74 to 0.94 times as fast. */
INLINE __m256 adjust_scores(float *scores, const struct page *page, const struct query *query)
{
    struct adjustment adjustment = {.soft_cap = page->soft_cap,
                                    .slope = query->slope,
                                    .distance =
                                        (ptrdiff_t)page->position - (ptrdiff_t)query->position,
                                    .begin = page->begin,
                                    .end = page->end,
                                    .query_begin = query->page_begin,
                                    .query_end = query->page_end};
    return loam_avx2_adjust_scores(scores, &adjustment);
}

#endif

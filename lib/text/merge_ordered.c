/* SPDX-License-Identifier: MIT */
/*
 * Where every merge that makes a token stands before all that take it, as in
 * vocabularies that were trained, a merge never makes one of a lower rank
 * possible. Then possible merges can wait in a list for each rank, and the
 * lists are gone through once. Most are in order by position already.
 */
#include "text/vocabulary.h"

/* Numbers of nodes, 0: none; node 0 is not used. */
struct bucket {
    uint32_t first, last;
};

struct bucket_node {
    int32_t symbol;
    uint32_t next;
};

bool loam_merge_ordered_reserve(struct encoder *encoder, size_t count)
{
    if (!encoder->buckets)
        encoder->buckets = loam_memory_get_zero(encoder->memory, encoder->tokenizer->merge_count,
                                                sizeof *encoder->buckets);
    /* Every symbol waits once at first; each merge makes two wait. */
    return encoder->buckets &&
           loam_memory_grow(encoder->memory, (void **)&encoder->nodes, &encoder->node_capacity,
                            3 * (uint64_t)count + 1, sizeof *encoder->nodes) &&
           loam_memory_grow(encoder->memory, (void **)&encoder->queue, &encoder->queue_capacity,
                            count, sizeof *encoder->queue);
}

static void wait(struct encoder *encoder, int32_t symbol, uint32_t *used)
{
    struct bucket *bucket = &encoder->buckets[encoder->symbols[symbol].rank];
    uint32_t node = ++*used;
    encoder->nodes[node] = (struct bucket_node){symbol, 0};
    if (bucket->first)
        encoder->nodes[bucket->last].next = node;
    else
        bucket->first = node;
    bucket->last = node;
}

/* Takes the symbols that still have that rank out of its list, to the queue:
 * ascending, or as a heap if *sorted is false. */
static size_t take(struct encoder *encoder, uint32_t rank, bool *sorted)
{
    struct bucket *bucket = &encoder->buckets[rank];
    size_t count = 0;
    *sorted = true;
    for (uint32_t node = bucket->first; node; node = encoder->nodes[node].next) {
        int32_t at = encoder->nodes[node].symbol;
        if (encoder->symbols[at].length == 0 || encoder->symbols[at].rank != rank)
            continue;
        *sorted = *sorted && (count == 0 || encoder->queue[count - 1] < (uint64_t)at);
        encoder->queue[count++] = (uint64_t)at;
    }
    *bucket = (struct bucket){0, 0};
    if (!*sorted)
        loam_heap_make(encoder->queue, count);
    return count;
}

size_t loam_merge_ordered(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    struct symbol *symbols = encoder->symbols;
    uint32_t used = 0;
    loam_merge_link(encoder, text, count, rank);
    for (size_t i = 0; i < count; i++)
        if (symbols[i].rank != NO_RANK)
            wait(encoder, (int32_t)i, &used);
    for (uint32_t now = 0; now < encoder->tokenizer->merge_count; now++) {
        bool sorted;
        if (!encoder->buckets[now].first)
            continue;
        size_t waiting = take(encoder, now, &sorted);
        for (size_t i = 0, end = waiting; i < end; i++) {
            uint64_t top = sorted ? encoder->queue[i] : loam_heap_pop(encoder->queue, &waiting);
            int32_t at = (int32_t)top;
            if (symbols[at].length == 0 || symbols[at].rank != now)
                continue;
            loam_merge_join(symbols, at);
            if (loam_merge_rank_again(encoder, text, at, rank))
                wait(encoder, at, &used);
            if (loam_merge_rank_again(encoder, text, symbols[at].previous, rank))
                wait(encoder, symbols[at].previous, &used);
        }
    }
    return loam_merge_compact(symbols, count);
}

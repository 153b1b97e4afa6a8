/* SPDX-License-Identifier: MIT */
/*
 * Where every merge that makes a token stands before all that take it, as in
 * vocabularies that were trained, a merge never makes one of a lower rank
 * possible. Then possible merges can wait in a list for each rank, and the
 * lists are gone through once. Most are in order by position already.
 */
#include "text/vocabulary.h"

/* Symbols that wait, some to a block: a list that is read as it lies, not from
 * miss to miss. */
enum { BLOCK = 14 };

struct bucket_node {
    int32_t symbols[BLOCK];
    uint32_t count, next; /* next: number of a block, 0: none; block 0 is not used */
};

/* Numbers of blocks. */
struct bucket {
    uint32_t first, last;
};

bool loam_merge_ordered_reserve(struct encoder *encoder, size_t count)
{
    uint64_t ranks = encoder->tokenizer->merge_count;
    if (!encoder->buckets)
        encoder->buckets = loam_memory_get_zero(encoder->memory, ranks, sizeof *encoder->buckets);
    /* Every symbol waits once at first; each merge makes two wait. Of the blocks
     * of a list all but the last are full. */
    uint64_t waiting = 3 * (uint64_t)count;
    uint64_t blocks = waiting / BLOCK + loam_min(waiting, ranks) + 2;
    return encoder->buckets &&
           loam_memory_grow(encoder->memory, (void **)&encoder->nodes, &encoder->node_capacity,
                            blocks, sizeof *encoder->nodes) &&
           loam_memory_grow(encoder->memory, (void **)&encoder->queue, &encoder->queue_capacity,
                            count, sizeof *encoder->queue);
}

static void wait(struct encoder *encoder, int32_t symbol, uint32_t *used)
{
    struct bucket *bucket = &encoder->buckets[encoder->symbols[symbol].rank];
    struct bucket_node *last = &encoder->nodes[bucket->last];
    if (!bucket->first || last->count == BLOCK) {
        uint32_t node = ++*used;
        if (bucket->first)
            last->next = node;
        else
            bucket->first = node;
        bucket->last = node;
        last = &encoder->nodes[node];
        last->count = last->next = 0;
    }
    last->symbols[last->count++] = symbol;
}

/* Whether merges of that rank can overlap: of two equal tokens, as the second
 * of one merge may be the first of another. Then the left one goes first; else
 * their order does not matter. */
static bool overlaps(const struct symbol *symbols, int32_t at)
{
    return symbols[at].token == symbols[symbols[at].next].token;
}

/* Takes the symbols that still have that rank out of its list, to the queue: in
 * an order that will do, or as a heap if *sorted is false. */
static size_t take(struct encoder *encoder, uint32_t rank, bool *sorted)
{
    struct bucket *bucket = &encoder->buckets[rank];
    const struct symbol *symbols = encoder->symbols;
    size_t count = 0;
    *sorted = true;
    for (uint32_t node = bucket->first; node; node = encoder->nodes[node].next) {
        const struct bucket_node *block = &encoder->nodes[node];
        for (uint32_t i = 0; i < block->count; i++) {
            int32_t at = block->symbols[i];
            if (symbols[at].length == 0 || symbols[at].rank != rank)
                continue;
            *sorted = *sorted && (count == 0 || encoder->queue[count - 1] < (uint64_t)at);
            encoder->queue[count++] = (uint64_t)at;
        }
    }
    *bucket = (struct bucket){0, 0};
    *sorted = *sorted || count == 0 || !overlaps(symbols, (int32_t)encoder->queue[0]);
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

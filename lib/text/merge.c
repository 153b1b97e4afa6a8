/* SPDX-License-Identifier: MIT */
/*
 * Short words are merged by looking for the best pair again and again. In long
 * ones possible merges wait as rank << 32 | left symbol; each merge adds at most
 * two, so a word of n bytes takes n log n steps whatever it holds. One whose
 * left symbol has another rank by now is stale and dropped when it comes up.
 * Those that wait from the start are sorted and gone through in order; what
 * comes to wait meanwhile is in a heap of four children, which becomes the next
 * sorted run when the first is used up: most never move in the heap.
 */
#include "text/vocabulary.h"

enum { SHORT = 24, LONG = 4096 };

/* Whether the merges of a word of that size are better put in order at once. */
static bool uses_order(const struct tokenizer *t, size_t count)
{
    return count > LONG && t->merges_ordered;
}

bool loam_merge_reserve(struct encoder *encoder, size_t count)
{
    if (!loam_memory_grow(encoder->memory, (void **)&encoder->symbols, &encoder->symbol_capacity,
                          count, sizeof *encoder->symbols))
        return false;
    if (count <= SHORT)
        return true;
    if (uses_order(encoder->tokenizer, count))
        return loam_merge_ordered_reserve(encoder, count);
    /* A merge takes its own candidate away and adds two: a run and a heap of that. */
    return loam_memory_grow(encoder->memory, (void **)&encoder->queue, &encoder->queue_capacity,
                            4 * (uint64_t)count, sizeof *encoder->queue);
}

static size_t merge_short(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    const struct tokenizer *t = encoder->tokenizer;
    struct symbol *symbols = encoder->symbols;
    for (size_t i = 0; i + 1 < count; i++)
        rank(t, text, &symbols[i], &symbols[i + 1]);
    for (;;) {
        size_t best = 0;
        uint32_t lowest = NO_RANK;
        for (size_t i = 0; i + 1 < count; i++)
            if (symbols[i].rank < lowest) {
                lowest = symbols[i].rank;
                best = i;
            }
        if (lowest == NO_RANK)
            return count;
        struct symbol *left = &symbols[best];
        left->length += left[1].length;
        left->token = left->result;
        count--;
        memmove(left + 1, left + 2, (count - best - 1) * sizeof *left);
        if (best + 1 < count)
            rank(t, text, left, left + 1);
        if (best > 0)
            rank(t, text, left - 1, left);
    }
}

/* ---- the heap -------------------------------------------------------------- */

static void sift_down(uint64_t *heap, size_t count, size_t at, uint64_t item)
{
    for (;;) {
        size_t first = 4 * at + 1, child = first;
        if (first >= count)
            break;
        size_t end = loam_min(first + 4, count);
        for (size_t i = first + 1; i < end; i++)
            child = heap[i] < heap[child] ? i : child;
        if (heap[child] >= item)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = item;
}

void loam_heap_make(uint64_t *heap, size_t count)
{
    for (size_t i = count / 4 + 1; i > 0; i--)
        if (i - 1 < count)
            sift_down(heap, count, i - 1, heap[i - 1]);
}

void loam_heap_push(uint64_t *heap, size_t *count, uint64_t item)
{
    size_t at = (*count)++;
    for (; at > 0 && item < heap[(at - 1) / 4]; at = (at - 1) / 4)
        heap[at] = heap[(at - 1) / 4];
    heap[at] = item;
}

uint64_t loam_heap_pop(uint64_t *heap, size_t *count)
{
    uint64_t top = heap[0], last = heap[--*count];
    if (*count)
        sift_down(heap, *count, 0, last);
    return top;
}

/* ---- linked symbols -------------------------------------------------------- */

bool loam_merge_rank_again(struct encoder *encoder, const char *text, int32_t at, merge_rank rank)
{
    if (at < 0)
        return false;
    struct symbol *symbol = &encoder->symbols[at];
    symbol->rank = NO_RANK;
    if (symbol->next >= 0)
        rank(encoder->tokenizer, text, symbol, &encoder->symbols[symbol->next]);
    return symbol->rank != NO_RANK;
}

void loam_merge_link(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    for (size_t i = 0; i < count; i++) {
        struct symbol *symbol = &encoder->symbols[i];
        symbol->previous = (int32_t)i - 1;
        symbol->next = i + 1 < count ? (int32_t)i + 1 : -1;
        loam_merge_rank_again(encoder, text, (int32_t)i, rank);
    }
}

void loam_merge_join(struct symbol *symbols, int32_t at)
{
    struct symbol *left = &symbols[at], *right = &symbols[left->next];
    left->length += right->length;
    left->token = left->result;
    left->next = right->next;
    if (right->next >= 0)
        symbols[right->next].previous = at;
    right->length = 0;
}

size_t loam_merge_compact(struct symbol *symbols, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (symbols[i].length)
            symbols[kept++] = symbols[i];
    return kept;
}

static uint64_t key_of(const struct symbol *symbols, int32_t left)
{
    return (uint64_t)symbols[left].rank << 32 | (uint32_t)left;
}

/* ---- sorted runs ----------------------------------------------------------- */

enum { DIGIT = 8, DIGITS = 64 / DIGIT, VALUES = 1 << DIGIT, LEAST_RUN = 256 };

static bool is_sorted(const uint64_t *keys, size_t count)
{
    size_t i = 1;
    while (i < count && keys[i - 1] <= keys[i])
        i++;
    return i >= count;
}

/* Sorts keys[count] by digits, the lowest first; `room` is as long. Returns the
 * one of the two in which they are then. */
static uint64_t *sort(uint64_t *keys, uint64_t *room, size_t count)
{
    uint32_t counts[DIGITS][VALUES] = {{0}};
    if (is_sorted(keys, count))
        return keys;
    for (size_t i = 0; i < count; i++)
        for (int digit = 0; digit < DIGITS; digit++)
            counts[digit][keys[i] >> digit * DIGIT & (VALUES - 1)]++;
    for (int digit = 0; digit < DIGITS; digit++) {
        uint32_t *ends = counts[digit], begin = 0;
        if (ends[keys[0] >> digit * DIGIT & (VALUES - 1)] == count)
            continue; /* the same in all */
        for (int value = 0; value < VALUES; value++) {
            uint32_t size = ends[value];
            ends[value] = begin;
            begin += size;
        }
        for (size_t i = 0; i < count; i++)
            room[ends[keys[i] >> digit * DIGIT & (VALUES - 1)]++] = keys[i];
        uint64_t *sorted = room;
        room = keys;
        keys = sorted;
    }
    return keys;
}

/* What waits: the rest of a sorted run, and a heap. */
struct waiting {
    uint64_t *run, *heap;
    size_t run_at, run_count, heap_count;
};

/* The first in order; false if nothing waits. With LEAST_RUN keys and more the
 * heap need not be one where a run is used up. */
static bool next_key(struct waiting *w, uint64_t *out)
{
    if (w->run_at == w->run_count && w->heap_count >= LEAST_RUN) {
        uint64_t *run = sort(w->heap, w->run, w->heap_count);
        w->heap = run == w->heap ? w->run : w->heap;
        w->run = run;
        w->run_at = 0;
        w->run_count = w->heap_count;
        w->heap_count = 0;
    }
    if (w->run_at < w->run_count && !(w->heap_count && w->heap[0] < w->run[w->run_at])) {
        *out = w->run[w->run_at++];
        return true;
    }
    if (w->heap_count == 0)
        return false;
    *out = loam_heap_pop(w->heap, &w->heap_count);
    return true;
}

static size_t merge_long(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    struct symbol *symbols = encoder->symbols;
    struct waiting w = {.run = encoder->queue, .heap = encoder->queue + 2 * count};
    uint64_t key;
    loam_merge_link(encoder, text, count, rank);
    for (size_t i = 0; i < count; i++)
        if (symbols[i].rank != NO_RANK)
            w.heap[w.heap_count++] = key_of(symbols, (int32_t)i);
    if (w.heap_count < LEAST_RUN)
        loam_heap_make(w.heap, w.heap_count);
    while (next_key(&w, &key)) {
        int32_t at = (int32_t)(uint32_t)key;
        if (symbols[at].length == 0 || symbols[at].rank != key >> 32)
            continue;
        loam_merge_join(symbols, at);
        if (loam_merge_rank_again(encoder, text, at, rank))
            loam_heap_push(w.heap, &w.heap_count, key_of(symbols, at));
        if (loam_merge_rank_again(encoder, text, symbols[at].previous, rank))
            loam_heap_push(w.heap, &w.heap_count, key_of(symbols, symbols[at].previous));
    }
    return loam_merge_compact(symbols, count);
}

size_t loam_merge_all(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    if (count <= SHORT)
        return merge_short(encoder, text, count, rank);
    return uses_order(encoder->tokenizer, count) ? loam_merge_ordered(encoder, text, count, rank)
                                                 : merge_long(encoder, text, count, rank);
}

/* SPDX-License-Identifier: MIT */
/*
 * Short words are merged by looking for the best pair again and again. In long
 * ones possible merges wait in a heap of four children, as rank << 32 | left
 * symbol; each merge adds at most two, so a word of n bytes takes n log n steps
 * whatever it holds. One whose left symbol has another rank by now is stale and
 * dropped when it comes up.
 */
#include "text/vocabulary.h"

enum { SHORT = 24 };

bool loam_merge_reserve(struct encoder *encoder, size_t count)
{
    if (!loam_memory_grow(encoder->memory, (void **)&encoder->symbols, &encoder->symbol_capacity,
                          count, sizeof *encoder->symbols))
        return false;
    /* A merge takes its own candidate away and adds two. */
    return count <= SHORT ||
           loam_memory_grow(encoder->memory, (void **)&encoder->queue, &encoder->queue_capacity,
                            2 * (uint64_t)count, sizeof *encoder->queue);
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

static void sift_up(uint64_t *heap, size_t at, uint64_t item)
{
    while (at > 0 && item < heap[(at - 1) / 4]) {
        heap[at] = heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap[at] = item;
}

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

static uint64_t pop(uint64_t *heap, size_t *count)
{
    uint64_t top = heap[0], last = heap[--*count];
    if (*count)
        sift_down(heap, *count, 0, last);
    return top;
}

static uint64_t key_of(const struct symbol *symbols, int32_t left)
{
    return (uint64_t)symbols[left].rank << 32 | (uint32_t)left;
}

/* Links the symbols and puts all first candidates in the heap. */
static size_t start(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    struct symbol *symbols = encoder->symbols;
    uint64_t *heap = encoder->queue;
    size_t waiting = 0;
    for (size_t i = 0; i < count; i++) {
        symbols[i].previous = (int32_t)i - 1;
        symbols[i].next = i + 1 < count ? (int32_t)i + 1 : -1;
        symbols[i].rank = NO_RANK;
        if (i + 1 < count)
            rank(encoder->tokenizer, text, &symbols[i], &symbols[i + 1]);
        if (symbols[i].rank != NO_RANK)
            heap[waiting++] = key_of(symbols, (int32_t)i);
    }
    for (size_t i = waiting / 4 + 1; i > 0; i--)
        if (i - 1 < waiting)
            sift_down(heap, waiting, i - 1, heap[i - 1]);
    return waiting;
}

/* Ranks the symbol anew and puts it in the heap if it can be merged. */
static void propose(struct encoder *encoder, const char *text, int32_t left, size_t *waiting,
                    merge_rank rank)
{
    struct symbol *symbols = encoder->symbols;
    if (left < 0)
        return;
    symbols[left].rank = NO_RANK;
    if (symbols[left].next >= 0)
        rank(encoder->tokenizer, text, &symbols[left], &symbols[symbols[left].next]);
    if (symbols[left].rank != NO_RANK)
        sift_up(encoder->queue, (*waiting)++, key_of(symbols, left));
}

static size_t merge_long(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    struct symbol *symbols = encoder->symbols;
    size_t waiting = start(encoder, text, count, rank), kept = 0;
    while (waiting) {
        uint64_t top = pop(encoder->queue, &waiting);
        int32_t at = (int32_t)(uint32_t)top;
        struct symbol *left = &symbols[at];
        if (left->length == 0 || left->rank != top >> 32)
            continue;
        struct symbol *right = &symbols[left->next];
        left->length += right->length;
        left->token = left->result;
        left->next = right->next;
        if (right->next >= 0)
            symbols[right->next].previous = at;
        right->length = 0;
        propose(encoder, text, at, &waiting, rank);
        propose(encoder, text, left->previous, &waiting, rank);
    }
    for (size_t i = 0; i < count; i++)
        if (symbols[i].length)
            symbols[kept++] = symbols[i];
    return kept;
}

size_t loam_merge_all(struct encoder *encoder, const char *text, size_t count, merge_rank rank)
{
    return count <= SHORT ? merge_short(encoder, text, count, rank)
                          : merge_long(encoder, text, count, rank);
}

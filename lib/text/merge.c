/* SPDX-License-Identifier: MIT */
/*
 * A word is a linked list of symbols; possible merges wait in a heap. Each
 * merge adds at most two candidates, so a word of n bytes takes n log n steps
 * whatever it holds. Candidates of symbols that have changed since are stale
 * and dropped when they come up: the lengths no longer fit.
 */
#include "text/vocabulary.h"

/* Best first: larger score, then smaller rank, then further left. */
static bool before(const struct candidate *a, const struct candidate *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->rank != b->rank)
        return a->rank < b->rank;
    return a->left < b->left;
}

bool loam_merge_push(struct encoder *encoder, const struct candidate *candidate)
{
    if (!loam_memory_grow(encoder->memory, (void **)&encoder->heap, &encoder->heap_capacity,
                          (uint64_t)encoder->heap_count + 1, sizeof *candidate))
        return false;
    size_t at = encoder->heap_count++;
    while (at > 0 && before(candidate, &encoder->heap[(at - 1) / 2])) {
        encoder->heap[at] = encoder->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    encoder->heap[at] = *candidate;
    return true;
}

static bool pop(struct encoder *encoder, struct candidate *out)
{
    if (encoder->heap_count == 0)
        return false;
    struct candidate *heap = encoder->heap;
    *out = heap[0];
    struct candidate last = heap[--encoder->heap_count];
    size_t at = 0, count = encoder->heap_count;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    if (count)
        heap[at] = last;
    return true;
}

/* Joins two neighbours into the left one. */
static void join(struct encoder *encoder, const struct candidate *candidate)
{
    struct symbol *left = &encoder->symbols[candidate->left];
    struct symbol *right = &encoder->symbols[candidate->right];
    left->length += right->length;
    left->token = candidate->result;
    left->next = right->next;
    if (right->next >= 0)
        encoder->symbols[right->next].previous = candidate->left;
    right->length = 0;
}

bool loam_merge_all(struct encoder *encoder, const char *text, merge_proposal propose)
{
    struct candidate candidate;
    while (pop(encoder, &candidate)) {
        const struct symbol *left = &encoder->symbols[candidate.left];
        const struct symbol *right = &encoder->symbols[candidate.right];
        if (left->length == 0 || right->length == 0 ||
            left->length + right->length != candidate.length)
            continue;
        join(encoder, &candidate);
        if (!propose(encoder, text, left->previous, candidate.left) ||
            !propose(encoder, text, candidate.left, left->next))
            return false;
    }
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "sample/ranking.h"

#include <math.h>

/* Ids are found in batches, each making this many times as many known as
 * before, so that neither the passes over the values nor the ids sorted in
 * vain get many. */
enum { FIRST_BATCH = 64, BATCH_GROWTH = 3 };

/* Whether id a comes after id b in the order. */
static inline bool ranks_after(const double *values, int32_t a, int32_t b)
{
    return values[a] < values[b] || (values[a] == values[b] && a > b);
}

/* Repairs a heap whose root, the last in the order, is out of place. */
static void sift_down(const double *values, int32_t *heap, uint32_t size, uint32_t place)
{
    int32_t moved = heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= size)
            break;
        if (child + 1 < size && ranks_after(values, heap[child + 1], heap[child]))
            child++;
        if (!ranks_after(values, heap[child], moved))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moved;
}

/* Leaves in heap[size] the first `size` ids that come after `previous` (-1: all
 * do), the last of them at the root. There are that many. */
static void select_ids(const struct ranking *ranking, int32_t *heap, uint32_t size,
                       int32_t previous)
{
    const double *values = ranking->values;
    uint32_t filled = 0;
    double floor = -INFINITY; /* of the full heap's root; an equal value has a higher id here */
    for (uint32_t i = 0; i < ranking->value_count; i++) {
        if (!(values[i] > floor))
            continue;
        int32_t id = (int32_t)i;
        if (previous >= 0 && !ranks_after(values, id, previous))
            continue;
        if (filled < size) {
            heap[filled++] = id;
            if (filled < size)
                continue;
            for (uint32_t place = size / 2; place-- > 0;)
                sift_down(values, heap, size, place);
        } else {
            heap[0] = id;
            sift_down(values, heap, size, 0);
        }
        floor = values[heap[0]];
    }
}

static void extend(struct ranking *ranking)
{
    size_t wanted = loam_max(FIRST_BATCH, (size_t)ranking->known * BATCH_GROWTH);
    uint32_t end = (uint32_t)loam_min(wanted, ranking->limit);
    int32_t *heap = ranking->ids + ranking->known;
    uint32_t size = end - ranking->known;
    select_ids(ranking, heap, size, ranking->known ? heap[-1] : -1);
    /* Heap sort: the last in the order leaves the heap to the array's end. */
    while (size > 1) {
        int32_t last = heap[0];
        heap[0] = heap[--size];
        heap[size] = last;
        sift_down(ranking->values, heap, size, 0);
    }
    ranking->known = end;
}

int32_t loam_ranking_at(struct ranking *ranking, uint32_t rank)
{
    while (rank >= ranking->known)
        extend(ranking);
    return ranking->ids[rank];
}

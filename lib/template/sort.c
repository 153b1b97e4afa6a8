/* SPDX-License-Identifier: MIT */
#include "template/sort.h"

/* Merges order[start, middle) and order[middle, end) into spare. */
static bool merge(struct machine *machine, const struct value *keys, const size_t *order,
                  size_t *spare, size_t start, size_t middle, size_t end, struct sort_order how)
{
    size_t left = start, right = middle;
    for (size_t i = start; i < end; i++) {
        int relation = 0;
        if (left < middle && right < end) {
            if (!loam_values_compare(machine, &relation, keys[order[right]], keys[order[left]], "<",
                                     how.fold))
                return false;
            if (how.reverse)
                relation = -relation;
        }
        bool take_right = left == middle || (right < end && relation < 0);
        spare[i] = take_right ? order[right++] : order[left++];
    }
    return true;
}

bool loam_sort(struct machine *machine, size_t **out, const struct value *keys, size_t count,
               struct sort_order how)
{
    size_t *order = loam_heap_get(&machine->heap, count, sizeof *order);
    size_t *spare = loam_heap_get(&machine->heap, count, sizeof *spare);
    if (!order || !spare)
        return loam_machine_fail_memory(machine);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width)
            if (!merge(machine, keys, order, spare, start, loam_min(start + width, count),
                       loam_min(start + 2 * width, count), how))
                return false;
        size_t *swap = order;
        order = spare;
        spare = swap;
    }
    *out = order;
    return true;
}

bool loam_sort_keys(struct machine *machine, size_t **out, const struct mapping *mapping)
{
    struct value *keys = loam_heap_get(&machine->heap, mapping->count, sizeof *keys);
    if (!keys)
        return loam_machine_fail_memory(machine);
    for (size_t i = 0; i < mapping->count; i++)
        keys[i] = mapping->entries[i].key;
    return loam_sort(machine, out, keys, mapping->count, (struct sort_order){0});
}

/* SPDX-License-Identifier: MIT */
#include "cache/states.h"

#define FREE_SLOT UINT64_MAX

enum { NO_SLOT = STATE_SLOTS_MOST };

size_t loam_states_limit(uint64_t bytes)
{
    if (bytes == 0)
        return 0;
    uint64_t fitting = STATE_BUDGET / bytes;
    return (size_t)(fitting < STATE_SLOTS_LEAST  ? STATE_SLOTS_LEAST
                    : fitting > STATE_SLOTS_MOST ? STATE_SLOTS_MOST
                                                 : fitting);
}

void loam_states_init(struct states *states, struct memory *memory, const loam_graph *graph)
{
    uint64_t bytes = loam_graph_state_bytes(graph);
    *states = (struct states){.memory = memory,
                              .bytes = bytes,
                              .limit = loam_states_limit(bytes),
                              .mark = FREE_SLOT,
                              .next = NO_SLOT,
                              .kept = NO_SLOT};
}

/* One more slot, or NO_SLOT. */
static size_t add_slot(struct states *states)
{
    if (states->count == states->limit)
        return NO_SLOT;
    float *data = loam_memory_get_large(states->memory, states->bytes);
    if (!data)
        return NO_SLOT;
    states->slots[states->count] = (struct state_slot){.data = data, .position = FREE_SLOT};
    return states->count++;
}

loam_status loam_states_reserve(struct states *states, loam_error *error)
{
    while (states->count < states->limit)
        if (add_slot(states) == NO_SLOT)
            return loam_fail_memory(error, states->bytes);
    return LOAM_OK;
}

/* The slot of that position, or NO_SLOT. */
static size_t find(const struct states *states, uint64_t position)
{
    for (size_t i = 0; i < states->count; i++)
        if (states->slots[i].position == position)
            return i;
    return NO_SLOT;
}

/* Tokens between the checkpoints on both sides of a position. */
static uint64_t hole_without(const struct states *states, uint64_t position)
{
    uint64_t before = 0, behind = UINT64_MAX - 1;
    for (size_t i = 0; i < states->count; i++) {
        uint64_t other = states->slots[i].position;
        if (other == FREE_SLOT || other == position)
            continue;
        if (other < position)
            before = loam_max(before, other);
        else
            behind = loam_min(behind, other);
    }
    return behind - before;
}

/* A slot to write to: one that holds nothing, else a new one, else that whose
 * loss leaves the smallest hole; never that of `position` or `taken`. */
static size_t take_slot(struct states *states, uint64_t position, size_t taken, bool marked)
{
    size_t best = NO_SLOT;
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i < states->count; i++)
        if (states->slots[i].position == FREE_SLOT && i != taken)
            return i;
    size_t added = add_slot(states);
    if (added != NO_SLOT)
        return added;
    for (size_t i = 0; i < states->count; i++) {
        uint64_t own = states->slots[i].position;
        if (i == taken || own == position || (own == states->mark && !marked))
            continue;
        uint64_t hole = hole_without(states, own);
        if (hole < smallest) {
            smallest = hole;
            best = i;
        }
    }
    if (best == NO_SLOT && !marked) /* memory is short */
        return take_slot(states, position, taken, true);
    if (best != NO_SLOT)
        states->slots[best].position = FREE_SLOT;
    return best;
}

loam_status loam_states_prepare(struct states *states, loam_step_sequence *sequence, bool ends,
                                loam_error *error)
{
    if (states->bytes == 0)
        return LOAM_OK;
    uint64_t position = sequence->position;
    size_t current = find(states, position);
    if (position > 0 && current == NO_SLOT)
        return loam_fail(error, LOAM_STATE, "there is no state behind %llu tokens",
                         (unsigned long long)position);
    states->ends = ends;
    states->kept = NO_SLOT;
    states->next = take_slot(states, position, NO_SLOT, false);
    if (states->next == NO_SLOT)
        return loam_fail_memory(error, states->bytes);
    if (ends && sequence->row_count > 1)
        states->kept = take_slot(states, position, states->next, true);
    sequence->state = current == NO_SLOT ? NULL : states->slots[current].data;
    sequence->next_state = states->slots[states->next].data;
    if (states->kept != NO_SLOT) {
        sequence->kept_state = states->slots[states->kept].data;
        sequence->kept_rows = sequence->row_count - 1;
    }
    return LOAM_OK;
}

void loam_states_commit(struct states *states, const loam_step_sequence *sequence)
{
    if (states->bytes == 0)
        return;
    uint64_t end = (uint64_t)sequence->position + sequence->row_count;
    states->slots[states->next].position = end;
    if (states->kept != NO_SLOT)
        states->slots[states->kept].position = end - 1;
    if (states->ends)
        states->mark = end - 1;
    states->next = states->kept = NO_SLOT;
}

uint64_t loam_states_rewind(struct states *states, uint64_t position)
{
    uint64_t deepest = 0;
    if (states->bytes == 0)
        return position;
    for (size_t i = 0; i < states->count; i++) {
        struct state_slot *slot = &states->slots[i];
        if (slot->position != FREE_SLOT && slot->position > position)
            slot->position = FREE_SLOT;
        else if (slot->position != FREE_SLOT)
            deepest = loam_max(deepest, slot->position);
    }
    return deepest;
}

void loam_states_end(struct states *states)
{
    for (size_t i = 0; i < states->count; i++)
        loam_memory_free_large(states->memory, states->slots[i].data, states->bytes);
    *states = (struct states){0};
}

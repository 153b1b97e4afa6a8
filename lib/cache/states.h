/* SPDX-License-Identifier: MIT */
/*
 * The recurrent states of one sequence. A state can't be cut back as pages
 * can: a step reads the state behind the last token and writes another slot,
 * and what was read stays, a checkpoint, until its memory is needed. So a step
 * that was given up has changed nothing, and going back means the deepest
 * checkpoint that is not too deep; the tokens behind it are computed again,
 * which gives the same bits.
 */
#ifndef LOAM_CACHE_STATES_H
#define LOAM_CACHE_STATES_H

#include "base/error.h"
#include "base/memory.h"
#include "tensor/tensor.h"

/* Slots of a sequence: what the budget holds, but no fewer than a step may
 * need at once (what it reads, what it writes, the end of a prompt twice) and
 * no more than are worth it. */
enum { STATE_SLOTS_LEAST = 4, STATE_SLOTS_MOST = 10, STATE_BUDGET = 64 << 20 };

struct state_slot {
    float *data;
    uint64_t position; /* of the first token that is not in it; FREE_SLOT: nothing is */
};

/* Thread-compatible. */
struct states {
    struct memory *memory;
    uint64_t bytes; /* of a slot; 0: the model has no state */
    struct state_slot slots[STATE_SLOTS_MOST];
    size_t count, limit;  /* slots that were taken, and at most */
    uint64_t mark;        /* the checkpoint at this position goes last */
    size_t next, kept;    /* slots that the step under way writes */
    bool ends;            /* as of the step under way */
};

/* Slots of a sequence whose state takes so many bytes. */
size_t loam_states_limit(uint64_t bytes);

/* The graph is compiled and outlives the states. */
void loam_states_init(struct states *states, struct memory *memory, const loam_graph *graph);

/* Takes the memory of all slots now.
 * [errors: MEMORY] */
loam_status loam_states_reserve(struct states *states, loam_error *error);

/* Fills in the sequence's states for its rows, which begin at a position that
 * loam_states_rewind gave or a step ended at. `ends`: the rows are the end of a
 * prompt, to before whose last token one likes to go back. Nothing is lost but
 * checkpoints.
 * [errors: MEMORY] */
loam_status loam_states_prepare(struct states *states, loam_step_sequence *sequence, bool ends,
                                loam_error *error);

/* The rows that were prepared are computed. */
void loam_states_commit(struct states *states, const loam_step_sequence *sequence);

/* Forgets all states behind `position`; returns the deepest position that is
 * left, from which on to compute. */
uint64_t loam_states_rewind(struct states *states, uint64_t position);

/* Gives everything back. */
void loam_states_end(struct states *states);

#endif

/* SPDX-License-Identifier: MIT */
/* Quantising to the IQ1 types: entries of -1, 0, 1, shifted by an eighth up or
 * down; value = d / 8 * (2 scale + 1) * (8 entry +- 1). */
#ifndef LOAM_QUANT_SHIFTED_H
#define LOAM_QUANT_SHIFTED_H

#include "quant/book.h"

struct shifted_fit {
    const struct book_index *index;
    size_t sub_block; /* numbers with one scale: 16 or 32 */
    size_t shift_run; /* numbers with one shift: 8 or 32, at most a sub-block */
    uint16_t d;
    uint8_t scales[16]; /* 0 to 7 */
    uint16_t entries[32];
    bool down[32]; /* of each 8 numbers */
};

/* The index of both types' book. */
void loam_shifted_index(struct book_index *out);

void loam_shifted_fit(struct shifted_fit *fit, const float *x, const float *importance);

#endif

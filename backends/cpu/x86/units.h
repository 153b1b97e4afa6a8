/* SPDX-License-Identifier: MIT */
/* Units of packed weights (quant/blocks.h) as products walk through them. */
#ifndef LOAM_BACKENDS_CPU_X86_UNITS_H
#define LOAM_BACKENDS_CPU_X86_UNITS_H

#include "cpu/x86/stream.h"
#include "quant/blocks.h"

/* In one row's product, whoever multiplies the numbers also asks for their lines ahead
 * (stream.h); those before and behind them are asked for with the unit. */
struct unit_shape {
    size_t elements, block;      /* numbers of a unit, and of those that share a scale */
    size_t bytes;                /* a multiple of 64, as the two that follow */
    size_t numbers, numbers_end; /* where the numbers begin and end */
};

#define UNIT_Q8_0                                                                                  \
    ((struct unit_shape){64, 32, sizeof(struct unit_q8_0), offsetof(struct unit_q8_0, q),          \
                         sizeof(struct unit_q8_0)})
#define UNIT_Q4_0                                                                                  \
    ((struct unit_shape){64, 32, sizeof(struct unit_q4_0), offsetof(struct unit_q4_0, q),          \
                         sizeof(struct unit_q4_0)})
#define UNIT_Q4_K                                                                                  \
    ((struct unit_shape){256, 256, sizeof(struct unit_q4_k), offsetof(struct unit_q4_k, q),        \
                         offsetof(struct unit_q4_k, mins)})
#define UNIT_Q5_K                                                                                  \
    ((struct unit_shape){256, 256, sizeof(struct unit_q5_k),                                       \
                         offsetof(struct unit_q5_k, sub_blocks),                                   \
                         offsetof(struct unit_q5_k, mins)})
#define UNIT_Q6_K                                                                                  \
    ((struct unit_shape){256, 256, sizeof(struct unit_q6_k), offsetof(struct unit_q6_k, pairs),    \
                         offsetof(struct unit_q6_k, d)})

/* Asks for a unit ahead, for `rows` rows from first_row: the first of all rows do. */
INLINE void stream_unit(const unsigned char *unit, struct unit_shape shape, size_t first_row,
                        int rows)
{
    if (rows == 1) { /* whoever multiplies asks for the numbers */
        stream_lines(unit, shape.numbers);
        stream_lines(unit + shape.numbers_end, shape.bytes - shape.numbers_end);
    } else if (first_row == 0) {
        stream_lines(unit, shape.bytes);
    }
}

#endif

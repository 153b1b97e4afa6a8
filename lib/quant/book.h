/* SPDX-License-Identifier: MIT */
/*
 * Quantising to code books: the entry next to some numbers, and whole blocks of
 * the IQ2 and IQ3 types, whose sub-blocks have scales 2 s + 1 of one float.
 */
#ifndef LOAM_QUANT_BOOK_H
#define LOAM_QUANT_BOOK_H

#include "quant/fit.h"
#include "quant/grids.h"

/* Entries of `width` bytes, 8 or 4, ascending as words; each byte is one of
 * `count` ascending levels (+ 128 where they are signed). */
struct book {
    const uint64_t *eights;
    const uint32_t *fours;
    size_t entry_count, width;
    uint8_t levels[8];
    size_t level_count;
};

/* Which words are entries. A word's number has its numbers' levels as digits,
 * so that entries ascend with theirs. Made anew for some blocks at a time: it is
 * cheaper than a look-up table that the library would carry. */
enum { BOOK_NUMBERS = 6561 }; /* 3 levels of 8 numbers; 8 of 4 are fewer */

struct book_index {
    const struct book *book;
    uint16_t powers[8]; /* what one level more of number i adds */
    uint64_t bits[(BOOK_NUMBERS + 63) / 64];
    uint16_t before[(BOOK_NUMBERS + 63) / 64]; /* entries of lower words of bits */
};

void loam_book_index(struct book_index *out, const struct book *book);

/* The entry with the least sum of w (t - entry)^2, or one about as good. */
size_t loam_book_nearest(const struct book_index *index, const float *t, const float *w);

/* Number i of an entry. */
static inline int32_t loam_book_number(const struct book *book, size_t entry, size_t i)
{
    uint64_t word = book->eights ? book->eights[entry] : book->fours[entry];
    return (int8_t)(uint8_t)(word >> 8 * i);
}

/* What is fitted of a block of 256: value = unit * (2 scales + 1) * signed entry. */
struct book_fit {
    const struct book_index *index;
    size_t sub_block;   /* numbers with one scale: 16 or 32 */
    int32_t most_scale; /* 15 */
    bool even_signs;    /* the signs of 8 numbers are even in number */
    float factor;       /* of the float in the file: unit = d * factor */
    uint16_t d;
    uint8_t scales[16];
    uint16_t entries[64];
    uint8_t signs[32]; /* bit i: number i of eight is negative */
};

void loam_book_fit(struct book_fit *fit, const float *x, const float *importance);

#endif

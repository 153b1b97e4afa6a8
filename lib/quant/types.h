/* SPDX-License-Identifier: MIT */
/*
 * lib/quant: the weight types of GGUF: block layouts, quantise, dequantise.
 * One table; a type is one file and one line of it. Knows nothing of tensors,
 * files or kernels.
 */
#ifndef LOAM_QUANT_TYPES_H
#define LOAM_QUANT_TYPES_H

#include "base/base.h"

/*
 * The packed form of a matrix, one for all CPU levels: its rows in panels of
 * 16 (a short last one filled up with zeros), a panel as a sequence of units
 * along the row, a unit as 16 rows interleaved by 4 numbers. Packing moves
 * bits and rounds nothing: a packed matrix unpacks to the same bytes.
 */
enum { PANEL_ROWS = 16 };

struct packed_field { /* of a block: `count` items of `item` bytes, from byte `offset` on */
    uint8_t offset, item, count;
};

struct weight_packing {
    uint32_t unit_elements; /* of each row in a unit: one block or some */
    uint32_t unit_bytes;    /* of 16 rows; a multiple of 64 */
    /* A unit has the first field of all its blocks, then the second, ...: of a field the
     * blocks, of a block the items, of an item the 16 rows. Ends with an item of 0 bytes.
     * NULL: the functions below; where these are NULL as well, the blocks of row 0, as in
     * the file, then those of row 1, ... */
    const struct packed_field *fields;
    /* unit[unit_bytes] = `count` consecutive blocks of each of 16 rows;
     * rows[i] are row i's, NULL for a row that is not there; count is 1 up to
     * the unit's number of blocks. Where any are missing, the unit is zero bytes before. */
    void (*pack)(void *unit, const void *const rows[PANEL_ROWS], size_t count);
    /* blocks[count] = the blocks of one row as they were in the file. */
    void (*unpack)(void *blocks, const void *unit, size_t row, size_t count);
};

struct block_integers;

/*
 * A block as integers, for the products that all types share (integers.h):
 * number i is d * scale * q, or d * scale * q - dmin * min, with d and dmin of
 * each step, and the integers scale and min of each 16 numbers.
 */
struct weight_integers {
    uint32_t step;    /* numbers with one d: 16 or 32, whose integer scale and min are 1, or 256 */
    uint32_t largest; /* magnitude of q */
    bool minima;
    /* Writes what the block has, a block of at most 256 numbers at any address. */
    void (*block)(struct block_integers *out, const void *block);
};

struct weight_type {
    uint32_t id;             /* the number in GGUF files */
    const char *name;        /* such as "Q4_0" */
    uint32_t block_elements; /* numbers per block */
    uint32_t block_bytes;
    uint32_t activation_group; /* numbers that share a scale when activations are quantised for it;
                                  0: float product */
    /* out[n] = the exact values of n numbers, n a multiple of block_elements.
     * NULL: the type is known by name and size only. */
    void (*dequantize)(float *out, const void *blocks, size_t n);
    /* Blocks near to x; importance[n]: how much each number's squared error counts,
     * NULL: all the same. Any numbers give blocks; those that are not finite
     * give nothing sensible. NULL: the type has no quantiser. */
    void (*quantize)(void *blocks, const float *x, const float *importance, size_t n);
    const struct weight_packing *packing;   /* NULL: rows stay as in the file */
    const struct weight_integers *integers; /* NULL: products of its own, or none */
};

/* The type with that number in GGUF files, or NULL. */
const struct weight_type *loam_weight_type(uint32_t id);

/* The type of that name, upper or lower case, or NULL. */
const struct weight_type *loam_weight_type_named(const char *name, size_t length);

/* The i-th type of the table in ascending id, or NULL beyond its end. */
const struct weight_type *loam_weight_type_at(size_t index);

/* Bytes of a matrix as packed: panels are contiguous, each of
 * ceil(width / unit_elements) units. rows and width at most 2^32. */
uint64_t loam_packed_panel_bytes(const struct weight_type *type, uint64_t width);
uint64_t loam_packed_bytes(const struct weight_type *type, uint64_t width, uint64_t rows);

/* One panel: rows[i] is row i's bytes in the file's layout, or NULL. */
void loam_pack_panel(const struct weight_type *type, void *panel,
                     const void *const rows[PANEL_ROWS], size_t width);

/* Blocks [first, first + count) of one row of a panel as they were in the
 * file. */
void loam_unpack_blocks(const struct weight_type *type, void *blocks, const void *panel, size_t row,
                        size_t first, size_t count);

/* One group of activations, by rule 3 of the numeric contract: m is the
 * largest magnitude; below 2^-100 the scale is 0 and q all zero; else the
 * scale is m / 127 and q = round-half-even(x * (127 / m)). Returns the scale.
 * n at most 256. For non-finite x the result is unspecified but defined. */
float loam_quantize_group(int8_t *q, const float *x, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * lib/quant: the weight types of GGUF: block layouts, quantise, dequantise.
 * One table; a type is one file and one line of it. Knows nothing of tensors,
 * files or kernels.
 */
#ifndef LOAM_QUANT_TYPES_H
#define LOAM_QUANT_TYPES_H

#include "base/base.h"

struct weight_type {
    uint32_t id;             /* the number in GGUF files */
    const char *name;        /* such as "Q4_0" */
    uint32_t block_elements; /* numbers per block */
    uint32_t block_bytes;
    uint32_t activation_group; /* numbers that share a scale when activations are quantised for it; 0: float product */
    /* out[n] = the exact values of n numbers, n a multiple of block_elements.
     * NULL: the type is known by name and size only. */
    void (*dequantize)(float *out, const void *blocks, size_t n);
    /* The nearest blocks; NULL: the type has no quantiser. */
    void (*quantize)(void *blocks, const float *x, size_t n);
};

/* The type with that number in GGUF files, or NULL. */
const struct weight_type *loam_weight_type(uint32_t id);

/* The type of that name, upper or lower case, or NULL. */
const struct weight_type *loam_weight_type_named(const char *name, size_t length);

/* The i-th type of the table in ascending id, or NULL beyond its end. */
const struct weight_type *loam_weight_type_at(size_t index);

/* Blocks as they lie in files, little-endian. */
struct block_q8_0 {
    uint16_t d;   /* scale, f16 */
    int8_t qs[32];
};
struct block_q4_0 {
    uint16_t d;     /* scale, f16 */
    uint8_t qs[16]; /* byte j: number j in the low nibble, j + 16 in the high; value d * (q - 8) */
};
_Static_assert(sizeof(struct block_q8_0) == 34, "layout of the file format");
_Static_assert(sizeof(struct block_q4_0) == 18, "layout of the file format");

/* One group of activations, by rule 3 of the numeric contract: m is the
 * largest magnitude; below 2^-100 the scale is 0 and q all zero; else the
 * scale is m / 127 and q = round-half-even(x * (127 / m)). Returns the scale.
 * n at most 256. For non-finite x the result is unspecified but defined. */
float loam_quantize_group(int8_t *q, const float *x, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Kernels of a level against the scalar ones, by memcmp. A family is a file
 * with one function that compares and one that times; both work on any two
 * tables, so that a new level or weight type needs no new test.
 */
#ifndef LOAM_TESTS_KERNELS_H
#define LOAM_TESTS_KERNELS_H

#include "cpu/levels.h"
#include "test.h"

struct family {
    const char *name;
    /* Compares kernels with kernels_scalar; counts combinations. */
    void (*check)(void);
    /* Prints lines with kernels_time; or NULL. */
    void (*bench)(void);
};

extern const struct family family_products, family_float_products, family_rows, family_storage,
    family_states, family_attention, family_cost;

/* The tables of the moment; the scalar one is always there. */
extern struct cpu_kernels kernels_scalar, kernels_level;
extern const char *kernels_level_name;
extern int32_t kernels_level_id;

/* products.c: the part of its family with many rows. */
void kernels_check_many_rows(void);

/* amx_model.c: the table of the level amx, but with tiles_model.h. */
void kernels_amx_model(struct cpu_kernels *kernels);

/* Combinations compared since the program began. */
extern unsigned long kernels_combinations;

/* One combination: equal bytes, or a failed check that says what it was. */
void kernels_compare(const void *found, const void *expected, size_t bytes, const char *what,
                     size_t a, size_t b, size_t c);

/* As kernels_compare for f32; numbers that the scalar kernel made infinite or
 * NaN promise no bits, but must not be finite. */
void kernels_compare_floats(const float *found, const float *expected, size_t count,
                            const char *what, size_t a, size_t b, size_t c);

/* ---- values ---------------------------------------------------------------- */

/* Kinds of values of activations. */
enum {
    VALUES_PLAIN, /* about -1 to 1 */
    VALUES_WIDE,  /* all magnitudes, signs and zeros; finite */
    VALUES_SMALL, /* subnormal, and zero */
    VALUES_ZERO,
    VALUES_SPIKES,  /* mostly zero, some large */
    VALUES_ONES,    /* all 1: integers of 127, the largest sums */
    VALUES_HOSTILE, /* any bits: NaN and infinity as well */
    VALUES_KINDS
};

uint32_t kernels_random(void);
void kernels_fill(float *x, size_t count, int kind);

/* `blocks` blocks of a type from random bits; hostile: scales of any bits,
 * else f16 scales of moderate size. */
void kernels_fill_blocks(const struct weight_type *type, unsigned char *out, size_t blocks,
                         bool hostile);

/* Memory that ends where the reading must: a page behind it faults. */
void *kernels_memory(size_t bytes);
void kernels_forget(void); /* gives back all of it */

/* ---- timing ---------------------------------------------------------------- */

/* Prints the median time of `run`, and what it does per second. */
void kernels_time(const char *name, void (*run)(void *context), void *context, double work,
                  const char *unit);

/* Prints what the rules cost the kernels of the level: "products", "rows",
 * "attention", or NULL for all (cost.c). */
void kernels_cost(const char *wanted);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A loop around one multiply-add: twelve independent sums hide its latency.
 * The sums are variables of their own and not an array, which compilers keep
 * in memory.
 *
 * KEEP is an empty asm that claims to change a value, so that the compiler
 * does not see that the work is the same each time.
 */
#ifndef LOAM_CLI_LIMITS_LOOP_H
#define LOAM_CLI_LIMITS_LOOP_H

enum { CHAINS = 12 };

#define EACH_CHAIN(DO, KEEP, PRODUCT)                                                              \
    DO(s0, KEEP, PRODUCT)                                                                          \
    DO(s1, KEEP, PRODUCT)                                                                          \
    DO(s2, KEEP, PRODUCT)                                                                          \
    DO(s3, KEEP, PRODUCT)                                                                          \
    DO(s4, KEEP, PRODUCT)                                                                          \
    DO(s5, KEEP, PRODUCT)                                                                          \
    DO(s6, KEEP, PRODUCT)                                                                          \
    DO(s7, KEEP, PRODUCT)                                                                          \
    DO(s8, KEEP, PRODUCT)                                                                          \
    DO(s9, KEEP, PRODUCT)                                                                          \
    DO(s10, KEEP, PRODUCT)                                                                         \
    DO(s11, KEEP, PRODUCT)

#define MULTIPLY_ADD(sum, KEEP, PRODUCT)                                                           \
    KEEP(a);                                                                                       \
    sum = PRODUCT(sum, a, b);
#define USE(sum, KEEP, PRODUCT) KEEP(sum);

/* Defines `static void name(uint64_t rounds)`; `target` is a function attribute. */
#define THROUGHPUT_LOOP(name, target, vector, KEEP, zero, factor, PRODUCT)                         \
    target static void name(uint64_t rounds)                                                       \
    {                                                                                              \
        vector a = factor, b = factor, s0 = zero, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0,     \
               s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;                             \
        EACH_CHAIN(USE, KEEP, PRODUCT)                                                             \
        for (; rounds; rounds--) {                                                                 \
            EACH_CHAIN(MULTIPLY_ADD, KEEP, PRODUCT)                                                \
        }                                                                                          \
        EACH_CHAIN(USE, KEEP, PRODUCT)                                                             \
    }

#endif

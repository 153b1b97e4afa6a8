/* SPDX-License-Identifier: MIT */
/*
 * What the machine can do at most: bytes read and numbers multiplied per
 * second. Other measurements are given as a share of these, since the speed of
 * a shared machine drifts and only ratios taken side by side mean anything.
 * Used by `loam bench` and by tests/tools/limits.c; knows nothing of loam.
 */
#ifndef LOAM_CLI_LIMITS_H
#define LOAM_CLI_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    int threads;       /* most */
    double seconds;    /* of one measurement, all samples together */
    size_t read_bytes; /* of memory that is read through, all threads together */
    int level;         /* units above it are not measured */
    bool brief;        /* with all threads only */
    bool huge_only;    /* reads from 2 MB pages only, not from small ones as well */
};

/* ---- limits_cpu.c: what the CPU has ----------------------------------------- */

/* The levels of `loam --cpu`. */
enum level {
    LEVEL_SCALAR,
    LEVEL_AVX2,
    LEVEL_AVX_VNNI,
    LEVEL_AVX512,
    LEVEL_AMX,
    LEVEL_NEON,
    LEVEL_NEON_DOTPROD,
    LEVEL_NEON_I8MM,
    LEVEL_COUNT
};

const char *limits_level_name(int level);
int limits_level_from_name(const char *name); /* -1: none */
bool limits_level_available(int level);       /* CPU and system let us use it */
int limits_level_best(void);

/* The CPU's name; "" if it has none to say. */
void limits_cpu_name(char out[64]);

/* ---- limits_run.c: threads, samples, medians -------------------------------- */

enum { SAMPLES = 7 };

/* One kind of work. A piece takes some ten microseconds. */
struct work {
    void *context;
    void (*begin)(void *context, int thread); /* untimed, before the first piece; or NULL */
    void (*piece)(void *context, int thread);
    double amount; /* of one piece: bytes or multiply-adds */
};

struct rate {
    double median, best; /* of the samples, amounts per second, all threads together */
};

/* Lets each thread do pieces for `seconds`. False: no memory or no thread. */
bool limits_run(struct rate *out, const struct work *work, int threads, double seconds);

/* ---- limits_table.c: the results -------------------------------------------- */

struct measurement {
    char name[64];
    const char *group; /* "read", "int8", "f32" */
    const char *unit;  /* "GB/s", "GMAC/s" */
    int threads;
    struct rate rate; /* in the unit */
};

struct measurements {
    struct measurement items[128];
    size_t count;
};

void limits_add(struct measurements *out, const char *group, const char *name, const char *unit,
                int threads, struct rate rate, double scale);

/* The highest median of a group with so many threads, or NULL. */
const struct measurement *limits_best(const struct measurements *all, const char *group,
                                      int threads);

/* ---- what is measured -------------------------------------------------------
 * Each returns false if a measurement could not be made at all, with a line on
 * stderr. */

bool limits_read(struct measurements *out, const struct settings *settings);

/* group: "int8" or "f32". */
bool limits_units(struct measurements *out, const struct settings *settings, const char *group);

/* ---- limits_x86.c, limits_amx.c, limits_arm.c: loops around one
 * instruction ------------------------------------------------------------------ */

/* `loop` runs `rounds` times over independent accumulators: a measure of
 * throughput, not of latency. */
struct unit {
    const char *name, *group;
    int level;
    void (*loop)(uint64_t rounds);
    double amount; /* multiply-adds of a round */
};

/* Tables that end with a NULL name; empty on another kind of CPU. */
extern const struct unit limits_x86_units[];
extern const struct unit limits_amx_units[];
extern const struct unit limits_arm_units[];

#endif

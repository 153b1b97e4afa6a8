/* SPDX-License-Identifier: MIT */
/*
 * Runs compiled tile instructions on a machine without AMX: each faults, and the
 * handler of SIGILL decodes it, lets the model do it and goes on behind it. So the
 * library's own build of the level amx is tested as well: encodings, numbers of
 * tiles, the configuration, and what the compiler left in memory before a load.
 */
#ifndef LOAM_TESTS_KERNELS_TILES_CAUGHT_H
#define LOAM_TESTS_KERNELS_TILES_CAUGHT_H

#include <stdbool.h>

/* Begins catching; false: not on this system. */
bool tiles_caught_begin(void);

/* Ends it; returns the number of instructions caught. */
unsigned long tiles_caught_end(void);

#endif

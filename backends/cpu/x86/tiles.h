/* SPDX-License-Identifier: MIT */
/*
 * Tiles of AMX: eight registers of up to 16 rows of 64 bytes, and the product of
 * two, as in Intel's Software Developer's Manual, volume 2. A tile is named by a
 * literal digit, since the instruction has it in its bits.
 *
 * Not the compilers' own functions: those of gcc say of no load that it reads
 * memory, and of a configuration that it reads 8 of its 64 bytes, so that stores
 * to them may be left out. Here the operand is the whole configuration, and
 * loads and stores wait for all memory.
 *
 * Names of the same meaning in plain C are in tests/kernels/tiles_model.h, which
 * the tests include instead.
 */
#ifndef LOAM_BACKENDS_CPU_X86_TILES_H
#define LOAM_BACKENDS_CPU_X86_TILES_H

#include "base/base.h"

/* What LDTILECFG reads. Palette 1 is the only one there is: 8 tiles of 1 KB. */
struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

_Static_assert(sizeof(struct tile_configuration) == 64, "the CPU reads 64 bytes");

/* Gives all tiles their shapes and clears them; of the calling thread. */
#define TILES_CONFIGURE(configuration) __asm__ volatile("ldtilecfg %0" : : "m"(*(configuration)))

/* Ends the use: a thread that leaves tiles configured has 8 KB more to save. */
#define TILES_RELEASE() __asm__ volatile("tilerelease")

#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile:)

/* Rows of the tile from or to `base`, `stride` bytes apart. */
#define TILE_LOAD(tile, base, stride)                                                              \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile                                            \
                     :                                                                             \
                     : "r"(base), "r"((size_t)(stride))                                            \
                     : "memory")
#define TILE_STORE(tile, base, stride)                                                             \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)"                                        \
                     :                                                                             \
                     : "r"(base), "r"((size_t)(stride))                                            \
                     : "memory")

/* sum[m][n] += the products of the four bytes of a[m][k] and b[k][n], for all k:
 * int32 words of `sum`, words of four bytes of the others; a signed, b signed or
 * unsigned. Three different tiles. */
#define TILE_DOT_SIGNED(sum, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #sum:)
#define TILE_DOT_UNSIGNED(sum, a, b)                                                               \
    __asm__ volatile("tdpbsud %%tmm" #b ", %%tmm" #a ", %%tmm" #sum:)

#endif

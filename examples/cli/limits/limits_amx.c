/* SPDX-License-Identifier: MIT */
/*
 * The bare tile product of AMX: 16 x 64 bytes times 64 x 16, two by two tiles
 * with four accumulators, operands loaded from the first-level cache. The
 * process must have been lent the tiles (limits_cpu.c).
 */
#include "limits.h"

#if defined(__x86_64__) && defined(LOAM_HAVE_AMX)
#include <immintrin.h>
#include <string.h>

enum { TILE_BYTES = 16 * 64, PRODUCTS = 4 };

/* As LDTILECFG reads it. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
};

_Static_assert(sizeof(struct tile_config) == 64, "the CPU reads 64 bytes");

__attribute__((target("amx-tile,amx-int8"))) static void amx_int8(uint64_t rounds)
{
    _Alignas(64) uint8_t operands[4][TILE_BYTES];
    _Alignas(64) struct tile_config config = {.palette = 1};
    memset(operands, 1, sizeof operands);
    for (int i = 0; i < 8; i++) {
        config.bytes_per_row[i] = 64;
        config.rows[i] = 16;
    }
    /* gcc 12 believes that _tile_loadconfig reads 8 bytes, and would leave out
     * what was stored in the others. */
    __asm__ volatile("" : : "m"(config), "m"(operands) : "memory");
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (; rounds; rounds--) {
        _tile_loadd(4, operands[0], 64);
        _tile_loadd(5, operands[1], 64);
        _tile_loadd(6, operands[2], 64);
        _tile_loadd(7, operands[3], 64);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, operands[0], 64);
    __asm__ volatile("" : : "m"(operands) : "memory");
    _tile_release();
}

const struct unit limits_amx_units[] = {
    {"amx tdpbusd, 16 x 16 x 64", "int8", LEVEL_AMX, amx_int8, 16.0 * 16 * 64 * PRODUCTS},
    {NULL, NULL, 0, NULL, 0},
};

#else

const struct unit limits_amx_units[] = {{NULL, NULL, 0, NULL, 0}};

#endif

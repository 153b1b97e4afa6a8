/* SPDX-License-Identifier: MIT */
/*
 * The tiles of AMX in plain C: what Intel's Software Developer's Manual, volume 2,
 * says of LDTILECFG, TILELOADD, TDPBSSD and the others, under the names of
 * backends/cpu/x86/tiles.h. Included before that header, which is then empty, it
 * makes of the same kernels some that run without AMX.
 *
 * Where an instruction would fault, the model counts an error and does nothing. Tiles that
 * are configured anew before they were released are an error of the kernel as well.
 */
#ifndef LOAM_TESTS_KERNELS_TILES_MODEL_H
#define LOAM_TESTS_KERNELS_TILES_MODEL_H
#define LOAM_BACKENDS_CPU_X86_TILES_H

#include <stddef.h>
#include <stdint.h>

struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Instructions that would have faulted, and whether tiles are configured now. */
unsigned long tiles_model_errors(void);
int tiles_model_configured(void);

void tiles_model_configure(const struct tile_configuration *configuration);
void tiles_model_release(void);
void tiles_model_zero(int tile);
void tiles_model_load(int tile, const void *base, size_t stride);
void tiles_model_store(int tile, void *base, size_t stride);
void tiles_model_dot(int sum, int a, int b, int b_signed);

#define TILES_CONFIGURE(configuration) tiles_model_configure(configuration)
#define TILES_RELEASE()                tiles_model_release()
#define TILE_ZERO(tile)                tiles_model_zero(tile)
#define TILE_LOAD(tile, base, stride)  tiles_model_load(tile, base, stride)
#define TILE_STORE(tile, base, stride) tiles_model_store(tile, base, stride)
#define TILE_DOT_SIGNED(sum, a, b)     tiles_model_dot(sum, a, b, 1)
#define TILE_DOT_UNSIGNED(sum, a, b)   tiles_model_dot(sum, a, b, 0)

#endif

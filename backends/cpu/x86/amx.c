/* SPDX-License-Identifier: MIT */
/*
 * The level amx: avx512, and products of many rows with packed weights by the
 * tiles of AMX. A tile product takes 16 rows of activations, 16 outputs and 64
 * numbers: 16,384 multiply-adds in 16 cycles, eight times what two
 * vector ports do. Units of packed weights have the order that its second operand needs.
 *
 * amx_scaled.h: types with integer scales within 256 numbers.
 * amx_stepped.h: types with a float scale for each 32 numbers or 16.
 * amx_unpack.h: how their blocks become bytes.
 *
 * Few rows are left to the level avx512: a tile product takes as long for one row as for
 * 16, and unpacking into memory longer than into registers. By the operations
 * counted for Q4_K both take about as long for 8 rows.
 *
 * The tiles are configured for a call and released at its end.
 */
#include "cpu/x86/amx_scaled.h"
#include "cpu/x86/amx_stepped.h"
#include "cpu/x86/amx_unpack.h"
#include "cpu/x86/stream.h"
#include "cpu/x86/x86.h"

#include <loam/graph.h>

enum { LEAST_ROWS = 9 };

static const unsigned char *panel_weights(const struct linear_tile *tile, size_t output)
{
    return (const unsigned char *)tile->weights + output / PANEL_ROWS * tile->panel_bytes;
}

/* ---- steps of 256 ------------------------------------------------------------- */

typedef void (*unpack_function)(struct scaled_chunk *out, const void *weights);

INLINE void linear_scaled(const struct linear_tile *tile, unpack_function unpack, size_t unit_bytes,
                          enum planes planes, size_t min_pairs)
{
    size_t end = tile->first_output + tile->output_count;
    struct scaled_chunk chunk;
    configure(tile, 64);
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights = panel_weights(tile, output);
        struct pass pass = pass_begin(tile, output, 256);
        for (size_t k = 0; k < tile->width; k += 256, weights += unit_bytes) {
            if (k + 256 == tile->width)
                pass_end(&pass);
            stream_lines(weights, unit_bytes);
            unpack(&chunk, weights);
            scaled_rows(&pass, &chunk, planes, min_pairs);
            pass_advance(&pass, 256, 256);
        }
    }
    TILES_RELEASE();
}

static void linear_q4_k(const struct linear_tile *tile)
{
    if (tile->rows < LEAST_ROWS)
        loam_avx512_linear_q4_k(tile);
    else
        linear_scaled(tile, unpack_q4_k, sizeof(struct unit_q4_k), EIGHT_PLANES, 4);
}

static void linear_q5_k(const struct linear_tile *tile)
{
    if (tile->rows < LEAST_ROWS)
        loam_avx512_linear_q5_k(tile);
    else
        linear_scaled(tile, unpack_q5_k, sizeof(struct unit_q5_k), EIGHT_PLANES, 4);
}

static void linear_q6_k(const struct linear_tile *tile)
{
    if (tile->rows < LEAST_ROWS)
        loam_avx512_linear_q6_k(tile);
    else
        linear_scaled(tile, unpack_q6_k, sizeof(struct unit_q6_k), BYTE_PLANES, 0);
}

static void integers_scaled_rows(const struct pass *pass, const struct scaled_chunk *chunk,
                                 bool one_plane, bool minima)
{
    if (one_plane && minima)
        scaled_rows(pass, chunk, ONE_PLANE, 8);
    else if (one_plane)
        scaled_rows(pass, chunk, ONE_PLANE, 0);
    else if (minima)
        scaled_rows(pass, chunk, BYTE_PLANES, 8);
    else
        scaled_rows(pass, chunk, BYTE_PLANES, 0);
}

static void integers_scaled(const struct linear_tile *tile)
{
    size_t end = tile->first_output + tile->output_count, bytes = tile->type->packing->unit_bytes;
    struct scaled_chunk chunk;
    configure(tile, 64);
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights = panel_weights(tile, output);
        struct pass pass = pass_begin(tile, output, 256);
        for (size_t k = 0; k < tile->width; k += 256, weights += bytes) {
            if (k + 256 == tile->width)
                pass_end(&pass);
            stream_lines(weights, bytes);
            bool one_plane = unpack_integers(&chunk, tile->type, weights);
            integers_scaled_rows(&pass, &chunk, one_plane, tile->type->integers->minima);
            pass_advance(&pass, 256, 256);
        }
    }
    TILES_RELEASE();
}

/* ---- steps of 32 and 16 --------------------------------------------------------- */

/* What unpacking makes of two units of Q4_0. */
struct unpacked_q4_0 {
    _Alignas(64) int8_t q[STEPS][8][PANEL_ROWS][4];
};

/* 5 operations for 32 numbers of 16 outputs and 8 for the offset: 40 cycles for 128 numbers. */
INLINE void unpack_q4_0(struct unpacked_q4_0 *out, const struct unit_q4_0 *units, size_t steps)
{
    const __m512i offset = _mm512_set1_epi8(8);
    for (size_t s = 0; s < steps; s++)
        for (size_t v = 0; v < 4; v++) {
            __m512i bytes = load(units[s / 2].q[s % 2][v]);
            _mm512_store_si512(out->q[s][v], _mm512_sub_epi8(low_nibbles(bytes), offset));
            _mm512_store_si512(out->q[s][v + 4], _mm512_sub_epi8(high_nibbles(bytes), offset));
        }
}

static void linear_q4_0(const struct linear_tile *tile)
{
    if (tile->rows < LEAST_ROWS) {
        loam_avx512_linear_q4_0(tile);
        return;
    }
    size_t end = tile->first_output + tile->output_count;
    struct unpacked_q4_0 unpacked;
    _Alignas(64) float d[STEPS][PANEL_ROWS];
    struct stepped_chunk chunk = {.q = unpacked.q[0][0][0], .q_distance = 1024, .d = d};
    configure(tile, 32);
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const struct unit_q4_0 *units = (const void *)panel_weights(tile, output);
        struct pass pass = pass_begin(tile, output, 32);
        for (size_t k = 0; k < tile->width; k += 128, units += 2) {
            chunk.steps = loam_min(STEPS, (tile->width - k) / 32);
            if (k + 32 * chunk.steps == tile->width)
                pass_end(&pass);
            stream_lines(units, 2 * sizeof *units);
            unpack_q4_0(&unpacked, units, chunk.steps);
            for (size_t s = 0; s < chunk.steps; s++)
                _mm512_store_ps(d[s], halves(units[s / 2].d[s % 2]));
            stepped_rows(&pass, &chunk, 32, false);
            pass_advance(&pass, 128, 32);
        }
    }
    TILES_RELEASE();
}

/* Nothing to unpack. */
static void linear_q8_0(const struct linear_tile *tile)
{
    if (tile->rows < LEAST_ROWS) {
        loam_avx512_linear_q8_0(tile);
        return;
    }
    size_t end = tile->first_output + tile->output_count;
    _Alignas(64) float d[STEPS][PANEL_ROWS];
    struct stepped_chunk chunk = {.q_distance = sizeof(struct unit_q8_0), .d = d};
    configure(tile, 32);
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const struct unit_q8_0 *units = (const void *)panel_weights(tile, output);
        struct pass pass = pass_begin(tile, output, 32);
        for (size_t k = 0; k < tile->width; k += 128, units += 2) {
            chunk.q = units->q[0][0][0];
            chunk.steps = loam_min(STEPS, (tile->width - k) / 32);
            if (k + 32 * chunk.steps == tile->width)
                pass_end(&pass);
            stream_lines(units, 2 * sizeof *units);
            for (size_t s = 0; s < chunk.steps; s++)
                _mm512_store_ps(d[s], halves(units[s / 2].d[s % 2]));
            stepped_rows(&pass, &chunk, 32, false);
            pass_advance(&pass, 128, 32);
        }
    }
    TILES_RELEASE();
}

/* Up to STEPS steps of a unit from number `first` on. */
static void integers_steps(const struct pass *pass, const struct unit_integers *unit, size_t first,
                           size_t steps, const struct weight_integers *integers)
{
    struct stepped_chunk chunk = {.q = unit->q[first / 4][0],
                                  .q_distance = 1024,
                                  .d = unit->d + first / integers->step,
                                  .dmin = unit->dmin + first / integers->step,
                                  .steps = steps};
    if (integers->step == 16 && integers->minima)
        stepped_rows(pass, &chunk, 16, true);
    else if (integers->step == 16)
        stepped_rows(pass, &chunk, 16, false);
    else if (integers->minima)
        stepped_rows(pass, &chunk, 32, true);
    else
        stepped_rows(pass, &chunk, 32, false);
}

static void integers_stepped(const struct linear_tile *tile)
{
    const struct weight_type *type = tile->type;
    size_t end = tile->first_output + tile->output_count, step = type->integers->step;
    size_t elements = type->packing->unit_elements, bytes = type->packing->unit_bytes;
    struct unit_integers unit;
    configure(tile, step);
    for (size_t output = tile->first_output; output < end; output += PANEL_ROWS) {
        const unsigned char *weights = panel_weights(tile, output);
        struct pass pass = pass_begin(tile, output, 32);
        for (size_t k = 0; k < tile->width; k += elements, weights += bytes) {
            size_t count = loam_min(elements, tile->width - k), numbers;
            stream_lines(weights, bytes);
            loam_avx2_integers_unit(&unit, type, weights, count / type->block_elements);
            for (size_t first = 0; first < count; first += numbers) {
                numbers = loam_min(STEPS * step, count - first);
                if (k + first + numbers == tile->width)
                    pass_end(&pass);
                integers_steps(&pass, &unit, first, numbers / step, type->integers);
                pass_advance(&pass, numbers, 32);
            }
        }
    }
    TILES_RELEASE();
}

static void linear_integers(const struct linear_tile *tile)
{
    if (tile->rows < LEAST_ROWS)
        loam_avx512_linear_integers(tile);
    else if (tile->type->integers->step == 256)
        integers_scaled(tile);
    else
        integers_stepped(tile);
}

void loam_kernels_amx(struct cpu_kernels *kernels)
{
    const struct weight_type *type;
    for (size_t i = 0; (type = loam_weight_type_at(i)) != NULL; i++)
        if (type->integers)
            kernels->linear[type->id] = linear_integers;
    kernels->linear[LOAM_TYPE_Q8_0] = linear_q8_0;
    kernels->linear[LOAM_TYPE_Q4_0] = linear_q4_0;
    kernels->linear[LOAM_TYPE_Q4_K] = linear_q4_k;
    kernels->linear[LOAM_TYPE_Q5_K] = linear_q5_k;
    kernels->linear[LOAM_TYPE_Q6_K] = linear_q6_k;
}

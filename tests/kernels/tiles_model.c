/* SPDX-License-Identifier: MIT */
/* See tiles_model.h. Each thread has its tiles. */
#include "tiles_model.h"

#include <string.h>

enum { TILES = 8, MOST_ROWS = 16, MOST_BYTES = 64 };

static _Thread_local struct {
    int configured;
    unsigned rows[TILES], bytes[TILES];
    uint8_t data[TILES][MOST_ROWS][MOST_BYTES];
} state;
static unsigned long errors;

unsigned long tiles_model_errors(void)
{
    return errors;
}

int tiles_model_configured(void)
{
    return state.configured;
}

/* What LDTILECFG takes for palette 1 without a fault; a tile of no rows and no bytes is
 * there to be unused. */
static int accepts(const struct tile_configuration *given)
{
    static const uint8_t zeros[16];
    if (given->palette != 1 || memcmp(given->reserved, zeros, sizeof given->reserved) != 0)
        return 0;
    for (int i = 0; i < 16; i++) {
        if (i >= TILES && (given->rows[i] || given->row_bytes[i]))
            return 0;
        if (given->rows[i] > MOST_ROWS || given->row_bytes[i] > MOST_BYTES ||
            !given->rows[i] != !given->row_bytes[i])
            return 0;
    }
    return 1;
}

void tiles_model_configure(const struct tile_configuration *configuration)
{
    errors += state.configured != 0; /* kernels release what they configure */
    memset(&state, 0, sizeof state);
    if (!accepts(configuration)) {
        errors++;
        return;
    }
    state.configured = 1;
    for (int i = 0; i < TILES; i++) {
        state.rows[i] = configuration->rows[i];
        state.bytes[i] = configuration->row_bytes[i];
    }
}

void tiles_model_release(void)
{
    memset(&state, 0, sizeof state);
}

static int usable(int tile)
{
    int valid = state.configured && tile >= 0 && tile < TILES && state.rows[tile];
    errors += !valid;
    return valid;
}

void tiles_model_zero(int tile)
{
    if (usable(tile))
        memset(state.data[tile], 0, sizeof state.data[tile]);
}

void tiles_model_load(int tile, const void *base, size_t stride)
{
    if (!usable(tile))
        return;
    memset(state.data[tile], 0, sizeof state.data[tile]);
    for (unsigned row = 0; row < state.rows[tile]; row++)
        memcpy(state.data[tile][row], (const char *)base + row * stride, state.bytes[tile]);
}

void tiles_model_store(int tile, void *base, size_t stride)
{
    if (!usable(tile))
        return;
    for (unsigned row = 0; row < state.rows[tile]; row++)
        memcpy((char *)base + row * stride, state.data[tile][row], state.bytes[tile]);
}

/* The product of byte j of word k of row m of a and of row k, word n of b. */
static uint32_t product(int a, int b, unsigned m, unsigned k, unsigned n, unsigned j, int b_signed)
{
    int32_t x = (int8_t)state.data[a][m][4 * k + j];
    uint8_t y = state.data[b][k][4 * n + j];
    return (uint32_t)(x * (b_signed ? (int8_t)y : y));
}

void tiles_model_dot(int sum, int a, int b, int b_signed)
{
    if (!usable(sum) || !usable(a) || !usable(b))
        return;
    if (sum == a || sum == b || a == b || state.rows[sum] != state.rows[a] ||
        state.bytes[sum] != state.bytes[b] || state.bytes[a] != 4 * state.rows[b] ||
        state.bytes[sum] % 4) {
        errors++;
        return;
    }
    for (unsigned m = 0; m < state.rows[sum]; m++)
        for (unsigned n = 0; n < state.bytes[sum] / 4; n++) {
            uint32_t word; /* wraps as the instruction does */
            memcpy(&word, &state.data[sum][m][4 * n], sizeof word);
            for (unsigned k = 0; k < state.rows[b]; k++)
                for (unsigned j = 0; j < 4; j++)
                    word += product(a, b, m, k, n, j, b_signed);
            memcpy(&state.data[sum][m][4 * n], &word, sizeof word);
        }
}

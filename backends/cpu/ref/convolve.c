/* SPDX-License-Identifier: MIT */
/*
 * Rule 8: y = fma(weight[i], x of row - taps + 1 + i, y) from +0, i ascending;
 * then the bias is added. Rows before the sequence are zeros, and are executed.
 * Without weights the result is the row before.
 */
#include "base/numeric.h"
#include "cpu/ref/ref.h"

#include <math.h>

/* x of `row`, which may be up to taps - 1 rows before the first. */
static float past(const struct convolve_tile *tile, ptrdiff_t row, size_t channel)
{
    if (row >= 0)
        return tile->x[(size_t)row * tile->width + channel];
    size_t place = (size_t)(row + (ptrdiff_t)tile->taps - 1);
    return tile->window ? tile->window[place * tile->width + channel] : 0.0f;
}

static float value(const struct convolve_tile *tile, size_t row, size_t channel)
{
    if (!tile->weight)
        return past(tile, (ptrdiff_t)row - 1, channel);
    float y = 0.0f;
    for (size_t i = 0; i < tile->taps; i++)
        y = fmaf(tile->weight[channel * tile->taps + i],
                 past(tile, (ptrdiff_t)(row + i) - (ptrdiff_t)tile->taps + 1, channel), y);
    return tile->bias ? y + tile->bias[channel] : y;
}

/* What a window holds behind the first `rows` rows. */
static void save(const struct convolve_tile *tile, float *window, size_t rows, size_t channel)
{
    for (size_t i = 0; window && i + 1 < tile->taps; i++)
        window[i * tile->width + channel] =
            past(tile, (ptrdiff_t)(rows + i) - (ptrdiff_t)tile->taps + 1, channel);
}

bool loam_ref_convolve(const struct convolve_tile *tile)
{
    bool finite = true;
    for (size_t c = tile->first_channel; c < tile->first_channel + tile->channel_count; c++) {
        for (size_t row = 0; row < tile->rows; row++) {
            float x = tile->x[row * tile->width + c];
            finite = finite && x - x == 0.0f;
            tile->out[row * tile->width + c] = value(tile, row, c);
        }
        save(tile, tile->next_window, tile->rows, c);
        save(tile, tile->kept_window, tile->kept_rows, c);
    }
    return finite;
}

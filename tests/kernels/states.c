/* SPDX-License-Identifier: MIT */
/* What remembers: scans and convolutions, with what they leave for the next step. */
#include "kernels.h"

#include "tensor/tensor.h"

static float *filled(size_t count, int values)
{
    float *x = kernels_memory(count * sizeof *x);
    kernels_fill(x, count, values);
    return x;
}

static float *marked(size_t count)
{
    return memset(kernels_memory(count * sizeof(float)), 0x11, count * sizeof(float));
}

/* Whether both or neither found something that is not finite. */
static void compare_finite(bool found, bool expected, size_t a, size_t b)
{
    unsigned char bytes[2] = {found, expected};
    kernels_compare(&bytes[0], &bytes[1], 1, "is finite", a, b, 0);
}

/* ---- scans ------------------------------------------------------------------------ */

struct shape {
    size_t heads, key_heads, keys, values;
    bool rates;
};

static struct scan_tile scan_of(const struct shape *s, int32_t rule, size_t rows, int values)
{
    size_t keys = rows * s->key_heads * s->keys, all = rows * s->heads;
    struct scan_tile tile = {.rule = rule,
                             .rows = rows,
                             .heads = s->heads,
                             .key_heads = s->key_heads,
                             .key_width = s->keys,
                             .value_width = s->values,
                             .in_turn = rows % 2 == 0,
                             .scale = rows % 3 == 0 ? 1.0f : 0.3f,
                             .query = filled(keys, values),
                             .key = filled(keys, values),
                             .value = filled(all * s->values, values),
                             .rates = s->rates,
                             .kept_rows = rows / 2};
    if (rule == LOAM_SCAN_GENERAL_DELTA) {
        tile.decay = filled(keys, values);
        tile.a = filled(keys, values);
        tile.b = filled(keys, values);
    } else {
        tile.step = filled(all, values);
        tile.rate = filled(s->heads * (s->rates ? s->keys : 1), VALUES_PLAIN);
    }
    if (rule == LOAM_SCAN_GATED_DELTA)
        tile.gain = filled(all, values);
    if (rows % 2)
        tile.skip = filled(s->heads, VALUES_PLAIN);
    return tile;
}

static void compare_scan(const struct shape *s, int32_t rule, size_t rows, int values)
{
    size_t columns = s->heads * s->values, numbers = (columns + 15) / 16 * 16 * s->keys;
    struct scan_tile tile = scan_of(s, rule, rows, values);
    tile.state = rows % 2 ? filled(numbers, VALUES_PLAIN) : NULL;
    tile.first_column = columns > 16 && rows % 3 == 0 ? 16 : 0;
    tile.column_count = columns - tile.first_column;
    struct scan_tile other = tile;
    tile.out = marked(rows * columns), other.out = marked(rows * columns);
    tile.next_state = marked(numbers), other.next_state = marked(numbers);
    if (tile.kept_rows)
        tile.kept_state = marked(numbers), other.kept_state = marked(numbers);
    bool expected = kernels_scalar.scan(&tile), found = kernels_level.scan(&other);
    compare_finite(found, expected, s->heads, s->values);
    kernels_compare_floats(other.out, tile.out, rows * columns, "scan", (size_t)rule, s->keys,
                           s->values);
    kernels_compare_floats(other.next_state, tile.next_state, numbers, "state", (size_t)rule,
                           s->keys, s->values);
    if (tile.kept_rows)
        kernels_compare_floats(other.kept_state, tile.kept_state, numbers, "kept state",
                               (size_t)rule, s->keys, s->values);
}

/* ---- convolutions -------------------------------------------------------------------- */

static void compare_convolve(size_t width, size_t taps, size_t rows, int values)
{
    bool shift = taps == 2 && rows % 2;
    size_t window = (taps - 1) * width;
    struct convolve_tile tile = {.x = filled(rows * width, values),
                                 .weight = shift ? NULL : filled(width * taps, values),
                                 .bias = shift || rows % 2 ? NULL : filled(width, values),
                                 .width = width,
                                 .taps = taps,
                                 .rows = rows,
                                 .window = rows % 3 ? filled(window, values) : NULL,
                                 .kept_rows = rows / 2};
    tile.first_channel = width > 16 && rows % 2 ? 16 : 0;
    tile.channel_count = width - tile.first_channel;
    struct convolve_tile other = tile;
    tile.out = marked(rows * width), other.out = marked(rows * width);
    tile.next_window = marked(window), other.next_window = marked(window);
    if (tile.kept_rows)
        tile.kept_window = marked(window), other.kept_window = marked(window);
    bool expected = kernels_scalar.convolve(&tile), found = kernels_level.convolve(&other);
    compare_finite(found, expected, width, taps);
    kernels_compare_floats(other.out, tile.out, rows * width, "convolution", width, taps, rows);
    kernels_compare_floats(other.next_window, tile.next_window, window, "window", width, taps,
                           rows);
    if (tile.kept_rows)
        kernels_compare_floats(other.kept_window, tile.kept_window, window, "kept window", width,
                               taps, rows);
}

static void check(void)
{
    static const struct shape shapes[] = {
        {2, 1, 5, 64, false}, {2, 2, 128, 128, false}, {3, 3, 16, 16, false}, {4, 2, 8, 48, false},
        {2, 1, 9, 80, true},  {33, 1, 16, 1, true},    {16, 1, 64, 1, true},  {32, 1, 65, 1, true},
        {5, 5, 9, 6, false},  {40, 4, 7, 1, true},     {24, 1, 8, 1, false}};
    for (int values = 0; values < VALUES_KINDS; values++) {
        for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
            for (int32_t rule = LOAM_SCAN_STATE_SPACE; rule <= LOAM_SCAN_GENERAL_DELTA; rule++)
                for (size_t rows = 1; rows < 7; rows += i == 1 ? 4 : 1) {
                    compare_scan(&shapes[i], rule, rows, values);
                    kernels_forget();
                }
        for (size_t taps = 2; taps <= 5; taps++)
            for (size_t width = 1; width < 40; width += 6)
                for (size_t rows = 1; rows < 7; rows++) {
                    compare_convolve(width, taps, rows, values);
                    kernels_forget();
                }
        compare_convolve(24, MAX_TAPS, 70, values);
        kernels_forget();
    }
}

/* ---- timing ---------------------------------------------------------------------------- */

static void run_scan(void *context)
{
    kernels_level.scan(context);
}

static void run_convolve(void *context)
{
    kernels_level.convolve(context);
}

static void time_scan(const char *name, const struct shape *s, int32_t rule, size_t rows)
{
    size_t columns = s->heads * s->values, numbers = columns * s->keys;
    struct scan_tile tile = scan_of(s, rule, rows, VALUES_PLAIN);
    tile.state = filled(numbers, VALUES_PLAIN);
    tile.column_count = columns;
    tile.out = marked(rows * columns);
    tile.next_state = marked(numbers);
    kernels_time(name, run_scan, &tile, (double)numbers * (double)rows, "G numbers/s");
    kernels_forget();
}

static void bench(void)
{
    static const struct shape delta = {16, 16, 128, 128, false}, mamba = {1024, 1, 16, 1, true};
    static const struct shape mamba2 = {16, 1, 128, 64, false}, rwkv = {16, 16, 64, 64, false};
    time_scan("gated delta, 16 x 128 x 128, 1 row", &delta, LOAM_SCAN_GATED_DELTA, 1);
    time_scan("gated delta, 16 x 128 x 128, 16 rows", &delta, LOAM_SCAN_GATED_DELTA, 16);
    time_scan("Mamba, 1024 x 16, 16 rows", &mamba, LOAM_SCAN_STATE_SPACE, 16);
    time_scan("Mamba 2, 16 x 64 x 128, 16 rows", &mamba2, LOAM_SCAN_STATE_SPACE, 16);
    time_scan("RWKV 7, 16 x 64 x 64, 16 rows", &rwkv, LOAM_SCAN_GENERAL_DELTA, 16);
    enum { WIDTH = 2048, ROWS = 16, TAPS = 4 };
    struct convolve_tile tile = {.x = filled(ROWS * WIDTH, VALUES_PLAIN),
                                 .weight = filled(WIDTH * TAPS, VALUES_PLAIN),
                                 .out = marked(ROWS * WIDTH),
                                 .width = WIDTH,
                                 .taps = TAPS,
                                 .rows = ROWS,
                                 .channel_count = WIDTH,
                                 .next_window = marked((TAPS - 1) * WIDTH)};
    kernels_time("convolution, 16 x 2048, 4 taps", run_convolve, &tile, ROWS * WIDTH, "G/s");
}

const struct family family_states = {"states", check, bench};

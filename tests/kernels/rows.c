/* SPDX-License-Identifier: MIT */
/* What works row by row: quantising, norm, rotation, gate, sum. */
#include "kernels.h"

#include <loam/graph.h>

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

/* ---- quantising ---------------------------------------------------------------- */

static struct quantize_tile quantized(const struct quantize_tile *like, size_t rows)
{
    struct quantize_tile tile = *like;
    size_t numbers = rows * like->width;
    tile.q = memset(kernels_memory(numbers), 0x11, numbers);
    tile.scales = marked(numbers / like->group);
    tile.sums32 = memset(kernels_memory(numbers / 32 * 2), 0x11, numbers / 32 * 2);
    tile.sums16 = memset(kernels_memory(numbers / 16 * 2), 0x11, numbers / 16 * 2);
    return tile;
}

static void compare_quantize(size_t width, size_t group, size_t rows, int values)
{
    struct quantize_tile like = {.x = filled(rows * (width + 3), values),
                                 .x_stride = width + 3,
                                 .width = width,
                                 .group = group,
                                 .first_row = rows > 1 ? 1 : 0,
                                 .row_count = rows > 1 ? rows - 1 : 1};
    struct quantize_tile expected = quantized(&like, rows), found = quantized(&like, rows);
    size_t numbers = rows * width;
    kernels_scalar.quantize(&expected);
    kernels_level.quantize(&found);
    kernels_compare_floats(found.scales, expected.scales, numbers / group, "scales", width, group,
                           rows);
    if (values == VALUES_HOSTILE) /* the rest of non-finite groups is not promised */
        return;
    kernels_compare(found.q, expected.q, numbers, "quantised", width, group, rows);
    kernels_compare(found.sums32, expected.sums32, numbers / 16, "sums of 32", width, group, rows);
    kernels_compare(found.sums16, expected.sums16, numbers / 8, "sums of 16", width, group, rows);
}

/* Numbers that lie in the middle of two integers after scaling. */
static void compare_halves(void)
{
    float *x = kernels_memory(256 * sizeof *x);
    for (size_t i = 0; i < 256; i++)
        x[i] = (float)((int)i - 128) * 0.5f;
    x[0] = -127; /* the scale is 1 */
    struct quantize_tile like = {.x = x, .x_stride = 256, .width = 256, .row_count = 1};
    for (like.group = 32; like.group <= 256; like.group *= 8) {
        struct quantize_tile expected = quantized(&like, 1), found = quantized(&like, 1);
        kernels_scalar.quantize(&expected);
        kernels_level.quantize(&found);
        kernels_compare(found.q, expected.q, 256, "halves", like.group, 0, 0);
    }
}

/* ---- norm, rotation, elementwise ------------------------------------------------- */

static void compare_norm(size_t width, size_t rows, int values)
{
    struct norm_tile tile = {.x = filled(rows * width, values),
                             .weight = filled(width, VALUES_PLAIN),
                             .width = width,
                             .epsilon = 1e-5f,
                             .first_row = rows > 1 ? 1 : 0,
                             .row_count = rows > 1 ? rows - 1 : 1};
    float *expected = marked(rows * width), *found = marked(rows * width);
    tile.out = expected;
    kernels_scalar.rms_norm(&tile);
    tile.out = found;
    kernels_level.rms_norm(&tile);
    kernels_compare_floats(found, expected, rows * width, "norm", width, rows, 0);
}

/* Groups of a row, with weights and biases of a group or of the row. */
static void compare_group_norm(size_t width, size_t groups, int32_t kind, int shape, int values)
{
    enum { ROWS = 3 };
    size_t row = width * groups, numbers = ROWS * row;
    struct group_norm_tile tile = {.x = filled(numbers, values),
                                   .weight = shape & 1 ? filled(row, VALUES_PLAIN) : NULL,
                                   .bias = shape & 2 ? filled(row, VALUES_PLAIN) : NULL,
                                   .kind = kind,
                                   .epsilon = 1e-5f,
                                   .width = row,
                                   .group_width = width,
                                   .weight_width = shape & 4 ? row : width,
                                   .bias_width = shape & 4 ? width : row,
                                   .first_row = 1,
                                   .row_count = 2};
    float *expected = marked(numbers), *found = marked(numbers);
    tile.out = expected;
    kernels_scalar.group_norm(&tile);
    tile.out = found;
    kernels_level.group_norm(&tile);
    kernels_compare_floats(found, expected, numbers, "norm of groups", width, groups,
                           (size_t)(kind * 8 + shape));
}

static void compare_rope(size_t head_width, size_t dimensions, int32_t pairing, int values)
{
    enum { ROWS = 3, HEADS = 3 };
    size_t numbers = ROWS * HEADS * head_width;
    struct rope_tile tile = {.x = filled(numbers, values),
                             .rotation = filled(ROWS * dimensions, VALUES_PLAIN),
                             .heads = HEADS,
                             .head_width = head_width,
                             .dimensions = dimensions,
                             .pairing = pairing,
                             .first_row = 1,
                             .row_count = 2};
    float *expected = marked(numbers), *found = marked(numbers);
    tile.out = expected;
    kernels_scalar.rope(&tile);
    tile.out = found;
    kernels_level.rope(&tile);
    kernels_compare_floats(found, expected, numbers, "rope", head_width, dimensions,
                           (size_t)pairing);
    tile.x = tile.out = memcpy(found, tile.x, numbers * sizeof *found); /* in place */
    kernels_level.rope(&tile);
    size_t row = HEADS * head_width;
    kernels_compare_floats(found + row, expected + row, 2 * row, "rope in place", head_width,
                           dimensions, (size_t)pairing);
}

static void compare_elementwise(size_t first, size_t count, int values)
{
    size_t numbers = first + count;
    struct elementwise_tile tile = {
        .a = filled(numbers, values), .b = filled(numbers, values), .first = first, .count = count};
    if (values == VALUES_PLAIN) /* where the exponential has its edges */
        for (size_t i = 0; i < numbers; i++)
            ((float *)(uintptr_t)tile.a)[i] *= 100;
    float *expected = marked(numbers), *found = marked(numbers);
    tile.out = expected;
    kernels_scalar.gate_silu(&tile);
    tile.out = found;
    kernels_level.gate_silu(&tile);
    kernels_compare_floats(found, expected, numbers, "gate", first, count, (size_t)values);
    tile.out = expected;
    kernels_scalar.add(&tile);
    tile.out = found;
    kernels_level.add(&tile);
    kernels_compare_floats(found, expected, numbers, "sum", first, count, (size_t)values);
    struct scaled_tile scaled = {.x = tile.a, .factor = 0.3f, .out = expected, .count = count};
    memcpy(expected, tile.b, numbers * sizeof *expected);
    memcpy(found, tile.b, numbers * sizeof *found);
    kernels_scalar.add_scaled(&scaled);
    scaled.out = found;
    kernels_level.add_scaled(&scaled);
    kernels_compare_floats(found, expected, numbers, "scaled sum", first, count, (size_t)values);
}

/* Every function, alone and as a gate. */
static void compare_map(size_t first, size_t count, int values)
{
    static const float parameters[4] = {0.75f, 2, 0.5f, -1e-3f};
    size_t numbers = first + count;
    float *x = filled(numbers, values), *b = filled(numbers, values);
    float *expected = marked(numbers), *found = marked(numbers);
    struct map_tile tile = {.x = x, .parameters = parameters, .first = first, .count = count};
    for (size_t i = 0; values == VALUES_PLAIN && i < numbers; i++)
        x[i] *= i % 2 ? 30 : 1; /* where exponentials have their edges */
    for (int32_t function = 0; function <= LOAM_ACTIVATION_COUNT; function++)
        for (int gates = 0; gates < 2; gates++) {
            tile.function =
                function < LOAM_ACTIVATION_COUNT ? function : LOAM_ACTIVATION_CLAMPED_SWIGLU;
            tile.b = gates ? b : NULL;
            tile.out = expected;
            kernels_scalar.map(&tile);
            tile.out = found;
            kernels_level.map(&tile);
            kernels_compare_floats(found, expected, numbers, "function", (size_t)function, count,
                                   (size_t)values);
        }
}

static void check(void)
{
    static const size_t widths[] = {1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 63, 64, 65, 120, 172, 2048};
    static const size_t heads[] = {2, 4, 6, 8, 10, 16, 18, 32, 40, 64, 80, 128};
    for (int values = 0; values < VALUES_KINDS; values++) {
        for (size_t i = 0; i < LOAM_COUNT_OF(widths); i++) {
            for (size_t rows = 1; rows < 4; rows++)
                compare_norm(widths[i], rows, values);
            compare_elementwise(i % 5, widths[i], values);
            compare_map(i % 5, widths[i], values);
            kernels_forget();
            for (int shape = 0; shape < 8; shape++)
                for (int32_t kind = LOAM_NORM_RMS; kind <= LOAM_NORM_L2; kind++) {
                    compare_group_norm(widths[i], 1 + i % 3, kind, shape, values);
                    kernels_forget();
                }
        }
        for (size_t i = 0; i < LOAM_COUNT_OF(heads); i++)
            for (int32_t pairing = 0; pairing < 2; pairing++) {
                compare_rope(heads[i], heads[i], pairing, values);
                compare_rope(heads[i] + 3, heads[i], pairing, values);
                kernels_forget();
            }
        for (size_t width = 32; width <= 1024; width += 32) {
            compare_quantize(width, 32, 1 + width / 32 % 3, values);
            if (width % 256 == 0)
                compare_quantize(width, 256, 2, values);
            kernels_forget();
        }
    }
    compare_halves();
}

/* ---- timing ---------------------------------------------------------------------- */

static void run_quantize(void *context)
{
    kernels_level.quantize(context);
}

static void run_norm(void *context)
{
    kernels_level.rms_norm(context);
}

static void run_rope(void *context)
{
    kernels_level.rope(context);
}

static void run_gate(void *context)
{
    kernels_level.gate_silu(context);
}

static void run_map(void *context)
{
    kernels_level.map(context);
}

static void run_add(void *context)
{
    kernels_level.add(context);
}

static void bench(void)
{
    enum { WIDTH = 2048, ROWS = 4 };
    size_t numbers = WIDTH * ROWS;
    float *x = filled(numbers, VALUES_PLAIN), *weight = filled(numbers, VALUES_PLAIN);
    float *out = marked(numbers);
    struct quantize_tile like = {
        .x = x, .x_stride = WIDTH, .width = WIDTH, .group = 256, .row_count = ROWS};
    struct quantize_tile quantize = quantized(&like, ROWS);
    struct norm_tile norm = {
        .x = x, .weight = weight, .out = out, .width = WIDTH, .epsilon = 1e-5f, .row_count = ROWS};
    struct rope_tile rope = {.x = x,
                             .out = out,
                             .rotation = weight,
                             .heads = WIDTH / 64,
                             .head_width = 64,
                             .dimensions = 64,
                             .row_count = ROWS};
    struct elementwise_tile pairs = {.a = x, .b = weight, .out = out, .count = numbers};
    kernels_time("quantise in 256, 4 x 2048", run_quantize, &quantize, (double)numbers, "G/s");
    kernels_time("norm, 4 x 2048", run_norm, &norm, (double)numbers, "G/s");
    kernels_time("rope, 4 x 2048", run_rope, &rope, (double)numbers, "G/s");
    kernels_time("gate, 8192", run_gate, &pairs, (double)numbers, "G/s");
    struct map_tile gelu = {
        .x = x, .b = weight, .out = out, .function = LOAM_ACTIVATION_GELU, .count = numbers};
    kernels_time("GELU gate, 8192", run_map, &gelu, (double)numbers, "G/s");
    kernels_time("sum, 8192", run_add, &pairs, (double)numbers, "G/s");
}

const struct family family_rows = {"rows", check, bench};

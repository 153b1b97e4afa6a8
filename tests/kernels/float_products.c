/* SPDX-License-Identifier: MIT */
/* Products with row-major weights: F32, F16, BF16. */
#include "kernels.h"

#include <loam/graph.h>

enum { MARGIN = 3 };

struct product {
    uint32_t type;
    struct linear_tile tile;
    float *bias, *found, *expected;
    size_t count;
};

static void prepare(struct product *p, uint32_t type, size_t width, size_t rows, size_t outputs,
                    int values)
{
    size_t bytes = loam_weight_type(type)->block_bytes, stride = outputs + MARGIN;
    unsigned char *weights = kernels_memory(outputs * width * bytes);
    float *x = kernels_memory(rows * (width + 5) * sizeof *x);
    float *wide = kernels_memory(outputs * width * sizeof *wide);
    kernels_fill(wide, outputs * width, values == VALUES_HOSTILE ? values : VALUES_PLAIN);
    loam_weight_type(type)->quantize(weights, wide, NULL, outputs * width);
    kernels_fill(x, rows * (width + 5), values);
    p->type = type;
    p->count = rows * stride;
    p->bias = kernels_memory(outputs * sizeof(float));
    kernels_fill(p->bias, outputs, VALUES_PLAIN);
    p->found = kernels_memory(p->count * sizeof(float));
    p->expected = kernels_memory(p->count * sizeof(float));
    p->tile = (struct linear_tile){.weights = weights,
                                   .row_bytes = width * bytes,
                                   .width = width,
                                   .output_count = outputs,
                                   .rows = rows,
                                   .x = x,
                                   .x_stride = width + 5,
                                   .out_stride = stride};
}

static void compare(struct product *p, bool with_bias)
{
    p->tile.bias = with_bias ? p->bias : NULL;
    memset(p->found, 0x11, p->count * sizeof(float));
    memset(p->expected, 0x11, p->count * sizeof(float));
    p->tile.out = p->expected;
    kernels_scalar.linear[p->type](&p->tile);
    struct linear_tile tile = p->tile;
    tile.out = p->found;
    tile.output_count = p->tile.output_count / 3; /* in two tiles */
    if (tile.output_count)
        kernels_level.linear[p->type](&tile);
    tile.first_output = tile.output_count;
    tile.output_count = p->tile.output_count - tile.first_output;
    kernels_level.linear[p->type](&tile);
    kernels_compare_floats(p->found, p->expected, p->count, loam_weight_type(p->type)->name,
                           p->tile.width, p->tile.rows, p->tile.output_count);
}

static const uint32_t types[] = {LOAM_TYPE_F32, LOAM_TYPE_F16, LOAM_TYPE_BF16};

static void check(void)
{
    static const size_t widths[] = {1, 7, 8, 9, 15, 16, 17, 24, 31, 64, 172, 256, 273};
    static const size_t rows[] = {1, 2, 3, 4, 7, 33}, outputs[] = {1, 2, 3, 4, 5, 18};
    for (size_t t = 0; t < LOAM_COUNT_OF(types); t++)
        for (size_t i = 0; i < LOAM_COUNT_OF(widths); i++)
            for (size_t j = 0; j < 36; j++) {
                struct product p;
                size_t combination = i * 36 + j;
                prepare(&p, types[t], widths[i], rows[j % 6], outputs[j / 6],
                        (int)(combination % VALUES_KINDS));
                compare(&p, combination % 2 == 0);
                kernels_forget();
            }
}

static void run(void *context)
{
    struct product *p = context;
    kernels_level.linear[p->type](&p->tile);
}

static void bench(void)
{
    static const size_t rows[] = {1, 3, 48};
    for (size_t t = 0; t < LOAM_COUNT_OF(types); t++)
        for (size_t i = 0; i < LOAM_COUNT_OF(rows); i++) {
            struct product p;
            char name[64];
            prepare(&p, types[t], 2048, rows[i], 32, VALUES_PLAIN);
            p.tile.out = p.found;
            snprintf(name, sizeof name, "%s, 32 outputs x 2048, %zu rows",
                     loam_weight_type(types[t])->name, rows[i]);
            kernels_time(name, run, &p, 32.0 * 2048 * (double)rows[i], "GMAC/s");
            kernels_forget();
        }
}

const struct family family_float_products = {"float-products", check, bench};

/* SPDX-License-Identifier: MIT */
/* Products with packed weights, every type that the scalar table has. */
#include "kernels.h"

#include "pack.h"

struct product {
    const struct weight_type *type;
    size_t width, rows, outputs;
    float *bias, *found, *expected;
    struct linear_tile tile;
};

enum { MARGIN = 3 }; /* columns beside the outputs that must stay as they are */

static void prepare(struct product *p, uint32_t type_id, size_t width, size_t rows, size_t outputs,
                    int values, bool hostile)
{
    const struct weight_type *type = loam_weight_type(type_id);
    size_t blocks = outputs * (width / type->block_elements), stride = outputs + MARGIN;
    unsigned char *file = kernels_memory(blocks * type->block_bytes);
    void *packed = kernels_memory((size_t)loam_packed_bytes(type, width, outputs));
    float *x = kernels_memory(rows * width * sizeof *x);
    struct quantize_tile activations = {
        .x = x,
        .q = kernels_memory(rows * width),
        .scales = kernels_memory(rows * (width / type->activation_group) * sizeof(float)),
        .sums32 = kernels_memory(rows * (width / 32) * 2),
        .sums16 = kernels_memory(rows * (width / 16) * 2),
        .x_stride = width,
        .width = width,
        .group = type->activation_group,
        .row_count = rows};
    kernels_fill_blocks(type, file, blocks, hostile);
    test_pack(type, packed, file, width, outputs);
    kernels_fill(x, rows * width, values);
    kernels_scalar.quantize(&activations);
    p->type = type;
    p->width = width;
    p->rows = rows;
    p->outputs = outputs;
    p->bias = kernels_memory(outputs * sizeof(float));
    kernels_fill(p->bias, outputs, VALUES_PLAIN);
    p->found = kernels_memory(rows * stride * sizeof(float));
    p->expected = kernels_memory(rows * stride * sizeof(float));
    p->tile = (struct linear_tile){.weights = packed,
                                   .type = type,
                                   .panel_bytes = (size_t)loam_packed_panel_bytes(type, width),
                                   .width = width,
                                   .output_count = outputs,
                                   .rows = rows,
                                   .q = activations.q,
                                   .scales = activations.scales,
                                   .sums32 = activations.sums32,
                                   .sums16 = activations.sums16,
                                   .out_stride = stride};
}

static void compare(struct product *p, bool with_bias)
{
    size_t count = p->rows * (p->outputs + MARGIN);
    p->tile.bias = with_bias ? p->bias : NULL;
    memset(p->found, 0x11, count * sizeof(float));
    memset(p->expected, 0x11, count * sizeof(float));
    p->tile.out = p->expected;
    kernels_scalar.linear[p->type->id](&p->tile);
    p->tile.out = p->found;
    size_t cut = p->outputs > 16 ? 16 : 0; /* two tiles where there are two panels */
    struct linear_tile tile = p->tile;
    if (cut) {
        tile.output_count = cut;
        kernels_level.linear[p->type->id](&tile);
    }
    tile.first_output = cut;
    tile.output_count = p->outputs - cut;
    kernels_level.linear[p->type->id](&tile);
    kernels_compare_floats(p->found, p->expected, count, p->type->name, p->width, p->rows,
                           p->outputs);
}

/* Rows around multiples of 16, which tiles take at once. */
static void check_many_rows(uint32_t type)
{
    static const size_t rows[] = {9, 15, 16, 17, 31, 32, 33, 48, 65}, outputs[] = {16, 7, 37};
    static const size_t numbers[] = {256, 288, 768, 384, 512};
    size_t elements = loam_weight_type(type)->block_elements;
    for (size_t i = 0; i < 2 * LOAM_COUNT_OF(rows); i++) {
        struct product p;
        size_t blocks = (numbers[i % LOAM_COUNT_OF(numbers)] + elements - 1) / elements;
        prepare(&p, type, elements * blocks, rows[i % LOAM_COUNT_OF(rows)],
                outputs[i % LOAM_COUNT_OF(outputs)],
                i % 4 == 0 ? VALUES_ONES : (int)(i % VALUES_KINDS), i % 5 == 4);
        compare(&p, i % 2 == 0);
        kernels_forget();
    }
}

void kernels_check_many_rows(void)
{
    for (uint32_t type = 0; type < WEIGHT_TYPES; type++)
        if (kernels_scalar.linear[type] && loam_weight_type(type)->packing)
            check_many_rows(type);
}

static void check(void)
{
    static const size_t blocks_small[] = {1, 2, 3, 5, 8, 9, 64}, blocks_large[] = {1, 2, 3, 8};
    static const size_t rows[] = {1, 2, 3, 4, 5, 7, 8, 33}, outputs[] = {1, 7, 16, 17, 31, 70};
    for (uint32_t type = 0; type < WEIGHT_TYPES; type++) {
        if (!kernels_scalar.linear[type] || !loam_weight_type(type)->packing)
            continue;
        size_t elements = loam_weight_type(type)->block_elements;
        bool wide = elements == 256;
        for (size_t i = 0; i < (wide ? 4u : 7u); i++)
            for (size_t j = 0; j < LOAM_COUNT_OF(rows) * LOAM_COUNT_OF(outputs); j++) {
                struct product p;
                size_t combination = i * 48 + j;
                prepare(&p, type, elements * (wide ? blocks_large[i] : blocks_small[i]),
                        rows[j % LOAM_COUNT_OF(rows)], outputs[j / LOAM_COUNT_OF(rows)],
                        (int)(combination % VALUES_KINDS), combination % 5 == 4);
                compare(&p, combination % 2 == 0);
                kernels_forget();
            }
    }
    kernels_check_many_rows();
}

static void run(void *context)
{
    struct product *p = context;
    kernels_level.linear[p->type->id](&p->tile);
}

static void bench(void)
{
    static const size_t rows[] = {1, 2, 4, 8, 64};
    for (uint32_t type = 0; type < WEIGHT_TYPES; type++)
        for (size_t i = 0; kernels_scalar.linear[type] && i < LOAM_COUNT_OF(rows); i++) {
            struct product p;
            char name[64];
            if (!loam_weight_type(type)->packing)
                continue;
            prepare(&p, type, 2048, rows[i], 64, VALUES_PLAIN, false);
            p.tile.out = p.found;
            snprintf(name, sizeof name, "%s, 64 outputs x 2048, %zu rows", p.type->name, rows[i]);
            kernels_time(name, run, &p, 64.0 * 2048 * (double)rows[i], "GMAC/s");
            kernels_forget();
        }
}

const struct family family_products = {"products", check, bench};

/* SPDX-License-Identifier: MIT */
/* Keys and values into pages. */
#include "pages.h"

static void compare(int32_t type, size_t key_width, size_t value_width, size_t position,
                    size_t rows, int values)
{
    enum { HEADS = 2 };
    struct pages expected, found;
    float *k = kernels_memory((rows + 1) * HEADS * key_width * sizeof *k);
    float *v = kernels_memory((rows + 1) * HEADS * value_width * sizeof *v);
    kernels_fill(k, (rows + 1) * HEADS * key_width, values);
    kernels_fill(v, (rows + 1) * HEADS * value_width, values);
    pages_make(&expected, type, HEADS, (uint32_t)key_width, (uint32_t)value_width, 0x11);
    pages_make(&found, type, HEADS, (uint32_t)key_width, (uint32_t)value_width, 0x11);
    struct store_tile tile = {.layout = &expected.layout,
                              .k = k,
                              .v = v,
                              .first_row = 1,
                              .row_count = rows,
                              .position = position,
                              .pages = expected.pages};
    bool good = kernels_scalar.store(&tile);
    tile.pages = found.pages;
    CHECK(kernels_level.store(&tile) == good);
    for (size_t i = 0; good && i < PAGES; i++)
        kernels_compare(found.pages[i], expected.pages[i], found.page_bytes, "page", key_width,
                        value_width, position);
}

static void check(void)
{
    static const size_t widths[] = {1, 7, 8, 9, 32, 33, 40, 64, 80, 128, 256};
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++)
        for (int values = 0; values < VALUES_KINDS; values++)
            for (size_t i = 0; i < LOAM_COUNT_OF(widths); i++) {
                compare(type, widths[i], widths[(i + 3) % LOAM_COUNT_OF(widths)], 60, 9, values);
                compare(type, widths[i], widths[i], i, 1, values);
                kernels_forget();
            }
}

static void run(void *context)
{
    kernels_level.store(context);
}

static void bench(void)
{
    static const char *const names[] = {"", "f32", "f16", "q8_0"};
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++) {
        struct pages pages;
        char name[64];
        float *x = kernels_memory(8 * 4 * 64 * sizeof *x);
        kernels_fill(x, 8 * 4 * 64, VALUES_PLAIN);
        pages_make(&pages, type, 4, 64, 64, 0);
        struct store_tile tile = {
            .layout = &pages.layout, .k = x, .v = x, .row_count = 8, .pages = pages.pages};
        snprintf(name, sizeof name, "store %s, 8 rows of 4 x 64",
                 (size_t)type < LOAM_COUNT_OF(names) ? names[type] : "");
        kernels_time(name, run, &tile, 8 * 4 * 64 * 2, "G/s");
        kernels_forget();
    }
}

const struct family family_storage = {"storage", check, bench};

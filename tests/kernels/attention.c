/* SPDX-License-Identifier: MIT */
/* Attention over pages that the scalar kernel stored. */
#include "pages.h"

#include <math.h>

struct shape {
    size_t key_width, value_width, fold;
};

enum { HEADS = 2, MARGIN = 3 };

struct attention {
    struct pages pages;
    struct attention_tile tile;
    float *found, *expected;
    size_t count;
};

/* Positions 0 to position + rows - 1 are stored, the rows are the last. */
static void prepare(struct attention *a, int32_t type, const struct shape *shape, size_t position,
                    size_t rows, size_t window, int values)
{
    size_t stored = position + rows, heads = HEADS * shape->fold;
    float *k = kernels_memory(stored * HEADS * shape->key_width * sizeof *k);
    float *v = kernels_memory(stored * HEADS * shape->value_width * sizeof *v);
    float *q = kernels_memory((rows + 1) * (heads * shape->key_width + MARGIN) * sizeof *q);
    kernels_fill(k, stored * HEADS * shape->key_width, values);
    kernels_fill(v, stored * HEADS * shape->value_width, values);
    kernels_fill(q, (rows + 1) * (heads * shape->key_width + MARGIN), VALUES_PLAIN);
    pages_make_deep(&a->pages, type, HEADS, (uint32_t)shape->key_width,
                    (uint32_t)shape->value_width, 0xFF, (stored + PAGE - 1) / PAGE);
    struct store_tile store = {
        .layout = &a->pages.layout, .k = k, .v = v, .row_count = stored, .pages = a->pages.pages};
    kernels_scalar.store(&store);
    a->count = (rows + 1) * (heads * shape->value_width + MARGIN);
    a->found = memset(kernels_memory(a->count * sizeof(float)), 0x11, a->count * sizeof(float));
    a->expected = memset(kernels_memory(a->count * sizeof(float)), 0x11, a->count * sizeof(float));
    a->tile = (struct attention_tile){.layout = &a->pages.layout,
                                      .head_count = shape->fold,
                                      .q = q,
                                      .q_stride = heads * shape->key_width + MARGIN,
                                      .out_stride = heads * shape->value_width + MARGIN,
                                      .first_row = 1,
                                      .row_count = rows,
                                      .position = position,
                                      .window = window,
                                      .scale = 1 / sqrtf((float)shape->key_width),
                                      .pages = a->pages.pages};
}

/* Pages of the tile, or of a part of its heads, in rounds, each in ranges by chance, then
 * merged. */
static void attend_by_pages(const struct cpu_kernels *kernels, struct attention_tile tile)
{
    size_t queries = tile.row_count * tile.head_count, width = tile.layout->value_width;
    size_t first, end, last_first, count = 1 + kernels_random() % 9;
    loam_attention_visible(&tile, tile.position, &first, &end);
    loam_attention_visible(&tile, tile.position + tile.row_count - 1, &last_first, &end);
    struct attention_parts parts = {.first = first / PAGE,
                                    .count = count,
                                    .o = kernels_memory(queries * count * width * sizeof(float)),
                                    .sums = kernels_memory(queries * count * 2 * sizeof(float)),
                                    .merged = kernels_memory(queries * 2 * sizeof(float))};
    tile.parts = &parts;
    for (; parts.first * PAGE < end; parts.first += count) {
        for (tile.end_page = parts.first; tile.end_page < parts.first + count;) {
            size_t left = parts.first + count - tile.end_page;
            tile.first_page = tile.end_page;
            tile.end_page += 1 + kernels_random() % left;
            kernels->attention(&tile);
        }
        kernels->attention_merge(&tile);
    }
}

static void attend_by_parts(const struct cpu_kernels *kernels, const struct attention_tile *whole)
{
    struct attention_tile tile = *whole;
    for (size_t i = 0; i < whole->head_count; i += tile.head_count) {
        tile.first_head = whole->first_head + i;
        tile.head_count = 1 + kernels_random() % (whole->head_count - i);
        attend_by_pages(kernels, tile);
    }
}

static void compare(struct attention *a)
{
    for (a->tile.kv_head = 0; a->tile.kv_head < HEADS; a->tile.kv_head++) {
        a->tile.first_head = a->tile.kv_head * a->tile.head_count;
        a->tile.out = a->expected;
        kernels_scalar.attention(&a->tile);
        a->tile.out = a->found;
        kernels_level.attention(&a->tile);
    }
    kernels_compare_floats(a->found, a->expected, a->count, "attention", a->tile.position,
                           a->tile.row_count, a->pages.layout.key_width);
    for (int by = 0; by < 2; by++) {
        memset(a->found, 0x11, a->count * sizeof(float));
        for (a->tile.kv_head = 0; a->tile.kv_head < HEADS; a->tile.kv_head++) {
            a->tile.first_head = a->tile.kv_head * a->tile.head_count;
            attend_by_parts(by ? &kernels_level : &kernels_scalar, &a->tile);
        }
        kernels_compare_floats(a->found, a->expected, a->count,
                               by ? "attention by parts" : "scalar attention by parts",
                               a->tile.position, a->tile.row_count, a->pages.layout.key_width);
    }
}

static void check(void)
{
    static const struct shape shapes[] = {{32, 32, 1},   {40, 36, 2},   {64, 64, 3}, {64, 64, 4},
                                          {80, 80, 5},   {128, 128, 6}, {7, 9, 7},   {64, 128, 8},
                                          {256, 256, 2}, {33, 17, 4},   {1, 1, 1},   {192, 128, 1},
                                          {576, 512, 1}, {64, 545, 2},  {641, 8, 2}, {640, 8, 9}};
    static const size_t positions[] = {0, 1, 14, 15, 16, 62, 63, 64, 100, 127, 128, 190};
    static const size_t windows[] = {0, 1, 5, 64, 70};
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++)
        for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
            for (size_t j = 0; j < LOAM_COUNT_OF(positions); j++) {
                struct attention a;
                size_t combination = i * 12 + j;
                int values = combination % 7 == 6 ? VALUES_HOSTILE : (int)(combination % 5);
                prepare(&a, type, &shapes[i], positions[j], 1 + combination % 9,
                        windows[(i + j) % 5], values == VALUES_WIDE ? VALUES_PLAIN : values);
                compare(&a);
                kernels_forget();
            }
}

/* Many pages that several sets of queries see as a whole, and windows that end
 * in the midst of them. */
static void check_deep(void)
{
    static const struct shape shapes[] = {{64, 64, 8},  {128, 128, 4}, {80, 96, 3},
                                          {145, 48, 5}, {33, 16, 3},   {256, 80, 5}};
    static const size_t rows[] = {8, 8, 8, 7, 9, 5};
    static const size_t windows[] = {0, 300, 384};
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++)
        for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
            for (size_t j = 0; j < LOAM_COUNT_OF(windows); j++) {
                struct attention a;
                prepare(&a, type, &shapes[i], 505 + 7 * j, rows[i], windows[j], VALUES_PLAIN);
                compare(&a);
                kernels_forget();
            }
}

/* What some models add, in all combinations that there are. */
static void check_extras(void)
{
    enum { CAP = 1, SLOPES = 2, SINKS = 4, TEMPERATURE = 8, CHUNKS = 16, BOTH_WAYS = 32, ALL = 64 };
    static const struct shape shapes[] = {{64, 64, 8}, {96, 80, 3}, {33, 17, 1}, {128, 128, 2}};
    static const float slopes[] = {0.5f, 0, 0.25f, 0.03125f, 0.7f, 1, 0.1f, 0.2f,
                                   0.3f, 0, 0.5f,  0.0625f,  0.9f, 2, 0,    0.4f};
    static const float sinks[] = {1, -2, 0.5f, 0, 3, -1, 30, -40, 0.1f, 0.2f, -0.3f, 4, 5, 6, 7, 8};
    static const size_t windows[] = {0, 70, 0, 301, 64};
    for (size_t i = 0; i < ALL * (LOAM_KV_Q8_0 - LOAM_KV_F32 + 1); i++) {
        struct attention a;
        unsigned extras = (unsigned)(i % ALL);
        size_t rows = 1 + i % 9;
        if (extras & CHUNKS && extras & BOTH_WAYS) /* no model has both */
            continue;
        prepare(&a, (int32_t)(LOAM_KV_F32 + i / ALL), &shapes[i % 4], i % 5 ? 40 + i : 1 + i % 20,
                rows, windows[i % 5], i % 7 ? VALUES_PLAIN : VALUES_SPIKES);
        a.tile.soft_cap = extras & CAP ? i % 3 ? 2.5f : 30 : 0;
        a.tile.slopes = extras & SLOPES ? slopes : NULL;
        a.tile.sinks = extras & SINKS ? sinks : NULL;
        a.tile.temperature = extras & TEMPERATURE ? 0.3f : 0;
        a.tile.temperature_offset = 1;
        a.tile.temperature_length = 20;
        a.tile.chunk = extras & CHUNKS ? 50 : 0;
        a.tile.end = extras & BOTH_WAYS ? a.tile.position + rows : 0;
        compare(&a);
        kernels_forget();
    }
}

static void check_all(void)
{
    check();
    check_deep();
    check_extras();
}

static void run(void *context)
{
    struct attention *a = context;
    kernels_level.attention(&a->tile);
}

static void bench_one(int32_t type, const struct shape *shape, size_t before, size_t rows,
                      const char *extra)
{
    static const char *const names[] = {"", "f32", "f16", "q8_0"};
    static const float sinks[MAX_HEAD_WIDTH] = {1};
    struct attention a;
    char name[64];
    double seen = (double)before + ((double)rows + 1) / 2;
    prepare(&a, type, shape, before, rows, 0, VALUES_PLAIN);
    a.tile.out = a.found;
    a.tile.soft_cap = strcmp(extra, "cap") == 0 ? 50 : 0;
    a.tile.sinks = strcmp(extra, "sinks") == 0 ? sinks : NULL;
    if (strcmp(extra, "both ways") == 0) {
        a.tile.end = before + rows;
        seen = (double)a.tile.end;
    }
    snprintf(name, sizeof name, "attention %s, %zu rows, %.0f back, %zu x %zu%s%s",
             (size_t)type < LOAM_COUNT_OF(names) ? names[type] : "", rows, seen, shape->fold,
             shape->key_width, *extra ? ", " : "", extra);
    kernels_time(name, run, &a, (double)rows * seen * (double)(shape->fold * shape->key_width * 2),
                 "GMAC/s");
    kernels_forget();
}

static void bench(void)
{
    static const struct shape shapes[] = {{64, 64, 8}, {128, 128, 4}, {64, 64, 1}};
    static const char *const extras[] = {"cap", "sinks", "both ways"};
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++) {
        for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
            bench_one(type, &shapes[i], 247, 8, "");
        bench_one(type, &shapes[0], 8192, 8, "");
        bench_one(type, &shapes[0], 8192, 1, "");
    }
    for (size_t i = 0; i < LOAM_COUNT_OF(extras); i++)
        bench_one(LOAM_KV_F16, &shapes[0], 504, 8, extras[i]);
}

const struct family family_attention = {"attention", check_all, bench};

/* SPDX-License-Identifier: MIT */
/*
 * The scalar kernels: against plain computations in double, and the
 * properties that the contract needs exactly: a row's bits do not depend on
 * how work is cut into tiles.
 */
#include "pack.h"
#include "test.h"

#include "base/half.h"
#include "cpu/kernels.h"

#include <loam/graph.h>
#include <math.h>

static struct cpu_kernels kernels;
static uint64_t state = 1;

static float unit(void)
{
    return (float)((double)test_random(&state) / 2147483648.0 - 1);
}

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = unit();
}

/* ---- linear --------------------------------------------------------------- */

enum { ROWS = 5, OUTPUTS = 7, MOST = 320 };

struct product {
    float x[ROWS * MOST], exact[OUTPUTS * MOST], bias[OUTPUTS];
    unsigned char blocks[OUTPUTS * MOST * 4];
    _Alignas(64) unsigned char weights[16 * MOST * 4];
    int8_t q[ROWS * MOST];
    float scales[ROWS * MOST / 32];
    int16_t sums32[ROWS * MOST / 32], sums16[ROWS * MOST / 16];
    struct linear_tile tile;
};

static void prepare(struct product *p, uint32_t type_id, size_t width)
{
    const struct weight_type *type = loam_weight_type(type_id);
    fill(p->x, ROWS * width);
    fill(p->exact, OUTPUTS * width);
    fill(p->bias, OUTPUTS);
    type->quantize(p->blocks, p->exact, NULL, OUTPUTS * width);
    if (type_id == LOAM_TYPE_Q8_0) /* int8 -128 is legal in weights */
        memset(p->blocks + 2, 0x80, 32);
    type->dequantize(p->exact, p->blocks, OUTPUTS * width);
    test_pack(type, p->weights, p->blocks, width, OUTPUTS);
    p->tile = (struct linear_tile){.weights = p->weights,
                                   .type = type,
                                   .row_bytes = width / type->block_elements * type->block_bytes,
                                   .panel_bytes =
                                       type->packing ? loam_packed_panel_bytes(type, width) : 0,
                                   .width = width,
                                   .output_count = OUTPUTS,
                                   .rows = ROWS,
                                   .x = p->x,
                                   .x_stride = width,
                                   .bias = p->bias,
                                   .out_stride = OUTPUTS};
    if (type->activation_group) {
        struct quantize_tile tile = {.x = p->x,
                                     .q = p->q,
                                     .scales = p->scales,
                                     .sums32 = p->sums32,
                                     .sums16 = p->sums16,
                                     .x_stride = width,
                                     .width = width,
                                     .group = 32,
                                     .row_count = ROWS};
        kernels.quantize(&tile);
        p->tile.q = p->q;
        p->tile.scales = p->scales;
        p->tile.sums32 = p->sums32;
        p->tile.sums16 = p->sums16;
        for (size_t i = 0; i < ROWS * width; i++) /* what the product sees of x */
            p->x[i] = (float)p->q[i] * p->scales[i / 32];
    }
}

static void check_linear(uint32_t type, size_t width)
{
    static struct product p;
    float whole[ROWS * OUTPUTS], parts[ROWS * OUTPUTS];
    prepare(&p, type, width);
    p.tile.out = whole;
    kernels.linear[type](&p.tile);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t o = 0; o < OUTPUTS; o++) {
            double sum = (double)p.bias[o], magnitude = fabs(sum);
            for (size_t i = 0; i < width; i++) {
                double term = (double)p.exact[o * width + i] * (double)p.x[row * width + i];
                sum += term;
                magnitude += fabs(term);
            }
            CHECK(fabs(sum - (double)whole[row * OUTPUTS + o]) <= magnitude * 0x1p-20);
        }
    for (size_t row = 0; row < ROWS; row++) /* row by row, in outputs of 2 */
        for (size_t o = 0; o < OUTPUTS; o += 2) {
            struct linear_tile tile = p.tile;
            tile.rows = 1;
            tile.first_output = o;
            tile.output_count = o + 2 > OUTPUTS ? OUTPUTS - o : 2;
            tile.x = p.x + row * width;
            tile.q = p.q + row * width;
            tile.scales = p.scales + row * (width / 32);
            tile.out = parts + row * OUTPUTS;
            kernels.linear[type](&tile);
        }
    CHECK(memcmp(whole, parts, sizeof whole) == 0);
}

static void linear_products(void)
{
    static const size_t widths[] = {1, 15, 16, 17, 172, 256, 257, 320};
    static const uint32_t floats[] = {LOAM_TYPE_F32, LOAM_TYPE_F16, LOAM_TYPE_BF16};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i < LOAM_COUNT_OF(widths); i++)
            check_linear(floats[t], widths[i]);
    for (size_t width = 32; width <= MOST; width += 96) {
        check_linear(LOAM_TYPE_Q8_0, width);
        check_linear(LOAM_TYPE_Q4_0, width);
    }
}

/* The order of the sum is part of the definition: these numbers give another
 * result in any other order. */
static void lanes_add_in_their_order(void)
{
    float w[32], x[32], out;
    for (int i = 0; i < 32; i++) {
        w[i] = 1;
        x[i] = i == 0 ? 0x1p24f : i == 8 ? 1 : i == 4 ? -0x1p24f : 0;
    }
    struct linear_tile tile = {.weights = w,
                               .row_bytes = sizeof w,
                               .width = 32,
                               .output_count = 1,
                               .rows = 1,
                               .x = x,
                               .x_stride = 32,
                               .out = &out,
                               .out_stride = 1};
    kernels.linear[LOAM_TYPE_F32](&tile);
    CHECK(out == 0); /* lane 0: 2^24 + 1 rounds to 2^24; then lane 4 */
    x[8] = 0;
    x[1] = 1;
    kernels.linear[LOAM_TYPE_F32](&tile);
    CHECK(out == 1); /* lane 4 meets lane 0 before lane 1 does */
}

/* ---- row by row ----------------------------------------------------------- */

static void embedding_rows_are_exact(void)
{
    static float table[6 * 64], expected[6 * 64], out[3 * 64];
    static unsigned char blocks[6 * 64 * 4];
    static _Alignas(64) unsigned char packed[16 * 64 * 4];
    static const uint32_t types[] = {LOAM_TYPE_F32, LOAM_TYPE_F16, LOAM_TYPE_BF16, LOAM_TYPE_Q8_0,
                                     LOAM_TYPE_Q4_0};
    static const int32_t tokens[3] = {5, 0, 2};
    fill(table, 6 * 64);
    for (size_t t = 0; t < LOAM_COUNT_OF(types); t++) {
        const struct weight_type *type = loam_weight_type(types[t]);
        type->quantize(blocks, table, NULL, 6 * 64);
        type->dequantize(expected, blocks, 6 * 64);
        test_pack(type, packed, blocks, 64, 6);
        struct embed_tile tile = {.type = type,
                                  .weights = packed,
                                  .row_bytes = 64 / type->block_elements * type->block_bytes,
                                  .panel_bytes =
                                      type->packing ? loam_packed_panel_bytes(type, 64) : 0,
                                  .width = 64,
                                  .tokens = tokens,
                                  .out = out,
                                  .row_count = 3};
        loam_cpu_embed(&tile);
        for (size_t i = 0; i < 3; i++)
            CHECK(memcmp(out + i * 64, expected + tokens[i] * 64, 64 * sizeof *out) == 0);
    }
}

static void norm_of_rows(void)
{
    float x[3 * 70], weight[70], out[3 * 70];
    fill(x, 3 * 70);
    fill(weight, 70);
    memset(x + 70, 0, 70 * sizeof *x); /* a zero row */
    struct norm_tile tile = {
        .x = x, .weight = weight, .out = out, .width = 70, .epsilon = 1e-5f, .row_count = 3};
    kernels.rms_norm(&tile);
    for (size_t row = 0; row < 3; row++) {
        double sum = 0;
        for (size_t i = 0; i < 70; i++)
            sum += (double)x[row * 70 + i] * (double)x[row * 70 + i];
        for (size_t i = 0; i < 70; i++) {
            double expected = (double)x[row * 70 + i] / sqrt(sum / 70 + 1e-5) * (double)weight[i];
            CHECK(fabs(expected - (double)out[row * 70 + i]) <= 1e-6);
        }
    }
}

static void rotation_of_heads(void)
{
    float x[2 * 2 * 10], out[2 * 2 * 10], rotation[2 * 8];
    fill(x, 40);
    for (size_t i = 0; i < 16; i++) {
        double angle = (double)(i / 8) * 3 + (double)(i % 4);
        rotation[i] = (float)(i % 8 < 4 ? cos(angle) : sin(angle));
    }
    for (int32_t pairing = LOAM_ROPE_ADJACENT; pairing <= LOAM_ROPE_HALVES; pairing++) {
        struct rope_tile tile = {.x = x,
                                 .out = out,
                                 .rotation = rotation,
                                 .heads = 2,
                                 .head_width = 10,
                                 .dimensions = 8,
                                 .pairing = pairing,
                                 .row_count = 2};
        kernels.rope(&tile);
        for (size_t head = 0; head < 4; head++) {
            const float *a = x + head * 10, *b = out + head * 10, *r = rotation + head / 2 * 8;
            for (size_t i = 0; i < 4; i++) {
                size_t j = pairing == LOAM_ROPE_ADJACENT ? 2 * i : i,
                       k = pairing == LOAM_ROPE_ADJACENT ? j + 1 : i + 4;
                CHECK(fabsf(b[j] - (a[j] * r[i] - a[k] * r[i + 4])) < 1e-6f);
                CHECK(fabsf(b[k] - (a[k] * r[i] + a[j] * r[i + 4])) < 1e-6f);
            }
            CHECK(b[8] == a[8] && b[9] == a[9]);
        }
    }
}

static void gates_and_sums(void)
{
    float a[40], b[40], out[40];
    fill(a, 40);
    fill(b, 40);
    a[0] = 100;
    a[1] = -100;
    struct elementwise_tile tile = {.a = a, .b = b, .out = out, .count = 40};
    kernels.gate_silu(&tile);
    for (size_t i = 0; i < 40; i++)
        CHECK(fabs((double)out[i] - (double)a[i] / (1 + exp(-(double)a[i])) * (double)b[i]) <=
              1e-5);
    kernels.add(&tile);
    for (size_t i = 0; i < 40; i++)
        CHECK(out[i] == a[i] + b[i]);
}

/* ---- attention ------------------------------------------------------------ */

enum { POSITIONS = 150, KV_HEADS = 2, GROUP = 3, KEY = 40, VALUE = 24 };

static float k[POSITIONS * KV_HEADS * KEY], v[POSITIONS * KV_HEADS * VALUE];
static float q[POSITIONS * KV_HEADS * GROUP * KEY], out[POSITIONS * KV_HEADS * GROUP * VALUE];
static float again[POSITIONS * KV_HEADS * GROUP * VALUE];
static _Alignas(64) unsigned char pages[3][KV_HEADS * 64 * (KEY + VALUE) * 4 + 4096];

static void attend(float *result, const struct kv_layout *layout, void *const *table, size_t window,
                   size_t first, size_t count)
{
    for (size_t head = 0; head < KV_HEADS; head++) {
        struct attention_tile tile = {.layout = layout,
                                      .kv_head = head,
                                      .first_head = head * GROUP,
                                      .head_count = GROUP,
                                      .q = q,
                                      .out = result,
                                      .q_stride = KV_HEADS * GROUP * KEY,
                                      .out_stride = KV_HEADS * GROUP * VALUE,
                                      .first_row = first,
                                      .row_count = count,
                                      .position = first,
                                      .window = window,
                                      .scale = 0.158f,
                                      .pages = table};
        kernels.attention(&tile);
    }
}

/* The head's result at a position, in double from the unrounded k and v. */
static double expected_at(size_t position, size_t head, size_t i, size_t window)
{
    double sum = 0, total = 0;
    for (size_t p = window && position >= window ? position - window + 1 : 0; p <= position; p++) {
        double score = 0;
        for (size_t j = 0; j < KEY; j++)
            score += (double)q[(position * KV_HEADS * GROUP + head) * KEY + j] *
                     (double)k[(p * KV_HEADS + head / GROUP) * KEY + j];
        double e = exp(score * 0.158);
        total += e;
        sum += e * (double)v[(p * KV_HEADS + head / GROUP) * VALUE + i];
    }
    return sum / total;
}

static void check_attention(int32_t type, size_t window, double tolerance)
{
    void *table[3] = {pages[0], pages[1], pages[2]};
    struct kv_layout layout = {
        .type = type, .kv_heads = KV_HEADS, .key_width = KEY, .value_width = VALUE};
    layout.key_bytes = loam_kv_key_bytes(type, KEY);
    layout.value_bytes = loam_kv_value_bytes(type, VALUE);
    layout.value_offset = layout.key_bytes * KV_HEADS;
    REQUIRE(layout.value_offset + layout.value_bytes * KV_HEADS <= sizeof pages[0]);
    memset(pages, 0xFF, sizeof pages); /* what was never written must not matter */
    struct store_tile store = {
        .layout = &layout, .k = k, .v = v, .row_count = POSITIONS, .pages = table};
    CHECK(kernels.store(&store));
    attend(out, &layout, table, window, 0, POSITIONS);
    double worst = 0;
    for (size_t position = 0; position < POSITIONS; position += 7)
        for (size_t head = 0; head < KV_HEADS * GROUP; head++)
            for (size_t i = 0; i < VALUE; i++)
                worst = fmax(worst,
                             fabs(expected_at(position, head, i, window) -
                                  (double)out[(position * KV_HEADS * GROUP + head) * VALUE + i]));
    CHECK(worst <= tolerance);
    /* Token by token, as decoding does: store one, attend with one. */
    memset(pages, 0x7F, sizeof pages);
    for (size_t p = 0; p < POSITIONS; p++) {
        struct store_tile one = store;
        one.first_row = one.position = p;
        one.row_count = 1;
        CHECK(kernels.store(&one));
        attend(again, &layout, table, window, p, 1);
    }
    CHECK(memcmp(out, again, sizeof out) == 0);
}

static void attention_over_pages(void)
{
    fill(k, LOAM_COUNT_OF(k));
    fill(v, LOAM_COUNT_OF(v));
    fill(q, LOAM_COUNT_OF(q));
    for (size_t window = 0; window <= 70; window += 35) {
        check_attention(LOAM_KV_F32, window, 1e-5);
        check_attention(LOAM_KV_F16, window, 2e-3);
        check_attention(LOAM_KV_Q8_0, window, 3e-2);
    }
}

static void what_does_not_fit_is_told(void)
{
    void *table[1] = {pages[0]};
    struct kv_layout layout = {
        .kv_heads = 1, .key_width = KEY, .value_width = VALUE, .value_offset = 64 * KEY * 4};
    struct store_tile store = {.layout = &layout, .k = k, .v = v, .row_count = 1, .pages = table};
    for (layout.type = LOAM_KV_F32; layout.type <= LOAM_KV_Q8_0; layout.type++) {
        layout.value_offset = loam_kv_key_bytes(layout.type, KEY);
        CHECK(kernels.store(&store));
        float old = v[5];
        v[5] = NAN;
        CHECK(!kernels.store(&store));
        v[5] = INFINITY;
        CHECK(!kernels.store(&store));
        v[5] = 65520;
        CHECK(kernels.store(&store) == (layout.type != LOAM_KV_F16));
        v[5] = 1e10f;
        CHECK(kernels.store(&store) == (layout.type == LOAM_KV_F32));
        v[5] = old;
    }
}

int main(void)
{
    loam_kernels_ref(&kernels);
    RUN(linear_products);
    RUN(lanes_add_in_their_order);
    RUN(embedding_rows_are_exact);
    RUN(norm_of_rows);
    RUN(rotation_of_heads);
    RUN(gates_and_sums);
    RUN(attention_over_pages);
    RUN(what_does_not_fit_is_told);
    return test_end();
}

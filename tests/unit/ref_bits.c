/* SPDX-License-Identifier: MIT */
/*
 * The scalar kernels to the bit: rules 1 and 3 to 7 of the numeric contract
 * (docs/numerics.md) written down a second time, one lane and one position at
 * a time, compared with memcmp. A bound in double can't see another order of
 * a sum or another place of a rounding; these comparisons do. Tiles are cut
 * in the middle, so that first rows, outputs and elements count as well.
 */
#include "pack.h"
#include "test.h"

#include "base/half.h"
#include "base/numeric.h"
#include "cpu/kernels.h"

#include <loam/graph.h>
#include <math.h>

static struct cpu_kernels kernels;
static uint64_t state = 7;

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)test_random(&state) / 2147483648.0 - 1);
}

static bool same(const float *a, const float *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

/* ---- rule 5: sums in lanes ------------------------------------------------ */

static float tree_of_8(const float *lane)
{
    float four[4];
    for (int l = 0; l < 4; l++)
        four[l] = lane[l] + lane[l + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

static float tree(const float *lane) /* of 16 */
{
    float eight[8];
    for (int l = 0; l < 8; l++)
        eight[l] = lane[l] + lane[l + 8];
    return tree_of_8(eight);
}

/* A product with float weights: 8 lanes. */
static float lanes_of(const float *a, const float *b, size_t n)
{
    float lane[8];
    for (size_t l = 0; l < 8; l++) {
        lane[l] = 0;
        for (size_t i = l; i < (n + 7) / 8 * 8; i += 8)
            lane[l] = i < n ? fmaf(a[i], b[i], lane[l]) : fmaf(0, 0, lane[l]);
    }
    return tree_of_8(lane);
}

/* The sum of squares of a norm: 64 lanes. */
static float squares_of(const float *x, size_t n)
{
    float lane[64], thirty_two[32], sixteen[16];
    for (size_t l = 0; l < 64; l++) {
        lane[l] = 0;
        for (size_t i = l; i < n; i += 64)
            lane[l] = fmaf(x[i], x[i], lane[l]);
    }
    for (int l = 0; l < 32; l++)
        thirty_two[l] = lane[l] + lane[l + 32];
    for (int l = 0; l < 16; l++)
        sixteen[l] = thirty_two[l] + thirty_two[l + 16];
    return tree(sixteen);
}

enum { ROWS = 3, OUTPUTS = 4, MOST = 288 };

/* Two calls, outputs [0, 1) and [1, 4), with rows wider apart than they are. */
static void run_linear(struct linear_tile tile, uint32_t type, float *out)
{
    tile.out = out;
    tile.out_stride = OUTPUTS;
    tile.rows = ROWS;
    tile.first_output = 0;
    tile.output_count = 1;
    kernels.linear[type](&tile);
    tile.first_output = 1;
    tile.output_count = OUTPUTS - 1;
    kernels.linear[type](&tile);
}

static void float_products(void)
{
    static const uint32_t types[] = {LOAM_TYPE_F32, LOAM_TYPE_F16, LOAM_TYPE_BF16};
    static const size_t widths[] = {1, 15, 16, 17, 172, 256, 273, MOST};
    static float x[ROWS * (MOST + 5)], w[OUTPUTS * MOST], bias[OUTPUTS];
    static unsigned char blocks[OUTPUTS * MOST * 4];
    for (size_t t = 0; t < 3 * LOAM_COUNT_OF(widths); t++) {
        size_t width = widths[t / 3], stride = width + 5;
        const struct weight_type *type = loam_weight_type(types[t % 3]);
        float found[ROWS * OUTPUTS], expected[ROWS * OUTPUTS];
        fill(x, ROWS * stride);
        fill(w, OUTPUTS * width);
        fill(bias, OUTPUTS);
        type->quantize(blocks, w, NULL, OUTPUTS * width);
        type->dequantize(w, blocks, OUTPUTS * width);
        struct linear_tile tile = {.weights = blocks,
                                   .row_bytes = width * type->block_bytes,
                                   .width = width,
                                   .x = x,
                                   .x_stride = stride};
        for (int with_bias = 0; with_bias < 2; with_bias++) {
            tile.bias = with_bias ? bias : NULL;
            for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
                float sum = lanes_of(w + i % OUTPUTS * width, x + i / OUTPUTS * stride, width);
                expected[i] = with_bias ? sum + bias[i % OUTPUTS] : sum;
            }
            run_linear(tile, types[t % 3], found);
            CHECK(same(found, expected, ROWS * OUTPUTS));
        }
    }
}

enum { NORM_MOST = 260 };

static void check_norm(size_t width)
{
    static float x[ROWS * NORM_MOST], weight[NORM_MOST];
    static float found[ROWS * NORM_MOST], expected[ROWS * NORM_MOST];
    fill(x, ROWS * width);
    fill(weight, width);
    for (size_t row = 0; row < ROWS; row++) {
        const float *at = x + row * width;
        float root = sqrtf(squares_of(at, width) / (float)width + 1e-5f), r = 1.0f / root;
        for (size_t i = 0; i < width; i++) {
            float scaled = at[i] * r;
            expected[row * width + i] = scaled * weight[i];
        }
    }
    struct norm_tile tile = {.x = x,
                             .weight = weight,
                             .out = found,
                             .width = width,
                             .epsilon = 1e-5f,
                             .first_row = 1,
                             .row_count = ROWS - 1};
    memset(found, 0x55, sizeof found); /* a tile touches its own rows alone */
    kernels.rms_norm(&tile);
    CHECK(loam_float_bits(found[0]) == 0x55555555u);
    CHECK(same(found + width, expected + width, (ROWS - 1) * width));
    tile.first_row = 0;
    tile.row_count = 1;
    kernels.rms_norm(&tile);
    CHECK(same(found, expected, ROWS * width));
}

/* Many: the square root hides the last bit of most sums. */
static void norms(void)
{
    for (size_t width = 1; width <= NORM_MOST; width++)
        check_norm(width);
}

/* ---- rules 3 and 4: quantised products ------------------------------------ */

static int weight_at(uint32_t type, const unsigned char *block, size_t i)
{
    if (type == LOAM_TYPE_Q8_0)
        return (int8_t)block[2 + i];
    return (i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4) - 8;
}

static float quantized_product(uint32_t type, const unsigned char *row, size_t block_bytes,
                               const int8_t *q, const float *scales, size_t width)
{
    float acc = 0;
    for (size_t b = 0; b < width / 32; b++) {
        const unsigned char *block = row + b * block_bytes;
        int sum = 0;
        for (size_t i = 0; i < 32; i++)
            sum += weight_at(type, block, i) * q[b * 32 + i];
        float d = loam_half_to_float((uint16_t)(block[0] | block[1] << 8)), scale = d * scales[b];
        acc = fmaf(scale, (float)sum, acc);
    }
    return acc;
}

static void quantized_products(void)
{
    static const uint32_t types[] = {LOAM_TYPE_Q8_0, LOAM_TYPE_Q4_0};
    static float x[ROWS * (MOST + 5)], w[OUTPUTS * MOST], bias[OUTPUTS];
    static unsigned char blocks[OUTPUTS * MOST * 2];
    static int8_t q[ROWS * MOST];
    static float scales[ROWS * MOST / 32];
    static int16_t sums32[ROWS * MOST / 32], sums16[ROWS * MOST / 16];
    static _Alignas(64) unsigned char packed[16 * MOST * 2];
    for (size_t t = 0; t < 2 * 9; t++) {
        size_t width = (t / 2 + 1) * 32, stride = width + 5;
        const struct weight_type *type = loam_weight_type(types[t % 2]);
        size_t row_bytes = width / 32 * type->block_bytes;
        float found[ROWS * OUTPUTS], expected[ROWS * OUTPUTS];
        fill(x, ROWS * stride);
        fill(w, OUTPUTS * width);
        fill(bias, OUTPUTS);
        type->quantize(blocks, w, NULL, OUTPUTS * width);
        memset(blocks + 2, 0x80, type->block_bytes - 2); /* int8 -128 is legal */
        struct quantize_tile rows = {.x = x,
                                     .q = q,
                                     .scales = scales,
                                     .sums32 = sums32,
                                     .sums16 = sums16,
                                     .x_stride = stride,
                                     .width = width,
                                     .group = 32,
                                     .row_count = 1};
        memset(q, 0x55, sizeof q);
        rows.first_row = 1;
        rows.row_count = ROWS - 1;
        kernels.quantize(&rows);
        CHECK(q[0] == 0x55 && q[width - 1] == 0x55); /* its own rows alone */
        rows.first_row = 0;
        rows.row_count = 1;
        kernels.quantize(&rows);
        for (size_t g = 0; g < ROWS * width / 32; g++) {
            int8_t group[32];
            const float *at = x + g / (width / 32) * stride + g % (width / 32) * 32;
            CHECK(loam_quantize_group(group, at, 32) == scales[g]);
            CHECK(memcmp(group, q + g * 32, 32) == 0);
            int first = 0, second = 0;
            for (size_t i = 0; i < 16; i++) {
                first += group[i];
                second += group[16 + i];
            }
            CHECK(sums16[2 * g] == first && sums16[2 * g + 1] == second);
            CHECK(sums32[g] == first + second);
        }
        test_pack(type, packed, blocks, width, OUTPUTS);
        struct linear_tile tile = {.weights = packed,
                                   .panel_bytes = (size_t)loam_packed_panel_bytes(type, width),
                                   .width = width,
                                   .q = q,
                                   .scales = scales,
                                   .sums32 = sums32,
                                   .sums16 = sums16};
        for (int with_bias = 0; with_bias < 2; with_bias++) {
            tile.bias = with_bias ? bias : NULL;
            for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
                float sum = quantized_product(types[t % 2], blocks + i % OUTPUTS * row_bytes,
                                              type->block_bytes, q + i / OUTPUTS * width,
                                              scales + i / OUTPUTS * (width / 32), width);
                expected[i] = with_bias ? sum + bias[i % OUTPUTS] : sum;
            }
            run_linear(tile, types[t % 2], found);
            CHECK(same(found, expected, ROWS * OUTPUTS));
        }
    }
}

/* ---- rule 6 and the elementwise operations -------------------------------- */

static void rotations(void)
{
    enum { HEADS = 2, HEAD = 10, TURNED = 8, ROW = HEADS * HEAD };
    float x[ROWS * ROW], found[ROWS * ROW], expected[ROWS * ROW], rotation[ROWS * TURNED];
    fill(x, ROWS * ROW);
    fill(rotation, ROWS * TURNED);
    for (int32_t pairing = LOAM_ROPE_ADJACENT; pairing <= LOAM_ROPE_HALVES; pairing++) {
        memcpy(expected, x, sizeof x);
        for (size_t i = 0; i < ROWS * HEADS * TURNED / 2; i++) {
            size_t pair = i % (TURNED / 2), head = i / (TURNED / 2), row = head / HEADS;
            bool adjacent = pairing == LOAM_ROPE_ADJACENT;
            size_t first = head * HEAD + (adjacent ? 2 * pair : pair);
            size_t second = first + (adjacent ? 1 : TURNED / 2);
            float c = rotation[row * TURNED + pair], s = rotation[row * TURNED + TURNED / 2 + pair];
            float x1s = x[second] * s, x0s = x[first] * s;
            expected[first] = fmaf(x[first], c, -x1s);
            expected[second] = fmaf(x[second], c, x0s);
        }
        struct rope_tile tile = {.x = x,
                                 .out = found,
                                 .rotation = rotation,
                                 .heads = HEADS,
                                 .head_width = HEAD,
                                 .dimensions = TURNED,
                                 .pairing = pairing,
                                 .first_row = 1,
                                 .row_count = ROWS - 1};
        memset(found, 0x55, sizeof found);
        kernels.rope(&tile);
        CHECK(!same(found, expected, 1) && same(found + ROW, expected + ROW, (ROWS - 1) * ROW));
        memcpy(found, x, sizeof x); /* in place */
        tile.x = found;
        tile.first_row = 0;
        tile.row_count = ROWS;
        kernels.rope(&tile);
        CHECK(same(found, expected, ROWS * ROW));
    }
}

static void gates_sums_and_rows(void)
{
    enum { COUNT = 300, FIRST = 100 };
    float a[COUNT], b[COUNT], found[COUNT];
    fill(a, COUNT);
    fill(b, COUNT);
    struct elementwise_tile tile = {
        .a = a, .b = b, .out = found, .first = FIRST, .count = COUNT - FIRST};
    memset(found, 0x55, sizeof found);
    float untouched = found[0];
    kernels.gate_silu(&tile);
    CHECK(found[0] == untouched && found[FIRST - 1] == untouched);
    for (size_t i = FIRST; i < COUNT; i++) {
        float below = 1.0f + loam_expf(-a[i]), silu = a[i] / below, expected = silu * b[i];
        CHECK(same(&found[i], &expected, 1));
    }
    memset(found, 0x55, sizeof found);
    kernels.add(&tile);
    CHECK(found[FIRST - 1] == untouched && found[FIRST] == a[FIRST] + b[FIRST]);
    static const int32_t tokens[] = {3, 1, 2};
    struct embed_tile rows = {.type = loam_weight_type(LOAM_TYPE_F32),
                              .weights = a,
                              .row_bytes = 40,
                              .width = 10,
                              .tokens = tokens,
                              .out = found,
                              .first_row = 1,
                              .row_count = 2};
    memset(found, 0x55, sizeof found);
    loam_cpu_embed(&rows);
    CHECK(found[0] == untouched && same(found + 10, a + 10, 20) && found[30] == untouched);
}

/* ---- rule 7: storage and attention ---------------------------------------- */

enum { POSITIONS = 200, KV_HEADS = 2, FOLD = 2, HEADS = KV_HEADS * FOLD, KEY = 40, VALUE = 36 };

static float k[POSITIONS * KV_HEADS * KEY], v[POSITIONS * KV_HEADS * VALUE];
static float query[POSITIONS * HEADS * KEY], found[POSITIONS * HEADS * VALUE];
static _Alignas(64) unsigned char pages[4][65536];

/* One head of one position as it is kept: numbers, or in q8_0 integers with
 * scales: number i is scale[i / 32] * integer[i]. */
struct kept {
    float number[KEY], scale[2];
    int8_t integer[KEY];
};

static struct kept keep(int32_t type, const float *x, size_t width)
{
    struct kept kept = {0};
    for (size_t g = 0; type == LOAM_KV_Q8_0 && g < width; g += 32) {
        size_t count = width - g < 32 ? width - g : 32;
        float scale = loam_quantize_group(kept.integer + g, x + g, count);
        kept.scale[g / 32] = loam_half_to_float(loam_half_from_float(scale));
        if (kept.scale[g / 32] == 0)
            memset(kept.integer + g, 0, count);
    }
    for (size_t i = 0; i < width; i++)
        kept.number[i] =
            type == LOAM_KV_F16 ? loam_half_to_float(loam_half_from_float(x[i])) : x[i];
    return kept;
}

static float score_of(int32_t type, const float *q, const struct kept *key)
{
    float acc = 0;
    if (type != LOAM_KV_Q8_0) {
        for (size_t i = 0; i < KEY; i++)
            acc = fmaf(q[i], key->number[i], acc);
        return acc;
    }
    for (size_t g = 0; g < KEY; g += 32) {
        int8_t group[32];
        size_t count = KEY - g < 32 ? KEY - g : 32;
        float d = loam_quantize_group(group, q + g, count), product = key->scale[g / 32] * d;
        int sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += group[i] * key->integer[g + i];
        acc = fmaf(product, (float)sum, acc);
    }
    return acc;
}

struct partial {
    float m, l, o[VALUE];
};

/* Positions [begin, end), all of one page. */
static struct partial chunk(int32_t type, const float *q, size_t kv_head, float scale, size_t begin,
                            size_t end)
{
    struct partial part = {.m = -INFINITY};
    float s[64], lane[16] = {0};
    for (size_t p = begin; p < end; p++) {
        struct kept key = keep(type, k + (p * KV_HEADS + kv_head) * KEY, KEY);
        s[p % 64] = score_of(type, q, &key) * scale;
        part.m = s[p % 64] > part.m ? s[p % 64] : part.m;
    }
    for (size_t p = begin; p < end; p++) {
        struct kept value = keep(type, v + (p * KV_HEADS + kv_head) * VALUE, VALUE);
        float e = loam_expf(s[p % 64] - part.m);
        lane[p % 16] = lane[p % 16] + e;
        for (size_t i = 0; i < VALUE; i++) {
            float weight = e * value.scale[i / 32];
            part.o[i] = type == LOAM_KV_Q8_0 ? fmaf(weight, value.integer[i], part.o[i])
                                             : fmaf(e, value.number[i], part.o[i]);
        }
    }
    part.l = tree(lane);
    return part;
}

static void expect_row(float *out, int32_t type, size_t position, size_t head, size_t window)
{
    const float *q = query + (position * HEADS + head) * KEY;
    size_t first = window > 0 && position + 1 > window ? position + 1 - window : 0;
    struct partial all = {0};
    for (size_t begin = first; begin <= position;) {
        size_t next = begin / 64 * 64 + 64, end = next < position + 1 ? next : position + 1;
        struct partial part = chunk(type, q, head / FOLD, 0.25f, begin, end);
        if (begin == first) {
            all = part;
        } else {
            float m = part.m > all.m ? part.m : all.m;
            float a = loam_expf(all.m - m), b = loam_expf(part.m - m), la = all.l * a;
            all.m = m;
            all.l = fmaf(part.l, b, la);
            for (size_t i = 0; i < VALUE; i++) {
                float oa = all.o[i] * a;
                all.o[i] = fmaf(part.o[i], b, oa);
            }
        }
        begin = end;
    }
    for (size_t i = 0; i < VALUE; i++)
        out[i] = all.o[i] / all.l;
}

static struct kv_layout layout_of(int32_t type)
{
    struct kv_layout layout = {
        .type = type, .kv_heads = KV_HEADS, .key_width = KEY, .value_width = VALUE};
    layout.key_offset = 64;
    layout.key_bytes = loam_kv_key_bytes(type, KEY);
    layout.value_offset = layout.key_offset + layout.key_bytes * KV_HEADS;
    layout.value_bytes = loam_kv_value_bytes(type, VALUE);
    return layout;
}

static float number_at(int32_t type, const unsigned char *base, size_t i)
{
    float number;
    uint16_t half;
    memcpy(&number, base + (type == LOAM_KV_F32 ? 4 * i : 0), 4);
    memcpy(&half, base + (type == LOAM_KV_F16 ? 2 * i : 0), 2);
    return type == LOAM_KV_F32 ? number : loam_half_to_float(half);
}

/* The layout that kernels.h documents, byte for byte. */
static void check_storage(const struct kv_layout *layout)
{
    bool q8_0 = layout->type == LOAM_KV_Q8_0;
    for (size_t at = 0; at < POSITIONS * KV_HEADS; at++) {
        size_t p = at / KV_HEADS % 64, head = at % KV_HEADS;
        const unsigned char *page = pages[at / KV_HEADS / 64];
        const unsigned char *keys = page + layout->key_offset + head * layout->key_bytes;
        const unsigned char *values = page + layout->value_offset + head * layout->value_bytes;
        struct kept key = keep(layout->type, k + at * KEY, KEY);
        struct kept value = keep(layout->type, v + at * VALUE, VALUE);
        for (size_t i = 0; i < KEY; i++)
            CHECK(q8_0 ? (int8_t)keys[i * 64 + p] == key.integer[i]
                       : number_at(layout->type, keys, i * 64 + p) == key.number[i]);
        for (size_t i = 0; i < VALUE; i++)
            CHECK(q8_0 ? (int8_t)values[p * VALUE + i] == value.integer[i]
                       : number_at(layout->type, values, p * VALUE + i) == value.number[i]);
        for (size_t g = 0; q8_0 && g < 2; g++) {
            CHECK(number_at(LOAM_KV_F16, keys + KEY * 64, g * 64 + p) == key.scale[g]);
            CHECK(number_at(LOAM_KV_F16, values + VALUE * 64, g * 64 + p) == value.scale[g]);
        }
    }
}

static void check_attention(int32_t type, size_t window)
{
    void *table[4] = {pages[2], pages[0], pages[3], pages[1]};
    struct kv_layout layout = layout_of(type);
    REQUIRE(layout.value_offset + layout.value_bytes * KV_HEADS <= sizeof pages[0]);
    struct attention_tile tile = {.layout = &layout,
                                  .head_count = FOLD,
                                  .q = query,
                                  .out = found,
                                  .q_stride = HEADS * KEY,
                                  .out_stride = HEADS * VALUE,
                                  .window = window,
                                  .scale = 0.25f,
                                  .pages = table};
    for (size_t part = 0; part < 2 * KV_HEADS; part++) {
        tile.kv_head = part / 2;
        tile.first_head = tile.kv_head * FOLD;
        tile.first_row = tile.position = part % 2 ? 77 : 0;
        tile.row_count = part % 2 ? POSITIONS - 77 : 77;
        kernels.attention(&tile);
    }
    size_t different = 0;
    for (size_t at = 0; at < POSITIONS * HEADS; at += 3) {
        float expected[VALUE];
        expect_row(expected, type, at / HEADS, at % HEADS, window);
        different += !same(found + at * VALUE, expected, VALUE);
    }
    CHECK_EQUAL(different, 0);
}

static void storage_and_attention(void)
{
    static const size_t windows[] = {0, 1, 50, 64, 65};
    fill(k, LOAM_COUNT_OF(k));
    fill(v, LOAM_COUNT_OF(v));
    fill(query, LOAM_COUNT_OF(query));
    for (size_t i = 0; i < 32; i++) /* a scale that f16 rounds to zero */
        k[KEY + i] = v[VALUE + i] = 1e-6f;
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++) {
        struct kv_layout layout = layout_of(type);
        void *table[4] = {pages[0], pages[1], pages[2], pages[3]};
        struct store_tile store = {
            .layout = &layout, .k = k, .v = v, .row_count = 99, .pages = table};
        memset(pages, 0xFF, sizeof pages); /* what was never written must not matter */
        CHECK(kernels.store(&store));
        store.first_row = store.position = 99;
        store.row_count = POSITIONS - 99;
        CHECK(kernels.store(&store));
        check_storage(&layout);
        /* Pages lie anywhere: the same four in another order. */
        static unsigned char moved[4][sizeof pages[0]];
        memcpy(moved, pages, sizeof pages);
        memcpy(pages[2], moved[0], sizeof moved[0]);
        memcpy(pages[0], moved[1], sizeof moved[0]);
        memcpy(pages[3], moved[2], sizeof moved[0]);
        memcpy(pages[1], moved[3], sizeof moved[0]);
        for (size_t i = 0; i < LOAM_COUNT_OF(windows); i++)
            check_attention(type, windows[i]);
    }
}

int main(void)
{
    loam_kernels_ref(&kernels);
    RUN(float_products);
    RUN(norms);
    RUN(quantized_products);
    RUN(rotations);
    RUN(gates_sums_and_rows);
    RUN(storage_and_attention);
    return test_end();
}

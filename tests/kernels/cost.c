/* SPDX-License-Identifier: MIT */
/*
 * What the numeric contract costs (free.h): each kernel of a level beside its
 * form without rules. The test holds that both compute the same within a small
 * tolerance; kernels_cost times them in turns and prints the ratio.
 */
#include "free.h"
#include "kernels.h"
#include "pack.h"

#include <loam/graph.h>
#include <math.h>
#include <time.h>

/* One kernel at one size. */
struct pair {
    const char *kernel, *size;
    void (*run)(const struct cpu_kernels *kernels, const struct pair *pair);
    uint32_t type; /* of weights */
    union {
        struct linear_tile linear;
        struct attention_tile attention;
        struct norm_tile norm;
        struct elementwise_tile elementwise;
        struct quantize_tile quantize;
    } tile;
    struct kv_layout layout;
    float *out;
    size_t count;
    float tolerance; /* of the largest result */
};

typedef void (*visit_function)(const struct pair *pair);

static struct cpu_kernels freed;

static float *floats(size_t count, int values)
{
    float *x = kernels_memory(count * sizeof *x);
    kernels_fill(x, count, values);
    return x;
}

/* ---- products ------------------------------------------------------------------ */

static void run_linear(const struct cpu_kernels *kernels, const struct pair *pair)
{
    kernels->linear[pair->type](&pair->tile.linear);
}

/* Weights: 16 outputs of random numbers, again and again. */
static void *weights_of(const struct weight_type *type, size_t width, size_t outputs)
{
    size_t blocks = PANEL_ROWS * width / type->block_elements;
    unsigned char *file = kernels_memory(blocks * type->block_bytes);
    size_t bytes = (size_t)(type->packing ? loam_packed_panel_bytes(type, width)
                                          : (uint64_t)blocks * type->block_bytes);
    size_t panels = (outputs + PANEL_ROWS - 1) / PANEL_ROWS;
    unsigned char *out = kernels_memory(panels * bytes);
    if (type->packing)
        kernels_fill_blocks(type, file, blocks, false);
    else
        type->quantize(file, floats(PANEL_ROWS * width, VALUES_PLAIN), NULL, PANEL_ROWS * width);
    for (size_t i = 0; i < panels; i++)
        test_pack(type, out + i * bytes, file, width, PANEL_ROWS);
    return out;
}

static void visit_linear(visit_function visit, const struct weight_type *type, const char *size,
                         size_t width, size_t outputs, size_t rows)
{
    size_t group = type->packing ? type->activation_group : 32, padded = (width + 31) / 32 * 32;
    float *x = floats(rows * padded, VALUES_PLAIN);
    struct quantize_tile quantize = {.x = x,
                                     .q = kernels_memory(rows * padded),
                                     .scales = floats(rows * padded / group, VALUES_ZERO),
                                     .sums32 = kernels_memory(rows * padded / 16),
                                     .sums16 = kernels_memory(rows * padded / 8),
                                     .x_stride = padded,
                                     .width = padded,
                                     .group = group,
                                     .row_count = rows};
    if (type->packing)
        kernels_level.quantize(&quantize);
    struct pair pair = {.kernel = type->name,
                        .size = size,
                        .run = run_linear,
                        .type = type->id,
                        .out = floats(rows * outputs, VALUES_ZERO),
                        .count = rows * outputs,
                        .tolerance = 2e-6f};
    pair.tile.linear = (struct linear_tile){
        .weights = weights_of(type, width, outputs),
        .type = type,
        .row_bytes = width / type->block_elements * type->block_bytes,
        .panel_bytes = type->packing ? (size_t)loam_packed_panel_bytes(type, width) : 0,
        .width = width,
        .output_count = outputs,
        .rows = rows,
        .x = x,
        .x_stride = padded,
        .q = quantize.q,
        .scales = quantize.scales,
        .sums32 = quantize.sums32,
        .sums16 = quantize.sums16,
        .out = pair.out,
        .out_stride = outputs};
    visit(&pair);
    kernels_forget();
}

/* ---- attention ----------------------------------------------------------------- */

static void run_attention(const struct cpu_kernels *kernels, const struct pair *pair)
{
    struct attention_tile tile = pair->tile.attention;
    size_t end = tile.row_count, most = kernels_level.attention_rows;
    for (; tile.first_row < end; tile.first_row += most, tile.position += most) {
        tile.row_count = loam_min(most, end - tile.first_row);
        kernels->attention(&tile);
    }
}

/* The last `rows` of `positions`; fold heads of one KV head. */
static void visit_attention(visit_function visit, int32_t type, const char *kernel,
                            const char *size, size_t width, size_t fold, size_t positions,
                            size_t rows, size_t window)
{
    enum { MOST = 4096 / PAGE };
    void *pages[MOST];
    struct pair pair = {.kernel = kernel,
                        .size = size,
                        .run = run_attention,
                        .out = floats(rows * fold * width, VALUES_ZERO),
                        .count = rows * fold * width,
                        .tolerance = 4e-6f};
    pair.layout = (struct kv_layout){.type = type,
                                     .kv_heads = 1,
                                     .key_width = (uint32_t)width,
                                     .value_width = (uint32_t)width,
                                     .key_bytes = loam_kv_key_bytes(type, (uint32_t)width),
                                     .value_bytes = loam_kv_value_bytes(type, (uint32_t)width)};
    pair.layout.value_offset = pair.layout.key_bytes;
    size_t bytes = pair.layout.key_bytes + pair.layout.value_bytes;
    unsigned char *memory = kernels_memory(MOST * bytes);
    for (size_t i = 0; i < MOST; i++)
        pages[i] = memory + i * bytes;
    struct store_tile store = {.layout = &pair.layout,
                               .k = floats(positions * width, VALUES_PLAIN),
                               .v = floats(positions * width, VALUES_PLAIN),
                               .row_count = positions,
                               .pages = pages};
    kernels_level.store(&store);
    pair.tile.attention = (struct attention_tile){.layout = &pair.layout,
                                                  .head_count = fold,
                                                  .q = floats(rows * fold * width, VALUES_PLAIN),
                                                  .out = pair.out,
                                                  .q_stride = fold * width,
                                                  .out_stride = fold * width,
                                                  .row_count = rows,
                                                  .position = positions - rows,
                                                  .window = window,
                                                  .scale = 1 / sqrtf((float)width),
                                                  .pages = pages};
    visit(&pair);
    kernels_forget();
}

/* ---- rows ------------------------------------------------------------------------ */

static void run_norm(const struct cpu_kernels *kernels, const struct pair *pair)
{
    kernels->rms_norm(&pair->tile.norm);
}

static void run_gate(const struct cpu_kernels *kernels, const struct pair *pair)
{
    kernels->gate_silu(&pair->tile.elementwise);
}

static void run_quantize(const struct cpu_kernels *kernels, const struct pair *pair)
{
    kernels->quantize(&pair->tile.quantize);
}

static void visit_norm(visit_function visit, const char *size, size_t width, size_t rows)
{
    struct pair pair = {.kernel = "norm",
                        .size = size,
                        .run = run_norm,
                        .out = floats(width * rows, VALUES_ZERO),
                        .count = width * rows,
                        .tolerance = 1e-6f};
    pair.tile.norm = (struct norm_tile){.x = floats(width * rows, VALUES_PLAIN),
                                        .weight = floats(width, VALUES_PLAIN),
                                        .out = pair.out,
                                        .width = width,
                                        .epsilon = 1e-5f,
                                        .row_count = rows};
    visit(&pair);
    kernels_forget();
}

static void visit_gate(visit_function visit, const char *size, size_t width, size_t rows)
{
    struct pair pair = {.kernel = "gate",
                        .size = size,
                        .run = run_gate,
                        .out = floats(width * rows, VALUES_ZERO),
                        .count = width * rows,
                        .tolerance = 1e-6f};
    float *a = floats(width * rows, VALUES_PLAIN);
    for (size_t i = 0; i < width * rows; i++)
        a[i] *= 10;
    pair.tile.elementwise = (struct elementwise_tile){
        .a = a, .b = floats(width * rows, VALUES_PLAIN), .out = pair.out, .count = width * rows};
    visit(&pair);
    kernels_forget();
}

static void visit_quantize(visit_function visit, const char *size, size_t width, size_t rows,
                           size_t group)
{
    size_t numbers = width * rows;
    struct pair pair = {.kernel = group == 32 ? "quantise in 32" : "quantise in 256",
                        .size = size,
                        .run = run_quantize,
                        .out = floats(numbers / group, VALUES_ZERO),
                        .count = numbers / group,
                        .tolerance = 1e-6f};
    pair.tile.quantize = (struct quantize_tile){.x = floats(numbers, VALUES_PLAIN),
                                                .q = kernels_memory(numbers),
                                                .scales = pair.out,
                                                .sums32 = kernels_memory(numbers / 16),
                                                .sums16 = kernels_memory(numbers / 8),
                                                .x_stride = width,
                                                .width = width,
                                                .group = group,
                                                .row_count = rows};
    visit(&pair);
    kernels_forget();
}

/* ---- the test ------------------------------------------------------------------- */

/* Integers may be rounded to the other side of a half. */
static void compare_integers(const struct pair *pair)
{
    const struct quantize_tile *tile = &pair->tile.quantize;
    size_t count = tile->row_count * tile->width, others = 0;
    int8_t *expected = kernels_memory(count);
    kernels_level.quantize(tile);
    memcpy(expected, tile->q, count);
    freed.quantize(tile);
    for (size_t i = 0; i < count; i++) {
        int difference = tile->q[i] - expected[i];
        others += difference != 0;
        CHECK(difference >= -1 && difference <= 1);
    }
    CHECK(others <= count / 1000);
    for (size_t i = 0; i < count / 16; i++) {
        int sum = 0;
        for (size_t j = 0; j < 16; j++)
            sum += tile->q[16 * i + j];
        CHECK(sum == tile->sums16[i]);
    }
}

static void compare(const struct pair *pair)
{
    float *expected = floats(pair->count, VALUES_ZERO), most = 0, off = 0;
    pair->run(&kernels_level, pair);
    memcpy(expected, pair->out, pair->count * sizeof *expected);
    memset(pair->out, 0x7F, pair->count * sizeof *expected); /* far from any result */
    pair->run(&freed, pair);
    for (size_t i = 0; i < pair->count; i++) {
        float difference = fabsf(pair->out[i] - expected[i]);
        most = fabsf(expected[i]) > most ? fabsf(expected[i]) : most;
        off = difference <= off ? off : difference; /* NaN stays */
    }
    kernels_combinations++;
    CHECK(most > 0);
    if (!(off <= pair->tolerance * most) && test_failed_here++ < 10)
        printf("# %s: free %s, %s: off by %g of %g\n", kernels_level_name, pair->kernel, pair->size,
               (double)off, (double)most);
    if (pair->run == run_quantize)
        compare_integers(pair);
}

static const char *const kv_names[] = {"", "attention f32", "attention f16", "attention q8_0"};

static void fill_free(int32_t level)
{
    memset(&freed, 0, sizeof freed);
#ifdef FREE_X86
    if (level == LOAM_CPU_AVX2)
        free_kernels_avx2(&freed);
    if (level == LOAM_CPU_AVX_VNNI)
        free_kernels_avx_vnni(&freed);
#else
    (void)level;
#endif
}

static void check(void)
{
    static const size_t widths[] = {256, 273, 768}, rows[] = {1, 2, 3, 4, 5, 6, 7, 19};
    fill_free(kernels_level_id);
    if (!freed.attention)
        SKIP("no free kernels of this level");
    for (size_t i = 0; i < LOAM_COUNT_OF(widths) * LOAM_COUNT_OF(rows); i++) {
        size_t width = widths[i % LOAM_COUNT_OF(widths)], count = rows[i / LOAM_COUNT_OF(widths)];
        for (uint32_t type = 0; type < WEIGHT_TYPES; type++)
            if (freed.linear[type] && width % loam_weight_type(type)->block_elements == 0)
                visit_linear(compare, loam_weight_type(type), "a test", width, 19 + i, count);
        visit_norm(compare, "a test", width, count);
        visit_gate(compare, "a test", width, count);
        visit_quantize(compare, "a test", width & ~(size_t)255, count, i % 2 ? 32 : 256);
        for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++)
            visit_attention(compare, type, kv_names[type], "a test", i % 2 ? 64 : 40 + i, 1 + i % 8,
                            40 + 60 * i, count, i % 3 ? 0 : 33 * i);
    }
}

/* ---- timing ---------------------------------------------------------------------- */

enum { ROUNDS = 31 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

/* Of this thread: on a busy machine it waits as well. */
static double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double seconds(const struct cpu_kernels *kernels, const struct pair *pair,
                      unsigned long calls)
{
    double start = thread_seconds();
    for (unsigned long i = 0; i < calls; i++)
        pair->run(kernels, pair);
    return (thread_seconds() - start) / (double)calls;
}

/* In turns, a few milliseconds each: what disturbs the machine meets both. */
static void time_pair(const struct pair *pair)
{
    double of_kernel[ROUNDS], of_free[ROUNDS], ratios[ROUNDS];
    seconds(&freed, pair, 1);
    unsigned long calls = (unsigned long)(0.003 / seconds(&kernels_level, pair, 1)) + 1;
    for (size_t i = 0; i < ROUNDS; i++) {
        if (i % 2)
            of_free[i] = seconds(&freed, pair, calls);
        of_kernel[i] = seconds(&kernels_level, pair, calls);
        if (i % 2 == 0)
            of_free[i] = seconds(&freed, pair, calls);
        ratios[i] = of_free[i] / of_kernel[i];
    }
    double kernel = median(of_kernel), without = median(of_free);
    printf("%-9s %-15s %-34s %12.0f %12.0f  %6.3f\n", kernels_level_name, pair->kernel, pair->size,
           kernel * 1e9, without * 1e9, median(ratios));
    fflush(stdout);
}

static void cost_linear(const struct cpu_kernels *before)
{
    static const struct {
        const char *name;
        size_t width, outputs, rows; /* outputs 0: 128 MB of weights */
    } sizes[] = {{"64 x 2048, 1 row", 2048, 64, 1},
                 {"128 x 2048, 64 rows", 2048, 128, 64},
                 {"48 x 5632, 1 row", 5632, 48, 1},
                 {"48 x 5632, 64 rows", 5632, 48, 64},
                 {"128 MB of 2048, 1 row", 2048, 0, 1}};
    for (uint32_t id = 0; id < WEIGHT_TYPES; id++)
        for (size_t i = 0; i < LOAM_COUNT_OF(sizes); i++) {
            const struct weight_type *type = loam_weight_type(id);
            if (!freed.linear[id] || freed.linear[id] == before->linear[id])
                continue;
            size_t bytes = sizes[i].width / type->block_elements * type->block_bytes;
            size_t outputs = sizes[i].outputs ? sizes[i].outputs : (128u << 20) / bytes & ~15u;
            visit_linear(time_pair, type, sizes[i].name, sizes[i].width, outputs, sizes[i].rows);
        }
}

static void cost_rows(void)
{
    static const struct {
        const char *name;
        size_t width, rows;
    } sizes[] = {{"1 x 2048", 2048, 1},
                 {"64 x 2048", 2048, 64},
                 {"1 x 5632", 5632, 1},
                 {"64 x 5632", 5632, 64}};
    for (size_t i = 0; i < LOAM_COUNT_OF(sizes); i++) {
        visit_norm(time_pair, sizes[i].name, sizes[i].width, sizes[i].rows);
        visit_gate(time_pair, sizes[i].name, sizes[i].width, sizes[i].rows);
        visit_quantize(time_pair, sizes[i].name, sizes[i].width, sizes[i].rows, 32);
        visit_quantize(time_pair, sizes[i].name, sizes[i].width, sizes[i].rows, 256);
    }
}

static void cost_attention(void)
{
    for (int32_t type = LOAM_KV_F32; type <= LOAM_KV_Q8_0; type++)
        for (size_t positions = 512; positions <= 4096; positions *= 8)
            for (size_t rows = 1; rows <= 16; rows *= 16) {
                char name[64];
                snprintf(name, sizeof name, "%zu positions, %zu row%s, 8 heads", positions, rows,
                         rows > 1 ? "s" : "");
                visit_attention(time_pair, type, kv_names[type], name, 64, 8, positions, rows, 0);
            }
}

void kernels_cost(const char *wanted)
{
    struct cpu_kernels before;
    fill_free(kernels_level_id - 1);
    before = freed;
    fill_free(kernels_level_id);
    if (wanted == NULL || strcmp(wanted, "products") == 0)
        cost_linear(&before);
    if (freed.attention == before.attention)
        return;
    if (wanted == NULL || strcmp(wanted, "rows") == 0)
        cost_rows();
    if (wanted == NULL || strcmp(wanted, "attention") == 0)
        cost_attention();
}

const struct family family_cost = {"cost", check, NULL};

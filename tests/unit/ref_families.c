/* SPDX-License-Identifier: MIT */
/* Scalar kernels that families beyond llama need, against double or by hand. */
#include "test.h"

#include "base/half.h"
#include "cpu/ref/ref.h"

#include <loam/graph.h>
#include <math.h>

static uint64_t state = 7;

static float number(void)
{
    return (float)((double)test_random(&state) / 4294967296.0 * 4 - 2);
}

static void fill(float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = number();
}

static int near(float found, double expected, double scale)
{
    return fabs((double)found - expected) <= 0x1p-19 * scale;
}

/* ---- norms ------------------------------------------------------------------ */

enum { WIDTH = 60, GROUP = 12, ROWS = 3 };

static double expected_norm(const float *x, size_t n, int32_t kind, double epsilon, size_t i)
{
    double mean = 0, squares = 0;
    for (size_t k = 0; k < n && kind == LOAM_NORM_LAYER; k++)
        mean += (double)x[k] / (double)n;
    for (size_t k = 0; k < n; k++)
        squares += ((double)x[k] - mean) * ((double)x[k] - mean);
    if (kind == LOAM_NORM_L2)
        return (double)x[i] / fmax(sqrt(squares), epsilon);
    return ((double)x[i] - mean) / sqrt(squares / (double)n + epsilon);
}

static void norms_of_groups(void)
{
    float x[ROWS * WIDTH], w[WIDTH], b[WIDTH], out[ROWS * WIDTH], parts[ROWS * WIDTH];
    fill(x, ROWS * WIDTH);
    fill(w, WIDTH);
    fill(b, WIDTH);
    for (int32_t kind = LOAM_NORM_RMS; kind <= LOAM_NORM_L2; kind++)
        for (size_t group = GROUP; group <= WIDTH; group += WIDTH - GROUP)
            for (int whole = 0; whole < 2; whole++) {
                struct group_norm_tile tile = {.x = x,
                                               .weight = w,
                                               .bias = b,
                                               .out = out,
                                               .kind = kind,
                                               .epsilon = 0.01f,
                                               .width = WIDTH,
                                               .group_width = group,
                                               .weight_width = whole ? WIDTH : group,
                                               .bias_width = whole ? WIDTH : group,
                                               .row_count = ROWS};
                loam_ref_group_norm(&tile);
                for (size_t i = 0; i < ROWS * WIDTH; i++) {
                    size_t at = i % WIDTH, v = at % tile.weight_width;
                    double y =
                        expected_norm(x + i / group * group, group, kind, (double)0.01f, i % group);
                    CHECK(near(out[i], y * (double)w[v] + (double)b[v], 8));
                }
                tile.out = parts;
                tile.row_count = 1;
                for (tile.first_row = 0; tile.first_row < ROWS; tile.first_row++)
                    loam_ref_group_norm(&tile);
                CHECK(memcmp(out, parts, sizeof out) == 0);
            }
}

/* ---- functions -------------------------------------------------------------- */

static const float parameters[] = {0.75f, 1.5f, 0.5f, -1e-6f};

static double expected_map(int32_t function, double x)
{
    double a = 0.75, b = 1.5, c = 0.5, relu = x > 0 ? x : 0;
    switch (function) {
    case LOAM_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case LOAM_ACTIVATION_GELU:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x)));
    case LOAM_ACTIVATION_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    case LOAM_ACTIVATION_RELU:
        return relu;
    case LOAM_ACTIVATION_RELU_SQUARED:
        return relu * relu;
    case LOAM_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case LOAM_ACTIVATION_TANH:
        return tanh(x);
    case LOAM_ACTIVATION_SOFTPLUS:
        return log1p(exp(x));
    case LOAM_ACTIVATION_SCALE:
        return a * x + b;
    case LOAM_ACTIVATION_CLAMP:
        return x < a ? a : x > b ? b : x;
    case LOAM_ACTIVATION_SOFT_CAP:
        return a * tanh(x / a);
    case LOAM_ACTIVATION_EXP:
        return exp(x);
    default:
        return x > 0 ? a * x * x + c * x : b * (expm1(fmin(x, -1e-6)) - x) + c * x;
    }
}

static void functions_of_one_number(void)
{
    float x[300], b[300], out[300];
    fill(b, 300);
    for (size_t i = 0; i < 300; i++)
        x[i] = ((float)i - 150) / 10;
    for (int32_t f = 0; f < LOAM_ACTIVATION_COUNT; f++)
        for (int gate = 0; gate < 2; gate++) {
            struct map_tile tile = {.x = x,
                                    .b = gate ? b : NULL,
                                    .out = out,
                                    .function = f,
                                    .parameters = parameters,
                                    .count = 300};
            loam_ref_map(&tile);
            for (size_t i = 0; i < 300; i++) {
                double y = expected_map(f, (double)x[i]);
                CHECK(near(out[i], gate ? y * (double)b[i] : y, 1 + fabs(y)));
            }
        }
}

static void clamped_swiglu(void)
{
    static const float x[] = {-9, -1, 0.5f, 3, 20}, u[] = {9, -0.5f, 2, -30, 7.5f};
    static const float limits[4] = {1.702f, 7};
    float out[5];
    struct map_tile tile = {.x = x,
                            .b = u,
                            .out = out,
                            .function = LOAM_ACTIVATION_CLAMPED_SWIGLU,
                            .parameters = limits,
                            .count = 5};
    loam_ref_map(&tile);
    for (size_t i = 0; i < 5; i++) {
        double g = fmin((double)x[i], 7), v = fmax(fmin((double)u[i], 7), -7);
        CHECK(near(out[i], g / (1 + exp(-(double)1.702f * g)) * (v + 1), 60));
    }
}

/* ---- routing ---------------------------------------------------------------- */

static struct route_tile route(const float *scores, uint32_t *ids, float *weights, int32_t router)
{
    return (struct route_tile){.scores = scores,
                               .ids = ids,
                               .weights = weights,
                               .count = 8,
                               .used = 3,
                               .router = router,
                               .scale = 2,
                               .row_count = 1};
}

static void experts_are_chosen(void)
{
    static const float scores[8] = {1, 3, 2, 3, -1, 2, 0, 2};
    uint32_t ids[3];
    float w[3];
    struct route_tile tile = route(scores, ids, w, LOAM_ROUTER_SOFTMAX);
    loam_ref_route(&tile);
    double sum = 0;
    for (size_t i = 0; i < 8; i++)
        sum += exp((double)scores[i]);
    CHECK(ids[0] == 1 && ids[1] == 2 && ids[2] == 3); /* of the equal ones the first */
    CHECK(near(w[0], 2 * exp(3) / sum, 1) && near(w[1], 2 * exp(2) / sum, 1));
    tile.router = LOAM_ROUTER_SOFTMAX_CHOSEN;
    loam_ref_route(&tile);
    CHECK(near(w[1], 2 * exp(2) / (2 * exp(3) + exp(2)), 1));
    tile.router = LOAM_ROUTER_SIGMOID;
    tile.normalised = true;
    loam_ref_route(&tile);
    double s3 = 1 / (1 + exp(-3)), s2 = 1 / (1 + exp(-2));
    CHECK(near(w[2], 2 * s3 / (2 * s3 + s2), 1));
}

static void bias_and_groups_choose_but_do_not_weigh(void)
{
    static const float scores[8] = {1, 3, 2, 3, -1, 2, 0, 2};
    static const float bias[8] = {0, 0, 0, 0, 9, 0, 9, 0};
    uint32_t ids[3];
    float w[3];
    struct route_tile tile = route(scores, ids, w, LOAM_ROUTER_SIGMOID_SCORES);
    tile.bias = bias;
    loam_ref_route(&tile);
    CHECK(ids[0] == 1 && ids[1] == 4 && ids[2] == 6);
    CHECK(near(w[1], 2 / (1 + exp(1)), 1));
    tile.groups = 4; /* pairs: sums 4, 5, 10, 11 */
    tile.groups_used = 2;
    loam_ref_route(&tile);
    CHECK(ids[0] == 4 && ids[1] == 5 && ids[2] == 6); /* 5 and 7 are equal */
}

static void routing_survives_what_is_no_number(void)
{
    float scores[8], w[3];
    uint32_t ids[3];
    for (size_t i = 0; i < 8; i++)
        scores[i] = loam_float_from_bits(0x7FC00000u);
    for (size_t groups = 0; groups <= 4; groups += 4) {
        struct route_tile tile = route(scores, ids, w, LOAM_ROUTER_SOFTMAX);
        tile.groups = groups;
        tile.groups_used = 2;
        loam_ref_route(&tile);
        CHECK(ids[0] < ids[1] && ids[1] < ids[2] && ids[2] < 8);
    }
}

/* ---- attention -------------------------------------------------------------- */

enum { POSITIONS = 150, HEADS = 2, HEAD = 8 };

struct attention {
    float k[POSITIONS * HEAD], v[POSITIONS * HEAD], q[POSITIONS * HEADS * HEAD];
    float out[POSITIONS * HEADS * HEAD];
    _Alignas(64) unsigned char memory[3][2 * PAGE * HEAD * sizeof(float)];
    void *pages[3];
    struct kv_layout layout;
    struct attention_tile tile;
};

static void prepare(struct attention *a)
{
    fill(a->k, POSITIONS * HEAD);
    fill(a->v, POSITIONS * HEAD);
    fill(a->q, POSITIONS * HEADS * HEAD);
    for (size_t i = 0; i < 3; i++)
        a->pages[i] = a->memory[i];
    a->layout = (struct kv_layout){.type = LOAM_KV_F32,
                                   .kv_heads = 1,
                                   .key_width = HEAD,
                                   .value_width = HEAD,
                                   .value_offset = PAGE * HEAD * sizeof(float)};
    struct store_tile store = {
        .layout = &a->layout, .k = a->k, .v = a->v, .row_count = POSITIONS, .pages = a->pages};
    CHECK(loam_ref_store(&store));
    a->tile = (struct attention_tile){.layout = &a->layout,
                                      .head_count = HEADS,
                                      .q = a->q,
                                      .out = a->out,
                                      .q_stride = HEADS * HEAD,
                                      .out_stride = HEADS * HEAD,
                                      .row_count = POSITIONS,
                                      .scale = 0.5f,
                                      .pages = a->pages};
}

static int sees(const struct attention_tile *tile, size_t row, size_t p)
{
    size_t window = tile->window, away = p > row ? p - row : row - p;
    if (tile->end)
        return p < tile->end && (!window || away <= window / 2);
    return p <= row && (!window || away < window) &&
           (!tile->chunk || p / tile->chunk == row / tile->chunk);
}

static void check_attention(const struct attention *a)
{
    const struct attention_tile *t = &a->tile;
    for (size_t row = 0; row < POSITIONS; row++)
        for (size_t h = 0; h < HEADS; h++) {
            const float *q = a->q + (row * HEADS + h) * HEAD;
            double sum = t->sinks ? exp((double)t->sinks[h]) : 0, o[HEAD] = {0}, factor = 0.5;
            if (t->temperature != 0)
                factor *= 1 + (double)t->temperature *
                                  log(1 + floor((double)(row + t->temperature_offset) /
                                                t->temperature_length));
            for (size_t p = 0; p < POSITIONS; p++) {
                double s = 0;
                for (size_t i = 0; i < HEAD; i++)
                    s += (double)q[i] * (double)a->k[p * HEAD + i];
                s *= factor;
                if (t->soft_cap != 0)
                    s = (double)t->soft_cap * tanh(s / (double)t->soft_cap);
                if (t->slopes)
                    s -= (double)t->slopes[h] * fabs((double)p - (double)row);
                double e = sees(t, row, p) ? exp(s) : 0;
                sum += e;
                for (size_t i = 0; i < HEAD; i++)
                    o[i] += e * (double)a->v[p * HEAD + i];
            }
            for (size_t i = 0; i < HEAD; i++)
                CHECK(near(a->out[(row * HEADS + h) * HEAD + i], o[i] / sum, 8));
        }
}

static void attention_with_everything(void)
{
    static struct attention a;
    static const float slopes[HEADS] = {0.25f, 0.01f}, sinks[HEADS] = {1.5f, -3};
    prepare(&a);
    for (unsigned extras = 0; extras < 64; extras++) {
        a.tile.soft_cap = extras & 1 ? 2.5f : 0;
        a.tile.slopes = extras & 2 ? slopes : NULL;
        a.tile.sinks = extras & 4 ? sinks : NULL;
        a.tile.temperature = extras & 8 ? 0.3f : 0;
        a.tile.temperature_offset = 1;
        a.tile.temperature_length = 20;
        a.tile.window = extras & 16 ? 70 : 0;
        a.tile.end = extras & 32 ? POSITIONS : 0;
        a.tile.chunk = (extras & 33) == 1 ? 40 : 0;
        loam_ref_attention(&a.tile);
        check_attention(&a);
    }
}

/* ---- numbers of groups, sums of parts ------------------------------------------ */

static void reductions_of_groups(void)
{
    float x[ROWS * WIDTH], lengths[ROWS * WIDTH / GROUP], deviations[ROWS * WIDTH / GROUP];
    struct reduce_tile tile = {.x = x,
                               .out = lengths,
                               .kind = LOAM_REDUCE_LENGTH,
                               .group_width = GROUP,
                               .count = ROWS * WIDTH / GROUP};
    fill(x, ROWS * WIDTH);
    loam_cpu_reduce(&tile);
    tile.kind = LOAM_REDUCE_DEVIATION;
    tile.out = deviations;
    tile.factor = 1.5f;
    tile.count = 4; /* in two tiles */
    loam_cpu_reduce(&tile);
    tile.first = 4;
    tile.count = ROWS * WIDTH / GROUP - 4;
    loam_cpu_reduce(&tile);
    for (size_t i = 0; i < ROWS * WIDTH / GROUP; i++) {
        double squares = 0, mean = 0, spread = 0;
        for (size_t k = i * GROUP; k < (i + 1) * GROUP; k++) {
            squares += (double)x[k] * (double)x[k];
            mean += (double)x[k] / GROUP;
        }
        for (size_t k = i * GROUP; k < (i + 1) * GROUP; k++)
            spread += ((double)x[k] - mean) * ((double)x[k] - mean);
        CHECK(near(lengths[i], sqrt(squares), 8));
        CHECK(near(deviations[i], mean + 1.5 * sqrt(spread / (GROUP - 1)), 8));
    }
}

static void mixtures_of_parts(void)
{
    enum { INPUTS = 3, OUTPUTS = 2, PART = 5 };
    float x[ROWS * INPUTS * PART], factors[ROWS * OUTPUTS * INPUTS], base[ROWS * OUTPUTS * PART];
    float out[ROWS * OUTPUTS * PART], sums[ROWS * OUTPUTS * PART];
    fill(x, sizeof x / sizeof *x);
    fill(factors, sizeof factors / sizeof *factors);
    fill(base, sizeof base / sizeof *base);
    struct mix_tile tile = {.x = x,
                            .factors = factors,
                            .base = base,
                            .out = out,
                            .inputs = INPUTS,
                            .outputs = OUTPUTS,
                            .width = PART,
                            .row_count = 1};
    for (tile.first_row = 0; tile.first_row < ROWS; tile.first_row++)
        loam_cpu_mix(&tile);
    tile.base = NULL;
    tile.out = sums;
    tile.first_row = 0;
    tile.row_count = ROWS;
    loam_cpu_mix(&tile);
    for (size_t i = 0; i < ROWS * OUTPUTS * PART; i++) {
        size_t row = i / (OUTPUTS * PART), o = i / PART % OUTPUTS;
        double sum = 0;
        for (size_t j = 0; j < INPUTS; j++)
            sum += (double)factors[(row * OUTPUTS + o) * INPUTS + j] *
                   (double)x[(row * INPUTS + j) * PART + i % PART];
        CHECK(near(sums[i], sum, 16));
        CHECK(near(out[i], sum + (double)base[i], 16));
    }
}

int main(void)
{
    RUN(norms_of_groups);
    RUN(functions_of_one_number);
    RUN(clamped_swiglu);
    RUN(experts_are_chosen);
    RUN(bias_and_groups_choose_but_do_not_weigh);
    RUN(routing_survives_what_is_no_number);
    RUN(attention_with_everything);
    RUN(reductions_of_groups);
    RUN(mixtures_of_parts);
    return test_end();
}

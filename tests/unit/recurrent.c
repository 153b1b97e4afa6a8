/* SPDX-License-Identifier: MIT */
/*
 * What remembers: scalar scans and convolutions against sums in double, cut into
 * tiles and steps in any way; what a graph refuses; steps that were given up; and
 * which states a sequence keeps.
 */
#include "test.h"

#include "cache/states.h"
#include "cpu/ref/ref.h"
#include "tensor/engine.h"

#include <math.h>

static uint64_t seed = 5;

static float number(void)
{
    return (float)((double)test_random(&seed) / 4294967296.0 * 2 - 1);
}

static void fill(float *out, size_t count, float least, float most)
{
    for (size_t i = 0; i < count; i++)
        out[i] = least + (number() + 1) / 2 * (most - least);
}

/* ---- scans ---------------------------------------------------------------------- */

enum { ROWS = 9, MOST = 640, STATE = 48 * 16 };

/* Shapes: heads, key heads, key width, value width, in turn, a rate for each key. */
static const struct shape {
    size_t heads, key_heads, keys, values;
    bool in_turn, rates;
} shapes[] = {{1, 1, 5, 40, false, false},
              {40, 1, 7, 1, false, true},
              {4, 2, 16, 6, false, false},
              {4, 2, 8, 10, true, true},
              {3, 3, 4, 16, false, false}};

static struct numbers {
    float query[ROWS * MOST], key[ROWS * MOST], value[ROWS * MOST], step[ROWS * MOST];
    float gain[ROWS * MOST], decay[ROWS * MOST], a[ROWS * MOST], b[ROWS * MOST], rate[MOST],
        skip[MOST];
} in;

static void fill_numbers(void)
{
    fill(in.query, ROWS * MOST, -1, 1);
    fill(in.key, ROWS * MOST, -0.5f, 0.5f);
    fill(in.value, ROWS * MOST, -1, 1);
    fill(in.step, ROWS * MOST, 0, 1);
    fill(in.gain, ROWS * MOST, 0, 1);
    fill(in.decay, ROWS * MOST, 0.5f, 1);
    fill(in.a, ROWS * MOST, -0.3f, 0.3f);
    fill(in.b, ROWS * MOST, -0.3f, 0.3f);
    fill(in.rate, MOST, -1, 0);
    fill(in.skip, MOST, -1, 1);
}

static struct scan_tile tile_of(const struct shape *s, int32_t rule, float *out, float *next)
{
    return (struct scan_tile){.rule = rule,
                              .rows = ROWS,
                              .heads = s->heads,
                              .key_heads = s->key_heads,
                              .key_width = s->keys,
                              .value_width = s->values,
                              .in_turn = s->in_turn,
                              .scale = 0.7f,
                              .query = in.query,
                              .key = in.key,
                              .value = in.value,
                              .step = in.step,
                              .gain = in.gain,
                              .rate = in.rate,
                              .rates = s->rates,
                              .decay = in.decay,
                              .a = in.a,
                              .b = in.b,
                              .skip = in.skip,
                              .out = out,
                              .column_count = s->heads * s->values,
                              .next_state = next};
}

/* The papers' formulas for one head, S [values][keys], in double; results of its
 * column `value`. */
static void expect(double out[ROWS], const struct shape *s, int32_t rule, size_t head, size_t value)
{
    double state[32] = {0};
    size_t key_head = s->in_turn ? head % s->key_heads : head * s->key_heads / s->heads;
    for (size_t row = 0; row < ROWS; row++) {
        size_t at = (row * s->key_heads + key_head) * s->keys, h = row * s->heads + head;
        double v = (double)in.value[h * s->values + value], sum = 0, y = 0;
        for (size_t i = 0; i < s->keys; i++) {
            size_t r = s->rates ? head * s->keys + i : head;
            double d = rule == LOAM_SCAN_GENERAL_DELTA
                           ? (double)in.decay[at + i]
                           : exp((double)in.step[h] * (double)in.rate[r]);
            if (rule == LOAM_SCAN_GENERAL_DELTA)
                sum += state[i] * (double)in.a[at + i];
            state[i] *= d;
            if (rule == LOAM_SCAN_GATED_DELTA)
                sum += state[i] * (double)in.key[at + i];
        }
        for (size_t i = 0; i < s->keys; i++) {
            double k = (double)in.key[at + i];
            if (rule == LOAM_SCAN_STATE_SPACE)
                state[i] += v * (double)in.step[h] * k;
            else if (rule == LOAM_SCAN_GATED_DELTA)
                state[i] += (double)in.gain[h] * (v - sum) * k;
            else
                state[i] += v * k + sum * (double)in.b[at + i];
            y += state[i] * (double)in.query[at + i];
        }
        out[row] = y * (double)0.7f + v * (double)in.skip[head];
    }
}

static void scans_are_their_formulas(void)
{
    static float out[ROWS * MOST], next[MOST * 16];
    fill_numbers();
    for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
        for (int32_t rule = LOAM_SCAN_STATE_SPACE; rule <= LOAM_SCAN_GENERAL_DELTA; rule++) {
            const struct shape *s = &shapes[i];
            struct scan_tile tile = tile_of(s, rule, out, next);
            double expected[ROWS];
            CHECK(loam_ref_scan(&tile));
            for (size_t column = 0; column < tile.column_count; column++) {
                expect(expected, s, rule, column / s->values, column % s->values);
                for (size_t row = 0; row < ROWS; row++) {
                    float found = out[row * tile.column_count + column];
                    CHECK(fabs((double)found - expected[row]) < 1e-5);
                }
            }
        }
}

/* In steps of two rows and tiles of 16 columns, with what is kept in between. */
static void scans_may_be_cut(void)
{
    static float whole[ROWS * MOST], cut[ROWS * MOST], last[MOST * 16], kept[MOST * 16];
    static float states[2][MOST * 16], early[MOST * 16];
    fill_numbers();
    for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
        for (int32_t rule = LOAM_SCAN_STATE_SPACE; rule <= LOAM_SCAN_GENERAL_DELTA; rule++) {
            const struct shape *s = &shapes[i];
            struct scan_tile tile = tile_of(s, rule, whole, last);
            size_t columns = tile.column_count,
                   bytes = sizeof(float) * s->keys * ((columns + 15) / 16 * 16);
            memset(last, 0, sizeof last);
            memset(kept, 0, sizeof kept);
            memset(states, 0, sizeof states);
            memset(early, 0, sizeof early);
            tile.kept_state = kept;
            tile.kept_rows = 4;
            CHECK(loam_ref_scan(&tile));
            size_t turn = 0;
            for (size_t row = 0; row < ROWS; row += 2, turn++) {
                struct scan_tile part = tile_of(s, rule, cut + row * columns, states[turn % 2]);
                size_t keys = row * s->key_heads * s->keys, heads = row * s->heads;
                part.rows = loam_min(2, ROWS - row);
                part.query += keys, part.key += keys, part.decay += keys;
                part.a += keys, part.b += keys;
                part.value += row * columns, part.step += heads, part.gain += heads;
                part.state = row ? states[1 - turn % 2] : NULL;
                for (size_t first = 0; first < columns; first += 16) {
                    part.first_column = first;
                    part.column_count = loam_min(16, columns - first);
                    CHECK(loam_ref_scan(&part));
                }
                if (row == 2)
                    memcpy(early, states[turn % 2], bytes);
            }
            CHECK(memcmp(whole, cut, ROWS * columns * sizeof *whole) == 0);
            CHECK(memcmp(last, states[1 - turn % 2], bytes) == 0);
            CHECK(memcmp(kept, early, bytes) == 0);
        }
}

static void what_is_not_finite_is_told(void)
{
    static float out[ROWS * MOST], next[MOST * 16];
    fill_numbers();
    for (int32_t rule = LOAM_SCAN_STATE_SPACE; rule <= LOAM_SCAN_GENERAL_DELTA; rule++) {
        struct scan_tile tile = tile_of(&shapes[2], rule, out, next);
        float before = in.value[1];
        in.value[1] = INFINITY;
        CHECK(!loam_ref_scan(&tile));
        in.value[1] = before;
        CHECK(loam_ref_scan(&tile));
    }
}

/* ---- convolutions, sums ------------------------------------------------------------ */

static void convolutions_are_sums_over_the_past(void)
{
    enum { WIDTH = 20, TAPS = 4 };
    float x[ROWS * WIDTH], weight[WIDTH * TAPS], bias[WIDTH], out[ROWS * WIDTH], cut[ROWS * WIDTH];
    float last[(TAPS - 1) * WIDTH], kept[(TAPS - 1) * WIDTH], windows[2][(TAPS - 1) * WIDTH];
    fill(x, ROWS * WIDTH, -1, 1);
    fill(weight, WIDTH * TAPS, -1, 1);
    fill(bias, WIDTH, -1, 1);
    for (int shift = 0; shift < 2; shift++) {
        struct convolve_tile tile = {.x = x,
                                     .weight = shift ? NULL : weight,
                                     .bias = shift ? NULL : bias,
                                     .out = out,
                                     .width = WIDTH,
                                     .taps = shift ? 2 : TAPS,
                                     .rows = ROWS,
                                     .channel_count = WIDTH,
                                     .next_window = last,
                                     .kept_window = kept,
                                     .kept_rows = 2};
        size_t bytes = (tile.taps - 1) * WIDTH * sizeof(float);
        CHECK(loam_ref_convolve(&tile));
        for (size_t row = 0; row < ROWS; row++)
            for (size_t c = 0; c < WIDTH; c++) {
                double sum = shift ? row ? (double)x[(row - 1) * WIDTH + c] : 0 : (double)bias[c];
                for (size_t i = 0; !shift && i < TAPS; i++)
                    if (row + i >= TAPS - 1)
                        sum += (double)weight[c * TAPS + i] *
                               (double)x[(row + i - (TAPS - 1)) * WIDTH + c];
                CHECK(fabs(sum - (double)out[row * WIDTH + c]) < 1e-6);
            }
        for (size_t row = 0; row < ROWS; row++) { /* one by one, in tiles of 16 */
            struct convolve_tile part = tile;
            part.x = x + row * WIDTH;
            part.out = cut + row * WIDTH;
            part.rows = 1;
            part.window = row ? windows[1 - row % 2] : NULL;
            part.next_window = windows[row % 2];
            part.kept_window = NULL;
            part.channel_count = 16;
            CHECK(loam_ref_convolve(&part));
            part.first_channel = 16;
            part.channel_count = WIDTH - 16;
            CHECK(loam_ref_convolve(&part));
            CHECK(row != 1 || memcmp(kept, windows[1], bytes) == 0);
        }
        CHECK(memcmp(out, cut, sizeof out) == 0);
        CHECK(memcmp(last, windows[(ROWS - 1) % 2], bytes) == 0);
        x[7] = NAN;
        CHECK(!loam_ref_convolve(&tile));
        x[7] = 0.5f;
    }
}

static void sums_of_groups(void)
{
    float x[3 * 37], out[3];
    fill(x, LOAM_COUNT_OF(x), -1, 1);
    struct sum_tile tile = {.x = x, .out = out, .group_width = 37, .first = 1, .count = 2};
    out[0] = 9;
    loam_ref_sum(&tile);
    for (size_t group = 1; group < 3; group++) {
        double sum = 0;
        for (size_t i = 0; i < 37; i++)
            sum += (double)x[group * 37 + i];
        CHECK(fabs(sum - (double)out[group]) < 1e-5);
    }
    CHECK(out[0] == 9);
}

/* ---- graphs --------------------------------------------------------------------------- */

enum { WIDE = 12, HEADS = 3 };

static float rates[HEADS * 4], taps[WIDE * 3];
static loam_engine *engine;
static loam_error error = {.struct_size = sizeof error};

static void open_engine(void)
{
    loam_engine_options options = {.struct_size = sizeof options, .threads = 2};
    if (!engine)
        CHECK_EQUAL(loam_engine_create(&engine, &options, NULL), LOAM_OK);
}

/* Inputs of a graph with a scan that can be; tests spoil them. */
struct plan_of_scan {
    loam_tensor x, heads, narrow, rate;
    loam_scan_inputs inputs;
    loam_scan_options options;
};

static struct plan_of_scan begin_scan(loam_graph *graph)
{
    struct plan_of_scan p = {.x = loam_graph_input(graph, WIDE)};
    p.heads = loam_graph_slice(graph, p.x, WIDE, 0, HEADS);
    p.narrow = loam_graph_slice(graph, p.x, WIDE, 0, 4);
    p.rate = loam_graph_weight(graph, "rate", LOAM_TYPE_F32, HEADS, 1, rates);
    p.inputs = (loam_scan_inputs){.query = p.narrow,
                                  .key = p.narrow,
                                  .value = p.x,
                                  .step = p.heads,
                                  .rate = p.rate,
                                  .gain = p.heads,
                                  .decay = p.narrow,
                                  .a = p.narrow,
                                  .b = p.narrow,
                                  .skip = LOAM_NO_TENSOR};
    p.options = (loam_scan_options){.struct_size = sizeof p.options,
                                    .rule = LOAM_SCAN_GATED_DELTA,
                                    .heads = HEADS,
                                    .key_heads = 1,
                                    .key_width = 4,
                                    .value_width = 4};
    return p;
}

/* What a scan may not be; NULL ends the list. */
static const char *spoil(struct plan_of_scan *p, int how)
{
    switch (how) {
    case 0:
        p->options.rule = 3;
        return "rule";
    case 1:
        p->options.heads = 0;
        return "heads";
    case 2:
        p->options.key_heads = 2;
        return "heads";
    case 3:
        p->options.key_width = 1025;
        return "widths";
    case 4:
        p->options.value_width = UINT32_MAX;
        return "widths";
    case 5:
        p->options.scale = NAN;
        return "scale";
    case 6:
        p->inputs.query = p->x;
        return "query";
    case 7:
        p->inputs.key = LOAM_NO_TENSOR;
        return "key";
    case 8:
        p->inputs.value = p->heads;
        return "value";
    case 9:
        p->inputs.step = p->x;
        return "step";
    case 10:
        p->inputs.rate = p->x;
        return "rate";
    case 11:
        p->inputs.gain = LOAM_NO_TENSOR;
        return "gain";
    case 12:
        p->inputs.skip = p->heads;
        return "skip";
    case 13:
        p->options.rule = LOAM_SCAN_GENERAL_DELTA;
        p->inputs.b = p->x;
        return "scan b";
    case 14:
        p->options.heads = p->options.value_width = 1 << 14;
        return "too many";
    default:
        return NULL;
    }
}

static void scans_that_cannot_be_are_refused(void)
{
    open_engine();
    for (int how = 0;; how++) {
        loam_graph *graph = NULL;
        CHECK_EQUAL(loam_graph_create(&graph, engine, NULL), LOAM_OK);
        struct plan_of_scan p = begin_scan(graph);
        const char *word = spoil(&p, how);
        loam_tensor y = loam_graph_scan(graph, &p.inputs, &p.options);
        CHECK((y == LOAM_NO_TENSOR) == (word != NULL));
        if (word) {
            CHECK(loam_graph_failure(graph, &error) != LOAM_OK);
            CHECK(strstr(error.message, word) != NULL);
        } else { /* columns are padded to 16 */
            CHECK_EQUAL(loam_graph_state_bytes(graph), 4 * 16 * sizeof(float));
        }
        loam_graph_release(graph);
        if (!word)
            return;
    }
}

static void convolutions_that_cannot_be_are_refused(void)
{
    open_engine();
    for (int how = 0; how < 5; how++) {
        loam_graph *graph = NULL;
        CHECK_EQUAL(loam_graph_create(&graph, engine, NULL), LOAM_OK);
        loam_tensor x = loam_graph_input(graph, WIDE);
        uint32_t width = how == 1 ? 1 : 3, rows = how == 2 ? WIDE - 1 : WIDE;
        uint32_t type = how == 3 ? LOAM_TYPE_F16 : LOAM_TYPE_F32;
        loam_tensor w = loam_graph_weight(graph, "taps", type, width, rows, taps);
        if (how == 4)
            x = loam_graph_outputs(graph, x);
        loam_tensor y = loam_graph_convolve(graph, x, w, LOAM_NO_TENSOR);
        CHECK((y == LOAM_NO_TENSOR) == (how > 0));
        /* 2 rows of 12, padded */
        CHECK_EQUAL(loam_graph_state_bytes(graph), how ? 0 : 2 * 16 * sizeof(float));
        loam_graph_release(graph);
    }
}

/* ---- steps ------------------------------------------------------------------------------ */

static int calls_left;

static int32_t give_up(void *user)
{
    (void)user;
    return __atomic_sub_fetch(&calls_left, 1, __ATOMIC_RELAXED) < 0;
}

/* A convolution, the row before and a scan, one after the other. */
static loam_graph *make_graph(void)
{
    loam_graph *graph = NULL;
    fill(taps, LOAM_COUNT_OF(taps), -1, 1);
    fill(rates, LOAM_COUNT_OF(rates), -1, 0);
    CHECK_EQUAL(loam_graph_create(&graph, engine, NULL), LOAM_OK);
    struct plan_of_scan p = begin_scan(graph);
    loam_tensor w = loam_graph_weight(graph, "taps", LOAM_TYPE_F32, 3, WIDE, taps);
    p.inputs.value = loam_graph_convolve(graph, p.x, w, LOAM_NO_TENSOR);
    loam_tensor y = loam_graph_scan(graph, &p.inputs, &p.options);
    y = loam_graph_add(graph, loam_graph_previous(graph, y), y);
    CHECK_EQUAL(loam_graph_compile(graph, y, NULL, &error), LOAM_OK);
    return graph;
}

static loam_status run(loam_graph *graph, const loam_step_sequence *sequence, const float *x,
                       float *result)
{
    const float *inputs[] = {x};
    loam_step_descriptor step = {.struct_size = sizeof step,
                                 .rows = sequence->row_count,
                                 .sequence_count = 1,
                                 .sequences = sequence,
                                 .inputs = inputs,
                                 .result = result,
                                 .stop = give_up};
    return loam_graph_run(graph, &step, &error);
}

/* A step that ended anywhere is run again from the state before it. */
static void a_step_that_was_given_up_changed_nothing(void)
{
    float x[ROWS * WIDE], whole[ROWS * WIDE], parts[ROWS * WIDE];
    fill(x, ROWS * WIDE, -1, 1);
    open_engine();
    loam_graph *graph = make_graph();
    uint64_t floats = loam_graph_state_bytes(graph) / sizeof(float);
    REQUIRE(floats > 0 && floats % 16 == 0 && floats < 1000);
    _Alignas(64) float a[1000] = {0}, b[1000] = {0}, c[1000] = {0}; /* padding stays */
    loam_step_sequence sequence = {.row_count = ROWS, .next_state = a};
    calls_left = 1000000;
    CHECK_EQUAL(run(graph, &sequence, x, whole), LOAM_OK);
    int gave_up = 0;
    for (int calls = 0; calls < 40; calls++) {
        sequence = (loam_step_sequence){.row_count = 5, .next_state = b};
        calls_left = 1000000;
        CHECK_EQUAL(run(graph, &sequence, x, parts), LOAM_OK);
        sequence =
            (loam_step_sequence){.row_count = ROWS - 5, .position = 5, .state = b, .next_state = c};
        calls_left = calls;
        loam_status status = run(graph, &sequence, x + 5 * WIDE, parts + 5 * WIDE);
        CHECK(status == LOAM_OK || status == LOAM_CANCELLED);
        gave_up += status == LOAM_CANCELLED;
        calls_left = 1000000;
        CHECK_EQUAL(run(graph, &sequence, x + 5 * WIDE, parts + 5 * WIDE), LOAM_OK);
        CHECK(memcmp(whole, parts, sizeof whole) == 0);
        CHECK(memcmp(a, c, floats * sizeof *a) == 0);
    }
    CHECK(gave_up > 2 && gave_up < 40);
    loam_graph_release(graph);
}

static void steps_without_their_states_are_refused(void)
{
    float x[ROWS * WIDE] = {0}, y[ROWS * WIDE];
    _Alignas(64) float a[1000], b[1000];
    open_engine();
    loam_graph *graph = make_graph();
    const loam_step_sequence wrong[] = {
        {.row_count = 2},
        {.row_count = 2, .state = b, .next_state = a},
        {.row_count = 2, .position = 2, .next_state = a},
        {.row_count = 2, .position = 2, .state = a, .next_state = a},
        {.row_count = 2, .next_state = a, .kept_rows = 2, .kept_state = b},
        {.row_count = 2, .next_state = a, .kept_rows = 1},
        {.row_count = 2, .next_state = a, .kept_rows = 1, .kept_state = a}};
    calls_left = 1000000;
    for (size_t i = 0; i < LOAM_COUNT_OF(wrong); i++)
        CHECK_EQUAL(run(graph, &wrong[i], x, y), LOAM_INVALID_ARGUMENT);
    loam_graph_release(graph);
}

/* ---- which states are kept ------------------------------------------------------------- */

static void begin_states(struct states *states, uint64_t bytes)
{
    loam_graph graph = {.state_floats = bytes / sizeof(float)};
    open_engine();
    loam_states_init(states, &engine->memory, &graph);
}

/* Computes so many rows as one step. */
static void compute(struct states *states, uint64_t *position, uint32_t rows, bool ends)
{
    loam_step_sequence sequence = {.row_count = rows, .position = (uint32_t)*position};
    CHECK_EQUAL(loam_states_prepare(states, &sequence, ends, &error), LOAM_OK);
    CHECK((sequence.state == NULL) == (*position == 0));
    CHECK(sequence.next_state && sequence.next_state != sequence.state);
    CHECK(!sequence.kept_rows || (sequence.kept_state && sequence.kept_state != sequence.state &&
                                  sequence.kept_state != sequence.next_state));
    loam_states_commit(states, &sequence);
    *position += rows;
}

static void the_budget_says_how_many(void)
{
    CHECK_EQUAL(loam_states_limit(0), 0);
    CHECK_EQUAL(loam_states_limit(64), STATE_SLOTS_MOST);
    CHECK_EQUAL(loam_states_limit(STATE_BUDGET / 5), 5);
    CHECK_EQUAL(loam_states_limit((uint64_t)1 << 40), STATE_SLOTS_LEAST);
}

/* However long it grows: the end, the end of the prompt, and no hole larger than
 * twice an even share. */
static void states_are_spread_over_the_content(void)
{
    struct states states;
    uint64_t position = 0;
    begin_states(&states, 64);
    for (int i = 0; i < 3; i++)
        compute(&states, &position, 256, false);
    compute(&states, &position, 100, true);
    for (uint64_t mark = position - 1; position < 5000;) {
        compute(&states, &position, 1, false);
        CHECK_EQUAL(states.mark, mark);
        uint64_t last = 0, hole = 0;
        bool marked = false;
        for (uint64_t left = states.count; left > 0; left--) {
            uint64_t nearest = UINT64_MAX;
            for (size_t i = 0; i < states.count; i++)
                if (states.slots[i].position > last)
                    nearest = loam_min(nearest, states.slots[i].position);
            if (nearest == UINT64_MAX)
                break;
            hole = loam_max(hole, nearest - last);
            marked = marked || nearest == mark;
            last = nearest;
        }
        CHECK(marked && last == position);
        CHECK(hole <= loam_max(2 * position / (STATE_SLOTS_MOST - 2), 868));
    }
    CHECK_EQUAL(states.count, STATE_SLOTS_MOST);
    CHECK_EQUAL(loam_states_rewind(&states, position), position);
    CHECK_EQUAL(loam_states_rewind(&states, 867), 867);
    CHECK_EQUAL(loam_states_rewind(&states, 10), 0);
    loam_states_end(&states);
}

static void two_slots_do_where_memory_is_short(void)
{
    struct states states;
    uint64_t position = 0;
    begin_states(&states, 64);
    states.limit = 2;
    compute(&states, &position, 5, true); /* the checkpoint takes the second */
    for (int i = 0; i < 5; i++)
        compute(&states, &position, 1, i % 2 == 0);
    CHECK_EQUAL(states.count, 2);
    CHECK_EQUAL(loam_states_rewind(&states, 10), 10);
    CHECK_EQUAL(loam_states_rewind(&states, 9), 9);
    CHECK_EQUAL(loam_states_rewind(&states, 8), 0);
    loam_states_end(&states);
    begin_states(&states, 64);
    states.limit = 1; /* the first step writes, the second has nowhere to */
    position = 0;
    compute(&states, &position, 5, false);
    loam_step_sequence sequence = {.row_count = 1, .position = 5};
    CHECK_EQUAL(loam_states_prepare(&states, &sequence, false, &error), LOAM_MEMORY);
    sequence.position = 3;
    CHECK_EQUAL(loam_states_prepare(&states, &sequence, false, &error), LOAM_STATE);
    loam_states_end(&states);
}

int main(void)
{
    RUN(scans_are_their_formulas);
    RUN(scans_may_be_cut);
    RUN(what_is_not_finite_is_told);
    RUN(convolutions_are_sums_over_the_past);
    RUN(sums_of_groups);
    RUN(scans_that_cannot_be_are_refused);
    RUN(convolutions_that_cannot_be_are_refused);
    RUN(a_step_that_was_given_up_changed_nothing);
    RUN(steps_without_their_states_are_refused);
    RUN(the_budget_says_how_many);
    RUN(states_are_spread_over_the_content);
    RUN(two_slots_do_where_memory_is_short);
    loam_engine_release(engine);
    return test_end();
}

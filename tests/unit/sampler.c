/* SPDX-License-Identifier: MIT */
/* The sampler against one that sorts everything, and its promises. */
#include "test.h"

#include <math.h>

#include "base/numeric.h"
#include "sample/sampler.h"

/* ---- the same choice, the slow way ---------------------------------------- */

struct ranked {
    double value;
    int32_t id;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_id(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static double weight_sum_by_id(const struct ranked *ranked, size_t count, double highest)
{
    struct ranked *copy = malloc((count + 1) * sizeof *copy);
    double sum = 0;
    memcpy(copy, ranked, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, by_id);
    for (size_t i = 0; i < count; i++)
        sum += loam_exp(copy[i].value - highest);
    free(copy);
    return sum;
}

static void naive_penalties(double *values, const loam_generation_options *options,
                            const int32_t *content, size_t count, uint32_t vocabulary)
{
    size_t window = options->penalty_window && options->penalty_window < count
                        ? options->penalty_window
                        : count;
    uint32_t *counts = calloc(vocabulary, sizeof *counts);
    for (size_t i = count - window; i < count; i++)
        if (content[i] >= 0 && (uint32_t)content[i] < vocabulary)
            counts[content[i]]++;
    double repetition = options->repetition_penalty > 0 ? options->repetition_penalty : 1;
    for (uint32_t i = 0; i < vocabulary; i++) {
        if (!counts[i])
            continue;
        values[i] = values[i] > 0 ? values[i] / repetition : values[i] * repetition;
        values[i] = values[i] - (double)options->frequency_penalty * counts[i];
        values[i] = values[i] - options->presence_penalty;
    }
    free(counts);
}

static size_t naive_cut(const struct ranked *ranked, size_t kept,
                        const loam_generation_options *options)
{
    double highest = ranked[0].value;
    if (options->top_k && kept > (size_t)options->top_k)
        kept = (size_t)options->top_k;
    if (options->top_p > 0 && options->top_p < 1) {
        double total = weight_sum_by_id(ranked, kept, highest), sum = 0;
        for (size_t i = 0; i < kept; i++) {
            sum += loam_exp(ranked[i].value - highest);
            if (sum >= options->top_p * total)
                kept = i + 1;
        }
    }
    if (options->min_p > 0)
        for (size_t i = 1; i < kept; i++)
            if (loam_exp(ranked[i].value - highest) < options->min_p)
                kept = i;
    return kept;
}

static int32_t naive_draw(const struct ranked *ranked, size_t kept, uint64_t seed,
                          uint64_t position)
{
    uint32_t counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), 0, 0}, words[4];
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    loam_philox(words, counter, key);
    uint64_t bits = (uint64_t)(words[0] >> 5) << 26 | words[1] >> 6;
    double u = ldexp((double)bits, -53);
    double total = weight_sum_by_id(ranked, kept, ranked[0].value), sum = 0;
    int32_t last = ranked[0].id;
    for (size_t i = 0; i < kept; i++) {
        double weight = loam_exp(ranked[i].value - ranked[0].value);
        sum += weight;
        if (weight > 0)
            last = ranked[i].id;
        if (sum > u * total)
            return ranked[i].id;
    }
    return last;
}

/* -1 if no token may be chosen. */
static int32_t naive_choose(const float *logits, uint32_t vocabulary,
                            const loam_generation_options *options, const int32_t *content,
                            size_t content_count)
{
    double *values = malloc(vocabulary * sizeof *values);
    struct ranked *ranked = malloc(vocabulary * sizeof *ranked);
    size_t finite = 0;
    for (uint32_t i = 0; i < vocabulary; i++)
        values[i] = logits[i];
    for (size_t i = 0; i < options->logit_bias_count; i++)
        values[options->logit_bias[i].token] += options->logit_bias[i].bias;
    naive_penalties(values, options, content, content_count, vocabulary);
    for (uint32_t i = 0; i < vocabulary; i++) {
        double value = options->temperature > 0 ? values[i] / options->temperature : values[i];
        if (value > -INFINITY)
            ranked[finite++] = (struct ranked){value, (int32_t)i};
    }
    int32_t token = -1;
    qsort(ranked, finite, sizeof *ranked, by_rank);
    if (finite && !(options->temperature > 0))
        token = ranked[0].id;
    else if (finite)
        token =
            naive_draw(ranked, naive_cut(ranked, finite, options), options->seed, content_count);
    free(values);
    free(ranked);
    return token;
}

/* ---- helpers --------------------------------------------------------------- */

static float random_unit(uint64_t *state)
{
    return (float)(test_random(state) >> 8) * 0x1p-24f;
}

/* Kinds of rows: a bell, few distinct values, all equal, holes, tiny numbers,
 * huge numbers, and mostly impossible. */
enum { KINDS = 7 };

static void random_logits(float *logits, uint32_t count, unsigned kind, uint64_t *state)
{
    for (uint32_t i = 0; i < count; i++) {
        float bell = -6;
        for (int j = 0; j < 12; j++)
            bell += random_unit(state);
        uint32_t pick = test_random(state);
        float small = (float)((int)(pick % 7) - 3);
        const float by_kind[KINDS] = {
            3 * bell,
            small == 0 && (pick & 0x10000) ? -0.0f : small,
            1.5f,
            pick % 3 ? bell : -INFINITY,
            small * 0x1p-149f,
            pick % 2 ? bell * 0x1p+124f : bell,
            pick % 50 ? -INFINITY : bell,
        };
        logits[i] = by_kind[kind];
    }
}

enum { MOST_BIASES = 8 };

static void random_options(loam_generation_options *options, loam_logit_bias *bias,
                           uint32_t vocabulary, uint64_t *state)
{
    static const float temperatures[] = {0, 0.0f, 0.7f, 1, 1, 5, 1e-3f, 0x1p-149f, 3e38f};
    static const float shares[] = {0, 0, 1, 0.5f, 0.95f, 0.01f, 0x1p-149f};
    static const float penalties[] = {0, 0, 1, 1.1f, 2, 0.5f};
    static const float minus[] = {0, 0, 0.5f, -0.5f, 3e38f, -1e-3f};
    static const int32_t tops[] = {0, 0, 1, 2, 40, 64, 65, 700, 2147483647};
#define PICK(array) ((array)[test_random(state) % (sizeof(array) / sizeof((array)[0]))])
    *options = (loam_generation_options){.struct_size = sizeof *options};
    options->temperature = PICK(temperatures);
    options->top_k = PICK(tops);
    options->top_p = PICK(shares);
    options->min_p = PICK(shares);
    options->seed = (uint64_t)test_random(state) << 32 | test_random(state);
    options->repetition_penalty = PICK(penalties);
    options->frequency_penalty = PICK(minus);
    options->presence_penalty = PICK(minus);
    options->penalty_window = test_random(state) % 3 ? test_random(state) % 70 : 0;
    options->logit_bias = bias;
    options->logit_bias_count = test_random(state) % 2 ? test_random(state) % MOST_BIASES : 0;
    for (size_t i = 0; i < options->logit_bias_count; i++) {
        bias[i].token = (int32_t)(test_random(state) % vocabulary);
        bias[i].bias = test_random(state) % 3 ? 4 * random_unit(state) - 2 : -INFINITY;
    }
}

static struct memory test_memory;

static struct sampler *new_sampler(uint32_t vocabulary)
{
    struct sampler *sampler = NULL;
    if (loam_sampler_create(&sampler, &test_memory, vocabulary, NULL) != LOAM_OK)
        exit(2);
    return sampler;
}

static int32_t choose(struct sampler *sampler, const float *logits, size_t position)
{
    struct sample sample;
    static const int32_t content[4096];
    loam_status status = loam_sampler_choose(&sample, sampler, logits, content, position, NULL);
    return status == LOAM_OK ? sample.token : -1000 - status;
}

/* `rounds` random rows and options; the number of choices that differ. */
static int compare(uint32_t vocabulary, int rounds, uint64_t seed)
{
    enum { CONTENT = 100 };
    struct sampler *sampler = new_sampler(vocabulary);
    float *logits = malloc(vocabulary * sizeof *logits);
    int32_t content[CONTENT];
    loam_logit_bias bias[MOST_BIASES];
    loam_generation_options options;
    int differ = 0;
    for (int round = 0; round < rounds; round++) {
        random_logits(logits, vocabulary, (unsigned)round % KINDS, &seed);
        random_options(&options, bias, vocabulary, &seed);
        size_t count = test_random(&seed) % CONTENT;
        for (size_t i = 0; i < count; i++)
            content[i] = (int32_t)(test_random(&seed) % (vocabulary < 30 ? vocabulary + 1 : 30)) -
                         (test_random(&seed) % 20 == 0);
        if (loam_sampler_configure(sampler, &options, NULL) != LOAM_OK)
            differ++;
        uint64_t held = atomic_load(&test_memory.held);
        struct sample sample;
        loam_status status = loam_sampler_choose(&sample, sampler, logits, content, count, NULL);
        int32_t wanted = naive_choose(logits, vocabulary, &options, content, count);
        if (sample.token != wanted || status != (wanted < 0 ? LOAM_NUMERIC : LOAM_OK) ||
            held != atomic_load(&test_memory.held)) {
            printf("# vocabulary %u, round %d: %d, not %d\n", (unsigned)vocabulary, round,
                   (int)sample.token, (int)wanted);
            differ++;
        }
    }
    free(logits);
    loam_sampler_destroy(sampler);
    return differ;
}

/* ---- tests ------------------------------------------------------------------ */

static void equals_the_naive_one_on_small_vocabularies(void)
{
    for (uint32_t vocabulary = 1; vocabulary <= 80; vocabulary++)
        CHECK_EQUAL(compare(vocabulary, 200, vocabulary), 0);
}

static void equals_the_naive_one_on_large_vocabularies(void)
{
    CHECK_EQUAL(compare(777, 400, 1), 0);
    CHECK_EQUAL(compare(5000, 200, 2), 0);
    CHECK_EQUAL(compare(128000, 14, 3), 0);
}

static void ties_go_to_the_lower_id(void)
{
    const float logits[6] = {1, 3, 3, -0.0f, 0, 3};
    struct sampler *sampler = new_sampler(6);
    CHECK_EQUAL(choose(sampler, logits, 0), 1);
    loam_logit_bias bias[2] = {{1, -INFINITY}, {2, -1}};
    loam_generation_options options = {sizeof options, .logit_bias = bias, .logit_bias_count = 2};
    CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
    bias[0].token = 5; /* it was copied */
    CHECK_EQUAL(choose(sampler, logits, 0), 5);
    options = (loam_generation_options){sizeof options, .temperature = 1, .top_k = 1};
    CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
    for (size_t position = 0; position < 100; position++)
        CHECK_EQUAL(choose(sampler, logits, position), 1);
    const float zeros[6] = {-1, -0.0f, 0, -1, 0, -1};
    CHECK_EQUAL(choose(sampler, zeros, 0), 1);
    loam_sampler_destroy(sampler);
}

/* By hand: shares are 0.4, 0.3, 0.2, 0.1 for ids 2, 0, 3, 1. */
static void cuts_where_it_says(void)
{
    const float logits[4] = {logf(0.3f), logf(0.1f), logf(0.4f), logf(0.2f)};
    static const struct {
        int32_t top_k;
        float top_p, min_p;
        unsigned kept; /* bit i: id i can be drawn */
    } cases[] = {
        {0, 0, 0, 0xF},        {0, 1, 0, 0xF},     {3, 0, 0, 0xD},     {9, 0, 0, 0xF},
        {0, 0.39f, 0, 0x4},    {0, 0.41f, 0, 0x5}, {0, 0.69f, 0, 0x5}, {0, 0.71f, 0, 0xD},
        {0, 0.01f, 0, 0x4},    {2, 0.56f, 0, 0x4}, {2, 0.58f, 0, 0x5}, {0, 0, 0.26f, 0xD},
        {0, 0, 0.24f, 0xF},    {0, 0, 0.74f, 0x5}, {0, 0, 0.76f, 0x4}, {0, 0, 1, 0x4},
        {0, 0.95f, 0.6f, 0x5},
    };
    struct sampler *sampler = new_sampler(4);
    for (size_t i = 0; i < LOAM_COUNT_OF(cases); i++) {
        loam_generation_options options = {sizeof options, .temperature = 1,
                                           .top_k = cases[i].top_k, .top_p = cases[i].top_p,
                                           .min_p = cases[i].min_p};
        CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
        unsigned seen = 0;
        for (size_t position = 0; position < 400; position++)
            seen |= 1u << choose(sampler, logits, position);
        CHECK_EQUAL(seen, cases[i].kept);
    }
    loam_sampler_destroy(sampler);
}

static void penalties_are_those_of_the_window(void)
{
    const float logits[4] = {2, 1.5f, -1, -1.25f};
    const int32_t content[5] = {0, 1, 0, 2, 2};
    struct sampler *sampler = new_sampler(4);
    struct sample sample;
    static const struct {
        float repetition, frequency, presence;
        uint32_t window;
        int32_t forbidden, token;
    } cases[] = {
        {2, 0, 0, 0, 3, 0},       /* 1, 0.75, -2 */
        {2, 0, 0, 3, 3, 1},       /* 1, 1.5, -2 */
        {2, 0, 0, 2, 3, 0},       /* 2, 1.5, -2 */
        {0, 0.75f, 0, 0, 3, 1},   /* 0.5, 0.75 */
        {0, 0, 0.75f, 0, 3, 0},   /* 1.25, 0.75 */
        {0, 0, 0.75f, 3, 3, 1},   /* 1.25, 1.5 */
        {1, 0, -4, 1, 3, 2},      /* -1 becomes 3 */
        {0.1f, 0, 0, 1000, 0, 1}, /* 15 */
    };
    for (size_t i = 0; i < LOAM_COUNT_OF(cases); i++) {
        const loam_logit_bias bias = {cases[i].forbidden, -INFINITY};
        loam_generation_options options = {sizeof options,
                                           .repetition_penalty = cases[i].repetition,
                                           .frequency_penalty = cases[i].frequency,
                                           .presence_penalty = cases[i].presence,
                                           .penalty_window = cases[i].window,
                                           .logit_bias = &bias,
                                           .logit_bias_count = 1};
        CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
        CHECK_EQUAL(loam_sampler_choose(&sample, sampler, logits, content, 5, NULL), LOAM_OK);
        CHECK_EQUAL(sample.token, cases[i].token);
    }
    loam_sampler_destroy(sampler);
}

/* Pearson's statistic of 20000 draws; 27.88 is passed once in a thousand with
 * 9 degrees of freedom. Seeds are fixed, so the result is as well. */
static void draws_follow_the_distribution(void)
{
    enum { TOKENS = 10, DRAWS = 4000, SEEDS = 5 };
    float logits[TOKENS];
    double expected[TOKENS], total = 0, statistic = 0;
    unsigned counts[TOKENS] = {0};
    for (int i = 0; i < TOKENS; i++) {
        logits[i] = (float)((i * 7) % TOKENS) * 0.3f;
        expected[i] = exp(logits[i] / 0.8f);
        total += expected[i];
    }
    struct sampler *sampler = new_sampler(TOKENS);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        loam_generation_options options = {sizeof options, .temperature = 0.8f, .seed = seed << 31};
        CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
        for (size_t position = 0; position < DRAWS; position++)
            counts[choose(sampler, logits, position)]++;
    }
    for (int i = 0; i < TOKENS; i++) {
        double wanted = expected[i] / total * DRAWS * SEEDS, off = counts[i] - wanted;
        statistic += off * off / wanted;
    }
    CHECK(statistic < 27.88);
    CHECK(statistic > 0.5); /* too good to be random */
    loam_sampler_destroy(sampler);
}

static void draws_are_of_seed_and_position(void)
{
    enum { TOKENS = 1000, DRAWS = 200 };
    const float logits[TOKENS] = {0};
    int32_t first[DRAWS];
    int same_seed = 0, next_position = 0, other_seed = 0, high_seed = 0;
    struct sampler *a = new_sampler(TOKENS), *b = new_sampler(TOKENS);
    loam_generation_options options = {sizeof options, .temperature = 1, .seed = 42};
    CHECK_EQUAL(loam_sampler_configure(a, &options, NULL), LOAM_OK);
    CHECK_EQUAL(loam_sampler_configure(b, &options, NULL), LOAM_OK);
    for (size_t i = 0; i < DRAWS; i++)
        first[i] = choose(a, logits, i);
    for (size_t i = DRAWS; i-- > 0;) {
        same_seed += choose(b, logits, i) == first[i];
        next_position += choose(b, logits, i + 1) == first[i];
    }
    options.seed = 43;
    CHECK_EQUAL(loam_sampler_configure(b, &options, NULL), LOAM_OK);
    for (size_t i = 0; i < DRAWS; i++)
        other_seed += choose(b, logits, i) == first[i];
    options.seed = 42 + (UINT64_C(1) << 32);
    CHECK_EQUAL(loam_sampler_configure(b, &options, NULL), LOAM_OK);
    for (size_t i = 0; i < DRAWS; i++)
        high_seed += choose(b, logits, i) == first[i];
    CHECK_EQUAL(same_seed, DRAWS);
    CHECK(next_position < 5 && other_seed < 5 && high_seed < 5);
    loam_sampler_destroy(a);
    loam_sampler_destroy(b);
}

static int close_to(double a, double b)
{
    return fabs(a - b) < 1e-6 * (1 + fabs(b));
}

static void reports_log_probabilities(void)
{
    enum { TOKENS = 300 };
    float logits[TOKENS];
    uint64_t state = 5;
    random_logits(logits, TOKENS, 0, &state);
    logits[17] = logits[200] = 20;
    logits[3] = -INFINITY;
    double total = 0;
    for (int i = 0; i < TOKENS; i++)
        total += exp(logits[i]);
    struct ranked ranked[TOKENS];
    for (int i = 0; i < TOKENS; i++)
        ranked[i] = (struct ranked){logits[i], i};
    qsort(ranked, TOKENS, sizeof *ranked, by_rank);
    struct sampler *sampler = new_sampler(TOKENS);
    const loam_logit_bias bias = {17, -30}; /* does not show in what is reported */
    const int32_t content[3] = {200, 5, 6};
    for (uint32_t n = 0; n <= 64; n += 32) {
        loam_generation_options options = {sizeof options,          .temperature = 2,
                                           .repetition_penalty = 3, .logit_bias = &bias,
                                           .logit_bias_count = 1,   .log_probability = 1,
                                           .candidates = n};
        struct sample sample;
        CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
        REQUIRE(loam_sampler_choose(&sample, sampler, logits, content, 3, NULL) == LOAM_OK);
        CHECK(close_to(sample.log_probability, logits[sample.token] - log(total)));
        CHECK_EQUAL(sample.candidate_count, n);
        CHECK((sample.candidates != NULL) == (n > 0));
        for (uint32_t i = 0; i < n; i++) {
            CHECK_EQUAL(sample.candidates[i].token, ranked[i].id);
            CHECK(close_to(sample.candidates[i].log_probability, ranked[i].value - log(total)));
        }
    }
    loam_sampler_destroy(sampler);
}

static void candidates_are_possible_tokens(void)
{
    const float logits[5] = {-INFINITY, 0, -INFINITY, 0, -INFINITY};
    struct sampler *sampler = new_sampler(5);
    loam_generation_options options = {sizeof options, .candidates = 64};
    struct sample sample;
    CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
    REQUIRE(loam_sampler_choose(&sample, sampler, logits, NULL, 0, NULL) == LOAM_OK);
    REQUIRE(sample.candidate_count == 2);
    CHECK_EQUAL(sample.candidates[0].token, 1);
    CHECK_EQUAL(sample.candidates[1].token, 3);
    CHECK(close_to(sample.candidates[1].log_probability, -log(2)));
    CHECK(sample.log_probability == 0); /* not asked for */
    loam_sampler_destroy(sampler);
}

static void numeric_names_the_token(void)
{
    float logits[4] = {1, 2, 3, 4};
    const float bad[2] = {NAN, INFINITY};
    struct sampler *sampler = new_sampler(4);
    struct sample sample;
    loam_error error = {.struct_size = sizeof error};
    for (int i = 0; i < 4; i++) {
        const loam_generation_options options = {sizeof options, .temperature = (float)(i % 2)};
        CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
        logits[2] = bad[i / 2];
        CHECK_EQUAL(loam_sampler_choose(&sample, sampler, logits, NULL, 0, &error), LOAM_NUMERIC);
        CHECK(strstr(error.message, "token 2 ") != NULL);
        CHECK_EQUAL(sample.token, -1);
    }
    for (int i = 0; i < 4; i++)
        logits[i] = -INFINITY;
    CHECK_EQUAL(loam_sampler_choose(&sample, sampler, logits, NULL, 0, &error), LOAM_NUMERIC);
    logits[1] = 0;
    CHECK_EQUAL(choose(sampler, logits, 0), 1);
    const loam_logit_bias bias = {1, -INFINITY};
    const loam_generation_options options = {sizeof options, .logit_bias = &bias,
                                             .logit_bias_count = 1};
    CHECK_EQUAL(loam_sampler_configure(sampler, &options, NULL), LOAM_OK);
    CHECK_EQUAL(loam_sampler_choose(&sample, sampler, logits, NULL, 0, &error), LOAM_NUMERIC);
    loam_sampler_destroy(sampler);
}

/* A refused setting names its field and leaves the former one. */
static void refuses_bad_options(void)
{
    static const loam_logit_bias low = {-1, 0}, high = {4, 0}, nan = {0, NAN}, inf = {0, INFINITY};
    static const loam_logit_bias fourth = {3, -INFINITY};
    static const struct {
        const char *field;
        loam_generation_options options;
    } cases[] = {
        {"temperature is negative", {.temperature = -1}},
        {"temperature is not a number", {.temperature = NAN}},
        {"temperature is infinite", {.temperature = INFINITY}},
        {"top_k is -1", {.top_k = -1}},
        {"top_p is negative", {.top_p = -0.1f}},
        {"top_p is above 1", {.top_p = 1.1f}},
        {"top_p is not a number", {.top_p = NAN}},
        {"min_p is negative", {.min_p = -INFINITY}},
        {"min_p is above 1", {.min_p = INFINITY}},
        {"repetition_penalty is negative", {.repetition_penalty = -1}},
        {"repetition_penalty is infinite", {.repetition_penalty = INFINITY}},
        {"frequency_penalty is infinite", {.frequency_penalty = -INFINITY}},
        {"presence_penalty is not a number", {.presence_penalty = NAN}},
        {"candidates is 65", {.candidates = 65}},
        {"logit_bias is NULL", {.logit_bias_count = 3}},
        {"logit_bias[0].token is -1", {.logit_bias = &low, .logit_bias_count = 1}},
        {"logit_bias[0].token is 4", {.logit_bias = &high, .logit_bias_count = 1}},
        {"logit_bias[0].bias is not", {.logit_bias = &nan, .logit_bias_count = 1}},
        {"logit_bias[0].bias is +inf", {.logit_bias = &inf, .logit_bias_count = 1}},
    };
    const float logits[4] = {1, 2, 3, 4};
    struct sampler *sampler = new_sampler(4);
    const loam_generation_options former = {sizeof former, .logit_bias = &fourth,
                                            .logit_bias_count = 1};
    CHECK_EQUAL(loam_sampler_configure(sampler, &former, NULL), LOAM_OK);
    for (size_t i = 0; i < LOAM_COUNT_OF(cases); i++) {
        loam_error error = {.struct_size = sizeof error};
        CHECK_EQUAL(loam_sampler_configure(sampler, &cases[i].options, &error),
                    LOAM_INVALID_ARGUMENT);
        CHECK(strncmp(error.message, cases[i].field, strlen(cases[i].field)) == 0);
        CHECK_EQUAL(choose(sampler, logits, 0), 2);
    }
    loam_sampler_destroy(sampler);
}

/* ---- memory ----------------------------------------------------------------- */

struct failing {
    int left; /* allocations until one fails */
};

static void *failing_allocate(void *user, size_t size, size_t alignment)
{
    struct failing *failing = user;
    (void)alignment;
    return failing->left-- > 0 ? malloc(size) : NULL;
}

static void failing_release(void *user, void *block, size_t size, size_t alignment)
{
    (void)user;
    (void)size;
    (void)alignment;
    free(block);
}

static void survives_every_failed_allocation(void)
{
    const float logits[4] = {1, 2, 3, 4};
    const loam_logit_bias bias = {3, -INFINITY};
    const loam_generation_options all = {
        sizeof all,           .temperature = 1,      .top_k = 1,
        .candidates = 3,      .presence_penalty = 5, .logit_bias = &bias,
        .logit_bias_count = 1};
    int failures = 0;
    for (int left = 0;; left++) {
        struct failing failing = {left};
        struct memory memory;
        const loam_allocator host = {sizeof host,     &failing, failing_allocate,
                                     failing_release, 0,        0};
        loam_memory_init(&memory, &host, 0);
        struct sampler *sampler;
        loam_error error = {.struct_size = sizeof error};
        loam_status status = loam_sampler_create(&sampler, &memory, 4, &error);
        if (status == LOAM_OK) {
            status = loam_sampler_configure(sampler, &all, &error);
            CHECK_EQUAL(choose(sampler, logits, 0), status == LOAM_OK ? 2 : 3);
        } else {
            CHECK(sampler == NULL);
        }
        CHECK_EQUAL(error.code, status);
        if (sampler && status != LOAM_OK) { /* and once more with memory */
            failing.left = 100;
            CHECK_EQUAL(loam_sampler_configure(sampler, &all, NULL), LOAM_OK);
            CHECK_EQUAL(choose(sampler, logits, 0), 2);
        }
        loam_sampler_destroy(sampler);
        CHECK_EQUAL(atomic_load(&memory.held), 0);
        if (status == LOAM_OK)
            break;
        CHECK_EQUAL(status, LOAM_MEMORY);
        failures++;
    }
    CHECK_EQUAL(failures, 5);
}

static void gives_all_memory_back(void)
{
    CHECK_EQUAL(atomic_load(&test_memory.held), 0);
}

int main(void)
{
    loam_memory_init(&test_memory, NULL, 0);
    RUN(equals_the_naive_one_on_small_vocabularies);
    RUN(equals_the_naive_one_on_large_vocabularies);
    RUN(ties_go_to_the_lower_id);
    RUN(cuts_where_it_says);
    RUN(penalties_are_those_of_the_window);
    RUN(draws_follow_the_distribution);
    RUN(draws_are_of_seed_and_position);
    RUN(reports_log_probabilities);
    RUN(candidates_are_possible_tokens);
    RUN(numeric_names_the_token);
    RUN(refuses_bad_options);
    RUN(survives_every_failed_allocation);
    RUN(gives_all_memory_back);
    return test_end();
}

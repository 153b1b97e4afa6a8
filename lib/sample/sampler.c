/* SPDX-License-Identifier: MIT */
/*
 * The choice, exactly. All numbers are double.
 *
 *   1. Each logit, plus its biases in the order given.
 *   2. For each token with c > 0 occurrences in the window: a logit above 0 is
 *      divided by the repetition penalty, any other multiplied by it (Keskar
 *      et al., "CTRL", 2019); then frequency * c is subtracted, then presence.
 *   3. Temperature 0: the highest, ties to the lower id. Otherwise each logit
 *      is divided by the temperature, and tokens rank by the result, ties to
 *      the lower id. Those at -infinity are out. The weight of a token is
 *      exp(its logit - the highest logit).
 *   4. top_k keeps the first k ranks. top_p keeps the fewest first ranks whose
 *      weights, added in order of rank, reach top_p * the sum of all weights
 *      still kept, added in order of ids. min_p keeps the ranks before the
 *      first whose weight is below min_p; the first rank always stays.
 *   5. The draw: Philox of counter (position low, position high, 0, 0) and key
 *      (seed low, seed high); its words a, b give
 *      u = ((a >> 5) * 2^26 + (b >> 6)) * 2^-53. The token is the first in
 *      order of rank at which the weights added so far exceed u * total; total
 *      is the sum of the kept weights in order of ids. If rounding lets none
 *      exceed it, the last one whose weight is above 0.
 */
#include "sample/sampler.h"

#include <math.h>

#include "base/features.h"
#include "base/numeric.h"
#include "sample/ranking.h"
#include "sample/settings.h"

struct sampler {
    struct memory *memory;
    uint32_t vocabulary, features; /* of the CPU */
    struct settings settings;
    double *values;   /* [vocabulary]; NULL while no setting needs it, as the next two */
    int32_t *ids;     /* [vocabulary] */
    uint32_t *counts; /* [vocabulary]; all 0 between calls */
    loam_candidate candidates[MOST_CANDIDATES];
};

/* ---- life and settings ------------------------------------------------------------ */

loam_status loam_sampler_create(struct sampler **out, struct memory *memory, uint32_t vocabulary,
                                loam_error *error)
{
    *out = NULL;
    if (vocabulary < 1 || vocabulary > INT32_MAX)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "the vocabulary has %lu tokens, expected 1 to 2147483647",
                         (unsigned long)vocabulary);
    struct sampler *sampler = loam_memory_get_zero(memory, 1, sizeof *sampler);
    if (!sampler)
        return loam_fail_memory(error, sizeof *sampler);
    sampler->memory = memory;
    sampler->vocabulary = vocabulary;
    sampler->features = loam_cpu_features();
    *out = sampler;
    return LOAM_OK;
}

void loam_sampler_destroy(struct sampler *sampler)
{
    if (!sampler)
        return;
    loam_memory_free(sampler->memory, sampler->settings.bias);
    loam_memory_free(sampler->memory, sampler->values);
    loam_memory_free(sampler->memory, sampler->ids);
    loam_memory_free(sampler->memory, sampler->counts);
    loam_memory_free(sampler->memory, sampler);
}

/* Working memory for the settings. What was got before a failure stays, unused. */
static bool get_working_memory(struct sampler *sampler, const struct settings *settings)
{
    struct memory *memory = sampler->memory;
    bool adjusts = settings->bias_count || settings->penalise;
    bool ranks = settings->temperature > 0 || settings->candidates;
    if ((adjusts || ranks) && !sampler->values)
        sampler->values = loam_memory_get(memory, sampler->vocabulary, sizeof(double));
    if (ranks && !sampler->ids)
        sampler->ids = loam_memory_get(memory, sampler->vocabulary, sizeof(int32_t));
    if (settings->penalise && !sampler->counts)
        sampler->counts = loam_memory_get_zero(memory, sampler->vocabulary, sizeof(uint32_t));
    return (sampler->values || !(adjusts || ranks)) && (sampler->ids || !ranks) &&
           (sampler->counts || !settings->penalise);
}

loam_status loam_sampler_configure(struct sampler *sampler, const loam_generation_options *options,
                                   loam_error *error)
{
    struct settings settings;
    loam_status status = loam_settings_read(&settings, options, sampler->vocabulary, error);
    if (status != LOAM_OK)
        return status;
    if (!get_working_memory(sampler, &settings))
        return loam_fail_memory(error, (uint64_t)sampler->vocabulary * 16);
    if (settings.bias_count) {
        size_t bytes = settings.bias_count * sizeof *settings.bias; /* of an array that exists */
        settings.bias = loam_memory_get(sampler->memory, 1, bytes);
        if (!settings.bias)
            return loam_fail_memory(error, bytes);
        memcpy(settings.bias, options->logit_bias, bytes);
    }
    loam_memory_free(sampler->memory, sampler->settings.bias);
    sampler->settings = settings;
    return LOAM_OK;
}

/* ---- logits -------------------------------------------------------------- */

static loam_status all_forbidden(loam_error *error)
{
    return loam_fail(error, LOAM_NUMERIC,
                     "the logits of all tokens are -infinity, expected one that may be chosen");
}

/* *out is the id of the highest logit. One comparison per logit also finds
 * what is no number or +infinity, since neither is <= a finite `highest`. */
static loam_status check_logits(int32_t *out, const float *logits, uint32_t count,
                                loam_error *error)
{
    float highest = -INFINITY;
    int32_t token = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (logits[i] <= highest)
            continue;
        if (isnan(logits[i]) || logits[i] == INFINITY)
            return loam_fail(error, LOAM_NUMERIC,
                             "the logit of token %lu is %s, expected a finite number",
                             (unsigned long)i, isnan(logits[i]) ? "not a number" : "+infinity");
        highest = logits[i];
        token = (int32_t)i;
    }
    *out = token;
    return token < 0 ? all_forbidden(error) : LOAM_OK;
}

/* The id of the highest value, -1 if all are -infinity. *out_finite counts
 * those that are not. */
static int32_t highest_value(uint32_t *out_finite, const double *values, uint32_t count)
{
    double highest = -INFINITY;
    int32_t token = -1;
    uint32_t finite = 0;
    for (uint32_t i = 0; i < count; i++) {
        finite += values[i] > -INFINITY;
        if (values[i] > highest) {
            highest = values[i];
            token = (int32_t)i;
        }
    }
    *out_finite = finite;
    return token;
}

/* Penalties of the tokens of window[count]. The second pass takes back what
 * the first has counted, so that nothing costs a pass over the vocabulary. */
static void penalise(struct sampler *sampler, const int32_t *window, size_t count)
{
    const struct settings *settings = &sampler->settings;
    /* A row of the content that is no token of the vocabulary has no logit. */
    for (size_t i = 0; i < count; i++)
        if (window[i] >= 0 && (uint32_t)window[i] < sampler->vocabulary)
            sampler->counts[window[i]]++;
    for (size_t i = 0; i < count; i++) {
        if (window[i] < 0 || (uint32_t)window[i] >= sampler->vocabulary)
            continue;
        uint32_t occurrences = sampler->counts[window[i]];
        if (!occurrences)
            continue;
        sampler->counts[window[i]] = 0;
        double value = sampler->values[window[i]];
        value = value > 0 ? value / settings->repetition : value * settings->repetition;
        value -= settings->frequency * occurrences;
        sampler->values[window[i]] = value - settings->presence;
    }
}

/* Biases and penalties, on values that hold the logits. */
static void adjust(struct sampler *sampler, const int32_t *content, size_t content_count)
{
    const struct settings *settings = &sampler->settings;
    for (size_t i = 0; i < settings->bias_count; i++)
        sampler->values[settings->bias[i].token] += settings->bias[i].bias;
    if (settings->penalise && content_count) {
        size_t window = content_count;
        if (settings->penalty_window)
            window = loam_min(window, settings->penalty_window);
        penalise(sampler, content + (content_count - window), window);
    }
}

/* ---- sums -------------------------------------------------------------- */

enum { TOGETHER = 64 };

/* A sum of e^x over x as they come, some at a time. */
struct sum {
    double total, waiting[TOGETHER];
    size_t count; /* of those waiting */
    uint32_t features;
};

static void add_waiting(struct sum *sum)
{
    loam_exp_each(sum->waiting, sum->count, sum->features);
    for (size_t i = 0; i < sum->count; i++)
        sum->total += sum->waiting[i];
    sum->count = 0;
}

static inline void add_power(struct sum *sum, double x)
{
    sum->waiting[sum->count++] = x;
    if (sum->count == TOGETHER)
        add_waiting(sum);
}

static double end_sum(struct sum *sum)
{
    add_waiting(sum);
    return sum->total;
}

/* ---- report -------------------------------------------------------------- */

/* Log of the sum of e^logit, by ids. */
static double log_sum(const struct sampler *sampler, const float *logits, double highest)
{
    struct sum sum = {.features = sampler->features};
    for (uint32_t i = 0; i < sampler->vocabulary; i++)
        if (logits[i] > -INFINITY)
            add_power(&sum, logits[i] - highest);
    return highest + loam_log(end_sum(&sum));
}

/* The likeliest tokens, on values that hold the logits; impossible ones are
 * not among them. */
static size_t find_candidates(struct sampler *sampler, double log_total)
{
    uint32_t finite;
    highest_value(&finite, sampler->values, sampler->vocabulary);
    struct ranking ranking = {
        .values = sampler->values,
        .value_count = sampler->vocabulary,
        .ids = sampler->ids,
        .limit = (uint32_t)loam_min(finite, sampler->settings.candidates),
    };
    for (uint32_t rank = 0; rank < ranking.limit; rank++) {
        int32_t token = loam_ranking_at(&ranking, rank);
        sampler->candidates[rank].token = token;
        sampler->candidates[rank].log_probability = (float)(sampler->values[token] - log_total);
    }
    return ranking.limit;
}

/* ---- choice -------------------------------------------------------------- */

static inline double weight_of(const double *values, int32_t token, double highest)
{
    return loam_exp(values[token] - highest);
}

/* The weights of the first `kept` ranks, added by ids. */
static double sum_of_kept(const struct sampler *sampler, struct ranking *ranking, uint32_t kept,
                          uint32_t finite, double highest)
{
    struct sum sum = {.features = sampler->features};
    const double *values = ranking->values;
    double floor = -INFINITY;
    int32_t last = -1;
    if (kept < finite) {
        last = loam_ranking_at(ranking, kept - 1);
        floor = values[last];
    }
    for (uint32_t i = 0; i < ranking->value_count; i++)
        if (values[i] > floor || (values[i] == floor && (int32_t)i <= last))
            add_power(&sum, values[i] - highest);
    return end_sum(&sum);
}

/* How many of the first `kept` ranks top_p leaves. */
static uint32_t cut_top_p(struct ranking *ranking, uint32_t kept, double top_p, double total,
                          double highest)
{
    double sum = 0;
    for (uint32_t rank = 0; rank < kept; rank++) {
        sum += weight_of(ranking->values, loam_ranking_at(ranking, rank), highest);
        if (sum >= top_p * total)
            return rank + 1;
    }
    return kept;
}

static uint32_t cut_min_p(struct ranking *ranking, uint32_t kept, double min_p, double highest)
{
    for (uint32_t rank = 1; rank < kept; rank++)
        if (weight_of(ranking->values, loam_ranking_at(ranking, rank), highest) < min_p)
            return rank;
    return kept;
}

/* A number in [0, 1), a multiple of 2^-53. */
static double uniform(uint64_t seed, uint64_t position)
{
    uint32_t words[4];
    const uint32_t counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    loam_philox(words, counter, key);
    return ((words[0] >> 5) * 0x1p26 + (words[1] >> 6)) * 0x1p-53;
}

static int32_t draw(struct ranking *ranking, uint32_t kept, double threshold, double highest)
{
    double sum = 0;
    int32_t chosen = loam_ranking_at(ranking, 0);
    for (uint32_t rank = 0; rank < kept; rank++) {
        int32_t token = loam_ranking_at(ranking, rank);
        double weight = weight_of(ranking->values, token, highest);
        if (weight > 0)
            chosen = token;
        sum += weight;
        if (sum > threshold)
            break;
    }
    return chosen;
}

/* Cut-offs and draw, on values divided by the temperature. */
static int32_t choose_by_chance(struct sampler *sampler, int32_t likeliest, uint32_t finite,
                                uint64_t position)
{
    const struct settings *settings = &sampler->settings;
    double highest = sampler->values[likeliest];
    uint32_t kept = settings->top_k ? (uint32_t)loam_min(settings->top_k, finite) : finite;
    struct ranking ranking = {
        .values = sampler->values,
        .value_count = sampler->vocabulary,
        .ids = sampler->ids,
        .limit = kept,
    };
    double total = sum_of_kept(sampler, &ranking, kept, finite, highest);
    uint32_t left = kept;
    if (settings->top_p > 0)
        left = cut_top_p(&ranking, left, settings->top_p, total, highest);
    if (settings->min_p > 0)
        left = cut_min_p(&ranking, left, settings->min_p, highest);
    if (left < kept)
        total = sum_of_kept(sampler, &ranking, left, finite, highest);
    return draw(&ranking, left, uniform(settings->seed, position) * total, highest);
}

/* The token chosen from values that hold the adjusted logits; -1 if none may be. */
static int32_t choose_token(struct sampler *sampler, uint64_t position)
{
    uint32_t finite;
    double temperature = sampler->settings.temperature;
    if (temperature > 0)
        for (uint32_t i = 0; i < sampler->vocabulary; i++)
            sampler->values[i] /= temperature;
    int32_t likeliest = highest_value(&finite, sampler->values, sampler->vocabulary);
    if (likeliest < 0 || temperature <= 0)
        return likeliest;
    return choose_by_chance(sampler, likeliest, finite, position);
}

loam_status loam_sampler_choose(struct sample *out, struct sampler *sampler, const float *logits,
                                const int32_t *content, size_t content_count, loam_error *error)
{
    const struct settings *settings = &sampler->settings;
    int32_t token = -1;
    *out = (struct sample){.token = -1};
    loam_status status = check_logits(&token, logits, sampler->vocabulary, error);
    if (status != LOAM_OK)
        return status;

    double log_total = 0;
    size_t candidate_count = 0;
    bool adjusts = settings->bias_count || settings->penalise;
    bool chance = settings->temperature > 0;
    if (settings->log_probability || settings->candidates)
        log_total = log_sum(sampler, logits, logits[token]);
    if (adjusts || chance || settings->candidates)
        for (uint32_t i = 0; i < sampler->vocabulary; i++)
            sampler->values[i] = logits[i];
    if (settings->candidates)
        candidate_count = find_candidates(sampler, log_total);
    if (adjusts)
        adjust(sampler, content, content_count);
    if (adjusts || chance)
        token = choose_token(sampler, content_count);
    if (token < 0)
        return all_forbidden(error);

    out->token = token;
    if (settings->log_probability)
        out->log_probability = (float)(logits[token] - log_total);
    out->candidates = candidate_count ? sampler->candidates : NULL;
    out->candidate_count = candidate_count;
    return LOAM_OK;
}

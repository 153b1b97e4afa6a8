/* SPDX-License-Identifier: MIT */
#include "sample/settings.h"

#include <math.h>

static loam_status refuse(loam_error *error, const char *field, const char *found,
                          const char *expected)
{
    return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is %s, expected %s", field, found, expected);
}

static loam_status check_number(float value, bool may_be_negative, const char *field,
                                loam_error *error)
{
    const char *expected = may_be_negative ? "a finite number" : "a finite number, at least 0";
    if (isnan(value))
        return refuse(error, field, "not a number", expected);
    if (isinf(value))
        return refuse(error, field, "infinite", expected);
    if (value < 0 && !may_be_negative)
        return refuse(error, field, "negative", expected);
    return LOAM_OK;
}

static loam_status check_share(float value, const char *field, loam_error *error)
{
    static const char expected[] = "a share from 0 to 1";
    if (isnan(value))
        return refuse(error, field, "not a number", expected);
    if (value < 0)
        return refuse(error, field, "negative", expected);
    if (value > 1)
        return refuse(error, field, "above 1", expected);
    return LOAM_OK;
}

static loam_status check_bias(const loam_logit_bias *bias, size_t count, uint32_t vocabulary,
                              loam_error *error)
{
    if (count && !bias)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "logit_bias is NULL, expected logit_bias_count = %llu entries",
                         (unsigned long long)count);
    for (size_t i = 0; i < count; i++) {
        if (bias[i].token < 0 || (uint32_t)bias[i].token >= vocabulary)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "logit_bias[%llu].token is %ld, expected 0 to %ld",
                             (unsigned long long)i, (long)bias[i].token, (long)vocabulary - 1);
        if (isnan(bias[i].bias) || bias[i].bias == INFINITY)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "logit_bias[%llu].bias is %s, expected a finite number or -infinity",
                             (unsigned long long)i,
                             isnan(bias[i].bias) ? "not a number" : "+infinity");
    }
    return LOAM_OK;
}

static loam_status check_options(const loam_generation_options *options, uint32_t vocabulary,
                                 loam_error *error)
{
    loam_status status = check_number(options->temperature, false, "temperature", error);
    if (status == LOAM_OK && options->top_k < 0)
        status = loam_fail(error, LOAM_INVALID_ARGUMENT, "top_k is %ld, expected at least 0",
                           (long)options->top_k);
    if (status == LOAM_OK)
        status = check_share(options->top_p, "top_p", error);
    if (status == LOAM_OK)
        status = check_share(options->min_p, "min_p", error);
    if (status == LOAM_OK)
        status = check_number(options->repetition_penalty, false, "repetition_penalty", error);
    if (status == LOAM_OK)
        status = check_number(options->frequency_penalty, true, "frequency_penalty", error);
    if (status == LOAM_OK)
        status = check_number(options->presence_penalty, true, "presence_penalty", error);
    if (status == LOAM_OK && options->candidates > MOST_CANDIDATES)
        status = loam_fail(error, LOAM_INVALID_ARGUMENT, "candidates is %lu, expected at most %d",
                           (unsigned long)options->candidates, MOST_CANDIDATES);
    if (status == LOAM_OK)
        status = check_bias(options->logit_bias, options->logit_bias_count, vocabulary, error);
    return status;
}

loam_status loam_settings_read(struct settings *out, const loam_generation_options *options,
                               uint32_t vocabulary, loam_error *error)
{
    loam_status status = check_options(options, vocabulary, error);
    if (status != LOAM_OK)
        return status;
    *out = (struct settings){
        .temperature = options->temperature,
        .top_k = (uint32_t)options->top_k,
        .top_p = options->top_p < 1 ? options->top_p : 0,
        .min_p = options->min_p,
        .seed = options->seed,
        .repetition = options->repetition_penalty > 0 ? options->repetition_penalty : 1,
        .frequency = options->frequency_penalty,
        .presence = options->presence_penalty,
        .penalty_window = options->penalty_window,
        .bias_count = options->logit_bias_count,
        .log_probability = options->log_probability != 0,
        .candidates = options->candidates,
    };
    out->penalise = out->repetition != 1 || out->frequency != 0 || out->presence != 0;
    return LOAM_OK;
}

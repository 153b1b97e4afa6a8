/* SPDX-License-Identifier: MIT */
/*
 * lib/sample: from logits to a token. In double, sums over the vocabulary in
 * order of ids, cut-offs over logits in descending order, ties to the lower
 * id; the random number is Philox4x32-10 of (seed, position, draw), so that
 * nothing but seed, options and content changes the choice. Knows nothing of
 * sessions.
 */
#ifndef LOAM_SAMPLE_SAMPLER_H
#define LOAM_SAMPLE_SAMPLER_H

#include "base/error.h"
#include "base/memory.h"

/* Options and working memory of one session. Thread-compatible. */
struct sampler;

/* A sampler for rows of `vocabulary` logits. */
loam_status loam_sampler_create(struct sampler **out, struct memory *memory, uint32_t vocabulary,
                                loam_error *error);
void loam_sampler_destroy(struct sampler *sampler);

/* Checks and copies the sampling fields of `options` (complete struct; see
 * loam_generation_options). On failure the former ones stay.
 * [errors: MEMORY, INVALID_ARGUMENT (names the field)] */
loam_status loam_sampler_configure(struct sampler *sampler, const loam_generation_options *options,
                                   loam_error *error);

struct sample {
    int32_t token;
    float log_probability;           /* if asked for */
    const loam_candidate *candidates; /* owned by the sampler, until its next call */
    size_t candidate_count;
};

/* Chooses the token at index content_count of the content. logits[vocabulary]
 * are not changed. NUMERIC if one is NaN or +infinity, or all are -infinity.
 * Allocates nothing. */
loam_status loam_sampler_choose(struct sample *out, struct sampler *sampler, const float *logits,
                                const int32_t *content, size_t content_count, loam_error *error);

#endif

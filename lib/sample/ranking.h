/* SPDX-License-Identifier: MIT */
/*
 * The ids of an array of numbers in descending order of their values, ties to
 * the lower id, found only as far as they are asked for: a draw seldom looks
 * beyond the first few of a large vocabulary.
 */
#ifndef LOAM_SAMPLE_RANKING_H
#define LOAM_SAMPLE_RANKING_H

#include "base/base.h"

/* Thread-compatible. */
struct ranking {
    const double *values; /* [value_count], no NaN */
    uint32_t value_count;
    int32_t *ids;   /* [limit]; the first `known` are ids in order */
    uint32_t limit; /* at most the number of values above -infinity */
    uint32_t known;
};

/* The id at `rank`, which is below limit. */
int32_t loam_ranking_at(struct ranking *ranking, uint32_t rank);

#endif

/* SPDX-License-Identifier: MIT */
/* The sampling fields of loam_generation_options, checked. */
#ifndef LOAM_SAMPLE_SETTINGS_H
#define LOAM_SAMPLE_SETTINGS_H

#include "base/error.h"

enum { MOST_CANDIDATES = 64 };

struct settings {
    double temperature;
    uint32_t top_k;      /* 0: all */
    double top_p, min_p; /* 0: all */
    uint64_t seed;
    bool penalise;
    double repetition, frequency, presence;
    uint32_t penalty_window; /* 0: all */
    loam_logit_bias *bias;   /* [bias_count]; owned by the sampler */
    size_t bias_count;
    bool log_probability;
    uint32_t candidates;
};

/* Checks the fields and puts them in the form that choosing wants; *out is
 * written on success. Its bias is left NULL: copying needs memory.
 * [errors: INVALID_ARGUMENT (names the field)] */
loam_status loam_settings_read(struct settings *out, const loam_generation_options *options,
                               uint32_t vocabulary, loam_error *error);

#endif

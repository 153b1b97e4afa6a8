/* SPDX-License-Identifier: MIT */
/*
 * Granite and MiniCPM: a llama with scales of embeddings, residuals, scores
 * and logits. (Hu et al., "MiniCPM", 2024, after Yang et al., "Tensor Programs
 * V", 2022.)
 */
#include "arch/decoder.h"

#include <math.h>

static float scale_of(struct builder *b, const char *key, float fallback)
{
    float value = loam_builder_f32(b, key, &fallback);
    if (!(value > -1e30f && value < 1e30f) || value == 0) {
        loam_builder_refuse(b, LOAM_FORMAT, key, "expected a number other than 0", 0);
        return 1;
    }
    return value;
}

static loam_tensor build_granite(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    loam_experts_read(b, &d, true);
    d.embedding_scale = scale_of(b, "embedding_scale", 1);
    d.residual_scale = scale_of(b, "residual_scale", 1);
    d.logit_scale = 1 / scale_of(b, "logit_scale", 1);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_granitemoe = {
    .name = "granitemoe",
    .models = "Granite 3 and 4 with experts",
    .build = build_granite,
};
const struct family loam_family_granite = {
    .name = "granite",
    .models = "Granite 3 and 4, dense",
    .build = build_granite,
};

/* Files of before the keys have the scales of MiniCPM 1 and 2. */
static loam_tensor build_minicpm(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    float depth = (float)(1.4 / sqrt((double)b->description.layers));
    d.embedding_scale = scale_of(b, "embedding_scale", 12);
    d.residual_scale = scale_of(b, "residual_scale", depth);
    d.logit_scale = 1 / scale_of(b, "logit_scale", (float)b->description.embedding_length / 256.0f);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_minicpm = {
    .name = "minicpm",
    .models = "MiniCPM 1, 2 and 4",
    .build = build_minicpm,
};

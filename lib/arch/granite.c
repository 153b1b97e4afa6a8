/* SPDX-License-Identifier: MIT */
/*
 * Granite and MiniCPM: a llama with scales of embeddings, residuals, scores
 * and logits. (Hu et al., "MiniCPM", 2024, after Yang et al., "Tensor Programs
 * V", 2022.)
 */
#include "arch/state_space.h"

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

static void read_scales(struct builder *b, struct decoder *d)
{
    d->embedding_scale = scale_of(b, "embedding_scale", 1);
    d->residual_scale = scale_of(b, "residual_scale", 1);
    d->logit_scale = 1 / scale_of(b, "logit_scale", 1);
}

static loam_tensor build_granite(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    loam_experts_read(b, &d, true);
    read_scales(b, &d);
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

/* Granite 4 with state spaces: layers without KV heads are those of Mamba 2. */
static loam_tensor build_granitehybrid(struct builder *b)
{
    struct state_space_decoder d;
    bool rotates = loam_builder_flag(b, "rope.scaling.finetuned", true);
    loam_decoder_read(b, &d.decoder, LOAM_NORM_RMS, rotates ? LOAM_ROPE_ADJACENT : NO_ROPE);
    loam_experts_read(b, &d.decoder, true);
    loam_state_space_read(b, &d.space, true);
    read_scales(b, &d.decoder);
    d.decoder.recur = loam_state_space_mamba2;
    return loam_decoder_build(b, &d.decoder);
}

const struct family loam_family_granitehybrid = {
    .name = "granitehybrid",
    .models = "Granite 4 Tiny, Small and Micro with state spaces",
    .build = build_granitehybrid,
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

/* SPDX-License-Identifier: MIT */
/*
 * The children of GPT-2: layer norm, biases, GELU without a gate. GPT-2 and
 * BLOOM, MPT (Press et al.: slopes instead of positions), GPT-NeoX, Falcon,
 * StarCoder 2, Nemotron and StableLM, which tell themselves apart by a few
 * settings.
 */
#include "arch/decoder.h"

struct traits {
    int32_t pairing;
    int32_t parallel;
    int32_t activation;
    float most_bias; /* of the slopes; 0: none unless the key says so */
};

static loam_tensor build(struct builder *b)
{
    const struct traits *traits = b->traits;
    struct decoder d;
    float slopes[SLOPES];
    loam_decoder_read(b, &d, LOAM_NORM_LAYER, traits->pairing);
    d.gated = false;
    d.activation = traits->activation;
    d.parallel = traits->parallel;
    d.clamp = loam_builder_f32(b, "attention.clamp_kqv", &(float){0});
    if (!loam_builder_flag(b, "use_parallel_residual", true))
        d.parallel = PARALLEL_NOT;
    if (loam_builder_has(b, "blk.%u.attn_q_norm.weight", 0))
        d.qk_norm = QK_NORM_BEFORE_ROPE;
    float most = loam_builder_f32(b, "attention.max_alibi_bias", &traits->most_bias);
    loam_decoder_slopes(b, &d, slopes, most);
    return loam_decoder_build(b, &d);
}

/* Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. */
static const struct traits gpt2 = {NO_ROPE, PARALLEL_NOT, LOAM_ACTIVATION_GELU, 0};
const struct family loam_family_gpt2 = {
    .name = "gpt2",
    .models = "GPT-2",
    .build = build,
    .traits = &gpt2,
};

/* Le Scao et al., "BLOOM", 2022. */
static const struct traits bloom = {NO_ROPE, PARALLEL_NOT, LOAM_ACTIVATION_GELU, 8};
const struct family loam_family_bloom = {
    .name = "bloom",
    .models = "BLOOM",
    .build = build,
    .traits = &bloom,
};

/* MosaicML, "MPT-7B", 2023. */
const struct family loam_family_mpt = {
    .name = "mpt",
    .models = "MPT",
    .build = build,
    .traits = &gpt2,
};

/* Black et al., "GPT-NeoX-20B", 2022. */
static const struct traits gptneox = {LOAM_ROPE_HALVES, PARALLEL_OWN, LOAM_ACTIVATION_GELU, 0};
const struct family loam_family_gptneox = {
    .name = "gptneox",
    .models = "GPT-NeoX, Pythia",
    .build = build,
    .traits = &gptneox,
};

/* Lozhkov et al., "StarCoder 2 and The Stack v2", 2024. */
static const struct traits starcoder2 = {LOAM_ROPE_HALVES, PARALLEL_NOT, LOAM_ACTIVATION_GELU, 0};
const struct family loam_family_starcoder2 = {
    .name = "starcoder2",
    .models = "StarCoder 2",
    .build = build,
    .traits = &starcoder2,
};

/* Parmar et al., "Nemotron-4 15B Technical Report", 2024. */
static const struct traits nemotron = {LOAM_ROPE_HALVES, PARALLEL_NOT, LOAM_ACTIVATION_RELU_SQUARED,
                                       0};
const struct family loam_family_nemotron = {
    .name = "nemotron",
    .models = "Nemotron 3 and 4, Minitron",
    .build = build,
    .traits = &nemotron,
};

/* Almazrouei et al., "The Falcon Series of Open Language Models", 2023. The
 * large models have a norm for each block: attention's has the added name. */
static loam_tensor build_falcon(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_LAYER, LOAM_ROPE_HALVES);
    d.gated = false;
    d.activation = LOAM_ACTIVATION_GELU;
    d.parallel = PARALLEL_SAME;
    if (loam_builder_has(b, "blk.%u.attn_norm_2.weight", 0)) {
        d.parallel = PARALLEL_OWN;
        d.attn_norm = "blk.%u.attn_norm_2";
        d.ffn_norm = "blk.%u.attn_norm";
    }
    return loam_decoder_build(b, &d);
}

const struct family loam_family_falcon = {
    .name = "falcon",
    .models = "Falcon 7B to 180B",
    .build = build_falcon,
};

/* Bellagamba et al., "Stable LM 2 1.6B Technical Report", 2024. Gated; without
 * a second norm the blocks stand side by side. */
static loam_tensor build_stablelm(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_LAYER, LOAM_ROPE_HALVES);
    if (!loam_builder_has(b, "blk.%u.ffn_norm.weight", 0))
        d.parallel = PARALLEL_SAME;
    if (loam_builder_has(b, "blk.%u.attn_q_norm.weight", 0))
        d.qk_norm = QK_NORM_BEFORE_ROPE;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_stablelm = {
    .name = "stablelm",
    .models = "StableLM 1 and 2",
    .build = build_stablelm,
};

/* SPDX-License-Identifier: MIT */
/*
 * The llama family: Llama 1 to 3, Mistral, TinyLlama, SmolLM and their kin.
 * (Touvron et al., "LLaMA: Open and Efficient Foundation Language Models",
 * 2023.) RMS norms before both blocks, SwiGLU, adjacent pairs rotated.
 */
#include "arch/decoder.h"

static loam_tensor build(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    loam_experts_read(b, &d, true); /* Mixtral: Jiang et al., "Mixtral of Experts", 2024 */
    return loam_decoder_build(b, &d);
}

const struct family loam_family_llama = {
    .name = "llama",
    .models = "Llama 1 to 3, Mistral, Mixtral, TinyLlama, SmolLM 1 and 2, Yi, and others of the "
              "same build",
    .build = build,
};
const struct family loam_family_internlm2 = {
    .name = "internlm2",
    .models = "InternLM 2 and 2.5",
    .build = build,
};
const struct family loam_family_ernie4_5_moe = {
    .name = "ernie4_5-moe",
    .models = "ERNIE 4.5 with experts",
    .build = build,
};
const struct family loam_family_ernie4_5 = {
    .name = "ernie4_5",
    .models = "ERNIE 4.5, dense",
    .build = build,
};

/* Ministral: scores grow with the position beyond the original context. */
static loam_tensor build_mistral3(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    loam_experts_read(b, &d, true);
    d.attention.temperature = loam_builder_f32(b, "attention.temperature_scale", &(float){0});
    d.attention.temperature_length =
        loam_builder_u32(b, "rope.scaling.original_context_length", &b->description.context_length);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_mistral3 = {
    .name = "mistral3",
    .models = "Ministral 3, Mistral Small 3.1 and later",
    .build = build_mistral3,
};

/* Arcee: max(x, 0)^2 and no gate. */
static loam_tensor build_arcee(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    d.gated = false;
    d.activation = LOAM_ACTIVATION_RELU_SQUARED;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_arcee = {
    .name = "arcee",
    .models = "Arcee AFM",
    .build = build_arcee,
};

/* SmolLM3: every fourth layer has no rotation. */
static void prepare_smollm3(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)b;
    (void)d;
    if (layer->index % 4 == 3)
        layer->rope = NULL;
}

static loam_tensor build_smollm3(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    d.prepare = prepare_smollm3;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_smollm3 = {
    .name = "smollm3",
    .models = "SmolLM3",
    .build = build_smollm3,
};

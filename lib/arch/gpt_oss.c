/* SPDX-License-Identifier: MIT */
/*
 * gpt-oss. (OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card", 2025.) Attention
 * with sinks, every other layer with a window; experts with biases and a
 * clamped SwiGLU.
 */
#include "arch/decoder.h"

static void prepare(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    if (!loam_decoder_is_local(b, layer->index, 2))
        layer->attention.window = 0;
    layer->attention.has_sinks = true;
    layer->attention.sinks =
        loam_builder_vector(b, "blk.%u.attn_sinks.weight", layer->index, layer->heads);
}

static loam_tensor build(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.ffn_norm = "blk.%u.post_attention_norm";
    d.prepare = prepare;
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", NULL);
    loam_experts_read(b, &d, false);
    d.experts.options.router = LOAM_ROUTER_SOFTMAX_CHOSEN;
    d.experts.options.activation = LOAM_ACTIVATION_CLAMPED_SWIGLU;
    d.experts.options.parameters[0] = 1.702f; /* steepness */
    d.experts.options.parameters[1] = 7;      /* limit */
    return loam_decoder_build(b, &d);
}

const struct family loam_family_gpt_oss = {
    .name = "gpt-oss",
    .models = "gpt-oss 20B and 120B",
    .build = build,
};

/* SPDX-License-Identifier: MIT */
/*
 * OLMo 1 to 3. (Groeneveld et al., "OLMo", 2024; "2 OLMo 2 Furious", 2025.)
 * OLMo has norms without weights and limits of Q, K and V; OLMo 2 norms whole
 * rows of Q and K, and what blocks give instead of what they take; OLMo 3 adds
 * layers with a window, whose rotation is not scaled.
 */
#include "arch/decoder.h"

static loam_tensor build_olmo(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_LAYER, LOAM_ROPE_ADJACENT);
    d.bare_norms = true;
    d.clamp = loam_builder_f32(b, "attention.clamp_kqv", &(float){0});
    return loam_decoder_build(b, &d);
}

const struct family loam_family_olmo = {
    .name = "olmo",
    .models = "OLMo 1",
    .build = build_olmo,
};

static void prepare_olmo2(struct builder *b, const struct decoder *d, struct layer *layer)
{
    if (layer->attention.window == 0)
        return;
    if (loam_decoder_is_local(b, layer->index, 4))
        layer->rope = &d->local_rope;
    else
        layer->attention.window = 0;
}

static loam_tensor build_olmo2(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.pre_norms = false;
    d.post_norms = true;
    d.qk_norm = QK_NORM_BEFORE_ROPE;
    d.prepare = prepare_olmo2;
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", &(uint32_t){0});
    float base = loam_builder_f32(b, "rope.freq_base", &(float){10000});
    loam_builder_rope_plain(b, &d.local_rope, d.local_frequencies, d.key_width,
                            d.rotation.options.dimensions, LOAM_ROPE_HALVES, base);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_olmo2 = {
    .name = "olmo2",
    .models = "OLMo 2 and 3",
    .build = build_olmo2,
};

/* Muennighoff et al., "OLMoE", 2024: norms of whole Q and K, experts. */
static loam_tensor build_olmoe(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.qk_norm = QK_NORM_BEFORE_ROPE;
    loam_experts_read(b, &d, false);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_olmoe = {
    .name = "olmoe",
    .models = "OLMoE",
    .build = build_olmoe,
};

/* SPDX-License-Identifier: MIT */
/*
 * EXAONE 3 and 4, Hunyuan, Apertus and GLM 4: llamas with one or two turns of
 * their own each.
 */
#include "arch/decoder.h"

/* LG AI Research, "EXAONE 3.0 7.8B", 2024: halves are rotated. */
static loam_tensor build_exaone(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_exaone = {
    .name = "exaone",
    .models = "EXAONE 3",
    .build = build_exaone,
};

/* With windows, three of four layers have one, and they alone rotate. */
static void prepare_exaone4(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    if (layer->attention.window == 0 || loam_decoder_is_local(b, layer->index, 4))
        return;
    layer->attention.window = 0;
    layer->rope = NULL;
}

/* LG AI Research, "EXAONE 4.0", 2025: norms behind the blocks. */
static loam_tensor build_exaone4(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    /* The 32B model's files may lack the key. */
    uint32_t window = b->description.layers == 64 ? 4096 : 0;
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", &window);
    d.pre_norms = false;
    d.post_norms = true;
    d.qk_norm = QK_NORM_BEFORE_ROPE;
    d.prepare = prepare_exaone4;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_exaone4 = {
    .name = "exaone4",
    .models = "EXAONE 4",
    .build = build_exaone4,
};

/* Tencent, "Hunyuan", 2025: Q and K are normed behind their rotation. */
static loam_tensor build_hunyuan(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.qk_norm = QK_NORM_AFTER_ROPE;
    loam_experts_read(b, &d, true);
    /* The experts' width is that of the dense layers it has none of. */
    d.experts.hidden = loam_builder_u32(b, "feed_forward_length", NULL);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_hunyuan_moe = {
    .name = "hunyuan-moe",
    .models = "Hunyuan with experts",
    .build = build_hunyuan,
};
const struct family loam_family_hunyuan_dense = {
    .name = "hunyuan-dense",
    .models = "Hunyuan, dense",
    .build = build_hunyuan,
};

/* GLM Team, "ChatGLM", 2024: norms before and behind both blocks. */
static loam_tensor build_glm4(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    d.post_norms = true;
    d.fused_gate = true;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_glm4 = {
    .name = "glm4",
    .models = "GLM 4",
    .build = build_glm4,
};

/* GLM-4.5 Team, "GLM-4.5", 2025: experts chosen by sigmoids. Layers at the end
 * that guess further tokens are left out. */
static loam_tensor build_glm4moe(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.ffn_norm = "blk.%u.post_attention_norm";
    if (loam_builder_has(b, "blk.%u.attn_q_norm.weight", 0))
        d.qk_norm = QK_NORM_BEFORE_ROPE;
    loam_experts_read(b, &d, true);
    uint32_t guessing = loam_builder_u32(b, "nextn_predict_layers", &(uint32_t){0});
    if (guessing >= b->description.layers)
        loam_builder_refuse(b, LOAM_FORMAT, "nextn_predict_layers",
                            "expected fewer than block_count", guessing);
    if (!b->status)
        b->description.layers -= guessing;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_glm4moe = {
    .name = "glm4moe",
    .models = "GLM 4.5 to 4.7",
    .build = build_glm4moe,
};

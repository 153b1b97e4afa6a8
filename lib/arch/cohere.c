/* SPDX-License-Identifier: MIT */
/*
 * Command R and Command R7B. (Cohere, 2024.) Layer norm without bias, both
 * blocks beside each other on the same normed input; in cohere2 three of four
 * layers have a window and rotation, the fourth neither.
 */
#include "arch/decoder.h"

static void read(struct builder *b, struct decoder *d)
{
    loam_decoder_read(b, d, LOAM_NORM_LAYER, LOAM_ROPE_ADJACENT);
    d->parallel = PARALLEL_SAME;
    d->logit_scale = loam_builder_f32(b, "logit_scale", &(float){1});
}

static loam_tensor build_command_r(struct builder *b)
{
    struct decoder d;
    read(b, &d);
    if (loam_builder_has(b, "blk.%u.attn_q_norm.weight", 0)) /* Command R+ */
        d.qk_norm = QK_NORM_BEFORE_ROPE;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_command_r = {
    .name = "command-r",
    .models = "Command R and R+",
    .build = build_command_r,
};

static void prepare_cohere2(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    if (loam_decoder_is_local(b, layer->index, 4))
        return;
    layer->attention.window = 0;
    layer->rope = NULL;
}

static loam_tensor build_cohere2(struct builder *b)
{
    struct decoder d;
    read(b, &d);
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", NULL);
    d.prepare = prepare_cohere2;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_cohere2 = {
    .name = "cohere2",
    .models = "Command R7B, Command A",
    .build = build_cohere2,
};

/* SPDX-License-Identifier: MIT */
/*
 * LFM2. (Liquid AI, "LFM2 Technical Report", 2025.) Layers without KV heads are
 * short convolutions, gated before and behind.
 */
#include "arch/decoder.h"

static loam_tensor build_short_convolution(struct builder *b, const struct decoder *d,
                                           const struct layer *layer, loam_tensor x)
{
    (void)d;
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, index = layer->index;
    uint32_t taps = loam_builder_u32(b, "shortconv.l_cache", NULL);
    loam_tensor made =
        loam_decoder_linear(b, "blk.%u.shortconv.in_proj", index, x, width, 3 * width);
    loam_tensor before = loam_graph_slice(g, made, 3 * width, 0, width);
    loam_tensor behind = loam_graph_slice(g, made, 3 * width, width, width);
    x = loam_graph_multiply(g, before, loam_graph_slice(g, made, 3 * width, 2 * width, width));
    loam_tensor weight = loam_builder_matrix(b, "blk.%u.shortconv.conv.weight", index, taps, width);
    x = loam_graph_multiply(g, behind, loam_graph_convolve(g, x, weight, LOAM_NO_TENSOR));
    return loam_decoder_linear(b, "blk.%u.shortconv.out_proj", index, x, width, width);
}

static loam_tensor build_lfm2(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", &(uint32_t){0});
    d.qk_norm = QK_NORM_BEFORE_ROPE;
    d.output_norm = "token_embd_norm";
    d.recur = build_short_convolution;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_lfm2 = {
    .name = "lfm2",
    .models = "LFM2, dense",
    .build = build_lfm2,
};

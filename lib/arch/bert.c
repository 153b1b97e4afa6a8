/* SPDX-License-Identifier: MIT */
/*
 * Encoders: every token sees the whole text. (Devlin et al., "BERT", 2018;
 * Nussbaum et al., "Nomic Embed", 2024; Guenther et al., "Jina Embeddings 2",
 * 2023; Warner et al., "ModernBERT", 2024.) BERT and its nearer kin norm the sum
 * of each block and its residual.
 */
#include "arch/decoder.h"

static void read(struct builder *b, struct decoder *d, int32_t pairing)
{
    loam_decoder_read(b, d, LOAM_NORM_LAYER, pairing);
    loam_builder_pooling(b, true);
    d->attention.both_ways = true;
}

static void read_bert(struct builder *b, struct decoder *d, int32_t pairing)
{
    read(b, d, pairing);
    d->pre_norms = false;
    d->outer_norms = d->no_output_norm = true;
}

/* Learned positions, GELU. */
static loam_tensor build_bert(struct builder *b)
{
    struct decoder d;
    read_bert(b, &d, NO_ROPE);
    d.gated = false;
    d.activation = LOAM_ACTIVATION_GELU;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_bert = {
    .name = "bert",
    .models = "BERT, BGE, E5, MiniLM and other encoders of the same build",
    .build = build_bert,
};

/* Rotation, SwiGLU. */
static loam_tensor build_nomic(struct builder *b)
{
    struct decoder d;
    read_bert(b, &d, LOAM_ROPE_HALVES);
    if (loam_builder_u32(b, "moe_every_n_layers", &(uint32_t){0}))
        loam_builder_refuse(b, LOAM_UNSUPPORTED, "moe_every_n_layers",
                            "encoders with experts are not supported", 1);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_nomic_bert = {
    .name = "nomic-bert",
    .models = "Nomic Embed 1 and 1.5",
    .build = build_nomic,
};

/* Rotation, GELU without gate; experts in some layers, the second of each so many. (Nussbaum and
 * Duderstadt, "Training Sparse Mixture Of Experts Text Embedding Models", 2025.) */
static loam_tensor build_nomic_moe(struct builder *b)
{
    struct decoder d;
    read_bert(b, &d, LOAM_ROPE_HALVES);
    d.gated = false;
    d.activation = LOAM_ACTIVATION_GELU;
    loam_experts_read(b, &d, false);
    d.experts.ungated = true;
    d.experts.step = loam_builder_u32(b, "moe_every_n_layers", &(uint32_t){0});
    d.experts.rest = 1;
    if (d.experts.step < 2 && d.experts.count)
        loam_builder_refuse(b, LOAM_UNSUPPORTED, "moe_every_n_layers", "expected 2 or more",
                            d.experts.step);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_nomic_bert_moe = {
    .name = "nomic-bert-moe",
    .models = "Nomic Embed 2",
    .build = build_nomic_moe,
};

static void prepare_jina(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    layer->second_norm = loam_builder_has(b, "blk.%u.attn_norm_2.weight", layer->index);
}

/* Slopes; GELU, with a gate of its own, within up, or without. */
static loam_tensor build_jina(struct builder *b)
{
    struct decoder d;
    float slopes[SLOPES];
    read_bert(b, &d, NO_ROPE);
    d.activation = LOAM_ACTIVATION_GELU;
    d.prepare = prepare_jina;
    const struct gguf_tensor *up = loam_builder_find(b, "blk.%u.ffn_up.weight", 0);
    uint32_t hidden = loam_builder_u32_at(b, "feed_forward_length", 0, NULL, NULL);
    if (!loam_builder_has(b, "blk.%u.ffn_gate.weight", 0)) {
        d.gated = !up || up->dimensions[1] != hidden;
        d.fused_gate = d.gated;
    }
    if (loam_builder_has(b, "blk.%u.attn_q_norm.weight", 0))
        d.qk_norm = QK_NORM_BEFORE_ROPE;
    loam_decoder_slopes(b, &d, slopes, 8);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_jina_bert_v2 = {
    .name = "jina-bert-v2",
    .models = "Jina Embeddings 2",
    .build = build_jina,
};

/* The first of three layers sees everything, the others what is near. */
static void prepare_modern(struct builder *b, const struct decoder *d, struct layer *layer)
{
    uint32_t period = loam_builder_u32(b, "attention.sliding_window_pattern", &(uint32_t){3});
    layer->no_attn_norm = layer->index == 0;
    if (layer->index % (period ? period : 1) == 0)
        layer->attention.window = 0;
    else
        layer->rope = &d->local_rope;
}

static loam_tensor build_modern(struct builder *b)
{
    struct decoder d;
    read(b, &d, LOAM_ROPE_HALVES);
    if (b->description.pooling == LOAM_POOLING_RANK) /* its head stands behind a mean */
        loam_builder_refuse(b, LOAM_UNSUPPORTED, "pooling_type",
                            "ranking is not supported for this architecture", 4);
    d.activation = LOAM_ACTIVATION_GELU;
    d.fused_gate = true;
    d.prepare = prepare_modern;
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", NULL);
    float base = loam_builder_f32(b, "rope.freq_base_swa", &(float){10000});
    loam_builder_rope_plain(b, &d.local_rope, d.local_frequencies, d.key_width,
                            d.rotation.options.dimensions, LOAM_ROPE_HALVES, base);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_modern_bert = {
    .name = "modern-bert",
    .models = "ModernBERT, Granite Embedding R2",
    .build = build_modern,
};

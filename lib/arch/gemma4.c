/* SPDX-License-Identifier: MIT */
/*
 * Gemma 4, text. (Google, "Gemma 4 model card", 2026.) A Gemma 3 whose layers
 * with a window have narrower heads than the others, whose values are normed,
 * and whose scores are not scaled. Small models add an embedding for each layer
 * and share keys and values in late layers; in one, experts stand beside the
 * feed-forward block, chosen by the residual itself.
 */
#include "arch/per_layer.h"

#include <math.h>

enum { PERIOD = 6 };

struct gemma4 {
    struct decoder decoder; /* first */
    struct shared_layers shared;
    uint32_t local_width; /* of heads in layers with a window */
    uint32_t per_layer;   /* 0: no embeddings for layers */
    loam_tensor inputs;   /* of layers, [rows][layers * per_layer] */
};

static void prepare(struct builder *b, const struct decoder *d, struct layer *layer)
{
    const struct gemma4 *m = (const struct gemma4 *)d;
    layer->bare_value_norm = true;
    layer->values_are_keys = !loam_builder_has(b, "blk.%u.attn_v.weight", layer->index);
    if (loam_decoder_is_local(b, layer->index, PERIOD)) {
        layer->rope = &d->local_rope;
        layer->key_width = layer->value_width = m->local_width;
    } else {
        layer->attention.window = 0;
    }
}

/* Scores of experts: the residual, normed without weights, by a vector and the
 * router's matrix. */
static loam_tensor route(struct builder *b, const struct decoder *d, uint32_t layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    loam_norm_options norm = {.struct_size = sizeof norm, .kind = d->norm, .epsilon = d->epsilon};
    x = loam_graph_norm(b->graph, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR, &norm);
    x = loam_decoder_scale(b, x, 1 / sqrtf((float)width));
    loam_tensor scale = loam_builder_vector(b, "blk.%u.ffn_gate_inp.scale", layer, width);
    x = loam_graph_affine(b->graph, x, scale, LOAM_NO_TENSOR);
    loam_tensor matrix =
        loam_builder_matrix(b, "blk.%u.ffn_gate_inp.weight", layer, width, d->experts.count);
    return loam_graph_linear(b->graph, x, matrix, LOAM_NO_TENSOR);
}

static loam_tensor experts(struct builder *b, const struct decoder *d, uint32_t layer,
                           loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    loam_tensor scores = route(b, d, layer, x);
    x = loam_decoder_norm(b, d, "blk.%u.pre_ffw_norm_2", layer, x, width);
    x = loam_experts_of(b, d, layer, x, scores);
    return loam_decoder_norm(b, d, "blk.%u.post_ffw_norm_2", layer, x, width);
}

static loam_tensor feed_forward(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length, index = layer->index;
    loam_tensor f = loam_decoder_norm(b, d, d->ffn_norm, index, x, width);
    f = loam_decoder_feed_forward(b, d, layer, f);
    if (d->experts.count && loam_builder_has(b, "blk.%u.ffn_gate_inp.weight", index)) {
        f = loam_decoder_norm(b, d, "blk.%u.post_ffw_norm_1", index, f, width);
        f = loam_graph_add(b->graph, f, experts(b, d, index, x));
    }
    f = loam_decoder_norm(b, d, "blk.%u.post_ffw_norm", index, f, width);
    return loam_graph_add(b->graph, f, x);
}

static loam_tensor build_layer(struct builder *b, struct gemma4 *m, uint32_t index, loam_tensor x)
{
    const struct decoder *d = &m->decoder;
    uint32_t width = b->description.embedding_length;
    struct layer layer;
    loam_decoder_read_layer(b, d, &layer, index);
    loam_shared_layers_apply(&m->shared, &layer, loam_decoder_is_local(b, index, PERIOD));
    loam_tensor h = loam_decoder_norm(b, d, d->attn_norm, index, x, width);
    h = loam_decoder_attend(b, d, &layer, h);
    h = loam_decoder_norm(b, d, "blk.%u.post_attention_norm", index, h, width);
    x = feed_forward(b, d, &layer, loam_graph_add(b->graph, h, x));
    if (m->per_layer)
        x = loam_graph_add(b->graph, x,
                           loam_per_layer_build(b, d, index, x, m->inputs, m->per_layer));
    float scale = loam_builder_scalar(b, "blk.%u.layer_output_scale.weight", index, 1);
    return loam_decoder_scale(b, x, scale);
}

/* Layers with a window: width of heads and rotation. */
static void read_local(struct builder *b, struct gemma4 *m)
{
    struct decoder *d = &m->decoder;
    float base = loam_builder_f32(b, "rope.freq_base_swa", &(float){10000});
    m->local_width = loam_builder_u32(b, "attention.key_length_swa", &d->key_width);
    uint32_t values = loam_builder_u32(b, "attention.value_length_swa", &m->local_width);
    uint32_t rotated = loam_builder_u32(b, "rope.dimension_count_swa", &m->local_width);
    if (m->local_width == 0 || m->local_width > 1024 || values != m->local_width ||
        d->key_width != d->value_width)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.key_length_swa",
                            "expected 1 to 1024, and values as wide as keys", m->local_width);
    loam_builder_rope_plain(b, &d->local_rope, d->local_frequencies, m->local_width, rotated,
                            LOAM_ROPE_HALVES, base);
}

static loam_tensor build(struct builder *b)
{
    struct gemma4 m;
    struct decoder *d = &m.decoder;
    loam_decoder_read(b, d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d->activation = LOAM_ACTIVATION_GELU;
    d->embedding_scale = sqrtf((float)b->description.embedding_length);
    d->qk_norm = QK_NORM_BEFORE_ROPE;
    d->prepare = prepare;
    d->attention.scale = 1;
    d->attention.window = loam_builder_u32(b, "attention.sliding_window", NULL);
    d->logit_cap = loam_builder_f32(b, "final_logit_softcapping", &(float){0});
    loam_experts_read(b, d, true);
    read_local(b, &m);
    loam_shared_layers_read(b, &m.shared, PERIOD);
    m.per_layer = loam_per_layer_width(b, &(uint32_t){0});
    loam_tensor table = loam_builder_embeddings(b);
    loam_tensor x = loam_decoder_embed(b, d, table);
    if (m.per_layer)
        m.inputs = loam_per_layer_inputs(b, d, x, m.per_layer);
    for (uint32_t i = 0; !b->status && i < b->description.layers; i++)
        x = build_layer(b, &m, i, x);
    return loam_decoder_finish(b, d, table, x);
}

const struct family loam_family_gemma4 = {
    .name = "gemma4",
    .models = "Gemma 4, text",
    .build = build,
};

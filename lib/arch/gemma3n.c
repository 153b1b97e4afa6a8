/* SPDX-License-Identifier: MIT */
/*
 * Gemma 3n. (Google, "Gemma 3n model overview", 2025.) The residual is several
 * streams of the model's width (AltUp): a layer predicts all of them from all,
 * computes on one, and corrects the others by what came of it. Beside attention
 * stands a product of low rank (LAuReL: Menghani et al., "LAuReL: Learned
 * Augmented Residual Layer", 2024). In the first layers only the largest gates
 * pass: those beyond a number of standard deviations.
 */
#include "arch/per_layer.h"

#include <math.h>

enum { PERIOD = 5, MOST_STREAMS = 64 };

struct gemma3n {
    struct decoder decoder; /* first */
    struct shared_layers shared;
    uint32_t streams, active, per_layer;
    loam_tensor inputs; /* of layers, [rows][layers * per_layer] */
};

static void prepare(struct builder *b, const struct decoder *d, struct layer *layer)
{
    layer->bare_value_norm = true;
    if (loam_decoder_is_local(b, layer->index, PERIOD))
        layer->rope = &d->local_rope;
    else
        layer->attention.window = 0;
}

/* ---- streams -------------------------------------------------------------- */

static loam_tensor stream(struct builder *b, const struct gemma3n *m, loam_tensor x, uint32_t i)
{
    uint32_t width = b->description.embedding_length;
    return loam_graph_slice(b->graph, x, m->streams * width, i * width, width);
}

/* All streams but the first. */
static loam_tensor rest(struct builder *b, const struct gemma3n *m, loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    return loam_graph_slice(b->graph, x, m->streams * width, width, (m->streams - 1) * width);
}

/* Each stream of x at the length of `like`. */
static loam_tensor as_long_as(struct builder *b, loam_tensor x, loam_tensor like)
{
    loam_norm_options norm = {.struct_size = sizeof norm,
                              .kind = LOAM_NORM_L2,
                              .group_width = b->description.embedding_length,
                              .epsilon = 1e-20f};
    loam_reduce_options length = {.struct_size = sizeof length, .kind = LOAM_REDUCE_LENGTH};
    x = loam_graph_norm(b->graph, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR, &norm);
    return loam_graph_multiply(b->graph, x, loam_graph_reduce(b->graph, like, &length));
}

static loam_tensor begin(struct builder *b, const struct gemma3n *m, loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    loam_tensor weight =
        loam_builder_stack(b, "altup_proj.weight", 0, width, width, m->streams - 1);
    loam_tensor others = loam_graph_linear(b->graph, x, weight, LOAM_NO_TENSOR);
    return loam_graph_concatenate(b->graph, x, as_long_as(b, others, x), 1);
}

/* The mean of the streams, each by a matrix of its own. */
static loam_tensor end(struct builder *b, const struct gemma3n *m, loam_tensor x)
{
    uint32_t width = b->description.embedding_length, others = m->streams - 1;
    loam_tensor weight = loam_builder_stack(b, "altup_unembd_proj.weight", 0, width, width, others);
    loam_tensor y = loam_graph_linear_heads(b->graph, rest(b, m, x), weight, others);
    y = as_long_as(b, y, stream(b, m, x, m->active));
    loam_tensor sum = stream(b, m, x, 0);
    for (uint32_t i = 0; !b->status && i < others; i++)
        sum = loam_graph_add(b->graph, sum,
                             loam_graph_slice(b->graph, y, others * width, i * width, width));
    return loam_decoder_scale(b, sum, 1 / (float)m->streams);
}

/* What says, from the active stream, how streams are mixed: [rows][rows of NAME]. */
static loam_tensor factors(struct builder *b, const struct gemma3n *m, uint32_t layer,
                           const char *name, uint32_t rows, loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    x = loam_decoder_norm(b, &m->decoder, "blk.%u.altup_router_norm", layer, x, width);
    x = loam_decoder_scale(b, x, 1 / (float)width);
    x = loam_decoder_linear(b, "blk.%u.altup_router", layer, x, width, m->streams);
    x = loam_graph_map(b->graph, x, LOAM_ACTIVATION_TANH, NULL);
    return loam_decoder_linear(b, name, layer, x, m->streams, rows);
}

static loam_tensor correct(struct builder *b, const struct gemma3n *m, uint32_t layer,
                           loam_tensor predictions, loam_tensor was, loam_tensor is)
{
    const float one_more[4] = {1, 1}, minus[4] = {-1};
    loam_tensor by = factors(b, m, layer, "blk.%u.altup_correct_coef", m->streams, is);
    loam_tensor difference =
        loam_graph_add(b->graph, is, loam_graph_map(b->graph, was, LOAM_ACTIVATION_SCALE, minus));
    by = loam_graph_map(b->graph, by, LOAM_ACTIVATION_SCALE, one_more);
    return loam_graph_mix(b->graph, difference, by, predictions, 1);
}

/* ---- layers --------------------------------------------------------------- */

static loam_tensor laurel(struct builder *b, const struct gemma3n *m, uint32_t layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    const struct gguf_tensor *left = loam_builder_find(b, "blk.%u.laurel_l.weight", layer);
    uint32_t rank = left && left->dimensions[1] <= 1 << 20 ? (uint32_t)left->dimensions[1] : 1;
    loam_tensor y = loam_decoder_linear(b, "blk.%u.laurel_l", layer, x, width, rank);
    y = loam_decoder_linear(b, "blk.%u.laurel_r", layer, y, rank, width);
    y = loam_decoder_norm(b, &m->decoder, "blk.%u.laurel_post_norm", layer, y, width);
    return loam_graph_add(b->graph, y, x);
}

/* max(x - (mean + factor * standard deviation), 0) */
static loam_tensor largest(struct builder *b, loam_tensor x, float factor)
{
    const float minus[4] = {-1};
    loam_reduce_options options = {
        .struct_size = sizeof options, .kind = LOAM_REDUCE_DEVIATION, .factor = factor};
    loam_tensor least = loam_graph_reduce(b->graph, x, &options);
    least = loam_graph_map(b->graph, least, LOAM_ACTIVATION_SCALE, minus);
    return loam_graph_map(b->graph, loam_graph_add(b->graph, x, least), LOAM_ACTIVATION_RELU, NULL);
}

static loam_tensor feed_forward(struct builder *b, const struct gemma3n *m,
                                const struct layer *layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length, hidden = layer->feed_forward;
    /* What the published models have, in files that don't say it. */
    float usual = layer->index < 10 ? 1.6448534f : -INFINITY;
    float factor = loam_builder_f32_at(b, "activation_sparsity_scale", layer->index, &usual);
    if (hidden < 2 || hidden > 1 << 22 || factor > 1e6f)
        loam_builder_refuse(b, LOAM_FORMAT, "feed_forward_length",
                            "expected 2 to 2^22, and an activation_sparsity_scale up to 10^6",
                            hidden);
    loam_tensor gate = loam_decoder_linear(b, "blk.%u.ffn_gate", layer->index, x, width, hidden);
    loam_tensor up = loam_decoder_linear(b, "blk.%u.ffn_up", layer->index, x, width, hidden);
    if (factor > -1e6f)
        gate = largest(b, gate, factor);
    loam_tensor y = loam_graph_gate(b->graph, gate, up, m->decoder.activation);
    return loam_decoder_linear(b, "blk.%u.ffn_down", layer->index, y, hidden, width);
}

/* The active stream through attention and feed-forward. */
static loam_tensor activate(struct builder *b, const struct gemma3n *m, const struct layer *layer,
                            loam_tensor x)
{
    loam_graph *g = b->graph;
    const struct decoder *d = &m->decoder;
    uint32_t width = b->description.embedding_length, index = layer->index;
    loam_tensor h = loam_decoder_norm(b, d, "blk.%u.attn_norm", index, x, width);
    loam_tensor beside = laurel(b, m, index, h);
    loam_tensor a = loam_decoder_attend(b, d, layer, h);
    a = loam_decoder_norm(b, d, "blk.%u.post_attention_norm", index, a, width);
    a = loam_graph_add(g, loam_graph_add(g, a, x), beside);
    a = loam_decoder_scale(b, a, sqrtf(0.5f));
    loam_tensor f =
        feed_forward(b, m, layer, loam_decoder_norm(b, d, "blk.%u.ffn_norm", index, a, width));
    f = loam_decoder_norm(b, d, "blk.%u.post_ffw_norm", index, f, width);
    return loam_graph_add(g, f, a);
}

static loam_tensor build_layer(struct builder *b, struct gemma3n *m, uint32_t index, loam_tensor x)
{
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length;
    struct layer layer;
    loam_decoder_read_layer(b, &m->decoder, &layer, index);
    loam_shared_layers_apply(&m->shared, &layer, loam_decoder_is_local(b, index, PERIOD));
    loam_tensor by = factors(b, m, index, "blk.%u.altup_predict_coef", m->streams * m->streams,
                             stream(b, m, x, m->active));
    loam_tensor predictions = loam_graph_mix(g, x, by, x, m->streams);
    loam_tensor was = stream(b, m, predictions, m->active);
    loam_tensor is = activate(b, m, &layer, was);
    x = correct(b, m, index, predictions, was, is);
    loam_tensor token = loam_decoder_weigh(b, "blk.%u.altup_correct_scale", index,
                                           stream(b, m, x, m->active), width);
    token = loam_per_layer_build(b, &m->decoder, index, token, m->inputs, m->per_layer);
    return loam_graph_concatenate(g, stream(b, m, x, 0), loam_graph_add(g, rest(b, m, x), token),
                                  1);
}

static void read(struct builder *b, struct gemma3n *m)
{
    struct decoder *d = &m->decoder;
    loam_decoder_read(b, d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d->activation = LOAM_ACTIVATION_GELU;
    d->embedding_scale = sqrtf((float)b->description.embedding_length);
    d->qk_norm = QK_NORM_BEFORE_ROPE;
    d->prepare = prepare;
    d->attention.scale = 1;
    d->attention.window = loam_builder_u32(b, "attention.sliding_window", NULL);
    d->logit_cap = loam_builder_f32(b, "final_logit_softcapping", &(float){30});
    float base = loam_builder_f32(b, "rope.freq_base_swa", &(float){10000});
    loam_builder_rope_plain(b, &d->local_rope, d->local_frequencies, d->key_width,
                            d->rotation.options.dimensions, LOAM_ROPE_HALVES, base);
    loam_shared_layers_read(b, &m->shared, PERIOD);
    m->streams = loam_builder_u32(b, "altup.num_inputs", &(uint32_t){4});
    m->active = loam_builder_u32(b, "altup.active_idx", &(uint32_t){0});
    m->per_layer = loam_per_layer_width(b, &(uint32_t){256});
    if (m->streams < 2 || m->streams > MOST_STREAMS || m->active >= m->streams)
        loam_builder_refuse(b, LOAM_FORMAT, "altup.num_inputs",
                            "expected 2 to 64, and more than altup.active_idx", m->streams);
}

static loam_tensor build(struct builder *b)
{
    struct gemma3n m;
    read(b, &m);
    loam_tensor table = loam_builder_embeddings(b);
    loam_tensor x = loam_decoder_embed(b, &m.decoder, table);
    m.inputs = loam_per_layer_inputs(b, &m.decoder, x, m.per_layer);
    x = begin(b, &m, x);
    for (uint32_t i = 0; !b->status && i < b->description.layers; i++)
        x = build_layer(b, &m, i, x);
    return loam_decoder_finish(b, &m.decoder, table, end(b, &m, x));
}

const struct family loam_family_gemma3n = {
    .name = "gemma3n",
    .models = "Gemma 3n, text",
    .build = build,
};

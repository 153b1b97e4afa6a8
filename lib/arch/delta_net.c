/* SPDX-License-Identifier: MIT */
/*
 * Qwen3-Next and Qwen 3.5. (Yang et al., "Gated Delta Networks: Improving Mamba2
 * with Delta Rule", 2024; Qiu et al., "Gated Attention for Large Language
 * Models", 2025.) Of a few layers the last attends, with a gate on what each head
 * saw; the others are gated delta nets. Positions of text are one number, so the
 * sections of a rotation (rope.dimension_sections) are all alike.
 */
#include "arch/state_space.h"

#include <math.h>

/* What tells the families apart. */
struct traits {
    bool experts;
    bool joint;   /* gains and steps come out of one matrix, key head by key head */
    bool in_turn; /* value heads take key heads in turn, not in runs */
};

struct delta_net {
    struct state_space_decoder base; /* first */
    uint32_t interval;               /* of so many layers the last attends */
};

/* What a layer's projections give. */
struct projections {
    loam_tensor mixed; /* queries, keys, values, before the convolution */
    loam_tensor gate, step, gain;
};

static bool is_joint(const struct builder *b)
{
    return ((const struct traits *)b->traits)->joint;
}

/* ssm_in of older files: for each key head its query, key, values and gates. */
static void project_together(struct builder *b, const struct state_space *s, uint32_t layer,
                             loam_tensor x, struct projections *out)
{
    loam_graph *g = b->graph;
    uint32_t keys = s->groups * s->state, values = s->inner / s->groups;
    uint32_t group = 2 * s->state + 2 * values;
    loam_tensor all = loam_decoder_linear(b, "blk.%u.ssm_in", layer, x,
                                          b->description.embedding_length, 2 * keys + 2 * s->inner);
    loam_tensor q = loam_graph_slice(g, all, group, 0, s->state);
    loam_tensor k = loam_graph_slice(g, all, group, s->state, s->state);
    loam_tensor v = loam_graph_slice(g, all, group, 2 * s->state, values);
    out->mixed = loam_graph_concatenate(g, loam_graph_concatenate(g, q, k, 1), v, 1);
    out->gate = loam_graph_slice(g, all, group, 2 * s->state + values, values);
}

static void project(struct builder *b, const struct state_space *s, uint32_t layer, loam_tensor x,
                    struct projections *out)
{
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length;
    uint32_t mixed = 2 * s->groups * s->state + s->inner;
    if (loam_builder_has(b, "blk.%u.ssm_in.weight", layer)) {
        project_together(b, s, layer, x, out);
    } else {
        out->mixed = loam_decoder_linear(b, "blk.%u.attn_qkv", layer, x, width, mixed);
        out->gate = loam_decoder_linear(b, "blk.%u.attn_gate", layer, x, width, s->inner);
    }
    if (is_joint(b)) {
        uint32_t part = s->rank / s->groups;
        loam_tensor both = loam_decoder_linear(b, "blk.%u.ssm_ba", layer, x, width, 2 * s->rank);
        out->gain = loam_graph_slice(g, both, 2 * part, 0, part);
        out->step = loam_graph_slice(g, both, 2 * part, part, part);
    } else {
        out->gain = loam_decoder_linear(b, "blk.%u.ssm_beta", layer, x, width, s->rank);
        out->step = loam_decoder_linear(b, "blk.%u.ssm_alpha", layer, x, width, s->rank);
    }
    out->gain = loam_graph_map(g, out->gain, LOAM_ACTIVATION_SIGMOID, NULL);
    out->step = loam_graph_affine(g, out->step, LOAM_NO_TENSOR,
                                  loam_builder_vector(b, "blk.%u.ssm_dt.bias", layer, s->rank));
    out->step = loam_graph_map(g, out->step, LOAM_ACTIVATION_SOFTPLUS, NULL);
}

/* Numbers from `first` on of the convolved rows, as key heads of length 1. */
static loam_tensor take_keys(struct builder *b, const struct state_space_decoder *d, loam_tensor x,
                             uint32_t first)
{
    uint32_t keys = d->space.groups * d->space.state;
    const loam_norm_options unit = {.struct_size = sizeof unit,
                                    .kind = LOAM_NORM_L2,
                                    .group_width = d->space.state,
                                    .epsilon = d->decoder.epsilon};
    x = loam_graph_slice(b->graph, x, 2 * keys + d->space.inner, first, keys);
    return loam_graph_norm(b->graph, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR, &unit);
}

static loam_tensor build_delta_net(struct builder *b, const struct decoder *given,
                                   const struct layer *layer, loam_tensor x)
{
    const struct state_space_decoder *d = (const struct state_space_decoder *)given;
    const struct state_space *s = &d->space;
    loam_graph *g = b->graph;
    uint32_t index = layer->index, keys = s->groups * s->state, head = s->inner / s->rank;
    const loam_scan_options options = {.struct_size = sizeof options,
                                       .rule = LOAM_SCAN_GATED_DELTA,
                                       .heads = s->rank,
                                       .key_heads = s->groups,
                                       .key_width = s->state,
                                       .value_width = head,
                                       .in_turn = ((const struct traits *)b->traits)->in_turn,
                                       .scale = 1.0f / sqrtf((float)s->state)};
    const loam_norm_options norm = {.struct_size = sizeof norm,
                                    .kind = LOAM_NORM_RMS,
                                    .group_width = head,
                                    .epsilon = d->decoder.epsilon};
    struct projections in = {0};
    project(b, s, index, x, &in);
    loam_tensor mixed = loam_state_space_convolve(b, index, in.mixed, s->taps, 2 * keys + s->inner);
    loam_scan_inputs inputs = {
        .query = take_keys(b, d, mixed, 0),
        .key = take_keys(b, d, mixed, keys),
        .value = loam_graph_slice(g, mixed, 2 * keys + s->inner, 2 * keys, s->inner),
        .step = in.step,
        .gain = in.gain,
        .rate = loam_builder_vector(b, "blk.%u.ssm_a", index, s->rank),
        .decay = LOAM_NO_TENSOR,
        .a = LOAM_NO_TENSOR,
        .b = LOAM_NO_TENSOR,
        .skip = LOAM_NO_TENSOR};
    loam_tensor y = loam_graph_scan(g, &inputs, &options);
    y = loam_graph_norm(g, y, loam_builder_vector(b, "blk.%u.ssm_norm.weight", index, head),
                        LOAM_NO_TENSOR, &norm);
    y = loam_graph_gate(g, in.gate, y, LOAM_ACTIVATION_SILU);
    return loam_decoder_linear(b, "blk.%u.ssm_out", index, y, s->inner,
                               b->description.embedding_length);
}

static void prepare(struct builder *b, const struct decoder *d, struct layer *layer)
{
    uint32_t interval = ((const struct delta_net *)d)->interval;
    uint32_t fallback = (layer->index + 1) % interval != 0;
    layer->recurrent =
        loam_builder_u32_at(b, "attention.recurrent_layers", layer->index, &fallback, NULL) != 0;
}

static loam_tensor build(struct builder *b)
{
    struct delta_net n;
    struct decoder *d = &n.base.decoder;
    loam_decoder_read(b, d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    if (((const struct traits *)b->traits)->experts)
        loam_experts_read(b, d, true);
    loam_state_space_read(b, &n.base.space, true);
    n.interval = loam_builder_u32(b, "full_attention_interval", &(uint32_t){4});
    uint32_t drafts = loam_builder_u32(b, "nextn_predict_layers", &(uint32_t){0});
    if (n.interval == 0 || drafts >= b->description.layers)
        loam_builder_refuse(b, LOAM_FORMAT, "full_attention_interval",
                            "it is 0, or nextn_predict_layers leaves no layer", n.interval);
    if (b->status)
        return LOAM_NO_TENSOR;
    b->description.layers -= drafts; /* layers behind the model, which guess further tokens */
    d->qk_norm = QK_NORM_BEFORE_ROPE;
    d->gated_attention = true;
    d->ffn_norm = "blk.%u.post_attention_norm";
    d->prepare = prepare;
    d->recur = build_delta_net;
    return loam_decoder_build(b, d);
}

const struct family loam_family_qwen3next = {
    .name = "qwen3next",
    .models = "Qwen3-Next, Qwen3-Coder-Next",
    .build = build,
    .traits = &(const struct traits){.experts = true, .joint = true},
};
const struct family loam_family_qwen35 = {
    .name = "qwen35",
    .models = "Qwen 3.5 and 3.6, dense, text",
    .build = build,
    .traits = &(const struct traits){.in_turn = true},
};
const struct family loam_family_qwen35moe = {
    .name = "qwen35moe",
    .models = "Qwen 3.5 and 3.6 with experts, text",
    .build = build,
    .traits = &(const struct traits){.experts = true, .in_turn = true},
};

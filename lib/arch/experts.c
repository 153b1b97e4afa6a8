/* SPDX-License-Identifier: MIT */
/* Mixtures of experts as files describe them. */
#include "arch/decoder.h"

void loam_experts_read(struct builder *b, struct decoder *d, bool normalised)
{
    struct experts *e = &d->experts;
    e->count = loam_builder_u32(b, "expert_count", &(uint32_t){0});
    if (e->count == 0)
        return;
    uint32_t feed_forward = loam_builder_u32_at(b, "feed_forward_length", 0, &(uint32_t){0}, NULL);
    e->used = loam_builder_u32(b, "expert_used_count", NULL);
    e->hidden = loam_builder_u32(b, "expert_feed_forward_length", &feed_forward);
    e->dense_layers = loam_builder_u32(b, "leading_dense_block_count", &(uint32_t){0});
    e->step = loam_builder_u32(b, "interleave_moe_layer_step", &(uint32_t){1});
    uint32_t shared = loam_builder_u32(b, "expert_shared_count", &(uint32_t){0});
    if (e->count > MAX_EXPERTS)
        loam_builder_refuse(b, LOAM_UNSUPPORTED, "expert_count", "at most 1024", e->count);
    if (shared > MAX_EXPERTS || e->hidden > 1 << 22 || e->hidden == 0)
        loam_builder_refuse(b, LOAM_FORMAT, "expert_feed_forward_length",
                            "it, or expert_shared_count, is not possible", e->hidden);
    if (b->status)
        return;
    e->step = e->step ? e->step : 1;
    e->rest = e->step - 1;
    shared *= e->hidden;
    e->shared_hidden = loam_builder_u32(b, "expert_shared_feed_forward_length", &shared);
    uint32_t gating = loam_builder_u32(b, "expert_gating_func", &(uint32_t){1});
    if (gating > 3)
        loam_builder_refuse(b, LOAM_UNSUPPORTED, "expert_gating_func",
                            "known are softmax (1), sigmoid (2) and softmax of the chosen (3)",
                            gating);
    e->options = (loam_experts_options){
        .struct_size = sizeof e->options,
        .count = e->count,
        .used = e->used,
        .groups = loam_builder_u32(b, "expert_group_count", &(uint32_t){0}),
        .groups_used = loam_builder_u32(b, "expert_group_used_count", &(uint32_t){0}),
        .router = gating == 2   ? LOAM_ROUTER_SIGMOID
                  : gating == 3 ? LOAM_ROUTER_SOFTMAX_CHOSEN
                                : LOAM_ROUTER_SOFTMAX,
        .normalised = loam_builder_flag(b, "expert_weights_norm", normalised),
        .scale = loam_builder_f32(b, "expert_weights_scale", &(float){1}),
        .activation = d->activation};
    if (e->options.groups < 2)
        e->options.groups = 0;
}

bool loam_experts_in(const struct decoder *d, const struct layer *layer)
{
    const struct experts *e = &d->experts;
    return e->count && !layer->dense && layer->index >= e->dense_layers &&
           layer->index % e->step == e->rest;
}

/* The expert of every row; some families weigh it by a gate of its own. */
static loam_tensor build_shared(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x)
{
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, hidden = d->experts.shared_hidden;
    loam_tensor gate =
        loam_decoder_linear(b, "blk.%u.ffn_gate_shexp", layer->index, x, width, hidden);
    loam_tensor up = loam_decoder_linear(b, "blk.%u.ffn_up_shexp", layer->index, x, width, hidden);
    loam_tensor y = loam_graph_gate(g, gate, up, d->activation);
    y = loam_decoder_linear(b, "blk.%u.ffn_down_shexp", layer->index, y, hidden, width);
    loam_tensor weight =
        loam_builder_optional(b, "blk.%u.ffn_gate_inp_shexp.weight", layer->index, width, 1);
    if (weight == LOAM_NO_TENSOR)
        return y;
    loam_tensor part = loam_graph_linear(g, x, weight, LOAM_NO_TENSOR);
    return loam_graph_multiply(g, y, loam_graph_map(g, part, LOAM_ACTIVATION_SIGMOID, NULL));
}

/* Numbers that the results of matrices are multiplied by: experts have them for
 * what they give alone. */
static void check_scales(struct builder *b, uint32_t layer)
{
    static const char *const names[] = {"blk.%u.ffn_gate_exps.scale", "blk.%u.ffn_up_exps.scale",
                                        "blk.%u.ffn_gate_up_exps.scale"};
    for (size_t i = 0; i < LOAM_COUNT_OF(names); i++)
        if (loam_builder_has(b, names[i], layer) && !b->status)
            b->status = loam_fail(b->error, LOAM_UNSUPPORTED,
                                  "tensors blk.N.%s: scales of experts are supported for "
                                  "ffn_down_exps alone",
                                  names[i] + 7);
}

loam_tensor loam_experts_of(struct builder *b, const struct decoder *d, uint32_t index,
                            loam_tensor x, loam_tensor scores)
{
    const struct experts *e = &d->experts;
    uint32_t width = b->description.embedding_length;
    uint32_t count = e->count, hidden = e->hidden;
    check_scales(b, index);
    loam_experts_options options = e->options;
    options.gate_in_up = loam_builder_has(b, "blk.%u.ffn_gate_up_exps.weight", index);
    bool joined = options.gate_in_up != 0;
    options.scales = loam_builder_optional_vector(b, "blk.%u.ffn_down_exps.scale", index, count);
    options.has_scales = options.scales != LOAM_NO_TENSOR;
    loam_experts_weights weights = {
        .gate = LOAM_NO_TENSOR,
        .up = loam_builder_stack(
            b, joined ? "blk.%u.ffn_gate_up_exps.weight" : "blk.%u.ffn_up_exps.weight", index,
            width, joined ? 2 * hidden : hidden, count),
        .down = loam_builder_stack(b, "blk.%u.ffn_down_exps.weight", index, hidden, width, count),
        .gate_bias =
            loam_builder_optional_vector(b, "blk.%u.ffn_gate_exps.bias", index, hidden * count),
        .up_bias =
            loam_builder_optional_vector(b, "blk.%u.ffn_up_exps.bias", index, hidden * count),
        .down_bias =
            loam_builder_optional_vector(b, "blk.%u.ffn_down_exps.bias", index, width * count),
        .selection_bias = loam_builder_optional_vector(b, "blk.%u.exp_probs_b.bias", index, count)};
    if (!joined && !e->ungated)
        weights.gate =
            loam_builder_stack(b, "blk.%u.ffn_gate_exps.weight", index, width, hidden, count);
    return loam_graph_experts(b->graph, x, scores, &weights, &options);
}

loam_tensor loam_experts_build(struct builder *b, const struct decoder *d,
                               const struct layer *layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length;
    loam_tensor scores =
        loam_decoder_linear(b, "blk.%u.ffn_gate_inp", layer->index, x, width, d->experts.count);
    loam_tensor y = loam_experts_of(b, d, layer->index, x, scores);
    return d->experts.shared_hidden ? loam_graph_add(b->graph, y, build_shared(b, d, layer, x)) : y;
}

/* SPDX-License-Identifier: MIT */
/* (Gu and Dao, "Mamba", 2023; Dao and Gu, "Transformers are SSMs", 2024; norms of
 * steps, B and C: Lieber et al., "Jamba", 2024.) */
#include "arch/state_space.h"

static uint32_t read_key(struct builder *b, const char *key, uint32_t most)
{
    uint32_t value = loam_builder_u32(b, key, NULL);
    if (value == 0 || value > most)
        loam_builder_refuse(b, LOAM_FORMAT, key, "it is 0 or too large", value);
    return b->status ? 1 : value;
}

void loam_state_space_read(struct builder *b, struct state_space *s, bool groups)
{
    *s = (struct state_space){.taps = read_key(b, "ssm.conv_kernel", 64),
                              .inner = read_key(b, "ssm.inner_size", 1 << 20),
                              .state = read_key(b, "ssm.state_size", 1024),
                              .rank = read_key(b, "ssm.time_step_rank", 1 << 20),
                              .groups = groups ? read_key(b, "ssm.group_count", 1 << 10) : 1};
    if (groups && (s->inner % s->rank != 0 || s->rank % s->groups != 0))
        loam_builder_refuse(b, LOAM_FORMAT, "ssm.time_step_rank",
                            "it does not divide ssm.inner_size, or ssm.group_count it", s->rank);
}

loam_tensor loam_state_space_convolve(struct builder *b, uint32_t layer, loam_tensor x,
                                      uint32_t taps, uint32_t width)
{
    loam_tensor weight = loam_builder_matrix(b, "blk.%u.ssm_conv1d.weight", layer, taps, width);
    loam_tensor bias = loam_builder_optional_vector(b, "blk.%u.ssm_conv1d.bias", layer, width);
    x = loam_graph_convolve(b->graph, x, weight, bias);
    return loam_graph_map(b->graph, x, LOAM_ACTIVATION_SILU, NULL);
}

/* Numbers [first, first + count) of rows of ssm_x, normed if the model does. */
static loam_tensor take(struct builder *b, const struct state_space_decoder *d, uint32_t layer,
                        loam_tensor x, uint32_t first, uint32_t count, const char *norm)
{
    const struct state_space *s = &d->space;
    const loam_norm_options options = {
        .struct_size = sizeof options, .kind = LOAM_NORM_RMS, .epsilon = d->decoder.epsilon};
    x = loam_graph_slice(b->graph, x, s->rank + 2 * s->state, first, count);
    if (!s->norms)
        return x;
    loam_tensor weight = loam_builder_optional_vector(b, norm, layer, count);
    return loam_graph_norm(b->graph, x, weight, LOAM_NO_TENSOR, &options);
}

loam_tensor loam_state_space_mamba(struct builder *b, const struct decoder *given,
                                   const struct layer *layer, loam_tensor x)
{
    const struct state_space_decoder *d = (const struct state_space_decoder *)given;
    const struct state_space *s = &d->space;
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, index = layer->index;
    const loam_scan_options options = {.struct_size = sizeof options,
                                       .rule = LOAM_SCAN_STATE_SPACE,
                                       .heads = s->inner,
                                       .key_heads = 1,
                                       .key_width = s->state,
                                       .value_width = 1};
    loam_tensor both = loam_decoder_linear(b, "blk.%u.ssm_in", index, x, width, 2 * s->inner);
    loam_tensor z = loam_graph_slice(g, both, 2 * s->inner, s->inner, s->inner);
    x = loam_graph_slice(g, both, 2 * s->inner, 0, s->inner);
    x = loam_state_space_convolve(b, index, x, s->taps, s->inner);
    loam_tensor made =
        loam_decoder_linear(b, "blk.%u.ssm_x", index, x, s->inner, s->rank + 2 * s->state);
    loam_tensor step = take(b, d, index, made, 0, s->rank, "blk.%u.ssm_dt_norm.weight");
    step = loam_decoder_linear(b, "blk.%u.ssm_dt", index, step, s->rank, s->inner);
    loam_scan_inputs inputs = {
        .key = take(b, d, index, made, s->rank, s->state, "blk.%u.ssm_b_norm.weight"),
        .query = take(b, d, index, made, s->rank + s->state, s->state, "blk.%u.ssm_c_norm.weight"),
        .value = x,
        .step = loam_graph_map(g, step, LOAM_ACTIVATION_SOFTPLUS, NULL),
        .rate = loam_builder_vector(b, "blk.%u.ssm_a", index, s->inner * s->state),
        .gain = LOAM_NO_TENSOR,
        .decay = LOAM_NO_TENSOR,
        .a = LOAM_NO_TENSOR,
        .b = LOAM_NO_TENSOR,
        .skip = loam_builder_vector(b, "blk.%u.ssm_d", index, s->inner)};
    loam_tensor y = loam_graph_scan(g, &inputs, &options);
    y = loam_graph_gate(g, z, y, LOAM_ACTIVATION_SILU);
    return loam_decoder_linear(b, "blk.%u.ssm_out", index, y, s->inner, width);
}

/* The gate, then the norm by groups. */
static loam_tensor finish_mamba2(struct builder *b, const struct state_space_decoder *d,
                                 uint32_t layer, loam_tensor z, loam_tensor y)
{
    const struct state_space *s = &d->space;
    const loam_norm_options norm = {.struct_size = sizeof norm,
                                    .kind = LOAM_NORM_RMS,
                                    .group_width = s->inner / s->groups,
                                    .epsilon = d->decoder.epsilon};
    y = loam_graph_gate(b->graph, z, y, LOAM_ACTIVATION_SILU);
    if (loam_builder_has(b, "blk.%u.ssm_norm.weight", layer)) {
        loam_tensor weight = loam_builder_vector(b, "blk.%u.ssm_norm.weight", layer, s->inner);
        y = loam_graph_norm(b->graph, y, weight, LOAM_NO_TENSOR, &norm);
    }
    return loam_decoder_linear(b, "blk.%u.ssm_out", layer, y, s->inner,
                               b->description.embedding_length);
}

loam_tensor loam_state_space_mamba2(struct builder *b, const struct decoder *given,
                                    const struct layer *layer, loam_tensor x)
{
    const struct state_space_decoder *d = (const struct state_space_decoder *)given;
    const struct state_space *s = &d->space;
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, index = layer->index;
    uint32_t shared = s->groups * s->state, mixed = s->inner + 2 * shared;
    uint32_t all = s->inner + mixed + s->rank;
    const loam_scan_options options = {.struct_size = sizeof options,
                                       .rule = LOAM_SCAN_STATE_SPACE,
                                       .heads = s->rank,
                                       .key_heads = s->groups,
                                       .key_width = s->state,
                                       .value_width = s->inner / s->rank};
    loam_tensor made = loam_decoder_linear(b, "blk.%u.ssm_in", index, x, width, all);
    loam_tensor z = loam_graph_slice(g, made, all, 0, s->inner);
    loam_tensor step = loam_graph_slice(g, made, all, s->inner + mixed, s->rank);
    step = loam_graph_affine(g, step, LOAM_NO_TENSOR,
                             loam_builder_vector(b, "blk.%u.ssm_dt.bias", index, s->rank));
    loam_tensor mix = loam_state_space_convolve(
        b, index, loam_graph_slice(g, made, all, s->inner, mixed), s->taps, mixed);
    loam_scan_inputs inputs = {.value = loam_graph_slice(g, mix, mixed, 0, s->inner),
                               .key = loam_graph_slice(g, mix, mixed, s->inner, shared),
                               .query = loam_graph_slice(g, mix, mixed, s->inner + shared, shared),
                               .step = loam_graph_map(g, step, LOAM_ACTIVATION_SOFTPLUS, NULL),
                               .rate = loam_builder_vector(b, "blk.%u.ssm_a", index, s->rank),
                               .gain = LOAM_NO_TENSOR,
                               .decay = LOAM_NO_TENSOR,
                               .a = LOAM_NO_TENSOR,
                               .b = LOAM_NO_TENSOR,
                               .skip = loam_builder_vector(b, "blk.%u.ssm_d", index, s->rank)};
    return finish_mamba2(b, d, index, z, loam_graph_scan(g, &inputs, &options));
}

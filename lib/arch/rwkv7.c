/* SPDX-License-Identifier: MIT */
/*
 * RWKV 7. (Peng et al., "RWKV-7 Goose with Expressive Dynamic State Evolution",
 * 2025.) No attention: each block sees the row before its own, mixed in by a
 * share of its own for each use (lerp), and heads keep a matrix that forgets and
 * corrects itself.
 */
#include "arch/decoder.h"

struct rwkv {
    struct decoder decoder; /* first */
    uint32_t head;          /* width of a head */
    uint32_t decay_rank, gain_rank, value_rank, gate_rank;
    loam_tensor *first_value; /* of the first layer */
};

/* Uses of a row in time mixing, in the order of time_mix_lerp_fused. */
enum { USE_QUERY, USE_DECAY, USE_KEY, USE_VALUE, USE_GAIN, USE_GATE, USES };

/* x times NAME1, the function, times NAME2, plus NAME0 if there is one. */
static loam_tensor low_rank(struct builder *b, uint32_t layer, loam_tensor x, uint32_t rank,
                            int32_t function, const char *const names[3])
{
    uint32_t width = b->description.embedding_length;
    loam_tensor y = loam_graph_linear(
        b->graph, x, loam_builder_matrix(b, names[1], layer, width, rank), LOAM_NO_TENSOR);
    if (function >= 0)
        y = loam_graph_map(b->graph, y, function, NULL);
    loam_tensor bias = names[0] ? loam_builder_vector(b, names[0], layer, width) : LOAM_NO_TENSOR;
    return loam_graph_linear(b->graph, y, loam_builder_matrix(b, names[2], layer, rank, width),
                             bias);
}

static loam_tensor subtract(struct builder *b, loam_tensor x, loam_tensor y)
{
    return loam_graph_add(b->graph, x, loam_decoder_scale(b, y, -1));
}

/* x * NAME */
static loam_tensor weigh(struct builder *b, const char *name, uint32_t layer, loam_tensor x)
{
    loam_tensor weight = loam_builder_vector(b, name, layer, b->description.embedding_length);
    return loam_graph_affine(b->graph, x, weight, LOAM_NO_TENSOR);
}

/* x + share * difference */
static loam_tensor mix(struct builder *b, uint32_t layer, loam_tensor x, loam_tensor difference,
                       uint32_t use)
{
    uint32_t width = b->description.embedding_length;
    loam_tensor share = loam_builder_numbers(b, "blk.%u.time_mix_lerp_fused.weight", layer,
                                             USES * width, use * width, width);
    return loam_graph_add(b->graph, loam_graph_affine(b->graph, difference, share, LOAM_NO_TENSOR),
                          x);
}

/* Values; those of later layers lean to the first layer's. */
static loam_tensor build_value(struct builder *b, const struct rwkv *r, uint32_t layer,
                               loam_tensor x)
{
    static const char *const names[] = {"blk.%u.time_mix_v0.weight", "blk.%u.time_mix_v1.weight",
                                        "blk.%u.time_mix_v2.weight"};
    uint32_t width = b->description.embedding_length;
    loam_tensor v = loam_decoder_linear(b, "blk.%u.time_mix_value", layer, x, width, width);
    if (layer == 0) {
        *r->first_value = v;
        return v;
    }
    loam_tensor share = low_rank(b, layer, x, r->value_rank, -1, names);
    share = loam_graph_map(b->graph, share, LOAM_ACTIVATION_SIGMOID, NULL);
    return loam_graph_add(b->graph, v,
                          loam_graph_multiply(b->graph, subtract(b, *r->first_value, v), share));
}

/* exp(-exp(-1/2) * sigmoid(w)) */
static loam_tensor build_decay(struct builder *b, const struct rwkv *r, uint32_t layer,
                               loam_tensor x)
{
    static const char *const names[] = {"blk.%u.time_mix_w0.weight", "blk.%u.time_mix_w1.weight",
                                        "blk.%u.time_mix_w2.weight"};
    loam_tensor w = low_rank(b, layer, x, r->decay_rank, LOAM_ACTIVATION_TANH, names);
    w = loam_graph_map(b->graph, w, LOAM_ACTIVATION_SIGMOID, NULL);
    return loam_graph_map(b->graph, loam_decoder_scale(b, w, -0.606531f), LOAM_ACTIVATION_EXP,
                          NULL);
}

/* Norm of each head, then what the row itself gives, then the gate. */
static loam_tensor finish(struct builder *b, const struct rwkv *r, uint32_t layer, loam_tensor y,
                          const loam_scan_inputs *scan, loam_tensor x)
{
    static const char *const names[] = {NULL, "blk.%u.time_mix_g1.weight",
                                        "blk.%u.time_mix_g2.weight"};
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length;
    const loam_norm_options norm = {.struct_size = sizeof norm,
                                    .kind = LOAM_NORM_LAYER,
                                    .group_width = r->head,
                                    .epsilon = 64e-5f};
    y = loam_graph_norm(g, y, loam_builder_vector(b, "blk.%u.time_mix_ln.weight", layer, width),
                        loam_builder_vector(b, "blk.%u.time_mix_ln.bias", layer, width), &norm);
    loam_tensor own = weigh(b, "blk.%u.time_mix_r_k.weight", layer,
                            loam_graph_multiply(g, scan->key, scan->query));
    own = loam_graph_multiply(g, scan->value, loam_graph_sum(g, own, r->head));
    loam_tensor gate = low_rank(b, layer, x, r->gate_rank, LOAM_ACTIVATION_SIGMOID, names);
    y = loam_graph_multiply(g, loam_graph_add(g, y, own), gate);
    return loam_decoder_linear(b, "blk.%u.time_mix_output", layer, y, width, width);
}

static loam_tensor mix_time(struct builder *b, const struct decoder *d, const struct layer *layer,
                            loam_tensor x)
{
    static const char *const names[] = {"blk.%u.time_mix_a0.weight", "blk.%u.time_mix_a1.weight",
                                        "blk.%u.time_mix_a2.weight"};
    const struct rwkv *r = (const struct rwkv *)d;
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, index = layer->index;
    const loam_norm_options unit = {.struct_size = sizeof unit,
                                    .kind = LOAM_NORM_L2,
                                    .group_width = r->head,
                                    .epsilon = 1e-12f};
    const loam_scan_options options = {.struct_size = sizeof options,
                                       .rule = LOAM_SCAN_GENERAL_DELTA,
                                       .heads = width / r->head,
                                       .key_width = r->head,
                                       .value_width = r->head};
    loam_tensor difference = subtract(b, loam_graph_previous(g, x), x);
    loam_tensor uses[USES];
    for (uint32_t use = 0; use < USES; use++)
        uses[use] = mix(b, index, x, difference, use);
    loam_tensor query =
        loam_decoder_linear(b, "blk.%u.time_mix_receptance", index, uses[USE_QUERY], width, width);
    loam_tensor k =
        loam_decoder_linear(b, "blk.%u.time_mix_key", index, uses[USE_KEY], width, width);
    loam_tensor gain = low_rank(b, index, uses[USE_GAIN], r->gain_rank, -1, names);
    gain = loam_graph_map(g, gain, LOAM_ACTIVATION_SIGMOID, NULL);
    loam_tensor removed = loam_graph_norm(g, weigh(b, "blk.%u.time_mix_k_k.weight", index, k),
                                          LOAM_NO_TENSOR, LOAM_NO_TENSOR, &unit);
    loam_tensor scaled = weigh(b, "blk.%u.time_mix_k_a.weight", index, k);
    k = loam_graph_add(g, k, subtract(b, loam_graph_multiply(g, gain, scaled), scaled));
    loam_scan_inputs inputs = {.query = query,
                               .key = k,
                               .value = build_value(b, r, index, uses[USE_VALUE]),
                               .step = LOAM_NO_TENSOR,
                               .rate = LOAM_NO_TENSOR,
                               .gain = LOAM_NO_TENSOR,
                               .decay = build_decay(b, r, index, uses[USE_DECAY]),
                               .a = loam_decoder_scale(b, removed, -1),
                               .b = loam_graph_multiply(g, removed, gain),
                               .skip = LOAM_NO_TENSOR};
    loam_tensor y = loam_graph_scan(g, &inputs, &options);
    return finish(b, r, index, y, &inputs, uses[USE_GATE]);
}

static loam_tensor mix_channels(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x)
{
    (void)d;
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, hidden = layer->feed_forward;
    if (hidden == 0 || hidden > 1 << 22)
        loam_builder_refuse(b, LOAM_FORMAT, "feed_forward_length", "expected 1 to 2^22", hidden);
    loam_tensor difference = subtract(b, loam_graph_previous(g, x), x);
    difference = weigh(b, "blk.%u.channel_mix_lerp_k.weight", layer->index, difference);
    x = loam_graph_add(g, difference, x);
    x = loam_decoder_linear(b, "blk.%u.channel_mix_key", layer->index, x, width, hidden);
    x = loam_graph_map(g, x, LOAM_ACTIVATION_RELU_SQUARED, NULL);
    return loam_decoder_linear(b, "blk.%u.channel_mix_value", layer->index, x, hidden, width);
}

static uint32_t read_rank(struct builder *b, const char *key)
{
    uint32_t rank = loam_builder_u32(b, key, NULL);
    if (rank == 0 || rank > 1 << 20)
        loam_builder_refuse(b, LOAM_FORMAT, key, "expected 1 to 2^20", rank);
    return b->status ? 1 : rank;
}

static void prepare(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)b;
    (void)d;
    layer->recurrent = true;
}

static loam_tensor build(struct builder *b)
{
    loam_tensor first_value = LOAM_NO_TENSOR;
    struct rwkv r;
    loam_decoder_begin(b, &r.decoder, LOAM_NORM_LAYER);
    r.head = read_rank(b, "wkv.head_size");
    r.decay_rank = read_rank(b, "attention.decay_lora_rank");
    r.gain_rank = read_rank(b, "attention.iclr_lora_rank");
    r.value_rank = read_rank(b, "attention.value_residual_mix_lora_rank");
    r.gate_rank = read_rank(b, "attention.gate_lora_rank");
    if (r.head > 1024 || b->description.embedding_length % r.head != 0)
        loam_builder_refuse(b, LOAM_FORMAT, "wkv.head_size",
                            "it is above 1024, or does not divide embedding_length", r.head);
    r.first_value = &first_value;
    r.decoder.ffn_norm = "blk.%u.attn_norm_2";
    r.decoder.prepare = prepare;
    r.decoder.recur = mix_time;
    r.decoder.feed_forward = mix_channels;
    return loam_decoder_build(b, &r.decoder);
}

const struct family loam_family_rwkv7 = {
    .name = "rwkv7",
    .models = "RWKV 7 Goose",
    .build = build,
};

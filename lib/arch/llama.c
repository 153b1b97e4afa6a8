/* SPDX-License-Identifier: MIT */
/*
 * The llama family: Llama 1 to 3, Mistral, TinyLlama, SmolLM and their kin.
 * (Touvron et al., "LLaMA: Open and Efficient Foundation Language Models",
 * 2023; grouped heads: Ainslie et al., "GQA", 2023.)
 */
#include "arch/arch.h"

struct shape {
    uint32_t heads, kv_heads, key_width, value_width, feed_forward;
    float epsilon, magnitude;
    loam_rope_options rope;
    double frequencies[512];
};

static void read_shape(struct builder *b, struct shape *s)
{
    uint32_t embedding = b->description.embedding_length;
    s->heads = loam_builder_u32(b, "attention.head_count", NULL);
    s->kv_heads = loam_builder_u32(b, "attention.head_count_kv", &s->heads);
    s->feed_forward = loam_builder_u32(b, "feed_forward_length", NULL);
    s->epsilon = loam_builder_f32(b, "attention.layer_norm_rms_epsilon", NULL);
    uint32_t experts = loam_builder_u32(b, "expert_count", &(uint32_t){0});
    if (s->heads == 0 || s->heads > 65536)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.head_count", "expected 1 to 65536",
                            s->heads);
    if (s->kv_heads == 0 || s->kv_heads > s->heads || s->heads % s->kv_heads != 0)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.head_count_kv",
                            "expected a divisor of attention.head_count", s->kv_heads);
    if (s->feed_forward == 0 || s->feed_forward > 1 << 24)
        loam_builder_refuse(b, LOAM_FORMAT, "feed_forward_length", "expected 1 to 2^24",
                            s->feed_forward);
    if (!(s->epsilon >= 0 && s->epsilon < 1))
        loam_builder_refuse(b, LOAM_FORMAT, "attention.layer_norm_rms_epsilon",
                            "expected a number from 0 to 1", 0);
    if (experts)
        loam_builder_refuse(b, LOAM_UNSUPPORTED, "expert_count",
                            "mixtures of experts are not supported yet", experts);
    uint32_t even = b->status ? 1 : embedding / s->heads;
    s->key_width = loam_builder_u32(b, "attention.key_length", &even);
    s->value_width = loam_builder_u32(b, "attention.value_length", &even);
    if (s->key_width == 0 || s->key_width > 1024)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.key_length", "expected 1 to 1024",
                            s->key_width);
    if (s->value_width == 0 || s->value_width > 1024)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.value_length", "expected 1 to 1024",
                            s->value_width);
}

static void read_rope(struct builder *b, struct shape *s)
{
    uint32_t dimensions = loam_builder_u32(b, "rope.dimension_count", &s->key_width);
    if (dimensions == 0 || dimensions > s->key_width || dimensions % 2 != 0)
        loam_builder_refuse(b, LOAM_FORMAT, "rope.dimension_count",
                            "expected an even number, at most the head's width", dimensions);
    if (b->status)
        return;
    s->rope = (loam_rope_options){.struct_size = sizeof s->rope,
                                  .head_width = s->key_width,
                                  .dimensions = dimensions,
                                  .pairing = LOAM_ROPE_ADJACENT,
                                  .frequencies = s->frequencies};
    s->rope.magnitude = loam_builder_rope(b, s->frequencies, dimensions);
}

/* x [rows][embedding] through one attention block, residual included. */
static loam_tensor attention_block(struct builder *b, const struct shape *s, uint32_t layer,
                                   loam_tensor x)
{
    loam_graph *g = b->graph;
    uint32_t embedding = b->description.embedding_length;
    uint32_t q_width = s->heads * s->key_width, k_width = s->kv_heads * s->key_width;
    uint32_t v_width = s->kv_heads * s->value_width, out_width = s->heads * s->value_width;
    loam_attention_options attention = {.struct_size = sizeof attention,
                                        .heads = s->heads,
                                        .kv_heads = s->kv_heads,
                                        .key_width = s->key_width,
                                        .value_width = s->value_width};
    loam_tensor h = loam_graph_rms_norm(
        g, x, loam_builder_matrix(b, "blk.%u.attn_norm.weight", layer, embedding, 1), s->epsilon);
    loam_tensor q = loam_graph_linear(
        g, h, loam_builder_matrix(b, "blk.%u.attn_q.weight", layer, embedding, q_width),
        loam_builder_optional(b, "blk.%u.attn_q.bias", layer, q_width, 1));
    loam_tensor k = loam_graph_linear(
        g, h, loam_builder_matrix(b, "blk.%u.attn_k.weight", layer, embedding, k_width),
        loam_builder_optional(b, "blk.%u.attn_k.bias", layer, k_width, 1));
    loam_tensor v = loam_graph_linear(
        g, h, loam_builder_matrix(b, "blk.%u.attn_v.weight", layer, embedding, v_width),
        loam_builder_optional(b, "blk.%u.attn_v.bias", layer, v_width, 1));
    loam_tensor o = loam_graph_attention(g, loam_graph_rope(g, q, &s->rope),
                                         loam_graph_rope(g, k, &s->rope), v, &attention);
    o = loam_graph_linear(
        g, o, loam_builder_matrix(b, "blk.%u.attn_output.weight", layer, out_width, embedding),
        loam_builder_optional(b, "blk.%u.attn_output.bias", layer, embedding, 1));
    return loam_graph_add(g, x, o);
}

/* x [rows][embedding] through one feed-forward block, residual included. */
static loam_tensor feed_forward_block(struct builder *b, const struct shape *s, uint32_t layer,
                                      loam_tensor x)
{
    loam_graph *g = b->graph;
    uint32_t embedding = b->description.embedding_length, hidden = s->feed_forward;
    loam_tensor h = loam_graph_rms_norm(
        g, x, loam_builder_matrix(b, "blk.%u.ffn_norm.weight", layer, embedding, 1), s->epsilon);
    loam_tensor gate = loam_graph_linear(
        g, h, loam_builder_matrix(b, "blk.%u.ffn_gate.weight", layer, embedding, hidden),
        loam_builder_optional(b, "blk.%u.ffn_gate.bias", layer, hidden, 1));
    loam_tensor up = loam_graph_linear(
        g, h, loam_builder_matrix(b, "blk.%u.ffn_up.weight", layer, embedding, hidden),
        loam_builder_optional(b, "blk.%u.ffn_up.bias", layer, hidden, 1));
    loam_tensor down = loam_graph_linear(
        g, loam_graph_gate(g, gate, up, LOAM_ACTIVATION_SILU),
        loam_builder_matrix(b, "blk.%u.ffn_down.weight", layer, hidden, embedding),
        loam_builder_optional(b, "blk.%u.ffn_down.bias", layer, embedding, 1));
    return loam_graph_add(g, x, down);
}

static loam_tensor build(struct builder *b)
{
    struct shape s = {0};
    loam_graph *g = b->graph;
    loam_builder_describe(b);
    read_shape(b, &s);
    read_rope(b, &s);
    uint32_t embedding = b->description.embedding_length;
    loam_tensor table = loam_builder_embeddings(b);
    loam_tensor x = loam_graph_embed(g, table);
    for (uint32_t layer = 0; !b->status && layer < b->description.layers; layer++) {
        x = attention_block(b, &s, layer, x);
        x = feed_forward_block(b, &s, layer, x);
    }
    x = loam_graph_outputs(g, x);
    x = loam_graph_rms_norm(g, x, loam_builder_matrix(b, "output_norm.weight", 0, embedding, 1),
                            s.epsilon);
    loam_tensor head =
        loam_builder_optional(b, "output.weight", 0, embedding, b->description.vocabulary);
    if (head == LOAM_NO_TENSOR) /* tied */
        head = table;
    return loam_graph_linear(
        g, x, head, loam_builder_optional(b, "output.bias", 0, b->description.vocabulary, 1));
}

const struct family loam_family_llama = {.name = "llama", .build = build};

/* SPDX-License-Identifier: MIT */
/*
 * DeepSeek 1 to 3. (Dai et al., "DeepSeekMoE", 2024; DeepSeek-AI, "DeepSeek-V2",
 * 2024; "DeepSeek-V3 Technical Report", 2024.) From 2 on latent attention: one
 * narrow vector per position stands for the keys and values of all heads. It is
 * kept and attended as one KV head; queries are brought into its space, and
 * what heads saw out of it, by a matrix for each head.
 */
#include "arch/decoder.h"

#include "base/numeric.h"

#include <math.h>

static loam_tensor build_deepseek(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    loam_experts_read(b, &d, false);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_deepseek = {
    .name = "deepseek",
    .models = "DeepSeek MoE 16B",
    .build = build_deepseek,
};

/* ---- latent attention ------------------------------------------------------ */

struct latent {
    struct decoder decoder;    /* first */
    uint32_t rank, query_rank; /* of the latent vector, of queries: 0, not compressed */
    uint32_t head, value;      /* widths of heads outside of the latent space */
    uint32_t rotated;          /* numbers of a head that rotate, its last ones */
};

static loam_tensor queries(struct builder *b, const struct latent *l, const struct layer *layer,
                           loam_tensor x)
{
    uint32_t width = b->description.embedding_length, all = layer->heads * l->head;
    if (l->query_rank == 0)
        return loam_decoder_linear(b, "blk.%u.attn_q", layer->index, x, width, all);
    loam_tensor q =
        loam_decoder_linear(b, "blk.%u.attn_q_a", layer->index, x, width, l->query_rank);
    q = loam_decoder_norm(b, &l->decoder, "blk.%u.attn_q_a_norm", layer->index, q, l->query_rank);
    return loam_decoder_linear(b, "blk.%u.attn_q_b", layer->index, q, l->query_rank, all);
}

static loam_tensor attend(struct builder *b, const struct decoder *d, const struct layer *layer,
                          loam_tensor x)
{
    const struct latent *l = (const struct latent *)d;
    loam_graph *g = b->graph;
    uint32_t index = layer->index, plain = l->head - l->rotated;
    loam_attention_options attention = layer->attention;
    attention.heads = layer->heads;
    attention.kv_heads = 1;
    attention.key_width = l->rotated + l->rank;
    attention.value_width = l->rank;
    loam_tensor q = queries(b, l, layer, x);
    loam_tensor turned =
        loam_graph_rope(g, loam_graph_slice(g, q, l->head, plain, l->rotated), layer->rope);
    loam_tensor still = loam_graph_linear_heads(
        g, loam_graph_slice(g, q, l->head, 0, plain),
        loam_builder_stack(b, "blk.%u.attn_k_b.weight", index, plain, l->rank, layer->heads),
        layer->heads);
    loam_tensor kv = loam_decoder_linear(b, "blk.%u.attn_kv_a_mqa", index, x,
                                         b->description.embedding_length, l->rank + l->rotated);
    loam_tensor latent = loam_graph_slice(g, kv, l->rank + l->rotated, 0, l->rank);
    latent = loam_decoder_norm(b, d, "blk.%u.attn_kv_a_norm", index, latent, l->rank);
    loam_tensor key = loam_graph_rope(
        g, loam_graph_slice(g, kv, l->rank + l->rotated, l->rank, l->rotated), layer->rope);
    loam_tensor o =
        loam_graph_attention(g, loam_graph_concatenate(g, turned, still, layer->heads),
                             loam_graph_concatenate(g, key, latent, 1), latent, &attention);
    o = loam_graph_linear_heads(
        g, o,
        loam_builder_stack(b, "blk.%u.attn_v_b.weight", index, l->rank, l->value, layer->heads),
        layer->heads);
    return loam_decoder_linear(b, "blk.%u.attn_output", index, o, layer->heads * l->value,
                               b->description.embedding_length);
}

static void read_latent(struct builder *b, struct latent *l)
{
    struct decoder *d = &l->decoder;
    l->rank = loam_builder_u32(b, "attention.kv_lora_rank", NULL);
    l->query_rank = loam_builder_u32(b, "attention.q_lora_rank", &(uint32_t){0});
    l->head = loam_builder_u32(b, "attention.key_length_mla", NULL);
    l->value = loam_builder_u32(b, "attention.value_length_mla", NULL);
    l->rotated = loam_builder_u32(b, "rope.dimension_count", NULL);
    if (l->rank == 0 || l->rank > 1024 || l->head > 1024 || l->rotated >= l->head ||
        l->value == 0 || l->value > 1024 || l->query_rank > 1 << 20)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.kv_lora_rank",
                            "the widths of latent attention do not fit", l->rank);
    loam_builder_rope(b, &d->rotation, l->rotated, l->rotated, LOAM_ROPE_ADJACENT);
    if (b->status)
        return;
    /* YaRN's magnitude belongs to all of a head, so it stands in the scale. */
    float multiplier = loam_builder_f32(b, "rope.scaling.yarn_log_multiplier", &(float){0});
    float factor = loam_builder_f32(b, "rope.scaling.factor", &(float){0});
    double magnitude = 1;
    if (factor > 0 && multiplier != 0)
        magnitude += (double)multiplier * loam_log((double)factor);
    d->rotation.options.magnitude = 1;
    d->attention.scale = (float)(magnitude * magnitude / sqrt((double)l->head));
}

static loam_tensor build_deepseek2(struct builder *b)
{
    struct latent l;
    struct decoder *d = &l.decoder;
    loam_decoder_read(b, d, LOAM_NORM_RMS, NO_ROPE);
    d->pairing = LOAM_ROPE_ADJACENT;
    d->attend = attend;
    read_latent(b, &l);
    loam_experts_read(b, d, false);
    return loam_decoder_build(b, d);
}

const struct family loam_family_deepseek2 = {
    .name = "deepseek2",
    .models = "DeepSeek 2, 3 and R1, Kimi K2",
    .build = build_deepseek2,
};

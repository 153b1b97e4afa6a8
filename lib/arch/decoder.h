/* SPDX-License-Identifier: MIT */
/*
 * What most decoders share: embedding, layers of attention and feed-forward,
 * norm, head. A family reads its keys into a struct decoder, sets what it does
 * differently, and builds; where a block is its own, it gives a function.
 */
#ifndef LOAM_ARCH_DECODER_H
#define LOAM_ARCH_DECODER_H

#include "arch/arch.h"

/* Where Q and K are normed. */
enum { QK_NORM_NONE, QK_NORM_BEFORE_ROPE, QK_NORM_AFTER_ROPE };

/* How the feed-forward block stands to the attention block. */
enum {
    PARALLEL_NOT,  /* after it */
    PARALLEL_SAME, /* beside it, on the same normed input */
    PARALLEL_OWN   /* beside it, with a norm of its own */
};

/* One layer; a family may change it before it is built. */
struct layer {
    uint32_t index;
    uint32_t heads, kv_heads, key_width, value_width, feed_forward;
    bool bare_qk_norm;
    bool no_attn_norm;
    bool recurrent;                   /* d->recur in place of attention */
    bool dense;                       /* no experts, though the model has some */
    bool second_norm;     /* the residual is added again behind attn_output_norm, and normed */
    bool bare_value_norm; /* heads of V are normed without weights */
    bool values_are_keys; /* there is no attn_v: values are what attn_k gives */
    loam_tensor shared_kv; /* the attention whose keys and values it uses; LOAM_NO_TENSOR: it has
                              its own */
    loam_tensor *attention_out; /* NULL, or where the layer's attention is noted */
    const loam_rope_options *rope;    /* NULL: none */
    loam_attention_options attention; /* all but the shape */
};

/* Mixtures of experts in place of feed-forward blocks. */
struct experts {
    uint32_t count, used, hidden, shared_hidden; /* shared 0: none */
    /* Layers from dense_layers on whose number leaves `rest` when divided by step */
    uint32_t dense_layers, step, rest;
    bool ungated; /* experts are down(activation(up)) */
    loam_experts_options options;
};

struct decoder {
    int32_t norm;    /* LOAM_NORM_... */
    float epsilon;
    int32_t pairing; /* LOAM_ROPE_..., or NO_ROPE */
    int32_t activation;
    float activation_parameters[4];
    bool gated;      /* activation(gate) * up; else activation(up) */
    bool fused_gate; /* ffn_up has the gate's rows, then its own */
    /* Of what blocks take, of what they give, of the sum with the residual; bare: without weights */
    bool pre_norms, post_norms, outer_norms, bare_norms;
    bool no_output_norm;
    int32_t qk_norm, parallel;
    bool bare_qk_norm; /* heads of Q and K are normed without weights, behind their rotation */
    struct experts experts; /* count 0: none */
    const char *attn_norm, *ffn_norm, *output_norm; /* their names */
    bool no_feed_forward; /* layers are what stands in place of attention, and nothing else */
    bool gated_attention; /* attn_q has, for each head, its query and a gate of what it saw */
    float clamp;          /* Q, K and V stay within +-clamp; 0: no limit */
    float embedding_scale, residual_scale, logit_scale; /* 1: none */
    float logit_cap;                                    /* 0: none */
    uint32_t heads, key_width, value_width;
    loam_attention_options attention; /* of every layer, all but the shape */
    struct rotation rotation;
    loam_rope_options local_rope;     /* of layers with a window, if they differ */
    double local_frequencies[ROPE_PAIRS];

    /* NULL, or what the family does in place of, or before, the usual. */
    void (*prepare)(struct builder *b, const struct decoder *d, struct layer *layer);
    loam_tensor (*attend)(struct builder *b, const struct decoder *d, const struct layer *layer,
                          loam_tensor x);
    /* Of layers without KV heads, if there is one: what is in place of attention. */
    loam_tensor (*recur)(struct builder *b, const struct decoder *d, const struct layer *layer,
                         loam_tensor x);
    loam_tensor (*feed_forward)(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x);
};

enum { NO_ROPE = -1 };

/* Reads what every decoder has that knows no attention: norms, no more. */
void loam_decoder_begin(struct builder *b, struct decoder *d, int32_t norm);

/* Reads what every decoder has: pre-norms of the kind `norm`, gated SiLU, one
 * attention after the other. Heads rotate as the keys say, unless pairing is
 * NO_ROPE. */
void loam_decoder_read(struct builder *b, struct decoder *d, int32_t norm, int32_t pairing);

/* Layers are local (with a window) in turn: of each `period`, all but the last;
 * or as the key attention.sliding_window_pattern, an array, says. */
bool loam_decoder_is_local(struct builder *b, uint32_t layer, uint32_t period);

/* ALiBi: d->attention.slopes = slopes[SLOPES], so that the first head of n, a power of two, has
 * 2^(-most / n). */
enum { SLOPES = 1024 };

void loam_decoder_slopes(struct builder *b, struct decoder *d, float *slopes, float most);

/* The whole model: logits, or embeddings, of the output rows. */
loam_tensor loam_decoder_build(struct builder *b, const struct decoder *d);

/* The same in three parts, for families whose layers are of another build: rows
 * of the embedding, what the file says of a layer, and what follows the last. */
loam_tensor loam_decoder_embed(struct builder *b, const struct decoder *d, loam_tensor table);
void loam_decoder_read_layer(struct builder *b, const struct decoder *d, struct layer *layer,
                             uint32_t index);
loam_tensor loam_decoder_finish(struct builder *b, const struct decoder *d, loam_tensor table,
                                loam_tensor x);

/* ---- parts ---------------------------------------------------------------- */

/* Norm of rows by the weights NAME.weight and NAME.bias, the latter if it is there. */
loam_tensor loam_decoder_norm(struct builder *b, const struct decoder *d, const char *name,
                              uint32_t layer, loam_tensor x, uint32_t width);

/* x times NAME.weight plus NAME.bias, the latter if it is there. */
loam_tensor loam_decoder_linear(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                                uint32_t width, uint32_t rows);

/* The same by rows [first, first + rows) of a weight of `all`. */
loam_tensor loam_decoder_part(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                              uint32_t width, uint32_t all, uint32_t first, uint32_t rows);

/* Attention and feed-forward as of most decoders, without norms and residuals. */
loam_tensor loam_decoder_attend(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x);
loam_tensor loam_decoder_feed_forward(struct builder *b, const struct decoder *d,
                                      const struct layer *layer, loam_tensor x);

/* x * NAME.weight, a vector as wide as x. */
loam_tensor loam_decoder_weigh(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                               uint32_t width);

/* experts.c: reads the keys of mixtures of experts: softmax, weights of the
 * chosen normalised if nothing is said, unscaled unless the keys say so. */
void loam_experts_read(struct builder *b, struct decoder *d, bool normalised);

/* Whether the layer has one, the mixture alone for given scores [rows][count],
 * and the mixture with its router and shared expert. */
bool loam_experts_in(const struct decoder *d, const struct layer *layer);
loam_tensor loam_experts_of(struct builder *b, const struct decoder *d, uint32_t index,
                            loam_tensor x, loam_tensor scores);
loam_tensor loam_experts_build(struct builder *b, const struct decoder *d,
                               const struct layer *layer, loam_tensor x);

/* factor * x; x itself where factor is 1. */
loam_tensor loam_decoder_scale(struct builder *b, loam_tensor x, float factor);

#endif

/* SPDX-License-Identifier: MIT */
/* (Vaswani et al., "Attention Is All You Need", 2017; grouped heads: Ainslie et
 * al., "GQA", 2023; QK norm: Henry et al., "Query-Key Normalization", 2020.) */
#include "arch/decoder.h"
#include "base/numeric.h"

#include <stdio.h>

/* ---- hyper-parameters ----------------------------------------------------- */

static void check_heads(struct builder *b, uint32_t heads, uint32_t kv_heads)
{
    if (heads == 0 || heads > 65536)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.head_count", "expected 1 to 65536", heads);
    if (kv_heads == 0 || kv_heads > heads || heads % kv_heads != 0)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.head_count_kv",
                            "expected a divisor of attention.head_count", kv_heads);
}

static void check_width(struct builder *b, const char *key, uint32_t width)
{
    if (width == 0 || width > 1024)
        loam_builder_refuse(b, LOAM_FORMAT, key, "expected 1 to 1024", width);
}

static void read_heads(struct builder *b, struct decoder *d)
{
    d->heads = loam_builder_u32_at(b, "attention.head_count", 0, NULL, NULL);
    check_heads(b, d->heads, d->heads ? d->heads : 1);
    uint32_t even = b->status ? 1 : b->description.embedding_length / d->heads;
    d->key_width = loam_builder_u32(b, "attention.key_length", &even);
    d->value_width = loam_builder_u32(b, "attention.value_length", &even);
    check_width(b, "attention.key_length", d->key_width);
    check_width(b, "attention.value_length", d->value_width);
}

void loam_decoder_begin(struct builder *b, struct decoder *d, int32_t norm)
{
    loam_builder_describe(b);
    memset(d, 0, sizeof *d); /* too large for a value on the stack */
    d->norm = norm;
    d->pairing = NO_ROPE;
    d->activation = LOAM_ACTIVATION_SILU;
    d->gated = d->pre_norms = true;
    d->attn_norm = "blk.%u.attn_norm";
    d->ffn_norm = "blk.%u.ffn_norm";
    d->output_norm = "output_norm";
    d->embedding_scale = d->residual_scale = d->logit_scale = 1;
    const char *key =
        norm == LOAM_NORM_RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
    d->epsilon = loam_builder_f32(b, key, NULL);
    if (!(d->epsilon >= 0 && d->epsilon < 1))
        loam_builder_refuse(b, LOAM_FORMAT, key, "expected a number from 0 to 1", 0);
    d->attention.struct_size = sizeof d->attention;
    loam_builder_pooling(b, false);
}

void loam_decoder_read(struct builder *b, struct decoder *d, int32_t norm, int32_t pairing)
{
    loam_decoder_begin(b, d, norm);
    d->pairing = pairing;
    read_heads(b, d);
    d->attention.scale = loam_builder_f32(b, "attention.scale", &(float){0});
    if (pairing == NO_ROPE)
        return;
    uint32_t dimensions = loam_builder_u32(b, "rope.dimension_count", &d->key_width);
    loam_builder_rope(b, &d->rotation, d->key_width, dimensions, pairing);
}

/* Head h: 2^(-most (h + 1) / n), n the largest power of two of heads; those
 * beyond it take the odd ones of twice as many. */
void loam_decoder_slopes(struct builder *b, struct decoder *d, float *slopes, float most)
{
    uint32_t power = 1;
    if (!(most >= 0 && most < 1e6f))
        loam_builder_refuse(b, LOAM_FORMAT, "attention.max_alibi_bias", "expected 0 to 10^6", 0);
    if (most > 0 && d->heads > SLOPES)
        loam_builder_refuse(b, LOAM_FORMAT, "attention.head_count", "expected 1 to 1024", d->heads);
    if (b->status || most == 0)
        return;
    while (power * 2 <= d->heads)
        power *= 2;
    for (uint32_t h = 0; h < d->heads; h++) {
        double part = h < power ? (double)(h + 1) : (double)(2 * (h - power) + 1) / 2;
        slopes[h] = (float)loam_pow(2.0, -(double)most * part / power);
    }
    d->attention.slopes = slopes;
}

bool loam_decoder_is_local(struct builder *b, uint32_t layer, uint32_t period)
{
    const char *key = "attention.sliding_window_pattern";
    bool each;
    uint32_t found = loam_builder_u32_at(b, key, layer, &period, &each);
    if (each)
        return found != 0;
    period = found ? found : period;
    return layer % period < period - 1;
}

/* What the file says of one layer. */
void loam_decoder_read_layer(struct builder *b, const struct decoder *d, struct layer *layer,
                             uint32_t index)
{
    *layer = (struct layer){.index = index,
                            .shared_kv = LOAM_NO_TENSOR,
                            .key_width = d->key_width,
                            .value_width = d->value_width,
                            .bare_qk_norm = d->bare_qk_norm,
                            .attention = d->attention};
    const uint32_t *fallback = d->recur ? &(uint32_t){0} : NULL;
    layer->heads = loam_builder_u32_at(b, "attention.head_count", index, fallback, NULL);
    layer->kv_heads = loam_builder_u32_at(b, "attention.head_count_kv", index, &layer->heads, NULL);
    layer->recurrent = d->recur && layer->kv_heads == 0;
    layer->feed_forward =
        loam_builder_u32_at(b, "feed_forward_length", index, &(uint32_t){0}, NULL);
    layer->rope = d->pairing == NO_ROPE ? NULL : &d->rotation.options;
    if (d->prepare && !b->status)
        d->prepare(b, d, layer);
    if (!layer->recurrent)
        check_heads(b, layer->heads, layer->kv_heads);
}

/* ---- parts ---------------------------------------------------------------- */

/* STEM.weight or STEM.bias; what does not fit is no tensor of the file either. */
static const char *named(char out[96], const char *stem, const char *end)
{
    snprintf(out, 96, "%s.%s", stem, end);
    return out;
}

loam_tensor loam_decoder_norm(struct builder *b, const struct decoder *d, const char *name,
                              uint32_t layer, loam_tensor x, uint32_t width)
{
    char full[96];
    loam_norm_options options = {
        .struct_size = sizeof options, .kind = d->norm, .epsilon = d->epsilon};
    if (d->bare_norms)
        return loam_graph_norm(b->graph, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR, &options);
    loam_tensor weight = loam_builder_vector(b, named(full, name, "weight"), layer, width);
    loam_tensor bias = loam_builder_optional_vector(b, named(full, name, "bias"), layer, width);
    return loam_graph_norm(b->graph, x, weight, bias, &options);
}

/* x times weight, times the number NAME.scale if there is one, plus bias. */
static loam_tensor product(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                           loam_tensor weight, loam_tensor bias)
{
    char full[96];
    if (!loam_builder_has(b, named(full, name, "scale"), layer))
        return loam_graph_linear(b->graph, x, weight, bias);
    float scale = loam_builder_scalar(b, full, layer, 1);
    x = loam_decoder_scale(b, loam_graph_linear(b->graph, x, weight, LOAM_NO_TENSOR), scale);
    return bias == LOAM_NO_TENSOR ? x : loam_graph_affine(b->graph, x, LOAM_NO_TENSOR, bias);
}

loam_tensor loam_decoder_linear(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                                uint32_t width, uint32_t rows)
{
    char full[96];
    loam_tensor weight = loam_builder_matrix(b, named(full, name, "weight"), layer, width, rows);
    loam_tensor bias = loam_builder_optional_vector(b, named(full, name, "bias"), layer, rows);
    return product(b, name, layer, x, weight, bias);
}

loam_tensor loam_decoder_part(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                              uint32_t width, uint32_t all, uint32_t first, uint32_t rows)
{
    char full[96];
    loam_tensor bias = LOAM_NO_TENSOR;
    loam_tensor weight =
        loam_builder_rows(b, named(full, name, "weight"), layer, width, all, first, rows);
    if (loam_builder_has(b, named(full, name, "bias"), layer))
        bias = loam_builder_numbers(b, full, layer, all, first, rows);
    return product(b, name, layer, x, weight, bias);
}

loam_tensor loam_decoder_scale(struct builder *b, loam_tensor x, float factor)
{
    float parameters[4] = {factor};
    return factor == 1 ? x : loam_graph_map(b->graph, x, LOAM_ACTIVATION_SCALE, parameters);
}

loam_tensor loam_decoder_weigh(struct builder *b, const char *name, uint32_t layer, loam_tensor x,
                               uint32_t width)
{
    char full[96];
    loam_tensor weight = loam_builder_vector(b, named(full, name, "weight"), layer, width);
    return loam_graph_affine(b->graph, x, weight, LOAM_NO_TENSOR);
}

/* Norm of Q or K: per head, each head with weights of its own, or the whole
 * row, as the shape of the weight says. */
static loam_tensor norm_heads(struct builder *b, const struct decoder *d, const char *name,
                              uint32_t layer, loam_tensor x, uint32_t heads, uint32_t width)
{
    char full[96];
    loam_norm_options options = {
        .struct_size = sizeof options, .kind = d->norm, .epsilon = d->epsilon};
    const struct gguf_tensor *tensor = loam_builder_find(b, named(full, name, "weight"), layer);
    uint32_t count = width;
    if (tensor && tensor->dimensions[0] * tensor->dimensions[1] != width)
        count = heads * width;
    options.group_width = tensor && tensor->dimensions[0] == width ? width : 0;
    loam_tensor weight = loam_builder_vector(b, full, layer, count);
    loam_tensor bias = loam_builder_optional_vector(b, named(full, name, "bias"), layer, count);
    return loam_graph_norm(b->graph, x, weight, bias, &options);
}

/* One of Q, K and V, by itself or out of attn_qkv, which has them in turn. */
static loam_tensor project(struct builder *b, const struct decoder *d, const struct layer *layer,
                           const char *name, loam_tensor x, uint32_t first, uint32_t rows)
{
    uint32_t width = b->description.embedding_length;
    uint32_t all =
        layer->heads * layer->key_width + layer->kv_heads * (layer->key_width + layer->value_width);
    const float limits[4] = {-d->clamp, d->clamp};
    loam_tensor y =
        loam_builder_has(b, "blk.%u.attn_qkv.weight", layer->index)
            ? loam_decoder_part(b, "blk.%u.attn_qkv", layer->index, x, width, all, first, rows)
            : loam_decoder_linear(b, name, layer->index, x, width, rows);
    return d->clamp > 0 ? loam_graph_map(b->graph, y, LOAM_ACTIVATION_CLAMP, limits) : y;
}

/* Heads normed without weights. */
static loam_tensor norm_bare(struct builder *b, const struct decoder *d, loam_tensor x,
                             uint32_t width)
{
    loam_norm_options norm = {
        .struct_size = sizeof norm, .kind = d->norm, .group_width = width, .epsilon = d->epsilon};
    return loam_graph_norm(b->graph, x, LOAM_NO_TENSOR, LOAM_NO_TENSOR, &norm);
}

/* Norm and rotation of Q or K. */
static loam_tensor place(struct builder *b, const struct decoder *d, const struct layer *layer,
                         const char *name, loam_tensor x, uint32_t heads)
{
    if (d->qk_norm == QK_NORM_BEFORE_ROPE)
        x = norm_heads(b, d, name, layer->index, x, heads, layer->key_width);
    if (layer->rope)
        x = loam_graph_rope(b->graph, x, layer->rope);
    if (layer->bare_qk_norm)
        x = norm_bare(b, d, x, layer->key_width);
    if (d->qk_norm == QK_NORM_AFTER_ROPE)
        x = norm_heads(b, d, name, layer->index, x, heads, layer->key_width);
    return x;
}

loam_tensor loam_decoder_attend(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x)
{
    uint32_t q_width = layer->heads * layer->key_width;
    uint32_t k_width = layer->kv_heads * layer->key_width;
    uint32_t v_width = layer->kv_heads * layer->value_width;
    loam_attention_options attention = layer->attention;
    attention.heads = layer->heads;
    attention.kv_heads = layer->kv_heads;
    attention.key_width = layer->key_width;
    attention.value_width = layer->value_width;
    loam_tensor q = LOAM_NO_TENSOR, gate = LOAM_NO_TENSOR;
    if (d->gated_attention) {
        loam_tensor both = loam_decoder_linear(b, "blk.%u.attn_q", layer->index, x,
                                               b->description.embedding_length, 2 * q_width);
        q = loam_graph_slice(b->graph, both, 2 * layer->key_width, 0, layer->key_width);
        gate = loam_graph_slice(b->graph, both, 2 * layer->key_width, layer->key_width,
                                layer->key_width);
    } else {
        q = project(b, d, layer, "blk.%u.attn_q", x, 0, q_width);
    }
    loam_tensor k = LOAM_NO_TENSOR, v = LOAM_NO_TENSOR;
    /* Products of x in a row run together (backends/cpu/segment.c). */
    if (layer->shared_kv == LOAM_NO_TENSOR) {
        k = project(b, d, layer, "blk.%u.attn_k", x, q_width, k_width);
        v = layer->values_are_keys
                ? k
                : project(b, d, layer, "blk.%u.attn_v", x, q_width + k_width, v_width);
        k = place(b, d, layer, "blk.%u.attn_k_norm", k, layer->kv_heads);
        v = layer->bare_value_norm ? norm_bare(b, d, v, layer->value_width) : v;
    } else {
        attention.shares_kv = 1;
        attention.shared_kv = layer->shared_kv;
    }
    q = place(b, d, layer, "blk.%u.attn_q_norm", q, layer->heads);
    loam_tensor o = loam_graph_attention(b->graph, q, k, v, &attention);
    if (layer->attention_out)
        *layer->attention_out = o;
    if (d->gated_attention)
        o = loam_graph_gate(b->graph, gate, o, LOAM_ACTIVATION_SIGMOID);
    return loam_decoder_linear(b, "blk.%u.attn_output", layer->index, o,
                               layer->heads * layer->value_width, b->description.embedding_length);
}

loam_tensor loam_decoder_feed_forward(struct builder *b, const struct decoder *d,
                                      const struct layer *layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length, hidden = layer->feed_forward;
    loam_tensor y;
    if (hidden == 0 || hidden > 1 << 22)
        loam_builder_refuse(b, LOAM_FORMAT, "feed_forward_length", "expected 1 to 2^22", hidden);
    if (d->gated && d->fused_gate) {
        loam_tensor gate =
            loam_decoder_part(b, "blk.%u.ffn_up", layer->index, x, width, 2 * hidden, 0, hidden);
        loam_tensor up = loam_decoder_part(b, "blk.%u.ffn_up", layer->index, x, width, 2 * hidden,
                                           hidden, hidden);
        y = loam_graph_gate(b->graph, gate, up, d->activation);
    } else if (d->gated) {
        loam_tensor gate =
            loam_decoder_linear(b, "blk.%u.ffn_gate", layer->index, x, width, hidden);
        loam_tensor up = loam_decoder_linear(b, "blk.%u.ffn_up", layer->index, x, width, hidden);
        y = loam_graph_gate(b->graph, gate, up, d->activation);
    } else {
        loam_tensor up = loam_decoder_linear(b, "blk.%u.ffn_up", layer->index, x, width, hidden);
        y = loam_graph_map(b->graph, up, d->activation, d->activation_parameters);
    }
    return loam_decoder_linear(b, "blk.%u.ffn_down", layer->index, y, hidden, width);
}

/* ---- the whole ------------------------------------------------------------ */

static loam_tensor feed_forward(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x)
{
    if (loam_experts_in(d, layer))
        return loam_experts_build(b, d, layer, x);
    return d->feed_forward ? d->feed_forward(b, d, layer, x)
                           : loam_decoder_feed_forward(b, d, layer, x);
}

/* x [rows][embedding] through one layer, residuals included. */
static loam_tensor build_layer(struct builder *b, const struct decoder *d,
                               const struct layer *layer, loam_tensor x)
{
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length, index = layer->index;
    bool norms = d->pre_norms && !layer->no_attn_norm;
    loam_tensor h = norms ? loam_decoder_norm(b, d, d->attn_norm, index, x, width) : x;
    loam_tensor a = layer->recurrent ? d->recur(b, d, layer, h)
                    : d->attend      ? d->attend(b, d, layer, h)
                                     : loam_decoder_attend(b, d, layer, h);
    if (d->post_norms)
        a = loam_decoder_norm(b, d, "blk.%u.post_attention_norm", index, a, width);
    a = loam_decoder_scale(b, a, d->residual_scale);
    if (d->parallel != PARALLEL_NOT) {
        loam_tensor own =
            d->parallel == PARALLEL_OWN ? loam_decoder_norm(b, d, d->ffn_norm, index, x, width) : h;
        loam_tensor f = feed_forward(b, d, layer, own);
        return loam_graph_add(g, loam_graph_add(g, x, a),
                              loam_decoder_scale(b, f, d->residual_scale));
    }
    loam_tensor before = x;
    x = loam_graph_add(g, x, a);
    if (d->no_feed_forward)
        return x;
    if (d->outer_norms)
        x = loam_decoder_norm(b, d, "blk.%u.attn_output_norm", index, x, width);
    if (layer->second_norm) {
        x = loam_graph_add(g, x, before);
        x = loam_decoder_norm(b, d, "blk.%u.attn_norm_2", index, x, width);
    }
    h = d->pre_norms ? loam_decoder_norm(b, d, d->ffn_norm, index, x, width) : x;
    loam_tensor f = feed_forward(b, d, layer, h);
    if (d->post_norms)
        f = loam_decoder_norm(b, d, "blk.%u.post_ffw_norm", index, f, width);
    x = loam_graph_add(g, x, loam_decoder_scale(b, f, d->residual_scale));
    return d->outer_norms ? loam_decoder_norm(b, d, "blk.%u.layer_output_norm", index, x, width)
                          : x;
}

loam_tensor loam_decoder_embed(struct builder *b, const struct decoder *d, loam_tensor table)
{
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length;
    loam_tensor x = loam_decoder_scale(b, loam_graph_embed(g, table), d->embedding_scale);
    if (loam_builder_has(b, "token_types.weight", 0)) { /* all are of the first type */
        loam_tensor types = loam_builder_first(b, "token_types.weight", width);
        x = loam_graph_affine(g, x, LOAM_NO_TENSOR, types);
    }
    if (loam_builder_has(b, "position_embd.weight", 0)) {
        loam_tensor positions =
            loam_builder_matrix(b, "position_embd.weight", 0, width, b->description.context_length);
        x = loam_graph_add(g, x, loam_graph_embed_position(g, positions));
    }
    /* Some files call the norm before the head so. */
    bool last = strcmp(d->output_norm, "token_embd_norm") == 0;
    if (!last && loam_builder_has(b, "token_embd_norm.weight", 0))
        x = loam_decoder_norm(b, d, "token_embd_norm", 0, x, width);
    return x;
}

/* The layers that some models put behind pooling. They have no bias and the
 * mean is a sum, so they may as well stand before it. */
static loam_tensor build_dense(struct builder *b, loam_tensor x)
{
    static const char *const names[] = {"dense_2", "dense_3"};
    static const char *const keys[] = {"dense_2_feat_out", "dense_3_feat_out"};
    uint32_t width = b->description.embedding_length;
    for (size_t i = 0; i < 2; i++) {
        char full[96];
        if (!loam_builder_has(b, named(full, names[i], "weight"), 0))
            continue;
        uint32_t rows = loam_builder_u32(b, keys[i], NULL);
        if (rows == 0 || rows > 1 << 20)
            loam_builder_refuse(b, LOAM_FORMAT, keys[i], "expected 1 to 1048576", rows);
        loam_tensor weight = loam_builder_matrix(b, full, 0, width, rows);
        x = loam_graph_linear(b->graph, x, weight, LOAM_NO_TENSOR);
        width = rows;
    }
    b->description.embedding_output = width;
    return x;
}

/* The head of a model that ranks: scores of a row. Some have a layer and its
 * function before the last, some only one of both. */
static loam_tensor build_classifier(struct builder *b, const struct decoder *d, loam_tensor x)
{
    uint32_t width = b->description.embedding_length, labels = b->description.embedding_output;
    bool last = loam_builder_has(b, "cls.output.weight", 0);
    if (!last && !loam_builder_has(b, "cls.weight", 0)) {
        loam_builder_refuse(b, LOAM_FORMAT, "pooling_type",
                            "it is rank, but the file has neither cls.weight nor cls.output.weight",
                            4);
        return x;
    }
    if (loam_builder_has(b, "cls.weight", 0)) {
        x = loam_decoder_linear(b, "cls", 0, x, width, last ? width : labels);
        x = loam_graph_map(b->graph, x, LOAM_ACTIVATION_TANH, NULL);
        if (loam_builder_has(b, "cls.norm.weight", 0))
            x = loam_decoder_norm(b, d, "cls.norm", 0, x, last ? width : labels);
    }
    return last ? loam_decoder_linear(b, "cls.output", 0, x, width, labels) : x;
}

loam_tensor loam_decoder_finish(struct builder *b, const struct decoder *d, loam_tensor table,
                                loam_tensor x)
{
    loam_graph *g = b->graph;
    uint32_t width = b->description.embedding_length;
    x = loam_graph_outputs(g, x);
    if (!d->no_output_norm)
        x = loam_decoder_norm(b, d, d->output_norm, 0, x, width);
    if (b->description.pooling == LOAM_POOLING_RANK)
        return build_classifier(b, d, x);
    if (b->description.embedding_output)
        return build_dense(b, x);
    uint32_t vocabulary = b->description.vocabulary;
    loam_tensor head = loam_builder_optional(b, "output.weight", 0, width, vocabulary);
    if (head == LOAM_NO_TENSOR) /* tied */
        head = table;
    loam_tensor bias = loam_builder_optional_vector(b, "output.bias", 0, vocabulary);
    x = product(b, "output", 0, x, head, bias);
    x = loam_decoder_scale(b, x, d->logit_scale);
    const float cap[4] = {d->logit_cap};
    return d->logit_cap > 0 ? loam_graph_map(g, x, LOAM_ACTIVATION_SOFT_CAP, cap) : x;
}

loam_tensor loam_decoder_build(struct builder *b, const struct decoder *d)
{
    loam_tensor table = loam_builder_embeddings(b);
    loam_tensor x = loam_decoder_embed(b, d, table);
    for (uint32_t i = 0; !b->status && i < b->description.layers; i++) {
        struct layer layer;
        loam_decoder_read_layer(b, d, &layer, i);
        x = build_layer(b, d, &layer, x);
    }
    return loam_decoder_finish(b, d, table, x);
}

/* SPDX-License-Identifier: MIT */
/* (Google, "Gemma 3n model overview", 2025; shared keys and values: Brandon et al., "Reducing
 * Transformer Key-Value Cache Size with Cross-Layer Attention", 2024.) */
#include "arch/per_layer.h"

#include <math.h>

void loam_shared_layers_read(struct builder *b, struct shared_layers *out, uint32_t period)
{
    uint32_t layers = b->description.layers;
    uint32_t shared = loam_builder_u32(b, "attention.shared_kv_layers", &(uint32_t){0});
    *out = (struct shared_layers){.from = layers, .local = LOAM_NO_TENSOR, .full = LOAM_NO_TENSOR};
    if (b->status || shared == 0)
        return;
    if (shared > layers || layers - shared < 2 ||
        !loam_decoder_is_local(b, layers - shared - 2, period) ||
        loam_decoder_is_local(b, layers - shared - 1, period))
        loam_builder_refuse(b, LOAM_FORMAT, "attention.shared_kv_layers",
                            "expected a layer with a window and one without before them", shared);
    else
        out->from = layers - shared;
}

void loam_shared_layers_apply(struct shared_layers *shared, struct layer *layer, bool local)
{
    if (layer->index >= shared->from)
        layer->shared_kv = local ? shared->local : shared->full;
    else if (layer->index + 2 == shared->from)
        layer->attention_out = &shared->local;
    else if (layer->index + 1 == shared->from)
        layer->attention_out = &shared->full;
}

uint32_t loam_per_layer_width(struct builder *b, const uint32_t *fallback)
{
    const char *key = "embedding_length_per_layer_input";
    uint32_t width = loam_builder_u32(b, key, fallback);
    if (width > 1 << 16 || (uint64_t)width * b->description.layers > 1 << 24)
        loam_builder_refuse(b, LOAM_FORMAT, key, "expected 0 to 65536, and 2^24 for all layers",
                            width);
    return width;
}

loam_tensor loam_per_layer_inputs(struct builder *b, const struct decoder *d, loam_tensor x,
                                  uint32_t width)
{
    loam_graph *g = b->graph;
    uint32_t all = width * b->description.layers;
    if (b->status)
        return LOAM_NO_TENSOR;
    loam_tensor table =
        loam_builder_matrix(b, "per_layer_token_embd.weight", 0, all, b->description.vocabulary);
    loam_tensor tokens = loam_decoder_scale(b, loam_graph_embed(g, table), sqrtf((float)width));
    loam_tensor y =
        loam_decoder_linear(b, "per_layer_model_proj", 0, x, b->description.embedding_length, all);
    y = loam_decoder_scale(b, y, 1 / sqrtf((float)b->description.embedding_length));
    loam_norm_options norm = {
        .struct_size = sizeof norm, .kind = d->norm, .group_width = width, .epsilon = d->epsilon};
    loam_tensor weight = loam_builder_vector(b, "per_layer_proj_norm.weight", 0, width);
    y = loam_graph_norm(g, y, weight, LOAM_NO_TENSOR, &norm);
    return loam_decoder_scale(b, loam_graph_add(g, y, tokens), sqrtf(0.5f));
}

loam_tensor loam_per_layer_build(struct builder *b, const struct decoder *d, uint32_t layer,
                                 loam_tensor x, loam_tensor inputs, uint32_t width)
{
    loam_graph *g = b->graph;
    uint32_t whole = b->description.embedding_length;
    loam_tensor own =
        loam_graph_slice(g, inputs, width * b->description.layers, width * layer, width);
    loam_tensor y = loam_decoder_linear(b, "blk.%u.inp_gate", layer, x, whole, width);
    y = loam_graph_gate(g, y, own, d->activation);
    y = loam_decoder_linear(b, "blk.%u.proj", layer, y, width, whole);
    return loam_decoder_norm(b, d, "blk.%u.post_norm", layer, y, whole);
}

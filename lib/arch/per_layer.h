/* SPDX-License-Identifier: MIT */
/*
 * What Gemma 3n and 4 have in common: a table of embeddings with a part for each
 * layer, and late layers that attend to the keys and values of earlier ones.
 */
#ifndef LOAM_ARCH_PER_LAYER_H
#define LOAM_ARCH_PER_LAYER_H

#include "arch/decoder.h"

/* Layers from `from` on use keys and values of the last two before: those with
 * a window of the first of them, the others of the second. */
struct shared_layers {
    uint32_t from;
    loam_tensor local, full; /* noted as they are built */
};

/* Reads attention.shared_kv_layers. `period`: of loam_decoder_is_local. */
void loam_shared_layers_read(struct builder *b, struct shared_layers *out, uint32_t period);

/* Points the layer to where its attention comes from, or is to be noted. */
void loam_shared_layers_apply(struct shared_layers *shared, struct layer *layer, bool local);

/* embedding_length_per_layer_input: numbers for each layer; 0: none, if the file may do without. */
uint32_t loam_per_layer_width(struct builder *b, const uint32_t *fallback);

/* What the layers take of the token besides x, the scaled embedding: [rows][layers * width]. */
loam_tensor loam_per_layer_inputs(struct builder *b, const struct decoder *d, loam_tensor x,
                                  uint32_t width);

/* x through the layer's gate, times its part of the inputs, back to the width of x, normed. */
loam_tensor loam_per_layer_build(struct builder *b, const struct decoder *d, uint32_t layer,
                                 loam_tensor x, loam_tensor inputs, uint32_t width);

#endif

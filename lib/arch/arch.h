/* SPDX-License-Identifier: MIT */
/*
 * lib/arch: model families. One file per family reads hyper-parameters and
 * weights and builds a graph, with the public builder functions and nothing
 * else; one line in the table of arch.c makes it known. Knows no backend and
 * no session.
 *
 * A family is written as its formula: the builder remembers the first error
 * (which names the key or tensor), and everything after it does nothing.
 */
#ifndef LOAM_ARCH_ARCH_H
#define LOAM_ARCH_ARCH_H

#include "format/gguf.h"
#include "tensor/tensor.h"

/* What every model has, whatever its family. */
struct description {
    uint32_t vocabulary;       /* rows of logits */
    uint32_t context_length;   /* trained for */
    uint32_t embedding_length;
    uint32_t layers;
};

struct builder {
    const struct gguf *gguf;
    struct source *source;     /* for small tensors that shape the graph */
    loam_graph *graph;
    struct gguf_string family; /* general.architecture, prefix of its keys */
    struct description description;
    uint32_t tokens;           /* in the file's vocabulary; 0: none */
    loam_status status;        /* the first failure; what follows does nothing */
    loam_error *error;
};

/* A family. Returns the logits, [output rows][vocabulary]. */
struct family {
    const char *name;
    loam_tensor (*build)(struct builder *builder);
};

/* Builds the graph of the model in `gguf`: *result is its logits.
 * [errors: MEMORY, FORMAT, UNSUPPORTED (unknown family), IO] */
loam_status loam_arch_build(struct description *out, loam_tensor *result, loam_graph *graph,
                            const struct gguf *gguf, struct source *source, loam_error *error);

/* The i-th family's name, or NULL beyond the last. */
const char *loam_arch_name(size_t i);

/* ---- for families --------------------------------------------------------- */

/* A key of the family, without its prefix. Without fallback the key must be
 * there. Both return a harmless value once the builder has failed. */
uint32_t loam_builder_u32(struct builder *builder, const char *key, const uint32_t *fallback);
float loam_builder_f32(struct builder *builder, const char *key, const float *fallback);

/* A string key; the fallback if it is absent. */
struct gguf_string loam_builder_text(struct builder *builder, const char *key, const char *fallback);

/* Fails with FORMAT: "FAMILY.key: " and the message's text. */
void loam_builder_refuse(struct builder *builder, loam_status code, const char *key,
                         const char *reason, uint64_t found);

/* A weight matrix of `rows` outputs and `width` inputs, by name; layer names
 * come as a format with one %u. Shape and presence are checked. */
loam_tensor loam_builder_matrix(struct builder *builder, const char *name, uint32_t layer,
                                uint32_t width, uint32_t rows);

/* The same, or LOAM_NO_TENSOR if the file has no such tensor. */
loam_tensor loam_builder_optional(struct builder *builder, const char *name, uint32_t layer,
                                  uint32_t width, uint32_t rows);

/* The keys that every family has: sets description, checks layer count. */
void loam_builder_describe(struct builder *builder);

/* The table of token embeddings, [vocabulary][embedding_length]; sets
 * description.vocabulary. */
loam_tensor loam_builder_embeddings(struct builder *builder);

/* Rotation frequencies of a head's first `dimensions` numbers, from the keys
 * rope.* and the tensor rope_freqs.weight: frequencies[dimensions / 2].
 * Returns the magnitude. */
float loam_builder_rope(struct builder *builder, double *frequencies, uint32_t dimensions);

extern const struct family loam_family_llama;

#endif

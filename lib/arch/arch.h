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
    uint32_t embedding_output; /* width of embeddings, which it gives instead of logits; 0: logits */
    int32_t pooling;           /* LOAM_POOLING_... of the file */
    bool probabilities;        /* LOAM_POOLING_RANK: scores become probabilities, by softmax */
};

struct builder {
    const struct gguf *gguf;
    struct source *source;     /* for small tensors that shape the graph */
    loam_graph *graph;
    struct gguf_string family; /* general.architecture, prefix of its keys */
    struct description description;
    uint32_t tokens;           /* in the file's vocabulary; 0: none */
    const void *traits;        /* of the family's line in the table */
    loam_status status;        /* the first failure; what follows does nothing */
    loam_error *error;
};

/* A family. Returns the logits, [output rows][vocabulary], or embeddings, [output
 * rows][embedding_output]. */
struct family {
    const char *name;   /* general.architecture in files */
    const char *models; /* for docs/models.md: what people call them */
    loam_tensor (*build)(struct builder *builder);
    const void *traits; /* where several families share a file: what tells them apart */
};

/* Builds the graph of the model in `gguf`: *result is its logits.
 * [errors: MEMORY, FORMAT, UNSUPPORTED (unknown family), IO] */
loam_status loam_arch_build(struct description *out, loam_tensor *result, loam_graph *graph,
                            const struct gguf *gguf, struct source *source, loam_error *error);

/* The i-th family, or NULL beyond the last. */
const struct family *loam_arch_family(size_t i);

/* ---- for families --------------------------------------------------------- */

/* A key of the family, without its prefix. Without fallback the key must be
 * there. Both return a harmless value once the builder has failed. */
uint32_t loam_builder_u32(struct builder *builder, const char *key, const uint32_t *fallback);
float loam_builder_f32(struct builder *builder, const char *key, const float *fallback);

bool loam_builder_flag(struct builder *builder, const char *key, bool fallback);

/* A key that may be an array with a number (bools are 0 and 1) for each layer;
 * *is_array, if not NULL, says whether it is. */
uint32_t loam_builder_u32_at(struct builder *builder, const char *key, uint32_t layer,
                             const uint32_t *fallback, bool *is_array);
float loam_builder_f32_at(struct builder *builder, const char *key, uint32_t layer,
                          const float *fallback);

/* A string key; the fallback if it is absent. */
struct gguf_string loam_builder_text(struct builder *builder, const char *key,
                                     const char *fallback);
bool loam_builder_is(struct gguf_string text, const char *name);

/* Fails with FORMAT or UNSUPPORTED: "FAMILY.key: " and the message's text. */
void loam_builder_refuse(struct builder *builder, loam_status code, const char *key,
                         const char *reason, uint64_t found);

/* Weights by name; layer names come as a format with one %u. Shape and
 * presence are checked. What is optional is LOAM_NO_TENSOR if it is not there. */
bool loam_builder_has(const struct builder *builder, const char *name, uint32_t layer);

const struct gguf_tensor *loam_builder_find(const struct builder *builder, const char *name,
                                            uint32_t layer);

/* `rows` outputs of `width` inputs. */
loam_tensor loam_builder_matrix(struct builder *builder, const char *name, uint32_t layer,
                                uint32_t width, uint32_t rows);
loam_tensor loam_builder_optional(struct builder *builder, const char *name, uint32_t layer,
                                  uint32_t width, uint32_t rows);

/* `count` such matrices, one after the other. */
loam_tensor loam_builder_stack(struct builder *builder, const char *name, uint32_t layer,
                               uint32_t width, uint32_t rows, uint32_t count);

/* Rows [first, first + rows) of a matrix of `all` rows. */
loam_tensor loam_builder_rows(struct builder *builder, const char *name, uint32_t layer,
                              uint32_t width, uint32_t all, uint32_t first, uint32_t rows);

/* `count` numbers of any shape. */
loam_tensor loam_builder_vector(struct builder *builder, const char *name, uint32_t layer,
                                uint32_t count);
loam_tensor loam_builder_optional_vector(struct builder *builder, const char *name, uint32_t layer,
                                         uint32_t count);

/* The first row of an F32 matrix of any number of rows, as a vector. */
loam_tensor loam_builder_first(struct builder *builder, const char *name, uint32_t width);

/* Numbers [first, first + count) of `all`, of any shape. */
loam_tensor loam_builder_numbers(struct builder *builder, const char *name, uint32_t layer,
                                 uint32_t all, uint32_t first, uint32_t count);

/* The one number of an F32 tensor; the fallback if it is not there. */
float loam_builder_scalar(struct builder *builder, const char *name, uint32_t layer,
                          float fallback);

/* The keys that every family has: sets description, checks layer count. */
void loam_builder_describe(struct builder *builder);

/* Reads pooling_type: sets description.pooling and embedding_output if the
 * file is of a model of embeddings, or one that ranks. `encoder`: it is one in
 * any case. */
void loam_builder_pooling(struct builder *builder, bool encoder);

/* The table of token embeddings, [vocabulary][embedding_length]; sets
 * description.vocabulary. */
loam_tensor loam_builder_embeddings(struct builder *builder);

/* Rotations of a model: at most 512 pairs of a head. */
enum { ROPE_PAIRS = 512 };

struct rotation {
    loam_rope_options options; /* its frequencies are those below */
    double frequencies[ROPE_PAIRS], long_frequencies[ROPE_PAIRS];
};

/* Rotates the first `dimensions` of head_width numbers as the keys rope.* and
 * the tensors rope_freqs and rope_factors_* say. */
void loam_builder_rope(struct builder *builder, struct rotation *out, uint32_t head_width,
                       uint32_t dimensions, int32_t pairing);

/* The same, but with that base and without any scaling; frequencies[dimensions / 2]. */
void loam_builder_rope_plain(struct builder *builder, loam_rope_options *out, double *frequencies,
                             uint32_t head_width, uint32_t dimensions, int32_t pairing,
                             float base);

#endif

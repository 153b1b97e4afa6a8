/* SPDX-License-Identifier: MIT */
/*
 * make-model: files of random weights in the shapes of known models, for tests
 * and timing. What a file holds depends on shape, type and seed alone, not on
 * the machine.
 */
#ifndef LOAM_TESTS_MAKE_MODEL_H
#define LOAM_TESTS_MAKE_MODEL_H

#include "quant/types.h"

/* ---- shapes and types -------------------------------------------------------- */

/* Hyper-parameters as the model's makers published them. */
struct shape {
    const char *name, *architecture;
    uint32_t layers, width, hidden, heads, kv_heads, head_width, vocabulary, context;
    float rope_base, epsilon;
    uint32_t experts, experts_used;
    bool tied;         /* the token table is the output matrix as well */
    bool biases;       /* of q, k, v */
    bool head_norms;   /* of q and k, over all heads */
    bool rope_factors; /* Llama 3's, in rope_freqs.weight */
};

/* A type of file: which weights have which type, as llama.cpp's quantiser
 * distributes them. */
struct mix {
    const char *name;
    uint32_t file_type; /* value of general.file_type */
    uint32_t type;      /* LOAM_TYPE_... of matrices */
    uint32_t more;      /* of attn_v and ffn_down in some layers */
    uint32_t output;    /* of the output matrix, or of the token table if it is both */
};

/* By name; NULL if there is none. make_..._at: the i-th, NULL beyond the last. */
const struct shape *make_shape_at(size_t i);
const struct shape *make_shape_named(const char *name);
const struct mix *make_mix_at(size_t i);
const struct mix *make_mix_named(const char *name);

/* ---- tensors ----------------------------------------------------------------- */

enum content {
    CONTENT_MATRIX,
    CONTENT_NORM,   /* about 1 */
    CONTENT_BIAS,   /* about 0 */
    CONTENT_FACTORS /* rope_freqs.weight */
};

struct tensor {
    char name[48];
    enum content content;
    uint32_t dimension_count;
    uint64_t dimensions[3];
    const struct weight_type *type;
    double spread; /* standard deviation of a matrix' numbers */
    uint64_t bytes, offset;
};

enum { MOST_TENSORS = 1024, ALIGNMENT = 32 };

struct tensor_list {
    size_t count;
    uint64_t bytes; /* of all, padding included */
    struct tensor tensors[MOST_TENSORS];
};

/* The tensors of a model with their types and places. */
void make_tensors(struct tensor_list *list, const struct shape *shape, const struct mix *mix);

/* ---- the header -------------------------------------------------------------- */

/* Bytes that grow; `failed` once memory gave out. */
struct bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed;
};

/* Appends the file's header, padded to where the first tensor begins. */
void make_header(struct bytes *out, const struct shape *shape, const struct mix *mix,
                 const struct tensor_list *list, uint64_t seed);

/* ---- numbers ----------------------------------------------------------------- */

enum { SCALES = 64, SAMPLES = 4096 };

/* A source of random weights of one tensor. */
struct numbers {
    uint64_t state;
    const struct weight_type *type;
    uint16_t scales[SCALES][2];         /* f16 d and dmin of blocks to choose from */
    unsigned char samples[SAMPLES * 4]; /* numbers of a float type to choose from */
};

void make_numbers_begin(struct numbers *numbers, const struct tensor *tensor, uint64_t seed);

/* The next `blocks` blocks of a matrix. Float types: a multiple of 4. */
void make_numbers_matrix(struct numbers *numbers, unsigned char *out, size_t blocks);

/* All of a tensor that is no matrix: out[dimensions[0]]. */
void make_numbers_vector(struct numbers *numbers, float *out, const struct tensor *tensor,
                         const struct shape *shape);

#endif

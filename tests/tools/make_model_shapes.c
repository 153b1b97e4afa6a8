/* SPDX-License-Identifier: MIT */
/* make-model: which models there are, their tensors, and the type of each. */
#include "tools/make_model.h"

#include <loam/graph.h>
#include <math.h>
#include <stdio.h>

/* tiny-256 is ours. The others are the published config.json of
 * Qwen2.5-0.5B, TinyLlama-1.1B, Llama-3.2-3B, Mistral-7B-v0.3, OLMoE-1B-7B. */
static const struct shape shapes[] = {
    {.name = "tiny-256",
     .architecture = "llama",
     .layers = 2,
     .width = 256,
     .hidden = 768,
     .heads = 4,
     .kv_heads = 2,
     .head_width = 64,
     .vocabulary = 512,
     .context = 2048,
     .rope_base = 10000,
     .epsilon = 1e-5f},
    {.name = "qwen2.5-0.5b",
     .architecture = "qwen2",
     .layers = 24,
     .width = 896,
     .hidden = 4864,
     .heads = 14,
     .kv_heads = 2,
     .head_width = 64,
     .vocabulary = 151936,
     .context = 32768,
     .rope_base = 1000000,
     .epsilon = 1e-6f,
     .tied = true,
     .biases = true},
    {.name = "tinyllama-1.1b",
     .architecture = "llama",
     .layers = 22,
     .width = 2048,
     .hidden = 5632,
     .heads = 32,
     .kv_heads = 4,
     .head_width = 64,
     .vocabulary = 32000,
     .context = 2048,
     .rope_base = 10000,
     .epsilon = 1e-5f},
    {.name = "llama-3.2-3b",
     .architecture = "llama",
     .layers = 28,
     .width = 3072,
     .hidden = 8192,
     .heads = 24,
     .kv_heads = 8,
     .head_width = 128,
     .vocabulary = 128256,
     .context = 131072,
     .rope_base = 500000,
     .epsilon = 1e-5f,
     .tied = true,
     .rope_factors = true},
    {.name = "mistral-7b",
     .architecture = "llama",
     .layers = 32,
     .width = 4096,
     .hidden = 14336,
     .heads = 32,
     .kv_heads = 8,
     .head_width = 128,
     .vocabulary = 32768,
     .context = 32768,
     .rope_base = 1000000,
     .epsilon = 1e-5f},
    {.name = "olmoe-1b-7b",
     .architecture = "olmoe",
     .layers = 16,
     .width = 2048,
     .hidden = 1024,
     .heads = 16,
     .kv_heads = 16,
     .head_width = 128,
     .vocabulary = 50304,
     .context = 4096,
     .rope_base = 10000,
     .epsilon = 1e-5f,
     .experts = 64,
     .experts_used = 8,
     .head_norms = true},
};

static const struct mix mixes[] = {
    {"F32", 0, LOAM_TYPE_F32, LOAM_TYPE_F32, LOAM_TYPE_F32},
    {"F16", 1, LOAM_TYPE_F16, LOAM_TYPE_F16, LOAM_TYPE_F16},
    {"BF16", 32, LOAM_TYPE_BF16, LOAM_TYPE_BF16, LOAM_TYPE_BF16},
    {"Q8_0", 7, LOAM_TYPE_Q8_0, LOAM_TYPE_Q8_0, LOAM_TYPE_Q8_0},
    {"Q4_0", 2, LOAM_TYPE_Q4_0, LOAM_TYPE_Q4_0, LOAM_TYPE_Q6_K},
    {"Q4_K_M", 15, LOAM_TYPE_Q4_K, LOAM_TYPE_Q6_K, LOAM_TYPE_Q6_K},
    {"Q5_K_M", 17, LOAM_TYPE_Q5_K, LOAM_TYPE_Q6_K, LOAM_TYPE_Q6_K},
    {"Q6_K", 18, LOAM_TYPE_Q6_K, LOAM_TYPE_Q6_K, LOAM_TYPE_Q6_K},
};

const struct shape *make_shape_at(size_t i)
{
    return i < LOAM_COUNT_OF(shapes) ? &shapes[i] : NULL;
}

const struct shape *make_shape_named(const char *name)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(shapes); i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

const struct mix *make_mix_at(size_t i)
{
    return i < LOAM_COUNT_OF(mixes) ? &mixes[i] : NULL;
}

const struct mix *make_mix_named(const char *name)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(mixes); i++)
        if (strcmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

/* ---- tensors ----------------------------------------------------------------- */

/* Places one tensor; types whose block does not divide the rows become Q8_0.
 * (llama.cpp takes Q5_0, Q5_1 and Q8_0 in place of Q4_K, Q5_K and Q6_K.) */
static void place(struct tensor_list *list, struct tensor tensor, uint32_t type)
{
    uint64_t numbers = 1;
    tensor.type = loam_weight_type(type);
    if (tensor.dimensions[0] % tensor.type->block_elements != 0)
        tensor.type = loam_weight_type(LOAM_TYPE_Q8_0);
    for (uint32_t i = 0; i < tensor.dimension_count; i++)
        numbers *= tensor.dimensions[i];
    tensor.bytes = numbers / tensor.type->block_elements * tensor.type->block_bytes;
    tensor.offset = list->bytes;
    list->bytes += (tensor.bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (list->count < MOST_TENSORS)
        list->tensors[list->count++] = tensor;
}

static void vector(struct tensor_list *list, const char *name, enum content content, uint32_t width)
{
    struct tensor tensor = {.content = content, .dimension_count = 1, .dimensions = {width, 1, 1}};
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    place(list, tensor, LOAM_TYPE_F32);
}

/* Of spread 1 / sqrt(width), so that what comes out is as large as what went
 * in. experts 0: two dimensions. */
static void matrix(struct tensor_list *list, const char *name, uint32_t type, uint32_t width,
                   uint32_t rows, uint32_t experts)
{
    struct tensor tensor = {.content = CONTENT_MATRIX,
                            .dimension_count = experts ? 3 : 2,
                            .dimensions = {width, rows, experts},
                            .spread = 1 / sqrt(width)};
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    place(list, tensor, type);
}

/* "blk.LAYER.NAME" */
struct layer_name {
    char text[48];
};

static struct layer_name named(uint32_t layer, const char *name)
{
    struct layer_name full;
    snprintf(full.text, sizeof full.text, "blk.%u.%s", layer, name);
    return full;
}

static void attention(struct tensor_list *list, const struct shape *s, uint32_t i, uint32_t type,
                      uint32_t value_type)
{
    uint32_t q_width = s->heads * s->head_width, k_width = s->kv_heads * s->head_width;
    vector(list, named(i, "attn_norm.weight").text, CONTENT_NORM, s->width);
    matrix(list, named(i, "attn_q.weight").text, type, s->width, q_width, 0);
    matrix(list, named(i, "attn_k.weight").text, type, s->width, k_width, 0);
    matrix(list, named(i, "attn_v.weight").text, value_type, s->width, k_width, 0);
    if (s->biases) {
        vector(list, named(i, "attn_q.bias").text, CONTENT_BIAS, q_width);
        vector(list, named(i, "attn_k.bias").text, CONTENT_BIAS, k_width);
        vector(list, named(i, "attn_v.bias").text, CONTENT_BIAS, k_width);
    }
    if (s->head_norms) {
        vector(list, named(i, "attn_q_norm.weight").text, CONTENT_NORM, q_width);
        vector(list, named(i, "attn_k_norm.weight").text, CONTENT_NORM, k_width);
    }
    matrix(list, named(i, "attn_output.weight").text, type, q_width, s->width, 0);
}

static void feed_forward(struct tensor_list *list, const struct shape *s, uint32_t i, uint32_t type,
                         uint32_t down_type)
{
    uint32_t experts = s->experts;
    vector(list, named(i, "ffn_norm.weight").text, CONTENT_NORM, s->width);
    if (experts) /* the router is never quantised */
        matrix(list, named(i, "ffn_gate_inp.weight").text, LOAM_TYPE_F32, s->width, experts, 0);
    matrix(list, named(i, experts ? "ffn_gate_exps.weight" : "ffn_gate.weight").text, type,
           s->width, s->hidden, experts);
    matrix(list, named(i, experts ? "ffn_up_exps.weight" : "ffn_up.weight").text, type, s->width,
           s->hidden, experts);
    matrix(list, named(i, experts ? "ffn_down_exps.weight" : "ffn_down.weight").text, down_type,
           s->hidden, s->width, experts);
}

/* The layers whose attn_v and ffn_down get more bits in the mixes _M: the
 * first and last eighth, and every third between. */
static bool has_more_bits(uint32_t layer, uint32_t layers)
{
    uint32_t eighth = layers / 8;
    return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

void make_tensors(struct tensor_list *list, const struct shape *shape, const struct mix *mix)
{
    list->count = 0;
    list->bytes = 0;
    matrix(list, "token_embd.weight", shape->tied ? mix->output : mix->type, shape->width,
           shape->vocabulary, 0);
    /* A looked-up row is of size 1, and logits differ by about 4; a table that
     * serves as both can only have the second. */
    list->tensors[0].spread = shape->tied ? 4 / sqrt(shape->width) : 1;
    if (shape->rope_factors)
        vector(list, "rope_freqs.weight", CONTENT_FACTORS, shape->head_width / 2);
    for (uint32_t i = 0; i < shape->layers; i++) {
        uint32_t type = has_more_bits(i, shape->layers) ? mix->more : mix->type;
        attention(list, shape, i, mix->type, type);
        feed_forward(list, shape, i, mix->type, type);
    }
    vector(list, "output_norm.weight", CONTENT_NORM, shape->width);
    if (!shape->tied) {
        matrix(list, "output.weight", mix->output, shape->width, shape->vocabulary, 0);
        list->tensors[list->count - 1].spread = 4 / sqrt(shape->width);
    }
}

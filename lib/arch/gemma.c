/* SPDX-License-Identifier: MIT */
/*
 * Gemma 1 to 3. (Gemma Team, "Gemma", 2024; "Gemma 2", 2024; "Gemma 3", 2025.)
 * Embeddings times the root of their width, GELU; from 2 on norms after the
 * blocks as well and layers with a window in turn with full ones; Gemma 2 caps
 * scores and logits, Gemma 3 norms Q and K and rotates local layers otherwise.
 * The files' norm weights have the 1 that Gemma adds in them already.
 */
#include "arch/decoder.h"

#include <math.h>

static void read(struct builder *b, struct decoder *d)
{
    loam_decoder_read(b, d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d->activation = LOAM_ACTIVATION_GELU;
    d->embedding_scale = sqrtf((float)b->description.embedding_length);
}

static loam_tensor build_gemma(struct builder *b)
{
    struct decoder d;
    read(b, &d);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_gemma = {
    .name = "gemma",
    .models = "Gemma 1",
    .build = build_gemma,
};

static void prepare_gemma2(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    if (!loam_decoder_is_local(b, layer->index, 2))
        layer->attention.window = 0;
}

/* The largest model of each has another scale of scores than its heads' width. */
static void scale_by_model(struct builder *b, struct decoder *d, uint32_t layers)
{
    if (b->description.layers == layers && !b->status)
        d->attention.scale = 1 / sqrtf((float)(b->description.embedding_length / d->heads));
}

static loam_tensor build_gemma2(struct builder *b)
{
    struct decoder d;
    read(b, &d);
    d.post_norms = true;
    d.prepare = prepare_gemma2;
    d.attention.window = loam_builder_u32(b, "attention.sliding_window", &(uint32_t){4096});
    d.attention.soft_cap = loam_builder_f32(b, "attn_logit_softcapping", &(float){50});
    d.logit_cap = loam_builder_f32(b, "final_logit_softcapping", &(float){30});
    scale_by_model(b, &d, 46);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_gemma2 = {
    .name = "gemma2",
    .models = "Gemma 2",
    .build = build_gemma2,
};

static void prepare_gemma3(struct builder *b, const struct decoder *d, struct layer *layer)
{
    if (loam_decoder_is_local(b, layer->index, 6))
        layer->rope = &d->local_rope;
    else
        layer->attention.window = 0;
}

static void read_gemma3(struct builder *b, struct decoder *d)
{
    read(b, d);
    d->post_norms = true;
    d->qk_norm = QK_NORM_BEFORE_ROPE;
    d->prepare = prepare_gemma3;
    d->attention.window = loam_builder_u32(b, "attention.sliding_window", NULL);
    d->logit_cap = loam_builder_f32(b, "final_logit_softcapping", &(float){0});
    float base = loam_builder_f32(b, "rope.freq_base_swa", &(float){10000});
    loam_builder_rope_plain(b, &d->local_rope, d->local_frequencies, d->key_width,
                            d->rotation.options.dimensions, LOAM_ROPE_HALVES, base);
    scale_by_model(b, d, 62);
}

static loam_tensor build_gemma3(struct builder *b)
{
    struct decoder d;
    read_gemma3(b, &d);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_gemma3 = {
    .name = "gemma3",
    .models = "Gemma 3, text",
    .build = build_gemma3,
};

/* Vera et al., "EmbeddingGemma", 2025: a Gemma 3 that looks both ways. */
static loam_tensor build_gemma_embedding(struct builder *b)
{
    struct decoder d;
    read_gemma3(b, &d);
    loam_builder_pooling(b, true);
    d.attention.both_ways = true;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_gemma_embedding = {
    .name = "gemma-embedding",
    .models = "EmbeddingGemma",
    .build = build_gemma_embedding,
};

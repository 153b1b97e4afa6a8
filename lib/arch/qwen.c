/* SPDX-License-Identifier: MIT */
/*
 * Qwen 2 and 3 and Seed-OSS. (Yang et al., "Qwen2 Technical Report", 2024;
 * "Qwen3 Technical Report", 2025.) A llama whose pairs are halves of a head;
 * Qwen 2 has biases, Qwen 3 norms of Q and K.
 */
#include "arch/decoder.h"

static loam_tensor build_qwen2(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_qwen2 = {
    .name = "qwen2",
    .models = "Qwen 1.5, 2 and 2.5",
    .build = build_qwen2,
};

/* Qwen 1.5 and 2 with experts. */
static loam_tensor build_qwen2moe(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    loam_experts_read(b, &d, false);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_qwen2moe = {
    .name = "qwen2moe",
    .models = "Qwen 1.5 and 2 with experts",
    .build = build_qwen2moe,
};

static loam_tensor build_qwen3(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.qk_norm = QK_NORM_BEFORE_ROPE;
    loam_experts_read(b, &d, true);
    b->description.probabilities = true; /* of its reranker: of "yes" and "no" */
    return loam_decoder_build(b, &d);
}

const struct family loam_family_qwen3moe = {
    .name = "qwen3moe",
    .models = "Qwen 3 with experts",
    .build = build_qwen3,
};
const struct family loam_family_qwen3 = {
    .name = "qwen3",
    .models = "Qwen 3",
    .build = build_qwen3,
};

/* Seed-OSS: the norm before the feed-forward block has another name. */
static loam_tensor build_seed_oss(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.ffn_norm = "blk.%u.post_attention_norm";
    return loam_decoder_build(b, &d);
}

const struct family loam_family_seed_oss = {
    .name = "seed_oss",
    .models = "Seed-OSS",
    .build = build_seed_oss,
};

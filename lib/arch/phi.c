/* SPDX-License-Identifier: MIT */
/*
 * Phi 2 and 3. (Javaheripi and Bubeck, "Phi-2", 2023; Abdin et al., "Phi-3
 * Technical Report", 2024.) Phi 2 has layer norm and both blocks side by side;
 * Phi 3 is a llama with joined weights and other frequencies in long sequences.
 */
#include "arch/decoder.h"

static loam_tensor build_phi2(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_LAYER, LOAM_ROPE_HALVES);
    d.parallel = PARALLEL_SAME;
    d.gated = false;
    d.activation = LOAM_ACTIVATION_GELU;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_phi2 = {
    .name = "phi2",
    .models = "Phi 1, 1.5 and 2",
    .build = build_phi2,
};

static loam_tensor build_phi3(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.fused_gate = true;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_phi3 = {
    .name = "phi3",
    .models = "Phi 3 and 4",
    .build = build_phi3,
};

/* Phi-3.5-MoE: biases, of the norms as well, and experts. */
static loam_tensor build_phimoe(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    loam_experts_read(b, &d, true);
    return loam_decoder_build(b, &d);
}

const struct family loam_family_phimoe = {
    .name = "phimoe",
    .models = "Phi 3.5 MoE",
    .build = build_phimoe,
};

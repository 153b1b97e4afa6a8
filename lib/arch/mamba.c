/* SPDX-License-Identifier: MIT */
/*
 * Mamba 1 and 2. (Gu and Dao, "Mamba: Linear-Time Sequence Modeling with
 * Selective State Spaces", 2023; Dao and Gu, "Transformers are SSMs", 2024.)
 * Layers are state spaces and nothing else.
 */
#include "arch/state_space.h"

static void make_recurrent(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)b;
    (void)d;
    layer->recurrent = true;
}

static loam_tensor build_mamba(struct builder *b)
{
    struct state_space_decoder d;
    loam_decoder_begin(b, &d.decoder, LOAM_NORM_RMS);
    loam_state_space_read(b, &d.space, false);
    d.space.norms = loam_builder_flag(b, "ssm.dt_b_c_rms", false);
    d.decoder.no_feed_forward = true;
    d.decoder.prepare = make_recurrent;
    d.decoder.recur = loam_state_space_mamba;
    return loam_decoder_build(b, &d.decoder);
}

const struct family loam_family_mamba = {
    .name = "mamba",
    .models = "Mamba 1, Falcon Mamba",
    .build = build_mamba,
};

static loam_tensor build_mamba2(struct builder *b)
{
    struct state_space_decoder d;
    loam_decoder_begin(b, &d.decoder, LOAM_NORM_RMS);
    loam_state_space_read(b, &d.space, true);
    d.decoder.no_feed_forward = true;
    d.decoder.prepare = make_recurrent;
    d.decoder.recur = loam_state_space_mamba2;
    return loam_decoder_build(b, &d.decoder);
}

const struct family loam_family_mamba2 = {
    .name = "mamba2",
    .models = "Mamba 2, Codestral Mamba",
    .build = build_mamba2,
};

/* SPDX-License-Identifier: MIT */
/*
 * Mamba 1 and 2, and Jamba. (Gu and Dao, "Mamba: Linear-Time Sequence Modeling
 * with Selective State Spaces", 2023; Dao and Gu, "Transformers are SSMs",
 * 2024; Lieber et al., "Jamba", 2024.) Mamba's layers are state spaces and
 * nothing else; in Jamba some of them attend, without rotation, and some have
 * experts.
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

/* A layer with a router has experts. */
static void prepare_jamba(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    layer->dense = !loam_builder_has(b, "blk.%u.ffn_gate_inp.weight", layer->index);
}

static loam_tensor build_jamba(struct builder *b)
{
    struct state_space_decoder d;
    loam_decoder_read(b, &d.decoder, LOAM_NORM_RMS, NO_ROPE);
    loam_experts_read(b, &d.decoder, false);
    loam_state_space_read(b, &d.space, false);
    d.space.norms = true;
    d.decoder.prepare = prepare_jamba;
    d.decoder.recur = loam_state_space_mamba;
    return loam_decoder_build(b, &d.decoder);
}

const struct family loam_family_jamba = {
    .name = "jamba",
    .models = "Jamba",
    .build = build_jamba,
};

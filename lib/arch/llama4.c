/* SPDX-License-Identifier: MIT */
/*
 * Llama 4. (Meta, "The Llama 4 herd", 2025.) Three of four layers rotate, norm
 * Q and K behind that, and attend within chunks; the fourth sees everything
 * and has neither, but scores that grow with the position. One expert of many,
 * whose input is weighted, beside a shared one.
 */
#include "arch/decoder.h"

/* What files do not say. */
enum { CHUNK = 8192, PERIOD = 4 };

static void prepare(struct builder *b, const struct decoder *d, struct layer *layer)
{
    (void)d;
    if (layer->index % PERIOD != PERIOD - 1) {
        layer->attention.chunk = CHUNK;
        return;
    }
    layer->rope = NULL;
    layer->bare_qk_norm = false;
    layer->attention.temperature =
        loam_builder_f32(b, "attention.temperature_scale", &(float){0.1f});
    layer->attention.temperature_length = CHUNK;
    layer->attention.temperature_offset = 1;
}

static loam_tensor build(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_ADJACENT);
    loam_experts_read(b, &d, false);
    d.bare_qk_norm = d.experts.count != 128; /* Maverick has none */
    d.experts.shared_hidden = d.experts.hidden;
    d.experts.options.router = LOAM_ROUTER_SIGMOID_SCORES;
    d.experts.options.weighs_input = true;
    d.prepare = prepare;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_llama4 = {
    .name = "llama4",
    .models = "Llama 4 Scout and Maverick, text",
    .build = build,
};

/* SPDX-License-Identifier: MIT */
/*
 * Apertus. (Apertus Team, "Apertus: Democratizing Open and Compliant LLMs",
 * 2025.) A llama with norms of Q and K and, in place of the gate, the function
 * xIELU, whose parameters each layer has learned. (Huang and Schlag, "Deriving
 * Activation Functions Using Integration", 2024.)
 */
#include "arch/decoder.h"

#include "base/numeric.h"

/* Keys without the family's name before them. */
static float number_of(struct builder *b, const char *key, uint32_t layer)
{
    const struct gguf_entry *entry = b->status ? NULL : loam_gguf_find(b->gguf, key);
    if (!entry || entry->type == GGUF_STRING || (entry->is_array && layer >= entry->count)) {
        if (!b->status)
            b->status =
                loam_fail(b->error, LOAM_FORMAT, "%s: expected a number for each layer", key);
        return 0;
    }
    return (float)loam_gguf_number(entry, entry->is_array ? layer : 0);
}

/* log(1 + exp(x)): what was learned is the number before it. */
static float positive(float x)
{
    return x > 20 ? x : (float)loam_log(1.0 + loam_exp((double)x));
}

static loam_tensor feed_forward(struct builder *b, const struct decoder *d,
                                const struct layer *layer, loam_tensor x)
{
    uint32_t width = b->description.embedding_length, hidden = layer->feed_forward;
    (void)d;
    float beta = number_of(b, "xielu.beta", layer->index);
    const float parameters[4] = {positive(number_of(b, "xielu.alpha_p", layer->index)),
                                 beta + positive(number_of(b, "xielu.alpha_n", layer->index)), beta,
                                 number_of(b, "xielu.eps", layer->index)};
    loam_tensor up = loam_decoder_linear(b, "blk.%u.ffn_up", layer->index, x, width, hidden);
    loam_tensor y = loam_graph_map(b->graph, up, LOAM_ACTIVATION_XIELU, parameters);
    return loam_decoder_linear(b, "blk.%u.ffn_down", layer->index, y, hidden, width);
}

static loam_tensor build(struct builder *b)
{
    struct decoder d;
    loam_decoder_read(b, &d, LOAM_NORM_RMS, LOAM_ROPE_HALVES);
    d.qk_norm = QK_NORM_BEFORE_ROPE;
    d.feed_forward = feed_forward;
    return loam_decoder_build(b, &d);
}

const struct family loam_family_apertus = {
    .name = "apertus",
    .models = "Apertus",
    .build = build,
};

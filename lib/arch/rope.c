/* SPDX-License-Identifier: MIT */
/*
 * Rotation frequencies: what a file's rope.* keys mean. In double, by the
 * functions of the numeric contract.
 */
#include "arch/arch.h"
#include "base/numeric.h"

/* Of what counts as a pair's number only between 0 and their count. */
static double floor_of(double x)
{
    x = x > -1e6 ? x : -1e6; /* NaN as well */
    x = x < 1e6 ? x : 1e6;
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

/* The pair whose wave makes `turns` turns within the original context. */
static double pair_of_turns(double turns, double dimensions, double base, double context)
{
    const double two_pi = 6.283185307179586;
    return dimensions * loam_log(context / (turns * two_pi)) / (2 * loam_log(base));
}

/* YaRN (Peng et al., 2023, section 3.4): fast pairs stay, slow ones are
 * divided by the factor, with a ramp between. Returns the magnitude. */
static float apply_yarn(struct builder *builder, double *frequencies, uint32_t dimensions,
                        double base, double factor)
{
    uint32_t context = loam_builder_u32(builder, "rope.scaling.original_context_length",
                                        &builder->description.context_length);
    float fast = loam_builder_f32(builder, "rope.scaling.yarn_beta_fast", &(float){32});
    float slow = loam_builder_f32(builder, "rope.scaling.yarn_beta_slow", &(float){1});
    if (!(fast > 0 && slow > 0 && base > 1) || context == 0) {
        loam_builder_refuse(builder, LOAM_FORMAT, "rope.scaling.original_context_length",
                            "with it, freq_base or a beta, YaRN has no meaning", context);
        return 1;
    }
    double low = floor_of(pair_of_turns(fast, dimensions, base, context));
    double high = -floor_of(-pair_of_turns(slow, dimensions, base, context));
    low = low < 0 ? 0 : low;
    high = high > dimensions - 1 ? dimensions - 1 : high;
    double width = high - low < 0.001 ? 0.001 : high - low;
    for (uint32_t i = 0; i < dimensions / 2; i++) {
        double ramp = (i - low) / width;
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        frequencies[i] = frequencies[i] / factor * ramp + frequencies[i] * (1 - ramp);
    }
    double multiplier =
        (double)loam_builder_f32(builder, "rope.scaling.yarn_log_multiplier", &(float){0});
    double magnitude = 0.1 * loam_log(factor) + 1;
    return (float)(multiplier != 0 ? magnitude / (0.1 * multiplier * loam_log(factor) + 1)
                                   : magnitude);
}

/* Divides each frequency by its number in the tensor, if there is one. */
static void apply_factors(struct builder *builder, const char *name, double *frequencies,
                          uint32_t dimensions)
{
    const struct gguf_tensor *tensor =
        builder->status ? NULL : loam_gguf_find_tensor(builder->gguf, name);
    if (!tensor)
        return;
    float factors[ROPE_PAIRS];
    uint32_t count = dimensions / 2;
    if (tensor->type->id != LOAM_TYPE_F32 || tensor->dimensions[0] != count ||
        tensor->bytes != count * sizeof(float)) {
        builder->status =
            loam_fail(builder->error, LOAM_FORMAT,
                      "tensor %s: expected F32 with %u numbers, found %s with %llu", name, count,
                      tensor->type->name, (unsigned long long)tensor->dimensions[0]);
        return;
    }
    builder->status = loam_source_read(builder->source, tensor->offset, factors,
                                       count * sizeof(float), builder->error);
    for (uint32_t i = 0; !builder->status && i < count; i++) {
        if (factors[i] > 0 && factors[i] < 1e38f) /* 1e30 stands for no rotation */
            frequencies[i] /= factors[i];
        else
            builder->status = loam_fail(builder->error, LOAM_FORMAT,
                                        "tensor %s: number %u is not positive", name, i);
    }
}

/* Fails unless the dimensions can be rotated. */
static bool fits(struct builder *builder, uint32_t head_width, uint32_t dimensions)
{
    if (dimensions == 0 || dimensions > head_width || dimensions % 2 != 0 ||
        dimensions > 2 * ROPE_PAIRS)
        loam_builder_refuse(builder, LOAM_FORMAT, "rope.dimension_count",
                            "expected an even number, at most the head's width", dimensions);
    return !builder->status;
}

void loam_builder_rope_plain(struct builder *builder, loam_rope_options *out, double *frequencies,
                             uint32_t head_width, uint32_t dimensions, int32_t pairing, float base)
{
    if (!(base > 0 && base < 1e30f))
        loam_builder_refuse(builder, LOAM_FORMAT, "rope.freq_base", "expected a number above 0", 0);
    if (!fits(builder, head_width, dimensions))
        return;
    *out = (loam_rope_options){.struct_size = sizeof *out,
                               .head_width = head_width,
                               .dimensions = dimensions,
                               .pairing = pairing,
                               .frequencies = frequencies};
    for (uint32_t i = 0; i < dimensions / 2; i++)
        frequencies[i] = loam_pow((double)base, -2.0 * i / dimensions);
}

/* Frequencies of long and short sequences (Ding et al., "LongRoPE", 2024). */
static void apply_long(struct builder *builder, struct rotation *out, uint32_t dimensions)
{
    if (builder->status || !loam_builder_has(builder, "rope_factors_long.weight", 0) ||
        !loam_builder_has(builder, "rope_factors_short.weight", 0))
        return;
    memcpy(out->long_frequencies, out->frequencies, sizeof out->frequencies);
    apply_factors(builder, "rope_factors_long.weight", out->long_frequencies, dimensions);
    apply_factors(builder, "rope_factors_short.weight", out->frequencies, dimensions);
    out->options.long_frequencies = out->long_frequencies;
    out->options.long_from = loam_builder_u32(builder, "rope.scaling.original_context_length",
                                              &builder->description.context_length);
}

void loam_builder_rope(struct builder *builder, struct rotation *out, uint32_t head_width,
                       uint32_t dimensions, int32_t pairing)
{
    float base = loam_builder_f32(builder, "rope.freq_base", &(float){10000});
    struct gguf_string type = loam_builder_text(builder, "rope.scaling.type", "none");
    float factor = loam_builder_f32(builder, "rope.scaling.factor", &(float){0});
    /* The key of older files, which had linear scaling alone. */
    float old = loam_builder_f32(builder, "rope.scale_linear", &(float){0});
    float magnitude = loam_builder_f32(builder, "rope.scaling.attn_factor", &(float){1});
    bool linear = loam_builder_is(type, "linear"), yarn = loam_builder_is(type, "yarn");
    if (old > 0 && loam_builder_is(type, "none")) {
        linear = true;
        factor = old;
    }
    if (!linear && !yarn && !loam_builder_is(type, "none") && !loam_builder_is(type, "longrope"))
        loam_builder_refuse(builder, LOAM_UNSUPPORTED, "rope.scaling.type",
                            "bytes of a name other than none, linear, yarn and longrope",
                            type.length);
    if (!(factor >= 0 && factor < 1e30f))
        loam_builder_refuse(builder, LOAM_FORMAT, "rope.scaling.factor",
                            "expected a number from 0 up", 0);
    double *frequencies = out->frequencies;
    loam_builder_rope_plain(builder, &out->options, frequencies, head_width, dimensions, pairing,
                            base);
    if (builder->status)
        return;
    for (uint32_t i = 0; linear && factor > 0 && i < dimensions / 2; i++)
        frequencies[i] /= (double)factor;
    if (yarn && factor > 0)
        magnitude *= apply_yarn(builder, frequencies, dimensions, (double)base, (double)factor);
    apply_factors(builder, "rope_freqs.weight", frequencies, dimensions);
    apply_long(builder, out, dimensions);
    out->options.magnitude = magnitude;
}

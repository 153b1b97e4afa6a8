/* SPDX-License-Identifier: MIT */
/*
 * Rotation frequencies: what a file's rope.* keys mean. In double, by the
 * functions of the numeric contract.
 */
#include "arch/arch.h"
#include "base/numeric.h"

static bool same(struct gguf_string text, const char *name)
{
    return text.length == strlen(name) && memcmp(text.data, name, text.length) == 0;
}

static double floor_of(double x)
{
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
    return (float)(0.1 * loam_log(factor) + 1);
}

/* Divides each frequency by its number in rope_freqs.weight, if there is one
 * (Llama 3.1 and later). */
static void apply_factors(struct builder *builder, double *frequencies, uint32_t dimensions)
{
    const char *name = "rope_freqs.weight";
    const struct gguf_tensor *tensor =
        builder->status ? NULL : loam_gguf_find_tensor(builder->gguf, name);
    if (!tensor)
        return;
    float factors[512];
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
        if (factors[i] > 0 && factors[i] < 1e30f)
            frequencies[i] /= factors[i];
        else
            builder->status = loam_fail(builder->error, LOAM_FORMAT,
                                        "tensor %s: number %u is not positive", name, i);
    }
}

float loam_builder_rope(struct builder *builder, double *frequencies, uint32_t dimensions)
{
    float base = loam_builder_f32(builder, "rope.freq_base", &(float){10000});
    struct gguf_string type = loam_builder_text(builder, "rope.scaling.type", "none");
    float factor = loam_builder_f32(builder, "rope.scaling.factor", &(float){0});
    /* The key of older files, which had linear scaling alone. */
    float old = loam_builder_f32(builder, "rope.scale_linear", &(float){0});
    float magnitude = loam_builder_f32(builder, "rope.scaling.attn_factor", &(float){1});
    bool linear = same(type, "linear"), yarn = same(type, "yarn");
    if (old > 0 && same(type, "none")) {
        linear = true;
        factor = old;
    }
    if (!linear && !yarn && !same(type, "none"))
        loam_builder_refuse(builder, LOAM_UNSUPPORTED, "rope.scaling.type",
                            "bytes of a name other than none, linear and yarn", type.length);
    if (!(base > 0 && base < 1e30f) || !(factor >= 0 && factor < 1e30f))
        loam_builder_refuse(builder, LOAM_FORMAT, "rope.freq_base",
                            "it and rope.scaling.factor are numbers above 0", (uint64_t)0);
    if (builder->status)
        return 1;
    for (uint32_t i = 0; i < dimensions / 2; i++)
        frequencies[i] = loam_pow(base, -2.0 * i / dimensions);
    for (uint32_t i = 0; linear && factor > 0 && i < dimensions / 2; i++)
        frequencies[i] /= factor;
    if (yarn && factor > 0)
        magnitude *= apply_yarn(builder, frequencies, dimensions, base, factor);
    apply_factors(builder, frequencies, dimensions);
    return magnitude;
}

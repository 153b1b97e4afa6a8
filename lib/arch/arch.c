/* SPDX-License-Identifier: MIT */
#include "arch/arch.h"
#include "arch/families.h"

#define DECLARE(name) extern const struct family loam_family_##name;
#define ENTRY(name)   &loam_family_##name,

FAMILIES(DECLARE)

static const struct family *const families[] = {FAMILIES(ENTRY)};

const struct family *loam_arch_family(size_t i)
{
    return i < LOAM_COUNT_OF(families) ? families[i] : NULL;
}

loam_status loam_arch_build(struct description *out, loam_tensor *result, loam_graph *graph,
                            const struct gguf *gguf, struct source *source, loam_error *error)
{
    struct builder builder = {.gguf = gguf, .source = source, .graph = graph, .error = error};
    loam_status status =
        loam_gguf_get_string(&builder.family, gguf, "general.architecture", NULL, error);
    if (status)
        return status;
    const struct gguf_entry *tokens;
    status = loam_gguf_get_array(&tokens, gguf, "tokenizer.ggml.tokens", GGUF_STRING, false, error);
    if (status)
        return status;
    builder.tokens = tokens ? (uint32_t)loam_min(tokens->count, UINT32_MAX) : 0;
    for (size_t i = 0; i < LOAM_COUNT_OF(families); i++) {
        if (!loam_builder_is(builder.family, families[i]->name))
            continue;
        builder.traits = families[i]->traits;
        *result = families[i]->build(&builder);
        *out = builder.description;
        return builder.status ? builder.status : loam_graph_failure(graph, error);
    }
    return loam_fail(
        error, LOAM_UNSUPPORTED,
        "general.architecture: \"%.*s\" is not supported; docs/models.md lists the %zu "
        "that are, such as %s",
        LOAM_SHOWN(builder.family.length), builder.family.data, LOAM_COUNT_OF(families),
        loam_family_llama.name);
}

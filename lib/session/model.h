/* SPDX-License-Identifier: MIT */
/*
 * lib/session: models opened and sequences continued: the batch step, events,
 * stop rules. Everything below comes together here; knows nothing of the
 * caller's structs beyond what loam.h says, and no backend.
 *
 * model.h: an opened model file.
 */
#ifndef LOAM_SESSION_MODEL_H
#define LOAM_SESSION_MODEL_H

#include "arch/arch.h"
#include "tensor/engine.h"
#include "text/tokenizer.h"

struct loam_tokenizer {
    atomic_uint references;
    loam_engine *engine;
    struct tokenizer *tokenizer;
};

/* Working memory of a step, used by one call at a time: under the engine's
 * lock. */
struct step_memory {
    int32_t *tokens;               /* [max_rows] */
    uint8_t *output_rows;          /* [max_rows] */
    loam_step_sequence *sequences; /* [max_sessions] */
    uint8_t *numeric;              /* [max_sessions] */
    struct loam_session **active;  /* [max_sessions] */
    uint32_t *slots;               /* [max_sessions]: index of the active session in the call */
    loam_event *events;            /* [max_sessions] */
    float *logits;                 /* [max_sessions][vocabulary] */
};

struct loam_model {
    atomic_uint references;
    loam_engine *engine;
    loam_graph *graph;
    struct description description;
    loam_tokenizer *tokenizer; /* NULL: the file has no vocabulary */
    struct arena arena;        /* of the strings below */
    loam_string architecture, name;
    uint64_t parameters;
    struct graph_size size;
    struct source_map map; /* of a packed file, in which the graph's weights lie */
    uint64_t mapped_bytes;
    loam_compile_options limits; /* of a step */
    double load_seconds;
    struct step_memory step;
};

/* Opens a model. `options` is complete: every default filled in by
 * loam_model_complete. */
loam_status loam_model_load(loam_model **out, loam_engine *engine, struct source *source,
                            const loam_model_options *options, loam_error *error);

/* Fills in defaults and checks the rest. */
loam_status loam_model_complete(loam_model_options *options, loam_error *error);

/* See loam_model_plan. `options` is complete. */
loam_status loam_model_measure(loam_memory_plan *out, loam_engine *engine, struct source *source,
                               const loam_model_options *options, uint32_t context_length,
                               uint32_t sessions, loam_error *error);

/* embed.c: see loam_model_embed. The engine is held while computing. */
loam_status loam_embed_check(const loam_model *model, const int32_t *tokens, size_t count,
                             const loam_embed_options *options, loam_error *error);
loam_status loam_embed_compute(loam_model *model, const int32_t *tokens, size_t count,
                               const loam_embed_options *options, float *out, loam_error *error);

/* See loam_model_pack. */
loam_status loam_model_write_packed(loam_engine *engine, struct source *source,
                                    loam_write_function write, void *user, loam_error *error);

/* quantize.c: see loam_model_quantize. `options` is complete; `importance` is open,
 * or NULL. */
loam_status loam_quantize_file(loam_quantize_info *out, loam_engine *engine, struct source *source,
                               struct source *importance, const loam_quantize_options *options,
                               loam_write_function write, void *user, loam_error *error);

/* A tokenizer with one reference that takes over `tokenizer`, which is
 * destroyed on failure. */
loam_status loam_model_wrap_tokenizer(loam_tokenizer **out, loam_engine *engine,
                                      struct tokenizer *tokenizer, loam_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Mixes: which type each tensor of a file gets when a model is quantised. A
 * mix has a type for most matrices; a table of rules gives some of them
 * another, by what they do, where they stand and what the model is like.
 *
 * Names and rules are those of llama.cpp (src/llama-quant.cpp), so that a name
 * means the same file everywhere.
 */
#ifndef LOAM_FORMAT_MIX_H
#define LOAM_FORMAT_MIX_H

#include "format/gguf.h"

/* What a tensor does, by its name. */
enum mix_role {
    ROLE_OTHER,
    ROLE_EMBEDDING, /* the token table, and a second one by layer */
    ROLE_OUTPUT,    /* the output matrix, or the token table if it is both */
    ROLE_QUERY,
    ROLE_KEY,
    ROLE_VALUE, /* alone, joined with query and key, or behind a latent */
    ROLE_ATTENTION_OUTPUT,
    ROLE_UP,
    ROLE_GATE,
    ROLE_DOWN
};

struct mix {
    const char *name;               /* such as "Q4_K_M" */
    uint32_t id;                    /* bit of the rules */
    uint32_t file_type;             /* value of general.file_type */
    const struct weight_type *type; /* of most matrices */
};

/* Tensors whose name has `pattern` in it get `type`, whatever the mix says: '*'
 * stands for any characters, '^' first for the name's beginning, '$' last for its end. */
struct mix_override {
    const char *pattern;
    size_t length;
    const struct weight_type *type;
};

/* What is wished of one file. */
struct mix_wish {
    const struct mix *mix;
    bool pure;                                    /* one type for all that is quantised */
    bool keep_output;                             /* the output matrix stays as it is */
    bool has_importance;                          /* an importance file is given */
    const struct weight_type *output, *embedding; /* NULL: as the mix says */
    const struct mix_override *overrides;         /* the first that fits */
    size_t override_count;
};

/* What becomes of one tensor. */
struct mix_choice {
    const struct weight_type *type; /* the tensor's own: it is copied */
    bool fell_back;                 /* the row's width did not fit the type that was to be */
    bool needs_importance;          /* the type is of no use without */
};

/* The mix of that name, upper or lower case, or NULL. */
const struct mix *loam_mix_named(const char *name, size_t length);

/* The i-th mix, or NULL beyond the last. */
const struct mix *loam_mix_at(size_t index);

/* out[tensor_count]: what becomes of each tensor.
 * [errors: MEMORY] */
loam_status loam_mix_choose(struct mix_choice *out, const struct gguf *gguf,
                            const struct mix_wish *wish, struct memory *memory, loam_error *error);

/* mix_rules.c: what a rule may ask. */
enum {
    WHEN_GROUPED = 1 << 0,       /* at least 4 query heads share a key head */
    WHEN_FOUR_EXPERTS = 1 << 1,  /* or more */
    WHEN_EIGHT_EXPERTS = 1 << 2, /* exactly */
    WHEN_NOT_EIGHT = 1 << 3,
    WHEN_FALCON = 1 << 4,
    WHEN_NOT_FALCON = 1 << 5,
    WHEN_IMPORTANCE = 1 << 6,
    WHEN_NO_IMPORTANCE = 1 << 7,
    WHEN_FIRST_EIGHTH = 1 << 8, /* of the layers */
    WHEN_FIRST_SIXTEENTH = 1 << 9,
    WHEN_MIDDLE = 1 << 10,    /* neither the first nor the last eighth */
    WHEN_MORE_BITS = 1 << 11, /* the first and last eighth, and each third between */
    WHEN_FIRST_TWO = 1 << 12, /* layers */
    WHEN_FIRST_FOUR = 1 << 13,
    WHEN_STACKED = 1 << 14,   /* matrices of several experts */
    WHEN_ODD_WIDTH = 1 << 15, /* rows that do not fit the mix's own type */
    WHEN_EARLY = 1 << 16      /* among the first, an eighth of the layers in number, of its role */
};

/* The first rule for the mix and role all of whose conditions are in `holds`;
 * without one the mix's own type. */
const struct weight_type *loam_mix_rule(const struct mix *mix, enum mix_role role, uint32_t holds);

/* 70B models: value matrices are an eighth as large as others, so more bits cost little. */
const struct weight_type *loam_mix_raise(const struct mix *mix, const struct weight_type *type);

/* Whether the type gives garbage without an importance matrix in this mix. */
bool loam_mix_needs_importance(const struct mix *mix, const struct weight_type *type);

/* The type for rows that `type` does not fit; F16 if there is no other. */
const struct weight_type *loam_mix_fallback(const struct weight_type *type, uint64_t width);

#endif

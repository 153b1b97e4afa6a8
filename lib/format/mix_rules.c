/* SPDX-License-Identifier: MIT */
/* The tables of mixes and of their rules. */
#include "format/mix.h"
#include "quant/codecs.h"

/* clang-format off */
/* X(name in C, name, value of general.file_type, type of most matrices) */
#define MIX_LIST(X) \
    X(F32, "F32", 0, f32) \
    X(F16, "F16", 1, f16) \
    X(BF16, "BF16", 32, bf16) \
    X(Q1_0, "Q1_0", 40, q1_0) \
    X(Q2_0, "Q2_0", 41, q2_0) \
    X(Q4_0, "Q4_0", 2, q4_0) \
    X(Q4_1, "Q4_1", 3, q4_1) \
    X(Q5_0, "Q5_0", 8, q5_0) \
    X(Q5_1, "Q5_1", 9, q5_1) \
    X(Q8_0, "Q8_0", 7, q8_0) \
    X(Q2_K, "Q2_K", 10, q2_k) \
    X(Q2_K_S, "Q2_K_S", 21, q2_k) \
    X(Q3_K_S, "Q3_K_S", 11, q3_k) \
    X(Q3_K_M, "Q3_K_M", 12, q3_k) \
    X(Q3_K_L, "Q3_K_L", 13, q3_k) \
    X(Q4_K_S, "Q4_K_S", 14, q4_k) \
    X(Q4_K_M, "Q4_K_M", 15, q4_k) \
    X(Q5_K_S, "Q5_K_S", 16, q5_k) \
    X(Q5_K_M, "Q5_K_M", 17, q5_k) \
    X(Q6_K, "Q6_K", 18, q6_k) \
    X(IQ1_S, "IQ1_S", 24, iq1_s) \
    X(IQ1_M, "IQ1_M", 31, iq1_m) \
    X(IQ2_XXS, "IQ2_XXS", 19, iq2_xxs) \
    X(IQ2_XS, "IQ2_XS", 20, iq2_xs) \
    X(IQ2_S, "IQ2_S", 28, iq2_xs) \
    X(IQ2_M, "IQ2_M", 29, iq2_s) \
    X(IQ3_XXS, "IQ3_XXS", 23, iq3_xxs) \
    X(IQ3_XS, "IQ3_XS", 22, iq3_s) \
    X(IQ3_S, "IQ3_S", 26, iq3_s) \
    X(IQ3_M, "IQ3_M", 27, iq3_s) \
    X(IQ4_NL, "IQ4_NL", 25, iq4_nl) \
    X(IQ4_XS, "IQ4_XS", 30, iq4_xs) \
    X(TQ1_0, "TQ1_0", 36, tq1_0) \
    X(TQ2_0, "TQ2_0", 37, tq2_0) \
    X(MXFP4, "MXFP4_MOE", 38, mxfp4) \
    X(NVFP4, "NVFP4", 39, nvfp4)

enum mix_id {
#define MIX_ID(name, text, number, type) ID_##name,
    MIX_LIST(MIX_ID)
    MIXES
};

static const struct mix mixes[] = {
#define MIX_LINE(name, text, number, type) {text, ID_##name, number, &loam_type_##type},
    MIX_LIST(MIX_LINE)
};

static const struct { const char *name; enum mix_id id; } other_names[] = {
    {"Q3_K", ID_Q3_K_M}, {"Q4_K", ID_Q4_K_M}, {"Q5_K", ID_Q5_K_M}, {"MXFP4", ID_MXFP4},
};

/* Sets of mixes. */
#define M(name) (1ull << ID_##name)

/* Numbers as they are: no rule. Mixes of about two bits have rules of their own. */
#define FLOATS  (M(F32) | M(F16) | M(BF16))
#define LOW     (M(IQ1_S) | M(IQ1_M) | M(IQ2_XXS) | M(IQ2_XS) | M(IQ2_S) | M(IQ2_M))
#define OTHERS  (~(FLOATS | LOW))
#define ALL     (~FLOATS)

#define ROLES(x)  (1u << ROLE_##x)
#define ANY_ROLE  (~0u)
#define TYPE(x)   &loam_type_##x

/* The mix, what the tensor does, conditions of which all must hold, the type
 * (NULL: the mix's own). The first that fits decides. */
static const struct rule {
    uint64_t mixes;
    uint32_t roles, when;
    const struct weight_type *type;
} rules[] = {
    {M(MXFP4), ROLES(OUTPUT), 0, TYPE(q8_0)},
    {M(MXFP4), ANY_ROLE, WHEN_STACKED, NULL},
    {M(MXFP4), ANY_ROLE, 0, TYPE(q8_0)},

    {ALL, ROLES(OUTPUT), WHEN_FALCON, TYPE(q8_0)},
    {ALL, ROLES(OUTPUT), WHEN_ODD_WIDTH, TYPE(q8_0)},
    {LOW | M(IQ3_XXS), ROLES(OUTPUT), 0, TYPE(q5_k)},
    {ALL & ~M(Q8_0), ROLES(OUTPUT), 0, TYPE(q6_k)},

    {M(IQ2_XXS) | M(IQ2_XS) | M(IQ1_S) | M(IQ1_M), ROLES(EMBEDDING), 0, TYPE(q2_k)},
    {M(IQ2_S) | M(IQ2_M) | M(IQ3_XXS), ROLES(EMBEDDING), 0, TYPE(iq3_s)},
    {M(TQ1_0) | M(TQ2_0) | M(Q2_0), ROLES(EMBEDDING), 0, TYPE(q4_k)},

    {LOW, ROLES(VALUE), WHEN_GROUPED, TYPE(q4_k)},
    {LOW, ROLES(VALUE), WHEN_FOUR_EXPERTS, TYPE(q4_k)},
    {M(IQ2_S) | M(IQ2_M), ROLES(VALUE), 0, TYPE(iq3_s)},
    {LOW, ROLES(VALUE), 0, TYPE(q2_k)},
    {LOW, ROLES(KEY), WHEN_EIGHT_EXPERTS, TYPE(q4_k)},
    {M(IQ2_S) | M(IQ2_M), ROLES(DOWN), WHEN_EARLY, TYPE(iq3_s)},
    {LOW, ROLES(DOWN), WHEN_EARLY, TYPE(q2_k)},
    {LOW, ROLES(ATTENTION_OUTPUT), WHEN_EIGHT_EXPERTS, TYPE(q5_k)},
    {M(IQ1_S) | M(IQ1_M), ROLES(ATTENTION_OUTPUT), 0, TYPE(iq2_xxs)},
    {M(IQ2_S) | M(IQ2_M), ROLES(ATTENTION_OUTPUT), 0, TYPE(iq3_s)},

    {OTHERS, ROLES(VALUE), WHEN_EIGHT_EXPERTS, TYPE(q8_0)},
    {M(Q2_K) | M(Q2_K_S) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S), ROLES(VALUE), WHEN_GROUPED, TYPE(q4_k)},
    {M(Q2_K), ROLES(VALUE), 0, TYPE(q3_k)},
    {M(IQ3_XXS), ROLES(VALUE), WHEN_NO_IMPORTANCE, TYPE(iq3_s)},
    {M(IQ3_M), ROLES(VALUE), 0, TYPE(q4_k)},
    {M(Q3_K_M), ROLES(VALUE), WHEN_FIRST_TWO, TYPE(q5_k)},
    {M(Q3_K_M), ROLES(VALUE), 0, TYPE(q4_k)},
    {M(Q3_K_L), ROLES(VALUE), 0, TYPE(q5_k)},
    {M(IQ4_NL) | M(IQ4_XS), ROLES(VALUE), WHEN_GROUPED, TYPE(q5_k)},
    {M(Q4_K_M) | M(Q5_K_M), ROLES(VALUE), WHEN_MORE_BITS, TYPE(q6_k)},
    {M(Q4_K_S), ROLES(VALUE), WHEN_FIRST_FOUR, TYPE(q5_k)},

    {OTHERS, ROLES(KEY), WHEN_EIGHT_EXPERTS, TYPE(q8_0)},
    {M(IQ3_XS), ROLES(KEY) | ROLES(QUERY), 0, TYPE(iq3_xxs)},
    {M(IQ3_XXS), ROLES(KEY) | ROLES(QUERY), 0, TYPE(iq2_s)},

    {M(Q2_K), ROLES(DOWN), 0, TYPE(q3_k)},
    {M(Q2_K_S), ROLES(DOWN), WHEN_FIRST_EIGHTH, TYPE(q4_k)},
    {M(IQ3_XXS), ROLES(DOWN), WHEN_NO_IMPORTANCE | WHEN_FIRST_EIGHTH, TYPE(q4_k)},
    {M(IQ3_XXS), ROLES(DOWN), WHEN_NO_IMPORTANCE, TYPE(q3_k)},
    {M(Q3_K_M), ROLES(DOWN), WHEN_FIRST_SIXTEENTH, TYPE(q5_k)},
    {M(Q3_K_M), ROLES(DOWN), WHEN_NOT_FALCON, TYPE(q4_k)},
    {M(Q3_K_M), ROLES(DOWN), WHEN_MORE_BITS, TYPE(q4_k)},
    {M(IQ3_M), ROLES(DOWN), WHEN_FIRST_EIGHTH, TYPE(q4_k)},
    {M(IQ3_M), ROLES(DOWN), WHEN_EIGHT_EXPERTS | WHEN_MORE_BITS, TYPE(q4_k)},
    {M(Q3_K_L), ROLES(DOWN), WHEN_FALCON, TYPE(q4_k)},
    {M(Q3_K_L), ROLES(DOWN), 0, TYPE(q5_k)},
    {M(Q4_K_M), ROLES(DOWN), WHEN_FALCON | WHEN_FIRST_SIXTEENTH, TYPE(q6_k)},
    {M(Q4_K_M), ROLES(DOWN), WHEN_FALCON | WHEN_MORE_BITS, TYPE(q5_k)},
    {M(Q4_K_M), ROLES(DOWN), WHEN_NOT_FALCON | WHEN_MORE_BITS, TYPE(q6_k)},
    {M(IQ4_NL) | M(IQ4_XS), ROLES(DOWN), WHEN_NO_IMPORTANCE | WHEN_FIRST_EIGHTH, TYPE(q5_k)},
    {M(Q5_K_M), ROLES(DOWN), WHEN_MORE_BITS, TYPE(q6_k)},
    {M(Q4_K_S), ROLES(DOWN), WHEN_NOT_FALCON | WHEN_FIRST_EIGHTH, TYPE(q5_k)},
    {M(Q4_0), ROLES(DOWN), WHEN_IMPORTANCE | WHEN_FIRST_EIGHTH, TYPE(q4_1)},
    {M(Q5_0), ROLES(DOWN), WHEN_IMPORTANCE | WHEN_FIRST_EIGHTH, TYPE(q5_1)},

    {M(Q2_K) | M(Q3_K_S) | M(Q3_K_M) | M(Q4_K_S) | M(Q4_K_M) | M(IQ3_XXS) | M(IQ3_XS) | M(IQ3_S) | M(IQ3_M) | M(IQ4_NL) | M(IQ4_XS),
     ROLES(ATTENTION_OUTPUT), WHEN_NOT_FALCON | WHEN_EIGHT_EXPERTS, TYPE(q5_k)},
    {M(Q2_K), ROLES(ATTENTION_OUTPUT), WHEN_NOT_FALCON | WHEN_NOT_EIGHT, TYPE(q3_k)},
    {M(IQ3_XXS), ROLES(ATTENTION_OUTPUT), WHEN_NOT_FALCON | WHEN_NOT_EIGHT, TYPE(iq3_s)},
    {M(Q3_K_M) | M(IQ3_M), ROLES(ATTENTION_OUTPUT), WHEN_NOT_FALCON | WHEN_NOT_EIGHT, TYPE(q4_k)},
    {M(Q3_K_L), ROLES(ATTENTION_OUTPUT), WHEN_NOT_FALCON | WHEN_NOT_EIGHT, TYPE(q5_k)},
    {M(Q3_K_L), ROLES(ATTENTION_OUTPUT), WHEN_FALCON, TYPE(q4_k)},

    {M(IQ3_XS), ROLES(UP) | ROLES(GATE), WHEN_MIDDLE, TYPE(iq3_xxs)},
};

/* For rows whose width is no multiple of the type's block: blocks of 32. */
static const struct { const struct weight_type *type, *smaller; } fallbacks[] = {
    {TYPE(iq1_s), TYPE(iq4_nl)}, {TYPE(iq1_m), TYPE(iq4_nl)}, {TYPE(iq2_xxs), TYPE(iq4_nl)},
    {TYPE(iq2_xs), TYPE(iq4_nl)}, {TYPE(iq2_s), TYPE(iq4_nl)}, {TYPE(iq3_xxs), TYPE(iq4_nl)},
    {TYPE(iq3_s), TYPE(iq4_nl)}, {TYPE(iq4_xs), TYPE(iq4_nl)}, {TYPE(q1_0), TYPE(q4_0)},
    {TYPE(q2_0), TYPE(q4_0)}, {TYPE(q2_k), TYPE(q4_0)}, {TYPE(q3_k), TYPE(q4_0)},
    {TYPE(tq1_0), TYPE(q4_0)}, {TYPE(tq2_0), TYPE(q4_0)}, {TYPE(nvfp4), TYPE(mxfp4)},
    {TYPE(q4_k), TYPE(q5_0)}, {TYPE(q5_k), TYPE(q5_1)}, {TYPE(q6_k), TYPE(q8_0)},
};
/* clang-format on */

_Static_assert(MIXES <= 64, "a set of mixes has 64 bits");

const struct mix *loam_mix_at(size_t index)
{
    return index < LOAM_COUNT_OF(mixes) ? &mixes[index] : NULL;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_named(const char *wanted, const char *name, size_t length)
{
    size_t i = 0;
    while (i < length && wanted[i] && wanted[i] == upper(name[i]))
        i++;
    return i == length && !wanted[i];
}

const struct mix *loam_mix_named(const char *name, size_t length)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(mixes); i++)
        if (is_named(mixes[i].name, name, length))
            return &mixes[i];
    for (size_t i = 0; i < LOAM_COUNT_OF(other_names); i++)
        if (is_named(other_names[i].name, name, length))
            return &mixes[other_names[i].id];
    return NULL;
}

const struct weight_type *loam_mix_rule(const struct mix *mix, enum mix_role role, uint32_t holds)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(rules); i++)
        if (rules[i].mixes >> mix->id & 1 && rules[i].roles >> role & 1 &&
            (rules[i].when & ~holds) == 0)
            return rules[i].type ? rules[i].type : mix->type;
    return mix->type;
}

const struct weight_type *loam_mix_raise(const struct mix *mix, const struct weight_type *type)
{
    bool low = (LOW >> mix->id & 1) != 0;
    bool raised = type == TYPE(q3_k) || type == TYPE(q4_k);
    return raised && !low ? TYPE(q5_k) : type;
}

bool loam_mix_needs_importance(const struct mix *mix, const struct weight_type *type)
{
    return type == TYPE(iq1_s) || type == TYPE(iq1_m) || type == TYPE(iq2_xxs) ||
           type == TYPE(iq2_xs) || type == TYPE(iq2_s) || type == TYPE(iq3_xxs) ||
           (type == TYPE(q2_k) && mix->id == ID_Q2_K_S);
}

const struct weight_type *loam_mix_fallback(const struct weight_type *type, uint64_t width)
{
    const struct weight_type *smaller = TYPE(f16);
    for (size_t i = 0; i < LOAM_COUNT_OF(fallbacks); i++)
        if (fallbacks[i].type == type)
            smaller = fallbacks[i].smaller;
    return width % smaller->block_elements == 0 ? smaller : TYPE(f16);
}

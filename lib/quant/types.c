/* SPDX-License-Identifier: MIT */
#include "quant/codecs.h"

/* The types of GGUF files, ascending id (ggml's type numbers). Those without
 * functions are known by size, so that any file can be looked at. */
static const struct weight_type types[] = {
    {0, "F32", 1, 4, 0, loam_dequantize_f32, loam_quantize_f32, NULL},
    {1, "F16", 1, 2, 0, loam_dequantize_f16, loam_quantize_f16, NULL},
    {2, "Q4_0", 32, 18, 32, loam_dequantize_q4_0, loam_quantize_q4_0, &loam_packing_q4_0},
    {3, "Q4_1", 32, 20, 32, NULL, NULL, NULL},
    {6, "Q5_0", 32, 22, 32, NULL, NULL, NULL},
    {7, "Q5_1", 32, 24, 32, NULL, NULL, NULL},
    {8, "Q8_0", 32, 34, 32, loam_dequantize_q8_0, loam_quantize_q8_0, &loam_packing_q8_0},
    {9, "Q8_1", 32, 36, 32, NULL, NULL, NULL},
    {10, "Q2_K", 256, 84, 256, NULL, NULL, NULL},
    {11, "Q3_K", 256, 110, 256, NULL, NULL, NULL},
    {12, "Q4_K", 256, 144, 256, loam_dequantize_q4_k, NULL, &loam_packing_q4_k},
    {13, "Q5_K", 256, 176, 256, loam_dequantize_q5_k, NULL, &loam_packing_q5_k},
    {14, "Q6_K", 256, 210, 256, loam_dequantize_q6_k, NULL, &loam_packing_q6_k},
    {15, "Q8_K", 256, 292, 256, NULL, NULL, NULL},
    {16, "IQ2_XXS", 256, 66, 256, NULL, NULL, NULL},
    {17, "IQ2_XS", 256, 74, 256, NULL, NULL, NULL},
    {18, "IQ3_XXS", 256, 98, 256, NULL, NULL, NULL},
    {19, "IQ1_S", 256, 50, 256, NULL, NULL, NULL},
    {20, "IQ4_NL", 32, 18, 32, NULL, NULL, NULL},
    {21, "IQ3_S", 256, 110, 256, NULL, NULL, NULL},
    {22, "IQ2_S", 256, 82, 256, NULL, NULL, NULL},
    {23, "IQ4_XS", 256, 136, 256, NULL, NULL, NULL},
    {24, "I8", 1, 1, 0, NULL, NULL, NULL},
    {25, "I16", 1, 2, 0, NULL, NULL, NULL},
    {26, "I32", 1, 4, 0, NULL, NULL, NULL},
    {27, "I64", 1, 8, 0, NULL, NULL, NULL},
    {28, "F64", 1, 8, 0, NULL, NULL, NULL},
    {29, "IQ1_M", 256, 56, 256, NULL, NULL, NULL},
    {30, "BF16", 1, 2, 0, loam_dequantize_bf16, loam_quantize_bf16, NULL},
    {34, "TQ1_0", 256, 54, 256, NULL, NULL, NULL},
    {35, "TQ2_0", 256, 66, 256, NULL, NULL, NULL},
    {39, "MXFP4", 32, 17, 32, NULL, NULL, NULL},
    {40, "NVFP4", 64, 36, 32, NULL, NULL, NULL},
    {41, "Q1_0", 128, 18, 32, NULL, NULL, NULL},
    {42, "Q2_0", 64, 18, 32, NULL, NULL, NULL},
};

const struct weight_type *loam_weight_type(uint32_t id)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(types); i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

const struct weight_type *loam_weight_type_at(size_t index)
{
    return index < LOAM_COUNT_OF(types) ? &types[index] : NULL;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const struct weight_type *loam_weight_type_named(const char *name, size_t length)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(types); i++) {
        size_t j = 0;
        while (j < length && types[i].name[j] && types[i].name[j] == upper(name[j]))
            j++;
        if (j == length && !types[i].name[j])
            return &types[i];
    }
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The families, one line each; arch.c takes them from here, docs/models.md as well. */
#ifndef LOAM_ARCH_FAMILIES_H
#define LOAM_ARCH_FAMILIES_H

#define FAMILIES(FAMILY) \
    FAMILY(apertus) \
    FAMILY(arcee) \
    FAMILY(bloom) \
    FAMILY(cohere2) \
    FAMILY(command_r) \
    FAMILY(ernie4_5) \
    FAMILY(exaone) \
    FAMILY(exaone4) \
    FAMILY(falcon) \
    FAMILY(gemma) \
    FAMILY(gemma2) \
    FAMILY(gemma3) \
    FAMILY(glm4) \
    FAMILY(gpt2) \
    FAMILY(gptneox) \
    FAMILY(granite) \
    FAMILY(hunyuan_dense) \
    FAMILY(internlm2) \
    FAMILY(llama) \
    FAMILY(minicpm) \
    FAMILY(mistral3) \
    FAMILY(mpt) \
    FAMILY(nemotron) \
    FAMILY(olmo) \
    FAMILY(olmo2) \
    FAMILY(phi2) \
    FAMILY(phi3) \
    FAMILY(qwen2) \
    FAMILY(qwen3) \
    FAMILY(seed_oss) \
    FAMILY(smollm3) \
    FAMILY(stablelm) \
    FAMILY(starcoder2)

#endif

/* SPDX-License-Identifier: MIT */
/* The families, one line each; arch.c takes them from here, docs/models.md as well. */
#ifndef LOAM_ARCH_FAMILIES_H
#define LOAM_ARCH_FAMILIES_H

#define FAMILIES(FAMILY) \
    FAMILY(apertus) \
    FAMILY(arcee) \
    FAMILY(bert) \
    FAMILY(bloom) \
    FAMILY(cohere2) \
    FAMILY(command_r) \
    FAMILY(deepseek) \
    FAMILY(deepseek2) \
    FAMILY(ernie4_5) \
    FAMILY(ernie4_5_moe) \
    FAMILY(exaone) \
    FAMILY(exaone4) \
    FAMILY(falcon) \
    FAMILY(gemma) \
    FAMILY(gemma_embedding) \
    FAMILY(gemma2) \
    FAMILY(gemma3) \
    FAMILY(gemma3n) \
    FAMILY(gemma4) \
    FAMILY(glm4) \
    FAMILY(glm4moe) \
    FAMILY(gpt_oss) \
    FAMILY(gpt2) \
    FAMILY(gptneox) \
    FAMILY(granite) \
    FAMILY(granitehybrid) \
    FAMILY(granitemoe) \
    FAMILY(hunyuan_dense) \
    FAMILY(hunyuan_moe) \
    FAMILY(internlm2) \
    FAMILY(jamba) \
    FAMILY(jina_bert_v2) \
    FAMILY(lfm2) \
    FAMILY(llama) \
    FAMILY(llama4) \
    FAMILY(mamba) \
    FAMILY(mamba2) \
    FAMILY(minicpm) \
    FAMILY(mistral3) \
    FAMILY(modern_bert) \
    FAMILY(mpt) \
    FAMILY(nemotron) \
    FAMILY(nomic_bert) \
    FAMILY(nomic_bert_moe) \
    FAMILY(olmo) \
    FAMILY(olmo2) \
    FAMILY(olmoe) \
    FAMILY(phi2) \
    FAMILY(phi3) \
    FAMILY(phimoe) \
    FAMILY(qwen2) \
    FAMILY(qwen2moe) \
    FAMILY(qwen3) \
    FAMILY(qwen35) \
    FAMILY(qwen35moe) \
    FAMILY(qwen3moe) \
    FAMILY(qwen3next) \
    FAMILY(rwkv7) \
    FAMILY(seed_oss) \
    FAMILY(smollm3) \
    FAMILY(stablelm) \
    FAMILY(starcoder2)

#endif

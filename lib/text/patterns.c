/* SPDX-License-Identifier: MIT */
/*
 * The expressions are those that the makers of the models published with their
 * tokenizers (tokenizer.json, tiktoken files), cut into stages where these are
 * lists of splitters. Stages of older models, in whose files the expression is
 * not whole, are those of the program that defined the names (llama.cpp). What
 * lies between two matches is a word as well, so GPT-2's last alternative, \s+,
 * is not needed.
 */
#include "text/patterns.h"

#define CONTRACTIONS "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define GPT2                                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?"                     \
    "!\\S)"

/* Words with the sign before them, numbers, signs with the ends of lines behind
 * them, ends of lines, other white space. */
#define LETTERS        "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SPACES         "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3(number) CONTRACTIONS "|" LETTERS "|" number "|" SIGNS "|" SPACES

/* Words that begin anew where lower case ends. */
#define UPPER  "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER  "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define BEFORE "[^\\r\\n\\p{L}\\p{N}]?"
#define CASED(close, behind)                                                                       \
    BEFORE UPPER close "*" LOWER close "+" behind "|" BEFORE UPPER close "+" LOWER close "*" behind
#define SLASHES       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define GPT4O(number) CASED("]", CONTRACTIONS "?") "|" number "|" SLASHES "|" SPACES

/* Han, and what the makers of DeepSeek counted with it. */
#define DEEPSEEK_CJK "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
#define HAN_KANA     "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define CASED_LETTERS                                                                              \
    "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{"                     \
    "1BF}\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}"                      \
    "\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3"                     \
    "A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}"                      \
    "\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1"                     \
    "CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}\\x{1D79}-"                      \
    "\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F"                     \
    "48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x"                     \
    "{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}"                     \
    "\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1"                     \
    "FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\"                     \
    "x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-"                     \
    "\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{21"                     \
    "49}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{"                     \
    "2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}"                      \
    "\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{A"                     \
    "BBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-"                      \
    "\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}"                     \
    "\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}\\x{1E900"                     \
    "}-\\x{1E943}"
#define BLOOM                                                                                      \
    " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C"                     \
    "})]+"

/* As published, but that "~" is no symbol: so the reference, by which files with
 * that name are made, reads it. */
#define DEEPSEEK3                                                                                  \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"                                        \
    "|(?:~|[^\\r\\n\\p{L}\\p{P}\\p{S}])?[\\p{L}\\p{M}]+"                                           \
    "| ?[\\p{P}\\p{S}&&[^~]]+[\\r\\n]*|" SPACES

static const struct split_pattern patterns[] = {
    {.names = "gpt-2 phi-2 mpt olmo jais jina-es jina-de jina-v2-es jina-v2-de gigachat"
              " a.x-4.0 mellum modern-bert trillion granite-docling exaone4 jina-v1-en"
              " jina-v2-code roberta-bpe",
     .stages = {GPT2}},
    {.names = "default",
     .stages = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {.names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     .keeps_whole_words = true,
     .adds_begin = true,
     .stages = {LLAMA3("\\p{N}{1,3}")}},
    {.names = "dbrx smaug-bpe glm4 chatglm-bpe", .stages = {LLAMA3("\\p{N}{1,3}")}},
    {.names = "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2",
     .stages = {LLAMA3("\\p{N}")}},
    {.names = "qwen35",
     .stages = {CONTRACTIONS
                "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]"
                "+[\\r\\n]*|" SPACES}},
    {.names = "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
     .stages = {"\\p{N}", GPT2}},
    {.names = "falcon", .stages = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {.names = "deepseek-llm",
     .stages = {"[\\r\\n]", "\\s?[" CASED_LETTERS "]+",
                "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{"
                "3000}-\\x{3002}]+",
                "\\s+$", DEEPSEEK_CJK, "\\p{N}+"}},
    {.names = "deepseek-coder",
     .stages = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"}},
    {.names = "deepseek-v3 hunyuan-dense joyai-llm",
     .stages = {"\\p{N}{1,3}", HAN_KANA, DEEPSEEK3}},
    {.names = "gpt-4o llama4 kanana2 talkie minimax-m2", .stages = {GPT4O("\\p{N}{1,3}")}},
    {.names = "granite-embed-multi-97m",
     .keeps_whole_words = true,
     .stages = {GPT4O("\\p{N}{1,3}")}},
    {.names = "tekken",
     .keeps_whole_words = true,
     .adds_begin = true,
     .stages = {CASED("]", "") "|\\p{N}|" SLASHES "|" SPACES}},
    {.names = "youtu",
     .keeps_whole_words = true,
     .stages = {"[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+|[\\x{FF01}\\x{2026}\\x{201C}\\"
                "x{201D}\\x{2018}\\x{2019}\\x{2014}\\x{FF1A}\\x{FF1B}\\x{FF0C}\\x{3001}-"
                "\\x{303F}\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+|[\\x{4E00}-\\x{9FA"
                "5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
                GPT4O("\\p{N}")}},
    {.names = "kimi-k2",
     .stages = {"\\p{Han}+|" CASED("&&[^\\p{Han}]]", CONTRACTIONS "?") "|\\p{N}{1,3}|" SIGNS
                                                                       "|" SPACES}},
    {.names = "bloom poro-chat gpt3-finnish", .stages = {BLOOM}},
    {.names = "viking", .stages = {BLOOM, "\\p{N}"}},
    {.names = "bailingmoe bailingmoe2 llada-moe",
     .stages = {"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|" LETTERS "|\\p{N}|" SIGNS
                "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {.names = "seed-coder",
     .stages = {CONTRACTIONS "|" LETTERS "|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES}},
    {.names = "exaone-moe",
     .stages = {CONTRACTIONS
                "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^"
                "\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {.names = "laguna", .stages = {"[^\\n]+|[\\n]+", LLAMA3("\\p{N}")}},
    {.names = "minicpm5", .keeps_whole_words = true, .stages = {"\\p{N}{1,3}", LLAMA3("\\p{N}+")}},
    {.names = "chameleon",
     .adds_begin = true,
     .stages = {"<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", "[\\t\\n]|    |  ", "\\p{N}",
                "[\\p{P}!-/:-@\\[-`{-~]", GPT2}},
    {.names = "jais-2",
     .stages = {CONTRACTIONS
                "|" LETTERS "|\\p{N}{1,3}|" SIGNS
                "|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?"
                "!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}"
                "(?!\\S)|\\s{1}"}},
};

size_t loam_pattern_name_length(const char *names)
{
    size_t length = 0;
    while (names[length] && names[length] != ' ')
        length++;
    return length;
}

static bool has_name(const char *names, const char *name, size_t length)
{
    while (*names) {
        size_t size = loam_pattern_name_length(names);
        if (size == length && memcmp(names, name, length) == 0)
            return true;
        names += size + (names[size] == ' ');
    }
    return false;
}

const struct split_pattern *loam_pattern_find(const char *name, size_t length)
{
    for (size_t i = 0; i < LOAM_COUNT_OF(patterns); i++)
        if (has_name(patterns[i].names, name, length))
            return &patterns[i];
    return NULL;
}

const struct split_pattern *loam_pattern_at(size_t i)
{
    return i < LOAM_COUNT_OF(patterns) ? &patterns[i] : NULL;
}

/* SPDX-License-Identifier: MIT */
/* Small files in the form of tokenizer.json, one of each kind, which together
 * have every step that is supported. */
#ifndef LOAM_TESTS_FUZZ_JSON_SEEDS_H
#define LOAM_TESTS_FUZZ_JSON_SEEDS_H

#define SEED_ADDED(id, text, left, special)                                                        \
    "{\"id\":" id ",\"content\":\"" text "\",\"single_word\":false,\"lstrip\":" left               \
    ",\"rstrip\":true,\"normalized\":false,\"special\":" special "}"
#define SEED_LOW "\xE2\x96\x81"

static const char *const json_seeds[] = {
    /* Byte-level, a splitter alone. */
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":["
    SEED_ADDED("9", "<s>", "false", "true") "," SEED_ADDED("12", "<x>", "true", "false")
    "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
    "\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
    "\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
    "\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":"
    "false,\"trim_offsets\":true,\"use_regex\":false}]},\"post_processor\":{\"type\":\"Sequence\","
    "\"processors\":[{\"type\":\"ByteLevel\",\"trim_offsets\":false},{\"type\":"
    "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{\"<s>\":{\"id\":"
    "\"<s>\",\"ids\":[9],\"tokens\":[\"<s>\"]}}}]},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{"
    "\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":\"\","
    "\"end_of_word_suffix\":\"\",\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":true,"
    "\"vocab\":{\"a\":0,\"b\":1,\"e\":2,\"o\":3,\"n\":4,\"\\u0120\":5,\"on\":6,\"\\u0120a\":7,"
    "\"one\":8,\"\\u00c3\":10,\"\\u00a9\":11},\"merges\":[\"o n\",\"\\u0120 a\",[\"on\",\"e\"]]}}",
    /* Byte-level, with a pipeline. */
    "{\"added_tokens\":[],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
    "{\"type\":\"Lowercase\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":"
    "\" \"}]},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Punctuation\","
    "\"behavior\":\"MergedWithPrevious\"},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":"
    "\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithNext\",\"invert\":true},{"
    "\"type\":\"ByteLevel\"}]},\"model\":{\"vocab\":{\"a\":0,\"o\":1,\"n\":2,\"<unk>\":3},\"merges\":"
    "[],\"unk_token\":\"<unk>\"}}",
    /* SentencePiece. */
    "{\"added_tokens\":[" SEED_ADDED("0", "<unk>", "false", "true") ","
    SEED_ADDED("1", "<s>", "true", "true")
    "],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\""
    SEED_LOW "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SEED_LOW
    "\"}]},\"pre_tokenizer\":null,\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"<s>\","
    "1],\"cls\":[\"<s>\",1],\"trim_offsets\":true,\"add_prefix_space\":false},\"decoder\":{\"type\":"
    "\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"" SEED_LOW
    "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\","
    "\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{\"type\":\"BPE\",\"dropout\":0.0,"
    "\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{\"<unk>\":0,\"<s>\":1,"
    "\"<0xC3>\":2,\"<0xA9>\":3,\"" SEED_LOW "\":4,\"o\":5,\"n\":6,\"on\":7,\"" SEED_LOW
    "on\":8},\"merges\":[\"o n\",\"" SEED_LOW " on\"]}}",
    /* Unigram. */
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\","
    "\"precompiled_charsmap\":\"\"},{\"type\":\"NFKC\"},{\"type\":\"Strip\",\"strip_left\":true,"
    "\"strip_right\":true},{\"type\":\"StripAccents\"},{\"type\":\"NFKD\"}]},\"pre_tokenizer\":{"
    "\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\","
    "\"replacement\":\"" SEED_LOW "\",\"prepend_scheme\":\"always\",\"split\":true}]},\"decoder\":{"
    "\"type\":\"Metaspace\",\"replacement\":\"" SEED_LOW "\",\"add_prefix_space\":true},\"model\":{"
    "\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":false,\"vocab\":[[\"<unk>\",0],[\"" SEED_LOW
    "\",-2.5],[\"o\",-3],[\"n\",-3.25e0],[\"on\",-4],[\"" SEED_LOW "on\",-1]]}}",
    /* WordPiece. */
    "{\"added_tokens\":[" SEED_ADDED("0", "[UNK]", "false", "true") ","
    SEED_ADDED("1", "[CLS]", "false", "true") "," SEED_ADDED("2", "[SEP]", "false", "true")
    "],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]},"
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":{\"type\":"
    "\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":20,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"on\":3,\"##ce\":4,"
    "\"a\":5,\".\":6}}}",
};

#endif

/* SPDX-License-Identifier: MIT */
/* The real vocabularies written as tokenizer.json, in the form in which their
 * makers publish them, against the same vocabularies as GGUF: equal tokens and
 * texts for every text of the reference data. */
#include "common.h"

#include <stdbool.h>

static char *json;
static size_t json_size, json_capacity;

static void put_bytes(const char *bytes, size_t count)
{
    if (json_capacity - json_size < count + 1) {
        json_capacity = 2 * (json_size + count + 1);
        json = realloc(json, json_capacity);
    }
    memcpy(json + json_size, bytes, count);
    json_size += count;
    json[json_size] = 0;
}

static void put(const char *text)
{
    put_bytes(text, strlen(text));
}

static void put_number(long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    put(text);
}

static void put_string(const char *text, size_t length)
{
    put("\"");
    for (size_t i = 0; i < length; i++) {
        char escaped[8];
        if ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\') {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)text[i]);
            put(escaped);
        } else {
            put_bytes(text + i, 1);
        }
    }
    put("\"");
}

/* ---- what the GGUF file holds ---------------------------------------------- */

static loam_file *file;
static loam_string *texts;
static long long *types;
static double *scores;
static uint64_t count;

static loam_value value_at(uint64_t index, uint64_t element)
{
    loam_value value = {.struct_size = sizeof value};
    CHECK_OK(loam_file_value(&value, file, index, element, &test_error));
    return value;
}

/* The entry of tokenizer.ggml.KEY; its elements, 0 if it is absent. */
static uint64_t entry(uint64_t *index, const char *key)
{
    char name[64];
    loam_file_info info = {.struct_size = sizeof info};
    loam_metadata metadata = {.struct_size = sizeof metadata};
    snprintf(name, sizeof name, "tokenizer.ggml.%s", key);
    CHECK_OK(loam_file_get_info(&info, file, &test_error));
    CHECK_OK(loam_file_find(index, file, name, LOAM_NUL_TERMINATED, &test_error));
    if (*index == info.metadata_count)
        return 0;
    CHECK_OK(loam_file_metadata(&metadata, file, *index, &test_error));
    return metadata.count;
}

static void read_vocabulary(void)
{
    uint64_t text_at, type_at, score_at;
    count = entry(&text_at, "tokens");
    entry(&type_at, "token_type");
    uint64_t score_count = entry(&score_at, "scores");
    texts = calloc(count, sizeof *texts);
    types = calloc(count, sizeof *types);
    scores = calloc(count, sizeof *scores);
    for (uint64_t i = 0; i < count; i++) {
        texts[i] = value_at(text_at, i).string;
        types[i] = value_at(type_at, i).signed_integer;
        scores[i] = score_count ? value_at(score_at, i).number : 0;
    }
}

/* ---- merges of a vocabulary that has scores -------------------------------- */

static uint32_t *by_text;

static int compare_texts(loam_string a, loam_string b)
{
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_ids(const void *a, const void *b)
{
    return compare_texts(texts[*(const uint32_t *)a], texts[*(const uint32_t *)b]);
}

static int64_t find(const char *text, size_t length)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_texts(texts[by_text[middle]], (loam_string){text, length});
        if (order == 0)
            return by_text[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

struct merge {
    int64_t left, right, whole;
};

/* The best whole first; of equal ones as the library that converts does. */
static int compare_merges(const void *a, const void *b)
{
    const struct merge *x = a, *y = b;
    if (scores[x->whole] != scores[y->whole])
        return scores[x->whole] > scores[y->whole] ? -1 : 1;
    if (x->whole != y->whole)
        return x->whole < y->whole ? -1 : 1;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

static void put_merges_of_scores(void)
{
    size_t merges = 0, room = 1 << 20;
    struct merge *list = malloc(room * sizeof *list);
    by_text = malloc(count * sizeof *by_text);
    for (uint32_t i = 0; i < count; i++)
        by_text[i] = i;
    qsort(by_text, count, sizeof *by_text, compare_ids);
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 1; types[i] == 1 && k < texts[i].length && merges < room; k++) {
            int64_t left = find(texts[i].data, k);
            int64_t right = find(texts[i].data + k, texts[i].length - k);
            if (left >= 0 && right >= 0)
                list[merges++] = (struct merge){left, right, i};
        }
    qsort(list, merges, sizeof *list, compare_merges);
    for (size_t i = 0; i < merges; i++) { /* the newer form: arrays */
        put(i ? ",[" : "[");
        put_string(texts[list[i].left].data, texts[list[i].left].length);
        put(",");
        put_string(texts[list[i].right].data, texts[list[i].right].length);
        put("]");
    }
    free(list);
    free(by_text);
}

static void put_merges_of_file(void)
{
    uint64_t index, merges = entry(&index, "merges");
    for (uint64_t i = 0; i < merges; i++) {
        loam_string merge = value_at(index, i).string;
        put(i ? "," : "");
        put_string(merge.data, merge.length);
    }
}

/* ---- the file -------------------------------------------------------------- */

/* How the makers of a vocabulary describe it. */
struct recipe {
    const char *name, *steps, *model;
    bool word_marks, pairs;       /* WordPiece's "##"; an array of pairs instead of an object */
    const char *const *no_spaces; /* tokens that do not take the space behind them */
};

#define BYTES(pattern)                                                                             \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_"              \
    "regex\":" pattern "}"
#define SPLIT(pattern)                                                                             \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern                                        \
    "\"},\"behavior\":\"Isolated\",\"invert\":false},"
#define DIGITS "{\"type\":\"Digits\",\"individual_digits\":true},"
#define AROUND(before, after)                                                                      \
    ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" before                     \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}" after "],\"pair\":[],\"special_tokens\":{"
#define TOKEN(name) "{\"SpecialToken\":{\"id\":\"" name "\",\"type_id\":0}}"
#define IDS(name, id)                                                                              \
    "\"" name "\":{\"id\":\"" name "\",\"ids\":[" id "],\"tokens\":[\"" name "\"]}"
#define BYTE_DECODER ",\"decoder\":" BYTES("true")
#define LOW          "\xE2\x96\x81"
#define BPE(rest)    "\"type\":\"BPE\",\"dropout\":null,\"continuing_subword_prefix\":null," rest
#define SENTENCEPIECE                                                                              \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"    \
    "\"" LOW "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" LOW         \
    "\"}]},\"pre_tokenizer\":null" AROUND(TOKEN("<s>") ",", "") IDS(                               \
        "<s>", "1") "}},\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","   \
                    "\"pattern\":"                                                                 \
                    "{\"String\":\"" LOW                                                           \
                    "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":"                \
                    "\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}"
#define SENTENCEPIECE_MODEL BPE("\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":true")

static void put_added(const struct recipe *recipe)
{
    bool first = true;
    put("\"added_tokens\":[");
    for (uint64_t i = 0; i < count; i++) {
        if (types[i] != 2 && types[i] != 3 && types[i] != 4)
            continue;
        bool takes = recipe->no_spaces != NULL;
        for (const char *const *name = recipe->no_spaces; takes && name && *name; name++)
            if (strlen(*name) == texts[i].length &&
                memcmp(*name, texts[i].data, texts[i].length) == 0)
                takes = false;
        put(first ? "{\"id\":" : ",{\"id\":");
        put_number((long long)i);
        put(",\"content\":");
        put_string(texts[i].data, texts[i].length);
        put(",\"single_word\":false,\"lstrip\":false,\"normalized\":false,\"rstrip\":");
        put(takes ? "true" : "false");
        put(types[i] == 4 ? ",\"special\":false}" : ",\"special\":true}");
        first = false;
    }
    put("],");
}

/* A token as the recipe writes it. */
static void put_token(const struct recipe *recipe, uint64_t i)
{
    loam_string text = texts[i];
    bool brackets = text.length > 1 && text.data[0] == '[' && text.data[text.length - 1] == ']';
    if (!recipe->word_marks || types[i] != 1 || brackets) {
        put_string(text.data, text.length);
    } else if (text.length > 3 && memcmp(text.data, LOW, 3) == 0) {
        put_string(text.data + 3, text.length - 3);
    } else {
        put("\"##");
        size_t at = json_size;
        put_string(text.data, text.length);
        memmove(json + at, json + at + 1, json_size - at); /* its quote */
        json_size--;
    }
}

static void put_vocabulary(const struct recipe *recipe)
{
    char score[40];
    put(recipe->pairs ? ",\"vocab\":[" : ",\"vocab\":{");
    for (uint64_t i = 0; i < count; i++) {
        put(i ? "," : "");
        put(recipe->pairs ? "[" : "");
        put_token(recipe, i);
        put(recipe->pairs ? "," : ":");
        if (recipe->pairs) {
            snprintf(score, sizeof score, "%.17g]", scores[i]);
            put(score);
        } else {
            put_number((long long)i);
        }
    }
    put(recipe->pairs ? "]" : "}");
}

static void write_json(const struct recipe *recipe)
{
    json_size = 0;
    put("{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,");
    put_added(recipe);
    put(recipe->steps);
    put(",\"model\":{");
    put(recipe->model);
    put_vocabulary(recipe);
    if (!recipe->word_marks && !recipe->pairs) {
        put(",\"merges\":[");
        if (strstr(recipe->model, "\"byte_fallback\":true"))
            put_merges_of_scores();
        else
            put_merges_of_file();
        put("]");
    }
    put("}}\n");
}

/* ---- comparing ------------------------------------------------------------- */

static int32_t wanted[1 << 17], found[1 << 17];
static unsigned char text[1 << 18];

/* Lines of bert-bge.jsonl for which the GGUF's reference is not that of the
 * tokenizer.json: it drops spacing marks and all but the first letter of Hangul
 * syllables. Ids (FNV-1a over them) by PyPI's tokenizers 0.23.3, with begin and
 * end tokens. Line 352 has a character that its older Unicode tables lack. */
static const struct {
    int line;
    uint64_t digest;
} bert_lines[] = {
    {126, 0xCB8227ECCC80CD4Dull}, {127, 0xD2816BC7B870391Cull}, {128, 0x2E77465742CB024Cull},
    {140, 0xA219B360504C7DC7ull}, {155, 0xB1F7D6CD32810AACull}, {159, 0x8B19303026CDFF42ull},
    {160, 0x20B5EBF7D98DD24Eull}, {174, 0x49ECD2A2FDAB12C8ull}, {183, 0xE9E0CD46A17F643Bull},
    {184, 0xC2CE0118F036663Eull}, {192, 0x89CEC75763B0BCD9ull}, {259, 0xD64CEA544BA3AEA8ull},
    {331, 0xADED5E6B77B9DD96ull}, {333, 0xADED5E6B77B9DD96ull}, {338, 0x0C69C60413158D34ull},
    {344, 0x32B4E7CAFEBC3472ull}, {350, 0xC07462D4A0368EE2ull}, {354, 0xBC6E2E4AA256C5A5ull},
    {361, 0xFC59832B480B46B6ull}, {362, 0x8BDE12406982CBF0ull}, {364, 0xDF7D057F9DA9E1AAull},
    {372, 0x2E77465742CB024Cull}, {380, 0xC2CE0118F036663Eull}, {381, 0xC2CE0118F036663Eull},
    {382, 0xC2CE0118F036663Eull}, {384, 0xC2CE0118F036663Eull}, {387, 0x919CC69EACB656C2ull},
    {391, 0xC2CE0118F036663Eull}, {444, 0x2E77465742CB024Cull}, {352, 0}};

static uint64_t digest_of(const int32_t *ids, size_t n)
{
    uint64_t digest = 14695981039346656037ull;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ (uint64_t)ids[i]) * 1099511628211ull;
    return digest;
}

struct tally {
    int texts, other, wrong, wrong_text, left_out;
};

static void check_bert(loam_tokenizer *ours, int line, size_t length, struct tally *tally)
{
    size_t n = 0;
    CHECK_OK(loam_tokenizer_encode(found, sizeof found / 4, &n, ours, (const char *)text, length, 3,
                                   &test_error));
    for (size_t i = 0; i < sizeof bert_lines / sizeof bert_lines[0]; i++)
        if (bert_lines[i].line == line) {
            tally->other++;
            if (bert_lines[i].digest && bert_lines[i].digest != digest_of(found, n))
                tally->wrong++;
            return;
        }
    tally->wrong++;
    printf("# line %d differs\n", line);
}

static void check_decoded(loam_tokenizer *ours, loam_tokenizer *theirs, size_t n,
                          struct tally *tally)
{
    static char a[1 << 19], b[1 << 19];
    size_t a_length = 0, b_length = 0;
    CHECK_OK(loam_tokenizer_decode(a, sizeof a, &a_length, ours, found, n, LOAM_DECODE_SHOW_SPECIAL,
                                   &test_error));
    CHECK_OK(loam_tokenizer_decode(b, sizeof b, &b_length, theirs, found, n,
                                   LOAM_DECODE_SHOW_SPECIAL, &test_error));
    tally->wrong_text += a_length != b_length || memcmp(a, b, a_length) != 0;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static void check_line(const struct recipe *recipe, loam_tokenizer *ours, loam_tokenizer *theirs,
                       int line, size_t length, uint32_t flags, struct tally *tally)
{
    size_t n = 0, m = 0;
    /* Its normalizer strips all white space, the other file's reference spaces; and
     * to its pre-tokenizer U+2581 is a space already. */
    if (recipe->pairs && length &&
        (is_space(text[0]) || is_space(text[length - 1]) || memcmp(text, LOW, 3) == 0)) {
        tally->left_out++;
        return;
    }
    tally->texts++;
    CHECK_OK(loam_tokenizer_encode(wanted, sizeof wanted / 4, &n, theirs, (const char *)text,
                                   length, flags, &test_error));
    CHECK_OK(loam_tokenizer_encode(found, sizeof found / 4, &m, ours, (const char *)text, length,
                                   flags, &test_error));
    if (n != m || memcmp(wanted, found, n * sizeof *found) != 0) {
        if (recipe->word_marks) {
            check_bert(ours, line, length, tally);
        } else if (tally->wrong++ < 3) {
            printf("# %s: line %d differs\n", recipe->name, line);
        }
        return;
    }
    check_decoded(ours, theirs, n, tally);
}

static size_t read_hex(const char *line)
{
    const char *p = strstr(line, "\"text_hex\":\"");
    size_t length = 0;
    for (p = p ? p + 12 : ""; *p && *p != '"'; p += 2) {
        unsigned byte;
        sscanf(p, "%2x", &byte);
        text[length++] = (unsigned char)byte;
    }
    return length;
}

static loam_tokenizer *open_json(loam_engine *engine)
{
    loam_source source = {
        .struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY, .data = json, .size = json_size};
    loam_tokenizer *tokenizer = NULL;
    CHECK_OK(loam_tokenizer_open(&tokenizer, engine, &source, &test_error));
    return tokenizer;
}

/* Invalid UTF-8 is left out for the kinds that replace it, each in its way. */
static bool is_left_out(const struct recipe *recipe, const char *line)
{
    return strstr(line, "\"invalid_utf8\"") && (recipe->word_marks || recipe->pairs);
}

static void compare_all(const struct recipe *recipe, loam_tokenizer *ours, loam_tokenizer *theirs)
{
    char path[64], *saved = NULL;
    size_t size;
    int number = 0;
    struct tally tally = {0};
    snprintf(path, sizeof path, "tokenizer/%s.jsonl", recipe->name);
    char *lines = (char *)test_read(test_data(path), &size);
    REQUIRE(lines && ours && theirs);
    for (char *line = strtok_r(lines, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
        uint32_t flags = (strstr(line, "\"add_special\":true") ? LOAM_ENCODE_ADD_SPECIAL : 0) |
                         (strstr(line, "\"parse_special\":true") ? LOAM_ENCODE_PARSE_SPECIAL : 0);
        size_t length = read_hex(line);
        number++;
        if (!is_left_out(recipe, line))
            check_line(recipe, ours, theirs, number, length, flags, &tally);
    }
    printf("# %s: %d texts, %d left out, %d by their own reference\n", recipe->name, tally.texts,
           tally.left_out, tally.other);
    CHECK(tally.texts >= 275);
    CHECK(tally.other <= 30);
    CHECK_EQUAL(tally.wrong, 0);
    CHECK_EQUAL(tally.wrong_text, 0);
    free(lines);
}

static void check_recipe(const struct recipe *recipe)
{
    char path[64];
    loam_source source = {.struct_size = sizeof source};
    loam_tokenizer *theirs = NULL;
    snprintf(path, sizeof path, "tokenizer/%s.gguf", recipe->name);
    source.path = (loam_string){test_data(path), LOAM_NUL_TERMINATED};
    if (!source.path.data)
        SKIP("no reference data: tokenizer");
    loam_engine *engine = test_engine(1);
    CHECK_OK(loam_file_open(&file, engine, &source, &test_error));
    CHECK_OK(loam_tokenizer_open(&theirs, engine, &source, &test_error));
    read_vocabulary();
    write_json(recipe);
    loam_tokenizer *ours = open_json(engine);
    compare_all(recipe, ours, theirs);
    loam_tokenizer_release(ours);
    loam_tokenizer_release(theirs);
    loam_file_release(file);
    loam_engine_release(engine);
    free(texts);
    free(types);
    free(scores);
}

static void gpt2(void)
{
    static const struct recipe recipe = {
        .name = "gpt-2",
        /* As published, without a "type". */
        .steps = "\"normalizer\":null,\"pre_tokenizer\":" BYTES(
            "true") ",\"post_processor\":" BYTES("true") BYTE_DECODER,
        .model = "\"dropout\":null,\"unk_token\":null,\"fuse_unk\":false",
    };
    check_recipe(&recipe);
}

static void starcoder(void)
{
    static const struct recipe recipe = {
        .name = "starcoder",
        .steps = "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" DIGITS BYTES(
            "true") "]}" BYTE_DECODER,
        .model = BPE("\"byte_fallback\":false"),
    };
    check_recipe(&recipe);
}

static void deepseek_coder(void)
{
    static const struct recipe recipe = {
        .name = "deepseek-coder",
        .steps = "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]},\"pre_tokenizer\":"
                 "{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT("[\\r\\n]")
                     SPLIT("\\\\s?\\\\p{L}+") SPLIT("\\\\s?\\\\p{P}+") SPLIT(
                         "[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-"
                         "\xED\x9F\xBF]+") DIGITS BYTES("false") "]}" AROUND(TOKEN("<s>") ",", "")
                         IDS("<s>", "32013") "}}" BYTE_DECODER,
        .model = BPE("\"byte_fallback\":false"),
    };
    check_recipe(&recipe);
}

static void llama(void)
{
    static const struct recipe recipe = {
        .name = "llama-spm", .steps = SENTENCEPIECE, .model = SENTENCEPIECE_MODEL};
    check_recipe(&recipe);
}

static void phi3(void)
{
    static const char *const no_spaces[] = {"<unk>", "<s>", "<|endoftext|>", NULL};
    static const struct recipe recipe = {.name = "phi-3",
                                         .steps = SENTENCEPIECE,
                                         .model = SENTENCEPIECE_MODEL,
                                         .no_spaces = no_spaces};
    check_recipe(&recipe);
}

static void bert(void)
{
    static const struct recipe recipe = {
        .name = "bert-bge",
        .steps = "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
                 "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},"
                 "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}" AROUND(TOKEN("[CLS]") ",",
                                                                            "," TOKEN("[SEP]"))
                     IDS("[CLS]", "101") "," IDS(
                         "[SEP]", "102") "}},\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\","
                                         "\"cleanup\":true}",
        .model = "\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
                 "\"##\",\"max_input_chars_per_word\":100",
        .word_marks = true,
    };
    check_recipe(&recipe);
}

static void unigram(void)
{
    static const struct recipe recipe = {
        .name = "other/unigram",
        .steps = "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\","
                 "\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"},{\"type\":\"Strip\","
                 "\"strip_left\":true,\"strip_right\":true}]},\"pre_tokenizer\":{\"type\":"
                 "\"Metaspace\",\"replacement\":\"" LOW
                 "\",\"prepend_scheme\":\"always\",\"split\":false}" AROUND("", "," TOKEN("</s>"))
                     IDS("</s>", "1") "}},\"decoder\":{\"type\":"
                                      "\"Metaspace\",\"replacement\":\"" LOW
                                      "\",\"prepend_scheme\":\"always\"}",
        .model = "\"type\":\"Unigram\",\"unk_id\":2,\"byte_fallback\":false",
        .pairs = true,
    };
    check_recipe(&recipe);
}

int main(void)
{
    RUN(gpt2);
    RUN(starcoder);
    RUN(deepseek_coder);
    RUN(llama);
    RUN(phi3);
    RUN(bert);
    RUN(unigram);
    free(json);
    return test_end();
}

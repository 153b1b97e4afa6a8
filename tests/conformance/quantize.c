/* SPDX-License-Identifier: MIT */
/*
 * Quantising: every mix gives a file that opens and generates, the same bytes
 * whatever threads and source; what is wrong is said and leaves nothing;
 * importance files hold what a computation by hand gives.
 */
#include "common.h"
#include "tools/tiny_model.h"

#include <math.h>

/* ---- files in memory ----------------------------------------------------------- */

struct bytes {
    unsigned char *data;
    size_t size, capacity;
    size_t most; /* bytes that it takes; 0: all */
};

static int32_t take_bytes(void *user, const void *data, size_t size)
{
    struct bytes *bytes = user;
    if (bytes->most && bytes->size + size > bytes->most)
        return 1;
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data)
            return 1;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return 0;
}

static int32_t read_bytes(void *user, uint64_t offset, void *out, size_t size)
{
    const struct bytes *bytes = user;
    memcpy(out, bytes->data + offset, size);
    return 0;
}

static loam_source source_of(const struct bytes *bytes)
{
    return (loam_source){.struct_size = sizeof(loam_source),
                         .kind = LOAM_SOURCE_MEMORY,
                         .data = bytes->data,
                         .size = bytes->size};
}

/* A file of tests/tools/make-model in the build directory. */
static struct bytes made_model(const char *type)
{
    struct bytes bytes = {0};
    char path[4096];
    const char *build = getenv("LOAM_BUILD");
    snprintf(path, sizeof path, "%s/tests/tools/tiny-256-%s.gguf", build ? build : ".", type);
    bytes.data = test_read(path, &bytes.size);
    CHECK(bytes.data);
    return bytes;
}

static loam_quantize_options options_of(const char *mix)
{
    return (loam_quantize_options){.struct_size = sizeof(loam_quantize_options),
                                   .mix = {mix, LOAM_NUL_TERMINATED}};
}

/* What quantising gives; no data if it fails, with its status in *status if that is not NULL. */
static struct bytes quantize(loam_engine *engine, const struct bytes *from,
                             const loam_quantize_options *options, loam_status *status)
{
    struct bytes out = {0};
    loam_source source = source_of(from);
    loam_quantize_info info = {.struct_size = sizeof info};
    loam_status found =
        loam_model_quantize(&info, engine, &source, options, take_bytes, &out, &test_error);
    if (status)
        *status = found;
    else
        CHECK_OK(found);
    if (found) {
        free(out.data);
        return (struct bytes){0};
    }
    CHECK_EQUAL(info.file_bytes, out.size);
    return out;
}

static int same_bytes(const struct bytes *a, const struct bytes *b)
{
    return a->data && a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* ---- every mix ------------------------------------------------------------------- */

enum { VOCABULARY = 512, TOKENS = 40, LONG_TEXT = 600 };

static void fill_tokens(int32_t *tokens, size_t count)
{
    uint64_t state = 9;
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)(3 + test_random(&state) % (VOCABULARY - 3));
}

static loam_model *open_bytes(loam_engine *engine, const struct bytes *bytes)
{
    loam_source source = source_of(bytes);
    loam_model *model = NULL;
    CHECK_OK(loam_model_open_source(&model, engine, &source, NULL, &test_error));
    return model;
}

/* An importance file of the model in `from`. */
static struct bytes importance_of(loam_engine *engine, const struct bytes *from)
{
    struct bytes out = {0};
    int32_t tokens[LONG_TEXT];
    loam_model *model = open_bytes(engine, from);
    fill_tokens(tokens, LONG_TEXT);
    if (model)
        CHECK_OK(
            loam_model_importance(model, tokens, LONG_TEXT, NULL, take_bytes, &out, &test_error));
    loam_model_release(model);
    return out;
}

static void logits_of(float *logits, loam_engine *engine, const struct bytes *bytes)
{
    int32_t tokens[TOKENS];
    loam_model *model = open_bytes(engine, bytes);
    memset(logits, 0, TOKENS * VOCABULARY * sizeof *logits);
    fill_tokens(tokens, TOKENS);
    if (!model)
        return;
    CHECK_EQUAL(test_vocabulary(model), VOCABULARY);
    loam_session *session = test_session(model);
    CHECK_OK(loam_session_evaluate(session, tokens, TOKENS, logits, TOKENS, &test_error));
    loam_session_release(session);
    loam_model_release(model);
}

/* Root of the squared difference to the squares. */
static double distance(const float *a, const float *b)
{
    double difference = 0, squares = 0;
    for (size_t i = 0; i < TOKENS * VOCABULARY; i++) {
        double d = (double)a[i] - (double)b[i];
        difference += d * d;
        squares += (double)a[i] * (double)a[i];
    }
    return sqrt(difference / squares);
}

/* How far the logits of a mix may be, and the size of the file per weight. */
static void check_mix(loam_engine *one, loam_engine *four, const struct bytes *model,
                      const struct bytes *importance, const char *name)
{
    static float expected[TOKENS * VOCABULARY], found[TOKENS * VOCABULARY];
    loam_source given = source_of(importance);
    loam_quantize_options options = options_of(name);
    options.importance = &given;
    struct bytes out = quantize(one, model, &options, NULL);
    struct bytes other = quantize(four, model, &options, NULL);
    CHECK(same_bytes(&out, &other));
    logits_of(expected, four, model);
    logits_of(found, four, &out);
    double d = distance(expected, found), bits = 8.0 * (double)out.size / 1.84e6;
    printf("# %-9s %5.2f bits for each weight, logits off by %.5f\n", name, bits, d);
    CHECK(d < (bits > 15 ? 0.01 : bits > 7 ? 0.05 : bits > 5.5 ? 0.15 : bits > 4 ? 0.4 : 1.3));
    free(out.data);
    free(other.data);
}

static void every_mix(void)
{
    loam_engine *one = test_engine(1), *four = test_engine(4);
    struct bytes model = made_model("F16");
    struct bytes importance = importance_of(four, &model);
    size_t count = 0;
    REQUIRE(model.data && importance.data);
    for (; loam_mix_name(count); count++)
        check_mix(one, four, &model, &importance, loam_mix_name(count));
    CHECK(count >= 36);
    free(model.data);
    free(importance.data);
    loam_engine_release(one);
    loam_engine_release(four);
}

/* Numbers of the header that quantising changes or keeps. */
static uint64_t key_of(loam_file *file, const char *key)
{
    uint64_t index = 0;
    loam_value value = {.struct_size = sizeof value};
    CHECK_OK(loam_file_find(&index, file, key, LOAM_NUL_TERMINATED, &test_error));
    if (loam_file_value(&value, file, index, 0, &test_error))
        return 999;
    return value.unsigned_integer;
}

static void the_header_is_kept(void)
{
    loam_engine *engine = test_engine(2);
    struct bytes model = made_model("BF16");
    struct bytes importance = importance_of(engine, &model);
    loam_source given = source_of(&importance), source = source_of(&model), made;
    loam_quantize_options options = options_of("q4_k_m");
    loam_quantize_info info = {.struct_size = sizeof info}, dry = info;
    loam_file *before = NULL, *after = NULL;
    loam_file_info old_facts = {.struct_size = sizeof old_facts}, facts = old_facts;
    struct bytes out = {0};
    options.importance = &given;
    given.path = (loam_string){"dir/text.imatrix", LOAM_NUL_TERMINATED};
    CHECK_OK(loam_model_quantize(&info, engine, &source, &options, take_bytes, &out, &test_error));
    CHECK_OK(loam_model_quantize(&dry, engine, &source, &options, NULL, NULL, &test_error));
    CHECK_EQUAL(dry.output_bytes, info.output_bytes);
    CHECK(dry.file_bytes == 0 && dry.quantized == info.quantized && info.quantized == 16);
    CHECK(info.unimportant == 2 && info.requantized == 0 && info.fell_back == 0);
    made = source_of(&out);
    CHECK_OK(loam_file_open(&before, engine, &source, &test_error));
    CHECK_OK(loam_file_open(&after, engine, &made, &test_error));
    REQUIRE(before && after);
    loam_file_get_info(&old_facts, before, NULL);
    loam_file_get_info(&facts, after, NULL);
    CHECK_EQUAL(facts.tensor_bytes, info.output_bytes);
    CHECK_EQUAL(old_facts.tensor_bytes, info.input_bytes);
    CHECK(facts.parameters == old_facts.parameters && facts.version == 3);
    CHECK_EQUAL(facts.metadata_count, old_facts.metadata_count + 3);
    CHECK_EQUAL(key_of(after, "general.file_type"), 15);
    CHECK_EQUAL(key_of(after, "general.quantization_version"), 2);
    CHECK_EQUAL(key_of(after, "llama.block_count"), 2);
    CHECK_EQUAL(key_of(after, "quantize.imatrix.entries_count"), 14);
    CHECK_EQUAL(key_of(after, "quantize.imatrix.chunks_count"), 1);
    for (uint64_t i = 0; i < facts.tensor_count; i++) {
        loam_tensor_info a = {.struct_size = sizeof a}, b = a;
        CHECK_OK(loam_file_tensor(&a, before, i, &test_error));
        CHECK_OK(loam_file_tensor(&b, after, i, &test_error));
        CHECK(a.name.length == b.name.length &&
              memcmp(a.name.data, b.name.data, a.name.length) == 0);
        CHECK(memcmp(a.dimensions, b.dimensions, sizeof a.dimensions) == 0);
    }
    loam_file_release(before);
    loam_file_release(after);
    free(out.data);
    free(importance.data);
    free(model.data);
    loam_engine_release(engine);
}

/* From a callback, and from F32; a file in its own type is the same file but for keys. */
static void any_source(void)
{
    loam_engine *engine = test_engine(3);
    struct bytes model = made_model("F32"), out = {0};
    loam_quantize_options options = options_of("Q5_K_S");
    struct bytes expected = quantize(engine, &model, &options, NULL);
    loam_source source = {.struct_size = sizeof source,
                          .kind = LOAM_SOURCE_CALLBACK,
                          .size = model.size,
                          .read = read_bytes,
                          .user = &model};
    CHECK_OK(loam_model_quantize(NULL, engine, &source, &options, take_bytes, &out, &test_error));
    CHECK(same_bytes(&out, &expected));
    options = options_of("F32");
    struct bytes same = quantize(engine, &model, &options, NULL);
    options.mix.data = "f32";
    struct bytes again = quantize(engine, &same, &options, NULL);
    CHECK(same_bytes(&same, &again) && same.size == model.size);
    free(model.data);
    free(out.data);
    free(expected.data);
    free(same.data);
    free(again.data);
    loam_engine_release(engine);
}

static void wishes(void)
{
    static const loam_tensor_override overrides[] = {
        {{"^blk.1.*ffn_up", LOAM_NUL_TERMINATED}, {"iq4_nl", LOAM_NUL_TERMINATED}}};
    loam_engine *engine = test_engine(2);
    struct bytes model = made_model("F16");
    loam_quantize_options options = options_of("Q6_K");
    loam_file *file = NULL;
    size_t found = 0;
    options.overrides = overrides;
    options.override_count = 1;
    options.output_type = (loam_string){"Q5_1", LOAM_NUL_TERMINATED};
    options.embedding_type = (loam_string){"BF16", LOAM_NUL_TERMINATED};
    options.pure = 1;
    struct bytes out = quantize(engine, &model, &options, NULL);
    loam_source made = source_of(&out);
    CHECK_OK(loam_file_open(&file, engine, &made, &test_error));
    for (uint64_t i = 0; i < 21; i++) {
        static const char *const wanted[][2] = {{"output.weight", "Q5_1"},
                                                {"token_embd.weight", "BF16"},
                                                {"blk.1.ffn_up.weight", "IQ4_NL"},
                                                {"blk.0.ffn_up.weight", "Q6_K"},
                                                {"blk.1.attn_norm.weight", "F32"}};
        loam_tensor_info info = {.struct_size = sizeof info};
        CHECK_OK(loam_file_tensor(&info, file, i, &test_error));
        for (size_t k = 0; k < 5; k++)
            if (strlen(wanted[k][0]) == info.name.length &&
                memcmp(wanted[k][0], info.name.data, info.name.length) == 0) {
                CHECK_TEXT(info.type_name.data, wanted[k][1]);
                found++;
            }
    }
    CHECK_EQUAL(found, 5);
    loam_file_release(file);
    free(out.data);
    free(model.data);
    loam_engine_release(engine);
}

/* ---- what is wrong ---------------------------------------------------------------- */

/* Fails with that status, naming the word; nothing but a part was written. */
static void refused(loam_engine *engine, const struct bytes *model,
                    const loam_quantize_options *options, loam_status expected, const char *word)
{
    loam_status status;
    struct bytes out = quantize(engine, model, options, &status);
    if (status != expected || !strstr(test_error.message, word)) {
        printf("# %s: \"%s\", expected %s naming \"%s\"\n", loam_status_name(status),
               test_error.message, loam_status_name(expected), word);
        test_failed_here++;
    }
    free(out.data);
}

static void what_is_refused(void)
{
    loam_engine *engine = test_engine(2);
    struct bytes model = made_model("F16"), quantized = made_model("Q4_0"), packed = {0};
    loam_source source = source_of(&quantized), self = source_of(&model);
    loam_quantize_options options = options_of("IQ2_XS");
    loam_tensor_override override = {{"", 0}, {"Q8_0", 4}};
    refused(engine, &model, &options, LOAM_INVALID_ARGUMENT, "blk.0.attn_q.weight: IQ2_XS needs");
    options = options_of("Q2_K_S");
    refused(engine, &model, &options, LOAM_INVALID_ARGUMENT, "importance");
    options = options_of("Q9_K");
    refused(engine, &model, &options, LOAM_INVALID_ARGUMENT, "\"Q9_K\"");
    options = options_of(NULL);
    refused(engine, &model, &options, LOAM_INVALID_ARGUMENT, "mix");
    options = options_of("Q8_0");
    options.output_type = (loam_string){"I32", 3};
    refused(engine, &model, &options, LOAM_INVALID_ARGUMENT, "\"I32\"");
    options = options_of("Q8_0");
    options.overrides = &override;
    options.override_count = 1;
    refused(engine, &model, &options, LOAM_INVALID_ARGUMENT, "overrides[0]");
    options = options_of("Q8_0");
    options.importance = &self;
    refused(engine, &model, &options, LOAM_FORMAT, "general.type");
    options = options_of("Q8_0");
    refused(engine, &quantized, &options, LOAM_INVALID_ARGUMENT, "is Q4_0 already");
    options.requantize = 1;
    struct bytes out = quantize(engine, &quantized, &options, NULL);
    CHECK(out.size > quantized.size);
    CHECK_OK(loam_model_pack(engine, &source, take_bytes, &packed, &test_error));
    refused(engine, &packed, &options, LOAM_UNSUPPORTED, "packed");
    free(out.data);
    free(packed.data);
    free(model.data);
    free(quantized.data);
    loam_engine_release(engine);
}

/* Bytes of a tensor in the file. */
static unsigned char *tensor_bytes(loam_engine *engine, const struct bytes *bytes, const char *name)
{
    loam_source source = source_of(bytes);
    loam_file *file = NULL;
    unsigned char *out = NULL;
    loam_tensor_info info = {.struct_size = sizeof info};
    CHECK_OK(loam_file_open(&file, engine, &source, &test_error));
    for (uint64_t i = 0; !out && !loam_file_tensor(&info, file, i, NULL); i++)
        if (info.name.length == strlen(name) && memcmp(info.name.data, name, info.name.length) == 0)
            out = bytes->data + info.offset;
    loam_file_release(file);
    CHECK(out);
    return out;
}

static void numbers_that_are_none(void)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f};
    loam_engine *engine = test_engine(2);
    struct bytes model = made_model("F32");
    unsigned char *weights = tensor_bytes(engine, &model, "blk.1.ffn_down.weight");
    static const char *const mixes[] = {"Q4_K_M", "F16", "Q8_0", "MXFP4", "IQ4_XS"};
    REQUIRE(weights);
    for (size_t m = 0; m < 5; m++)
        for (size_t i = 0; i < 4; i++) {
            loam_quantize_options options = options_of(mixes[m]);
            float kept;
            memcpy(&kept, weights + 40000, 4);
            memcpy(weights + 40000, &odd[i], 4);
            if (m < 3 || i < 3) /* powers of two reach further than halves */
                refused(engine, &model, &options, LOAM_NUMERIC, "blk.1.ffn_down.weight");
            memcpy(weights + 40000, &kept, 4);
            struct bytes out = quantize(engine, &model, &options, NULL);
            free(out.data);
        }
    free(model.data);
    loam_engine_release(engine);
}

/* A header with nothing but keys. */
static void parts_of_a_model(void)
{
    static unsigned char bytes[4096];
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    loam_engine *engine = test_engine(1);
    loam_quantize_options options = options_of("Q8_0");
    tiny_put(&file, "GGUF", 4);
    tiny_put_u32(&file, 3);
    tiny_put_u64(&file, 0);
    tiny_put_u64(&file, 2);
    tiny_key_text(&file, "general.architecture", "llama");
    tiny_key_u32(&file, "split.count", 2);
    tiny_pad(&file);
    struct bytes part = {.data = bytes, .size = file.size};
    refused(engine, &part, &options, LOAM_UNSUPPORTED, "one of 2 parts");
    loam_engine_release(engine);
}

struct canceller {
    int calls, from;
    uint64_t done, total;
};

static int32_t count_calls(void *user, uint64_t done, uint64_t total)
{
    struct canceller *canceller = user;
    CHECK(done >= canceller->done && done <= total);
    canceller->done = done;
    canceller->total = total;
    return ++canceller->calls >= canceller->from;
}

static void cancelled_and_full(void)
{
    loam_engine *engine = test_engine(2);
    struct bytes model = made_model("F16"), small = {.most = 100000};
    loam_source source = source_of(&model);
    loam_quantize_options options = options_of("Q4_0");
    struct canceller canceller = {.from = 1000};
    loam_quantize_info info = {.struct_size = sizeof info};
    options.progress = count_calls;
    options.progress_user = &canceller;
    struct bytes out = quantize(engine, &model, &options, NULL);
    CHECK(canceller.done == canceller.total && canceller.total > 3000000);
    for (int from = 1; from < canceller.calls; from += 3) {
        struct canceller one = {.from = from};
        options.progress_user = &one;
        refused(engine, &model, &options, LOAM_CANCELLED, "cancelled");
        CHECK_EQUAL(one.calls, from);
    }
    options.progress = NULL;
    CHECK_EQUAL(
        loam_model_quantize(&info, engine, &source, &options, take_bytes, &small, &test_error),
        LOAM_IO);
    CHECK(info.file_bytes == 0 && small.size <= 100000);
    CHECK_EQUAL(loam_model_quantize(NULL, engine, &source, &options, NULL, NULL, &test_error),
                LOAM_INVALID_ARGUMENT);
    free(out.data);
    free(small.data);
    free(model.data);
    loam_engine_release(engine);
}

/* ---- importance --------------------------------------------------------------------- */

enum { TEXT = 37 };

/* The tiny model, without a begin token. */
static struct bytes plain_tiny_model(void)
{
    struct tiny_file file = {.capacity = 1 << 18};
    file.bytes = malloc(file.capacity);
    tiny_put(&file, "GGUF", 4);
    tiny_put_u32(&file, 3);
    tiny_put_u64(&file, TINY_TENSORS);
    tiny_put_u64(&file, TINY_KEYS + 1);
    tiny_put_keys(&file);
    tiny_key(&file, "tokenizer.ggml.add_bos_token", TINY_BOOL);
    tiny_put(&file, "", 1);
    tiny_put_tensors(&file);
    return (struct bytes){.data = file.bytes, .size = file.size};
}

struct tiny_weights {
    const float *embedding, *attention_norm, *v, *output, *ffn_norm, *gate, *up;
};

static void normalise(double *out, const double *x, const float *weight)
{
    double squares = 0;
    for (int i = 0; i < TINY_WIDTH; i++)
        squares += x[i] * x[i];
    for (int i = 0; i < TINY_WIDTH; i++)
        out[i] = x[i] / sqrt(squares / TINY_WIDTH + 1e-5) * (double)weight[i];
}

static void multiply(double *out, const float *matrix, const double *x, int width, int rows)
{
    for (int row = 0; row < rows; row++) {
        out[row] = 0;
        for (int i = 0; i < width; i++)
            out[row] += (double)matrix[row * width + i] * x[i];
    }
}

/* Squares of the inputs of attention, its output, the hidden layer and of what
 * leads back, of one token at position 0, added to sums. Attention to itself alone
 * gives the token's own value, once for each query head. */
static void add_token(double sums[4][TINY_HIDDEN], const struct tiny_weights *w, int32_t token)
{
    double x[TINY_WIDTH], h[TINY_WIDTH], heads[TINY_WIDTH], o[TINY_WIDTH];
    double gate[TINY_HIDDEN], up[TINY_HIDDEN];
    for (int i = 0; i < TINY_WIDTH; i++)
        x[i] = (double)w->embedding[token * TINY_WIDTH + i];
    normalise(h, x, w->attention_norm);
    for (int i = 0; i < TINY_WIDTH; i++)
        sums[0][i] += h[i] * h[i];
    multiply(heads, w->v, h, TINY_WIDTH, TINY_KV_WIDTH);
    memcpy(heads + TINY_KV_WIDTH, heads, TINY_KV_WIDTH * sizeof *heads);
    for (int i = 0; i < TINY_WIDTH; i++)
        sums[1][i] += heads[i] * heads[i];
    multiply(o, w->output, heads, TINY_WIDTH, TINY_WIDTH);
    for (int i = 0; i < TINY_WIDTH; i++)
        x[i] += o[i];
    normalise(h, x, w->ffn_norm);
    for (int i = 0; i < TINY_WIDTH; i++)
        sums[2][i] += h[i] * h[i];
    multiply(gate, w->gate, h, TINY_WIDTH, TINY_HIDDEN);
    multiply(up, w->up, h, TINY_WIDTH, TINY_HIDDEN);
    for (int i = 0; i < TINY_HIDDEN; i++) {
        double a = gate[i] / (1 + exp(-gate[i])) * up[i];
        sums[3][i] += a * a;
    }
}

static void compare_sums(loam_engine *engine, const struct bytes *importance, const char *tensor,
                         const double *expected, int width, float count)
{
    char name[64];
    snprintf(name, sizeof name, "blk.0.%s.weight.in_sum2", tensor);
    const unsigned char *found = tensor_bytes(engine, importance, name);
    snprintf(name, sizeof name, "blk.0.%s.weight.counts", tensor);
    const unsigned char *counts = tensor_bytes(engine, importance, name);
    REQUIRE(found && counts);
    float value, rows;
    memcpy(&rows, counts, 4);
    CHECK(rows == count);
    for (int i = 0; i < width; i++) {
        memcpy(&value, found + 4 * i, 4);
        if (fabs((double)value - expected[i]) > 1e-5 * expected[i] + 1e-9) {
            printf("# %s column %d: %g, expected %g\n", tensor, i, (double)value, expected[i]);
            test_failed_here++;
        }
    }
}

static const float *floats_of(loam_engine *engine, const struct bytes *model, const char *name)
{
    return (const float *)(const void *)tensor_bytes(engine, model, name);
}

static void importance_by_hand(void)
{
    static const char *const tensors[] = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                          "ffn_gate", "ffn_up", "ffn_down"};
    static const int source_of_tensor[] = {0, 0, 0, 1, 2, 2, 3};
    loam_engine *engine = test_engine(2);
    struct bytes model = plain_tiny_model(), out = {0};
    loam_source source = source_of(&model);
    loam_model_options exact = {.struct_size = sizeof exact, .kv_type = LOAM_KV_F32};
    loam_importance_options options = {.struct_size = sizeof options, .chunk_tokens = 1};
    loam_model *opened = NULL;
    int32_t tokens[TEXT];
    static double sums[4][TINY_HIDDEN];
    const struct tiny_weights weights = {floats_of(engine, &model, "token_embd.weight"),
                                         floats_of(engine, &model, "blk.0.attn_norm.weight"),
                                         floats_of(engine, &model, "blk.0.attn_v.weight"),
                                         floats_of(engine, &model, "blk.0.attn_output.weight"),
                                         floats_of(engine, &model, "blk.0.ffn_norm.weight"),
                                         floats_of(engine, &model, "blk.0.ffn_gate.weight"),
                                         floats_of(engine, &model, "blk.0.ffn_up.weight")};
    CHECK_OK(loam_model_open_source(&opened, engine, &source, &exact, &test_error));
    REQUIRE(opened);
    for (int i = 0; i < TEXT; i++) {
        tokens[i] = 7 * i % TINY_VOCABULARY;
        add_token(sums, &weights, tokens[i]);
    }
    CHECK_OK(loam_model_importance(opened, tokens, TEXT, &options, take_bytes, &out, &test_error));
    for (size_t i = 0; i < 7; i++)
        compare_sums(engine, &out, tensors[i], sums[source_of_tensor[i]],
                     i == 6 ? TINY_HIDDEN : TINY_WIDTH, TEXT);
    loam_model_release(opened);
    free(out.data);
    free(model.data);
    loam_engine_release(engine);
}

/* The same bytes for any threads and any size of steps; what does not fill a chunk is left out. */
static void importance_in_any_pieces(void)
{
    struct bytes model = made_model("Q4_K_M"), outs[3] = {{0}};
    int32_t tokens[300];
    fill_tokens(tokens, 300);
    for (int i = 0; i < 3; i++) {
        loam_engine *engine = test_engine(i + 1);
        loam_source source = source_of(&model);
        loam_model *opened = NULL;
        loam_model_options rows = {.struct_size = sizeof rows, .max_step_rows = i == 1 ? 19 : 0};
        loam_importance_options options = {.struct_size = sizeof options, .chunk_tokens = 128};
        CHECK_OK(loam_model_open_source(&opened, engine, &source, &rows, &test_error));
        CHECK_OK(loam_model_importance(opened, tokens, i == 2 ? 257 : 300, &options, take_bytes,
                                       &outs[i], &test_error));
        loam_model_release(opened);
        loam_engine_release(engine);
    }
    CHECK(same_bytes(&outs[0], &outs[1]) && same_bytes(&outs[0], &outs[2]));
    for (int i = 0; i < 3; i++)
        free(outs[i].data);
    free(model.data);
}

/* Each row goes to `used` experts, which see what the router sees. */
static void importance_of_experts(void)
{
    size_t size;
    struct bytes model = {0}, out = {0};
    int32_t tokens[64];
    double router = 0, experts = 0, rows = 0;
    model.data = test_read(test_data("arch/mixtral/model.gguf"), &size);
    model.size = size;
    if (!model.data)
        SKIP("no reference data: arch/mixtral");
    loam_engine *engine = test_engine(2);
    loam_model *opened = open_bytes(engine, &model);
    REQUIRE(opened);
    uint32_t vocabulary = test_vocabulary(opened);
    for (int i = 0; i < 64; i++)
        tokens[i] = (int32_t)((uint32_t)i * 5 % vocabulary);
    CHECK_OK(loam_model_importance(opened, tokens, 64, NULL, take_bytes, &out, &test_error));
    loam_source made = source_of(&out);
    loam_file *file = NULL;
    loam_tensor_info info = {.struct_size = sizeof info};
    CHECK_OK(loam_file_open(&file, engine, &made, &test_error));
    for (uint64_t i = 0; !loam_file_tensor(&info, file, i, NULL); i++) {
        double sum = 0;
        const float *values = (const float *)(const void *)(out.data + info.offset);
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)info.name.length, info.name.data);
        for (uint64_t k = 0; k < info.bytes / 4; k++)
            sum += (double)values[k];
        router += strcmp(name, "blk.0.ffn_gate_inp.weight.in_sum2") == 0 ? sum : 0;
        experts += strcmp(name, "blk.0.ffn_gate_exps.weight.in_sum2") == 0 ? sum : 0;
        rows += strcmp(name, "blk.0.ffn_down_exps.weight.counts") == 0 ? sum : 0;
        if (strcmp(name, "blk.0.ffn_up_exps.weight.counts") == 0)
            CHECK(info.dimensions[0] == 1 && info.dimensions[1] > 1);
    }
    CHECK_EQUAL(rows, 2 * 64);
    CHECK(router > 0 && fabs(experts - 2 * router) < 1e-5 * router);
    loam_file_release(file);
    loam_model_release(opened);
    free(out.data);
    free(model.data);
    loam_engine_release(engine);
}

/* The older form: counts and names in words of 32 bits. */
static void the_older_form(void)
{
    loam_engine *engine = test_engine(1);
    struct bytes model = made_model("F16");
    static unsigned char bytes[1 << 15];
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    const char name[] = "blk.0.attn_q.weight";
    tiny_put_u32(&file, 1);
    tiny_put_u32(&file, sizeof name - 1);
    tiny_put(&file, name, sizeof name - 1);
    tiny_put_u32(&file, 2); /* calls */
    tiny_put_u32(&file, 256);
    for (int i = 0; i < 256; i++)
        tiny_put_f32(&file, i < 128 ? 100 : 0.01f);
    tiny_put_u32(&file, 7); /* chunks */
    struct bytes older = {.data = bytes, .size = file.size};
    loam_source given = source_of(&older);
    loam_quantize_options options = options_of("Q4_K_S");
    struct bytes without = quantize(engine, &model, &options, NULL);
    options.importance = &given;
    struct bytes with = quantize(engine, &model, &options, NULL);
    loam_quantize_options needs = options_of("IQ1_S");
    needs.importance = &given;
    refused(engine, &model, &needs, LOAM_INVALID_ARGUMENT, "that has this tensor");
    const unsigned char *a = tensor_bytes(engine, &with, name);
    const unsigned char *b = tensor_bytes(engine, &without, name);
    CHECK(memcmp(a, b, 144 * 256) != 0);
    CHECK(memcmp(tensor_bytes(engine, &with, "blk.1.attn_q.weight"),
                 tensor_bytes(engine, &without, "blk.1.attn_q.weight"), 144 * 256) == 0);
    for (older.size = file.size - 5; older.size > 0; older.size /= 2) {
        given = source_of(&older);
        refused(engine, &model, &options, LOAM_FORMAT, "");
    }
    older.size = file.size;
    given = source_of(&older);
    memset(bytes + 8 + sizeof name - 1, 0xFF, 4 + 4); /* many calls, many numbers */
    refused(engine, &model, &options, LOAM_FORMAT, "");
    free(with.data);
    free(without.data);
    free(model.data);
    loam_engine_release(engine);
}

int main(void)
{
    RUN(every_mix);
    RUN(the_header_is_kept);
    RUN(any_source);
    RUN(wishes);
    RUN(what_is_refused);
    RUN(numbers_that_are_none);
    RUN(parts_of_a_model);
    RUN(cancelled_and_full);
    RUN(importance_by_hand);
    RUN(importance_in_any_pieces);
    RUN(importance_of_experts);
    RUN(the_older_form);
    return test_end();
}

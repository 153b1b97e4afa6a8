/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails in turn, and every read of the model file: each time
 * the call in question says so, nothing is lost, and the same call works when
 * it is made again. At the end nothing is left behind.
 *
 * A journey is what a program does with the library. It is made once without
 * failures, which counts its allocations and reads, and then once for each of
 * them with just that one failing, and once with all from that one on failing.
 */
#include "fault/host.h"
#include "fuzz/json_seeds.h"
#include "test.h"
#include "tools/tiny_model.h"

#include <unistd.h>

enum { TOKENS = 3, MODES = 2 };

struct run {
    const unsigned char *model; /* a model file in memory */
    size_t model_size;
    const char *path; /* of a file that is opened by mapping, instead of `model` */
    uint64_t memory_limit;
    int32_t threads; /* 0: one */
    struct host host;
    long reads, fail_read_from, fail_read_to;
    loam_status expected; /* of every call that fails */
    bool again;           /* a call that failed is made once more */
    bool makes_do;        /* some memory is only taken if it is there */
    int errors;           /* calls that failed */
    bool arrived;         /* at the end of the journey */
    int32_t tokens[TOKENS];
    uint64_t peak;
};

typedef void (*journey)(struct run *run, loam_engine *engine);

static int32_t read_model(void *user, uint64_t offset, void *out, size_t size)
{
    struct run *run = user;
    run->reads++;
    if (run->reads >= run->fail_read_from && run->reads <= run->fail_read_to)
        return 1;
    if (offset > run->model_size || size > run->model_size - offset)
        return 1;
    memcpy(out, run->model + offset, size);
    return 0;
}

static loam_source source_of(struct run *run)
{
    if (run->path)
        return (loam_source){.struct_size = sizeof(loam_source),
                             .kind = LOAM_SOURCE_PATH,
                             .path = {run->path, LOAM_NUL_TERMINATED}};
    return (loam_source){.struct_size = sizeof(loam_source),
                         .kind = LOAM_SOURCE_CALLBACK,
                         .size = run->model_size,
                         .read = read_model,
                         .user = run,
                         .path = {"tiny", LOAM_NUL_TERMINATED}};
}

/* Whether the call worked; if not, whether it failed as it should. */
static bool worked(struct run *run, loam_status status, loam_error *error)
{
    if (status == LOAM_OK)
        return true;
    run->errors++;
    CHECK_EQUAL(status, run->expected);
    CHECK_EQUAL(error->code, status);
    CHECK(error->message[0] != '\0');
    error->message[0] = '\0';
    return false;
}

/* Makes the call, and again if it failed and that is wanted. */
#define TRY(call) (worked(run, (call), &error) || (run->again && worked(run, (call), &error)))

/* ---- journeys ------------------------------------------------------------- */

static bool take_tokens(struct run *run, loam_session *session)
{
    loam_error error = {.struct_size = sizeof error};
    int taken = 0;
    for (;;) {
        loam_event event = {.struct_size = sizeof event};
        if (!TRY(loam_session_next(session, &event, &error)))
            return false;
        if (event.type == LOAM_EVENT_STOP)
            break;
        if (event.type == LOAM_EVENT_TOKEN && taken < TOKENS)
            run->tokens[taken++] = event.token;
    }
    CHECK_EQUAL(taken, TOKENS);
    return taken == TOKENS;
}

static void generate_with(struct run *run, loam_session *session)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_string stops[] = {{"never said", LOAM_NUL_TERMINATED}};
    const loam_logit_bias bias[] = {{.token = 5, .bias = -1.0f}};
    const int32_t stop_tokens[] = {6};
    const loam_generation_options options = {.struct_size = sizeof options,
                                             .temperature = 0.8f,
                                             .top_k = 40,
                                             .top_p = 0.95f,
                                             .seed = 7,
                                             .repetition_penalty = 1.1f,
                                             .stop_strings = stops,
                                             .stop_string_count = 1,
                                             .logit_bias = bias,
                                             .logit_bias_count = 1,
                                             .stop_tokens = stop_tokens,
                                             .stop_token_count = 1,
                                             .max_tokens = TOKENS,
                                             .ignore_end = 1,
                                             .log_probability = 1,
                                             .candidates = 4};
    run->arrived =
        TRY(loam_session_configure(session, &options, &error)) &&
        TRY(loam_session_prompt(session, "a b and so on: Once upon a time", 31, &error)) &&
        take_tokens(run, session);
}

static void generating(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_model *model = NULL;
    loam_session *session = NULL;
    if (TRY(loam_model_open_source(&model, engine, &source, NULL, &error)) &&
        TRY(loam_session_create(&session, model, NULL, &error)))
        generate_with(run, session);
    CHECK(run->arrived || !run->again);
    loam_model_release(model); /* the session holds it */
    loam_session_release(session);
}

/* Several steps, states kept and dropped, a prompt that goes back. */
static void remembering(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    const loam_model_options model_options = {.struct_size = sizeof model_options,
                                              .max_step_rows = 4};
    const loam_generation_options options = {
        .struct_size = sizeof options, .max_tokens = TOKENS, .ignore_end = 1};
    loam_model *model = NULL;
    loam_session *session = NULL;
    int32_t tokens[30];
    for (int32_t i = 0; i < 30; i++)
        tokens[i] = i * 7 % 60;
    run->arrived =
        TRY(loam_model_open_source(&model, engine, &source, &model_options, &error)) &&
        TRY(loam_session_create(&session, model, NULL, &error)) &&
        TRY(loam_session_configure(session, &options, &error)) &&
        TRY(loam_session_prompt_tokens(session, tokens, 30, &error)) && take_tokens(run, session) &&
        TRY(loam_session_prompt_tokens(session, tokens, 26, &error)) && take_tokens(run, session);
    loam_session_release(session);
    loam_model_release(model);
}

static void tokenizing(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_tokenizer *tokenizer = NULL;
    int32_t tokens[64];
    char text[256];
    size_t count = 0, length = 0;
    run->arrived =
        TRY(loam_tokenizer_open(&tokenizer, engine, &source, &error)) &&
        TRY(loam_tokenizer_encode(tokens, 64, &count, tokenizer, "Once a \xC3\xA9 b", 11,
                                  LOAM_ENCODE_ADD_SPECIAL | LOAM_ENCODE_PARSE_SPECIAL, &error)) &&
        TRY(loam_tokenizer_decode(text, sizeof text, &length, tokenizer, tokens, count, 0, &error));
    if (run->arrived)
        CHECK(length == 11 && memcmp(text, "Once a \xC3\xA9 b", 11) == 0);
    loam_tokenizer_release(tokenizer);
}

static int32_t count_chunk(void *user, const loam_chunk *chunk)
{
    *(size_t *)user += chunk->end - chunk->begin;
    return 0;
}

static void splitting(struct run *run, loam_engine *engine)
{
    static const char text[] = "Once upon a time. There was a caf\xC3\xA9\n\nand so on.";
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_tokenizer *tokenizer = NULL;
    size_t bytes = 0, count = 0;
    loam_split_options options = {
        .struct_size = sizeof options, .max_tokens = 1000, .chunk = count_chunk, .user = &bytes};
    run->arrived =
        TRY(loam_tokenizer_open(&tokenizer, engine, &source, &error)) &&
        TRY(loam_tokenizer_count_tokens(&count, tokenizer, text, sizeof text - 1, 0, &error)) &&
        TRY(loam_tokenizer_split(tokenizer, text, sizeof text - 1, &options, &error));
    if (run->arrived)
        CHECK(count > 0 && bytes == sizeof text - 1);
    loam_tokenizer_release(tokenizer);
}

static void rendering(struct run *run, loam_engine *engine)
{
    static const char source_text[] =
        "{% macro m(x) %}[{{ x }}]{% endmacro %}{% for y in messages %}{{ m(y.role | upper) }}"
        "{{ y.content ~ '<s>' }}{{ y | tojson }}{% endfor %}{{ bos_token }}";
    static const char context[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"<s>\\u00e9\"}]}";
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_tokenizer *tokenizer = NULL;
    loam_template *chat_template = NULL;
    loam_rendering *made = NULL;
    int32_t tokens[256];
    size_t count = 0;
    loam_render_options options = {.struct_size = sizeof options};
    run->arrived = false;
    if (TRY(loam_tokenizer_open(&tokenizer, engine, &source, &error)) &&
        TRY(loam_template_create(&chat_template, engine, source_text, LOAM_NUL_TERMINATED,
                                 &error))) {
        options.tokenizer = tokenizer;
        run->arrived =
            TRY(loam_template_render(&made, chat_template, context, LOAM_NUL_TERMINATED, &options,
                                     &error)) &&
            TRY(loam_tokenizer_encode_rendering(tokens, 256, &count, tokenizer, made, 0, &error));
    }
    if (run->arrived)
        CHECK(count > 10);
    loam_tokenizer_release(tokenizer);
    loam_template_release(chat_template);
    loam_rendering_release(made);
}

static void conversing(struct run *run, loam_engine *engine)
{
    static const char source_text[] = "{% for m in messages %}<s>{{ m.content }}{% endfor %}"
                                      "{{ tools | length }}{{ mood }}";
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_model *model = NULL;
    loam_session *session = NULL;
    loam_tokenizer *tokenizer = NULL;
    loam_template *chat_template = NULL;
    loam_chat chat = {.struct_size = sizeof chat,
                      .messages = {"[{\"content\": \"once\"}]", LOAM_NUL_TERMINATED},
                      .tools = {"[7]", LOAM_NUL_TERMINATED},
                      .variables = {"{\"mood\": \"on\"}", LOAM_NUL_TERMINATED}};
    size_t count = 0;
    if (TRY(loam_model_open_source(&model, engine, &source, NULL, &error)) &&
        TRY(loam_session_create(&session, model, NULL, &error)) &&
        TRY(loam_model_tokenizer(&tokenizer, model, &error)) &&
        TRY(loam_template_create(&chat_template, engine, source_text, LOAM_NUL_TERMINATED,
                                 &error))) {
        chat.chat_template = chat_template;
        run->arrived = TRY(loam_session_chat(session, &chat, &error)) &&
                       TRY(loam_tokenizer_count_chat(&count, tokenizer, &chat, &error));
    }
    CHECK(!run->arrived || count >= 5);
    loam_template_release(chat_template);
    loam_tokenizer_release(tokenizer);
    loam_session_release(session);
    loam_model_release(model);
}

static void filling_in(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_tokenizer *tokenizer = NULL;
    const loam_fill_in_file file = {{"b.c", 3}, {"on\nce", 5}};
    loam_fill_in fill_in = {.struct_size = sizeof fill_in,
                            .prefix = {"one\nonce ", LOAM_NUL_TERMINATED},
                            .suffix = {"on\non\non", LOAM_NUL_TERMINATED},
                            .path = {"a.c", 3},
                            .files = &file,
                            .file_count = 1,
                            .max_tokens = 36};
    loam_fill_in_info info = {.struct_size = sizeof info};
    int32_t tokens[64];
    size_t count = 0;
    if (TRY(loam_tokenizer_open(&tokenizer, engine, &source, &error)))
        run->arrived = TRY(
            loam_tokenizer_encode_fill_in(tokens, 64, &count, &info, tokenizer, &fill_in, &error));
    CHECK(!run->arrived || (count > 16 && count <= 36 && info.file_count == 1));
    loam_tokenizer_release(tokenizer);
}

static void opening_a_file(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_file *file = NULL;
    run->arrived = TRY(loam_file_open(&file, engine, &source, &error));
    loam_file_release(file);
}

static void planning(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    loam_memory_plan plan = {.struct_size = sizeof plan};
    run->arrived = TRY(loam_model_plan(&plan, engine, &source, NULL, 0, 0, &error));
    if (run->arrived)
        CHECK(plan.total_bytes > 0);
}

struct packed {
    unsigned char *bytes;
    size_t size;
};

static int32_t take_packed(void *user, const void *data, size_t size)
{
    struct packed *packed = user;
    unsigned char *bytes = realloc(packed->bytes, packed->size + size);
    if (!bytes)
        return 1;
    packed->bytes = bytes;
    memcpy(bytes + packed->size, data, size);
    packed->size += size;
    return 0;
}

static void packing(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_source source = source_of(run);
    struct packed packed = {NULL, 0};
    run->arrived = TRY(loam_model_pack(engine, &source, take_packed, &packed, &error));
    free(packed.bytes);
}

static int32_t read_importance(void *user, uint64_t offset, void *out, size_t size)
{
    const struct packed *file = user;
    if (offset > file->size || size > file->size - offset)
        return 1;
    memcpy(out, file->bytes + offset, size);
    return 0;
}

/* An importance file of the model, and a quantised file with its help. */
static void quantizing(struct run *run, loam_engine *engine)
{
    loam_error error = {.struct_size = sizeof error};
    loam_model *model = NULL;
    struct packed importance = {NULL, 0}, out = {NULL, 0};
    static const int32_t tokens[] = {4, 5, 6, 7, 8, 9};
    const loam_source source = source_of(run);
    const loam_importance_options chunks = {.struct_size = sizeof chunks, .chunk_tokens = 3};
    run->arrived =
        TRY(loam_model_open_source(&model, engine, &source, NULL, &error)) &&
        TRY(loam_model_importance(model, tokens, 6, &chunks, take_packed, &importance, &error));
    loam_model_release(model);
    const loam_source given = {.struct_size = sizeof given,
                               .kind = LOAM_SOURCE_CALLBACK,
                               .size = importance.size,
                               .read = read_importance,
                               .user = &importance};
    const loam_tensor_override overrides[] = {{{"attn_v", 6}, {"Q5_0", 4}}};
    const loam_quantize_options options = {.struct_size = sizeof options,
                                           .mix = {"IQ4_NL", 6},
                                           .importance = &given,
                                           .overrides = overrides,
                                           .override_count = 1};
    run->arrived = run->arrived && TRY(loam_model_quantize(NULL, engine, &source, &options,
                                                           take_packed, &out, &error));
    free(importance.bytes);
    free(out.bytes);
}

/* ---- failing -------------------------------------------------------------- */

static void make(struct run *run, journey travel)
{
    loam_error error = {.struct_size = sizeof error};
    const loam_allocator allocator = host_allocator(&run->host);
    const loam_engine_options options = {.struct_size = sizeof options,
                                         .threads = run->threads ? run->threads : 1,
                                         .memory_limit = run->memory_limit,
                                         .allocator = &allocator};
    loam_engine *engine = NULL;
    if (TRY(loam_engine_create(&engine, &options, &error))) {
        loam_engine_info info = {.struct_size = sizeof info};
        travel(run, engine);
        CHECK_EQUAL(loam_engine_get_info(&info, engine, NULL), LOAM_OK);
        run->peak = info.bytes_peak;
    }
    loam_engine_release(engine);
    CHECK_EQUAL(atomic_load(&run->host.blocks), 0);
    CHECK_EQUAL(atomic_load(&run->host.wrong), 0);
}

/* The n-th allocation or read fails, and in the second mode all after it. */
static void fail_one(const struct run *plain, journey travel, long n, int mode, bool reads)
{
    struct run run = {.model = plain->model,
                      .model_size = plain->model_size,
                      .path = plain->path,
                      .threads = plain->threads,
                      .again = mode == 0,
                      .makes_do = plain->makes_do};
    long last = mode == 0 ? n : 1L << 40;
    run.expected = reads ? LOAM_IO : LOAM_MEMORY;
    if (reads)
        run.fail_read_from = n, run.fail_read_to = last;
    else
        run.host.fail_from = n, run.host.fail_to = last;
    make(&run, travel);
    bool made_do = run.makes_do && run.errors == 0 && !reads;
    CHECK_EQUAL(run.errors, !made_do);
    CHECK_EQUAL(run.arrived, mode == 0 || made_do);
    if (run.arrived)
        CHECK(memcmp(run.tokens, plain->tokens, sizeof run.tokens) == 0);
    if (test_failed_here)
        printf("# with %s %ld failing%s\n", reads ? "read" : "allocation", n,
               mode ? " and all after" : "");
}

static void fail_each_of(struct run plain, journey travel)
{
    make(&plain, travel);
    CHECK_EQUAL(plain.errors, 0);
    CHECK(plain.arrived);
    long allocations = atomic_load(&plain.host.calls), reads = plain.reads;
    CHECK(allocations > 0 && (reads > 0 || plain.path));
    printf("# %ld allocations, %ld reads\n", allocations, reads);
    for (int mode = 0; mode < MODES && !test_failed_here; mode++) {
        for (long n = 1; n <= allocations && !test_failed_here; n++)
            fail_one(&plain, travel, n, mode, false);
        for (long n = 1; n <= reads && !test_failed_here; n++)
            fail_one(&plain, travel, n, mode, true);
    }
}

static void fail_each(const unsigned char *model, size_t size, int32_t threads, journey travel)
{
    fail_each_of((struct run){.model = model, .model_size = size, .threads = threads}, travel);
}

/* ---- tests ---------------------------------------------------------------- */

static unsigned char *tiny;
static size_t tiny_size;

static void tiny_model_generating(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, generating);
}

static void tiny_model_tokenizing(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, tokenizing);
}

static void tiny_model_rendering(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, rendering);
}

static void tiny_model_conversing(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, conversing);
}

/* A vocabulary whose file names tokens for filling in. */
static void tiny_vocabulary_filling_in(void)
{
    static unsigned char bytes[1 << 15];
    struct tiny_file file = {.bytes = bytes, .capacity = sizeof bytes};
    tiny_put(&file, "GGUF", 4);
    tiny_put_u32(&file, 3);
    tiny_put_u64(&file, 0);
    tiny_put_u64(&file, 7);
    tiny_key_text(&file, "tokenizer.ggml.model", "llama");
    tiny_put_vocabulary(&file); /* three keys */
    tiny_key_u32(&file, "tokenizer.ggml.fim_pre_token_id", 3);
    tiny_key_u32(&file, "tokenizer.ggml.fim_suf_token_id", 4);
    tiny_key_u32(&file, "tokenizer.ggml.fim_mid_token_id", 5);
    fail_each(bytes, file.size, 1, filling_in);
}

static void tiny_model_opening_a_file(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, opening_a_file);
}

/* A tokenizer.json of each kind. */
static void tokenizer_json(void)
{
    for (size_t i = 0; i < sizeof json_seeds / sizeof json_seeds[0]; i++)
        fail_each((const unsigned char *)json_seeds[i], strlen(json_seeds[i]), 1, splitting);
}

static void tiny_model_planning(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, planning);
}

static void tiny_model_with_threads(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 3, generating);
}

/* The limit is kept to the byte: the peak is enough, a byte less is MEMORY. */
static void memory_limit_is_exact(void)
{
    REQUIRE(tiny);
    struct run plain = {.model = tiny, .model_size = tiny_size};
    make(&plain, generating);
    REQUIRE(plain.arrived);
    struct run enough = {.model = tiny, .model_size = tiny_size, .memory_limit = plain.peak};
    make(&enough, generating);
    CHECK(enough.arrived);
    CHECK(memcmp(enough.tokens, plain.tokens, sizeof plain.tokens) == 0);
    struct run less = {.model = tiny, .model_size = tiny_size, .memory_limit = plain.peak - 1};
    less.expected = LOAM_MEMORY;
    make(&less, generating);
    CHECK(!less.arrived);
    CHECK_EQUAL(less.errors, 1);
}

static void stories260K_generating(void)
{
    size_t size;
    unsigned char *model = test_read(test_data("models/stories260K.gguf"), &size);
    if (!model)
        SKIP("no models/stories260K.gguf in the reference data");
    fail_each(model, size, 1, generating);
    free(model);
}

static void recurrent_models_generating(void)
{
    static const char *const names[] = {"arch/jamba/model.gguf", "arch/rwkv7/model.gguf"};
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        unsigned char *model = test_read(test_data(names[i]), &size);
        if (!model)
            SKIP("no reference data: arch");
        fail_each_of((struct run){.model = model, .model_size = size, .makes_do = true},
                     remembering);
        free(model);
    }
}

static unsigned char *quantised_model(size_t *size)
{
    char path[4096];
    const char *build = getenv("LOAM_BUILD");
    snprintf(path, sizeof path, "%s/tests/tools/tiny-256-Q4_K_M.gguf", build ? build : ".");
    return test_read(path, size);
}

static void quantised_model_packing(void)
{
    size_t size;
    unsigned char *model = quantised_model(&size);
    REQUIRE(model);
    fail_each(model, size, 1, packing);
    free(model);
}

static void tiny_model_quantizing(void)
{
    REQUIRE(tiny);
    fail_each(tiny, tiny_size, 1, quantizing);
}

static void packed_model_generating(void)
{
    char path[] = "/tmp/loam-fault-XXXXXX";
    struct packed packed = {NULL, 0};
    struct run plain = {.path = path, .threads = 1};
    loam_engine *engine = NULL;
    loam_source source = {.struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY};
    unsigned char *model = quantised_model(&source.size);
    int file = mkstemp(path);
    REQUIRE(model && file >= 0);
    source.data = model;
    CHECK_EQUAL(loam_engine_create(&engine, NULL, NULL), LOAM_OK);
    CHECK_EQUAL(loam_model_pack(engine, &source, take_packed, &packed, NULL), LOAM_OK);
    loam_engine_release(engine);
    CHECK(write(file, packed.bytes, packed.size) == (ssize_t)packed.size);
    close(file);
    fail_each_of(plain, generating);
    remove(path);
    free(packed.bytes);
    free(model);
}

int main(void)
{
    tiny = tiny_model(&tiny_size);
    RUN(tiny_model_opening_a_file);
    RUN(tiny_model_tokenizing);
    RUN(tiny_model_rendering);
    RUN(tiny_model_conversing);
    RUN(tiny_vocabulary_filling_in);
    RUN(tokenizer_json);
    RUN(tiny_model_planning);
    RUN(tiny_model_generating);
    RUN(tiny_model_with_threads);
    RUN(memory_limit_is_exact);
    RUN(quantised_model_packing);
    RUN(tiny_model_quantizing);
    RUN(packed_model_generating);
    RUN(stories260K_generating);
    RUN(recurrent_models_generating);
    free(tiny);
    return test_end();
}

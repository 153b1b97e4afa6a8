/* SPDX-License-Identifier: MIT */
/*
 * Packed files: the same bits as the file they were made of, however they are
 * opened; and what is wrong with one is said.
 */
#include "common.h"

static const char *const models[] = {"models/stories260K.gguf", "models/stories260K-Q8_0.gguf",
                                     "models/stories260K-Q4_0.gguf"};

/* ---- making one --------------------------------------------------------------- */

struct sink {
    unsigned char *bytes;
    size_t size, capacity;
    size_t most; /* bytes that it takes; 0: all */
};

static int32_t take_bytes(void *user, const void *data, size_t size)
{
    struct sink *sink = user;
    if (sink->most && sink->size + size > sink->most)
        return -1;
    if (sink->size + size > sink->capacity) {
        sink->capacity = 2 * (sink->size + size);
        sink->bytes = realloc(sink->bytes, sink->capacity);
        if (!sink->bytes)
            return -1;
    }
    memcpy(sink->bytes + sink->size, data, size);
    sink->size += size;
    return 0;
}

static loam_source path_source(const char *path)
{
    loam_source source = {.struct_size = sizeof source, .kind = LOAM_SOURCE_PATH};
    source.path.data = path;
    source.path.length = LOAM_NUL_TERMINATED;
    return source;
}

static loam_source memory_source(const struct sink *sink)
{
    loam_source source = {.struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY};
    source.data = sink->bytes;
    source.size = sink->size;
    return source;
}

static int32_t read_sink(void *user, uint64_t offset, void *out, size_t size)
{
    const struct sink *sink = user;
    memcpy(out, sink->bytes + offset, size);
    return 0;
}

/* ---- the same bits ------------------------------------------------------------- */

enum { TOKENS = 80 };

/* Logits of TOKENS tokens; the model is released. */
static float *logits_of(loam_model *model, size_t *bytes)
{
    size_t count;
    int32_t *tokens = test_values("models/nll.tokens.i32", &count);
    if (!model || !tokens || count < TOKENS)
        return NULL;
    *bytes = TOKENS * (size_t)test_vocabulary(model) * sizeof(float);
    float *logits = malloc(*bytes);
    loam_session *session = test_session(model);
    CHECK_OK(loam_session_evaluate(session, tokens, TOKENS, logits, TOKENS, &test_error));
    loam_session_release(session);
    loam_model_release(model);
    free(tokens);
    return logits;
}

static void compare_opened(loam_engine *engine, const loam_source *source, int mapped,
                           const float *expected, size_t bytes)
{
    loam_model *model = NULL;
    loam_model_info info = {.struct_size = sizeof info};
    loam_memory_plan plan = {.struct_size = sizeof plan};
    size_t found_bytes = 0;
    CHECK_OK(loam_model_plan(&plan, engine, source, NULL, 0, 1, &test_error));
    CHECK_OK(loam_model_open_source(&model, engine, source, NULL, &test_error));
    REQUIRE(model);
    CHECK_OK(loam_model_get_info(&info, model, &test_error));
    CHECK(mapped ? info.mapped_bytes > 0 && info.weight_bytes == 0
                 : info.mapped_bytes == 0 && info.weight_bytes > 0);
    CHECK_EQUAL(plan.mapped_bytes, info.mapped_bytes);
    CHECK_EQUAL(plan.weight_bytes, info.weight_bytes);
    float *found = logits_of(model, &found_bytes);
    CHECK(found && found_bytes == bytes && memcmp(found, expected, bytes) == 0);
    free(found);
}

static void check_model(const char *name)
{
    struct sink sink = {0};
    size_t bytes = 0;
    char path[] = "/tmp/loam-packed-XXXXXX";
    loam_engine *engine = test_engine(2);
    loam_source source = path_source(test_data(name));
    CHECK_OK(loam_model_pack(engine, &source, take_bytes, &sink, &test_error));
    float *expected = logits_of(test_model(engine, name, LOAM_KV_DEFAULT), &bytes);
    REQUIRE(expected && sink.size > 0);
    int descriptor = mkstemp(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    REQUIRE(file && fwrite(sink.bytes, 1, sink.size, file) == sink.size && fclose(file) == 0);
    source = path_source(path);
    compare_opened(engine, &source, 1, expected, bytes);
    source = memory_source(&sink);
    compare_opened(engine, &source, 0, expected, bytes);
    source = (loam_source){.struct_size = sizeof source,
                           .kind = LOAM_SOURCE_CALLBACK,
                           .size = sink.size,
                           .read = read_sink,
                           .user = &sink};
    compare_opened(engine, &source, 0, expected, bytes);
    struct sink again = {0};
    source = memory_source(&sink);
    CHECK_EQUAL(loam_model_pack(engine, &source, take_bytes, &again, &test_error),
                LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(again.size, 0);
    remove(path);
    free(again.bytes);
    free(sink.bytes);
    free(expected);
    loam_engine_release(engine);
}

static void packed_models_give_the_same_bits(void)
{
    if (!test_data(models[0]))
        SKIP("no reference models");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        check_model(models[i]);
}

/* ---- what can be wrong ----------------------------------------------------------- */

/* A sink that is full at any point ends it with IO, and nothing is kept. */
static void a_full_disk_is_an_error(void)
{
    if (!test_data(models[1]))
        SKIP("no reference models");
    loam_engine *engine = test_engine(1);
    loam_source source = path_source(test_data(models[1]));
    loam_engine_info before = {.struct_size = sizeof before};
    CHECK_OK(loam_engine_get_info(&before, engine, &test_error));
    for (size_t most = 1; most < 300000; most = most * 3 / 2 + 7) {
        struct sink sink = {.most = most};
        CHECK_EQUAL(loam_model_pack(engine, &source, take_bytes, &sink, &test_error), LOAM_IO);
        free(sink.bytes);
    }
    loam_engine_info info = {.struct_size = sizeof info};
    CHECK_OK(loam_engine_get_info(&info, engine, &test_error));
    CHECK_EQUAL(info.bytes_held, before.bytes_held);
    loam_engine_release(engine);
}

/* The value of a u32 key, to be changed in place. */
static unsigned char *value_of(const struct sink *sink, const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i + length + 8 < sink->size; i++)
        if (memcmp(sink->bytes + i, key, length) == 0)
            return sink->bytes + i + length + 4;
    return NULL;
}

static void a_packed_file_is_checked(void)
{
    if (!test_data(models[1]))
        SKIP("no reference models");
    struct sink sink = {0};
    loam_model *model = NULL;
    loam_engine *engine = test_engine(1);
    loam_source source = path_source(test_data(models[1]));
    CHECK_OK(loam_model_pack(engine, &source, take_bytes, &sink, &test_error));
    unsigned char *version = value_of(&sink, "loam.packed.version");
    unsigned char *alignment = value_of(&sink, "general.alignment");
    REQUIRE(version && alignment);
    source = memory_source(&sink);
    ++*version;
    CHECK_EQUAL(loam_model_open_source(&model, engine, &source, NULL, &test_error),
                LOAM_UNSUPPORTED);
    CHECK(strstr(test_error.message, "loam.packed.version"));
    --*version;
    *alignment = 32;
    CHECK_EQUAL(loam_model_open_source(&model, engine, &source, NULL, &test_error), LOAM_FORMAT);
    *alignment = 64;
    source.size -= 64;
    CHECK_EQUAL(loam_model_open_source(&model, engine, &source, NULL, &test_error), LOAM_FORMAT);
    CHECK_EQUAL(loam_model_pack(engine, &source, NULL, NULL, &test_error), LOAM_INVALID_ARGUMENT);
    free(sink.bytes);
    loam_engine_release(engine);
}

int main(void)
{
    RUN(packed_models_give_the_same_bits);
    RUN(a_full_disk_is_an_error);
    RUN(a_packed_file_is_checked);
    return test_end();
}

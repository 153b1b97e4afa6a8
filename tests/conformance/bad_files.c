/* SPDX-License-Identifier: MIT */
/* Broken and hostile files: each fails as the manifest says, quickly, in
 * little memory, naming the key or tensor. */
#include "common.h"

#include <time.h>

/* The string behind `key` within [at, end), or "". */
static const char *field(const char *at, const char *end, const char *key, char *out,
                         size_t capacity)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": \"", key);
    const char *p = strstr(at, quoted);
    out[0] = 0;
    if (!p || p >= end)
        return out;
    p += strlen(quoted);
    size_t length = strcspn(p, "\"");
    snprintf(out, capacity, "%.*s", (int)length, p);
    return out;
}

static void check_file(const char *file, const char *must, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "gguf_bad/%s", file);
    const char *found = test_data(path);
    loam_engine *engine = test_engine(1);
    loam_model *model = NULL;
    loam_engine_info info = {.struct_size = sizeof info};
    REQUIRE(found);
    test_error.message[0] = 0;
    clock_t start = clock();
    loam_status status =
        loam_model_open(&model, engine, found, LOAM_NUL_TERMINATED, NULL, &test_error);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK_OK(loam_engine_get_info(&info, engine, &test_error));
    if (strcmp(must, "load error") == 0) {
        if (status == LOAM_OK || model != NULL || !strstr(test_error.message, name)) {
            printf("# %s: %s: \"%s\" should name \"%s\"\n", file, loam_status_name(status),
                   test_error.message, name);
            test_failed_here++;
        }
        CHECK(status == LOAM_FORMAT || status == LOAM_UNSUPPORTED);
    }
    CHECK(seconds < 0.1);
    CHECK(info.bytes_peak < 64u << 20);
    loam_model_release(model);
    loam_engine_release(engine);
}

static void each_does_what_the_manifest_says(void)
{
    size_t size;
    char *manifest = (char *)test_read(test_data("gguf_bad/manifest.json"), &size);
    if (!manifest)
        SKIP("no reference data: gguf_bad/manifest.json");
    int files = 0;
    const char *at = strstr(manifest, "\"files\"");
    while (at && (at = strstr(at, "\"file\": "))) {
        const char *end = strchr(at, '}');
        char file[128], must[256], name[128];
        field(at, end, "file", file, sizeof file);
        field(at, end, "must", must, sizeof must);
        field(at, end, "error_should_name", name, sizeof name);
        check_file(file, must, name);
        files++;
        at = end;
    }
    printf("# %d files\n", files);
    CHECK_EQUAL(files, 44);
    free(manifest);
}

static void the_valid_one_runs(void)
{
    if (!test_data("gguf_bad/valid.gguf"))
        SKIP("no reference data: gguf_bad/valid.gguf");
    loam_engine *engine = test_engine(1);
    loam_model *model = test_model(engine, "gguf_bad/valid.gguf", LOAM_KV_DEFAULT);
    loam_session *session = test_session(model);
    loam_event event = {.struct_size = sizeof event};
    CHECK_OK(loam_session_prompt(session, "abc", LOAM_NUL_TERMINATED, &test_error));
    CHECK_OK(loam_session_next(session, &event, &test_error));
    CHECK(event.type == LOAM_EVENT_TOKEN || event.type == LOAM_EVENT_STOP);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
}

int main(void)
{
    RUN(each_does_what_the_manifest_says);
    RUN(the_valid_one_runs);
    return test_end();
}

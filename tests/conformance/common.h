/* SPDX-License-Identifier: MIT */
/* What the conformance tests share: opening things, reading reference files. */
#ifndef LOAM_TESTS_CONFORMANCE_COMMON_H
#define LOAM_TESTS_CONFORMANCE_COMMON_H

#include "test.h"

#include <loam/loam.h>

/* Fails the test with the library's message. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        loam_status check_status = (call);                                                         \
        if (check_status) {                                                                        \
            printf("# %s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call,                             \
                   loam_status_name(check_status), test_error.message);                            \
            test_failed_here++;                                                                    \
        }                                                                                          \
    } while (0)

static loam_error test_error = {.struct_size = sizeof test_error};

/* An engine with that many threads, or NULL. */
static inline loam_engine *test_engine(int32_t threads)
{
    loam_engine_options options = {.struct_size = sizeof options};
    loam_engine *engine = NULL;
    options.threads = threads;
    CHECK_OK(loam_engine_create(&engine, &options, &test_error));
    return engine;
}

/* A model of the reference data, or NULL. */
static inline loam_model *test_model(loam_engine *engine, const char *name, int32_t kv_type)
{
    loam_model_options options = {.struct_size = sizeof options};
    loam_model *model = NULL;
    const char *path = test_data(name);
    options.kv_type = kv_type;
    if (path)
        CHECK_OK(loam_model_open(&model, engine, path, LOAM_NUL_TERMINATED, &options, &test_error));
    return model;
}

static inline uint32_t test_vocabulary(loam_model *model)
{
    loam_model_info info = {.struct_size = sizeof info};
    CHECK_OK(loam_model_get_info(&info, model, &test_error));
    return info.vocabulary_size;
}

static inline loam_session *test_session(loam_model *model)
{
    loam_session *session = NULL;
    CHECK_OK(loam_session_create(&session, model, NULL, &test_error));
    return session;
}

/* A reference file of 32-bit values; *count of them. */
static inline void *test_values(const char *name, size_t *count)
{
    size_t size;
    void *values = test_read(test_data(name), &size);
    *count = size / 4;
    return values;
}

/* Reads the integers of the JSON array behind `key` at or after *at, moves *at
 * behind it; returns their number, 0 if there is no such key. */
static inline size_t test_json_integers(const char **at, const char *key, int32_t *out, size_t capacity)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *p = *at ? strstr(*at, quoted) : NULL;
    if (!p || !(p = strchr(p, '[')))
        return 0;
    size_t count = 0;
    for (p++; *p && *p != ']';) {
        char *end;
        long value = strtol(p, &end, 10);
        if (end == p) {
            p++;
            continue;
        }
        if (count < capacity)
            out[count] = (int32_t)value;
        count++;
        p = end;
    }
    *at = p;
    return count;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("loam: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return EXIT_FAILED;
}

int fail_with(const loam_error *error)
{
    if (error->code == LOAM_CANCELLED)
        return EXIT_INTERRUPTED;
    fail("%s", error->message);
    return error->code == LOAM_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
}

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int open_engine(loam_engine **out, const struct common *common)
{
    loam_engine_options options = {.struct_size = sizeof options};
    loam_error error = {.struct_size = sizeof error};
    options.threads = (int32_t)common->threads;
    options.memory_limit = common->memory_limit;
    options.cpu_level =
        common->cpu ? loam_cpu_level_from_name(common->cpu, LOAM_NUL_TERMINATED) : 0;
    if (options.cpu_level < 0) {
        fail("--cpu: \"%s\" is no CPU level; loam --version lists them", common->cpu);
        return EXIT_USAGE;
    }
    return loam_engine_create(out, &options, &error) ? fail_with(&error) : EXIT_OK;
}

/* Shown on a terminal alone, and wiped when done. */
static int32_t show_progress(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    if (isatty(STDERR_FILENO) && total > (64u << 20))
        fprintf(stderr, done < total ? "\rloading %3d %%" : "\r              \r",
                (int)(done * 100 / (total ? total : 1)));
    return interrupt_happened();
}

int open_model(loam_model **out, loam_engine *engine, const struct common *common, int32_t kv_type)
{
    loam_model_options options = {.struct_size = sizeof options};
    loam_source source;
    loam_error error = {.struct_size = sizeof error};
    options.kv_type = kv_type_of(common->kv, kv_type);
    options.progress = show_progress;
    options.max_step_rows = (uint32_t)common->step_rows;
    options.max_step_sessions = (uint32_t)common->step_sessions;
    if (options.kv_type < 0) {
        fail("--kv: found \"%s\", expected f32, f16 or q8_0", common->kv);
        return EXIT_USAGE;
    }
    builtin_source(&source, common->model, "loam");
    return loam_model_open_source(out, engine, &source, &options, &error) ? fail_with(&error)
                                                                          : EXIT_OK;
}

int open_tokenizer(loam_tokenizer **out, loam_engine *engine, const char *path)
{
    loam_source source;
    loam_error error = {.struct_size = sizeof error};
    builtin_source(&source, path, "loam");
    return loam_tokenizer_open(out, engine, &source, &error) ? fail_with(&error) : EXIT_OK;
}

int32_t kv_type_of(const char *name, int32_t otherwise)
{
    if (!name)
        return otherwise;
    if (strcmp(name, "f32") == 0)
        return LOAM_KV_F32;
    if (strcmp(name, "f16") == 0)
        return LOAM_KV_F16;
    return strcmp(name, "q8_0") == 0 ? LOAM_KV_Q8_0 : -1;
}

int read_file(char **out, size_t *out_size, const char *path)
{
    int standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    size_t capacity = 1 << 16, size = 0;
    char *bytes = file ? malloc(capacity) : NULL;
    *out = NULL;
    if (!file)
        return fail("%s: cannot open: %s", path, strerror(errno));
    while (bytes) {
        size_t count = fread(bytes + size, 1, capacity - size - 1, file);
        size += count;
        if (count == 0)
            break;
        if (size + 1 == capacity) {
            char *grown = realloc(bytes, capacity *= 2);
            if (!grown)
                free(bytes);
            bytes = grown;
        }
    }
    int bad = ferror(file);
    if (!standard)
        fclose(file);
    if (!bytes || bad) {
        free(bytes);
        return bad ? fail("%s: cannot read: %s", path, strerror(errno))
                   : fail("%s: out of memory", path);
    }
    bytes[size] = 0;
    *out = bytes;
    *out_size = size;
    return EXIT_OK;
}

int read_ids(int32_t **out, size_t *out_count, const char *path)
{
    char *bytes;
    size_t size;
    int code = read_file(&bytes, &size, path);
    if (code)
        return code;
    if (size == 0 || size % 4 != 0) {
        free(bytes);
        return fail("%s: has %zu bytes, expected token ids of 4 bytes each", path, size);
    }
    int32_t *ids = malloc(size);
    for (size_t i = 0; ids && i < size / 4; i++) {
        const unsigned char *b = (const unsigned char *)bytes + 4 * i;
        ids[i] = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                           (uint32_t)b[3] << 24);
    }
    free(bytes);
    *out = ids;
    *out_count = size / 4;
    return ids ? EXIT_OK : fail("%s: out of memory", path);
}

int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    /* A reader that went away (loam run | head) is no news. */
    return errno == EPIPE ? EXIT_FAILED
                          : fail("standard output: cannot write: %s", strerror(errno));
}

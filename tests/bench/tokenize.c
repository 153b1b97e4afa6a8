/* SPDX-License-Identifier: MIT */
/*
 * How fast a vocabulary opens, and texts become tokens and text again, in the
 * processor time of one thread:
 *
 *     tokenize VOCABULARY.gguf TEXT... [--ids OUT]
 *
 * Prints for each text the megabytes a second of the best of three runs, the
 * tokens, and a hash of the ids; with --ids they are written as int32.
 */
#include <loam/loam.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 3, OPENS = 10 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    *size = 0;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    if (length >= 0 && (bytes = malloc((size_t)length + 1)) != NULL)
        *size = fread(bytes, 1, (size_t)length, file);
    fclose(file);
    return bytes;
}

static loam_tokenizer *open_vocabulary(loam_engine *engine, const char *path)
{
    loam_error error = {.struct_size = sizeof error};
    loam_tokenizer *tokenizer = NULL;
    loam_source source = {.struct_size = sizeof source};
    source.path.data = path;
    source.path.length = LOAM_NUL_TERMINATED;
    double best = 1e9;
    for (int run = 0; run < OPENS; run++) {
        loam_tokenizer_release(tokenizer);
        double begin = now();
        if (loam_tokenizer_open(&tokenizer, engine, &source, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return NULL;
        }
        double seconds = now() - begin;
        best = seconds < best ? seconds : best;
    }
    printf("open: %.1f ms\n", best * 1e3);
    return tokenizer;
}

static uint64_t hash_ids(const int32_t *ids, size_t count)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (uint32_t)ids[i]) * 1099511628211u;
    return hash;
}

static int measure(loam_tokenizer *tokenizer, const char *path, const char *ids_path)
{
    loam_error error = {.struct_size = sizeof error};
    size_t size, count = 0, length = 0;
    char *text = read_file(path, &size), *back = malloc(size + 16);
    int32_t *ids = malloc((size + 16) * sizeof *ids);
    double encode = 1e9, decode = 1e9;
    if (!text || !back || !ids)
        return 1;
    for (int run = 0; run < RUNS; run++) {
        double begin = now();
        if (loam_tokenizer_encode(ids, size + 16, &count, tokenizer, text, size, 0, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
        double middle = now();
        loam_tokenizer_decode(back, size + 16, &length, tokenizer, ids, count, 0, NULL);
        double end = now();
        encode = middle - begin < encode ? middle - begin : encode;
        decode = end - middle < decode ? end - middle : decode;
    }
    printf("%s: encode %.1f MB/s, decode %.1f MB/s, %zu bytes, %zu tokens, ids %016llx, %s\n", path,
           1e-6 * (double)size / encode, 1e-6 * (double)length / decode, size, count,
           (unsigned long long)hash_ids(ids, count),
           length == size && memcmp(text, back, size) == 0 ? "the same text back"
                                                           : "another text back");
    FILE *file = ids_path ? fopen(ids_path, "wb") : NULL;
    if (file) {
        fwrite(ids, sizeof *ids, count, file);
        fclose(file);
    }
    free(text);
    free(back);
    free(ids);
    return 0;
}

int main(int argument_count, char **arguments)
{
    loam_engine *engine = NULL;
    const char *ids_path = NULL;
    int failed = 0;
    if (argument_count > 3 && strcmp(arguments[argument_count - 2], "--ids") == 0) {
        ids_path = arguments[argument_count - 1];
        argument_count -= 2;
    }
    if (argument_count < 2 || loam_engine_create(&engine, NULL, NULL)) {
        fprintf(stderr, "tokenize VOCABULARY.gguf TEXT... [--ids OUT]\n");
        return 2;
    }
    loam_tokenizer *tokenizer = open_vocabulary(engine, arguments[1]);
    for (int i = 2; tokenizer && !failed && i < argument_count; i++)
        failed = measure(tokenizer, arguments[i], ids_path);
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
    return failed || !tokenizer;
}

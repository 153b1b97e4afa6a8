/* SPDX-License-Identifier: MIT */
/*
 * Changed copies of a small model of every family of the reference data, opened
 * and run; the same ones every time, or others for a number of seconds.
 *
 *     fuzz-families COPIES [SEED SECONDS]
 */
#include "fuzz.h"
#include "fuzz/families.h"
#include "test.h"
#include "tools/tiny_model.h"

#include <dirent.h>
#include <time.h>

enum { MOST_FILES = 256, MORE = 1 << 16, SLOW = 20 };

struct file {
    char name[64];
    unsigned char *bytes;
    size_t size;
};

static struct file files[MOST_FILES];
static size_t file_count;
static long copies;
static uint64_t first = 1;
static double seconds;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void read_files(void)
{
    const char *place = test_data("arch");
    DIR *folder = place ? opendir(place) : NULL;
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL && file_count + 1 < MOST_FILES) {
        struct file *file = &files[file_count];
        char path[128];
        snprintf(path, sizeof path, "arch/%.60s/model.gguf", entry->d_name);
        snprintf(file->name, sizeof file->name, "%.60s", entry->d_name);
        file->bytes = entry->d_name[0] == '.' ? NULL : test_read(test_data(path), &file->size);
        file_count += file->bytes != NULL;
    }
    if (folder)
        closedir(folder);
    qsort(files, file_count, sizeof *files, by_name);
    struct file *tiny = &files[file_count++];
    snprintf(tiny->name, sizeof tiny->name, "tiny");
    tiny->bytes = tiny_model(&tiny->size);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Written before it is tried, if it is asked for: what is left after a crash. */
static void keep(const unsigned char *copy, size_t size)
{
    const char *path = getenv("LOAM_FUZZ_LAST");
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(copy, 1, size, file);
        fclose(file);
    }
}

static void changed_models_do_no_harm(void)
{
    double start = now(), slowest = 0;
    long runs = 0;
    for (; seconds > 0 ? now() - start < seconds : runs < copies; runs++) {
        const struct file *file = &files[(size_t)runs % file_count];
        uint64_t random = first + (uint64_t)runs * 1000003;
        size_t capacity = file->size + MORE;
        unsigned char *copy = malloc(capacity);
        REQUIRE(copy);
        size_t size = families_change(copy, capacity, file->bytes, file->size, &random);
        REQUIRE(size > 0);
        copy = realloc(copy, size); /* so that reading beyond it is seen */
        REQUIRE(copy);
        keep(copy, size);
        double begin = now();
        LLVMFuzzerTestOneInput(copy, size);
        double took = now() - begin;
        slowest = took > slowest ? took : slowest;
        if (took > SLOW)
            printf("# run %ld, of %s, took %.0f s\n", runs, file->name, took);
        CHECK(took <= SLOW);
        free(copy);
    }
    printf("# %ld changed copies of %zu files, the slowest took %.1f s\n", runs, file_count,
           slowest);
}

int main(int count, char **arguments)
{
    copies = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;
    first = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    seconds = count > 3 ? strtod(arguments[3], NULL) : 0;
    read_files();
    RUN(changed_models_do_no_harm);
    for (size_t i = 0; i < file_count; i++)
        free(files[i].bytes);
    return test_end();
}

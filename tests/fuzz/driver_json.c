/* SPDX-License-Identifier: MIT */
/*
 * Runs the target of tokenizer.json without a fuzzer: over changed copies of
 * small files, in which bytes, and pieces of one and another, are exchanged; and
 * over the files that are named. The same every time.
 *
 *     fuzz-tokenizer_json COPIES [FILE...]
 *     fuzz-tokenizer_json --seeds FOLDER      writes the small files there
 */
#include "fuzz.h"
#include "json_seeds.h"
#include "test.h"

enum { SEEDS = sizeof json_seeds / sizeof json_seeds[0], MOST_BYTES = 1 << 14 };

static long copies;
static char **files;

/* Where a piece begins: at a mark of JSON from `at` on, or at the end. */
static size_t next_mark(const char *text, size_t length, size_t at)
{
    while (at < length && !strchr("{}[],:\"", text[at]))
        at++;
    return at < length ? at : length;
}

static size_t change_bytes(char *text, size_t length, uint64_t *random)
{
    static const char values[] = "{}[],:\"\\0129-+e.tfn \n\xC3\xE2\x81";
    for (uint32_t changes = test_random(random) % 4; changes > 0 && length > 0; changes--) {
        size_t at = test_random(random) % length;
        text[at] = values[test_random(random) % (sizeof values - 1)];
    }
    return length;
}

/* A piece of one file instead of a piece of another. */
static size_t exchange(char *out, uint64_t *random)
{
    const char *a = json_seeds[test_random(random) % SEEDS];
    const char *b = json_seeds[test_random(random) % SEEDS];
    size_t a_length = strlen(a), b_length = strlen(b);
    size_t from = next_mark(a, a_length, test_random(random) % a_length);
    size_t to = next_mark(a, a_length, from + test_random(random) % 40);
    size_t begin = next_mark(b, b_length, test_random(random) % b_length);
    size_t end = next_mark(b, b_length, begin + test_random(random) % 80);
    memcpy(out, a, from);
    memcpy(out + from, b + begin, end - begin);
    memcpy(out + from + end - begin, a + to, a_length - to);
    return from + (end - begin) + (a_length - to);
}

static void run_exactly(const char *text, size_t length)
{
    uint8_t *copy = malloc(length + !length);
    memcpy(copy, text, length);
    LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static void changed_copies_do_no_harm(void)
{
    static char text[MOST_BYTES];
    uint64_t random = 1;
    for (long i = 0; i < copies; i++) {
        size_t length;
        if (i % 2) {
            const char *seed = json_seeds[test_random(&random) % SEEDS];
            length = strlen(seed);
            memcpy(text, seed, length);
        } else {
            length = exchange(text, &random);
        }
        length = change_bytes(text, length, &random);
        run_exactly(text, test_random(&random) % 16 ? length : test_random(&random) % length);
    }
    for (size_t i = 0; i < SEEDS; i++)
        run_exactly(json_seeds[i], strlen(json_seeds[i]));
}

static void files_do_no_harm(void)
{
    for (char **name = files; *name; name++) {
        size_t size;
        unsigned char *bytes = test_read(*name, &size);
        CHECK(bytes);
        if (bytes)
            run_exactly((const char *)bytes, size);
        free(bytes);
    }
}

static int write_seeds(const char *folder)
{
    for (size_t i = 0; i < SEEDS; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/seed-%zu.json", folder, i);
        FILE *file = fopen(path, "wb");
        if (!file || fputs(json_seeds[i], file) < 0 || fclose(file))
            return 1;
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "--seeds") == 0)
        return write_seeds(arguments[2]);
    copies = count > 1 ? atol(arguments[1]) : 1000;
    files = arguments + (count > 1 ? 2 : 1);
    RUN(changed_copies_do_no_harm);
    RUN(files_do_no_harm);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: over the files that are named, and over
 * some thousands of changed copies of the tiny model, the same every time.
 *
 *     fuzz-gguf COPIES [FILE...]
 */
#include "fuzz.h"
#include "test.h"
#include "tools/tiny_model.h"

static long copies;
static char **files;

static void files_do_no_harm(void)
{
    for (char **name = files; *name; name++) {
        size_t size;
        unsigned char *bytes = test_read(*name, &size);
        CHECK(bytes != NULL);
        if (bytes)
            LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
    }
}

static void changed_copies_do_no_harm(void)
{
    size_t size;
    unsigned char *model = tiny_model(&size), *copy = malloc(size);
    uint64_t random = 1;
    for (long i = 0; i < copies; i++) {
        size_t length = test_random(&random) % 8 == 0 ? test_random(&random) % size : size;
        memcpy(copy, model, size);
        for (uint32_t changes = 1 + test_random(&random) % 4; changes > 0; changes--) {
            /* Mostly in the header, where it matters. */
            size_t at = test_random(&random) % (test_random(&random) % 4 ? 10000 : size);
            static const unsigned char values[] = {0, 1, 2, 127, 128, 255};
            copy[at] = test_random(&random) % 2 ? values[test_random(&random) % 6]
                                                : (unsigned char)test_random(&random);
        }
        LLVMFuzzerTestOneInput(copy, length);
    }
    LLVMFuzzerTestOneInput(model, size);
    free(copy);
    free(model);
}

int main(int count, char **arguments)
{
    copies = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;
    files = arguments + (count > 1 ? 2 : 1);
    RUN(files_do_no_harm);
    RUN(changed_copies_do_no_harm);
    return test_end();
}

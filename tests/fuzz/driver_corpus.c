/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: over the files that are named, and over
 * changed copies of each. The same every time.
 *
 *     fuzz-split COPIES [FILE...]
 */
#include "fuzz.h"
#include "test.h"

static long copies;
static char **files;

/* Some bytes changed, doubled or left out. */
static size_t change(unsigned char *out, const unsigned char *in, size_t size, uint64_t *random)
{
    static const unsigned char values[] = "\0 ()[]{}*+?|\\a1\n'\xC3\x80\xFF";
    uint32_t rate = 4 + test_random(random) % 100;
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        uint32_t kind = test_random(random) % rate;
        if (kind == 0)
            continue;
        out[written++] = in[i];
        if (kind == 1)
            out[written++] = in[i];
        else if (kind == 2)
            out[written - 1] = values[test_random(random) % (sizeof values - 1)];
        else if (kind == 3)
            out[written - 1] = (unsigned char)test_random(random);
    }
    return written;
}

static void files_and_changed_copies_do_no_harm(void)
{
    uint64_t random = 1;
    for (char **name = files; *name; name++) {
        size_t size;
        unsigned char *bytes = test_read(*name, &size);
        REQUIRE(bytes);
        unsigned char *copy = malloc(2 * size + 1);
        REQUIRE(copy);
        LLVMFuzzerTestOneInput(bytes, size);
        for (long i = 0; i < copies; i++)
            LLVMFuzzerTestOneInput(copy, change(copy, bytes, size, &random));
        free(copy);
        free(bytes);
    }
}

int main(int count, char **arguments)
{
    copies = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;
    files = arguments + (count > 1 ? 2 : 1);
    RUN(files_and_changed_copies_do_no_harm);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: over a corpus that a fuzzer has found, and
 * over changed copies of its inputs. The same every time.
 *
 *     fuzz-split COPIES CORPUS
 *
 * A corpus is one file: each input with its length in front, 32 bits in
 * little-endian order (tests/fuzz/corpus.py makes and unpacks it).
 */
#include "fuzz.h"
#include "test.h"

static long copies;
static const char *corpus;

/* Some bytes changed, doubled or left out; `out` has room for twice as many. */
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

/* The input as a block of its own, so that a sanitizer sees what is read behind it. */
static void run_input(const unsigned char *bytes, size_t size, uint64_t *random)
{
    unsigned char *input = malloc(2 * size + 1);
    REQUIRE(input);
    for (long i = 0; i < copies; i++)
        LLVMFuzzerTestOneInput(input, change(input, bytes, size, random));
    free(input);
    input = malloc(size + !size);
    REQUIRE(input);
    memcpy(input, bytes, size);
    LLVMFuzzerTestOneInput(input, size);
    free(input);
}

static void corpus_does_no_harm(void)
{
    uint64_t random = 1;
    size_t size, at = 0, count = 0;
    unsigned char *bytes = test_read(corpus, &size);
    REQUIRE(bytes);
    while (size - at >= 4) {
        const unsigned char *head = bytes + at;
        size_t length =
            head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        at += 4;
        REQUIRE(length <= size - at);
        run_input(bytes + at, length, &random);
        at += length;
        count++;
    }
    CHECK_EQUAL(at, size);
    CHECK(count > 20);
    free(bytes);
}

int main(int count, char **arguments)
{
    copies = count > 1 ? strtol(arguments[1], NULL, 10) : 0;
    corpus = count > 2 ? arguments[2] : "";
    RUN(corpus_does_no_harm);
    return test_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: over some thousands of changed copies of
 * the tiny model, and over the files that are named, fewer changed copies of
 * them, and of their packed form. The same every time.
 *
 *     fuzz-gguf COPIES [FILE...]
 */
#include "fuzz.h"
#include "test.h"
#include "tools/tiny_model.h"

#include <loam/loam.h>

static long copies;
static char **files;

/* Some bytes of each copy are changed, mostly in the header, where it matters. */
static void change_copies(const unsigned char *model, size_t size, size_t header, long count)
{
    static const unsigned char values[] = {0, 1, 2, 127, 128, 255};
    unsigned char *copy = malloc(size);
    uint64_t random = 1;
    REQUIRE(copy);
    for (long i = 0; i < count; i++) {
        size_t length = test_random(&random) % 8 == 0 ? test_random(&random) % size : size;
        memcpy(copy, model, size);
        for (uint32_t changes = 1 + test_random(&random) % 4; changes > 0; changes--) {
            size_t at = test_random(&random) % (test_random(&random) % 4 ? header : size);
            copy[at] = test_random(&random) % 2 ? values[test_random(&random) % 6]
                                                : (unsigned char)test_random(&random);
        }
        LLVMFuzzerTestOneInput(copy, length);
    }
    LLVMFuzzerTestOneInput(model, size);
    free(copy);
}

static void changed_copies_do_no_harm(void)
{
    size_t size;
    unsigned char *model = tiny_model(&size);
    REQUIRE(model);
    change_copies(model, size, 10000, copies);
    free(model);
}

struct packed {
    unsigned char *bytes;
    size_t size;
};

static int32_t take(void *user, const void *data, size_t size)
{
    struct packed *packed = user;
    unsigned char *bytes = realloc(packed->bytes, packed->size + size);
    if (!bytes)
        return 1;
    memcpy(bytes + packed->size, data, size);
    packed->bytes = bytes;
    packed->size += size;
    return 0;
}

static struct packed pack(const unsigned char *bytes, size_t size)
{
    struct packed packed = {NULL, 0};
    loam_engine *engine = NULL;
    loam_source source = {
        .struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY, .data = bytes, .size = size};
    CHECK_EQUAL(loam_engine_create(&engine, NULL, NULL), LOAM_OK);
    CHECK_EQUAL(loam_model_pack(engine, &source, take, &packed, NULL), LOAM_OK);
    loam_engine_release(engine);
    return packed;
}

static void files_do_no_harm(void)
{
    for (char **name = files; *name; name++) {
        size_t size;
        unsigned char *bytes = test_read(*name, &size);
        REQUIRE(bytes);
        change_copies(bytes, size, 14000, copies / 50);
        struct packed packed = pack(bytes, size);
        if (packed.size)
            change_copies(packed.bytes, packed.size, 14000, copies / 50);
        free(packed.bytes);
        free(bytes);
    }
}

int main(int count, char **arguments)
{
    copies = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;
    files = arguments + (count > 1 ? 2 : 1);
    RUN(files_do_no_harm);
    RUN(changed_copies_do_no_harm);
    return test_end();
}

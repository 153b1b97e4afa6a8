/* SPDX-License-Identifier: MIT */
/* loam pack: a model file in the form that opens by mapping. */
#include "cli.h"

#include <errno.h>
#include <string.h>

struct packing {
    loam_engine *engine;
    const char *from, *to;
    FILE *out;
    int number; /* errno of a failed write */
};

static int32_t take_bytes(void *user, const void *data, size_t size)
{
    struct packing *packing = user;
    if (interrupt_happened())
        return -1;
    errno = 0;
    if (fwrite(data, 1, size, packing->out) == size)
        return 0;
    packing->number = errno;
    return -1;
}

static int pack(FILE *out, void *context)
{
    struct packing *packing = context;
    loam_source source = {.struct_size = sizeof source};
    loam_error error = {.struct_size = sizeof error};
    source.path.data = packing->from;
    source.path.length = LOAM_NUL_TERMINATED;
    packing->out = out;
    if (!loam_model_pack(packing->engine, &source, take_bytes, packing, &error))
        return EXIT_OK;
    if (interrupt_happened())
        return EXIT_INTERRUPTED;
    if (packing->number)
        return fail("%s: cannot write: %s", packing->to, strerror(packing->number));
    return fail_with(&error);
}

int command_pack(int count, char **arguments)
{
    struct common common = {0};
    struct packing packing = {0};
    const struct option options[] = {
        {"--threads", "-t", OPTION_INTEGER, &common.threads, "N", "threads (default: all)", 0,
         1024},
        {"--memory-limit", NULL, OPTION_BYTES, &common.memory_limit, "BYTES",
         "most memory to hold (K, M, G)", 0, 0},
    };
    const char *names[2];
    size_t name_count;
    int code = options_read(count, arguments, "pack IN.gguf OUT.gguf [OPTIONS]", options,
                            COUNT_OF(options), names, COUNT_OF(names), &name_count);
    if (code >= 0)
        return code;
    if (name_count != 2) {
        fail("pack: found %zu file names, expected two: IN.gguf OUT.gguf", name_count);
        return EXIT_USAGE;
    }
    interrupt_begin();
    packing.from = names[0];
    packing.to = names[1];
    code = open_engine(&packing.engine, &common);
    if (!code)
        code = write_whole(packing.to, pack, &packing);
    loam_engine_release(packing.engine);
    return code;
}

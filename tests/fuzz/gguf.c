/* SPDX-License-Identifier: MIT */
/* The header of a model file, from any bytes. */
#include "fuzz.h"

#include "format/gguf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    struct source source;
    struct gguf gguf;
    loam_error error = {.struct_size = sizeof error};
    loam_source given = {
        .struct_size = sizeof given, .kind = LOAM_SOURCE_MEMORY, .data = data, .size = size};
    /* A header may take a few times what the file is, and no more. */
    loam_memory_init(&memory, NULL, 16 * (uint64_t)size + 65536);
    if (loam_source_open(&source, &given, &error))
        return 0;
    loam_status status = loam_gguf_read(&gguf, &source, &memory, &error);
    if (status == LOAM_MEMORY)
        abort();
    if (status == LOAM_OK) {
        for (uint64_t i = 0; i < gguf.tensor_count; i++)
            if (gguf.tensors[i].offset + gguf.tensors[i].bytes > size)
                abort();
        loam_gguf_find(&gguf, "general.architecture");
        loam_gguf_end(&gguf);
    }
    if (atomic_load(&memory.held) != 0)
        abort();
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* A tokenizer.json: read it, encode and decode with it, cut a document by it. */
#include "fuzz.h"

#include "base/memory.h"
#include "text/document.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static const char text[] =
    "Once <s> upon\t a time. <x> caf\xC3\xA9 e\xCC\x81\xCC\xA7 \xED\x95\x9C"
    "\n\n\xE6\x97\xA5\xE6\x9C\xAC 123\xC2\xB2 ON'S \xFF\xE2\x96\x81 on. end  ";

static int32_t check_chunk(void *user, const loam_chunk *chunk)
{
    size_t *last = user;
    if (chunk->begin > *last || chunk->end <= *last || chunk->end > sizeof text - 1)
        abort();
    *last = chunk->end;
    return 0;
}

static void use(const struct tokenizer *tokenizer, struct memory *memory, const char *bytes,
                size_t length)
{
    for (uint32_t flags = 0; flags < 4; flags++) {
        struct token_list list = {0};
        loam_status status =
            loam_tokenizer_append(&list, tokenizer, memory, bytes, length, flags, NULL);
        if (status != LOAM_OK && status != LOAM_MEMORY)
            abort();
        for (size_t i = 0; i < list.count; i++) {
            char piece[16];
            int32_t id = list.ids[i];
            if (id < 0 || (uint32_t)id >= loam_tokenizer_count(tokenizer))
                abort();
            if (flags == 0 && (loam_tokenizer_flags(tokenizer, id) & LOAM_TOKEN_CONTROL) &&
                !(loam_tokenizer_flags(tokenizer, id) & LOAM_TOKEN_UNKNOWN))
                abort(); /* nobody asked for it */
            loam_tokenizer_piece(piece, sizeof piece, tokenizer, id, true);
        }
        loam_memory_free(memory, list.ids);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    struct tokenizer *tokenizer = NULL;
    size_t last = 0;
    loam_split_options options = {.struct_size = sizeof options,
                                  .max_tokens = 12,
                                  .overlap_tokens = 3,
                                  .chunk = check_chunk,
                                  .user = &last};
    loam_memory_init(&memory, NULL, 64u << 20);
    if (loam_tokenizer_json_create(&tokenizer, (const char *)data, size, &memory, NULL) ==
        LOAM_OK) {
        use(tokenizer, &memory, text, sizeof text - 1);
        use(tokenizer, &memory, (const char *)data, size < 300 ? size : 300);
        if (loam_document_split(tokenizer, &memory, text, sizeof text - 1, &options, NULL) ==
                LOAM_OK &&
            last != sizeof text - 1)
            abort();
        loam_tokenizer_destroy(tokenizer);
    }
    if (atomic_load(&memory.held) != 0)
        abort();
    return 0;
}

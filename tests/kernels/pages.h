/* SPDX-License-Identifier: MIT */
/* Pages of keys and values for the tests of storage and attention. */
#ifndef LOAM_TESTS_KERNELS_PAGES_H
#define LOAM_TESTS_KERNELS_PAGES_H

#include "kernels.h"

enum { PAGES = 4, POSITIONS = PAGES * PAGE, DEEP_PAGES = 130 };

struct pages {
    struct kv_layout layout;
    void *pages[DEEP_PAGES];
    size_t page_bytes;
};

/* `count` pages. */
static inline void pages_make_deep(struct pages *out, int32_t type, uint32_t kv_heads,
                                   uint32_t key_width, uint32_t value_width, int filler,
                                   size_t count)
{
    struct kv_layout *layout = &out->layout;
    *layout = (struct kv_layout){
        .type = type, .kv_heads = kv_heads, .key_width = key_width, .value_width = value_width};
    layout->key_bytes = loam_kv_key_bytes(type, key_width);
    layout->value_bytes = loam_kv_value_bytes(type, value_width);
    layout->value_offset = layout->key_bytes * kv_heads;
    out->page_bytes = layout->value_offset + layout->value_bytes * kv_heads;
    for (size_t i = 0; i < count; i++) /* 0xFF: NaN where nothing was stored */
        out->pages[i] = memset(kernels_memory(out->page_bytes), filler, out->page_bytes);
}

static inline void pages_make(struct pages *out, int32_t type, uint32_t kv_heads,
                              uint32_t key_width, uint32_t value_width, int filler)
{
    pages_make_deep(out, type, kv_heads, key_width, value_width, filler, PAGES);
}

#endif

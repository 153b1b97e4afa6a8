/* SPDX-License-Identifier: MIT */
/* A matrix in the form that kernels read. */
#ifndef LOAM_TESTS_PACK_H
#define LOAM_TESTS_PACK_H

#include "quant/types.h"

/* out = the matrix of `rows` rows in the file's layout as packed, or as it is
 * if its type is not packed; out has loam_packed_bytes, 64-byte aligned. */
static inline void test_pack(const struct weight_type *type, void *out, const void *blocks,
                             size_t width, size_t rows)
{
    size_t row_bytes = width / type->block_elements * type->block_bytes;
    if (!type->packing) {
        memcpy(out, blocks, rows * row_bytes);
        return;
    }
    for (size_t panel = 0; panel * PANEL_ROWS < rows; panel++) {
        const void *at[PANEL_ROWS];
        for (size_t i = 0; i < PANEL_ROWS; i++) {
            size_t row = panel * PANEL_ROWS + i;
            at[i] = row < rows ? (const char *)blocks + row * row_bytes : NULL;
        }
        loam_pack_panel(type, (char *)out + panel * loam_packed_panel_bytes(type, width), at,
                        width);
    }
}

#endif

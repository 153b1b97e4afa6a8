/* SPDX-License-Identifier: MIT */
/* Panels: what is common to all types. */
#include "quant/types.h"

static size_t unit_blocks(const struct weight_type *type)
{
    return type->packing->unit_elements / type->block_elements;
}

uint64_t loam_packed_panel_bytes(const struct weight_type *type, uint64_t width)
{
    const struct weight_packing *packing = type->packing;
    return (width + packing->unit_elements - 1) / packing->unit_elements * packing->unit_bytes;
}

uint64_t loam_packed_bytes(const struct weight_type *type, uint64_t width, uint64_t rows)
{
    return (rows + PANEL_ROWS - 1) / PANEL_ROWS * loam_packed_panel_bytes(type, width);
}

void loam_pack_panel(const struct weight_type *type, void *panel,
                     const void *const rows[PANEL_ROWS], size_t width)
{
    size_t blocks = width / type->block_elements;
    unsigned char *unit = panel;
    for (size_t first = 0; first < blocks; first += unit_blocks(type)) {
        const void *at[PANEL_ROWS];
        for (size_t i = 0; i < PANEL_ROWS; i++)
            at[i] = rows[i] ? (const char *)rows[i] + first * type->block_bytes : NULL;
        type->packing->pack(unit, at, loam_min(unit_blocks(type), blocks - first));
        unit += type->packing->unit_bytes;
    }
}

void loam_unpack_blocks(const struct weight_type *type, void *blocks, const void *panel, size_t row,
                        size_t first, size_t count)
{
    /* Units are unpacked whole: at most two blocks, of which one may not be wanted. */
    unsigned char pair[2 * 256], *out = blocks;
    size_t per_unit = unit_blocks(type);
    while (count > 0) {
        size_t skip = first % per_unit, take = loam_min(per_unit - skip, count);
        const unsigned char *unit =
            (const unsigned char *)panel + first / per_unit * type->packing->unit_bytes;
        type->packing->unpack(pair, unit, row, skip + take);
        memcpy(out, pair + skip * type->block_bytes, take * type->block_bytes);
        out += take * type->block_bytes;
        first += take;
        count -= take;
    }
}

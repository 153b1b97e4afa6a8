/* SPDX-License-Identifier: MIT */
/* Panels: what is common to all types. */
#include "quant/types.h"

enum { MOST_UNIT_ROW = 512 /* bytes of a row in a unit: tests hold types to it */ };

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

/* Where a block is in a unit without functions of its own. */
static size_t place(const struct weight_type *type, size_t row, size_t block)
{
    return (row * unit_blocks(type) + block) * type->block_bytes;
}

/* Whether `count` blocks of these rows make a whole unit. */
static bool fills_unit(const struct weight_type *type, const void *const rows[PANEL_ROWS],
                       size_t count)
{
    for (size_t i = 0; i < PANEL_ROWS; i++)
        if (!rows[i])
            return false;
    return count == unit_blocks(type);
}

/* One item of each of 16 rows, a constant number of bytes. */
static inline void interleave(unsigned char *to, const unsigned char *const rows[PANEL_ROWS],
                              size_t offset, size_t item)
{
#pragma GCC unroll 16
    for (size_t o = 0; o < PANEL_ROWS; o++)
        memcpy(to + item * o, rows[o] + offset, item);
}

static void pack_fields(const struct weight_type *type, unsigned char *unit,
                        const void *const rows[PANEL_ROWS], size_t count)
{
    static const unsigned char zero[MOST_UNIT_ROW]; /* a row that is not there */
    const unsigned char *from[PANEL_ROWS], *end = unit + type->packing->unit_bytes;
    for (size_t o = 0; o < PANEL_ROWS; o++)
        from[o] = rows[o] ? rows[o] : zero;
    for (const struct packed_field *field = type->packing->fields; field->item; field++) {
        size_t item = field->item, items = field->count;
        for (size_t b = 0; b < count; b++)
            for (size_t i = 0; i < items; i++) {
                size_t offset = b * type->block_bytes + field->offset + i * item;
                unsigned char *to = unit + (b * items + i) * PANEL_ROWS * item;
                if (item == 4)
                    interleave(to, from, offset, 4);
                else if (item == 2)
                    interleave(to, from, offset, 2);
                else
                    interleave(to, from, offset, 1);
            }
        unit += unit_blocks(type) * items * PANEL_ROWS * item;
    }
    memset(unit, 0, (size_t)(end - unit));
}

static void unpack_fields(const struct weight_type *type, unsigned char *blocks,
                          const unsigned char *unit, size_t row, size_t count)
{
    for (const struct packed_field *field = type->packing->fields; field->item; field++) {
        size_t item = field->item, bytes = PANEL_ROWS * item * field->count;
        for (size_t b = 0; b < count; b++, unit += bytes)
            for (size_t i = 0; i < field->count; i++)
                memcpy(blocks + b * type->block_bytes + field->offset + i * item,
                       unit + (PANEL_ROWS * i + row) * item, item);
        unit += (unit_blocks(type) - count) * bytes;
    }
}

static void pack_unit(const struct weight_type *type, unsigned char *unit,
                      const void *const rows[PANEL_ROWS], size_t count)
{
    const struct weight_packing *packing = type->packing;
    if (!(packing->pack || packing->fields) || !fills_unit(type, rows, count))
        memset(unit, 0, packing->unit_bytes);
    if (packing->pack)
        packing->pack(unit, rows, count);
    else if (packing->fields)
        pack_fields(type, unit, rows, count);
    else
        for (size_t i = 0; i < PANEL_ROWS; i++)
            if (rows[i])
                memcpy(unit + place(type, i, 0), rows[i], count * type->block_bytes);
}

/* Blocks [first, end) of a row of one unit. */
static void unpack_unit(const struct weight_type *type, unsigned char *blocks,
                        const unsigned char *unit, size_t row, size_t first, size_t end)
{
    const struct weight_packing *packing = type->packing;
    if (!(packing->unpack || packing->fields)) {
        memcpy(blocks, unit + place(type, row, first), (end - first) * type->block_bytes);
        return;
    }
    /* Units are unpacked whole, of which some blocks may not be wanted. */
    unsigned char whole[MOST_UNIT_ROW];
    if (packing->unpack)
        packing->unpack(whole, unit, row, end);
    else
        unpack_fields(type, whole, unit, row, end);
    memcpy(blocks, whole + first * type->block_bytes, (end - first) * type->block_bytes);
}

void loam_pack_panel(const struct weight_type *type, void *panel,
                     const void *const rows[PANEL_ROWS], size_t width)
{
    size_t blocks = width / type->block_elements;
    unsigned char *unit = panel;
    size_t unit_bytes = type->packing->unit_bytes;
    for (size_t first = 0; first < blocks; first += unit_blocks(type)) {
        const void *at[PANEL_ROWS];
        /* A model's memory is new and far away. */
        for (size_t line = 0; line < unit_bytes; line += 64)
            __builtin_prefetch((const void *)((uintptr_t)unit + 2 * unit_bytes + line), 1);
        for (size_t i = 0; i < PANEL_ROWS; i++)
            at[i] = rows[i] ? (const char *)rows[i] + first * type->block_bytes : NULL;
        pack_unit(type, unit, at, loam_min(unit_blocks(type), blocks - first));
        unit += unit_bytes;
    }
}

void loam_unpack_blocks(const struct weight_type *type, void *blocks, const void *panel, size_t row,
                        size_t first, size_t count)
{
    unsigned char *out = blocks;
    size_t per_unit = unit_blocks(type);
    while (count > 0) {
        size_t skip = first % per_unit, take = loam_min(per_unit - skip, count);
        const unsigned char *unit =
            (const unsigned char *)panel + first / per_unit * type->packing->unit_bytes;
        unpack_unit(type, out, unit, row, skip, skip + take);
        out += take * type->block_bytes;
        first += take;
        count -= take;
    }
}

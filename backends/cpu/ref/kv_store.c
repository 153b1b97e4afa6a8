/* SPDX-License-Identifier: MIT */
/*
 * Rule 7: keys and values as they are kept. f16: round to nearest even. q8_0:
 * groups of 32 head dimensions of one position, the last may be shorter;
 * q by rule 3, the scale m / 127 rounded to f16; a group whose scale rounds to
 * zero is zero.
 */
#include "base/half.h"
#include "cpu/ref/ref.h"

enum { GROUP = 32 };

static size_t bytes_of(int32_t type, size_t width)
{
    size_t numbers = width * PAGE;
    size_t bytes = type == LOAM_KV_F32   ? numbers * 4
                   : type == LOAM_KV_F16 ? numbers * 2
                                         : numbers + (width + GROUP - 1) / GROUP * PAGE * 2;
    return loam_align(bytes, 64);
}

size_t loam_kv_key_bytes(int32_t type, uint32_t key_width)
{
    return bytes_of(type, key_width);
}

size_t loam_kv_value_bytes(int32_t type, uint32_t value_width)
{
    return bytes_of(type, value_width);
}

static bool finite(float x)
{
    return (loam_float_bits(x) & 0x7F800000u) != 0x7F800000u;
}

/* Position p of one head: element i goes to i * stride + offset, the scale of
 * group g to scales + 2 * (g * PAGE + p). */
struct place {
    unsigned char *base;
    size_t stride, offset, scales, p;
};

static bool store_q8_0(const struct place *place, const float *x, size_t width)
{
    bool good = true;
    for (size_t g = 0; g * GROUP < width; g++) {
        size_t count = loam_min(GROUP, width - g * GROUP);
        int8_t q[GROUP];
        float scale = loam_quantize_group(q, x + g * GROUP, count);
        uint16_t half = loam_half_from_float(scale);
        good = good && finite(scale) && finite(loam_half_to_float(half));
        for (size_t i = 0; i < count; i++) {
            int8_t kept = half ? q[i] : 0;
            place->base[(g * GROUP + i) * place->stride + place->offset] = (unsigned char)kept;
        }
        memcpy(place->base + place->scales + 2 * (g * PAGE + place->p), &half, 2);
    }
    return good;
}

static bool store_head(int32_t type, const struct place *place, const float *x, size_t width)
{
    bool good = true;
    if (type == LOAM_KV_Q8_0)
        return store_q8_0(place, x, width);
    for (size_t i = 0; i < width; i++) {
        size_t at = i * place->stride + place->offset;
        if (type == LOAM_KV_F32) {
            memcpy(place->base + 4 * at, &x[i], 4);
            good = good && finite(x[i]);
        } else {
            uint16_t half = loam_half_from_float(x[i]);
            memcpy(place->base + 2 * at, &half, 2);
            good = good && (half & 0x7C00) != 0x7C00;
        }
    }
    return good;
}

static bool store_row(const struct store_tile *tile, size_t row, size_t position)
{
    const struct kv_layout *layout = tile->layout;
    unsigned char *page = tile->pages[position / PAGE];
    size_t p = position % PAGE, key_width = layout->key_width, value_width = layout->value_width;
    bool good = true;
    for (size_t head = 0; head < layout->kv_heads; head++) {
        struct place key = {.base = page + layout->key_offset + head * layout->key_bytes,
                            .stride = PAGE,
                            .offset = p,
                            .scales = key_width * PAGE,
                            .p = p};
        struct place value = {.base = page + layout->value_offset + head * layout->value_bytes,
                              .stride = 1,
                              .offset = p * value_width,
                              .scales = value_width * PAGE,
                              .p = p};
        const float *k = tile->k + (row * layout->kv_heads + head) * key_width;
        const float *v = tile->v + (row * layout->kv_heads + head) * value_width;
        good = store_head(layout->type, &key, k, key_width) && good;
        good = store_head(layout->type, &value, v, value_width) && good;
    }
    return good;
}

bool loam_ref_store(const struct store_tile *tile)
{
    bool good = true;
    for (size_t i = 0; i < tile->row_count; i++)
        good = store_row(tile, tile->first_row + i, tile->position + i) && good;
    return good;
}

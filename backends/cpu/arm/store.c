/* SPDX-License-Identifier: MIT */
/*
 * Rule 7: keys and values of f16 into their pages; the other types as the
 * scalar kernel does. Bound: keys go to a place of their own each, PAGE apart.
 */
#include "base/half.h"
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"
#include "cpu/ref/ref.h"

/* 4 numbers as f16, nearest even; beyond gathers their exponents that are all
 * ones (infinite, NaN, or beyond 65504). */
INLINE uint16x4_t narrow(float32x4_t x, uint16x4_t *beyond)
{
    const uint16x4_t exponent = vdup_n_u16(0x7C00);
    uint16x4_t half = vreinterpret_u16_f16(vcvt_f16_f32(x));
    *beyond = vorr_u16(*beyond, vceq_u16(vand_u16(half, exponent), exponent));
    return half;
}

/* Element i of x goes to place i * stride. */
INLINE void store_head(uint16_t *place, size_t stride, const float *x, size_t width,
                       uint16x4_t *beyond)
{
    for (size_t i = 0; i < width; i += 4) {
        size_t count = loam_min(4, width - i);
        uint16x4_t half = narrow(load_first(x + i, count), beyond);
        if (stride == 1 && count == 4) {
            vst1_u16(place + i, half);
            continue;
        }
        uint16_t four[4];
        vst1_u16(four, half);
        for (size_t j = 0; j < count; j++)
            place[(i + j) * stride] = four[j];
    }
}

static bool store_f16(const struct store_tile *tile)
{
    const struct kv_layout *layout = tile->layout;
    uint16x4_t beyond = vdup_n_u16(0);
    for (size_t i = 0; i < tile->row_count; i++) {
        size_t row = tile->first_row + i, position = tile->position + i, p = position % PAGE;
        unsigned char *page = tile->pages[position / PAGE];
        for (size_t head = 0; head < layout->kv_heads; head++) {
            size_t at = row * layout->kv_heads + head;
            uint16_t *keys =
                (uint16_t *)(void *)(page + layout->key_offset + head * layout->key_bytes);
            uint16_t *values =
                (uint16_t *)(void *)(page + layout->value_offset + head * layout->value_bytes);
            store_head(keys + p, PAGE, tile->k + at * layout->key_width, layout->key_width,
                       &beyond);
            store_head(values + p * layout->value_width, 1, tile->v + at * layout->value_width,
                       layout->value_width, &beyond);
        }
    }
    return vmaxv_u16(beyond) == 0;
}

bool loam_neon_store(const struct store_tile *tile)
{
    return tile->layout->type == LOAM_KV_F16 ? store_f16(tile) : loam_ref_store(tile);
}

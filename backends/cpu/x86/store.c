/* SPDX-License-Identifier: MIT */
/*
 * Rule 7: keys and values of f16 into their pages; the other types as the
 * scalar kernel does. Bound: keys go to a place of their own each, PAGE apart.
 */
#include "cpu/ref/ref.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

/* 8 numbers as f16, nearest even; bits gathers their exponents that are all
 * ones (infinite, NaN, or beyond 65504). */
INLINE __m128i narrow(const float *x, __m128i *beyond)
{
    const __m128i exponent = _mm_set1_epi16(0x7C00);
    __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT);
    *beyond = _mm_or_si128(*beyond, _mm_cmpeq_epi16(_mm_and_si128(half, exponent), exponent));
    return half;
}

/* Element i of x goes to place i * stride. */
INLINE void store_head(uint16_t *place, size_t stride, const float *x, size_t width,
                       __m128i *beyond)
{
    for (size_t i = 0; i < width; i += 8) {
        size_t count = loam_min(8, width - i);
        float padded[8] = {0};
        uint16_t half[8];
        if (count < 8)
            memcpy(padded, x + i, count * sizeof *x);
        _mm_storeu_si128((__m128i *)(void *)half, narrow(count < 8 ? padded : x + i, beyond));
        for (size_t j = 0; j < count; j++)
            place[(i + j) * stride] = half[j];
    }
}

static bool store_f16(const struct store_tile *tile)
{
    const struct kv_layout *layout = tile->layout;
    __m128i beyond = _mm_setzero_si128();
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
    return _mm_testz_si128(beyond, beyond);
}

bool loam_avx2_store(const struct store_tile *tile)
{
    return tile->layout->type == LOAM_KV_F16 ? store_f16(tile) : loam_ref_store(tile);
}

/* SPDX-License-Identifier: MIT */
/*
 * Rule 7. A register holds 8 positions (keys) or 8 dimensions (values). Up to
 * QUERIES query heads of one row share every load and conversion:
 *
 *   scores  16 positions at a time: per dimension 2 loads of keys, and per
 *           query a broadcast and 2 fma
 *   output  16 dimensions at a time: per position 2 loads of values, and per
 *           query a broadcast and 2 fma, then the merge with the pages before
 *
 * Bound: two fma per cycle. Positions outside of what a row sees may be
 * loaded; their scores become -infinity, their weights +0, which change no
 * sum, and their values are skipped.
 */
#include "base/half.h"
#include "base/numeric.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"

enum { QUERIES = 4, GROUP = 32 };

/* Query heads of one row with what is known of each so far. */
struct queries {
    const float *q[QUERIES]; /* key_width numbers */
    float *out[QUERIES];     /* value_width numbers: O, in the end O / L */
    float m[QUERIES], l[QUERIES];
    /* q8_0 keys: two dimensions in a word, and the scales of groups */
    int32_t pairs[QUERIES][MAX_HEAD_WIDTH / 2];
    float scales[QUERIES][MAX_HEAD_WIDTH / GROUP];
    int count;
};

/* One page as its rows see it. */
struct page {
    const unsigned char *keys, *values;
    size_t begin, end;            /* visible positions */
    bool first;                   /* nothing before it */
    float weights[QUERIES][PAGE]; /* scores, then exp(score - m) */
    float a[QUERIES], b[QUERIES]; /* factors of the merge */
};

/* ---- scores ------------------------------------------------------------------ */

/* 8 keys or values as f32. */
INLINE __m256 widen(const unsigned char *base, size_t i, int32_t type)
{
    if (type == LOAM_KV_F32)
        return _mm256_loadu_ps((const float *)(const void *)(base + 4 * i));
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(base + 2 * i)));
}

/* Chains over the dimensions for 16 positions from p. */
INLINE void scores_float(__m256 s[QUERIES][2], const struct queries *queries,
                         const struct page *page, size_t width, size_t p, int32_t type,
                         const int count)
{
    for (int h = 0; h < count; h++)
        s[h][0] = s[h][1] = _mm256_setzero_ps();
    for (size_t i = 0; i < width; i++) {
        __m256 low = widen(page->keys, i * PAGE + p, type);
        __m256 high = widen(page->keys, i * PAGE + p + 8, type);
        for (int h = 0; h < count; h++) {
            __m256 q = _mm256_broadcast_ss(queries->q[h] + i);
            s[h][0] = _mm256_fmadd_ps(q, low, s[h][0]);
            s[h][1] = _mm256_fmadd_ps(q, high, s[h][1]);
        }
    }
}

INLINE __m256i load_bytes(const int8_t *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* Exact sums of one group of dimensions for 16 positions; the halves of the
 * registers hold positions 0 to 3 and 8 to 11, and 4 to 7 and 12 to 15. */
INLINE void group_sums(__m256i sum[QUERIES][2], const struct queries *queries, const int8_t *keys,
                       size_t begin, size_t end, const int count)
{
    for (int h = 0; h < count; h++)
        sum[h][0] = sum[h][1] = _mm256_setzero_si256();
    for (size_t i = begin; i < end; i += 2) {
        __m256i even = load_bytes(keys + i * PAGE);
        __m256i odd = i + 1 < end ? load_bytes(keys + (i + 1) * PAGE) : _mm256_setzero_si256();
        __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
        for (int h = 0; h < count; h++) {
            __m256i q = _mm256_set1_epi32(queries->pairs[h][i / 2]);
            sum[h][0] = _mm256_add_epi32(sum[h][0], _mm256_madd_epi16(low, q));
            sum[h][1] = _mm256_add_epi32(sum[h][1], _mm256_madd_epi16(high, q));
        }
    }
}

INLINE void scores_q8_0(__m256 s[QUERIES][2], const struct queries *queries,
                        const struct page *page, size_t width, size_t p, const int count)
{
    const int8_t *keys = (const int8_t *)page->keys + p;
    const unsigned char *scales = page->keys + width * PAGE + 2 * p;
    for (int h = 0; h < count; h++)
        s[h][0] = s[h][1] = _mm256_setzero_ps();
    for (size_t g = 0; g * GROUP < width; g++) {
        __m256i sum[QUERIES][2];
        group_sums(sum, queries, keys, g * GROUP, loam_min((g + 1) * GROUP, width), count);
        __m256 d0 = widen(scales, g * PAGE, LOAM_KV_F16);
        __m256 d1 = widen(scales, g * PAGE + 8, LOAM_KV_F16);
        for (int h = 0; h < count; h++) {
            __m256 d = _mm256_set1_ps(queries->scales[h][g]);
            __m256i first = _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x20);
            __m256i second = _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x31);
            s[h][0] = _mm256_fmadd_ps(_mm256_mul_ps(d0, d), _mm256_cvtepi32_ps(first), s[h][0]);
            s[h][1] = _mm256_fmadd_ps(_mm256_mul_ps(d1, d), _mm256_cvtepi32_ps(second), s[h][1]);
        }
    }
}

/* Lanes of positions p to p + 7 within [begin, end) keep x, others get -infinity. */
INLINE __m256 visible(__m256 x, const struct page *page, size_t p)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i at = _mm256_add_epi32(lanes, _mm256_set1_epi32((int32_t)p));
    __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)page->begin), at);
    __m256i within = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)page->end), at);
    const __m256 none = _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)0xFF800000u));
    return _mm256_blendv_ps(none, x, _mm256_castsi256_ps(_mm256_andnot_si256(before, within)));
}

INLINE float largest(__m256 x)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* Scores of the page; returns per query the largest in m. Which of two equal
 * zeros is the largest changes nothing: exp(+0) = exp(-0). */
INLINE void score_page(float m[QUERIES], struct page *page, const struct queries *queries,
                       const struct attention_tile *tile, int32_t type, const int count)
{
    const __m256 scale = _mm256_set1_ps(tile->scale);
    __m256 most[QUERIES];
    for (int h = 0; h < count; h++)
        most[h] = _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)0xFF800000u));
    for (size_t p = page->begin & ~(size_t)15; p < page->end; p += 16) {
        __m256 s[QUERIES][2];
        if (type == LOAM_KV_Q8_0)
            scores_q8_0(s, queries, page, tile->layout->key_width, p, count);
        else
            scores_float(s, queries, page, tile->layout->key_width, p, type, count);
        for (int h = 0; h < count; h++)
            for (size_t i = 0; i < 2; i++) {
                __m256 x = visible(_mm256_mul_ps(s[h][i], scale), page, p + 8 * i);
                most[h] = _mm256_max_ps(most[h], x);
                _mm256_storeu_ps(page->weights[h] + p + 8 * i, x);
            }
    }
    for (int h = 0; h < count; h++)
        m[h] = largest(most[h]);
}

/* Weights of one query, their sum, and its merge with the pages before. */
INLINE void weigh(struct page *page, struct queries *queries, int h, float m)
{
    __m256 low = _mm256_setzero_ps(), high = low, most = _mm256_set1_ps(m);
    float *weights = page->weights[h];
    for (size_t p = page->begin & ~(size_t)15; p < page->end; p += 16) {
        __m256 a = exp8(_mm256_sub_ps(_mm256_loadu_ps(weights + p), most));
        __m256 b = exp8(_mm256_sub_ps(_mm256_loadu_ps(weights + p + 8), most));
        low = _mm256_add_ps(low, a);
        high = _mm256_add_ps(high, b);
        _mm256_storeu_ps(weights + p, a);
        _mm256_storeu_ps(weights + p + 8, b);
    }
    float l = tree16(low, high);
    if (page->first) {
        queries->m[h] = m;
        queries->l[h] = l;
        return;
    }
    float all = m > queries->m[h] ? m : queries->m[h];
    page->a[h] = loam_expf(queries->m[h] - all);
    page->b[h] = loam_expf(m - all);
    queries->m[h] = all;
    queries->l[h] = _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(l), _mm_set_ss(page->b[h]),
                                               _mm_set_ss(queries->l[h] * page->a[h])));
}

/* ---- values ------------------------------------------------------------------ */

/* Values i to i + 7 of position p; fewer than 8 only at the end of a row. */
INLINE __m256 value(const struct page *page, size_t width, size_t p, size_t i, size_t count,
                    int32_t type)
{
    const unsigned char *base = page->values;
    if (type == LOAM_KV_Q8_0) {
        size_t groups = (width + GROUP - 1) / GROUP;
        uint16_t half;
        memcpy(&half, base + width * PAGE + 2 * (p * groups + i / GROUP), 2);
        int64_t bytes = 0;
        memcpy(&bytes, base + p * width + i, count);
        return _mm256_mul_ps(_mm256_set1_ps(_mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)))),
                             _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes))));
    }
    if (count == 8)
        return widen(base, p * width + i, type);
    if (type == LOAM_KV_F32)
        return _mm256_maskload_ps((const float *)(const void *)(base + 4 * (p * width + i)),
                                  first_lanes(count));
    uint16_t halves[8] = {0};
    memcpy(halves, base + 2 * (p * width + i), count * 2);
    return widen((const unsigned char *)halves, 0, type);
}

/* Sums of 8 * blocks dimensions from i, merged into O. `last` counts those of
 * the last block. */
INLINE void sum_values(const struct page *page, const struct queries *queries, size_t width,
                       size_t i, const int blocks, size_t last, int32_t type, const int count)
{
    __m256 o[QUERIES][2];
    for (int h = 0; h < count; h++)
        o[h][0] = o[h][1] = _mm256_setzero_ps();
    for (size_t p = page->begin; p < page->end; p++) {
        __m256 v[2];
        for (int j = 0; j < blocks; j++)
            v[j] = value(page, width, p, i + 8 * (size_t)j, j + 1 == blocks ? last : 8, type);
        for (int h = 0; h < count; h++) {
            __m256 e = _mm256_broadcast_ss(page->weights[h] + p);
            for (int j = 0; j < blocks; j++)
                o[h][j] = _mm256_fmadd_ps(e, v[j], o[h][j]);
        }
    }
    for (int h = 0; h < count; h++)
        for (int j = 0; j < blocks; j++) {
            float *out = queries->out[h] + i + 8 * (size_t)j;
            __m256i mask = first_lanes(j + 1 == blocks ? last : 8);
            if (!page->first)
                o[h][j] = _mm256_fmadd_ps(
                    o[h][j], _mm256_set1_ps(page->b[h]),
                    _mm256_mul_ps(_mm256_maskload_ps(out, mask), _mm256_set1_ps(page->a[h])));
            _mm256_maskstore_ps(out, mask, o[h][j]);
        }
}

INLINE void add_page(struct page *page, struct queries *queries, const struct attention_tile *tile,
                     int32_t type, const int count)
{
    float m[QUERIES];
    size_t width = tile->layout->value_width, i = 0;
    score_page(m, page, queries, tile, type, count);
    for (int h = 0; h < count; h++)
        weigh(page, queries, h, m[h]);
    for (; i + 16 <= width; i += 16)
        sum_values(page, queries, width, i, 2, 8, type, count);
    for (; i < width; i += 8)
        sum_values(page, queries, width, i, 1, loam_min(8, width - i), type, count);
}

/* ---- rows -------------------------------------------------------------------- */

static void quantize_query(struct queries *queries, int h, size_t width)
{
    int8_t q[MAX_HEAD_WIDTH + 1];
    for (size_t g = 0; g * GROUP < width; g++)
        queries->scales[h][g] = loam_quantize_group(q + g * GROUP, queries->q[h] + g * GROUP,
                                                    loam_min(GROUP, width - g * GROUP));
    q[width] = 0;
    for (size_t i = 0; i < width; i += 2)
        queries->pairs[h][i / 2] = (int32_t)((uint32_t)(uint16_t)q[i] | (uint32_t)q[i + 1] << 16);
}

INLINE void attend(const struct attention_tile *tile, struct queries *queries, size_t position,
                   int32_t type, const int count)
{
    const struct kv_layout *layout = tile->layout;
    size_t first = tile->window && position >= tile->window ? position - tile->window + 1 : 0;
    for (int h = 0; type == LOAM_KV_Q8_0 && h < count; h++)
        quantize_query(queries, h, layout->key_width);
    for (size_t i = first / PAGE; i <= position / PAGE; i++) {
        const unsigned char *memory = tile->pages[i];
        struct page page = {.keys = memory + layout->key_offset + tile->kv_head * layout->key_bytes,
                            .values =
                                memory + layout->value_offset + tile->kv_head * layout->value_bytes,
                            .begin = i == first / PAGE ? first % PAGE : 0,
                            .end = i == position / PAGE ? position % PAGE + 1 : PAGE,
                            .first = i == first / PAGE};
        add_page(&page, queries, tile, type, count);
    }
    for (int h = 0; h < count; h++)
        for (size_t i = 0; i < layout->value_width; i++)
            queries->out[h][i] = queries->out[h][i] / queries->l[h];
}

INLINE void attention(const struct attention_tile *tile, int32_t type)
{
    const struct kv_layout *layout = tile->layout;
    struct queries queries;
    for (size_t i = 0; i < tile->row_count; i++)
        for (size_t h = 0; h < tile->heads_per_kv_head; h += QUERIES) {
            size_t row = tile->first_row + i, head = tile->kv_head * tile->heads_per_kv_head + h;
            queries.count = (int)loam_min(QUERIES, tile->heads_per_kv_head - h);
            for (int j = 0; j < queries.count; j++, head++) {
                queries.q[j] = tile->q + row * tile->q_stride + head * layout->key_width;
                queries.out[j] = tile->out + row * tile->out_stride + head * layout->value_width;
            }
            switch (queries.count) {
            case 4:
                attend(tile, &queries, tile->position + i, type, 4);
                break;
            case 3:
                attend(tile, &queries, tile->position + i, type, 3);
                break;
            case 2:
                attend(tile, &queries, tile->position + i, type, 2);
                break;
            default:
                attend(tile, &queries, tile->position + i, type, 1);
            }
        }
}

void loam_avx2_attention(const struct attention_tile *tile)
{
    switch (tile->layout->type) {
    case LOAM_KV_F32:
        attention(tile, LOAM_KV_F32);
        break;
    case LOAM_KV_F16:
        attention(tile, LOAM_KV_F16);
        break;
    default:
        attention(tile, LOAM_KV_Q8_0);
    }
}

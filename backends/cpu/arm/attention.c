/* SPDX-License-Identifier: MIT */
/*
 * Rule 7. A register holds 4 positions (keys) or 4 dimensions (values). Up to
 * QUERIES query heads of one row share every load and conversion:
 *
 *   scores  16 positions at a time (q8_0: 8): per dimension 4 loads of keys,
 *           and per query 4 fma by a scalar
 *   output  16 dimensions at a time: per position 4 loads of values, and per
 *           query 4 fma by a scalar, then the merge with the pages before
 *
 * Bound: fma. Positions outside of what a row sees may be loaded; their scores
 * become -infinity, their weights +0, which change no sum, and their values
 * are skipped.
 */
#include "base/half.h"
#include "base/numeric.h"
#include "cpu/arm/arm.h"
#include "cpu/arm/float4.h"

#include <math.h>

enum { QUERIES = 4, GROUP = 32 };

/* Query heads of one row with what is known of each so far. */
struct queries {
    const float *q[QUERIES]; /* key_width numbers */
    float *out[QUERIES];     /* value_width numbers: O, in the end O / L */
    float m[QUERIES], l[QUERIES];
    float slopes[QUERIES], scale; /* of scores */
    /* q8_0 keys: the query quantised, a zero behind it, and the scales of groups */
    int8_t quantized[QUERIES][MAX_HEAD_WIDTH + 1];
    float scales[QUERIES][MAX_HEAD_WIDTH / GROUP];
    size_t count, position;
};

/* One page as its rows see it. */
struct page {
    const unsigned char *keys, *values;
    size_t position;              /* of the first */
    size_t begin, end;            /* visible positions */
    bool first;                   /* nothing before it, and no sink */
    float weights[QUERIES][PAGE]; /* scores, then exp(score - m) */
    float scaled[QUERIES][PAGE];  /* q8_0: weights times the values' scales of one group */
    float a[QUERIES], b[QUERIES]; /* factors of the merge */
};

/* ---- scores ------------------------------------------------------------------ */

/* 4 keys or values as f32. */
INLINE float32x4_t widen(const unsigned char *base, size_t i, int32_t type)
{
    if (type == LOAM_KV_F32)
        return vld1q_f32((const float *)(const void *)(base + 4 * i));
    return widen_halves(vld1_u16((const uint16_t *)(const void *)(base + 2 * i)));
}

/* Chains over the dimensions for 16 positions from p. */
INLINE void scores_float(float32x4_t s[QUERIES][4], const struct queries *queries,
                         const struct page *page, size_t width, size_t p, int32_t type,
                         const size_t count)
{
    for (size_t h = 0; h < count; h++)
        for (size_t j = 0; j < 4; j++)
            s[h][j] = vdupq_n_f32(0);
    for (size_t i = 0; i < width; i++) {
        float32x4_t keys[4];
        for (size_t j = 0; j < 4; j++)
            keys[j] = widen(page->keys, i * PAGE + p + 4 * j, type);
        for (size_t h = 0; h < count; h++) {
            float q = queries->q[h][i];
            for (size_t j = 0; j < 4; j++)
                s[h][j] = vfmaq_n_f32(s[h][j], keys[j], q);
        }
    }
}

/* Exact sums of one group of dimensions for 8 positions. Two products of -128
 * and -127 just fit in 16 bits. */
INLINE void group_sums(int32x4_t sum[QUERIES][2], const struct queries *queries, const int8_t *keys,
                       size_t begin, size_t end, const size_t count)
{
    for (size_t h = 0; h < count; h++)
        sum[h][0] = sum[h][1] = vdupq_n_s32(0);
    for (size_t i = begin; i < end; i += 2) {
        int8x8_t even = vld1_s8(keys + i * PAGE);
        int8x8_t odd = i + 1 < end ? vld1_s8(keys + (i + 1) * PAGE) : vdup_n_s8(0);
        for (size_t h = 0; h < count; h++) {
            const int8_t *q = queries->quantized[h] + i;
            int16x8_t pairs = vmull_s8(even, vdup_n_s8(q[0]));
            pairs = vmlal_s8(pairs, odd, vdup_n_s8(q[1]));
            sum[h][0] = vaddw_s16(sum[h][0], vget_low_s16(pairs));
            sum[h][1] = vaddw_high_s16(sum[h][1], pairs);
        }
    }
}

/* 8 positions from p; s is that half of the registers of 16. */
INLINE void scores_q8_0(float32x4_t s[QUERIES][4], const struct queries *queries,
                        const struct page *page, size_t width, size_t p, size_t half,
                        const size_t count)
{
    const int8_t *keys = (const int8_t *)page->keys + p;
    const unsigned char *scales = page->keys + width * PAGE + 2 * p;
    for (size_t h = 0; h < count; h++)
        s[h][half] = s[h][half + 1] = vdupq_n_f32(0);
    for (size_t g = 0; g * GROUP < width; g++) {
        int32x4_t sum[QUERIES][2];
        group_sums(sum, queries, keys, g * GROUP, loam_min((g + 1) * GROUP, width), count);
        for (size_t j = 0; j < 2; j++) {
            float32x4_t d = widen(scales, g * PAGE + 4 * j, LOAM_KV_F16);
            for (size_t h = 0; h < count; h++)
                s[h][half + j] = vfmaq_f32(s[h][half + j], vmulq_n_f32(d, queries->scales[h][g]),
                                           vcvtq_f32_s32(sum[h][j]));
        }
    }
}

/* Lanes of positions p to p + 3 within [begin, end) keep x, others get -infinity. */
INLINE float32x4_t visible(float32x4_t x, const struct page *page, size_t p)
{
    static const uint32_t lanes[4] = {0, 1, 2, 3};
    uint32x4_t at = vaddq_u32(vld1q_u32(lanes), vdupq_n_u32((uint32_t)p));
    uint32x4_t within = vandq_u32(vcgeq_u32(at, vdupq_n_u32((uint32_t)page->begin)),
                                  vcltq_u32(at, vdupq_n_u32((uint32_t)page->end)));
    return vbslq_f32(within, x, vreinterpretq_f32_u32(vdupq_n_u32(0xFF800000u)));
}

/* What models with a soft cap or with slopes by distance do to scores of query h. */
INLINE float32x4_t adjusted(float32x4_t s, const struct attention_tile *tile,
                            const struct page *page, const struct queries *queries, size_t h,
                            size_t p)
{
    static const int32_t lanes[4] = {0, 1, 2, 3};
    if (tile->soft_cap != 0) {
        float32x4_t cap = vdupq_n_f32(tile->soft_cap);
        s = vmulq_f32(cap, tanh4(vdivq_f32(s, cap)));
    }
    if (queries->slopes[h] != 0) {
        int32_t first = (int32_t)(page->position + p) - (int32_t)queries->position;
        int32x4_t distance = vabsq_s32(vaddq_s32(vld1q_s32(lanes), vdupq_n_s32(first)));
        s = vfmaq_n_f32(s, vcvtq_f32_s32(distance), -queries->slopes[h]);
    }
    return s;
}

/* Scores of the page; returns per query the largest in m. Which of two equal
 * zeros is the largest changes nothing: exp(+0) = exp(-0). */
INLINE void score_page(float m[QUERIES], struct page *page, const struct queries *queries,
                       const struct attention_tile *tile, int32_t type, const size_t count)
{
    float32x4_t most[QUERIES];
    size_t width = tile->layout->key_width;
    for (size_t h = 0; h < count; h++)
        most[h] = vreinterpretq_f32_u32(vdupq_n_u32(0xFF800000u));
    for (size_t p = page->begin & ~(size_t)15; p < page->end; p += 16) {
        float32x4_t s[QUERIES][4];
        if (type == LOAM_KV_Q8_0) {
            scores_q8_0(s, queries, page, width, p, 0, count);
            scores_q8_0(s, queries, page, width, p + 8, 2, count);
        } else {
            scores_float(s, queries, page, width, p, type, count);
        }
        for (size_t h = 0; h < count; h++)
            for (size_t j = 0; j < 4; j++) {
                float32x4_t x = vmulq_n_f32(s[h][j], queries->scale);
                x = adjusted(x, tile, page, queries, h, p + 4 * j);
                x = visible(x, page, p + 4 * j);
                most[h] = vmaxq_f32(most[h], x);
                vst1q_f32(page->weights[h] + p + 4 * j, x);
            }
    }
    for (size_t h = 0; h < count; h++)
        m[h] = vmaxvq_f32(most[h]);
}

/* Weights of one query, their sum, and its merge with the pages before. */
INLINE void weigh(struct page *page, struct queries *queries, size_t h, float m)
{
    float32x4_t lanes[4], most = vdupq_n_f32(m);
    float *weights = page->weights[h];
    for (size_t j = 0; j < 4; j++)
        lanes[j] = vdupq_n_f32(0);
    for (size_t p = page->begin & ~(size_t)15; p < page->end; p += 16)
        for (size_t j = 0; j < 4; j++) {
            float32x4_t e = exp4(vsubq_f32(vld1q_f32(weights + p + 4 * j), most));
            lanes[j] = vaddq_f32(lanes[j], e);
            vst1q_f32(weights + p + 4 * j, e);
        }
    float l = tree16(lanes);
    if (page->first) {
        queries->m[h] = m;
        queries->l[h] = l;
        return;
    }
    float all = m > queries->m[h] ? m : queries->m[h];
    page->a[h] = loam_expf(queries->m[h] - all);
    page->b[h] = loam_expf(m - all);
    queries->m[h] = all;
    queries->l[h] = fmaf(l, page->b[h], queries->l[h] * page->a[h]);
}

/* ---- values ------------------------------------------------------------------ */

/* q8_0: weights times the scales of group g, so that values are integers. */
INLINE void scale_weights(struct page *page, size_t width, size_t g, const size_t count)
{
    const unsigned char *scales = page->values + (width + 2 * g) * PAGE;
    for (size_t p = page->begin & ~(size_t)3; p < page->end; p += 4) {
        float32x4_t d = widen(scales, p, LOAM_KV_F16);
        for (size_t h = 0; h < count; h++)
            vst1q_f32(page->scaled[h] + p, vmulq_f32(vld1q_f32(page->weights[h] + p), d));
    }
}

/* 16 values from dimension i, a multiple of 16, of position p; of q8_0 the integers. */
INLINE void values16(float32x4_t out[4], const struct page *page, size_t width, size_t p, size_t i,
                     int32_t type)
{
    if (type != LOAM_KV_Q8_0) {
        for (size_t j = 0; j < 4; j++)
            out[j] = widen(page->values, p * width + i + 4 * j, type);
        return;
    }
    int8x16_t bytes = vld1q_s8((const int8_t *)page->values + p * width + i);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    out[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    out[1] = vcvtq_f32_s32(vmovl_high_s16(low));
    out[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    out[3] = vcvtq_f32_s32(vmovl_high_s16(high));
}

/* `count` (1 to 4) values from dimension i, at the end of a row; then +0. */
INLINE float32x4_t last_values(const struct page *page, size_t width, size_t p, size_t i,
                               size_t count, int32_t type)
{
    unsigned char four[4 * 4] = {0};
    size_t bytes = type == LOAM_KV_F32 ? 4 : type == LOAM_KV_F16 ? 2 : 1;
    memcpy(four, page->values + (p * width + i) * bytes, count * bytes);
    if (type != LOAM_KV_Q8_0)
        return widen(four, 0, type);
    int16x8_t wide = vmovl_s8(vld1_s8((const int8_t *)four));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}

/* Sums of `blocks` (4, or 1 with `last` dimensions) times 4 dimensions from i,
 * merged into O. */
INLINE void sum_values(const struct page *page, const struct queries *queries, size_t width,
                       size_t i, const size_t blocks, size_t last, int32_t type, const size_t count)
{
    float32x4_t o[QUERIES][4];
    for (size_t h = 0; h < count; h++)
        for (size_t j = 0; j < blocks; j++)
            o[h][j] = vdupq_n_f32(0);
    for (size_t p = page->begin; p < page->end; p++) {
        float32x4_t v[4];
        if (blocks == 4)
            values16(v, page, width, p, i, type);
        else
            v[0] = last_values(page, width, p, i, last, type);
        for (size_t h = 0; h < count; h++) {
            float weight = type == LOAM_KV_Q8_0 ? page->scaled[h][p] : page->weights[h][p];
            for (size_t j = 0; j < blocks; j++)
                o[h][j] = vfmaq_n_f32(o[h][j], v[j], weight);
        }
    }
    for (size_t h = 0; h < count; h++)
        for (size_t j = 0; j < blocks; j++) {
            float *out = queries->out[h] + i + 4 * j;
            size_t present = blocks == 4 ? 4 : last;
            if (!page->first)
                o[h][j] = vfmaq_n_f32(vmulq_n_f32(load_first(out, present), page->a[h]), o[h][j],
                                      page->b[h]);
            store_first(out, o[h][j], present);
        }
}

INLINE void add_page(struct page *page, struct queries *queries, const struct attention_tile *tile,
                     int32_t type, const size_t count)
{
    float m[QUERIES];
    size_t width = tile->layout->value_width, i = 0;
    score_page(m, page, queries, tile, type, count);
    for (size_t h = 0; h < count; h++)
        weigh(page, queries, h, m[h]);
    for (; i + 16 <= width; i += 16) {
        if (type == LOAM_KV_Q8_0 && i % GROUP == 0)
            scale_weights(page, width, i / GROUP, count);
        sum_values(page, queries, width, i, 4, 4, type, count);
    }
    for (; i < width; i += 4) {
        if (type == LOAM_KV_Q8_0 && i % GROUP == 0)
            scale_weights(page, width, i / GROUP, count);
        sum_values(page, queries, width, i, 1, loam_min(4, width - i), type, count);
    }
}

/* ---- rows -------------------------------------------------------------------- */

static void quantize_query(struct queries *queries, size_t h, size_t width)
{
    int8_t *q = queries->quantized[h];
    for (size_t g = 0; g * GROUP < width; g++)
        queries->scales[h][g] = loam_quantize_group(q + g * GROUP, queries->q[h] + g * GROUP,
                                                    loam_min(GROUP, width - g * GROUP));
    q[width] = 0;
}

/* Page `index` of those that the row sees, [first, end). */
INLINE struct page page_of(const struct attention_tile *tile, size_t index, size_t first,
                           size_t end)
{
    const struct kv_layout *layout = tile->layout;
    const unsigned char *memory = tile->pages[index];
    return (struct page){.keys = memory + layout->key_offset + tile->kv_head * layout->key_bytes,
                         .values =
                             memory + layout->value_offset + tile->kv_head * layout->value_bytes,
                         .position = index * PAGE,
                         .begin = index == first / PAGE ? first % PAGE : 0,
                         .end = loam_min(end - index * PAGE, PAGE),
                         .first = tile->parts || (index == first / PAGE && !tile->sinks)};
}

/* The queries, of which the first is number `base` of the tile, give parts of the page. */
INLINE void attend_part(const struct attention_tile *tile, struct queries *queries,
                        struct page *page, size_t base, int32_t type, const size_t count)
{
    const struct attention_parts *parts = tile->parts;
    size_t at = base * parts->count + (page->position / PAGE - parts->first);
    for (size_t h = 0; h < count; h++)
        queries->out[h] = parts->o + (at + h * parts->count) * tile->layout->value_width;
    add_page(page, queries, tile, type, count);
    for (size_t h = 0; h < count; h++) {
        parts->sums[2 * (at + h * parts->count)] = queries->m[h];
        parts->sums[2 * (at + h * parts->count) + 1] = queries->l[h];
    }
}

/* A row's queries, of which the first is number `base` of the tile. */
INLINE void attend(const struct attention_tile *tile, struct queries *queries, size_t position,
                   size_t base, int32_t type, const size_t count)
{
    const struct kv_layout *layout = tile->layout;
    size_t first, end, page_end;
    loam_attention_visible(tile, position, &first, &end);
    page_end = (end - 1) / PAGE + 1;
    queries->position = position;
    queries->scale = loam_attention_scale(tile, position);
    for (size_t h = 0; type == LOAM_KV_Q8_0 && h < count; h++)
        quantize_query(queries, h, layout->key_width);
    if (tile->parts) {
        page_end = loam_min(page_end, tile->end_page);
        for (size_t i = loam_max(first / PAGE, tile->first_page); i < page_end; i++) {
            struct page page = page_of(tile, i, first, end);
            attend_part(tile, queries, &page, base, type, count);
        }
        return;
    }
    for (size_t i = first / PAGE; i < page_end; i++) {
        struct page page = page_of(tile, i, first, end);
        add_page(&page, queries, tile, type, count);
    }
    for (size_t h = 0; h < count; h++)
        for (size_t i = 0; i < layout->value_width; i++)
            queries->out[h][i] = queries->out[h][i] / queries->l[h];
}

INLINE void attention(const struct attention_tile *tile, int32_t type)
{
    const struct kv_layout *layout = tile->layout;
    struct queries queries;
    for (size_t i = 0; i < tile->row_count; i++)
        for (size_t h = 0; h < tile->head_count; h += QUERIES) {
            size_t row = tile->first_row + i, head = tile->first_head + h;
            queries.count = loam_min(QUERIES, tile->head_count - h);
            for (size_t j = 0; j < queries.count; j++, head++) {
                queries.q[j] = tile->q + row * tile->q_stride + head * layout->key_width;
                queries.out[j] = tile->out + row * tile->out_stride + head * layout->value_width;
                queries.slopes[j] = tile->slopes ? tile->slopes[head] : 0;
                if (tile->sinks && !tile->parts) {
                    queries.m[j] = tile->sinks[head];
                    queries.l[j] = 1;
                    memset(queries.out[j], 0, layout->value_width * sizeof(float));
                }
            }
            size_t base = i * tile->head_count + h;
            switch (queries.count) {
            case 4:
                attend(tile, &queries, tile->position + i, base, type, 4);
                break;
            case 3:
                attend(tile, &queries, tile->position + i, base, type, 3);
                break;
            case 2:
                attend(tile, &queries, tile->position + i, base, type, 2);
                break;
            default:
                attend(tile, &queries, tile->position + i, base, type, 1);
            }
        }
}

void loam_neon_attention(const struct attention_tile *tile)
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

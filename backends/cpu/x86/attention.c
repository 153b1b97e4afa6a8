/* SPDX-License-Identifier: MIT */
/*
 * Rule 7. A query is one head of one row. Up to QUERIES of them, neighbours in
 * heads and then in rows, go through the pages together and share every load
 * and conversion of keys and values; each has its own visible positions.
 *
 *   scores  a register is 8 positions; per dimension `span` loads of keys, and
 *           per query a broadcast and `span` fma
 *   output  a register is 8 dimensions; per position `span` loads of values,
 *           and per query a broadcast and `span` fma, then the merge with the
 *           pages before
 *
 * Queries times span are 6 to 12 chains, which covers the latency of fma.
 * Bound: two fma per cycle, while pages are in L2 or a few queries share them;
 * for one query the reading of keys and values. Beside work on the core's other
 * half it is the instructions: 26 for 12 fma.
 *
 * Pages of q8_0 that many queries see whole are taken by attention_whole.h.
 *
 * Positions that a query does not see may be loaded; their scores become
 * -infinity, their weights +0, which change no sum, and their values are skipped.
 */
#include "cpu/x86/attention.h"
#include "base/half.h"
#include "cpu/x86/x86.h"

enum {
    QUERIES = 6,
    EIGHT = 8, /* room for a lane of each query */
    TOGETHER = 64,
    GROUP = 32,
    MAX_SPAN = 8,
    INTEGERS = 4096 /* words of quantised queries at once: eight of the widest */
};

/* A query of q8_0 keys: two dimensions in a word, and the scales of groups. */
struct integers {
    int32_t *pairs; /* [width / 2], rounded up */
    float *scales;  /* [width / GROUP], rounded up */
};

INLINE int span_of(int count)
{
    return count == 1 ? 8 : count == 2 ? 4 : 2;
}

/* 8 keys or values as f32. */
INLINE __m256 widen(const unsigned char *base, size_t i, int32_t type)
{
    if (type == LOAM_KV_F32)
        return _mm256_loadu_ps((const float *)(const void *)(base + 4 * i));
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(base + 2 * i)));
}

/* Only who comes first to a page asks for the next ones. */
INLINE void ask(const struct page *page, const void *at)
{
    if (page->asks)
        fetch_ahead(page, at);
}

/* ---- scores ------------------------------------------------------------------ */

/* Chains over the dimensions for 8 * span positions from p. */
INLINE void scores_float(__m256 s[QUERIES][MAX_SPAN], const struct query *queries,
                         const struct page *page, size_t p, int32_t type, const int count)
{
    const int span = span_of(count);
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            s[h][j] = _mm256_setzero_ps();
#pragma GCC unroll 2
    for (size_t i = 0; i < page->key_width; i++) {
        __m256 keys[MAX_SPAN];
        for (int j = 0; j < span; j++) {
            size_t at = i * PAGE + p + 8 * (size_t)j;
            keys[j] = widen(page->keys, at, type);
            if (j % 2 == 0)
                ask(page, page->keys + at * (type == LOAM_KV_F32 ? 4 : 2));
        }
        for (int h = 0; h < count; h++) {
            __m256 q = _mm256_broadcast_ss(queries[h].q + i);
            for (int j = 0; j < span; j++)
                s[h][j] = _mm256_fmadd_ps(q, keys[j], s[h][j]);
        }
    }
}

INLINE __m256i load_bytes(const int8_t *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* Exact sums of one group of dimensions for 16 positions; the halves of the
 * registers hold positions 0 to 3 and 8 to 11, and 4 to 7 and 12 to 15. */
INLINE void group_sums(__m256i sum[QUERIES][2], const struct query *queries,
                       const struct page *page, size_t p, size_t begin, size_t end, const int count)
{
    const int8_t *keys = (const int8_t *)page->keys + p;
    for (int h = 0; h < count; h++)
        sum[h][0] = sum[h][1] = _mm256_setzero_si256();
    for (size_t i = begin; i < end; i += 2) {
        ask(page, page->keys + (i + p / 16 % 2) * PAGE);
        __m256i even = load_bytes(keys + i * PAGE);
        __m256i odd = i + 1 < end ? load_bytes(keys + (i + 1) * PAGE) : _mm256_setzero_si256();
        __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
        for (int h = 0; h < count; h++) {
            __m256i q = _mm256_set1_epi32(queries[h].integers->pairs[i / 2]);
            sum[h][0] = _mm256_add_epi32(sum[h][0], _mm256_madd_epi16(low, q));
            sum[h][1] = _mm256_add_epi32(sum[h][1], _mm256_madd_epi16(high, q));
        }
    }
}

INLINE void scores_q8_0(__m256 s[QUERIES][MAX_SPAN], const struct query *queries,
                        const struct page *page, size_t p, const int count)
{
    size_t width = page->key_width;
    const unsigned char *scales = page->keys + width * PAGE + 2 * p;
    for (int h = 0; h < count; h++)
        s[h][0] = s[h][1] = _mm256_setzero_ps();
    for (size_t g = 0; g * GROUP < width; g++) {
        __m256i sum[QUERIES][2];
        group_sums(sum, queries, page, p, g * GROUP, loam_min((g + 1) * GROUP, width), count);
        ask(page, scales + 2 * g * PAGE);
        __m256 d0 = widen(scales, g * PAGE, LOAM_KV_F16);
        __m256 d1 = widen(scales, g * PAGE + 8, LOAM_KV_F16);
        for (int h = 0; h < count; h++) {
            __m256 d = _mm256_set1_ps(queries[h].integers->scales[g]);
            __m256i first = _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x20);
            __m256i second = _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x31);
            s[h][0] = _mm256_fmadd_ps(_mm256_mul_ps(d0, d), _mm256_cvtepi32_ps(first), s[h][0]);
            s[h][1] = _mm256_fmadd_ps(_mm256_mul_ps(d1, d), _mm256_cvtepi32_ps(second), s[h][1]);
        }
    }
}

INLINE __m256 minus_infinity(void)
{
    return _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)0xFF800000u));
}

/* The largest lane of each of four registers. */
INLINE __m128 largest_of_four(const __m256 x[4])
{
    __m128 four[4];
    for (int h = 0; h < 4; h++)
        four[h] = _mm_max_ps(_mm256_castps256_ps128(x[h]), _mm256_extractf128_ps(x[h], 1));
    __m128 a = _mm_max_ps(_mm_movelh_ps(four[0], four[1]), _mm_movehl_ps(four[1], four[0]));
    __m128 b = _mm_max_ps(_mm_movelh_ps(four[2], four[3]), _mm_movehl_ps(four[3], four[2]));
    return _mm_max_ps(_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xDD));
}

/* tree16 of four queries. */
INLINE __m128 four_trees(const __m256 low[4], const __m256 high[4])
{
    __m256 eight[4];
    for (int h = 0; h < 4; h++)
        eight[h] = _mm256_add_ps(low[h], high[h]);
    return four_trees8(eight);
}

/* The same of all queries, a lane each. */
INLINE __m256 largest(const __m256 x[EIGHT], const int count)
{
    __m128 first = largest_of_four(x);
    return _mm256_set_m128(count > 4 ? largest_of_four(x + 4) : first, first);
}

INLINE __m256 trees(const __m256 low[EIGHT], const __m256 high[EIGHT], const int count)
{
    __m128 first = four_trees(low, high);
    return _mm256_set_m128(count > 4 ? four_trees(low + 4, high + 4) : first, first);
}

/* Scores of the page, and in lanes of `most` the largest of each query. Which of two
 * equal zeros that is changes nothing: exp(+0) = exp(-0). */
INLINE void score_page(__m256 most[EIGHT], float weights[][PAGE], const struct page *page,
                       const struct query *queries, int32_t type, const int count)
{
    const int span = type == LOAM_KV_Q8_0 ? 2 : span_of(count);
    const size_t step = 8 * (size_t)span;
    for (int h = 0; h < count; h++)
        most[h] = minus_infinity();
    for (size_t p = page->begin & ~(step - 1); p < page->end; p += step) {
        __m256 s[QUERIES][MAX_SPAN];
        bool all = p >= page->common_begin && p + step <= page->common_end;
        if (type == LOAM_KV_Q8_0)
            scores_q8_0(s, queries, page, p, count);
        else
            scores_float(s, queries, page, p, type, count);
        for (int h = 0; h < count; h++)
            for (int j = 0; j < span; j++) {
                __m256 x = _mm256_mul_ps(s[h][j], _mm256_set1_ps(queries[h].scale));
                size_t at = p + 8 * (size_t)j;
                if (!all)
                    x = visible8(x, queries[h].page_begin, queries[h].page_end, at);
                most[h] = _mm256_max_ps(most[h], x);
                _mm256_storeu_ps(weights[h] + at, x);
            }
    }
}

/* Scores of a query become weights, whose sum is taken in 16 lanes. */
INLINE void weigh(__m256 *low_sum, __m256 *high_sum, float *weights, const struct query *query,
                  float m)
{
    __m256 low = _mm256_setzero_ps(), high = low, most = _mm256_set1_ps(m);
    size_t end = (query->page_end + 15) & ~(size_t)15;
    for (size_t p = query->page_begin & ~(size_t)15; p < end; p += 16) {
        __m256 a = exp8_negative(_mm256_sub_ps(_mm256_loadu_ps(weights + p), most));
        __m256 b = exp8_negative(_mm256_sub_ps(_mm256_loadu_ps(weights + p + 8), most));
        low = _mm256_add_ps(low, a);
        high = _mm256_add_ps(high, b);
        _mm256_storeu_ps(weights + p, a);
        _mm256_storeu_ps(weights + p + 8, b);
    }
    *low_sum = low;
    *high_sum = high;
}

/*
 * M and L of the queries after this page, and the factors of its O. A first
 * page goes the same way from M = m and L = 0, which leaves l as it is: both
 * factors are 1.
 */
INLINE void merge(struct query *queries, __m256 m, __m256 l, const int count)
{
    float before_m[EIGHT], before_l[EIGHT] = {0}, after[4][EIGHT];
    _mm256_storeu_ps(before_m, m);
    for (int h = 0; h < count; h++)
        if (queries[h].merges) {
            before_m[h] = queries[h].m;
            before_l[h] = queries[h].l;
        }
    __m256 old = _mm256_loadu_ps(before_m), all = _mm256_max_ps(m, old);
    __m256 a = exp8_negative(_mm256_sub_ps(old, all)), b = exp8_negative(_mm256_sub_ps(m, all));
    _mm256_storeu_ps(after[0], all);
    _mm256_storeu_ps(after[1], _mm256_fmadd_ps(l, b, _mm256_mul_ps(_mm256_loadu_ps(before_l), a)));
    _mm256_storeu_ps(after[2], a);
    _mm256_storeu_ps(after[3], b);
    for (int h = 0; h < count; h++) {
        queries[h].m = after[0][h];
        queries[h].l = after[1][h];
        queries[h].a = after[2][h];
        queries[h].b = after[3][h];
    }
}

/* Scores, whose largest are in lanes of `most` if scaling is all, become weights, and M
 * and L those after this page. */
INLINE void weigh_page(float (*weights)[PAGE], const struct page *page, struct query *queries,
                       __m256 most[EIGHT], const int count)
{
    float maxima[EIGHT];
    __m256 low[EIGHT], high[EIGHT];
    for (int h = 0; page->adjusts && h < count; h++)
        most[h] = adjust_scores(weights[h], page, &queries[h]);
    for (int h = count; h < EIGHT; h++)
        most[h] = low[h] = high[h] = _mm256_setzero_ps();
    __m256 m = largest(most, count);
    _mm256_storeu_ps(maxima, m);
    for (int h = 0; h < count; h++)
        weigh(&low[h], &high[h], weights[h], &queries[h], maxima[h]);
    merge(queries, m, trees(low, high, count), count);
}

/* The same once for all types and sizes of sets: it takes 1.02 times as long. */
ONCE void weigh_few(float (*weights)[PAGE], const struct page *page, struct query *queries,
                    __m256 most[EIGHT], int count)
{
    weigh_page(weights, page, queries, most, count);
}

/* ---- values ------------------------------------------------------------------ */

/* q8_0: weights times the scales of group g, so that values are integers; they
 * stand behind the weights. */
INLINE void scale_weights(float weights[][PAGE], const struct page *page, size_t g, const int count)
{
    const unsigned char *scales = page->values + (page->value_width + 2 * g) * PAGE;
    for (size_t p = page->begin & ~(size_t)7; p < page->end; p += 8) {
        __m256 d = widen(scales, p, LOAM_KV_F16);
        ask(page, scales + 2 * p);
        for (int h = 0; h < count; h++)
            _mm256_storeu_ps(weights[QUERIES + h] + p,
                             _mm256_mul_ps(_mm256_loadu_ps(weights[h] + p), d));
    }
}

/* Values i to i + 7 of position p, of q8_0 the integers; fewer than 8 only at
 * the end of a row. */
INLINE __m256 value(const struct page *page, size_t p, size_t i, size_t count, int32_t type)
{
    const unsigned char *base = page->values;
    size_t at = p * page->value_width + i;
    if (type == LOAM_KV_Q8_0) {
        int64_t few = 0;
        if (count < 8)
            memcpy(&few, base + at, count);
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(
            count == 8 ? _mm_loadl_epi64((const __m128i *)(const void *)(base + at))
                       : _mm_cvtsi64_si128(few)));
    }
    if (count == 8)
        return widen(base, at, type);
    if (type == LOAM_KV_F32)
        return _mm256_maskload_ps((const float *)(const void *)(base + 4 * at), first_lanes(count));
    uint16_t halves[8] = {0};
    memcpy(halves, base + 2 * at, count * 2);
    return widen((const unsigned char *)halves, 0, type);
}

/* o += weight * value of position p; `all`: every query sees it. */
INLINE void add_value(__m256 o[QUERIES][MAX_SPAN], const struct page *page,
                      const struct query *queries, float factors[][PAGE], size_t p, const bool all,
                      size_t i, const int span, size_t last, int32_t type, const int count)
{
    const size_t bytes = type == LOAM_KV_F32 ? 4 : type == LOAM_KV_F16 ? 2 : 1;
    __m256 v[MAX_SPAN];
    for (int j = 0; j < span; j++)
        v[j] = value(page, p, i + 8 * (size_t)j, j + 1 == span ? last : 8, type);
    ask(page, page->values + (p * page->value_width + i) * bytes);
    for (int h = 0; h < count; h++) {
        __m256 e = _mm256_broadcast_ss(factors[h] + p);
        if (all || (p >= queries[h].page_begin && p < queries[h].page_end))
            for (int j = 0; j < span; j++)
                o[h][j] = _mm256_fmadd_ps(e, v[j], o[h][j]);
    }
}

/* The same over positions [begin, end). A loop of one position is fetched slowly beside
 * work on the core's other half: 1.03 times by four, where most of the work is. */
INLINE void add_values(__m256 o[QUERIES][MAX_SPAN], const struct page *page,
                       const struct query *queries, float weights[][PAGE], size_t begin, size_t end,
                       const bool all, size_t i, const int span, size_t last, int32_t type,
                       const int count)
{
    float(*factors)[PAGE] = weights + (type == LOAM_KV_Q8_0 ? QUERIES : 0);
    if (all && count == QUERIES && span > 1) {
#pragma GCC unroll 4
        for (size_t p = begin; p < end; p++)
            add_value(o, page, queries, factors, p, all, i, span, last, type, count);
    } else {
        for (size_t p = begin; p < end; p++)
            add_value(o, page, queries, factors, p, all, i, span, last, type, count);
    }
}

/* The first `count` dimensions of O after a page that gave them o. */
INLINE void put_values(const struct query *query, float *out, __m256 o, size_t count)
{
    __m256i mask = first_lanes(count);
    if (query->merges) {
        __m256 before = count == 8 ? _mm256_loadu_ps(out) : _mm256_maskload_ps(out, mask);
        before = _mm256_mul_ps(before, _mm256_set1_ps(query->a));
        o = _mm256_fmadd_ps(o, _mm256_set1_ps(query->b), before);
    }
    if (count == 8)
        _mm256_storeu_ps(out, o);
    else
        _mm256_maskstore_ps(out, mask, o);
}

/* O of 8 * span dimensions from i after this page. `last` counts those of the
 * last register. */
INLINE void sum_values(const struct page *page, const struct query *queries, float weights[][PAGE],
                       size_t i, const int span, size_t last, int32_t type, const int count)
{
    __m256 o[QUERIES][MAX_SPAN];
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            o[h][j] = _mm256_setzero_ps();
    size_t begin = loam_min(page->common_begin, page->end);
    size_t end = loam_max(page->common_end, begin);
    add_values(o, page, queries, weights, page->begin, begin, false, i, span, last, type, count);
    add_values(o, page, queries, weights, begin, end, true, i, span, last, type, count);
    add_values(o, page, queries, weights, end, page->end, false, i, span, last, type, count);
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            put_values(&queries[h], queries[h].out + i + 8 * (size_t)j, o[h][j],
                       j + 1 < span ? 8 : last);
}

INLINE void add_page(const struct page *page, struct query *queries, float weights[][PAGE],
                     int32_t type, const int count)
{
    /* q8_0: the dimensions of a register block share a group */
    const int span = type == LOAM_KV_Q8_0 && count == 1 ? 4 : span_of(count);
    __m256 most[EIGHT];
    size_t width = page->value_width, i = 0;
    score_page(most, weights, page, queries, type, count);
    if (count == QUERIES && type != LOAM_KV_F32)
        weigh_page(weights, page, queries, most, count);
    else
        weigh_few(weights, page, queries, most, count);
    for (; i + 8 * (size_t)span <= width; i += 8 * (size_t)span) {
        if (type == LOAM_KV_Q8_0 && i % GROUP == 0)
            scale_weights(weights, page, i / GROUP, count);
        sum_values(page, queries, weights, i, span, 8, type, count);
    }
    for (; i < width; i += 8) {
        if (type == LOAM_KV_Q8_0 && i % GROUP == 0)
            scale_weights(weights, page, i / GROUP, count);
        sum_values(page, queries, weights, i, 1, loam_min(8, width - i), type, count);
    }
}

/* f32 goes in sets of 1, 2, 4 and 6, for less code. */
INLINE int set_of(int left, int32_t type)
{
    return type == LOAM_KV_F32 && (left == 3 || left == 5) ? left - 1 : left;
}

/* Whether the page asks is a constant in each case. */
INLINE void add_page_for(int count, const struct page *page, struct query *queries,
                         const struct scratch *scratch, int32_t type)
{
    struct page asking = *page, quiet = *page;
    asking.asks = true;
    quiet.asks = false;
    switch (count) {
    case 6:
        if (page->near | page->far)
            add_page(&asking, queries, scratch->weights, type, 6);
        else
            add_page(&quiet, queries, scratch->weights, type, 6);
        break;
    case 5:
        if (type != LOAM_KV_F32)
            add_page(&asking, queries, scratch->weights, type, 5);
        break;
    case 4:
        add_page(&asking, queries, scratch->weights, type, 4);
        break;
    case 3:
        if (type != LOAM_KV_F32)
            add_page(&asking, queries, scratch->weights, type, 3);
        break;
    case 2:
        add_page(&asking, queries, scratch->weights, type, 2);
        break;
    default:
        add_page(&asking, queries, scratch->weights, type, 1);
    }
}

/* ---- rows -------------------------------------------------------------------- */

static void quantize_query(struct integers *out, const float *x, size_t width)
{
    int8_t q[MAX_HEAD_WIDTH + 1];
    for (size_t g = 0; g * GROUP < width; g++)
        out->scales[g] =
            loam_quantize_group(q + g * GROUP, x + g * GROUP, loam_min(GROUP, width - g * GROUP));
    q[width] = 0;
    for (size_t i = 0; i < width; i += 2)
        out->pairs[i / 2] = (int32_t)((uint32_t)(uint16_t)q[i] | (uint32_t)q[i + 1] << 16);
}

static void divide(float *out, float l, size_t width)
{
    size_t i = 0;
    for (; i + 8 <= width; i += 8)
        _mm256_storeu_ps(out + i, _mm256_div_ps(_mm256_loadu_ps(out + i), _mm256_set1_ps(l)));
    for (; i < width; i++)
        out[i] = out[i] / l;
}

#include "cpu/x86/attention_whole.h"

#include "cpu/x86/attention_walk.h"

/* Each in a function of its own: together they would share registers badly. */
static __attribute__((noinline)) void attention_f32(const struct attention_tile *tile)
{
    struct query queries[TOGETHER];
    float weights[QUERIES][PAGE];
    attention(tile, queries, &(struct scratch){.weights = weights}, TOGETHER, LOAM_KV_F32);
}

static __attribute__((noinline)) void attention_f16(const struct attention_tile *tile)
{
    struct query queries[TOGETHER];
    float weights[QUERIES][PAGE];
    attention(tile, queries, &(struct scratch){.weights = weights}, TOGETHER, LOAM_KV_F16);
}

static __attribute__((noinline)) void attention_q8_0(const struct attention_tile *tile)
{
    struct query queries[TOGETHER];
    struct integers integers[TOGETHER];
    int32_t pairs[INTEGERS];
    float scales[INTEGERS / (GROUP / 2)], weights[TOGETHER][PAGE];
    union wide_page room;
    size_t groups = (tile->layout->key_width + GROUP - 1) / GROUP;
    size_t most = loam_min(TOGETHER, INTEGERS / (groups * (GROUP / 2)));
    for (size_t j = 0; j < most; j++) {
        integers[j].pairs = pairs + j * groups * (GROUP / 2);
        integers[j].scales = scales + j * groups;
        queries[j].integers = &integers[j];
    }
    attention(tile, queries, &(struct scratch){.weights = weights, .room = &room}, most,
              LOAM_KV_Q8_0);
}

void loam_avx2_attention(const struct attention_tile *tile)
{
    if (tile->layout->type == LOAM_KV_F32)
        attention_f32(tile);
    else if (tile->layout->type == LOAM_KV_F16)
        attention_f16(tile);
    else
        attention_q8_0(tile);
}

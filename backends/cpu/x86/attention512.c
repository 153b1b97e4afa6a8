/* SPDX-License-Identifier: MIT */
/*
 * Rule 7 on registers of 16 lanes; see attention.c, whose way this is. A query
 * is one head of one row. Up to QUERIES of them, neighbours in heads and then
 * in rows, go through the pages together and share every load and conversion
 * of keys and values; each has its own visible positions.
 *
 *   scores  a register is 16 positions; per dimension `span` loads of keys, and
 *           per query a broadcast and `span` fma. q8_0: four dimensions of a
 *           position stand in one word, for vpdpbusd
 *   output  a register is 16 dimensions; per position `span` loads of values,
 *           and per query a broadcast and `span` fma
 *
 * Queries times span are up to 16 chains. Bound: two operations a cycle, fma,
 * conversions (two operations each for f16 and for values of q8_0) and
 * vpdpbusd alike; for one query the reading of keys and values.
 *
 * Positions that a query does not see may be loaded; their scores become
 * -infinity, their weights +0, which change no sum, and their values are skipped.
 */
#include "base/half.h"
#include "cpu/x86/attention.h"
#include "cpu/x86/float16.h"
#include "cpu/x86/x86.h"

enum { QUERIES = 8, TOGETHER = 32, WIDE = 24, GROUP = 32, MAX_SPAN = 4, WORDS = GROUP / 4 };

/* Wider heads of q8_0, of which no model is known, are the level avx2's: 8 of
 * their queries would take too much stack. */
enum { MAX_INTEGERS = 640 };

/* A query of q8_0 keys: four dimensions in a word, and of each group the scale
 * and what -128 in every dimension would add. */
struct integers {
    int32_t words[MAX_INTEGERS / 4];
    float scales[MAX_INTEGERS / GROUP];
    int32_t offsets[MAX_INTEGERS / GROUP];
};

/* What a page of q8_0 is turned into, a group of dimensions at a time. */
union group {
    __m512i keys[WORDS][PAGE / 16]; /* by words of dimensions, then positions */
    float weights[QUERIES][PAGE];   /* times the scales of the values of a group */
};

/* The registers of positions or dimensions that queries go through at once. */
INLINE int span_of(int count)
{
    return count > 4 ? 2 : MAX_SPAN;
}

/* 16 keys, values or scales as f32. */
INLINE __m512 widen(const unsigned char *base, size_t i, int32_t type)
{
    if (type == LOAM_KV_F32)
        return _mm512_loadu_ps(base + 4 * i);
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(base + 2 * i)));
}

/* ---- scores ------------------------------------------------------------------ */

/* Lanes of positions p to p + 15 within [begin, end). */
INLINE __mmask16 visible(size_t begin, size_t end, size_t p)
{
    size_t from = begin > p ? loam_min(begin - p, 16) : 0;
    size_t to = end > p ? loam_min(end - p, 16) : 0;
    return (__mmask16)(first_of_16(to) & ~first_of_16(from));
}

/* The scores of 16 positions from p, times the scale; in `most` their largest.
 * Which of two equal zeros that is changes nothing: exp(+0) = exp(-0). */
INLINE void put_scores(float *weights, const struct query *query, const struct page *page, size_t p,
                       __m512 s, __m512 *most)
{
    const __m512 nothing = _mm512_castsi512_ps(_mm512_set1_epi32((int32_t)0xFF800000u));
    __m512 x = _mm512_mul_ps(s, _mm512_set1_ps(query->scale));
    if (p < page->common_begin || p + 16 > page->common_end)
        x = _mm512_mask_blend_ps(visible(query->page_begin, query->page_end, p), nothing, x);
    *most = _mm512_max_ps(*most, x);
    _mm512_storeu_ps(weights + p, x);
}

/* Chains over the dimensions, for 16 * span positions at a time. */
INLINE void scores_float(__m512 most[QUERIES], float weights[][PAGE], const struct query *queries,
                         const struct page *page, int32_t type, const int count)
{
    const int span = span_of(count);
    const size_t step = 16 * (size_t)span;
    for (size_t p = page->begin & ~(step - 1); p < page->end; p += step) {
        __m512 s[QUERIES][MAX_SPAN];
        for (int h = 0; h < count; h++)
            for (int j = 0; j < span; j++)
                s[h][j] = _mm512_setzero_ps();
        for (size_t i = 0; i < page->key_width; i++) {
            __m512 keys[MAX_SPAN];
            for (int j = 0; j < span; j++) {
                size_t at = i * PAGE + p + 16 * (size_t)j;
                keys[j] = widen(page->keys, at, type);
                if (type == LOAM_KV_F32 || j % 2 == 0)
                    fetch_ahead(page, page->keys + at * (type == LOAM_KV_F32 ? 4 : 2));
            }
            for (int h = 0; h < count; h++) {
                __m512 q = _mm512_set1_ps(queries[h].q[i]);
                for (int j = 0; j < span; j++)
                    s[h][j] = _mm512_fmadd_ps(q, keys[j], s[h][j]);
            }
        }
        for (int h = 0; h < count; h++)
            for (int j = 0; j < span; j++)
                put_scores(weights[h], &queries[h], page, p + 16 * (size_t)j, s[h][j], &most[h]);
    }
}

/* Adds dimensions [begin, begin + dimensions) of all positions, whose keys are
 * `wide`, to scores of 8 queries. */
static __attribute__((noinline)) void add_scores(float weights[][PAGE], const struct query *queries,
                                                 const float *wide, size_t begin, size_t dimensions)
{
    const int span = 2;
    for (size_t p = 0; p < PAGE; p += 16 * (size_t)span) {
        __m512 s[QUERIES][MAX_SPAN];
        for (int h = 0; h < QUERIES; h++)
            for (int j = 0; j < span; j++)
                s[h][j] =
                    begin ? _mm512_loadu_ps(weights[h] + p + 16 * (size_t)j) : _mm512_setzero_ps();
        for (size_t i = 0; i < dimensions; i++) {
            __m512 keys[MAX_SPAN];
            for (int j = 0; j < span; j++)
                keys[j] = _mm512_loadu_ps(wide + i * PAGE + p + 16 * (size_t)j);
            for (int h = 0; h < QUERIES; h++) {
                __m512 q = _mm512_set1_ps(queries[h].q[begin + i]);
                for (int j = 0; j < span; j++)
                    s[h][j] = _mm512_fmadd_ps(q, keys[j], s[h][j]);
            }
        }
        for (int h = 0; h < QUERIES; h++)
            for (int j = 0; j < span; j++)
                _mm512_storeu_ps(weights[h] + p + 16 * (size_t)j, s[h][j]);
    }
}

/* Dimension i of all 64 positions plus 128, unsigned. Words are moved so that
 * interleaving bytes and pairs within quarters gives positions in order. */
INLINE __m512i key_bytes(const unsigned char *keys, size_t i, size_t width)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    if (i >= width) /* meets a zero of the query */
        return _mm512_setzero_si512();
    __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(keys + i * PAGE));
    return _mm512_xor_si512(bytes, _mm512_set1_epi8(-128));
}

/* Words of four dimensions of each position; dimensions from `begin` to `end`. */
INLINE void interleave_keys(union group *group, const struct page *page, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i += 4) {
        __m512i *out = group->keys[(i - begin) / 4];
        for (size_t j = 0; j < 4; j++)
            fetch_ahead(page, page->keys + (i + j) * PAGE);
        __m512i a = key_bytes(page->keys, i, end), b = key_bytes(page->keys, i + 1, end);
        __m512i c = key_bytes(page->keys, i + 2, end), d = key_bytes(page->keys, i + 3, end);
        __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
        __m512i low2 = _mm512_unpacklo_epi8(c, d), high2 = _mm512_unpackhi_epi8(c, d);
        out[0] = _mm512_unpacklo_epi16(low, low2);
        out[1] = _mm512_unpackhi_epi16(low, low2);
        out[2] = _mm512_unpacklo_epi16(high, high2);
        out[3] = _mm512_unpackhi_epi16(high, high2);
    }
}

/* Adds group g of the dimensions to the scores of 16 * span positions from p. */
INLINE void add_group(float weights[][PAGE], const struct query *queries, const struct page *page,
                      const union group *group, size_t g, size_t words, size_t p, const int count)
{
    const int span = span_of(count);
    const unsigned char *scales = page->keys + page->key_width * PAGE;
    __m512i sum[QUERIES][MAX_SPAN];
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            sum[h][j] = _mm512_set1_epi32(queries[h].integers->offsets[g]);
    for (size_t i = 0; i < words; i++)
        for (int h = 0; h < count; h++) {
            __m512i q = _mm512_set1_epi32(queries[h].integers->words[g * WORDS + i]);
            for (int j = 0; j < span; j++)
                sum[h][j] = _mm512_dpbusd_epi32(sum[h][j], group->keys[i][p / 16 + (size_t)j], q);
        }
    for (int j = 0; j < span; j++) {
        size_t at = p + 16 * (size_t)j;
        __m512 d = widen(scales, g * PAGE + at, LOAM_KV_F16);
        fetch_ahead(page, scales + 2 * (g * PAGE + at));
        for (int h = 0; h < count; h++) {
            __m512 s = g ? _mm512_loadu_ps(weights[h] + at) : _mm512_setzero_ps();
            __m512 scale = _mm512_mul_ps(d, _mm512_set1_ps(queries[h].integers->scales[g]));
            s = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(sum[h][j]), s);
            _mm512_storeu_ps(weights[h] + at, s);
        }
    }
}

INLINE void scores_q8_0(__m512 most[QUERIES], float weights[][PAGE], const struct query *queries,
                        const struct page *page, union group *group, const int count)
{
    const size_t step = 16 * (size_t)span_of(count);
    size_t first = page->begin & ~(step - 1), width = page->key_width;
    for (size_t g = 0; g * GROUP < width; g++) {
        size_t end = loam_min((g + 1) * GROUP, width);
        interleave_keys(group, page, g * GROUP, end);
        for (size_t p = first; p < page->end; p += step)
            add_group(weights, queries, page, group, g, (end - g * GROUP + 3) / 4, p, count);
    }
    for (size_t p = first; p < page->end; p += 16)
        for (int h = 0; h < count; h++)
            put_scores(weights[h], &queries[h], page, p, _mm512_loadu_ps(weights[h] + p), &most[h]);
}

/* The 16 lanes of each of 8 registers become one, by the tree of rule 5: sums, or the
 * largest. All 8 together take half the operations of one by one, and no time alone. */
INLINE __m256 fold(const __m512 x[QUERIES], const bool sum)
{
#define OF_TWO(a, b) (sum ? _mm256_add_ps(a, b) : _mm256_max_ps(a, b))
    __m256 eight[QUERIES], four[4], two[2];
    for (int h = 0; h < QUERIES; h++)
        eight[h] = OF_TWO(_mm512_castps512_ps256(x[h]), _mm512_extractf32x8_ps(x[h], 1));
    for (int h = 0; h < 4; h++)
        four[h] = OF_TWO(_mm256_permute2f128_ps(eight[h], eight[h + 4], 0x20),
                         _mm256_permute2f128_ps(eight[h], eight[h + 4], 0x31));
    for (int h = 0; h < 2; h++)
        two[h] = OF_TWO(_mm256_shuffle_ps(four[2 * h], four[2 * h + 1], 0x44),
                        _mm256_shuffle_ps(four[2 * h], four[2 * h + 1], 0xEE));
    return OF_TWO(_mm256_shuffle_ps(two[0], two[1], 0x88), _mm256_shuffle_ps(two[0], two[1], 0xDD));
#undef OF_TWO
}

/* Scores of a query become weights; returns their sum in 16 lanes. */
INLINE __m512 weigh(float *weights, const struct query *query, float m)
{
    __m512 sum = _mm512_setzero_ps(), most = _mm512_set1_ps(m);
    for (size_t p = query->page_begin & ~(size_t)15; p < query->page_end; p += 16) {
        __m512 e = exp16_negative(_mm512_sub_ps(_mm512_loadu_ps(weights + p), most));
        sum = _mm512_add_ps(sum, e);
        _mm512_storeu_ps(weights + p, e);
    }
    return sum;
}

/*
 * M and L of the queries after this page, and the factors of its O. A first
 * page goes the same way from M = m and L = 0, which leaves l as it is: both
 * factors are 1.
 */
INLINE void merge(struct query *queries, __m256 m, __m256 l, const int count)
{
    float before_m[QUERIES], before_l[QUERIES] = {0}, after[4][QUERIES];
    _mm256_storeu_ps(before_m, m);
    for (int h = 0; h < count; h++)
        if (queries[h].merges) {
            before_m[h] = queries[h].m;
            before_l[h] = queries[h].l;
        }
    __m256 old = _mm256_setr_ps(before_m[0], before_m[1], before_m[2], before_m[3], before_m[4],
                                before_m[5], before_m[6], before_m[7]);
    __m256 sum = _mm256_setr_ps(before_l[0], before_l[1], before_l[2], before_l[3], before_l[4],
                                before_l[5], before_l[6], before_l[7]);
    __m256 all = _mm256_max_ps(m, old);
    __m256 a = exp8_negative(_mm256_sub_ps(old, all));
    __m256 b = exp8_negative(_mm256_sub_ps(m, all));
    _mm256_storeu_ps(after[0], all);
    _mm256_storeu_ps(after[1], _mm256_fmadd_ps(l, b, _mm256_mul_ps(sum, a)));
    _mm256_storeu_ps(after[2], a);
    _mm256_storeu_ps(after[3], b);
    for (int h = 0; h < count; h++) {
        queries[h].m = after[0][h];
        queries[h].l = after[1][h];
        queries[h].a = after[2][h];
        queries[h].b = after[3][h];
    }
}

/* Scores, whose largest are in `most` if scaling is all, become weights, and M and L
 * those after this page. */
INLINE void weigh_and_merge(float weights[][PAGE], const struct page *page, struct query *queries,
                            __m512 most[QUERIES], const int count)
{
    float largest[QUERIES];
    __m512 sums[QUERIES];
    for (int h = 0; page->adjusts && h < count; h++) {
        __m256 eight = adjust_scores(weights[h], page, &queries[h]);
        most[h] = _mm512_insertf32x8(_mm512_castps256_ps512(eight), eight, 1);
    }
    __m256 m = fold(most, false);
    _mm256_storeu_ps(largest, m);
    for (int h = 0; h < QUERIES; h++)
        sums[h] = h < count ? weigh(weights[h], &queries[h], largest[h]) : _mm512_setzero_ps();
    merge(queries, m, fold(sums, true), count);
}

/* The same once for all types and sizes of sets: at AVX2 it takes 1.02 times as long. */
ONCE void weigh_few(float weights[][PAGE], const struct page *page, struct query *queries,
                    __m512 most[QUERIES], int count)
{
    weigh_and_merge(weights, page, queries, most, count);
}

/* ---- values ------------------------------------------------------------------ */

/* q8_0: weights times the scales of a group of values, which so are integers.
 * They are the `slot`th of the queries' in `group`. */
INLINE void scale_weights(union group *group, int slot, const struct page *page,
                          float weights[][PAGE], size_t g, const int count)
{
    const unsigned char *scales = page->values + (page->value_width + 2 * g) * PAGE;
    for (size_t p = page->begin & ~(size_t)15; p < page->end; p += 16) {
        __m512 d = widen(scales, p, LOAM_KV_F16);
        fetch_ahead(page, scales + 2 * p);
        for (int h = 0; h < count; h++) {
            __m512 e = _mm512_loadu_ps(weights[h] + p);
            _mm512_storeu_ps(group->weights[slot * count + h] + p, _mm512_mul_ps(e, d));
        }
    }
}

/* Values i to i + 15 of position p, of q8_0 the integers; fewer than 16 only at
 * the end of a row. */
INLINE __m512 value(const struct page *page, size_t p, size_t i, size_t count, int32_t type)
{
    const unsigned char *base = page->values;
    size_t at = p * page->value_width + i;
    if (type == LOAM_KV_Q8_0) {
        __m128i bytes = count == 16 ? _mm_loadu_si128((const __m128i *)(const void *)(base + at))
                                    : _mm_maskz_loadu_epi8(first_of_16(count), base + at);
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    }
    if (count == 16)
        return widen(base, at, type);
    if (type == LOAM_KV_F32)
        return _mm512_maskz_loadu_ps(first_of_16(count), base + 4 * at);
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_of_16(count), base + 2 * at));
}

/* Dimensions i to i + 16 * span - 1; `last` counts those of the last register. */
struct dimensions {
    size_t i, last;
    float (*weights)[PAGE];
    const union group *group; /* q8_0 */
};

/* o += weight * value over positions [begin, end); `all`: every query sees them. */
INLINE void add_values(__m512 o[QUERIES][MAX_SPAN], const struct page *page,
                       const struct query *queries, const struct dimensions *at, size_t begin,
                       size_t end, const bool all, const int span, int32_t type, const int count)
{
    const size_t bytes = type == LOAM_KV_F32 ? 4 : type == LOAM_KV_F16 ? 2 : 1;
    for (size_t p = begin; p < end; p++) {
        __m512 v[MAX_SPAN];
        for (int j = 0; j < span; j++) {
            size_t i = at->i + 16 * (size_t)j;
            v[j] = value(page, p, i, j + 1 == span ? at->last : 16, type);
            if (type == LOAM_KV_F32 || j % 2 == 0)
                fetch_ahead(page, page->values + (p * page->value_width + i) * bytes);
        }
        for (int h = 0; h < count; h++) {
            if (!all && (p < queries[h].page_begin || p >= queries[h].page_end))
                continue;
            for (int j = 0; j < span; j++) {
                const float *weights =
                    type == LOAM_KV_Q8_0 ? at->group->weights[j / 2 * count + h] : at->weights[h];
                o[h][j] = _mm512_fmadd_ps(_mm512_set1_ps(weights[p]), v[j], o[h][j]);
            }
        }
    }
}

/* Dimensions of O after a page that gave them o. */
INLINE void put_values(const struct query *query, float *out, __m512 o, __mmask16 mask)
{
    if (query->merges) {
        __m512 before = _mm512_maskz_loadu_ps(mask, out);
        before = _mm512_mul_ps(before, _mm512_set1_ps(query->a));
        o = _mm512_fmadd_ps(o, _mm512_set1_ps(query->b), before);
    }
    _mm512_mask_storeu_ps(out, mask, o);
}

/* O of some dimensions after this page. */
INLINE void sum_values(const struct page *page, const struct query *queries,
                       const struct dimensions *at, const int span, int32_t type, const int count)
{
    __m512 o[QUERIES][MAX_SPAN];
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            o[h][j] = _mm512_setzero_ps();
    size_t begin = loam_min(page->common_begin, page->end);
    size_t end = loam_max(page->common_end, begin);
    add_values(o, page, queries, at, page->begin, begin, false, span, type, count);
    add_values(o, page, queries, at, begin, end, true, span, type, count);
    add_values(o, page, queries, at, end, page->end, false, span, type, count);
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++) {
            __mmask16 mask = first_of_16(j + 1 == span ? at->last : 16);
            put_values(&queries[h], queries[h].out + at->i + 16 * (size_t)j, o[h][j], mask);
        }
}

INLINE void add_page_values(const struct page *page, const struct query *queries,
                            float weights[][PAGE], union group *group, int32_t type,
                            const int count)
{
    const int span = span_of(count);
    const size_t step = 16 * (size_t)span;
    struct dimensions at = {.i = 0, .last = 16, .weights = weights, .group = group};
    for (; at.i + step <= page->value_width; at.i += step) {
        for (int j = 0; type == LOAM_KV_Q8_0 && j < span / 2; j++)
            scale_weights(group, j, page, weights, at.i / GROUP + (size_t)j, count);
        sum_values(page, queries, &at, span, type, count);
    }
    for (; at.i < page->value_width; at.i += 16) {
        if (type == LOAM_KV_Q8_0 && at.i % GROUP == 0)
            scale_weights(group, 0, page, weights, at.i / GROUP, count);
        at.last = loam_min(16, page->value_width - at.i);
        sum_values(page, queries, &at, 1, type, count);
    }
}

INLINE void add_page(const struct page *page, struct query *queries, float weights[][PAGE],
                     int32_t type, const int count)
{
    union group group;
    __m512 most[QUERIES];
    for (int h = 0; h < QUERIES; h++)
        most[h] = _mm512_castsi512_ps(_mm512_set1_epi32((int32_t)0xFF800000u));
    if (type == LOAM_KV_Q8_0)
        scores_q8_0(most, weights, queries, page, &group, count);
    else
        scores_float(most, weights, queries, page, type, count);
    if (count == QUERIES && type != LOAM_KV_F32)
        weigh_and_merge(weights, page, queries, most, count);
    else
        weigh_few(weights, page, queries, most, count);
    add_page_values(page, queries, weights, &group, type, count);
}

/* f32 goes in sets of 1, 2, 4 and 8, for less code. */
INLINE int set_of(int left, int32_t type)
{
    if (type == LOAM_KV_F32)
        return left == 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    return left;
}

INLINE void add_page_counted(int count, const struct page *page, struct query *queries,
                             const struct scratch *scratch, int32_t type)
{
    switch (count) {
    case 8:
        add_page(page, queries, scratch->weights, type, 8);
        break;
    case 7:
        if (type != LOAM_KV_F32)
            add_page(page, queries, scratch->weights, type, 7);
        break;
    case 6:
        if (type != LOAM_KV_F32)
            add_page(page, queries, scratch->weights, type, 6);
        break;
    case 5:
        if (type != LOAM_KV_F32)
            add_page(page, queries, scratch->weights, type, 5);
        break;
    case 4:
        add_page(page, queries, scratch->weights, type, 4);
        break;
    case 3:
        if (type != LOAM_KV_F32)
            add_page(page, queries, scratch->weights, type, 3);
        break;
    case 2:
        add_page(page, queries, scratch->weights, type, 2);
        break;
    default:
        add_page(page, queries, scratch->weights, type, 1);
    }
}

/* In a function of its own, since attention_f16 has much on its stack. */
static __attribute__((noinline)) void add_page_f16(int count, const struct page *page,
                                                   struct query *queries,
                                                   const struct scratch *scratch)
{
    add_page_counted(count, page, queries, scratch, LOAM_KV_F16);
}

INLINE void add_page_for(int count, const struct page *page, struct query *queries,
                         const struct scratch *scratch, int32_t type)
{
    if (type == LOAM_KV_F16)
        add_page_f16(count, page, queries, scratch);
    else
        add_page_counted(count, page, queries, scratch, type);
}

/* ---- whole pages of f16 ---------------------------------------------------------- */

/* Dimensions of keys and of values that are widened at once. */
enum { WIDENED = 32 };

/* `count` numbers (a multiple of 16) of f16. */
INLINE void widen_row(float *out, const struct page *page, const unsigned char *from, size_t count)
{
    for (size_t i = 0; i < count; i += 16) {
        _mm512_storeu_ps(out + i, widen(from, i, LOAM_KV_F16));
        if (i % 32 == 0)
            fetch_ahead(page, from + 2 * i);
    }
}

/* Scores without their scale become weights. */
INLINE void weigh_set(float weights[][PAGE], const struct page *page, struct query *queries)
{
    __m512 most[QUERIES];
    for (int h = 0; h < QUERIES; h++) {
        __m512 s[PAGE / 16];
        for (size_t j = 0; j < PAGE / 16; j++) {
            __m512 scale = _mm512_set1_ps(queries[h].scale);
            s[j] = _mm512_mul_ps(_mm512_loadu_ps(weights[h] + 16 * j), scale);
            _mm512_storeu_ps(weights[h] + 16 * j, s[j]);
        }
        most[h] = _mm512_max_ps(_mm512_max_ps(s[0], s[1]), _mm512_max_ps(s[2], s[3]));
    }
    weigh_and_merge(weights, page, queries, most, QUERIES);
}

/* Dimensions [begin, begin + WIDENED) of O after a page whose values of them are
 * `wide`, for 8 queries. */
static __attribute__((noinline)) void sum_wide(const struct query *queries, float weights[][PAGE],
                                               const float *wide, size_t begin)
{
    enum { SPAN = WIDENED / 16 };
    __m512 o[QUERIES][SPAN];
    for (int h = 0; h < QUERIES; h++)
        for (int j = 0; j < SPAN; j++)
            o[h][j] = _mm512_setzero_ps();
    for (size_t p = 0; p < PAGE; p++) {
        __m512 v[SPAN];
        for (int j = 0; j < SPAN; j++)
            v[j] = _mm512_loadu_ps(wide + p * WIDENED + 16 * (size_t)j);
        for (int h = 0; h < QUERIES; h++)
            for (int j = 0; j < SPAN; j++)
                o[h][j] = _mm512_fmadd_ps(_mm512_set1_ps(weights[h][p]), v[j], o[h][j]);
    }
    for (int h = 0; h < QUERIES; h++)
        for (int j = 0; j < SPAN; j++)
            put_values(&queries[h], queries[h].out + begin + 16 * (size_t)j, o[h][j], 0xFFFF);
}

INLINE bool likes_whole_pages(const struct page *page, size_t count, int32_t type)
{
    return type == LOAM_KV_F16 && page->value_width % WIDENED == 0 && count >= 2 * QUERIES;
}

/* A page that all queries see, as many as are whole sets: f16 is widened once
 * for all of them. */
INLINE size_t add_whole_page(const struct page *page, struct query *queries,
                             const struct scratch *scratch, size_t count)
{
    float *wide = scratch->wide, (*weights)[PAGE] = scratch->weights;
    count -= count % QUERIES;
    for (size_t i = 0; i < page->key_width; i += WIDENED) {
        size_t dimensions = loam_min(WIDENED, page->key_width - i);
        widen_row(wide, page, page->keys + 2 * i * PAGE, dimensions * PAGE);
        for (size_t j = 0; j < count; j += QUERIES)
            add_scores(weights + j, queries + j, wide, i, dimensions);
    }
    for (size_t j = 0; j < count; j += QUERIES)
        weigh_set(weights + j, page, queries + j);
    for (size_t i = 0; i < page->value_width; i += WIDENED) {
        for (size_t p = 0; p < PAGE; p++)
            widen_row(wide + p * WIDENED, page, page->values + 2 * (p * page->value_width + i),
                      WIDENED);
        for (size_t j = 0; j < count; j += QUERIES)
            sum_wide(queries + j, weights + j, wide, i);
    }
    return count;
}

/* ---- rows -------------------------------------------------------------------- */

static void quantize_query(struct integers *out, const float *x, size_t width)
{
    int8_t q[MAX_INTEGERS];
    memset(q, 0, sizeof q);
    for (size_t begin = 0; begin < width; begin += GROUP) {
        size_t end = loam_min(begin + GROUP, width), g = begin / GROUP;
        int32_t sum = 0;
        out->scales[g] = loam_quantize_group(q + begin, x + begin, end - begin);
        for (size_t i = begin; i < end; i++)
            sum += q[i];
        out->offsets[g] = -128 * sum;
    }
    memcpy(out->words, q, sizeof q);
}

static void divide(float *out, float l, size_t width)
{
    for (size_t i = 0; i < width; i += 16) {
        __mmask16 mask = first_of_16(loam_min(16, width - i));
        __m512 o = _mm512_maskz_loadu_ps(mask, out + i);
        _mm512_mask_storeu_ps(out + i, mask, _mm512_div_ps(o, _mm512_set1_ps(l)));
    }
}

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
    struct query queries[WIDE];
    float weights[WIDE][PAGE], wide[WIDENED * PAGE];
    struct scratch scratch = {.weights = weights, .wide = wide};
    attention(tile, queries, &scratch, WIDE, LOAM_KV_F16);
}

static __attribute__((noinline)) void attention_q8_0(const struct attention_tile *tile)
{
    struct query queries[QUERIES];
    struct integers integers[QUERIES];
    float weights[QUERIES][PAGE];
    for (size_t j = 0; j < QUERIES; j++)
        queries[j].integers = &integers[j];
    attention(tile, queries, &(struct scratch){.weights = weights}, QUERIES, LOAM_KV_Q8_0);
}

void loam_avx512_attention(const struct attention_tile *tile)
{
    if (tile->layout->type == LOAM_KV_F32)
        attention_f32(tile);
    else if (tile->layout->type == LOAM_KV_F16)
        attention_f16(tile);
    else if (tile->layout->key_width <= MAX_INTEGERS)
        attention_q8_0(tile);
    else
        loam_avx2_attention(tile);
}

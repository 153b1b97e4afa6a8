/* SPDX-License-Identifier: MIT */
/*
 * Level avx2: pages of q8_0 that many queries see whole. Keys become pairs of 16 bits
 * and values f32 once for all of them, in pieces that stay in L1, and all their weights
 * are kept; then each set of queries goes through the pieces.
 *
 *   scores  BLOCK positions and WIDTH dimensions at a time
 *   output  a GROUP of dimensions of all positions at a time
 */
#ifndef LOAM_BACKENDS_CPU_X86_ATTENTION_WHOLE_H
#define LOAM_BACKENDS_CPU_X86_ATTENTION_WHOLE_H

#include "cpu/x86/attention.h"

enum { BLOCK = 32, WIDTH = 4 * GROUP };

/* Sums of a type that is added as it is: gcc 12 keeps an __m256i, which it adds as
 * another type, twice in a loop, and runs out of registers. */
typedef uint32_t sums8 __attribute__((vector_size(32)));

/* A piece of a page; keys are done when values begin. */
union wide_page {
    struct {
        __m256i keys[WIDTH / 2][BLOCK / 8]; /* two dimensions in a word */
        __m256 key_scales[WIDTH / GROUP][BLOCK / 8];
    };
    struct {
        float values[PAGE][GROUP], value_scales[PAGE];
        float weights[QUERIES][PAGE]; /* of a set, times the scales */
    };
};

/* Calls the function for a set of queries, with their number as a constant. */
#define FOR_COUNT(count, function, ...)                                                            \
    switch (count) {                                                                               \
    case 6:                                                                                        \
        function(__VA_ARGS__, 6);                                                                  \
        break;                                                                                     \
    case 5:                                                                                        \
        function(__VA_ARGS__, 5);                                                                  \
        break;                                                                                     \
    case 4:                                                                                        \
        function(__VA_ARGS__, 4);                                                                  \
        break;                                                                                     \
    default:                                                                                       \
        function(__VA_ARGS__, 3);                                                                  \
    }

/* The size of the next set of `left` queries, more than QUERIES at first: none is of
 * fewer than 3. */
INLINE size_t next_set(size_t left)
{
    return left == QUERIES + 1 || left == QUERIES + 2 ? 4 : loam_min(left, QUERIES);
}

/* ---- scores ------------------------------------------------------------------ */

/* Dimensions [begin, end) of the keys of positions p to p + BLOCK - 1. */
INLINE void widen_keys(union wide_page *room, const struct page *page, size_t p, size_t begin,
                       size_t end)
{
    const unsigned char *keys = page->keys, *scales = keys + page->key_width * PAGE;
    for (size_t i = begin; i < end; i += 2) {
        for (size_t j = 0; j < BLOCK; j += 16) {
            const __m128i *row = (const __m128i *)(const void *)(keys + i * PAGE + p + j);
            __m128i even = _mm_loadu_si128(row), odd = _mm_setzero_si128();
            if (i + 1 < end)
                odd = _mm_loadu_si128(row + PAGE / 16);
            __m256i *words = room->keys[(i - begin) / 2] + j / 8;
            words[0] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(even, odd));
            words[1] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(even, odd));
        }
    }
    for (size_t i = begin; i < end; i += GROUP) {
        size_t at = i / GROUP * PAGE + p;
        for (size_t j = 0; j < BLOCK; j += 8)
            room->key_scales[(i - begin) / GROUP][j / 8] = widen(scales, at + j, LOAM_KV_F16);
    }
}

/* Exact sums of up to GROUP dimensions from i, whose words are `keys`, for 16 positions. */
INLINE void whole_sums(sums8 sum[QUERIES][2], const struct query *queries,
                       const __m256i (*keys)[BLOCK / 8], size_t i, size_t pairs, const int count)
{
    for (int h = 0; h < count; h++)
        sum[h][0] = sum[h][1] = (sums8)_mm256_setzero_si256();
#pragma GCC unroll 2
    for (size_t k = 0; k < pairs; k++)
        for (int h = 0; h < count; h++) {
            __m256i q = _mm256_set1_epi32(queries[h].integers->pairs[i / 2 + k]);
            sum[h][0] += (sums8)_mm256_madd_epi16(keys[k][0], q);
            sum[h][1] += (sums8)_mm256_madd_epi16(keys[k][1], q);
        }
}

/* Adds dimensions [begin, end) to the scores of BLOCK positions. */
INLINE void add_scores(float (*scores)[PAGE], const struct query *queries,
                       const union wide_page *room, size_t begin, size_t end, const int count)
{
    for (size_t i = begin; i < end; i += GROUP)
        for (size_t p = 0; p < BLOCK; p += 16) {
            const __m256i(*keys)[BLOCK / 8] =
                (const __m256i(*)[BLOCK / 8])(room->keys[(i - begin) / 2] + p / 8);
            const __m256 *d = room->key_scales[(i - begin) / GROUP] + p / 8;
            sums8 sum[QUERIES][2];
            whole_sums(sum, queries, keys, i, (loam_min(GROUP, end - i) + 1) / 2, count);
            for (int h = 0; h < count; h++)
                for (int j = 0; j < 2; j++) {
                    float *score = scores[h] + p + 8 * j;
                    __m256 dq = _mm256_set1_ps(queries[h].integers->scales[i / GROUP]);
                    __m256 s = i ? _mm256_loadu_ps(score) : _mm256_setzero_ps();
                    __m256 x = _mm256_cvtepi32_ps((__m256i)sum[h][j]);
                    _mm256_storeu_ps(score, _mm256_fmadd_ps(_mm256_mul_ps(d[j], dq), x, s));
                }
        }
}

static __attribute__((noinline)) void add_scores_of(size_t count, float (*scores)[PAGE],
                                                    const struct query *queries,
                                                    const union wide_page *room, size_t begin,
                                                    size_t end)
{
    FOR_COUNT(count, add_scores, scores, queries, room, begin, end);
}

/* Memory that is still to be asked for in the next pages, `step` bytes with each set:
 * more at once than the core can wait for would stall. */
struct lines {
    const unsigned char *at;
    size_t left, step;
};

/* The keys or values of a page, in `times` passes of `count` queries. */
INLINE struct lines lines_of(const unsigned char *at, size_t width, size_t times, size_t count)
{
    size_t bytes = (width + (width + GROUP - 1) / GROUP * 2) * PAGE;
    size_t sets = times * ((count + QUERIES - 1) / QUERIES);
    return (struct lines){at, bytes, (bytes / 64 + sets - 1) / sets * 64};
}

INLINE void ask_for(const struct page *page, struct lines *lines)
{
    size_t now = loam_min(lines->step, lines->left);
    for (size_t i = 0; i < now; i += 64)
        fetch_ahead(page, lines->at + i);
    lines->at += now;
    lines->left -= now;
}

INLINE void score_whole(const struct page *page, const struct query *queries,
                        const struct scratch *scratch, size_t count, size_t p, size_t begin,
                        struct lines *lines)
{
    size_t end = loam_min(begin + WIDTH, page->key_width);
    widen_keys(scratch->room, page, p, begin, end);
    for (size_t i = 0, size; i < count; i += size) {
        float(*scores)[PAGE] = (float(*)[PAGE])(scratch->weights[i] + p);
        size = next_set(count - i);
        ask_for(page, lines);
        add_scores_of(size, scores, queries + i, scratch->room, begin, end);
    }
}

/* Scores without their scale become weights; M and L of the queries those after the page. */
static void weigh_whole(float (*weights)[PAGE], const struct page *page, struct query *queries,
                        int count)
{
    __m256 most[EIGHT];
    for (int h = 0; h < count; h++) {
        most[h] = minus_infinity();
        for (size_t p = 0; p < PAGE; p += 8) {
            __m256 scale = _mm256_set1_ps(queries[h].scale);
            __m256 s = _mm256_mul_ps(_mm256_loadu_ps(weights[h] + p), scale);
            _mm256_storeu_ps(weights[h] + p, s);
            most[h] = _mm256_max_ps(most[h], s);
        }
    }
    weigh_few(weights, page, queries, most, count);
}

/* ---- values ------------------------------------------------------------------ */

/* Values i to i + dimensions - 1 (a multiple of 16) of all positions, and their scales. */
INLINE void widen_values(union wide_page *room, const struct page *page, size_t i,
                         size_t dimensions)
{
    const unsigned char *scales = page->values + (page->value_width + i / GROUP * 2) * PAGE;
    for (size_t p = 0; p < PAGE; p++) {
        for (size_t j = 0; j < dimensions; j += 8)
            _mm256_storeu_ps(room->values[p] + j, value(page, p, i + j, 8, LOAM_KV_Q8_0));
    }
    for (size_t p = 0; p < PAGE; p += 8)
        _mm256_storeu_ps(room->value_scales + p, widen(scales, p, LOAM_KV_F16));
}

/* Dimensions i to i + dimensions - 1 of O after the page. */
INLINE void sum_whole(const struct query *queries, union wide_page *room, float (*weights)[PAGE],
                      size_t i, size_t dimensions, const int count)
{
    for (int h = 0; h < count; h++)
        for (size_t p = 0; p < PAGE; p += 8)
            _mm256_storeu_ps(room->weights[h] + p,
                             _mm256_mul_ps(_mm256_loadu_ps(weights[h] + p),
                                           _mm256_loadu_ps(room->value_scales + p)));
    for (size_t j = 0; j < dimensions; j += 16) {
        __m256 o[QUERIES][2];
        const float *row = room->values[0] + j;
        for (int h = 0; h < count; h++)
            o[h][0] = o[h][1] = _mm256_setzero_ps();
#pragma GCC unroll 4
        for (size_t p = 0; p < PAGE; p++, row += GROUP) {
            __m256 first = _mm256_loadu_ps(row), second = _mm256_loadu_ps(row + 8);
            for (int h = 0; h < count; h++) {
                __m256 e = _mm256_broadcast_ss(room->weights[h] + p);
                o[h][0] = _mm256_fmadd_ps(e, first, o[h][0]);
                o[h][1] = _mm256_fmadd_ps(e, second, o[h][1]);
            }
        }
        for (int h = 0; h < count; h++) {
            put_values(&queries[h], queries[h].out + i + j, o[h][0], 8);
            put_values(&queries[h], queries[h].out + i + j + 8, o[h][1], 8);
        }
    }
}

static __attribute__((noinline)) void sum_whole_of(size_t count, const struct query *queries,
                                                   union wide_page *room, float (*weights)[PAGE],
                                                   size_t i, size_t dimensions)
{
    FOR_COUNT(count, sum_whole, queries, room, weights, i, dimensions);
}

INLINE void value_whole(const struct page *page, const struct query *queries,
                        const struct scratch *scratch, size_t count, size_t begin,
                        struct lines *lines)
{
    size_t dimensions = loam_min(GROUP, page->value_width - begin);
    widen_values(scratch->room, page, begin, dimensions);
    for (size_t i = 0, size; i < count; i += size) {
        size = next_set(count - i);
        ask_for(page, lines);
        sum_whole_of(size, queries + i, scratch->room, scratch->weights + i, begin, dimensions);
    }
}

/* ---- pages ------------------------------------------------------------------- */

/* f16 costs as little to widen for each set, and so does q8_0 for a row of 8 heads. */
INLINE bool likes_whole_pages(const struct page *page, size_t count, int32_t type)
{
    return type == LOAM_KV_Q8_0 && count >= 2 * QUERIES && page->value_width % 16 == 0;
}

INLINE size_t add_whole_page(const struct page *page, struct query *queries,
                             const struct scratch *scratch, size_t count)
{
    size_t size, passes = PAGE / BLOCK * ((page->key_width + WIDTH - 1) / WIDTH);
    struct lines lines = lines_of(page->keys, page->key_width, passes, count);
    for (size_t p = 0; p < PAGE; p += BLOCK)
        for (size_t i = 0; i < page->key_width; i += WIDTH)
            score_whole(page, queries, scratch, count, p, i, &lines);
    for (size_t i = 0; i < count; i += size) {
        size = next_set(count - i);
        weigh_whole(scratch->weights + i, page, queries + i, (int)size);
    }
    passes = (page->value_width + GROUP - 1) / GROUP;
    lines = lines_of(page->values, page->value_width, passes, count);
    for (size_t i = 0; i < page->value_width; i += GROUP)
        value_whole(page, queries, scratch, count, i, &lines);
    return count;
}

#endif

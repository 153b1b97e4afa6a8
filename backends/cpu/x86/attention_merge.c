/* SPDX-License-Identifier: MIT */
/*
 * Rule 7: pages that were gone through side by side are merged, in order. Bound: reading
 * their parts.
 */
#include "cpu/x86/attention.h"
#include "cpu/x86/x86.h"

enum { EIGHT = 8 };

/* A query and the pages [first, end) that it sees of those there are parts of. */
struct merging {
    const float *o, *sums; /* of page `first` */
    float *out;
    float m, l;
    size_t width;
};

/* M and L after up to eight pages, and the factors of the merges. */
static void merge_sums(struct merging *merging, size_t count, float a[EIGHT], float b[EIGHT])
{
    float before[EIGHT] = {0}, after[EIGHT] = {0}, m[EIGHT] = {0};
    for (size_t i = 0; i < count; i++) {
        m[i] = merging->sums[2 * i];
        before[i] = merging->m;
        merging->m = m[i] > merging->m ? m[i] : merging->m;
        after[i] = merging->m;
    }
    __m256 all = _mm256_loadu_ps(after);
    _mm256_storeu_ps(a, exp8_negative(_mm256_sub_ps(_mm256_loadu_ps(before), all)));
    _mm256_storeu_ps(b, exp8_negative(_mm256_sub_ps(_mm256_loadu_ps(m), all)));
    for (size_t i = 0; i < count; i++)
        merging->l = __builtin_fmaf(merging->sums[2 * i + 1], b[i], merging->l * a[i]);
}

/* O = fma(o, b, O * a) for those pages. */
static void merge_values(const struct merging *merging, size_t count, const float a[EIGHT],
                         const float b[EIGHT])
{
    size_t width = merging->width;
    for (size_t k = 0; k < width; k += 8) {
        __m256i mask = first_lanes(loam_min(8, width - k));
        __m256 all = _mm256_maskload_ps(merging->out + k, mask);
        for (size_t i = 0; i < count; i++) {
            __m256 o = _mm256_maskload_ps(merging->o + i * width + k, mask);
            all = _mm256_mul_ps(all, _mm256_broadcast_ss(a + i));
            all = _mm256_fmadd_ps(o, _mm256_broadcast_ss(b + i), all);
        }
        _mm256_maskstore_ps(merging->out + k, mask, all);
    }
}

static void divide(float *out, float l, size_t width)
{
    for (size_t i = 0; i < width; i++)
        out[i] = out[i] / l;
}

/* Nothing came before page *first: it is copied, or the sink is. */
static void begin(struct merging *merging, const struct attention_tile *tile, size_t index,
                  size_t *first)
{
    size_t head = tile->first_head + index % tile->head_count;
    if (tile->sinks) {
        merging->m = tile->sinks[head];
        merging->l = 1;
        memset(merging->out, 0, merging->width * sizeof *merging->out);
        return;
    }
    merging->m = merging->sums[0];
    merging->l = merging->sums[1];
    memcpy(merging->out, merging->o, merging->width * sizeof *merging->out);
    merging->o += merging->width;
    merging->sums += 2;
    ++*first;
}

static void merge_query(const struct attention_tile *tile, const struct query *query, size_t index)
{
    const struct attention_parts *parts = tile->parts;
    size_t width = tile->layout->value_width, pages_end = (query->end - 1) / PAGE + 1;
    size_t first = loam_max(parts->first, query->first / PAGE);
    size_t end = loam_min(parts->first + parts->count, pages_end);
    size_t at = index * parts->count + (first - parts->first);
    float *merged = parts->merged + 2 * index, a[EIGHT], b[EIGHT];
    if (first >= end)
        return;
    struct merging merging = {.o = parts->o + at * width,
                              .sums = parts->sums + 2 * at,
                              .out = query->out,
                              .m = merged[0],
                              .l = merged[1],
                              .width = width};
    if (parts->first <= query->first / PAGE)
        begin(&merging, tile, index, &first);
    for (size_t i = first; i < end; i += EIGHT) {
        size_t count = loam_min(EIGHT, end - i);
        merge_sums(&merging, count, a, b);
        merge_values(&merging, count, a, b);
        merging.o += count * width;
        merging.sums += 2 * count;
    }
    merged[0] = merging.m;
    merged[1] = merging.l;
    if (end == pages_end)
        divide(query->out, merging.l, width);
}

void loam_avx2_attention_merge(const struct attention_tile *tile)
{
    struct query query;
    for (size_t i = 0; i < tile->row_count * tile->head_count; i++) {
        set_query(&query, tile, i);
        merge_query(tile, &query, i);
    }
}

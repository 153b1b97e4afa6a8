/* SPDX-License-Identifier: MIT */
/*
 * Rule 7. For each row and query head, page after page:
 *   s[p] = scale * (fma chain over the key's dimensions, ascending, from +0);
 *          q8_0: Q quantised by rule 3 in groups of 32, the last may be
 *          shorter, and per group acc = fma(d_k * d_q, (float)sum, acc)
 *   m    = the largest visible s, taken ascending by a > b ? a : b
 *   e[p] = exp(s[p] - m)
 *   l    = sum of e in 16 lanes (lane = position mod 16), then the tree
 *   o    = fma(e[p], v[p], o) over visible positions ascending, from +0;
 *          q8_0: fma(e[p] * d_v, (float)integer, o)
 * Pages merge in order, the first is copied:
 *   M' = m > M ? m : M;  a = exp(M - M');  b = exp(m - M');
 *   L = fma(l, b, L * a);  O = fma(o, b, O * a)
 * and the result is O / L.
 *
 * What some models add, in this order: the factor of s is scale times the
 * row's temperature, both f32, one product; s = cap * tanh(s / cap); s =
 * fma(-slope, distance, s). A sink of the head starts the merging as a page
 * with m = sink, l = 1, o = 0.
 */
#include "base/half.h"
#include "base/numeric.h"
#include "cpu/ref/lanes.h"
#include "cpu/ref/ref.h"

#include <math.h>

enum { GROUP = 32 };

/* One query head at one row, with what it does to its scores. */
struct query {
    const float *q;
    size_t position, first, end; /* sees [first, end) */
    float scale, soft_cap, slope;
    const float *sink; /* or NULL */
    int8_t quantized[MAX_HEAD_WIDTH];
    float scales[MAX_HEAD_WIDTH / GROUP];
};

static float half_at(const unsigned char *base, size_t i)
{
    uint16_t half;
    memcpy(&half, base + 2 * i, 2);
    return loam_half_to_float(half);
}

static float float_at(const unsigned char *base, size_t i)
{
    float value;
    memcpy(&value, base + 4 * i, 4);
    return value;
}

static float score_q8_0(const struct query *query, const unsigned char *keys, size_t width,
                        size_t p)
{
    const int8_t *k = (const int8_t *)keys;
    float acc = 0;
    for (size_t g = 0; g * GROUP < width; g++) {
        size_t end = loam_min((g + 1) * GROUP, width);
        int32_t sum = 0;
        for (size_t i = g * GROUP; i < end; i++)
            sum += (int32_t)k[i * PAGE + p] * query->quantized[i];
        float scale = half_at(keys + width * PAGE, g * PAGE + p) * query->scales[g];
        acc = fmaf(scale, (float)sum, acc);
    }
    return acc;
}

static float score(int32_t type, const struct query *query, const unsigned char *keys, size_t width,
                   size_t p)
{
    if (type == LOAM_KV_Q8_0)
        return score_q8_0(query, keys, width, p);
    float acc = 0;
    for (size_t i = 0; i < width; i++) {
        float k = type == LOAM_KV_F32 ? float_at(keys, i * PAGE + p) : half_at(keys, i * PAGE + p);
        acc = fmaf(query->q[i], k, acc);
    }
    return acc;
}

/* o = fma(e, v[p], o) over the value's dimensions. */
static void add_value(int32_t type, const unsigned char *values, size_t width, size_t p, float e,
                      float *o)
{
    for (size_t i = 0; i < width; i++) {
        size_t at = p * width + i;
        if (type == LOAM_KV_F32)
            o[i] = fmaf(e, float_at(values, at), o[i]);
        else if (type == LOAM_KV_F16)
            o[i] = fmaf(e, half_at(values, at), o[i]);
        else
            o[i] = fmaf(e * half_at(values + width * PAGE, i / GROUP * PAGE + p),
                        (float)((const int8_t *)values)[at], o[i]);
    }
}

struct partial {
    float m, l;
    float o[MAX_HEAD_WIDTH];
};

/* What becomes of a score at some position. */
static float adjust(const struct query *query, float s, size_t position)
{
    if (query->soft_cap != 0)
        s = query->soft_cap * loam_tanhf(s / query->soft_cap);
    if (query->slope != 0) {
        size_t distance =
            position > query->position ? position - query->position : query->position - position;
        s = fmaf(-query->slope, (float)distance, s);
    }
    return s;
}

/* Positions [begin, end) of one page, begin < end. */
static void attend_page(struct partial *out, const struct attention_tile *tile,
                        const struct query *query, size_t index, size_t begin, size_t end)
{
    const unsigned char *page = tile->pages[index];
    const struct kv_layout *layout = tile->layout;
    const unsigned char *keys = page + layout->key_offset + tile->kv_head * layout->key_bytes;
    const unsigned char *values = page + layout->value_offset + tile->kv_head * layout->value_bytes;
    float s[PAGE], lane[LANES] = {0};
    for (size_t p = begin; p < end; p++) {
        s[p] = score(layout->type, query, keys, layout->key_width, p) * query->scale;
        s[p] = adjust(query, s[p], index * PAGE + p);
        out->m = p == begin ? s[p] : s[p] > out->m ? s[p] : out->m;
    }
    memset(out->o, 0, layout->value_width * sizeof *out->o);
    for (size_t p = begin; p < end; p++) {
        float e = loam_expf(s[p] - out->m);
        lane[p % LANES] += e;
        add_value(layout->type, values, layout->value_width, p, e, out->o);
    }
    out->l = loam_lanes_sum(lane, LANES);
}

static void merge(struct partial *all, const struct partial *page, size_t width)
{
    float m = page->m > all->m ? page->m : all->m;
    float a = loam_expf(all->m - m), b = loam_expf(page->m - m);
    all->m = m;
    all->l = fmaf(page->l, b, all->l * a);
    for (size_t i = 0; i < width; i++)
        all->o[i] = fmaf(page->o[i], b, all->o[i] * a);
}

/* The part of page `index` that the query sees: [*begin, *end). */
static void look(const struct query *query, size_t index, size_t *begin, size_t *end)
{
    *begin = index == query->first / PAGE ? query->first % PAGE : 0;
    *end = loam_min(query->end - index * PAGE, PAGE);
}

/* What merging begins with; false: with the first page. */
static bool begin_with_sink(struct partial *all, const struct query *query, size_t width)
{
    if (!query->sink)
        return false;
    all->m = *query->sink;
    all->l = 1;
    memset(all->o, 0, width * sizeof *all->o);
    return true;
}

static void divide(float *out, const struct partial *all, size_t width)
{
    for (size_t i = 0; i < width; i++)
        out[i] = all->o[i] / all->l;
}

static void attend(const struct attention_tile *tile, const struct query *query, float *out)
{
    struct partial all, page;
    size_t begin, end, width = tile->layout->value_width;
    bool merges = begin_with_sink(&all, query, width);
    for (size_t i = query->first / PAGE; i * PAGE < query->end; i++) {
        look(query, i, &begin, &end);
        attend_page(merges ? &page : &all, tile, query, i, begin, end);
        if (merges)
            merge(&all, &page, width);
        merges = true;
    }
    divide(out, &all, width);
}

/* Those pages of the tile that the query, number `index` of it, sees. */
static void attend_parts(const struct attention_tile *tile, const struct query *query, size_t index)
{
    const struct attention_parts *parts = tile->parts;
    size_t begin, end, width = tile->layout->value_width;
    size_t first = loam_max(tile->first_page, query->first / PAGE);
    for (size_t i = first; i < tile->end_page && i * PAGE < query->end; i++) {
        struct partial page;
        size_t at = index * parts->count + (i - parts->first);
        look(query, i, &begin, &end);
        attend_page(&page, tile, query, i, begin, end);
        parts->sums[2 * at] = page.m;
        parts->sums[2 * at + 1] = page.l;
        memcpy(parts->o + at * width, page.o, width * sizeof *page.o);
    }
}

static void merge_parts(const struct attention_tile *tile, const struct query *query, size_t index,
                        float *out)
{
    const struct attention_parts *parts = tile->parts;
    struct partial all, page;
    size_t width = tile->layout->value_width, pages_end = (query->end - 1) / PAGE + 1;
    size_t first = loam_max(parts->first, query->first / PAGE);
    size_t end = loam_min(parts->first + parts->count, pages_end);
    bool merges = parts->first > query->first / PAGE;
    if (first >= end)
        return;
    if (merges) {
        all.m = parts->merged[2 * index];
        all.l = parts->merged[2 * index + 1];
        memcpy(all.o, out, width * sizeof *out);
    } else {
        merges = begin_with_sink(&all, query, width);
    }
    for (size_t i = first; i < end; i++) {
        struct partial *to = merges ? &page : &all;
        size_t at = index * parts->count + (i - parts->first);
        to->m = parts->sums[2 * at];
        to->l = parts->sums[2 * at + 1];
        memcpy(to->o, parts->o + at * width, width * sizeof *to->o);
        if (merges)
            merge(&all, &page, width);
        merges = true;
    }
    parts->merged[2 * index] = all.m;
    parts->merged[2 * index + 1] = all.l;
    memcpy(out, all.o, width * sizeof *out);
    if (end == pages_end)
        divide(out, &all, width);
}

void loam_attention_visible(const struct attention_tile *tile, size_t position, size_t *first,
                            size_t *end)
{
    size_t window = tile->window;
    *first = 0;
    *end = position + 1;
    if (tile->end) {
        size_t half = window / 2;
        *first = window && position > half ? position - half : 0;
        *end = window ? loam_min(tile->end, position + half + 1) : tile->end;
    } else if (window && position >= window) {
        *first = position - window + 1;
    }
    if (tile->chunk)
        *first = loam_max(*first, position / tile->chunk * tile->chunk);
}

float loam_attention_scale(const struct attention_tile *tile, size_t position)
{
    if (tile->temperature == 0)
        return tile->scale;
    uint64_t lengths = ((uint64_t)position + tile->temperature_offset) / tile->temperature_length;
    return tile->scale * (float)(1.0 + (double)tile->temperature * loam_log(1.0 + (double)lengths));
}

static void set_query(struct query *query, const struct attention_tile *tile, size_t row,
                      size_t head)
{
    size_t width = tile->layout->key_width;
    query->q = tile->q + row * tile->q_stride + head * width;
    query->position = tile->position + (row - tile->first_row);
    loam_attention_visible(tile, query->position, &query->first, &query->end);
    query->scale = loam_attention_scale(tile, query->position);
    query->soft_cap = tile->soft_cap;
    query->slope = tile->slopes ? tile->slopes[head] : 0;
    query->sink = tile->sinks ? tile->sinks + head : NULL;
    for (size_t g = 0; tile->layout->type == LOAM_KV_Q8_0 && g * GROUP < width; g++)
        query->scales[g] = loam_quantize_group(query->quantized + g * GROUP, query->q + g * GROUP,
                                               loam_min(GROUP, width - g * GROUP));
}

static void each_query(const struct attention_tile *tile, bool merges)
{
    struct query query;
    for (size_t i = 0; i < tile->row_count * tile->head_count; i++) {
        size_t row = tile->first_row + i / tile->head_count;
        size_t head = tile->first_head + i % tile->head_count;
        float *out = tile->out + row * tile->out_stride + head * tile->layout->value_width;
        set_query(&query, tile, row, head);
        if (merges)
            merge_parts(tile, &query, i, out);
        else if (tile->parts)
            attend_parts(tile, &query, i);
        else
            attend(tile, &query, out);
    }
}

void loam_ref_attention(const struct attention_tile *tile)
{
    each_query(tile, false);
}

void loam_ref_attention_merge(const struct attention_tile *tile)
{
    each_query(tile, true);
}

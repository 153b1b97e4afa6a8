/* SPDX-License-Identifier: MIT */
/*
 * Attention without rule 7: CHUNK positions at a time instead of a page, their
 * sums of values in registers all the way, a running maximum that rescales only
 * where it grew, sums of weights in any lanes. The blocks of registers are
 * those of the kernel.
 */
#include "free.h"
#include "free_float8.h"

enum { QUERIES = 4, GROUP = 32, MAX_SPAN = 8, CHUNK_PAGES = 8, CHUNK = CHUNK_PAGES * PAGE };

struct query {
    const float *q;
    float *out;
    float m;
    __m256 l;
    size_t first, end;    /* positions that it sees: [first, end) */
    float weights[CHUNK]; /* scores, then exponentials, of the chunk at hand */
    int32_t pairs[MAX_HEAD_WIDTH / 2];
    float scales[MAX_HEAD_WIDTH / GROUP];
};

/* Positions [begin, end) for `count` queries. */
struct chunk {
    const struct attention_tile *tile;
    size_t first_page, begin, end; /* begin and end from the first page on */
    bool is_first;
};

INLINE int span_of(int count)
{
    return count == 1 ? 8 : count == 2 ? 4 : 2;
}

INLINE __m256 widen(const unsigned char *base, size_t i, int32_t type)
{
    if (type == LOAM_KV_F32)
        return _mm256_loadu_ps((const float *)(const void *)(base + 4 * i));
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(base + 2 * i)));
}

INLINE __m256i load_bytes(const int8_t *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* ---- scores ------------------------------------------------------------------ */

INLINE void scores_float(__m256 s[QUERIES][MAX_SPAN], const struct query *queries,
                         const unsigned char *keys, size_t width, size_t p, int32_t type,
                         const int count)
{
    const int span = span_of(count);
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            s[h][j] = _mm256_setzero_ps();
    for (size_t i = 0; i < width; i++) {
        __m256 k[MAX_SPAN];
        for (int j = 0; j < span; j++)
            k[j] = widen(keys, i * PAGE + p + 8 * (size_t)j, type);
        for (int h = 0; h < count; h++) {
            __m256 q = _mm256_broadcast_ss(queries[h].q + i);
            for (int j = 0; j < span; j++)
                s[h][j] = _mm256_fmadd_ps(q, k[j], s[h][j]);
        }
    }
}

INLINE void scores_q8_0(__m256 s[QUERIES][MAX_SPAN], const struct query *queries,
                        const unsigned char *base, size_t width, size_t p, const int count)
{
    const int8_t *keys = (const int8_t *)base + p;
    const unsigned char *scales = base + width * PAGE + 2 * p;
    for (int h = 0; h < count; h++)
        s[h][0] = s[h][1] = _mm256_setzero_ps();
    for (size_t g = 0; g * GROUP < width; g++) {
        __m256i sum[QUERIES][2];
        size_t end = loam_min((g + 1) * GROUP, width);
        for (int h = 0; h < count; h++)
            sum[h][0] = sum[h][1] = _mm256_setzero_si256();
        for (size_t i = g * GROUP; i < end; i += 2) {
            __m256i even = load_bytes(keys + i * PAGE);
            __m256i odd = i + 1 < end ? load_bytes(keys + (i + 1) * PAGE) : _mm256_setzero_si256();
            __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
            for (int h = 0; h < count; h++) {
                __m256i q = _mm256_set1_epi32(queries[h].pairs[i / 2]);
                sum[h][0] = _mm256_add_epi32(sum[h][0], _mm256_madd_epi16(low, q));
                sum[h][1] = _mm256_add_epi32(sum[h][1], _mm256_madd_epi16(high, q));
            }
        }
        __m256 d0 = widen(scales, g * PAGE, LOAM_KV_F16);
        __m256 d1 = widen(scales, g * PAGE + 8, LOAM_KV_F16);
        for (int h = 0; h < count; h++) {
            __m256 d = _mm256_set1_ps(queries[h].scales[g]);
            __m256i first = _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x20);
            __m256i second = _mm256_permute2x128_si256(sum[h][0], sum[h][1], 0x31);
            s[h][0] = _mm256_fmadd_ps(_mm256_mul_ps(d0, d), _mm256_cvtepi32_ps(first), s[h][0]);
            s[h][1] = _mm256_fmadd_ps(_mm256_mul_ps(d1, d), _mm256_cvtepi32_ps(second), s[h][1]);
        }
    }
}

/* Lanes of positions p to p + 7 within [begin, end) keep x, others become very small. */
INLINE __m256 visible(__m256 x, size_t begin, size_t end, size_t p)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i at = _mm256_add_epi32(lanes, _mm256_set1_epi32((int32_t)p));
    __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)begin), at);
    __m256i within = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)end), at);
    return _mm256_blendv_ps(_mm256_set1_ps(-1e30f), x,
                            _mm256_castsi256_ps(_mm256_andnot_si256(before, within)));
}

INLINE float largest(__m256 x)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* What of the chunk a query sees. */
INLINE size_t seen_from(const struct chunk *chunk, size_t position)
{
    size_t before = chunk->first_page * PAGE;
    return position <= before ? 0 : loam_min(position - before, chunk->end);
}

INLINE void score_chunk(__m256 most[QUERIES], const struct chunk *chunk, struct query *queries,
                        int32_t type, const int count)
{
    const struct kv_layout *layout = chunk->tile->layout;
    const int span = type == LOAM_KV_Q8_0 ? 2 : span_of(count);
    const size_t step = 8 * (size_t)span, width = layout->key_width;
    const __m256 scale = _mm256_set1_ps(chunk->tile->scale);
    size_t begin[QUERIES], end[QUERIES], common_begin = 0, common_end = chunk->end;
    for (int h = 0; h < count; h++) {
        most[h] = _mm256_set1_ps(-1e30f);
        begin[h] = seen_from(chunk, queries[h].first);
        end[h] = seen_from(chunk, queries[h].end);
        common_begin = loam_max(common_begin, begin[h]);
        common_end = loam_min(common_end, end[h]);
    }
    for (size_t p = chunk->begin & ~(step - 1); p < chunk->end; p += step) {
        const unsigned char *keys =
            (const unsigned char *)chunk->tile->pages[chunk->first_page + p / PAGE] +
            layout->key_offset + chunk->tile->kv_head * layout->key_bytes;
        bool all = p >= common_begin && p + step <= common_end;
        __m256 s[QUERIES][MAX_SPAN];
        if (type == LOAM_KV_Q8_0)
            scores_q8_0(s, queries, keys, width, p % PAGE, count);
        else
            scores_float(s, queries, keys, width, p % PAGE, type, count);
        for (int h = 0; h < count; h++)
            for (int j = 0; j < span; j++) {
                __m256 x = _mm256_mul_ps(s[h][j], scale);
                size_t at = p + 8 * (size_t)j;
                if (!all)
                    x = visible(x, begin[h], end[h], at);
                most[h] = _mm256_max_ps(most[h], x);
                _mm256_storeu_ps(queries[h].weights + at, x);
            }
    }
}

/* Scores become weights; where the maximum grew, what was summed shrinks. */
INLINE void weigh(const struct chunk *chunk, struct query *query, __m256 most)
{
    float m = largest(most);
    if (chunk->is_first) {
        query->m = m;
        query->l = _mm256_setzero_ps();
    } else if (m > query->m) {
        __m256 shrink = free_exp8(_mm256_set1_ps(query->m - m));
        query->m = m;
        query->l = _mm256_mul_ps(query->l, shrink);
        for (size_t i = 0; i < chunk->tile->layout->value_width; i += 8) {
            __m256i mask = first_lanes(loam_min(8, chunk->tile->layout->value_width - i));
            _mm256_maskstore_ps(query->out + i, mask,
                                _mm256_mul_ps(_mm256_maskload_ps(query->out + i, mask), shrink));
        }
    }
    __m256 sum0 = query->l, sum1 = _mm256_setzero_ps(), all = _mm256_set1_ps(query->m);
    for (size_t p = chunk->begin & ~(size_t)15; p < chunk->end; p += 16) {
        __m256 a = free_exp8(_mm256_sub_ps(_mm256_loadu_ps(query->weights + p), all));
        __m256 b = free_exp8(_mm256_sub_ps(_mm256_loadu_ps(query->weights + p + 8), all));
        sum0 = _mm256_add_ps(sum0, a);
        sum1 = _mm256_add_ps(sum1, b);
        _mm256_storeu_ps(query->weights + p, a);
        _mm256_storeu_ps(query->weights + p + 8, b);
    }
    query->l = _mm256_add_ps(sum0, sum1);
}

/* ---- values ------------------------------------------------------------------ */

/* Values i to i + 7 of a position: q8_0 as integers. */
INLINE __m256 value(const unsigned char *values, size_t at, size_t count, int32_t type)
{
    if (type == LOAM_KV_Q8_0) {
        int64_t few = 0;
        if (count < 8)
            memcpy(&few, values + at, count);
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(
            count == 8 ? _mm_loadl_epi64((const __m128i *)(const void *)(values + at))
                       : _mm_cvtsi64_si128(few)));
    }
    if (count == 8)
        return widen(values, at, type);
    if (type == LOAM_KV_F32)
        return _mm256_maskload_ps((const float *)(const void *)(values + 4 * at),
                                  first_lanes(count));
    uint16_t halves[8] = {0};
    memcpy(halves, values + 2 * at, count * 2);
    return widen((const unsigned char *)halves, 0, type);
}

/* q8_0: weights times the scales of one group, so that values need none. */
INLINE void scale_weights(float scaled[QUERIES][PAGE], const struct query *queries,
                          const unsigned char *scales, size_t first, const int count)
{
    for (size_t p = 0; p < PAGE; p += 8) {
        __m256 d = widen(scales, p, LOAM_KV_F16);
        for (int h = 0; h < count; h++)
            _mm256_storeu_ps(scaled[h] + p,
                             _mm256_mul_ps(d, _mm256_loadu_ps(queries[h].weights + first + p)));
    }
}

INLINE void sum_values(const struct chunk *chunk, const struct query *queries, size_t i,
                       const int span, size_t last, int32_t type, const int count)
{
    const struct kv_layout *layout = chunk->tile->layout;
    size_t width = layout->value_width;
    __m256 o[QUERIES][MAX_SPAN];
    __m256i mask = first_lanes(last);
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++) {
            const float *out = queries[h].out + i + 8 * (size_t)j;
            o[h][j] = chunk->is_first ? _mm256_setzero_ps()
                      : j + 1 == span ? _mm256_maskload_ps(out, mask)
                                      : _mm256_loadu_ps(out);
        }
    for (size_t page = chunk->begin / PAGE; page * PAGE < chunk->end; page++) {
        const unsigned char *values =
            (const unsigned char *)chunk->tile->pages[chunk->first_page + page] +
            layout->value_offset + chunk->tile->kv_head * layout->value_bytes;
        size_t begin = chunk->begin > page * PAGE ? chunk->begin - page * PAGE : 0;
        size_t end = loam_min(PAGE, chunk->end - page * PAGE);
        float scaled[QUERIES][PAGE];
        const float *weights[QUERIES];
        if (type == LOAM_KV_Q8_0)
            scale_weights(scaled, queries, values + (width + 2 * (i / GROUP)) * PAGE, page * PAGE,
                          count);
        for (int h = 0; h < count; h++)
            weights[h] = type == LOAM_KV_Q8_0 ? scaled[h] : queries[h].weights + page * PAGE;
        for (size_t p = begin; p < end; p++) {
            __m256 v[MAX_SPAN];
            for (int j = 0; j < span; j++)
                v[j] = value(values, p * width + i + 8 * (size_t)j, j + 1 == span ? last : 8, type);
            for (int h = 0; h < count; h++) {
                __m256 e = _mm256_broadcast_ss(weights[h] + p);
                for (int j = 0; j < span; j++)
                    o[h][j] = _mm256_fmadd_ps(e, v[j], o[h][j]);
            }
        }
    }
    for (int h = 0; h < count; h++)
        for (int j = 0; j < span; j++)
            _mm256_maskstore_ps(queries[h].out + i + 8 * (size_t)j,
                                j + 1 == span ? mask : first_lanes(8), o[h][j]);
}

INLINE void add_chunk(const struct chunk *chunk, struct query *queries, int32_t type,
                      const int count)
{
    /* q8_0: the dimensions of a register block share a group */
    const int span = type == LOAM_KV_Q8_0 && count == 1 ? 4 : span_of(count);
    __m256 most[QUERIES];
    size_t width = chunk->tile->layout->value_width, i = 0;
    score_chunk(most, chunk, queries, type, count);
    for (int h = 0; h < count; h++)
        weigh(chunk, &queries[h], most[h]);
    for (; i + 8 * (size_t)span <= width; i += 8 * (size_t)span)
        sum_values(chunk, queries, i, span, 8, type, count);
    for (; i < width; i += 8)
        sum_values(chunk, queries, i, 1, loam_min(8, width - i), type, count);
}

/* ---- rows -------------------------------------------------------------------- */

static void quantize_query(struct query *query, size_t width)
{
    int8_t q[MAX_HEAD_WIDTH + 1];
    for (size_t g = 0; g * GROUP < width; g++)
        query->scales[g] = loam_quantize_group(q + g * GROUP, query->q + g * GROUP,
                                               loam_min(GROUP, width - g * GROUP));
    q[width] = 0;
    for (size_t i = 0; i < width; i += 2)
        query->pairs[i / 2] = (int32_t)((uint32_t)(uint16_t)q[i] | (uint32_t)q[i + 1] << 16);
}

INLINE void attend(const struct attention_tile *tile, struct query *queries, int32_t type,
                   const int count)
{
    size_t first = queries[0].first, end = queries[count - 1].end, width;
    for (size_t page = first / PAGE; page * PAGE < end; page += CHUNK_PAGES) {
        struct chunk chunk = {.tile = tile,
                              .first_page = page,
                              .begin = first > page * PAGE ? first - page * PAGE : 0,
                              .end = loam_min(CHUNK, end - page * PAGE),
                              .is_first = page == first / PAGE};
        add_chunk(&chunk, queries, type, count);
    }
    width = tile->layout->value_width;
    for (int h = 0; h < count; h++) {
        float inverse = 1 / free_sum8(queries[h].l);
        for (size_t i = 0; i < width; i++)
            queries[h].out[i] *= inverse;
    }
}

INLINE void attention(const struct attention_tile *tile, int32_t type)
{
    const struct kv_layout *layout = tile->layout;
    size_t fold = tile->head_count, all = tile->row_count * fold;
    struct query queries[QUERIES];
    for (size_t i = 0; i < all; i += QUERIES) {
        int count = (int)loam_min(QUERIES, all - i);
        for (int j = 0; j < count; j++) {
            struct query *query = &queries[j];
            size_t row = (i + (size_t)j) / fold, position = tile->position + row;
            size_t head = tile->first_head + (i + (size_t)j) % fold;
            row += tile->first_row;
            query->q = tile->q + row * tile->q_stride + head * layout->key_width;
            query->out = tile->out + row * tile->out_stride + head * layout->value_width;
            query->end = position + 1;
            query->first = tile->window && position >= tile->window ? query->end - tile->window : 0;
            if (type == LOAM_KV_Q8_0)
                quantize_query(query, layout->key_width);
        }
        if (count == 4)
            attend(tile, queries, type, 4);
        else if (count == 3)
            attend(tile, queries, type, 3);
        else if (count == 2)
            attend(tile, queries, type, 2);
        else
            attend(tile, queries, type, 1);
    }
}

/* Each in a function of its own: together they would share registers badly. */
static __attribute__((noinline)) void attention_f32(const struct attention_tile *tile)
{
    attention(tile, LOAM_KV_F32);
}

static __attribute__((noinline)) void attention_f16(const struct attention_tile *tile)
{
    attention(tile, LOAM_KV_F16);
}

static __attribute__((noinline)) void attention_q8_0(const struct attention_tile *tile)
{
    attention(tile, LOAM_KV_Q8_0);
}

void free_attention(const struct attention_tile *tile)
{
    if (tile->layout->type == LOAM_KV_F32)
        attention_f32(tile);
    else if (tile->layout->type == LOAM_KV_F16)
        attention_f16(tile);
    else
        attention_q8_0(tile);
}

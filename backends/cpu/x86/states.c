/* SPDX-License-Identifier: MIT */
/*
 * Scans and convolutions, 16 columns or channels side by side, as states are
 * laid out. Bound: the chains of fma over a column, 4 cycles for each number of
 * the key; up to 64 columns of one head go together to hide them. What does not
 * come in whole blocks of a head is left to the scalar kernels.
 */
#include "base/numeric.h"
#include "cpu/ref/ref.h"
#include "cpu/x86/float8.h"
#include "cpu/x86/x86.h"
#include "tensor/tensor.h"

#include <loam/graph.h>

enum { MOST_BLOCKS = 4 };

/* One row as the columns of a head see it. */
struct row {
    const float *q, *k, *a, *b, *decays;
    float step, decay, gain;
};

static struct row row_of(const struct scan_tile *tile, size_t row, size_t head)
{
    size_t key_head =
        tile->in_turn ? head % tile->key_heads : head / (tile->heads / tile->key_heads);
    size_t at = (row * tile->key_heads + key_head) * tile->key_width, h = row * tile->heads + head;
    struct row out = {.q = tile->query + at, .k = tile->key + at};
    if (tile->rule == LOAM_SCAN_GENERAL_DELTA) {
        out.decays = tile->decay + at;
        out.a = tile->a + at;
        out.b = tile->b + at;
        return out;
    }
    out.step = tile->step[h];
    out.decay = loam_expf(out.step * tile->rate[head]);
    out.gain = tile->rule == LOAM_SCAN_GATED_DELTA ? tile->gain[h] : 0;
    return out;
}

/* What a rule does to s, the numbers i of 8 columns. */
INLINE __m256 changed(const struct row *r, size_t i, __m256 s, __m256 u, __m256 v, __m256 m,
                      const int32_t rule)
{
    __m256 k = _mm256_set1_ps(r->k[i]);
    if (rule == LOAM_SCAN_STATE_SPACE)
        return _mm256_fmadd_ps(s, _mm256_set1_ps(r->decay), _mm256_mul_ps(u, k));
    if (rule == LOAM_SCAN_GATED_DELTA)
        return _mm256_fmadd_ps(k, u, _mm256_mul_ps(s, _mm256_set1_ps(r->decay)));
    s = _mm256_fmadd_ps(s, _mm256_set1_ps(r->decays[i]), _mm256_mul_ps(v, k));
    return _mm256_fmadd_ps(m, _mm256_set1_ps(r->b[i]), s);
}

/* One row of 16 * blocks columns, from the state `from` to s; v and out are
 * those of the first column. */
INLINE void advance(const struct scan_tile *tile, const struct row *r, const float *from, float *s,
                    const float *v, float *out, const int blocks, const int32_t rule)
{
    __m256 m[2 * MOST_BLOCKS], u[2 * MOST_BLOCKS], y[2 * MOST_BLOCKS];
    size_t n = tile->key_width, stride = n * SCAN_LANES;
    for (int c = 0; c < 2 * blocks; c++)
        m[c] = y[c] = _mm256_setzero_ps();
    for (size_t i = 0; rule != LOAM_SCAN_STATE_SPACE && i < n; i++)
        for (int c = 0; c < 2 * blocks; c++) {
            __m256 x =
                _mm256_loadu_ps(from + (size_t)(c / 2) * stride + i * SCAN_LANES + c % 2 * 8);
            if (rule == LOAM_SCAN_GATED_DELTA)
                x = _mm256_mul_ps(x, _mm256_set1_ps(r->decay));
            float with = rule == LOAM_SCAN_GATED_DELTA ? r->k[i] : r->a[i];
            m[c] = _mm256_fmadd_ps(x, _mm256_set1_ps(with), m[c]);
        }
    for (int c = 0; c < 2 * blocks; c++) {
        __m256 x = _mm256_loadu_ps(v + 8 * c);
        u[c] = rule == LOAM_SCAN_STATE_SPACE
                   ? _mm256_mul_ps(x, _mm256_set1_ps(r->step))
                   : _mm256_mul_ps(_mm256_sub_ps(x, m[c]), _mm256_set1_ps(r->gain));
    }
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < 2 * blocks; c++) {
            size_t at = (size_t)(c / 2) * stride + i * SCAN_LANES + c % 2 * 8;
            __m256 x = changed(r, i, _mm256_loadu_ps(from + at), u[c], _mm256_loadu_ps(v + 8 * c),
                               m[c], rule);
            _mm256_storeu_ps(s + at, x);
            y[c] = _mm256_fmadd_ps(x, _mm256_set1_ps(r->q[i]), y[c]);
        }
    for (int c = 0; c < 2 * blocks; c++)
        _mm256_storeu_ps(out + 8 * c, y[c]);
}

/* Scale and skip of 16 * blocks results. */
static void finish(const struct scan_tile *tile, size_t head, const float *v, float *out, size_t n)
{
    for (size_t i = 0; i < n && tile->scale != 1.0f; i++)
        out[i] *= tile->scale;
    for (size_t i = 0; i < n && tile->skip; i++)
        out[i] = __builtin_fmaf(tile->skip[head], v[i], out[i]);
}

static void copy(float *out, const float *from, size_t n)
{
    if (from)
        memcpy(out, from, n * sizeof *out);
    else
        memset(out, 0, n * sizeof *out);
}

static bool all_finite(const float *s, size_t n)
{
    __m256 wrong = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += 8) {
        __m256 x = _mm256_loadu_ps(s + i);
        __m256 zero = _mm256_sub_ps(x, x);
        wrong = _mm256_or_ps(wrong, _mm256_cmp_ps(zero, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    }
    return _mm256_movemask_ps(wrong) == 0;
}

/* All rows of 16 * blocks columns of one head. */
INLINE bool scan_head(const struct scan_tile *tile, size_t column, const int blocks,
                      const int32_t rule)
{
    size_t head = column / tile->value_width, columns = SCAN_LANES * (size_t)blocks;
    size_t place = column * tile->key_width, numbers = columns * tile->key_width;
    size_t width = tile->heads * tile->value_width;
    float *s = tile->next_state + place;
    const float *from = tile->state ? tile->state + place : memset(s, 0, numbers * sizeof *s);
    for (size_t row = 0; row < tile->rows; row++) {
        const struct row r = row_of(tile, row, head);
        const float *v = tile->value + row * width + column;
        float *out = tile->out + row * width + column;
        advance(tile, &r, from, s, v, out, blocks, rule);
        from = s;
        finish(tile, head, v, out, columns);
        if (tile->kept_state && row + 1 == tile->kept_rows)
            copy(tile->kept_state + place, s, numbers);
    }
    return all_finite(s, numbers);
}

static bool scan_blocks(const struct scan_tile *tile, size_t column, size_t blocks)
{
    switch (tile->rule) {
    case LOAM_SCAN_STATE_SPACE:
        return blocks == MOST_BLOCKS ? scan_head(tile, column, MOST_BLOCKS, LOAM_SCAN_STATE_SPACE)
                                     : scan_head(tile, column, 1, LOAM_SCAN_STATE_SPACE);
    case LOAM_SCAN_GATED_DELTA:
        return blocks == MOST_BLOCKS ? scan_head(tile, column, MOST_BLOCKS, LOAM_SCAN_GATED_DELTA)
                                     : scan_head(tile, column, 1, LOAM_SCAN_GATED_DELTA);
    default:
        return blocks == MOST_BLOCKS ? scan_head(tile, column, MOST_BLOCKS, LOAM_SCAN_GENERAL_DELTA)
                                     : scan_head(tile, column, 1, LOAM_SCAN_GENERAL_DELTA);
    }
}

/* Columns that are whole heads, with rates for each number: Mamba 1. */
enum { MOST_KEYS = 64 };

/* One row of 16 heads; rates [keys][16], negated. */
static void advance_heads(const struct scan_tile *tile, size_t row, size_t column, float *s,
                          const float *rates)
{
    size_t n = tile->key_width, at = row * tile->heads + column;
    const float *k = tile->key + row * n, *q = tile->query + row * n;
    for (size_t half = 0; half < SCAN_LANES; half += 8) {
        __m256 step = _mm256_loadu_ps(tile->step + at + half), y = _mm256_setzero_ps();
        __m256 v = _mm256_loadu_ps(tile->value + at + half), u = _mm256_mul_ps(v, step);
        for (size_t i = 0; i < n; i++) {
            float *number = s + i * SCAN_LANES + half;
            __m256 rate = _mm256_loadu_ps(rates + i * SCAN_LANES + half);
            __m256 d = exp8_of_minus(_mm256_mul_ps(step, rate));
            __m256 x =
                _mm256_fmadd_ps(_mm256_loadu_ps(number), d, _mm256_mul_ps(u, _mm256_set1_ps(k[i])));
            _mm256_storeu_ps(number, x);
            y = _mm256_fmadd_ps(x, _mm256_set1_ps(q[i]), y);
        }
        if (tile->scale != 1.0f)
            y = _mm256_mul_ps(y, _mm256_set1_ps(tile->scale));
        if (tile->skip)
            y = _mm256_fmadd_ps(_mm256_loadu_ps(tile->skip + column + half), v, y);
        _mm256_storeu_ps(tile->out + at + half, y);
    }
}

static bool scan_heads(const struct scan_tile *tile, size_t column)
{
    float rates[MOST_KEYS * SCAN_LANES];
    size_t n = tile->key_width, place = column * n, numbers = n * SCAN_LANES;
    float *s = tile->next_state + place;
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < SCAN_LANES; l++)
            rates[i * SCAN_LANES + l] = -tile->rate[(column + l) * n + i];
    copy(s, tile->state ? tile->state + place : NULL, numbers);
    for (size_t row = 0; row < tile->rows; row++) {
        advance_heads(tile, row, column, s, rates);
        if (tile->kept_state && row + 1 == tile->kept_rows)
            copy(tile->kept_state + place, s, numbers);
    }
    return all_finite(s, numbers);
}

bool loam_avx2_scan(const struct scan_tile *tile)
{
    size_t column = tile->first_column, end = column + tile->column_count;
    bool by_rule = tile->value_width % SCAN_LANES == 0 &&
                   (tile->rule == LOAM_SCAN_GENERAL_DELTA || !tile->rates);
    bool by_head = tile->rule == LOAM_SCAN_STATE_SPACE && tile->value_width == 1 &&
                   tile->key_heads == 1 && tile->rates && tile->key_width <= MOST_KEYS;
    bool finite = true;
    while (column < end) {
        size_t left = end - column, in_head = tile->value_width - column % tile->value_width;
        size_t taken = SCAN_LANES;
        if (by_rule) {
            size_t blocks = loam_min(left, in_head) >= MOST_BLOCKS * SCAN_LANES ? MOST_BLOCKS : 1;
            finite = scan_blocks(tile, column, blocks) && finite;
            taken = blocks * SCAN_LANES;
        } else if (by_head && left >= SCAN_LANES) {
            finite = scan_heads(tile, column) && finite;
        } else {
            struct scan_tile rest = *tile;
            rest.first_column = column;
            rest.column_count = taken = loam_min(left, SCAN_LANES);
            finite = loam_ref_scan(&rest) && finite;
        }
        column += taken;
    }
    return finite;
}

/* ---- convolution ------------------------------------------------------------------ */

/* 8 channels of x at `row`, which may be up to taps - 1 rows before the first. */
INLINE __m256 past(const struct convolve_tile *tile, ptrdiff_t row, size_t channel)
{
    if (row >= 0)
        return _mm256_loadu_ps(tile->x + (size_t)row * tile->width + channel);
    size_t place = (size_t)(row + (ptrdiff_t)tile->taps - 1);
    return tile->window ? _mm256_loadu_ps(tile->window + place * tile->width + channel)
                        : _mm256_setzero_ps();
}

/* All rows of 8 channels. */
static bool convolve8(const struct convolve_tile *tile, size_t channel)
{
    float weights[MAX_TAPS * 8];
    size_t taps = tile->taps;
    ptrdiff_t before = (ptrdiff_t)taps - 1;
    __m256 wrong = _mm256_setzero_ps(), zero = wrong;
    for (size_t i = 0; i < taps; i++)
        for (size_t l = 0; l < 8; l++)
            weights[i * 8 + l] = tile->weight[(channel + l) * taps + i];
    for (size_t row = 0; row < tile->rows; row++) {
        __m256 y = zero, x = past(tile, (ptrdiff_t)row, channel);
        wrong = _mm256_or_ps(wrong, _mm256_cmp_ps(_mm256_sub_ps(x, x), zero, _CMP_NEQ_UQ));
        for (size_t i = 0; i < taps; i++)
            y = _mm256_fmadd_ps(_mm256_loadu_ps(weights + i * 8),
                                past(tile, (ptrdiff_t)(row + i) - before, channel), y);
        if (tile->bias)
            y = _mm256_add_ps(y, _mm256_loadu_ps(tile->bias + channel));
        _mm256_storeu_ps(tile->out + row * tile->width + channel, y);
    }
    for (size_t i = 0; i + 1 < taps; i++) {
        float *next = tile->next_window + i * tile->width + channel;
        _mm256_storeu_ps(next, past(tile, (ptrdiff_t)(tile->rows + i) - before, channel));
        if (tile->kept_window)
            _mm256_storeu_ps(tile->kept_window + i * tile->width + channel,
                             past(tile, (ptrdiff_t)(tile->kept_rows + i) - before, channel));
    }
    return _mm256_movemask_ps(wrong) == 0;
}

bool loam_avx2_convolve(const struct convolve_tile *tile)
{
    size_t whole = tile->weight && tile->taps <= MAX_TAPS ? tile->channel_count / 8 * 8 : 0;
    struct convolve_tile rest = *tile;
    bool finite = true;
    for (size_t c = 0; c < whole; c += 8)
        finite = convolve8(tile, tile->first_channel + c) && finite;
    rest.first_channel += whole;
    rest.channel_count -= whole;
    return loam_ref_convolve(&rest) && finite;
}

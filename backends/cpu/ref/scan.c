/* SPDX-License-Identifier: MIT */
/*
 * Rule 8: a scan goes token by token, and each column of a head's matrix, s[i]
 * over the key's numbers, by itself. A column has one number v of the value and
 * one, y, of the result; q and k are those of its head. Sums are chains of fma
 * over ascending i from +0.
 *
 *   state space   u = v * step; s = fma(s, d, u * k)
 *   gated delta   s = s * d; m = sum(s, k); u = (v - m) * gain; s = fma(k, u, s)
 *   general delta m = sum(s, a); s = fma(s, decay, v * k); s = fma(m, b, s)
 *
 * with d = exp(step * rate), and then y = sum(s, q), times the scale where it is
 * not 1; with a skip, y = fma(skip, v, y).
 */
#include "base/numeric.h"
#include "cpu/ref/ref.h"
#include "tensor/tensor.h"

#include <math.h>

/* One column: its head, the key head's first number in a row, its own place in a
 * state. */
struct column {
    const struct scan_tile *tile;
    size_t number, head, keys, place;
};

static struct column find(const struct scan_tile *tile, size_t number)
{
    size_t head = number / tile->value_width;
    size_t key_head =
        tile->in_turn ? head % tile->key_heads : head / (tile->heads / tile->key_heads);
    return (struct column){.tile = tile,
                           .number = number,
                           .head = head,
                           .keys = key_head * tile->key_width,
                           .place = number / SCAN_LANES * SCAN_LANES * tile->key_width +
                                    number % SCAN_LANES};
}

/* s and the numbers of a row by the key's index. */
static float chain(const float *s, const float *x, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum = fmaf(s[i * SCAN_LANES], x[i], sum);
    return sum;
}

static float decay_of(const struct column *c, size_t row, size_t i)
{
    const struct scan_tile *tile = c->tile;
    float rate = tile->rate[tile->rates ? c->head * tile->key_width + i : c->head];
    return loam_expf(tile->step[row * tile->heads + c->head] * rate);
}

static void state_space(const struct column *c, size_t row, float *s, const float *k, float v)
{
    const struct scan_tile *tile = c->tile;
    float u = v * tile->step[row * tile->heads + c->head], d = decay_of(c, row, 0);
    for (size_t i = 0; i < tile->key_width; i++) {
        d = tile->rates && i > 0 ? decay_of(c, row, i) : d;
        s[i * SCAN_LANES] = fmaf(s[i * SCAN_LANES], d, u * k[i]);
    }
}

static void gated_delta(const struct column *c, size_t row, float *s, const float *k, float v)
{
    const struct scan_tile *tile = c->tile;
    float d = decay_of(c, row, 0);
    for (size_t i = 0; i < tile->key_width; i++) {
        d = tile->rates && i > 0 ? decay_of(c, row, i) : d;
        s[i * SCAN_LANES] *= d;
    }
    float u = (v - chain(s, k, tile->key_width)) * tile->gain[row * tile->heads + c->head];
    for (size_t i = 0; i < tile->key_width; i++)
        s[i * SCAN_LANES] = fmaf(k[i], u, s[i * SCAN_LANES]);
}

static void general_delta(const struct column *c, size_t at, float *s, const float *k, float v)
{
    const struct scan_tile *tile = c->tile;
    const float *decay = tile->decay + at, *b = tile->b + at;
    float m = chain(s, tile->a + at, tile->key_width);
    for (size_t i = 0; i < tile->key_width; i++) {
        float kept = fmaf(s[i * SCAN_LANES], decay[i], v * k[i]);
        s[i * SCAN_LANES] = fmaf(m, b[i], kept);
    }
}

/* One token; s is the column in next_state. */
static void advance(const struct column *c, size_t row, float *s)
{
    const struct scan_tile *tile = c->tile;
    size_t at = row * tile->key_heads * tile->key_width + c->keys;
    size_t number = row * tile->heads * tile->value_width + c->number;
    const float *k = tile->key + at;
    float v = tile->value[number];
    if (tile->rule == LOAM_SCAN_STATE_SPACE)
        state_space(c, row, s, k, v);
    else if (tile->rule == LOAM_SCAN_GATED_DELTA)
        gated_delta(c, row, s, k, v);
    else
        general_delta(c, at, s, k, v);
    float y = chain(s, tile->query + at, tile->key_width);
    y = tile->scale == 1.0f ? y : y * tile->scale;
    tile->out[number] = tile->skip ? fmaf(tile->skip[c->head], v, y) : y;
}

static void copy(float *out, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i * SCAN_LANES] = from ? from[i * SCAN_LANES] : 0.0f;
}

bool loam_ref_scan(const struct scan_tile *tile)
{
    bool finite = true;
    for (size_t n = tile->first_column; n < tile->first_column + tile->column_count; n++) {
        struct column c = find(tile, n);
        float *s = tile->next_state + c.place;
        copy(s, tile->state ? tile->state + c.place : NULL, tile->key_width);
        for (size_t row = 0; row < tile->rows; row++) {
            advance(&c, row, s);
            if (tile->kept_state && row + 1 == tile->kept_rows)
                copy(tile->kept_state + c.place, s, tile->key_width);
        }
        for (size_t i = 0; i < tile->key_width; i++)
            finite = finite && s[i * SCAN_LANES] - s[i * SCAN_LANES] == 0.0f;
    }
    return finite;
}

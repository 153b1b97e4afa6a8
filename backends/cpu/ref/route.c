/* SPDX-License-Identifier: MIT */
/*
 * Rules 5 and 8. For each row:
 *   p[i]  softmax: exp(s[i] - max), divided by their sum in 16 lanes;
 *         sigmoid: 1 / (1 + exp(-s[i])); else s[i]
 *   c[i]  = p[i] + bias[i]: what experts are chosen by
 *   With groups: a group's value is the sum of its two largest c; experts of
 *   the best groups alone are chosen.
 *   The `used` largest c, ties to the lower id; then in ascending id:
 *   w     = p of the chosen (SOFTMAX_CHOSEN: exp(s - max of the chosen), divided
 *         by their sum; SIGMOID_SCORES: 1 / (1 + exp(-s)))
 *   normalised: w / (sum > 2^-14 ? sum : 2^-14), then w * scale
 * Sums of the chosen are in ascending id from +0.
 */
#include "base/numeric.h"
#include "cpu/ref/lanes.h"
#include "cpu/ref/ref.h"

#include <loam/graph.h>

enum { MAX_COUNT = 1024 };

static float sigmoid(float x)
{
    return 1.0f / (1.0f + loam_expf(-x));
}

static void probabilities(const struct route_tile *tile, const float *s, float *p)
{
    float most = s[0], lane[LANES] = {0};
    for (size_t i = 0; i < tile->count; i++)
        most = s[i] > most ? s[i] : most;
    for (size_t i = 0; i < tile->count; i++) {
        if (tile->router == LOAM_ROUTER_SOFTMAX) {
            p[i] = loam_expf(s[i] - most);
            lane[i % LANES] += p[i];
        } else {
            p[i] = tile->router == LOAM_ROUTER_SIGMOID ? sigmoid(s[i]) : s[i];
        }
    }
    float sum = loam_lanes_sum(lane, LANES);
    for (size_t i = 0; tile->router == LOAM_ROUTER_SOFTMAX && i < tile->count; i++)
        p[i] /= sum;
}

/* The open entry with the largest value, the first of several; the first open
 * one if none compares. */
static size_t best(const float *values, const bool *open, size_t count)
{
    size_t found = count;
    for (size_t i = 0; i < count; i++)
        if (open[i] && (found == count || values[i] > values[found]))
            found = i;
    return found;
}

/* The sum of the two largest of c[count]. */
static float best_two(const float *c, size_t count)
{
    size_t first = 0;
    for (size_t i = 1; i < count; i++)
        first = c[i] > c[first] ? i : first;
    if (count == 1)
        return c[0];
    size_t second = first == 0;
    for (size_t i = 0; i < count; i++)
        if (i != first && c[i] > c[second])
            second = i;
    return c[first] + c[second];
}

/* Opens the experts of the best groups. */
static void open_groups(const struct route_tile *tile, const float *c, bool *open)
{
    float values[MAX_COUNT];
    bool left[MAX_COUNT];
    size_t size = tile->count / tile->groups;
    memset(open, 0, tile->count * sizeof *open);
    for (size_t g = 0; g < tile->groups; g++) {
        values[g] = best_two(c + g * size, size);
        left[g] = true;
    }
    for (size_t k = 0; k < tile->groups_used; k++) {
        size_t g = best(values, left, tile->groups);
        left[g] = false;
        for (size_t i = g * size; i < (g + 1) * size; i++)
            open[i] = true;
    }
}

/* Weights of the chosen, whose probabilities are in w[used]. */
static void weigh(const struct route_tile *tile, float *w)
{
    float sum = 0, most = w[0];
    for (size_t k = 1; k < tile->used; k++)
        most = w[k] > most ? w[k] : most;
    for (size_t k = 0; k < tile->used; k++) {
        if (tile->router == LOAM_ROUTER_SOFTMAX_CHOSEN)
            w[k] = loam_expf(w[k] - most);
        else if (tile->router == LOAM_ROUTER_SIGMOID_SCORES)
            w[k] = sigmoid(w[k]);
        sum += w[k];
    }
    for (size_t k = 0; k < tile->used; k++) {
        if (tile->router == LOAM_ROUTER_SOFTMAX_CHOSEN)
            w[k] /= sum;
        else if (tile->normalised)
            w[k] /= sum > 0x1p-14f ? sum : 0x1p-14f;
        w[k] *= tile->scale;
    }
}

void loam_ref_route(const struct route_tile *tile)
{
    float p[MAX_COUNT], c[MAX_COUNT];
    bool open[MAX_COUNT], chosen[MAX_COUNT];
    for (size_t row = tile->first_row; row < tile->first_row + tile->row_count; row++) {
        probabilities(tile, tile->scores + row * tile->count, p);
        for (size_t i = 0; i < tile->count; i++) {
            c[i] = tile->bias ? p[i] + tile->bias[i] : p[i];
            open[i] = true;
            chosen[i] = false;
        }
        if (tile->groups)
            open_groups(tile, c, open);
        for (size_t k = 0; k < tile->used; k++) {
            size_t id = best(c, open, tile->count);
            open[id] = false;
            chosen[id] = true;
        }
        size_t k = row * tile->used;
        for (size_t i = 0; i < tile->count; i++)
            if (chosen[i]) {
                tile->ids[k] = (uint32_t)i;
                tile->weights[k++] = p[i];
            }
        weigh(tile, tile->weights + row * tile->used);
    }
}

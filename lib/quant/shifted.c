/* SPDX-License-Identifier: MIT */
#include "quant/shifted.h"

static const struct book book = {.eights = loam_grid_iq1,
                                 .entry_count = 2048,
                                 .width = 8,
                                 .levels = {0xF8, 0, 8},
                                 .level_count = 3};

enum { MOST_SCALE = 7 };

void loam_shifted_index(struct book_index *out)
{
    loam_book_index(out, &book);
}

/* Entries of a run with one shift, at a scale; the sums that they give. */
static struct fit_sums choose_run(uint16_t *entries, const struct book_index *index, const float *x,
                                  const float *w, size_t count, float scale, float shift)
{
    float inverse = scale > 0x1p-120f ? 1 / scale : 0;
    struct fit_sums sums = {0, 0};
    for (size_t at = 0; at < count; at += 8) {
        float t[8];
        for (size_t i = 0; i < 8; i++)
            t[i] = x[at + i] * inverse - shift;
        size_t entry = loam_book_nearest(index, t, w + at);
        entries[at / 8] = (uint16_t)entry;
        for (size_t i = 0; i < 8; i++) {
            float value = (float)loam_book_number(&book, entry, i) + shift;
            sums.xq += w[at + i] * x[at + i] * value;
            sums.qq += w[at + i] * value * value;
        }
    }
    return sums;
}

/* A sub-block at `first` for a scale: for each run the better of two shifts. */
static struct fit_sums choose_sub_block(struct shifted_fit *fit, const float *x, const float *w,
                                        size_t first, float scale)
{
    struct fit_sums all = {0, 0};
    for (size_t at = first; at < first + fit->sub_block; at += fit->shift_run) {
        uint16_t entries[2][4];
        struct fit_sums sums[2];
        for (size_t down = 0; down < 2; down++)
            sums[down] = choose_run(entries[down], fit->index, x + at, w + at, fit->shift_run,
                                    scale, down ? -1.0f : 1.0f);
        float up_error = scale * (scale * sums[0].qq - 2 * sums[0].xq);
        float down_error = scale * (scale * sums[1].qq - 2 * sums[1].xq);
        size_t down = down_error < up_error;
        for (size_t i = 0; i < fit->shift_run / 8; i++) {
            fit->entries[at / 8 + i] = entries[down][i];
            fit->down[at / 8 + i] = down;
        }
        all.xq += sums[down].xq;
        all.qq += sums[down].qq;
    }
    return all;
}

static float fit_sub_block(struct shifted_fit *fit, const float *x, const float *w, size_t first)
{
    enum { TRIES = 6 };
    float most = 0, scale = 0, best = 0;
    for (size_t i = first; i < first + fit->sub_block; i++) {
        float magnitude = x[i] < 0 ? -x[i] : x[i];
        most = magnitude > most ? magnitude : most;
    }
    if (!(most >= 0x1p-100f) || most > 0x1p60f)
        return 0;
    for (int t = 0; t < TRIES; t++) {
        float candidate = most / (9 * (0.95f + 0.26f * (float)t));
        struct fit_sums sums = choose_sub_block(fit, x, w, first, candidate);
        float gain = sums.xq > 0 && sums.qq > 0 ? sums.xq * sums.xq / sums.qq : 0;
        if (gain > best) {
            best = gain;
            scale = sums.xq / sums.qq;
        }
    }
    return scale;
}

/* All entries for the scales and a unit; the better unit for them. */
static float choose_all(struct shifted_fit *fit, const float *x, const float *w, float unit)
{
    float xq = 0, qq = 0;
    for (size_t k = 0; k < 256 / fit->sub_block; k++) {
        float scale = 2 * (float)fit->scales[k] + 1;
        struct fit_sums sums = choose_sub_block(fit, x, w, k * fit->sub_block, unit * scale);
        xq += sums.xq * scale;
        qq += sums.qq * scale * scale;
    }
    return qq > 0 && xq > 0 ? xq / qq : 0;
}

static float unit_of(struct shifted_fit *fit, float unit)
{
    float d;
    fit->d = loam_fit_half(&d, unit * 8);
    return d * 0.125f;
}

void loam_shifted_fit(struct shifted_fit *fit, const float *x, const float *importance)
{
    float w[256], scales[16], most = 0;
    loam_fit_weights(w, importance, 256);
    for (size_t k = 0; k < 256 / fit->sub_block; k++) {
        scales[k] = fit_sub_block(fit, x, w, k * fit->sub_block);
        most = scales[k] > most ? scales[k] : most;
    }
    float unit = unit_of(fit, most / (2 * MOST_SCALE + 1));
    for (size_t k = 0; k < 256 / fit->sub_block; k++) {
        float s = unit > 0 ? (scales[k] / unit - 1) / 2 + 0.5f : 0;
        fit->scales[k] = (uint8_t)(s > 0 ? s < MOST_SCALE ? s : MOST_SCALE : 0);
    }
    for (int round = 0; round < 2; round++)
        unit = unit_of(fit, choose_all(fit, x, w, unit));
    choose_all(fit, x, w, unit);
}

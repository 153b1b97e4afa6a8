/* SPDX-License-Identifier: MIT */
#include "quant/book.h"

/* ---- the nearest entry ---------------------------------------------------------- */

enum { NO_ENTRY = -1 };

/* Levels are compared without sign; entries with signed bytes become so by this. */
static uint64_t flip_of(const struct book *book)
{
    bool is_signed = (book->levels[0] & 0x80) != 0;
    return is_signed ? LOAM_BYTES_OF_ONE * 0x80 : 0;
}

static uint64_t word_of(const struct book *book, size_t entry)
{
    return (book->eights ? book->eights[entry] : book->fours[entry]) ^ flip_of(book);
}

static int32_t find(const struct book *book, uint64_t word)
{
    size_t first = 0, end = book->entry_count;
    while (first < end) {
        size_t middle = (first + end) / 2;
        uint64_t here = word_of(book, middle);
        if (here == word)
            return (int32_t)middle;
        if (here < word)
            first = middle + 1;
        else
            end = middle;
    }
    return NO_ENTRY;
}

static float level_of(const struct book *book, size_t level)
{
    return (float)(int8_t)book->levels[level];
}

/* The two levels next to each number, as bytes, and what the second costs. */
struct choice {
    uint64_t word;       /* of the first ones */
    uint64_t changes[8]; /* what makes byte i the second one */
    float cost[8];
};

static void choose_levels(struct choice *out, const struct book *book, const float *t,
                          const float *w)
{
    out->word = 0;
    for (size_t i = 0; i < book->width; i++) {
        size_t first = 0;
        while (first + 1 < book->level_count &&
               2 * t[i] > level_of(book, first) + level_of(book, first + 1))
            first++;
        size_t second = first == 0 ? 1 : first - 1;
        if (first > 0 && first + 1 < book->level_count && t[i] > level_of(book, first))
            second = first + 1;
        float near = t[i] - level_of(book, first), far = t[i] - level_of(book, second);
        uint64_t a = book->levels[first], b = book->levels[second];
        out->word |= a << 8 * i;
        out->changes[i] = (a ^ b) << 8 * i;
        out->cost[i] = w[i] * (far * far - near * near);
    }
    out->word ^= flip_of(book);
    if (book->width == 4)
        out->word &= 0xFFFFFFFFu;
}

static size_t nearest_of_all(const struct book *book, const float *t, const float *w)
{
    size_t best = 0;
    float least = 0;
    for (size_t e = 0; e < book->entry_count; e++) {
        float cost = 0;
        for (size_t i = 0; i < book->width; i++) {
            float g = (float)loam_book_number(book, e, i);
            cost += w[i] * g * (g - 2 * t[i]);
        }
        if (e == 0 || cost < least) {
            least = cost;
            best = e;
        }
    }
    return best;
}

size_t loam_book_nearest(const struct book *book, const float *t, const float *w)
{
    struct choice choice;
    choose_levels(&choice, book, t, w);
    int32_t best = find(book, choice.word);
    if (best != NO_ENTRY)
        return (size_t)best;
    float least = 0x1p100f;
    for (size_t i = 0; i < book->width; i++) /* one or two numbers take their second level */
        for (size_t j = i; j < book->width; j++) {
            float cost = choice.cost[i] + (i == j ? 0 : choice.cost[j]);
            uint64_t changes = choice.changes[i] | choice.changes[j];
            int32_t entry = cost < least ? find(book, choice.word ^ changes) : NO_ENTRY;
            if (entry != NO_ENTRY) {
                best = entry;
                least = cost;
            }
        }
    return best != NO_ENTRY ? (size_t)best : nearest_of_all(book, t, w);
}

/* ---- blocks --------------------------------------------------------------------- */

/* Magnitudes and signs of 8 numbers; with even signs the one that costs least
 * has the wrong sign, and a magnitude below 0. */
static uint8_t split_signs(float *magnitudes, const float *x, const float *w, bool even)
{
    uint32_t signs = 0, count = 0;
    size_t cheapest = 0;
    for (size_t i = 0; i < 8; i++) {
        bool negative = x[i] < 0;
        signs |= (uint32_t)negative << i;
        count += negative;
        magnitudes[i] = negative ? -x[i] : x[i];
        if (w[i] * x[i] * x[i] < w[cheapest] * x[cheapest] * x[cheapest])
            cheapest = i;
    }
    if (even && count % 2) {
        signs ^= 1u << cheapest;
        magnitudes[cheapest] = -magnitudes[cheapest];
    }
    return (uint8_t)signs;
}

/* Entries of a sub-block at `first` for a scale, and the sums that they give. */
static struct fit_sums choose_entries(struct book_fit *fit, const float *magnitudes, const float *w,
                                      size_t first, float scale)
{
    size_t width = fit->book->width;
    float t[8], inverse = scale > 0x1p-120f ? 1 / scale : 0;
    struct fit_sums sums = {0, 0};
    for (size_t at = first; at < first + fit->sub_block; at += width) {
        for (size_t i = 0; i < width; i++)
            t[i] = magnitudes[at + i] * inverse;
        size_t entry = loam_book_nearest(fit->book, t, w + at);
        fit->entries[at / width] = (uint16_t)entry;
        for (size_t i = 0; i < width; i++) {
            float g = (float)loam_book_number(fit->book, entry, i);
            sums.xq += w[at + i] * magnitudes[at + i] * g;
            sums.qq += w[at + i] * g * g;
        }
    }
    return sums;
}

/* The scale of one sub-block that loses least. */
static float fit_sub_block(struct book_fit *fit, const float *magnitudes, const float *w,
                           size_t first)
{
    enum { TRIES = 12 };
    float most = 0, scale = 0, best = 0;
    for (size_t i = first; i < first + fit->sub_block; i++)
        most = magnitudes[i] > most ? magnitudes[i] : most;
    if (!(most >= 0x1p-100f) || most > 0x1p60f)
        return 0;
    float end = (float)fit->book->levels[fit->book->level_count - 1];
    for (int t = 0; t < TRIES; t++) {
        float candidate = most / (end * (0.75f + 0.07f * (float)t));
        struct fit_sums sums = choose_entries(fit, magnitudes, w, first, candidate);
        float gain = sums.xq > 0 && sums.qq > 0 ? sums.xq * sums.xq / sums.qq : 0;
        if (gain > best) {
            best = gain;
            scale = sums.xq / sums.qq;
        }
    }
    return scale;
}

/* All entries for the scales and a unit; the better unit for them. */
static float choose_all(struct book_fit *fit, const float *magnitudes, const float *w, float unit)
{
    float xq = 0, qq = 0;
    for (size_t k = 0; k < 256 / fit->sub_block; k++) {
        float scale = 2 * (float)fit->scales[k] + 1;
        struct fit_sums sums = choose_entries(fit, magnitudes, w, k * fit->sub_block, unit * scale);
        xq += sums.xq * scale;
        qq += sums.qq * scale * scale;
    }
    return qq > 0 && xq > 0 ? xq / qq : 0;
}

static float unit_of(struct book_fit *fit, float unit)
{
    float d;
    fit->d = loam_fit_half(&d, unit / fit->factor);
    return d * fit->factor;
}

void loam_book_fit(struct book_fit *fit, const float *x, const float *importance)
{
    float magnitudes[256], w[256], scales[16], most = 0;
    loam_fit_weights(w, importance, 256);
    for (size_t i = 0; i < 32; i++)
        fit->signs[i] = split_signs(magnitudes + 8 * i, x + 8 * i, w + 8 * i, fit->even_signs);
    for (size_t k = 0; k < 256 / fit->sub_block; k++) {
        scales[k] = fit_sub_block(fit, magnitudes, w, k * fit->sub_block);
        most = scales[k] > most ? scales[k] : most;
    }
    float unit = unit_of(fit, most / (float)(2 * fit->most_scale + 1));
    for (size_t k = 0; k < 256 / fit->sub_block; k++) {
        float s = unit > 0 ? (scales[k] / unit - 1) / 2 : 0;
        fit->scales[k] =
            (uint8_t)(s > 0 ? s < (float)fit->most_scale ? s + 0.5f : (float)fit->most_scale : 0);
    }
    for (int round = 0; round < 2; round++)
        unit = unit_of(fit, choose_all(fit, magnitudes, w, unit));
    choose_all(fit, magnitudes, w, unit);
}

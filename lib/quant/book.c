/* SPDX-License-Identifier: MIT */
#include "quant/book.h"

/* ---- the nearest entry ---------------------------------------------------------- */

enum { NO_ENTRY = -1 };

static float level_of(const struct book *book, size_t level)
{
    return (float)(int8_t)book->levels[level];
}

/* Bits that are 1. Compilers call a library of their own for it. */
static int32_t bits_set(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (int32_t)(x * 0x0101010101010101u >> 56);
}

void loam_book_index(struct book_index *out, const struct book *book)
{
    uint32_t power = 1;
    memset(out, 0, sizeof *out);
    out->book = book;
    for (size_t i = 0; i < book->width; i++, power *= (uint32_t)book->level_count)
        out->powers[i] = (uint16_t)power;
    for (size_t e = 0; e < book->entry_count; e++) {
        uint32_t number = 0;
        for (size_t i = 0; i < book->width; i++) {
            int32_t value = loam_book_number(book, e, i);
            for (size_t level = 1; level < book->level_count; level++)
                number += value >= (int8_t)book->levels[level] ? out->powers[i] : 0;
        }
        out->bits[number / 64] |= 1ull << number % 64;
    }
    for (size_t i = 1; i < LOAM_COUNT_OF(out->bits); i++)
        out->before[i] = (uint16_t)(out->before[i - 1] + bits_set(out->bits[i - 1]));
}

static int32_t find(const struct book_index *index, int32_t number)
{
    uint64_t bits = index->bits[number / 64], bit = 1ull << number % 64;
    if (!(bits & bit))
        return NO_ENTRY;
    return index->before[number / 64] + bits_set(bits & (bit - 1));
}

/* Another level of one number: what it costs more than the nearest, and what it
 * adds to the word's number. */
struct change {
    float cost;
    int16_t adds;
    uint8_t place;
};

enum { MOST_CHANGES = 16 }; /* two of each number */

/* The number of the word of nearest levels, and the levels below
 * and above. */
static int32_t choose_levels(struct change *changes, size_t *count, const struct book_index *index,
                             const float *t, const float *w)
{
    const struct book *book = index->book;
    int32_t number = 0;
    *count = 0;
    for (size_t i = 0; i < book->width; i++) {
        size_t first = 0;
        while (first + 1 < book->level_count &&
               2 * t[i] > level_of(book, first) + level_of(book, first + 1))
            first++;
        float near = t[i] - level_of(book, first);
        number += (int32_t)first * index->powers[i];
        for (int step = -1; step <= 1; step += 2) {
            int level = (int)first + step;
            if (level < 0 || level >= (int)book->level_count)
                continue;
            float far = t[i] - level_of(book, (size_t)level);
            changes[(*count)++] = (struct change){.cost = w[i] * (far * far - near * near),
                                                  .adds = (int16_t)(step * index->powers[i]),
                                                  .place = (uint8_t)i};
        }
    }
    return number;
}

static void sort_by_cost(struct change *changes, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct change one = changes[i];
        size_t at = i;
        for (; at > 0 && changes[at - 1].cost > one.cost; at--)
            changes[at] = changes[at - 1];
        changes[at] = one;
    }
}

struct nearest {
    int32_t entry;
    float cost;
};

/* Keeps a word that is an entry and costs less. */
static inline void consider(struct nearest *best, const struct book_index *index, int32_t number,
                            float cost)
{
    int32_t entry = find(index, number);
    if (entry != NO_ENTRY)
        *best = (struct nearest){entry, cost};
}

/* Words with two changes, or three if there was none with two. */
static void consider_pairs(struct nearest *best, const struct book_index *index, int32_t number,
                           const struct change *changes, size_t count, bool triples)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++) {
            float cost = changes[i].cost + changes[j].cost;
            if (cost >= best->cost)
                break;
            if (changes[i].place == changes[j].place)
                continue;
            int32_t other = number + changes[i].adds + changes[j].adds;
            if (!triples)
                consider(best, index, other, cost);
            for (size_t k = j + 1; triples && k < count && cost + changes[k].cost < best->cost; k++)
                if (changes[k].place != changes[i].place && changes[k].place != changes[j].place)
                    consider(best, index, other + changes[k].adds, cost + changes[k].cost);
        }
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

size_t loam_book_nearest(const struct book_index *index, const float *t, const float *w)
{
    struct change changes[MOST_CHANGES];
    size_t count;
    int32_t number = choose_levels(changes, &count, index, t, w);
    struct nearest best = {find(index, number), 0x1p100f};
    if (best.entry != NO_ENTRY)
        return (size_t)best.entry;
    sort_by_cost(changes, count);
    for (size_t i = 0; i < count && best.entry == NO_ENTRY; i++)
        consider(&best, index, number + changes[i].adds, changes[i].cost);
    consider_pairs(&best, index, number, changes, count, false);
    if (best.entry == NO_ENTRY)
        consider_pairs(&best, index, number, changes, count, true);
    return best.entry != NO_ENTRY ? (size_t)best.entry : nearest_of_all(index->book, t, w);
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
    const struct book *book = fit->index->book;
    size_t width = book->width;
    float t[8], inverse = scale > 0x1p-120f ? 1 / scale : 0;
    struct fit_sums sums = {0, 0};
    for (size_t at = first; at < first + fit->sub_block; at += width) {
        for (size_t i = 0; i < width; i++)
            t[i] = magnitudes[at + i] * inverse;
        size_t entry = loam_book_nearest(fit->index, t, w + at);
        fit->entries[at / width] = (uint16_t)entry;
        for (size_t i = 0; i < width; i++) {
            float g = (float)loam_book_number(book, entry, i);
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
    enum { TRIES = 7 };
    float most = 0, scale = 0, best = 0;
    for (size_t i = first; i < first + fit->sub_block; i++)
        most = magnitudes[i] > most ? magnitudes[i] : most;
    if (!(most >= 0x1p-100f) || most > 0x1p60f)
        return 0;
    const struct book *book = fit->index->book;
    float end = (float)book->levels[book->level_count - 1];
    for (int t = 0; t < TRIES; t++) {
        float candidate = most / (end * (0.8f + 0.11f * (float)t));
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

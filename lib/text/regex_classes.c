/* SPDX-License-Identifier: MIT */
/* The code space is walked in intervals that no set divides; intervals in the
 * same sets are one class. */
#include "text/regex.h"

enum { PAGE = 128, PAGES = 0x110000 / PAGE };

static bool is_member(const struct regex_sets *sets, int32_t index, uint32_t c,
                      enum category category)
{
    for (; index >= 0; index = sets->sets[index].also) {
        const struct regex_set *set = &sets->sets[index];
        bool space = loam_unicode_is_space(c);
        bool in = (set->categories >> category & 1) || (set->space && space) ||
                  (set->not_space && !space) ||
                  (set->scripts && (set->scripts >> loam_unicode_script(c) & 1));
        for (uint32_t i = 0; !in && i < set->count; i++)
            in = sets->ranges[set->first + i].low <= c && c <= sets->ranges[set->first + i].high;
        if (in == set->negated)
            return false;
    }
    return true;
}

static uint64_t signature(const struct regex_sets *sets, uint32_t c, enum category category)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < sets->count; i++)
        if (is_member(sets, (int32_t)i, c, category))
            bits |= (uint64_t)1 << i;
    return bits;
}

/* Where intervals may begin, besides a change of category. Returns a sorted
 * list that ends with 0x110000, or NULL without memory. */
static uint32_t *borders(const struct regex_sets *sets)
{
    size_t count = 0, limit = 2 * sets->range_count + 2 * loam_unicode_script_range_count + 65;
    uint32_t *list = loam_memory_get(sets->memory, limit, sizeof *list);
    if (!list)
        return NULL;
    for (size_t i = 0; i < sets->range_count; i++) {
        list[count++] = sets->ranges[i].low;
        list[count++] = sets->ranges[i].high + 1;
    }
    for (size_t i = 0; i < loam_unicode_script_range_count; i++) {
        list[count++] = loam_unicode_script_ranges[i].first;
        list[count++] = loam_unicode_script_ranges[i].last + 1;
    }
    for (uint32_t c = 0; c < 0x3001; c++) /* White_Space has nothing beyond U+3000 */
        if (loam_unicode_is_space(c) != (c > 0 && loam_unicode_is_space(c - 1)))
            list[count++] = c;
    list[count++] = 0x3001;
    list[count++] = 0x110000;
    for (size_t gap = count / 2; gap > 0; gap /= 2) /* Shell's sort */
        for (size_t i = gap; i < count; i++) {
            uint32_t border = list[i];
            size_t at = i;
            for (; at >= gap && list[at - gap] > border; at -= gap)
                list[at] = list[at - gap];
            list[at] = border;
        }
    return list;
}

/* The class with those sets, a new one if there is none; or REGEX_CLASSES. */
static uint32_t class_of(struct regex_classes *classes, uint64_t members)
{
    uint32_t i = 0;
    while (i < classes->count && classes->members[i] != members)
        i++;
    if (i == classes->count && i < REGEX_CLASSES) {
        classes->members[i] = members;
        classes->count++;
    }
    return i;
}

/* Fills what the interval covers; pages of one class are shared. */
struct filler {
    struct regex_classes *classes;
    uint32_t used; /* pages of the table */
    uint16_t whole[REGEX_CLASSES];
};

static void fill(struct filler *filler, uint32_t low, uint32_t high, uint8_t class)
{
    struct regex_classes *classes = filler->classes;
    while (low < high) {
        uint32_t page = low / PAGE, end = loam_min((page + 1) * PAGE, high);
        bool whole = low % PAGE == 0 && end - low == PAGE;
        if (whole && filler->whole[class] != UINT16_MAX) {
            classes->pages[page] = filler->whole[class];
        } else {
            if (low % PAGE == 0)
                classes->pages[page] = (uint16_t)filler->used++;
            if (whole)
                filler->whole[class] = classes->pages[page];
            memset(classes->table + (size_t)classes->pages[page] * PAGE + low % PAGE, class,
                   end - low);
        }
        low = end;
    }
}

/* Two passes over the intervals: the first counts pages, the second fills. */
struct interval_walk {
    const uint32_t *border;
    size_t range;
    uint32_t low;
};

static uint32_t next_interval(struct interval_walk *walk, enum category *category)
{
    while (walk->range + 1 < loam_unicode_range_count &&
           loam_unicode_ranges[walk->range + 1] >> 8 <= walk->low)
        walk->range++;
    while (*walk->border <= walk->low)
        walk->border++;
    uint32_t high = *walk->border;
    if (walk->range + 1 < loam_unicode_range_count)
        high = loam_min(high, loam_unicode_ranges[walk->range + 1] >> 8);
    *category = (enum category)(loam_unicode_ranges[walk->range] & 0xFF);
    return high;
}

static loam_status fill_all(struct regex_classes *out, const struct regex_sets *sets,
                            const uint32_t *list, struct arena *arena, loam_error *error)
{
    struct filler filler = {.classes = out};
    /* A page is of its own if an interval ends inside it; the others share one
     * for each class. */
    uint32_t mixed = 0, last = UINT32_MAX;
    enum category category;
    memset(filler.whole, 0xFF, sizeof filler.whole);
    for (struct interval_walk walk = {.border = list}; walk.low < 0x110000;) {
        walk.low = next_interval(&walk, &category);
        if (walk.low % PAGE != 0 && walk.low / PAGE != last) {
            mixed++;
            last = walk.low / PAGE;
        }
    }
    uint64_t size = ((uint64_t)mixed + REGEX_CLASSES) * PAGE;
    out->pages = loam_arena_get(arena, PAGES, sizeof *out->pages);
    out->table = loam_arena_get(arena, size, 1);
    if (!out->pages || !out->table)
        return loam_fail_memory(error, size + PAGES * sizeof *out->pages);
    for (struct interval_walk walk = {.border = list}; walk.low < 0x110000;) {
        uint32_t low = walk.low, high = next_interval(&walk, &category);
        uint32_t class = class_of(out, signature(sets, low, category));
        if (class >= REGEX_CLASSES - 1)
            return loam_fail(error, LOAM_UNSUPPORTED,
                             "the split pattern tells more than %d classes of characters apart",
                             REGEX_CLASSES - 1);
        fill(&filler, low, high, (uint8_t) class);
        walk.low = high;
    }
    return LOAM_OK;
}

loam_status loam_regex_classify(struct regex_classes *out, const struct regex_sets *sets,
                                struct arena *arena, loam_error *error)
{
    memset(out, 0, sizeof *out);
    uint32_t *list = borders(sets);
    if (!list)
        return loam_fail_memory(error, 0);
    loam_status status = fill_all(out, sets, list, arena, error);
    loam_memory_free(sets->memory, list);
    if (status)
        return status;
    out->none = loam_regex_class(out, 0x10FFFF); /* unassigned for ever */
    out->members[out->count++] = 0;              /* the end of the text */
    for (uint32_t c = 0; c < 128; c++)
        out->ascii[c] = loam_regex_class(out, c);
    return LOAM_OK;
}

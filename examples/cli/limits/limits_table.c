/* SPDX-License-Identifier: MIT */
#include "limits.h"

#include <stdio.h>
#include <string.h>

void limits_add(struct measurements *out, const char *group, const char *name, const char *unit,
                int threads, struct rate rate, double scale)
{
    if (out->count == sizeof out->items / sizeof *out->items)
        return;
    struct measurement *item = &out->items[out->count++];
    *item = (struct measurement){.group = group, .unit = unit, .threads = threads};
    item->rate = (struct rate){.median = rate.median * scale, .best = rate.best * scale};
    snprintf(item->name, sizeof item->name, "%s", name);
}

const struct measurement *limits_best(const struct measurements *all, const char *group,
                                      int threads)
{
    const struct measurement *best = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct measurement *item = &all->items[i];
        if (!strcmp(item->group, group) && item->threads == threads &&
            (!best || item->rate.median > best->rate.median))
            best = item;
    }
    return best;
}

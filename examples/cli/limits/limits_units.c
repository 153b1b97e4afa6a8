/* SPDX-License-Identifier: MIT */
/* Multiply-adds per second of each unit up to a level, with one and all threads. */
#include "limits.h"

#include <stdio.h>
#include <string.h>

enum { PIECE_ROUNDS = 10000 };

static void piece(void *context, int thread)
{
    (void)thread;
    ((const struct unit *)context)->loop(PIECE_ROUNDS);
}

static bool measure(struct measurements *out, const struct settings *settings,
                    const struct unit *unit)
{
    const struct work work = {
        .context = (void *)(uintptr_t)unit, .piece = piece, .amount = unit->amount * PIECE_ROUNDS};
    for (int threads = settings->brief ? settings->threads : 1;; threads = settings->threads) {
        struct rate rate;
        if (!limits_run(&rate, &work, threads, settings->seconds)) {
            fprintf(stderr, "limits: %s: no memory\n", unit->name);
            return false;
        }
        limits_add(out, unit->group, unit->name, "GMAC/s", threads, rate, 1e-9);
        if (threads == settings->threads)
            return true;
    }
}

bool limits_units(struct measurements *out, const struct settings *settings, const char *group)
{
    const struct unit *const tables[] = {limits_x86_units, limits_amx_units, limits_arm_units};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct unit *unit = tables[i]; unit->name; unit++)
            if (!strcmp(unit->group, group) && unit->level <= settings->level &&
                limits_level_available(unit->level) && !measure(out, settings, unit))
                return false;
    return true;
}

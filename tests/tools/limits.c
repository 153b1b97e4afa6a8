/* SPDX-License-Identifier: MIT */
/*
 * limits: what this machine can do at most, as a table or as JSON.
 *
 *   limit_read_gbps   bytes read from memory, the better page size
 *   limit_int8_gmacs  multiply-adds of bytes, the best unit up to --level
 *   limit_f32_gmacs   multiply-adds of floats, likewise
 *
 * each with all threads together, the median of the samples.
 */
#include "limits/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: limits [OPTIONS]\n"
    "  --threads N       most threads (default: cores)\n"
    "  --seconds S       of each measurement (default 0.5)\n"
    "  --only LIST       of read,int8,f32 (default: all)\n"
    "  --level LEVEL     no unit above it: best, scalar, avx2, avx-vnni, avx512, amx,\n"
    "                    neon, neon-dotprod, neon-i8mm (default: best)\n"
    "  --megabytes N     of memory to read through (default 1024)\n"
    "  --brief           with all threads only, not with fewer\n"
    "  --json            a JSON object\n";

static const char *const groups[] = {"read", "int8", "f32"};
enum { GROUP_COUNT = 3 };

struct options {
    struct settings settings;
    bool wanted[GROUP_COUNT];
    bool json;
};

static bool fail(const char *option, const char *value)
{
    fprintf(stderr, "limits: %s: cannot use \"%s\"\n%s", option, value, usage);
    return false;
}

static bool read_groups(bool wanted[GROUP_COUNT], const char *list)
{
    memset(wanted, 0, GROUP_COUNT * sizeof *wanted);
    while (*list) {
        size_t length = strcspn(list, ","), i = 0;
        while (i < GROUP_COUNT &&
               (strlen(groups[i]) != length || strncmp(groups[i], list, length) != 0))
            i++;
        if (i == GROUP_COUNT)
            return false;
        wanted[i] = true;
        list += length + (list[length] == ',');
    }
    return true;
}

static bool read_number(double *out, const char *text, double least, double most)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= least && *out <= most;
}

static bool read_option(struct options *options, const char *name, const char *value)
{
    struct settings *settings = &options->settings;
    double number = 0;
    bool fine;
    if (!strcmp(name, "--threads")) {
        fine = read_number(&number, value, 1, 1024);
        settings->threads = (int)number;
    } else if (!strcmp(name, "--seconds")) {
        fine = read_number(&settings->seconds, value, 0.001, 600);
    } else if (!strcmp(name, "--megabytes")) {
        fine = read_number(&number, value, 1, 1 << 20);
        settings->read_bytes = (size_t)number << 20;
    } else if (!strcmp(name, "--only")) {
        fine = read_groups(options->wanted, value);
    } else if (!strcmp(name, "--level")) {
        settings->level =
            strcmp(value, "best") ? limits_level_from_name(value) : limits_level_best();
        fine = settings->level >= 0 && limits_level_available(settings->level);
    } else {
        fprintf(stderr, "limits: no option \"%s\"\n%s", name, usage);
        return false;
    }
    return fine || fail(name, value);
}

static bool read_options(struct options *options, int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        if (!strcmp(arguments[i], "--json"))
            options->json = true;
        else if (!strcmp(arguments[i], "--brief"))
            options->settings.brief = true;
        else if (i + 1 == count)
            return fail(arguments[i], "");
        else if (!read_option(options, arguments[i], arguments[i + 1]))
            return false;
        else
            i++;
    }
    return true;
}

static const char *const keys[GROUP_COUNT] = {"limit_read_gbps", "limit_int8_gmacs",
                                              "limit_f32_gmacs"};

static void print_json(const struct measurements *all, const struct settings *settings,
                       const char *cpu, long cores)
{
    printf("{\"cpu\": \"%s\", \"cores\": %ld, \"threads\": %d, \"level\": \"%s\"", cpu, cores,
           settings->threads, limits_level_name(settings->level));
    for (int i = 0; i < GROUP_COUNT; i++) {
        const struct measurement *limit = limits_best(all, groups[i], settings->threads);
        if (limit)
            printf(", \"%s\": %.4f, \"%s_by\": \"%s\"", keys[i], limit->rate.median, groups[i],
                   limit->name);
    }
    printf(", \"measurements\": [");
    for (size_t i = 0; i < all->count; i++) {
        const struct measurement *item = &all->items[i];
        printf("%s{\"name\": \"%s\", \"group\": \"%s\", \"unit\": \"%s\", \"threads\": %d, "
               "\"median\": %.4f, \"best\": %.4f}",
               i ? ", " : "", item->name, item->group, item->unit, item->threads, item->rate.median,
               item->rate.best);
    }
    printf("]}\n");
}

static void print_table(const struct measurements *all, const struct settings *settings,
                        const char *cpu, long cores)
{
    printf("%s, %ld cores, level %s\n\n", cpu, cores, limits_level_name(settings->level));
    printf("%-40s %7s %10s %10s\n", "", "threads", "median", "best");
    for (size_t i = 0; i < all->count; i++) {
        const struct measurement *item = &all->items[i];
        printf("%-40s %7d %10.2f %10.2f %s\n", item->name, item->threads, item->rate.median,
               item->rate.best, item->unit);
    }
    putchar('\n');
    for (int i = 0; i < GROUP_COUNT; i++) {
        const struct measurement *limit = limits_best(all, groups[i], settings->threads);
        if (limit)
            printf("%-18s %10.2f   %s\n", keys[i], limit->rate.median, limit->name);
    }
}

int main(int count, char **arguments)
{
    struct options options = {.settings = {.seconds = 0.5, .read_bytes = (size_t)1 << 30},
                              .wanted = {true, true, true}};
    static struct measurements all;
    char cpu[64];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options.settings.threads = cores < 1 ? 1 : (int)cores;
    options.settings.level = limits_level_best();
    if (!read_options(&options, count, arguments))
        return 2;
    bool fine = true;
    if (options.wanted[0])
        fine = limits_read(&all, &options.settings);
    for (int i = 1; i < GROUP_COUNT; i++)
        if (options.wanted[i])
            fine = limits_units(&all, &options.settings, groups[i]) && fine;
    limits_cpu_name(cpu);
    (options.json ? print_json : print_table)(&all, &options.settings, cpu, cores);
    return fine && !ferror(stdout) && fflush(stdout) == 0 ? 0 : 1;
}

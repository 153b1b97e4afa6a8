/* SPDX-License-Identifier: MIT */
/*
 * The staircase: the scalar kernels fill the table, then each step up to the
 * level wanted overrides what it does better. A level stands on the one named
 * in its line.
 */
#include "cpu/levels.h"
#include "base/features.h"

struct level {
    const char *name;
    uint32_t features; /* all needed */
    int32_t below;
    void (*fill)(struct cpu_kernels *kernels); /* NULL: not in this build */
};

#if defined(__x86_64__)
#define X86(function) function
#else
#define X86(function) NULL
#endif
#if defined(LOAM_HAVE_AMX)
#define AMX(function) function
#else
#define AMX(function) NULL
#endif
#if defined(__aarch64__)
#define ARM(function) function
#else
#define ARM(function) NULL
#endif

static const struct level levels[LOAM_CPU_LEVEL_COUNT] = {
    [LOAM_CPU_BEST] = {"best", 0, 0, NULL},
    [LOAM_CPU_SCALAR] = {"scalar", 0, 0, loam_kernels_ref},
    [LOAM_CPU_AVX2] = {"avx2", CPU_AVX2, LOAM_CPU_SCALAR, X86(loam_kernels_avx2)},
    [LOAM_CPU_AVX_VNNI] = {"avx-vnni", CPU_AVX2 | CPU_AVX_VNNI, LOAM_CPU_AVX2,
                           X86(loam_kernels_avx_vnni)},
    /* CPUs before 2021 have it without AVX-VNNI. */
    [LOAM_CPU_AVX512] = {"avx512", CPU_AVX2 | CPU_AVX512, LOAM_CPU_AVX2, X86(loam_kernels_avx512)},
    [LOAM_CPU_AMX] = {"amx", CPU_AVX2 | CPU_AVX512 | CPU_AMX, LOAM_CPU_AVX512,
                      AMX(loam_kernels_amx)},
    [LOAM_CPU_NEON] = {"neon", CPU_NEON, LOAM_CPU_SCALAR, ARM(loam_kernels_neon)},
    [LOAM_CPU_NEON_DOTPROD] = {"neon-dotprod", CPU_NEON | CPU_DOTPROD, LOAM_CPU_NEON,
                               ARM(loam_kernels_neon_dotprod)},
    [LOAM_CPU_NEON_I8MM] = {"neon-i8mm", CPU_NEON | CPU_DOTPROD | CPU_I8MM, LOAM_CPU_NEON_DOTPROD,
                            ARM(loam_kernels_neon_i8mm)},
};

static bool known(int32_t level)
{
    return level >= 0 && level < LOAM_CPU_LEVEL_COUNT;
}

const char *loam_cpu_levels_name(int32_t level)
{
    return known(level) ? levels[level].name : NULL;
}

bool loam_cpu_levels_built(int32_t level)
{
    return known(level) && levels[level].fill;
}

bool loam_cpu_levels_available(int32_t level)
{
    if (level == LOAM_CPU_BEST)
        return true;
    return loam_cpu_levels_built(level) &&
           (loam_cpu_features() & levels[level].features) == levels[level].features;
}

bool loam_cpu_levels_request(int32_t level)
{
    return !(levels[level].features & CPU_AMX) || loam_cpu_request_tiles();
}

int32_t loam_cpu_levels_below(int32_t level)
{
    return levels[level].below;
}

int32_t loam_cpu_levels_best(void)
{
    int32_t best = LOAM_CPU_SCALAR;
    for (int32_t level = best; level < LOAM_CPU_LEVEL_COUNT; level++)
        if (loam_cpu_levels_available(level))
            best = level;
    return best;
}

void loam_cpu_levels_fill(struct cpu_kernels *kernels, int32_t level)
{
    int32_t steps[LOAM_CPU_LEVEL_COUNT], count = 0;
    for (; level != 0; level = levels[level].below)
        steps[count++] = level;
    memset(kernels, 0, sizeof *kernels);
    while (count > 0)
        levels[steps[--count]].fill(kernels);
}

/* SPDX-License-Identifier: MIT */
/* Asks the CPU itself, not the library: a tool that measures what there could
 * be must not depend on what the library knows of. */
#include "limits.h"

#include <string.h>

static const char *const names[LEVEL_COUNT] = {
    [LEVEL_SCALAR] = "scalar",
    [LEVEL_AVX2] = "avx2",
    [LEVEL_AVX_VNNI] = "avx-vnni",
    [LEVEL_AVX512] = "avx512",
    [LEVEL_AMX] = "amx",
    [LEVEL_NEON] = "neon",
    [LEVEL_NEON_DOTPROD] = "neon-dotprod",
    [LEVEL_NEON_I8MM] = "neon-i8mm",
};

const char *limits_level_name(int level)
{
    return level >= 0 && level < LEVEL_COUNT ? names[level] : "?";
}

int limits_level_from_name(const char *name)
{
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (!strcmp(names[level], name))
            return level;
    return -1;
}

int limits_level_best(void)
{
    int best = LEVEL_SCALAR;
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (limits_level_available(level))
            best = level;
    return best;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bits of XCR0: registers that the system saves. */
enum { SAVED_YMM = 0x6, SAVED_ZMM = 0xe6, SAVED_TILES = 0x60000 };

static uint32_t saved_state(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return a;
}

static bool saves(uint32_t state)
{
    return (saved_state() & state) == state;
}

static bool has_avx2(void)
{
    uint32_t a, b, c, d;
    const uint32_t wanted = bit_AVX | bit_FMA | bit_F16C;
    return saves(SAVED_YMM) && __get_cpuid(1, &a, &b, &c, &d) && (c & wanted) == wanted &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_AVX2;
}

static bool has_avx_vnni(void)
{
    uint32_t a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & 1u << 4;
}

/* F, BW, DQ, VL and VNNI. */
static bool has_avx512(void)
{
    uint32_t a, b, c, d;
    const uint32_t wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    return has_avx2() && saves(SAVED_ZMM) && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & wanted) == wanted && c & 1u << 11;
}

/* Linux lends the tile registers to a process that asks; threads made later
 * have them as well. */
static bool may_use_tiles(void)
{
#if defined(__linux__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

static bool has_amx(void)
{
    uint32_t a, b, c, d;
    const uint32_t wanted = 1u << 24 | 1u << 25; /* tiles, int8 */
    return saves(SAVED_TILES) && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (d & wanted) == wanted && may_use_tiles();
}

bool limits_level_available(int level)
{
    switch (level) {
    case LEVEL_SCALAR:
        return true;
    case LEVEL_AVX2:
        return has_avx2();
    case LEVEL_AVX_VNNI:
        return has_avx_vnni();
    case LEVEL_AVX512:
        return has_avx512();
    case LEVEL_AMX:
        return has_amx();
    default:
        return false;
    }
}

void limits_cpu_name(char out[64])
{
    uint32_t words[12] = {0};
    for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                         &words[4 * i + 3]))
            words[0] = 0;
    memcpy(out, words, sizeof words);
    out[sizeof words] = '\0';
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* Bits of the Linux kernel's hwcap.h for arm64. */
bool limits_level_available(int level)
{
    unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
    bool neon = first & 1ul << 1, dotprod = neon && first & 1ul << 20;
    switch (level) {
    case LEVEL_SCALAR:
        return true;
    case LEVEL_NEON:
        return neon;
    case LEVEL_NEON_DOTPROD:
        return dotprod;
    case LEVEL_NEON_I8MM:
        return dotprod && second & 1ul << 13;
    default:
        return false;
    }
}

void limits_cpu_name(char out[64])
{
    strcpy(out, "aarch64");
}

#else

bool limits_level_available(int level)
{
    return level == LEVEL_SCALAR;
}

void limits_cpu_name(char out[64])
{
    out[0] = '\0';
}

#endif

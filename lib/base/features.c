/* SPDX-License-Identifier: MIT */
#include "base/features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Registers that the system saves when it switches threads. */
static uint32_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

#if defined(__linux__)
/* Linux lends the registers for tile data, component 18 of a thread's state, to a
 * process that asks (the kernel's Documentation/arch/x86/xstate.rst). */
enum { GET_SUPPORTED = 0x1021, REQUEST = 0x1023, TILE_DATA = 18 };

static bool lends_tiles(void)
{
    uint64_t components = 0;
    return syscall(SYS_arch_prctl, GET_SUPPORTED, &components) == 0 && components >> TILE_DATA & 1;
}

bool loam_cpu_request_tiles(void)
{
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}
#else
static bool lends_tiles(void)
{
    return false;
}

bool loam_cpu_request_tiles(void)
{
    return false;
}
#endif

/* Tiles of at least the size that kernels use, the products of bytes, and a
 * system that saves and lends them. */
static bool has_tiles(void)
{
    enum { TILE_STATE = 0x60000, PALETTE = 1 };
    uint32_t a, b, c, d;
    const uint32_t wanted = 1u << 24 | 1u << 25; /* AMX-TILE, AMX-INT8 */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & wanted) != wanted ||
        (saved_state() & TILE_STATE) != TILE_STATE ||
        !__get_cpuid_count(0x1D, PALETTE, &a, &b, &c, &d))
        return false;
    uint32_t row_bytes = b & 0xFFFF, tiles = b >> 16, rows = c & 0xFFFF;
    return row_bytes >= 64 && tiles >= 8 && rows >= 16 && lends_tiles();
}

static bool made_by_amd(void)
{
    uint32_t a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
           d == signature_AMD_edx;
}

uint32_t loam_cpu_features(void)
{
    enum { XMM_AND_YMM = 6, ZMM_AND_MASKS = 0xE0 };
    uint32_t a, b, c, d, features = 0;
    const uint32_t wanted = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & wanted) != wanted ||
        (saved_state() & XMM_AND_YMM) != XMM_AND_YMM)
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2) || !(b & bit_BMI2))
        return 0;
    features |= CPU_AVX2 | (made_by_amd() ? CPU_AMD : 0);
    const uint32_t wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b & wide) == wide && c & bit_AVX512VNNI &&
        (saved_state() & ZMM_AND_MASKS) == ZMM_AND_MASKS)
        features |= CPU_AVX512;
    features |= has_tiles() ? CPU_AMX : 0;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & 1u << 4)
        features |= CPU_AVX_VNNI;
    return features;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

uint32_t loam_cpu_features(void)
{
    /* Bits of the Linux kernel's hwcap.h for arm64. */
    unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
    uint32_t features = first & 1ul << 1 ? CPU_NEON : 0; /* asimd */
    features |= first & 1ul << 20 ? CPU_DOTPROD : 0;     /* asimddp */
    features |= second & 1ul << 13 ? CPU_I8MM : 0;       /* i8mm */
    return features;
}

#elif defined(__aarch64__)

uint32_t loam_cpu_features(void)
{
    return CPU_NEON; /* part of the architecture */
}

#else

uint32_t loam_cpu_features(void)
{
    return 0;
}

#endif

#if !defined(__x86_64__)
bool loam_cpu_request_tiles(void)
{
    return false;
}
#endif

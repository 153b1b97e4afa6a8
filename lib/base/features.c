/* SPDX-License-Identifier: MIT */
#include "base/features.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* Registers that the system saves when it switches threads. */
static uint32_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
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
    features |= CPU_AVX2;
    const uint32_t wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b & wide) == wide && c & bit_AVX512VNNI &&
        (saved_state() & ZMM_AND_MASKS) == ZMM_AND_MASKS)
        features |= CPU_AVX512;
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

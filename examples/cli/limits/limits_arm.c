/* SPDX-License-Identifier: MIT */
/* The multiply-adds of each AArch64 level. */
#include "limits.h"

/* Before clang 16 the intrinsics of an extension cannot be used in one function alone. */
#if defined(__aarch64__) && (!defined(__clang__) || __clang_major__ >= 16)
#include "limits_loop.h"
#include <arm_neon.h>

#define KEEP_VECTOR(value) __asm__ volatile("" : "+w"(value))

static inline int32x4_t widening(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    int16x8_t products = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    return vpadalq_s16(sum, vmlal_high_s8(products, a, b));
}

/* The sums hold int32, the factors int8: the same registers. */
#define NEON_INT8(sum, a, b)    vreinterpretq_s8_s32(widening(vreinterpretq_s32_s8(sum), a, b))
#define DOTPROD_INT8(sum, a, b) vreinterpretq_s8_s32(vdotq_s32(vreinterpretq_s32_s8(sum), a, b))
#define I8MM_INT8(sum, a, b)    vreinterpretq_s8_s32(vmmlaq_s32(vreinterpretq_s32_s8(sum), a, b))

THROUGHPUT_LOOP(neon_int8, , int8x16_t, KEEP_VECTOR, vdupq_n_s8(0), vdupq_n_s8(3), NEON_INT8)
THROUGHPUT_LOOP(neon_f32, , float32x4_t, KEEP_VECTOR, vdupq_n_f32(0), vdupq_n_f32(0.5f), vfmaq_f32)

#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
THROUGHPUT_LOOP(dotprod_int8, DOTPROD, int8x16_t, KEEP_VECTOR, vdupq_n_s8(0), vdupq_n_s8(3),
                DOTPROD_INT8)

#define I8MM __attribute__((target("arch=armv8.2-a+i8mm")))
THROUGHPUT_LOOP(i8mm_int8, I8MM, int8x16_t, KEEP_VECTOR, vdupq_n_s8(0), vdupq_n_s8(3), I8MM_INT8)

const struct unit limits_arm_units[] = {
    {"neon smull + smlal2 + sadalp", "int8", LEVEL_NEON, neon_int8, 16.0 * CHAINS},
    {"neon sdot", "int8", LEVEL_NEON_DOTPROD, dotprod_int8, 16.0 * CHAINS},
    {"neon smmla", "int8", LEVEL_NEON_I8MM, i8mm_int8, 32.0 * CHAINS},
    {"neon fmla", "f32", LEVEL_NEON, neon_f32, 4.0 * CHAINS},
    {NULL, NULL, 0, NULL, 0},
};

#else

const struct unit limits_arm_units[] = {{NULL, NULL, 0, NULL, 0}};

#endif

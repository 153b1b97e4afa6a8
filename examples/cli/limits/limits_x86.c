/* SPDX-License-Identifier: MIT */
/* The multiply-adds of each x86 level. */
#include "limits.h"

#if defined(__x86_64__)
#include "limits_loop.h"
#include <immintrin.h>

/* Any register of the level; "x" are the first sixteen. */
#define KEEP_LOW(value)  __asm__ volatile("" : "+x"(value))
#define KEEP_WIDE(value) __asm__ volatile("" : "+v"(value))

/* SSE2 is in every x86-64 CPU: what plain C is compiled to. */
#define SSE2_INT16(sum, a, b) _mm_add_epi32(sum, _mm_madd_epi16(a, b))
THROUGHPUT_LOOP(sse2_int16, , __m128i, KEEP_LOW, _mm_setzero_si128(), _mm_set1_epi16(3), SSE2_INT16)

#define SSE2_F32(sum, a, b) _mm_add_ps(sum, _mm_mul_ps(a, b))
THROUGHPUT_LOOP(sse2_f32, , __m128, KEEP_LOW, _mm_setzero_ps(), _mm_set1_ps(0.5f), SSE2_F32)

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INT8(sum, a, b)                                                                       \
    _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)))
THROUGHPUT_LOOP(avx2_int8, AVX2, __m256i, KEEP_LOW, _mm256_setzero_si256(), _mm256_set1_epi8(3),
                AVX2_INT8)

#define AVX2_F32(sum, a, b) _mm256_fmadd_ps(a, b, sum)
THROUGHPUT_LOOP(avx2_f32, AVX2, __m256, KEEP_LOW, _mm256_setzero_ps(), _mm256_set1_ps(0.5f),
                AVX2_F32)

#define AVX_VNNI __attribute__((target("avx2,avxvnni")))
THROUGHPUT_LOOP(avx_vnni_int8, AVX_VNNI, __m256i, KEEP_LOW, _mm256_setzero_si256(),
                _mm256_set1_epi8(3), _mm256_dpbusd_avx_epi32)

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
THROUGHPUT_LOOP(avx512_int8, AVX512, __m512i, KEEP_WIDE, _mm512_setzero_si512(),
                _mm512_set1_epi8(3), _mm512_dpbusd_epi32)

#define AVX512_F32(sum, a, b) _mm512_fmadd_ps(a, b, sum)
THROUGHPUT_LOOP(avx512_f32, AVX512, __m512, KEEP_WIDE, _mm512_setzero_ps(), _mm512_set1_ps(0.5f),
                AVX512_F32)

const struct unit limits_x86_units[] = {
    {"sse2 pmaddwd + paddd, 16 bit", "int8", LEVEL_SCALAR, sse2_int16, 8.0 * CHAINS},
    {"avx2 vpmaddubsw + vpmaddwd + vpaddd", "int8", LEVEL_AVX2, avx2_int8, 32.0 * CHAINS},
    {"avx-vnni vpdpbusd, 256 bit", "int8", LEVEL_AVX_VNNI, avx_vnni_int8, 32.0 * CHAINS},
    {"avx512-vnni vpdpbusd, 512 bit", "int8", LEVEL_AVX512, avx512_int8, 64.0 * CHAINS},
    {"sse2 mulps + addps", "f32", LEVEL_SCALAR, sse2_f32, 4.0 * CHAINS},
    {"avx2 vfmadd, 256 bit", "f32", LEVEL_AVX2, avx2_f32, 8.0 * CHAINS},
    {"avx512 vfmadd, 512 bit", "f32", LEVEL_AVX512, avx512_f32, 16.0 * CHAINS},
    {NULL, NULL, 0, NULL, 0},
};

#else

const struct unit limits_x86_units[] = {{NULL, NULL, 0, NULL, 0}};

#endif

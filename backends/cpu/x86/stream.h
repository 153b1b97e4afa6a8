/* SPDX-License-Identifier: MIT */
/*
 * Asking for weights before they are used, where one row reads them once: what comes
 * FAR bytes later goes to L2, what comes NEAR bytes later from there to L1, each line
 * asked for as its forerunner is used, so that L1's few outstanding requests never
 * fill up and none of them waits for memory. The machine's own prefetchers end at
 * each page of 4 KB. Addresses beyond the weights are harmless: they fault not.
 */
#ifndef LOAM_BACKENDS_CPU_X86_STREAM_H
#define LOAM_BACKENDS_CPU_X86_STREAM_H

#include "cpu/x86/float8.h"

enum { STREAM_FAR = 8192, STREAM_NEAR = 3072 };

/* On AMD's cores, measured on Zen 3: few requests may wait for memory, whichever cache they
 * are for, so asking twice or earlier only takes the place of what the hardware asks for. */
enum { STREAM_FAR_AMD = 1536, STREAM_NEAR_AMD = 1536 };

/* `line` (64 bytes) is in use now. */
INLINE void stream_line_ahead(const void *line, size_t far, size_t near)
{
    _mm_prefetch((const char *)((uintptr_t)line + far), _MM_HINT_T1);
    _mm_prefetch((const char *)((uintptr_t)line + near), _MM_HINT_T0);
    __asm__ volatile("" ::: "memory"); /* else compilers gather all of a unit at its begin */
}

INLINE void stream_line(const void *line)
{
    stream_line_ahead(line, STREAM_FAR, STREAM_NEAR);
}

/* The same for all lines that begin in the `bytes` from `first`. */
INLINE void stream_lines(const void *first, size_t bytes)
{
    for (size_t line = 0; line < bytes; line += 64)
        stream_line((const void *)((uintptr_t)first + line));
}

#endif

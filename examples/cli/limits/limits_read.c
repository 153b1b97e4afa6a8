/* SPDX-License-Identifier: MIT */
/*
 * Read bandwidth: each thread reads its own contiguous part of memory from end
 * to end, 64 bytes at a time, asking for what comes 2 KB later, with pages of 4 KB
 * and of 2 MB; and with the latter also without asking, which is faster where the hardware
 * looks ahead well. The whole is much larger than caches.
 */
#include "limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { AHEAD = 2048, PIECE_BYTES = 512 << 10, HUGE_PAGE = 2 << 20 };

/* Where the loads end, so that none can be left out. */
static _Thread_local volatile uint64_t sink; /* each thread has one: no race */

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE(level) __attribute__((target(level), always_inline)) static inline

INLINE("avx512f") void read_512(const char *from, size_t bytes, bool ask)
{
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (const char *end = from + bytes; from < end; from += 256) {
        for (int line = 0; ask && line < 256; line += 64)
            _mm_prefetch(from + AHEAD + line, _MM_HINT_T0);
        a = _mm512_xor_si512(a, _mm512_load_si512(from));
        b = _mm512_xor_si512(b, _mm512_load_si512(from + 64));
        c = _mm512_xor_si512(c, _mm512_load_si512(from + 128));
        d = _mm512_xor_si512(d, _mm512_load_si512(from + 192));
    }
    a = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
    sink = (uint64_t)_mm512_reduce_add_epi64(a);
}

INLINE("avx2") void read_256(const char *from, size_t bytes, bool ask)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    for (const char *end = from + bytes; from < end; from += 128)
        for (int line = 0; line < 128; line += 64) {
            if (ask)
                _mm_prefetch(from + AHEAD + line, _MM_HINT_T0);
            a = _mm256_xor_si256(a, _mm256_load_si256((const __m256i *)(from + line)));
            b = _mm256_xor_si256(b, _mm256_load_si256((const __m256i *)(from + line + 32)));
        }
    a = _mm256_xor_si256(a, b);
    sink = (uint64_t)_mm256_extract_epi64(a, 0) ^ (uint64_t)_mm256_extract_epi64(a, 1) ^
           (uint64_t)_mm256_extract_epi64(a, 2) ^ (uint64_t)_mm256_extract_epi64(a, 3);
}

#define READ(level, name, read, ask)                                                               \
    __attribute__((target(level))) static void name(const char *from, size_t bytes)                \
    {                                                                                              \
        read(from, bytes, ask);                                                                    \
    }

READ("avx512f", asked_avx512, read_512, true)
READ("avx512f", unasked_avx512, read_512, false)
READ("avx2", asked_avx2, read_256, true)
READ("avx2", unasked_avx2, read_256, false)
#endif

static void read_words(const char *from, size_t bytes)
{
    uint64_t sums[8] = {0};
    for (const char *end = from + bytes; from < end; from += 64) {
        const uint64_t *line = (const uint64_t *)(const void *)from;
        __builtin_prefetch(from + AHEAD);
        for (int i = 0; i < 8; i++)
            sums[i] ^= line[i];
    }
    for (int i = 1; i < 8; i++)
        sums[0] ^= sums[i];
    sink = sums[0];
}

struct part {
    char *data;
    size_t bytes, position;
};

typedef void read_function(const char *from, size_t bytes);

struct reading {
    read_function *read;
    struct part *parts;
};

/* Touched by the thread that reads it, so that it lies near that thread. */
static void begin(void *context, int thread)
{
    struct part *part = &((struct reading *)context)->parts[thread];
    memset(part->data, thread + 1, part->bytes);
}

static void piece(void *context, int thread)
{
    struct reading *reading = context;
    struct part *part = &reading->parts[thread];
    reading->read(part->data + part->position, PIECE_BYTES);
    part->position += PIECE_BYTES;
    if (part->position == part->bytes)
        part->position = 0;
}

/* Kilobytes of 2 MB pages in all of the process, or -1: cannot be known. */
static long huge_kilobytes(void)
{
    char line[128];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file))
        sscanf(line, "AnonHugePages: %ld", &kilobytes);
    fclose(file);
    return kilobytes;
}

static bool measure(struct measurements *out, struct reading *reading,
                    const struct settings *settings, int threads, bool huge, const char *how)
{
    struct rate rate;
    char name[64];
    size_t unit = HUGE_PAGE; /* a multiple of PIECE_BYTES */
    size_t each = settings->read_bytes / (size_t)threads / unit * unit;
    if (each == 0)
        each = unit;
    /* One page more for the alignment, and what is asked for ahead exists. */
    size_t total = each * (size_t)threads + 2 * HUGE_PAGE;
    char *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
#if defined(MADV_HUGEPAGE)
    madvise(memory, total, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
    char *aligned = memory + (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
    for (int i = 0; i < threads; i++)
        reading->parts[i] = (struct part){.data = aligned + each * (size_t)i, .bytes = each};
    const struct work work = {
        .context = reading, .begin = begin, .piece = piece, .amount = PIECE_BYTES};
    bool fine = limits_run(&rate, &work, threads, settings->seconds);
    bool given = huge_kilobytes() >= (long)(each * (size_t)threads / 1024 / 10 * 9);
    munmap(memory, total);
    snprintf(name, sizeof name, "read, %s%s",
             !huge   ? "4 KB pages"
             : given ? "2 MB pages"
                     : "2 MB pages (not given)",
             how);
    if (fine)
        limits_add(out, "read", name, "GB/s", threads, rate, 1e-9);
    return fine;
}

bool limits_read(struct measurements *out, const struct settings *settings)
{
    struct reading reading = {0};
    read_function *asked = read_words, *unasked = NULL;
#if defined(__x86_64__)
    if (limits_level_available(LEVEL_AVX2)) {
        asked = asked_avx2;
        unasked = unasked_avx2;
    }
    if (limits_level_available(LEVEL_AVX512)) {
        asked = asked_avx512;
        unasked = unasked_avx512;
    }
#endif
    reading.parts = calloc((size_t)settings->threads, sizeof *reading.parts);
    bool fine = reading.parts != NULL;
    for (int threads = settings->brief ? settings->threads : 1; fine;) {
        reading.read = asked;
        for (int huge = settings->huge_only; huge <= 1 && fine; huge++)
            fine = measure(out, &reading, settings, threads, huge, "");
        reading.read = unasked;
        if (unasked && fine)
            fine = measure(out, &reading, settings, threads, true, ", unasked");
        if (threads == settings->threads)
            break;
        threads = 2 * threads < settings->threads ? 2 * threads : settings->threads;
    }
    free(reading.parts);
    if (!fine)
        fprintf(stderr, "limits: no memory for reading\n");
    return fine;
}

/* SPDX-License-Identifier: MIT */
/*
 * A test program is a list of functions, each one TAP test:
 *
 *     static void adds(void) { CHECK(1 + 1 == 2); CHECK_EQUAL(sum(1, 1), 2); }
 *     int main(void) { RUN(adds); return test_end(); }
 *
 * A check that fails is printed with its place; the test goes on. SKIP(reason)
 * ends the function and counts it as skipped.
 */
#ifndef LOAM_TESTS_TEST_H
#define LOAM_TESTS_TEST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1 in a build with sanitizers, where time and stack say nothing of the code.
 * gcc says so by macros, clang by features. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(undefined_behavior_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

static int test_number, test_failures, test_failed_here;
static const char *test_skip_reason;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
            test_failed_here++;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_EQUAL(a, b)                                                                          \
    do {                                                                                           \
        long long test_a = (long long)(a), test_b = (long long)(b);                                \
        if (test_a != test_b) {                                                                    \
            printf("# %s:%d: %s is %lld, not %s, %lld\n", __FILE__, __LINE__, #a, test_a, #b,      \
                   test_b);                                                                        \
            test_failed_here++;                                                                    \
        }                                                                                          \
    } while (0)

#define CHECK_TEXT(a, b)                                                                           \
    do {                                                                                           \
        const char *test_a = (a), *test_b = (b);                                                   \
        if (!test_a || !test_b || strcmp(test_a, test_b) != 0) {                                   \
            printf("# %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #a,                  \
                   test_a ? test_a : "NULL", test_b ? test_b : "NULL");                            \
            test_failed_here++;                                                                    \
        }                                                                                          \
    } while (0)

/* Ends the test function at the first failure of what later checks need. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        int test_holds = (condition) ? 1 : 0;                                                      \
        if (!test_holds) {                                                                         \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
            test_failed_here++;                                                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip_reason = (reason);                                                               \
        return;                                                                                    \
    } while (0)

static inline void test_run(const char *name, void (*function)(void))
{
    test_failed_here = 0;
    test_skip_reason = NULL;
    function();
    test_failures += test_failed_here > 0;
    if (test_failed_here)
        printf("not ok %d - %s\n", ++test_number, name);
    else if (test_skip_reason)
        printf("ok %d - %s # SKIP %s\n", ++test_number, name, test_skip_reason);
    else
        printf("ok %d - %s\n", ++test_number, name);
    fflush(stdout);
}

#define RUN(function) test_run(#function, function)

static inline int test_end(void)
{
    printf("1..%d\n", test_number);
    return test_failures ? 1 : 0;
}

/* Path of a reference file: path in a static buffer, or NULL if the file is
 * absent. One at a time. */
static inline const char *test_data(const char *name)
{
    static char path[4096];
    const char *base = getenv("LOAM_DATA");
    if (!base)
        return NULL;
    snprintf(path, sizeof path, "%s/%s", base, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fclose(file);
    return path;
}

/* Reads a whole file into malloc'ed memory with a NUL behind it; NULL if it
 * can't be read. */
static inline unsigned char *test_read(const char *path, size_t *size)
{
    *size = 0;
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    unsigned char *bytes = malloc((size_t)length + 1);
    if (bytes && fread(bytes, 1, (size_t)length, file) == (size_t)length) {
        bytes[length] = 0;
        *size = (size_t)length;
    } else {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

/* A small generator for test values: the same on every machine. */
static inline uint32_t test_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t high = (uint32_t)(*state >> 32), shift = (uint32_t)(*state >> 59);
    high ^= (uint32_t)(*state >> 45);
    return high >> shift | high << (-shift & 31);
}

#endif

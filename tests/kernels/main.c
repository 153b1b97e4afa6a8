/* SPDX-License-Identifier: MIT */
/*
 *     kernels [--level L] [--family F]            every level against the scalar one (TAP)
 *     kernels --bench [--level L] [--family F]    times
 *     kernels --bench --cost ...                  times beside those without rules
 *
 * A level that the machine or the build lacks is skipped, by name.
 */
#include "kernels.h"
#include "tiles_caught.h"
#include "tiles_model.h"

#include "base/half.h"
#include "base/thread.h"
#include "quant/integers.h"

#include <sys/mman.h>

struct cpu_kernels kernels_scalar, kernels_level;
const char *kernels_level_name;
int32_t kernels_level_id;
unsigned long kernels_combinations;

static const struct family *const families[] = {
    &family_products, &family_float_products, &family_rows, &family_storage,
    &family_states,   &family_attention,      &family_cost};
static const struct family *family;
static uint64_t random_state = 20260;

/* ---- comparing -------------------------------------------------------------- */

void kernels_compare(const void *found, const void *expected, size_t bytes, const char *what,
                     size_t a, size_t b, size_t c)
{
    kernels_combinations++;
    if (memcmp(found, expected, bytes) == 0)
        return;
    if (test_failed_here++ < 10)
        printf("# %s: %s differs (%zu, %zu, %zu)\n", kernels_level_name, what, a, b, c);
}

static bool finite(float x)
{
    return (loam_float_bits(x) & 0x7F800000u) != 0x7F800000u;
}

void kernels_compare_floats(const float *found, const float *expected, size_t count,
                            const char *what, size_t a, size_t b, size_t c)
{
    kernels_combinations++;
    for (size_t i = 0; i < count; i++) {
        if (finite(expected[i]) ? memcmp(&found[i], &expected[i], sizeof *found) == 0
                                : !finite(found[i]))
            continue;
        if (test_failed_here++ < 10)
            printf("# %s: %s: [%zu] is %a, not %a (%zu, %zu, %zu)\n", kernels_level_name, what, i,
                   (double)found[i], (double)expected[i], a, b, c);
        return;
    }
}

/* ---- values ------------------------------------------------------------------ */

uint32_t kernels_random(void)
{
    return test_random(&random_state);
}

static float plain(void)
{
    return (float)((double)kernels_random() / 2147483648.0 - 1);
}

static float value(int kind)
{
    uint32_t bits = kernels_random();
    switch (kind) {
    case VALUES_WIDE: /* exponents 2^-60 to 2^60, sometimes zero of either sign */
        if (bits % 16 == 0)
            return bits & 16 ? -0.0f : 0.0f;
        return loam_float_from_bits((bits & 0x807FFFFFu) | (127 - 60 + kernels_random() % 120)
                                                               << 23);
    case VALUES_SMALL:
        return loam_float_from_bits(bits & (bits % 4 ? 0x807FFFFFu : 0x80000000u));
    case VALUES_ZERO:
        return bits % 2 ? 0.0f : -0.0f;
    case VALUES_SPIKES:
        return bits % 24 == 0 ? plain() * 1e4f : bits % 3 == 0 ? plain() * 0x1p-110f : 0.0f;
    case VALUES_HOSTILE:
        return bits % 8 == 0 ? loam_float_from_bits(bits | 0x7F800000u)
                             : loam_float_from_bits(bits);
    case VALUES_ONES:
        return 1;
    default:
        return plain();
    }
}

void kernels_fill(float *x, size_t count, int kind)
{
    for (size_t i = 0; i < count; i++)
        x[i] = value(kind);
}

/* Where the f16 scales of a block are. */
static size_t scale_places(const struct weight_type *type, size_t places[2])
{
    places[0] = type->id == 14 ? 208 : 0; /* Q6_K has it at the end */
    places[1] = 2;
    return type->id == 12 || type->id == 13 ? 2 : 1;
}

/* d and dmin of all steps of a block that has integers. */
static size_t scales_of(const struct weight_type *type, const unsigned char *bytes, float out[64])
{
    struct block_integers block;
    size_t steps = type->block_elements / type->integers->step, count = 0;
    type->integers->block(&block, bytes);
    for (size_t s = 0; s < steps; s++) {
        out[count++] = block.d[s];
        if (type->integers->minima)
            out[count++] = block.dmin[s];
    }
    return count;
}

/* Random bytes, unless hostile drawn again until the scales are of moderate
 * size; extreme: then all bytes that leave these alone are 0xFF or 0x80. */
static void fill_block(const struct weight_type *type, unsigned char *bytes, bool hostile,
                       bool extreme)
{
    float scales[64], after[64];
    bool moderate = false;
    while (!moderate) {
        for (size_t i = 0; i < type->block_bytes; i++)
            bytes[i] = (unsigned char)kernels_random();
        size_t count = scales_of(type, bytes, scales);
        moderate = true;
        for (size_t i = 0; i < count && !hostile; i++)
            moderate &= (scales[i] >= 0x1p-12f && scales[i] <= 16) ||
                        (scales[i] <= -0x1p-12f && scales[i] >= -16);
    }
    unsigned char value = kernels_random() % 2 ? 0xFF : 0x80;
    for (size_t i = 0; extreme && i < type->block_bytes; i++) {
        unsigned char before = bytes[i];
        bytes[i] = value;
        size_t count = scales_of(type, bytes, after);
        if (memcmp(scales, after, count * sizeof *after) != 0)
            bytes[i] = before;
    }
}

void kernels_fill_blocks(const struct weight_type *type, unsigned char *out, size_t blocks,
                         bool hostile)
{
    if (type->integers) {
        for (size_t i = 0; i < blocks; i++)
            fill_block(type, out + i * type->block_bytes, hostile, kernels_random() % 8 == 0);
        return;
    }
    for (size_t i = 0; i < blocks * type->block_bytes; i++)
        out[i] = (unsigned char)kernels_random();
    for (size_t i = 0; i < blocks; i++) {
        unsigned char *block = out + i * type->block_bytes;
        if (kernels_random() % 8 == 0) /* the extremes: all bits set, or int8 -128 */
            memset(block, kernels_random() % 2 ? 0xFF : 0x80, type->block_bytes);
        size_t places[2], count = type->packing ? scale_places(type, places) : 0;
        for (size_t p = 0; p < count; p++) {
            uint32_t bits = kernels_random();
            uint16_t half = (uint16_t)(bits & 0x83FF) | (uint16_t)((8 + bits % 8) << 10);
            if (hostile)
                half = (uint16_t)(bits % 3 ? bits & 0x83FF : bits >> 16); /* subnormal, or any */
            memcpy(block + places[p], &half, 2);
        }
    }
}

/* ---- guarded memory ---------------------------------------------------------- */

static struct {
    void *start;
    size_t bytes;
} blocks[192];
static size_t block_count;

void *kernels_memory(size_t bytes)
{
    enum { OS_PAGE = 4096 };
    size_t room = (bytes + OS_PAGE - 1) / OS_PAGE * OS_PAGE, all = room + OS_PAGE;
    char *start = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || block_count == LOAM_COUNT_OF(blocks)) {
        printf("Bail out! no memory\n");
        exit(1);
    }
    mprotect(start + room, OS_PAGE, PROT_NONE);
    blocks[block_count].start = start;
    blocks[block_count++].bytes = all;
    return start + room - bytes;
}

void kernels_forget(void)
{
    while (block_count > 0) {
        block_count--;
        munmap(blocks[block_count].start, blocks[block_count].bytes);
    }
}

/* ---- timing ------------------------------------------------------------------ */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void kernels_time(const char *name, void (*run)(void *context), void *context, double work,
                  const char *unit)
{
    enum { SAMPLES = 15 };
    double times[SAMPLES], start = loam_seconds();
    unsigned long calls = 0;
    for (; loam_seconds() - start < 0.02; calls++) /* warm, and how often */
        run(context);
    for (size_t i = 0; i < SAMPLES; i++) {
        start = loam_seconds();
        for (unsigned long j = 0; j < calls / 4 + 1; j++)
            run(context);
        times[i] = (loam_seconds() - start) / (double)(calls / 4 + 1);
    }
    qsort(times, SAMPLES, sizeof *times, compare_doubles);
    double median = times[SAMPLES / 2];
    printf("%-10s %-34s %12.0f ns %10.2f %s\n", kernels_level_name, name, median * 1e9,
           work / median / 1e9, unit);
}

/* ---- the program ------------------------------------------------------------- */

static void check_family(void)
{
    if (!loam_cpu_levels_built(kernels_level_id))
        SKIP("the level is not in this build");
    if (!loam_cpu_levels_available(kernels_level_id))
        SKIP("the machine lacks the level");
    if (!loam_cpu_levels_request(kernels_level_id))
        SKIP("the system refuses what the level needs");
    loam_cpu_levels_fill(&kernels_level, kernels_level_id);
    family->check();
    kernels_forget();
}

#if defined(LOAM_HAVE_AMX)
/* The library's own kernels of the level amx, where their instructions fault: some
 * microseconds each. */
static void check_amx_caught(void)
{
    if (!loam_cpu_levels_available(LOAM_CPU_AVX512))
        SKIP("the machine lacks avx512, on which the level stands");
    if (loam_cpu_levels_available(LOAM_CPU_AMX))
        SKIP("the machine has the instructions");
    if (!tiles_caught_begin())
        SKIP("faults are not caught on this system");
    loam_cpu_levels_fill(&kernels_level, LOAM_CPU_AMX);
    kernels_check_many_rows();
    kernels_forget();
    unsigned long instructions = tiles_caught_end();
    printf("# %lu instructions caught\n", instructions);
    CHECK(instructions > 0);
    CHECK(tiles_model_errors() == 0);
    CHECK(!tiles_model_configured());
}
#endif

#if defined(KERNELS_AMX_MODEL)
/* The products of the level amx, with tiles in plain C. */
static void check_amx_model(void)
{
    if (!loam_cpu_levels_available(LOAM_CPU_AVX512))
        SKIP("the machine lacks avx512, on which the level stands");
    loam_cpu_levels_fill(&kernels_level, LOAM_CPU_AVX512);
    kernels_amx_model(&kernels_level);
    family_products.check();
    kernels_forget();
    CHECK(tiles_model_errors() == 0);
    CHECK(!tiles_model_configured());
}
#endif

static bool is_wanted(const char *wanted, const char *name)
{
    return !wanted || strcmp(wanted, name) == 0;
}

static void check_levels(const char *wanted_level, const char *wanted_family)
{
    for (kernels_level_id = LOAM_CPU_SCALAR + 1; kernels_level_id < LOAM_CPU_LEVEL_COUNT;
         kernels_level_id++)
        for (size_t i = 0; i < LOAM_COUNT_OF(families); i++) {
            char name[64];
            family = families[i];
            kernels_level_name = loam_cpu_levels_name(kernels_level_id);
            snprintf(name, sizeof name, "%s %s", kernels_level_name, family->name);
            if (is_wanted(wanted_level, kernels_level_name) &&
                is_wanted(wanted_family, family->name))
                test_run(name, check_family);
        }
#if defined(KERNELS_AMX_MODEL)
    kernels_level_name = "amx-model";
    if (is_wanted(wanted_level, kernels_level_name) && is_wanted(wanted_family, "products"))
        test_run("amx-model products", check_amx_model);
#endif
#if defined(LOAM_HAVE_AMX)
    kernels_level_name = "amx-caught";
    if (is_wanted(wanted_level, kernels_level_name) && is_wanted(wanted_family, "products"))
        test_run("amx-caught products", check_amx_caught);
#endif
}

static int bench(const char *wanted_level, const char *wanted_family, bool cost)
{
    for (kernels_level_id = LOAM_CPU_SCALAR; kernels_level_id < LOAM_CPU_LEVEL_COUNT;
         kernels_level_id++) {
        kernels_level_name = loam_cpu_levels_name(kernels_level_id);
        if (!loam_cpu_levels_available(kernels_level_id) ||
            !loam_cpu_levels_request(kernels_level_id) ||
            !is_wanted(wanted_level, kernels_level_name))
            continue;
        loam_cpu_levels_fill(&kernels_level, kernels_level_id);
        if (cost)
            kernels_cost(wanted_family);
        for (size_t i = 0; !cost && i < LOAM_COUNT_OF(families); i++) {
            if (!families[i]->bench)
                continue;
            if (!is_wanted(wanted_family, families[i]->name))
                continue;
            families[i]->bench();
            kernels_forget();
        }
    }
    return 0;
}

int main(int count, char **arguments)
{
    const char *wanted_level = NULL, *wanted_family = NULL;
    bool timing = false, cost = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--bench") == 0)
            timing = true;
        else if (strcmp(arguments[i], "--cost") == 0)
            cost = true;
        else if (strcmp(arguments[i], "--level") == 0 && i + 1 < count)
            wanted_level = arguments[++i];
        else if (strcmp(arguments[i], "--family") == 0 && i + 1 < count)
            wanted_family = arguments[++i];
        else {
            fprintf(stderr, "usage: kernels [--bench [--cost]] [--level L] [--family F]\n");
            return 2;
        }
    }
    loam_cpu_levels_fill(&kernels_scalar, LOAM_CPU_SCALAR);
    if (cost)
        printf(
            "level     kernel          size                                 kernel, ns     free, ns"
            "   ratio\n");
    if (timing)
        return bench(wanted_level, wanted_family, cost);
    check_levels(wanted_level, wanted_family);
    printf("# %lu combinations compared\n", kernels_combinations);
    return test_end();
}

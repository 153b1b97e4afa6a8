/* SPDX-License-Identifier: MIT */
/* Which CPU level an engine runs, and that it leaves tiles alone when told to. */
#include "test.h"

#include "cpu/levels.h"

#include <loam/loam.h>

/* The level of an engine with these options, or minus the status. */
static int32_t level_of(int32_t level, int32_t no_tiles)
{
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = 1, .cpu_level = level, .no_tiles = no_tiles};
    loam_engine_info info = {.struct_size = sizeof info};
    loam_engine *engine = NULL;
    loam_status status = loam_engine_create(&engine, &options, NULL);
    if (status) {
        CHECK(!engine);
        return -(int32_t)status;
    }
    CHECK_EQUAL(loam_engine_get_info(&info, engine, NULL), LOAM_OK);
    loam_engine_release(engine);
    return info.cpu_level;
}

static void runs_the_level_asked_for(void)
{
    for (int32_t level = LOAM_CPU_SCALAR; level < LOAM_CPU_LEVEL_COUNT; level++)
        if (level != LOAM_CPU_AMX)
            CHECK_EQUAL(level_of(level, 1),
                        loam_cpu_level_available(level) ? level : -LOAM_UNSUPPORTED);
    CHECK_EQUAL(level_of(LOAM_CPU_LEVEL_COUNT, 0), -LOAM_UNSUPPORTED);
    CHECK(loam_cpu_level_available(level_of(LOAM_CPU_BEST, 0)));
}

/* The only case in which the system is asked for something. */
static void leaves_tiles_alone(void)
{
    int32_t best = loam_cpu_levels_best();
    int32_t without = best == LOAM_CPU_AMX ? LOAM_CPU_AVX512 : best;
    CHECK_EQUAL(level_of(LOAM_CPU_BEST, 1), without);
    CHECK_EQUAL(level_of(LOAM_CPU_AMX, 1), -LOAM_UNSUPPORTED);
    CHECK_EQUAL(level_of(LOAM_CPU_BEST, 2), -LOAM_INVALID_ARGUMENT);
    CHECK_EQUAL(level_of(LOAM_CPU_BEST, -1), -LOAM_INVALID_ARGUMENT);
}

static void asks_for_tiles(void)
{
    if (!loam_cpu_level_available(LOAM_CPU_AMX))
        SKIP("the machine or the build lacks AMX");
    int32_t level = level_of(LOAM_CPU_AMX, 0); /* a system may refuse */
    CHECK(level == LOAM_CPU_AMX || level == -LOAM_UNSUPPORTED);
    CHECK_EQUAL(level_of(LOAM_CPU_BEST, 0), level == LOAM_CPU_AMX ? level : LOAM_CPU_AVX512);
}

int main(void)
{
    RUN(runs_the_level_asked_for);
    RUN(leaves_tiles_alone);
    RUN(asks_for_tiles);
    return test_end();
}

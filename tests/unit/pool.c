/* SPDX-License-Identifier: MIT */
/* Worker threads: every tile once, nobody waits for nothing, idle is idle. */
#include "test.h"

#include "base/pool.h"
#include "base/thread.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TILES = 1000 };

struct counted {
    atomic_int tiles[MOST_TILES];
    atomic_int workers[8];
    atomic_int broken, stop_after;
};

static struct memory memory;

static void count_tile(void *context, uint32_t tile, int32_t worker)
{
    struct counted *counted = context;
    if (worker < 0 || worker >= 8 || atomic_fetch_add(&counted->workers[worker], 1) != 0)
        atomic_store(&counted->broken, 1);
    atomic_fetch_add(&counted->tiles[tile], 1);
    atomic_fetch_sub(&counted->workers[worker], 1);
}

static struct pool *make(int32_t threads, const loam_executor *executor)
{
    struct pool *pool = NULL;
    loam_memory_init(&memory, NULL, 0);
    CHECK_EQUAL(loam_pool_create(&pool, &memory, threads, executor, NULL), LOAM_OK);
    return pool;
}

static void check_each_once(struct pool *pool)
{
    static struct counted counted;
    for (uint32_t tiles = 0; tiles <= MOST_TILES; tiles = tiles < 20 ? tiles + 1 : tiles * 2 + 1) {
        memset(&counted, 0, sizeof counted);
        CHECK(loam_pool_run(pool, tiles, count_tile, &counted, NULL, NULL));
        for (uint32_t i = 0; i < MOST_TILES; i++)
            CHECK_EQUAL(atomic_load(&counted.tiles[i]), i < tiles);
        CHECK(!atomic_load(&counted.broken));
    }
}

static void every_tile_runs_once(void)
{
    for (int32_t threads = 1; threads <= 8; threads++) {
        struct pool *pool = make(threads, NULL);
        CHECK_EQUAL(loam_pool_threads(pool), threads);
        check_each_once(pool);
        loam_pool_destroy(pool);
        CHECK_EQUAL(atomic_load(&memory.held), 0);
    }
}

static void in_order(void *user, int32_t count, void (*task)(void *, int32_t), void *context)
{
    *(int *)user += 1;
    for (int32_t i = 0; i < count; i++)
        task(context, i);
}

static void a_host_executor_does_the_same(void)
{
    int calls = 0;
    loam_executor executor = {
        .struct_size = sizeof executor, .user = &calls, .threads = 4, .parallel_for = in_order};
    struct pool *pool = make(0, &executor);
    CHECK_EQUAL(loam_pool_threads(pool), 4);
    check_each_once(pool);
    CHECK(calls > 0);
    loam_pool_destroy(pool);
    CHECK_EQUAL(atomic_load(&memory.held), 0);
}

static void many_small_phases(void)
{
    struct pool *pool = make(4, NULL);
    static struct counted counted;
    memset(&counted, 0, sizeof counted);
    for (int i = 0; i < 20000; i++)
        CHECK(loam_pool_run(pool, (uint32_t)(i % 7), count_tile, &counted, NULL, NULL));
    long total = 0, expected = 0;
    for (int i = 0; i < 7; i++)
        total += atomic_load(&counted.tiles[i]);
    for (int i = 0; i < 20000; i++)
        expected += i % 7;
    CHECK_EQUAL(total, expected);
    loam_pool_destroy(pool);
}

static int32_t stop_now(void *user)
{
    struct counted *counted = user;
    return atomic_fetch_sub(&counted->stop_after, 1) <= 0;
}

static void stopping_skips_the_rest(void)
{
    for (int32_t threads = 1; threads <= 4; threads++) {
        struct pool *pool = make(threads, NULL);
        static struct counted counted;
        memset(&counted, 0, sizeof counted);
        atomic_store(&counted.stop_after, 10);
        CHECK(!loam_pool_run(pool, MOST_TILES, count_tile, &counted, stop_now, &counted));
        int run = 0;
        for (int i = 0; i < MOST_TILES; i++)
            run += atomic_load(&counted.tiles[i]);
        CHECK(run <= 10);
        CHECK(loam_pool_run(pool, 3, count_tile, &counted, NULL, NULL)); /* and is forgotten */
        loam_pool_destroy(pool);
    }
}

static void an_idle_pool_uses_no_time(void)
{
    struct pool *pool = make(4, NULL);
    static struct counted counted;
    struct timespec wait = {.tv_nsec = 20 * 1000 * 1000}, start, end;
    loam_pool_run(pool, 100, count_tile, &counted, NULL, NULL);
    nanosleep(&wait, NULL); /* till all are parked */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    wait.tv_nsec = 200 * 1000 * 1000;
    nanosleep(&wait, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double used =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
    printf("# %.6f s of CPU time in 0.2 s\n", used);
    CHECK(used < 0.005);
    loam_pool_destroy(pool);
}

static void a_forked_child_does_not_hang(void)
{
    struct pool *pool = make(3, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        loam_pool_destroy(pool);
        _exit(atomic_load(&memory.held) == 0 ? 0 : 1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    loam_pool_destroy(pool);
}

static void the_float_environment_is_put_back(void)
{
    uint64_t before = loam_float_environment_set();
    uint64_t ours = loam_float_environment_set();
    loam_float_environment_restore(before);
    uint64_t after = loam_float_environment_set();
    CHECK(after == before);
    CHECK(loam_float_environment_set() == ours);
    loam_float_environment_restore(before);
    CHECK(loam_cpu_count() >= 1);
}

int main(void)
{
    RUN(every_tile_runs_once);
    RUN(a_host_executor_does_the_same);
    RUN(many_small_phases);
    RUN(stopping_skips_the_rest);
    RUN(an_idle_pool_uses_no_time);
    RUN(a_forked_child_does_not_hang);
    RUN(the_float_environment_is_put_back);
    return test_end();
}

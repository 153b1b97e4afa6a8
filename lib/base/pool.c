/* SPDX-License-Identifier: MIT */
/*
 * A phase is published by giving every worker its range of tiles, in one
 * 64-bit word {begin, end}, and then raising the phase number. Taking a tile
 * is a compare-and-swap on such a word.
 *
 * The word alone decides who owns a tile, so a worker that sleeps through a
 * phase, or wakes up in the middle of the next, can do no harm: it finds
 * empty ranges, or tiles of the phase that is published now, whose context it
 * reads after it has taken a tile. The context can't change while a tile of
 * it is taken and not done, since the caller waits for all tiles to be done;
 * and a taken tile is always of the phase last published, since ranges are
 * only filled when the former phase has no tile left.
 */
#include "base/pool.h"
#include "base/thread.h"

enum {
    CACHE_LINE = 64,
    SPIN_ROUNDS = 2000 /* some tens of microseconds */
};

struct worker {
    _Alignas(CACHE_LINE) atomic_uint_fast64_t range; /* end << 32 | begin */
    struct pool *pool;
    int32_t index;
    pthread_t thread;
};

struct pool {
    struct memory *memory;
    loam_executor executor;   /* parallel_for NULL: threads of our own */
    int32_t threads, started; /* workers 1 to started - 1 have a thread */
    int32_t spin_rounds;
    int64_t process;
    struct lock lock; /* held during a phase */

    /* The phase. */
    void (*run)(void *context, uint32_t tile, int32_t worker);
    void *context;
    int32_t (*stop)(void *user);
    void *stop_user;
    uint32_t tiles;
    atomic_bool stopped; /* tiles were skipped */

    /* What workers write, or wait for, apart from what all of them read. */
    _Alignas(CACHE_LINE) atomic_uint done;  /* tiles */
    _Alignas(CACHE_LINE) atomic_uint phase; /* number of the phase published last */
    atomic_bool ending;
    atomic_int parked;
    pthread_mutex_t mutex; /* for parking and waking alone */
    pthread_cond_t work, finished;
    struct worker workers[]; /* [threads] */
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t pack(uint32_t begin, uint32_t end)
{
    return (uint64_t)end << 32 | begin;
}

/* ---- taking tiles --------------------------------------------------------- */

/* Takes a tile from the front of the worker's own range. */
static bool take_own(struct worker *worker, uint32_t *tile)
{
    /* acquire: the phase's fields were written before the range was. */
    uint_fast64_t range = atomic_load_explicit(&worker->range, memory_order_acquire);
    while ((uint32_t)range < (uint32_t)(range >> 32)) {
        if (atomic_compare_exchange_weak_explicit(&worker->range, &range, range + 1,
                                                  memory_order_acquire, memory_order_acquire)) {
            *tile = (uint32_t)range;
            return true;
        }
    }
    return false;
}

/* Takes one tile from the end of the largest remainder: its owner works at
 * the other end, and one tile at a time keeps the finish even. */
static bool steal(struct pool *pool, uint32_t *tile)
{
    for (;;) {
        struct worker *victim = NULL;
        uint_fast64_t best = 0;
        uint32_t most = 0;
        for (int32_t i = 0; i < pool->threads; i++) {
            uint_fast64_t range =
                atomic_load_explicit(&pool->workers[i].range, memory_order_acquire);
            uint32_t begin = (uint32_t)range, end = (uint32_t)(range >> 32);
            if (begin < end && end - begin > most) {
                most = end - begin;
                victim = &pool->workers[i];
                best = range;
            }
        }
        if (!victim)
            return false;
        uint32_t begin = (uint32_t)best, end = (uint32_t)(best >> 32);
        if (atomic_compare_exchange_strong_explicit(&victim->range, &best, pack(begin, end - 1),
                                                    memory_order_acquire, memory_order_acquire)) {
            *tile = end - 1;
            return true;
        }
    }
}

static void finish_tiles(struct pool *pool, uint32_t count)
{
    uint32_t tiles = pool->tiles; /* read before the caller may go on */
    /* release: what the tiles wrote is seen by who reads the last count. */
    if (atomic_fetch_add_explicit(&pool->done, count, memory_order_acq_rel) + count != tiles)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->finished);
    pthread_mutex_unlock(&pool->mutex);
}

/* Tiles are counted once there is no other to take: the count goes from core to
 * core, which takes as long as a small tile. */
static void work(struct pool *pool, struct worker *worker)
{
    uint32_t tile, count = 0;
    uint64_t environment = loam_float_environment_set();
    for (; take_own(worker, &tile) || steal(pool, &tile); count++) {
        if (pool->stop && !atomic_load_explicit(&pool->stopped, memory_order_relaxed) &&
            pool->stop(pool->stop_user))
            atomic_store_explicit(&pool->stopped, true, memory_order_relaxed);
        if (!atomic_load_explicit(&pool->stopped, memory_order_relaxed))
            pool->run(pool->context, tile, worker->index);
    }
    if (count)
        finish_tiles(pool, count);
    loam_float_environment_restore(environment);
}

/* ---- workers -------------------------------------------------------------- */

/* Waits for another phase than `seen`: spins, then parks. Returns its number. */
static unsigned await_phase(struct pool *pool, unsigned seen)
{
    unsigned phase;
    for (int32_t i = 0; i < pool->spin_rounds; i++) {
        phase = atomic_load_explicit(&pool->phase, memory_order_acquire);
        if (phase != seen)
            return phase;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    /* seq_cst with publish(): either it sees us parked, or we see its phase. */
    atomic_fetch_add(&pool->parked, 1);
    while ((phase = atomic_load(&pool->phase)) == seen && !atomic_load(&pool->ending))
        pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&pool->parked, 1);
    pthread_mutex_unlock(&pool->mutex);
    return phase;
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    struct pool *pool = worker->pool;
    unsigned seen = 0;
    for (;;) {
        seen = await_phase(pool, seen);
        if (atomic_load(&pool->ending))
            return NULL;
        work(pool, worker);
    }
}

/* ---- phases --------------------------------------------------------------- */

static void publish(struct pool *pool, uint32_t tiles, int32_t shares)
{
    pool->tiles = tiles;
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->stopped, false, memory_order_relaxed);
    for (int32_t i = 0; i < pool->threads; i++) {
        uint32_t begin = 0, end = 0;
        if (i < shares) {
            begin = (uint32_t)((uint64_t)tiles * (uint32_t)i / (uint32_t)shares);
            end = (uint32_t)((uint64_t)tiles * ((uint32_t)i + 1) / (uint32_t)shares);
        }
        /* release: who takes a tile sees the fields above. */
        atomic_store_explicit(&pool->workers[i].range, pack(begin, end), memory_order_release);
    }
}

static void wake(struct pool *pool, int32_t wanted)
{
    atomic_fetch_add(&pool->phase, 1);
    if (atomic_load(&pool->parked) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    for (int32_t i = 0; i < wanted; i++)
        pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

static bool all_done(struct pool *pool)
{
    return atomic_load_explicit(&pool->done, memory_order_acquire) == pool->tiles;
}

static void await_tiles(struct pool *pool)
{
    for (int32_t i = 0; i < pool->spin_rounds; i++) {
        if (all_done(pool))
            break;
        relax();
    }
    /* The lock also waits for the thread that announces the end, which may
     * still be between its count and its broadcast. */
    pthread_mutex_lock(&pool->mutex);
    while (!all_done(pool))
        pthread_cond_wait(&pool->finished, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

/* A phase without help. */
static bool run_alone(struct pool *pool, uint32_t tiles)
{
    uint64_t environment = loam_float_environment_set();
    bool stopped = false;
    for (uint32_t tile = 0; tile < tiles && !stopped; tile++) {
        stopped = pool->stop && pool->stop(pool->stop_user);
        if (!stopped)
            pool->run(pool->context, tile, 0);
    }
    loam_float_environment_restore(environment);
    return !stopped;
}

static void executor_task(void *context, int32_t index)
{
    struct pool *pool = context;
    work(pool, &pool->workers[index]);
}

static bool run_together(struct pool *pool, uint32_t tiles, int32_t shares)
{
    publish(pool, tiles, shares);
    if (pool->executor.parallel_for) {
        pool->executor.parallel_for(pool->executor.user, shares, executor_task, pool);
    } else {
        wake(pool, shares - 1);
        work(pool, &pool->workers[0]);
    }
    await_tiles(pool);
    return !atomic_load_explicit(&pool->stopped, memory_order_relaxed);
}

bool loam_pool_run(struct pool *pool, uint32_t tiles,
                   void (*run)(void *context, uint32_t tile, int32_t worker), void *context,
                   int32_t (*stop)(void *user), void *stop_user)
{
    int32_t shares = (int32_t)loam_min(tiles, (size_t)pool->threads);
    loam_lock_take(&pool->lock);
    pool->run = run;
    pool->context = context;
    pool->stop = stop;
    pool->stop_user = stop_user;
    bool complete = shares <= 1 ? run_alone(pool, tiles) : run_together(pool, tiles, shares);
    loam_lock_give(&pool->lock);
    return complete;
}

/* ---- making and ending ---------------------------------------------------- */

static loam_status start_threads(struct pool *pool, loam_error *error)
{
    pool->started = 1;
    while (!pool->executor.parallel_for && pool->started < pool->threads) {
        struct worker *worker = &pool->workers[pool->started];
        if (!loam_thread_start(&worker->thread, worker_main, worker))
            return loam_fail(error, LOAM_THREAD, "thread %d of %d could not be started",
                             (int)pool->started, (int)pool->threads);
        pool->started++;
    }
    return LOAM_OK;
}

static bool init_waiting(struct pool *pool)
{
    if (!loam_lock_init(&pool->lock))
        return false;
    if (pthread_mutex_init(&pool->mutex, NULL) == 0) {
        if (pthread_cond_init(&pool->work, NULL) == 0) {
            if (pthread_cond_init(&pool->finished, NULL) == 0)
                return true;
            pthread_cond_destroy(&pool->work);
        }
        pthread_mutex_destroy(&pool->mutex);
    }
    loam_lock_end(&pool->lock);
    return false;
}

static uint64_t pool_bytes(int32_t threads)
{
    return sizeof(struct pool) + (uint64_t)threads * sizeof(struct worker);
}

loam_status loam_pool_create(struct pool **out, struct memory *memory, int32_t threads,
                             const loam_executor *executor, loam_error *error)
{
    int32_t cpus = loam_cpu_count();
    threads = executor ? executor->threads : threads > 0 ? threads : cpus;
    uint64_t bytes = pool_bytes(threads);
    struct pool *pool = loam_memory_get_large(memory, bytes); /* aligned to cache lines */
    *out = NULL;
    if (!pool)
        return loam_fail_memory(error, bytes);
    memset(pool, 0, (size_t)bytes);
    pool->memory = memory;
    pool->threads = threads;
    if (executor)
        pool->executor = *executor;
    /* With more threads than CPUs, who spins takes the time of who works. */
    pool->spin_rounds = threads <= cpus ? SPIN_ROUNDS : 0;
    pool->process = loam_process_id();
    if (!init_waiting(pool)) {
        loam_memory_free_large(memory, pool, bytes);
        return loam_fail_memory(error, bytes);
    }
    for (int32_t i = 0; i < pool->threads; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].index = i;
    }
    loam_status status = start_threads(pool, error);
    if (status) {
        loam_pool_destroy(pool);
        return status;
    }
    *out = pool;
    return LOAM_OK;
}

void loam_pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    if (pool->process == loam_process_id()) {
        pthread_mutex_lock(&pool->mutex);
        atomic_store(&pool->ending, true);
        atomic_fetch_add(&pool->phase, 1); /* ends the spinning ones as well */
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
        for (int32_t i = 1; i < pool->started; i++)
            pthread_join(pool->workers[i].thread, NULL);
        pthread_cond_destroy(&pool->finished);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->mutex);
        loam_lock_end(&pool->lock);
    }
    loam_memory_free_large(pool->memory, pool, pool_bytes(pool->threads));
}

int32_t loam_pool_threads(const struct pool *pool)
{
    return pool->threads;
}

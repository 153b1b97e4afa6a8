/* SPDX-License-Identifier: MIT */
/*
 * Storing keys and values, and attention. A tile has the rows of a block of one sequence and
 * query heads of one KV head: all of them, or fewer where there are too few tiles for the
 * threads, as when one sequence decodes. If that is still too few, pages are gone through
 * side by side as well: what they give is kept, and merged in order by the last that was
 * done, round after round, as many pages in each as there is room for.
 */
#include "cpu/run.h"

enum {
    LEAST_PAGES = 8,         /* of a range */
    PARTS_BYTES = 512 << 10, /* room for parts: near all threads */
    PARTS_PAGES = 16         /* but room for so many pages of one row */
};

/* How one phase of attention is cut. */
struct cut {
    const struct work *work;
    uint32_t sets;       /* of query heads, of each KV head */
    uint32_t tiles;      /* row blocks times sets of all KV heads */
    uint32_t ranges;     /* of pages in each round; 1: all of them at once, merged as they come */
    size_t round, count; /* pages of a round */
    size_t queries;      /* of a tile, at most */
    float *o, *sums, *merged; /* struct attention_parts, of each tile */
    atomic_uint *done;        /* of each tile: ranges of this round */
};

/* The sequence and rows of row block `block` of the step. */
static uint32_t sequence_rows(const struct work *work, uint32_t block, size_t *first, size_t *count)
{
    const uint32_t *before = work->program->sequence_tiles;
    uint32_t i = 0;
    while (before[i + 1] <= block)
        i++;
    const loam_step_sequence *sequence = &work->step->sequences[i];
    size_t rows = work->program->backend->kernels.attention_rows;
    size_t offset = (size_t)(block - before[i]) * rows;
    *first = sequence->first_row + offset;
    *count = loam_min(rows, sequence->row_count - offset);
    return i;
}

void loam_attention_store(void *context, uint32_t block, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    struct store_tile tile = {.layout = &work->program->layouts[node->index],
                              .k = loam_work_value(work, node->inputs[1]),
                              .v = loam_work_value(work, node->inputs[2])};
    uint32_t i = sequence_rows(work, block, &tile.first_row, &tile.row_count);
    const loam_step_sequence *sequence = &work->step->sequences[i];
    tile.position = sequence->position + (tile.first_row - sequence->first_row);
    tile.pages = sequence->pages;
    if (!work->program->backend->kernels.store(&tile))
        atomic_store_explicit(&work->program->numeric[i], 1, memory_order_relaxed);
}

/* ---- tiles of attention ------------------------------------------------------ */

/* Tile `index`: all row blocks of one set of heads, then the next set. */
static struct attention_tile tile_of(const struct cut *cut, uint32_t index)
{
    const struct work *work = cut->work;
    const struct node *node = work->phase->node;
    const loam_attention_options *a = &node->attention;
    uint32_t block = index % work->row_tiles, set = index / work->row_tiles % cut->sets;
    size_t group = a->heads / a->kv_heads, kv_head = index / work->row_tiles / cut->sets;
    size_t first_head = group * set / cut->sets, end_head = group * (set + 1) / cut->sets;
    struct attention_tile tile = {.layout = &work->program->layouts[node->index],
                                  .kv_head = kv_head,
                                  .first_head = kv_head * group + first_head,
                                  .head_count = end_head - first_head,
                                  .q = loam_work_value(work, node->inputs[0]),
                                  .out = loam_work_value(work, work->phase->tensor),
                                  .q_stride = (size_t)a->heads * a->key_width,
                                  .out_stride = node->width,
                                  .scale = a->scale,
                                  .window = a->window,
                                  .chunk = a->chunk,
                                  .soft_cap = a->soft_cap,
                                  .slopes = a->slopes,
                                  .temperature = a->temperature,
                                  .temperature_offset = a->temperature_offset,
                                  .temperature_length = a->temperature_length};
    uint32_t i = sequence_rows(work, block, &tile.first_row, &tile.row_count);
    const loam_step_sequence *sequence = &work->step->sequences[i];
    tile.position = sequence->position + (tile.first_row - sequence->first_row);
    tile.pages = sequence->pages;
    if (a->both_ways)
        tile.end = (size_t)sequence->position + sequence->row_count;
    if (a->has_sinks)
        tile.sinks = loam_work_weight(work, node->inputs[3])->resident;
    return tile;
}

/* The pages [*first, *end) that rows of the tile see. */
static void pages_of(const struct attention_tile *tile, size_t *first, size_t *end)
{
    size_t last_first;
    loam_attention_visible(tile, tile->position, first, end);
    loam_attention_visible(tile, tile->position + tile->row_count - 1, &last_first, end);
    *first /= PAGE;
    *end = (*end + PAGE - 1) / PAGE;
}

static void run_whole(void *context, uint32_t index, int32_t worker)
{
    (void)worker;
    const struct cut *cut = context;
    struct attention_tile tile = tile_of(cut, index);
    cut->work->program->backend->kernels.attention(&tile);
}

/* All ranges of one tile, then the next tile. */
static void run_range(void *context, uint32_t range_index, int32_t worker)
{
    (void)worker;
    const struct cut *cut = context;
    const struct cpu_kernels *kernels = &cut->work->program->backend->kernels;
    uint32_t range = range_index % cut->ranges, index = range_index / cut->ranges;
    struct attention_tile tile = tile_of(cut, index);
    size_t first, end, before = index * cut->queries;
    pages_of(&tile, &first, &end);
    first += cut->round * cut->count;
    if (first >= end)
        return;
    struct attention_parts parts = {.first = first,
                                    .count = cut->count,
                                    .o = cut->o + before * cut->count * tile.layout->value_width,
                                    .sums = cut->sums + before * cut->count * 2,
                                    .merged = cut->merged + before * 2};
    size_t pages = loam_min(end - first, cut->count);
    tile.parts = &parts;
    tile.first_page = first + pages * range / cut->ranges;
    tile.end_page = first + pages * (range + 1) / cut->ranges;
    if (tile.first_page < tile.end_page)
        kernels->attention(&tile);
    /* acquire and release: who comes last sees the parts of all. */
    if (atomic_fetch_add_explicit(&cut->done[index], 1, memory_order_acq_rel) + 1 == cut->ranges)
        kernels->attention_merge(&tile);
}

/* ---- the phase --------------------------------------------------------------- */

uint64_t loam_attention_parts_bytes(const struct cpu_backend *backend, const struct node *node)
{
    const loam_attention_options *a = &node->attention;
    uint64_t page = (uint64_t)a->heads * (a->value_width + 2) * sizeof(float);
    if (loam_pool_threads(backend->pool) == 1)
        return 0;
    return loam_max(PARTS_BYTES, PARTS_PAGES * page);
}

/* Divides the room for parts; false: there is too little. */
static bool place_parts(struct cut *cut)
{
    const struct work *work = cut->work;
    const struct node *node = work->phase->node;
    size_t width = node->attention.value_width, queries = cut->tiles * cut->queries;
    size_t room = (size_t)loam_attention_parts_bytes(work->program->backend, node);
    size_t fixed = queries * 2 * sizeof(float) + cut->tiles * sizeof *cut->done;
    size_t page = queries * (width + 2) * sizeof(float);
    if (room < fixed + page * cut->ranges)
        return false;
    cut->count = (room - fixed) / page;
    cut->o = loam_work_buffer(work->program, work->phase->out_scales);
    cut->sums = cut->o + queries * cut->count * width;
    cut->merged = cut->sums + queries * cut->count * 2;
    cut->done = (atomic_uint *)(void *)(cut->merged + queries * 2);
    return true;
}

/* The most pages that a tile has; sets `queries`. */
static size_t most_pages(struct cut *cut)
{
    size_t most = 0, first, end;
    for (uint32_t i = 0; i < cut->tiles; i++) {
        struct attention_tile tile = tile_of(cut, i);
        pages_of(&tile, &first, &end);
        most = loam_max(most, end - first);
        cut->queries = loam_max(cut->queries, tile.row_count * tile.head_count);
    }
    return most;
}

/* Where there is not a tile for each thread, heads are shared out until there are two, since
 * threads are not equally fast; else it would only be more reading. Pages, which cost more,
 * are cut if there is still not one. Returns the pages of the largest tile where they are. */
static size_t cut_up(struct cut *cut)
{
    const struct work *work = cut->work;
    const loam_attention_options *a = &work->phase->node->attention;
    const struct cpu_kernels *kernels = &work->program->backend->kernels;
    uint32_t threads = (uint32_t)loam_pool_threads(work->program->backend->pool);
    uint32_t blocks = work->row_tiles * a->kv_heads, group = a->heads / a->kv_heads;
    size_t pages = 0;
    cut->sets = cut->ranges = 1;
    if (blocks < threads)
        cut->sets = (uint32_t)loam_max(
            loam_min(loam_work_divide_up(2 * threads, blocks), group / kernels->attention_heads),
            1);
    cut->tiles = blocks * cut->sets;
    if (cut->tiles < threads) {
        pages = most_pages(cut);
        cut->ranges = (uint32_t)loam_min(loam_work_divide_up(2 * threads, cut->tiles),
                                         loam_max(pages / LEAST_PAGES, 1));
    }
    if (cut->ranges > 1 && !place_parts(cut))
        cut->ranges = 1;
    return pages;
}

bool loam_attention_run(struct work *work)
{
    const loam_step_descriptor *step = work->step;
    struct pool *pool = work->program->backend->pool;
    struct cut cut = {.work = work};
    work->row_tiles = work->program->sequence_tiles[step->sequence_count];
    size_t pages = cut_up(&cut);
    if (cut.ranges == 1)
        return loam_pool_run(pool, cut.tiles, run_whole, &cut, step->stop, step->stop_user);
    for (; cut.round * cut.count < pages; cut.round++) {
        for (uint32_t i = 0; i < cut.tiles; i++)
            atomic_store_explicit(&cut.done[i], 0, memory_order_relaxed);
        if (!loam_pool_run(pool, cut.tiles * cut.ranges, run_range, &cut, step->stop,
                           step->stop_user))
            return false;
    }
    return true;
}

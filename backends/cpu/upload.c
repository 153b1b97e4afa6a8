/* SPDX-License-Identifier: MIT */
/*
 * Weights into memory. Float types stay row-major; quantised types are packed
 * (quant/types.h) while they are read, piece by piece on all threads.
 */
#include "base/thread.h"
#include "cpu/cpu.h"

enum {
    PIECE_BYTES = 512 << 10, /* of the file, read and packed by one thread: stays in its cache */
    ROUND_BYTES = 8 << 20    /* read between two reports */
};

/* One weight on its way. Pieces are ranges of panels to be packed, or of bytes. */
struct upload {
    struct cpu_backend *cpu;
    const struct weight *weight;
    const struct weight_reader *reader;
    uint64_t row_bytes, panel_bytes; /* in the file; packed, 0: not packed */
    uint64_t piece;                  /* panels or bytes of a piece */
    uint64_t first, count;           /* panels or bytes of this round */
    uint64_t staging_bytes;          /* per thread */
    unsigned char *staging;
    atomic_bool failed; /* by the first piece, which then writes the error */
    loam_status status;
    loam_error error;
};

static bool packed(const struct weight *weight)
{
    return weight->type->packing != NULL;
}

/* Has to be packed here. */
static bool to_pack(const struct weight *weight)
{
    return packed(weight) && !weight->packed && !weight->mapped;
}

uint64_t loam_cpu_weight_bytes(const struct backend *backend, const struct weight *weight)
{
    (void)backend;
    if (weight->mapped)
        return 0;
    return packed(weight) ? loam_packed_bytes(weight->type, weight->width, weight->rows)
                          : weight->bytes;
}

static uint64_t panels_per_piece(const struct weight *weight)
{
    uint64_t panel = PANEL_ROWS * (weight->bytes / weight->rows);
    return loam_max(PIECE_BYTES / panel, 1);
}

static uint64_t staging_bytes(const struct weight *weight)
{
    return panels_per_piece(weight) * PANEL_ROWS * (weight->bytes / weight->rows);
}

uint64_t loam_cpu_upload_bytes(const struct backend *backend, const struct weight *weight)
{
    uint64_t threads = (uint64_t)loam_pool_threads(((const struct cpu_backend *)backend)->pool);
    return to_pack(weight) ? threads * staging_bytes(weight) : 0;
}

void loam_cpu_release_weight(struct backend *backend, struct weight *weight)
{
    if (!weight->mapped && !weight->room)
        loam_memory_free_large(((struct cpu_backend *)backend)->memory, weight->resident,
                               weight->resident_bytes);
    weight->resident = NULL;
    weight->resident_bytes = 0;
}

/* ---- one piece ------------------------------------------------------------ */

static loam_status read_bytes(const struct upload *upload, uint64_t first, uint64_t count,
                              loam_error *error)
{
    return upload->reader->read(upload->reader->user, upload->weight, first,
                                (unsigned char *)upload->weight->resident + first, (size_t)count,
                                error);
}

static loam_status pack_panels(const struct upload *upload, uint64_t first, uint64_t count,
                               int32_t worker, loam_error *error)
{
    const struct weight *weight = upload->weight;
    unsigned char *staging = upload->staging + (uint64_t)worker * upload->staging_bytes;
    uint64_t row = first * PANEL_ROWS, end = loam_min((first + count) * PANEL_ROWS, weight->rows);
    loam_status status =
        upload->reader->read(upload->reader->user, weight, row * upload->row_bytes, staging,
                             (size_t)((end - row) * upload->row_bytes), error);
    for (uint64_t panel = first; !status && panel < first + count; panel++) {
        const void *rows[PANEL_ROWS];
        for (size_t i = 0; i < PANEL_ROWS; i++, row++)
            rows[i] = row < end ? staging + (row - first * PANEL_ROWS) * upload->row_bytes : NULL;
        loam_pack_panel(weight->type,
                        (unsigned char *)weight->resident + panel * upload->panel_bytes, rows,
                        weight->width);
    }
    return status;
}

static void run_piece(void *context, uint32_t tile, int32_t worker)
{
    struct upload *upload = context;
    loam_error error = {.struct_size = sizeof error};
    uint64_t first = upload->first + tile * upload->piece;
    uint64_t count = loam_min(upload->piece, upload->first + upload->count - first);
    if (atomic_load_explicit(&upload->failed, memory_order_relaxed))
        return;
    loam_status status = upload->panel_bytes ? pack_panels(upload, first, count, worker, &error)
                                             : read_bytes(upload, first, count, &error);
    if (status && !atomic_exchange(&upload->failed, true)) {
        upload->status = status;
        upload->error = error;
    }
}

/* ---- the weight ----------------------------------------------------------- */

/* Round by round: all threads read, then this one reports. */
static loam_status run_rounds(struct upload *upload, uint64_t total, uint64_t bytes_each,
                              loam_error *error)
{
    const struct weight_reader *reader = upload->reader;
    uint64_t left = upload->weight->packed ? total : upload->weight->bytes;
    uint64_t round = loam_max(ROUND_BYTES / (upload->piece * bytes_each), 1) * upload->piece;
    for (upload->first = 0; upload->first < total; upload->first += upload->count) {
        upload->count = loam_min(round, total - upload->first);
        uint32_t tiles = (uint32_t)((upload->count + upload->piece - 1) / upload->piece);
        if (reader->concurrent)
            loam_pool_run(upload->cpu->pool, tiles, run_piece, upload, NULL, NULL);
        else
            for (uint32_t tile = 0; tile < tiles; tile++)
                run_piece(upload, tile, 0);
        if (upload->status)
            return loam_fail(error, upload->status, "%s", upload->error.message);
        uint64_t bytes = loam_min(upload->count * bytes_each, left);
        left -= bytes;
        loam_status status =
            reader->advance ? reader->advance(reader->user, bytes, error) : LOAM_OK;
        if (status)
            return status;
    }
    return LOAM_OK;
}

static loam_status read_weight(struct upload *upload, loam_error *error)
{
    const struct weight *weight = upload->weight;
    if (!to_pack(weight)) {
        upload->piece = PIECE_BYTES;
        return run_rounds(upload, weight->resident_bytes, 1, error);
    }
    upload->row_bytes = weight->bytes / weight->rows;
    upload->panel_bytes = loam_packed_panel_bytes(weight->type, weight->width);
    upload->piece = panels_per_piece(weight);
    upload->staging_bytes = staging_bytes(weight);
    uint64_t staging = upload->staging_bytes * (uint64_t)loam_pool_threads(upload->cpu->pool);
    upload->staging = loam_memory_get_large(upload->cpu->memory, staging);
    if (!upload->staging)
        return loam_fail_memory(error, staging);
    loam_status status = run_rounds(upload, ((uint64_t)weight->rows + PANEL_ROWS - 1) / PANEL_ROWS,
                                    PANEL_ROWS * upload->row_bytes, error);
    loam_memory_free_large(upload->cpu->memory, upload->staging, staging);
    return status;
}

loam_status loam_cpu_upload(struct backend *backend, struct weight *weight,
                            const struct weight_reader *reader, loam_error *error)
{
    struct upload upload = {
        .cpu = (struct cpu_backend *)backend, .weight = weight, .reader = reader};
    if (weight->mapped) {
        weight->resident = (void *)(uintptr_t)weight->mapped; /* read only */
        weight->resident_bytes = 0;
        return LOAM_OK;
    }
    uint64_t bytes = loam_cpu_weight_bytes(backend, weight);
    weight->resident =
        weight->room ? weight->room : loam_memory_get_large(upload.cpu->memory, bytes);
    if (!weight->resident)
        return loam_fail_memory(error, bytes);
    weight->resident_bytes = bytes;
    return read_weight(&upload, error);
}

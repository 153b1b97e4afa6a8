/* SPDX-License-Identifier: MIT */
/* Weights into the device's memory, in the form that the scalar kernels take:
 * quantised types packed, float types row after row. */
#include "mock/device.h"

enum { PIECE_BYTES = 1 << 20 };

/* A file may hold the packed form already. */
static bool to_pack(const struct weight *weight)
{
    return weight->type->packing && !weight->packed;
}

/* In the device's form. A mapped file is the host's: its bytes are copied too. */
static uint64_t device_bytes(const struct weight *weight)
{
    return weight->type->packing ? loam_packed_bytes(weight->type, weight->width, weight->rows)
                                 : weight->bytes;
}

/* Read at once: a panel of 16 rows to be packed, or a piece. */
static uint64_t staging_bytes(const struct weight *weight)
{
    if (to_pack(weight))
        return PANEL_ROWS * (weight->bytes / weight->rows);
    return loam_min(PIECE_BYTES, device_bytes(weight));
}

uint64_t loam_mock_weight_bytes(const struct backend *backend, const struct weight *weight)
{
    (void)backend;
    return device_bytes(weight);
}

uint64_t loam_mock_upload_bytes(const struct backend *backend, const struct weight *weight)
{
    (void)backend;
    return staging_bytes(weight);
}

static device_address address_of(const struct weight *weight)
{
    return (uint64_t)(uintptr_t)weight->resident;
}

void loam_mock_release_weight(struct backend *backend, struct weight *weight)
{
    loam_mock_free((struct mock_device *)backend, address_of(weight), weight->resident_bytes);
    weight->resident = NULL;
    weight->resident_bytes = 0;
}

/* To the device: `count` bytes from `first` on, which the staging holds. */
static void send(const struct weight *weight, const unsigned char *staging, uint64_t first,
                 uint64_t count)
{
    unsigned char *memory = loam_mock_at(address_of(weight));
    uint64_t row_bytes = weight->bytes / weight->rows;
    const void *rows[PANEL_ROWS];
    if (!to_pack(weight)) {
        memcpy(memory + first, staging, (size_t)count);
        return;
    }
    for (size_t i = 0; i < PANEL_ROWS; i++)
        rows[i] = i * row_bytes < count ? staging + i * row_bytes : NULL;
    uint64_t panel = first / (PANEL_ROWS * row_bytes);
    loam_pack_panel(weight->type,
                    memory + panel * loam_packed_panel_bytes(weight->type, weight->width), rows,
                    weight->width);
}

loam_status loam_mock_upload(struct backend *backend, struct weight *weight,
                             const struct weight_reader *reader, loam_error *error)
{
    struct mock_device *device = (struct mock_device *)backend;
    uint64_t piece = staging_bytes(weight), bytes = device_bytes(weight);
    uint64_t given = to_pack(weight) ? weight->bytes : bytes; /* by the reader */
    unsigned char *staging = loam_memory_get_large(device->memory, piece);
    weight->resident = (void *)(uintptr_t)loam_mock_get(device, bytes);
    weight->resident_bytes = bytes;
    loam_status status = staging && weight->resident ? LOAM_OK : loam_fail_memory(error, bytes);
    for (uint64_t first = 0; !status && first < given; first += piece) {
        uint64_t count = loam_min(piece, given - first);
        status = reader->read(reader->user, weight, first, staging, (size_t)count, error);
        if (!status)
            send(weight, staging, first, count);
        if (!status && reader->advance)
            status = reader->advance(reader->user, count, error);
    }
    loam_memory_free_large(device->memory, staging, piece);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Packed files: the same model, its weights as the backend keeps them. */
#include "format/gguf_write.h"
#include "session/model.h"

struct packing {
    loam_engine *engine;
    struct source *source;
    struct gguf_writer writer;
};

static loam_status read_part(void *user, const struct weight *weight, uint64_t offset, void *out,
                             size_t size, loam_error *error)
{
    return loam_source_read(user, weight->file_offset + offset, out, size, error);
}

/* A tensor of fewer dimensions than a matrix stays as it is. */
static bool to_pack(const struct gguf_tensor *tensor)
{
    return tensor->type->packing && tensor->dimension_count >= 2 &&
           tensor->dimensions[0] <= UINT32_MAX && tensor->dimensions[1] <= UINT32_MAX;
}

static uint64_t bytes_of(const struct gguf_tensor *tensor)
{
    const uint64_t *dimensions = tensor->dimensions;
    if (!to_pack(tensor))
        return tensor->bytes;
    return loam_packed_bytes(tensor->type, dimensions[0], dimensions[1]) * dimensions[2] *
           dimensions[3];
}

/* Keys that speak of the layout are written anew. */
static bool is_kept(const struct gguf_entry *entry)
{
    static const char *const replaced[] = {"general.alignment", "loam.packed.version"};
    for (size_t i = 0; i < LOAM_COUNT_OF(replaced); i++)
        if (entry->key.length == strlen(replaced[i]) &&
            memcmp(entry->key.data, replaced[i], entry->key.length) == 0)
            return false;
    return true;
}

static void write_header(struct gguf_writer *writer, const struct gguf *gguf)
{
    uint64_t kept = 0, offset = 0;
    for (uint64_t i = 0; i < gguf->entry_count; i++)
        kept += is_kept(&gguf->entries[i]);
    loam_gguf_write_preamble(writer, gguf->tensor_count, kept + 2);
    for (uint64_t i = 0; i < gguf->entry_count; i++)
        if (is_kept(&gguf->entries[i]))
            loam_gguf_write_entry(writer, &gguf->entries[i]);
    loam_gguf_write_u32(writer, "general.alignment", GGUF_PACKED_ALIGNMENT);
    loam_gguf_write_u32(writer, "loam.packed.version", GGUF_PACKED_VERSION);
    for (uint64_t i = 0; i < gguf->tensor_count; i++) {
        const struct gguf_tensor *tensor = &gguf->tensors[i];
        uint32_t type = tensor->type->id + (to_pack(tensor) ? GGUF_PACKED : 0);
        loam_gguf_write_tensor(writer, tensor, type, offset);
        offset += (bytes_of(tensor) + GGUF_PACKED_ALIGNMENT - 1) / GGUF_PACKED_ALIGNMENT *
                  GGUF_PACKED_ALIGNMENT;
    }
    loam_gguf_write_padding(writer, GGUF_PACKED_ALIGNMENT);
}

/* `bytes` bytes in pieces through a buffer. */
static loam_status copy_tensor(struct packing *packing, const struct gguf_tensor *tensor,
                               loam_error *error)
{
    enum { PIECE = 1 << 20 };
    struct memory *memory = &packing->engine->memory;
    unsigned char *piece = loam_memory_get_large(memory, PIECE);
    loam_status status = piece ? LOAM_OK : loam_fail_memory(error, PIECE);
    for (uint64_t done = 0; !status && done < tensor->bytes; done += PIECE) {
        size_t size = (size_t)loam_min(PIECE, tensor->bytes - done);
        status = loam_source_read(packing->source, tensor->offset + done, piece, size, error);
        if (!status)
            loam_gguf_write_bytes(&packing->writer, piece, size);
        status = status ? status : packing->writer.status;
    }
    loam_memory_free_large(memory, piece, PIECE);
    return status;
}

/* Each matrix goes through the backend, which packs it with all threads. */
static loam_status pack_tensor(struct packing *packing, const struct gguf_tensor *tensor,
                               loam_error *error)
{
    struct backend *backend = packing->engine->backend;
    const struct weight_reader reader = {.user = packing->source,
                                         .concurrent =
                                             packing->source->kind != LOAM_SOURCE_CALLBACK,
                                         .read = read_part};
    uint64_t matrices = tensor->dimensions[2] * tensor->dimensions[3];
    loam_status status = LOAM_OK;
    for (uint64_t i = 0; !status && i < matrices; i++) {
        struct weight weight = {.name = "",
                                .type = tensor->type,
                                .width = (uint32_t)tensor->dimensions[0],
                                .rows = (uint32_t)tensor->dimensions[1],
                                .bytes = tensor->bytes / matrices,
                                .file_offset = tensor->offset + i * (tensor->bytes / matrices)};
        status = backend->functions->upload(backend, &weight, &reader, error);
        if (!status)
            loam_gguf_write_bytes(&packing->writer, weight.resident, (size_t)weight.resident_bytes);
        backend->functions->release_weight(backend, &weight);
        status = status ? status : packing->writer.status;
    }
    return status;
}

static loam_status write_file(struct packing *packing, const struct gguf *gguf, loam_error *error)
{
    if (gguf->packed)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s: is packed already",
                         packing->source->name);
    write_header(&packing->writer, gguf);
    loam_status status = packing->writer.status;
    for (uint64_t i = 0; !status && i < gguf->tensor_count; i++) {
        const struct gguf_tensor *tensor = &gguf->tensors[i];
        status = to_pack(tensor) ? pack_tensor(packing, tensor, error)
                                 : copy_tensor(packing, tensor, error);
        loam_gguf_write_padding(&packing->writer, GGUF_PACKED_ALIGNMENT);
        status = status ? status : packing->writer.status;
    }
    return status;
}

loam_status loam_model_write_packed(loam_engine *engine, struct source *source,
                                    loam_write_function write, void *user, loam_error *error)
{
    struct gguf gguf;
    struct packing packing = {.engine = engine,
                              .source = source,
                              .writer = {.write = write, .user = user, .error = error}};
    loam_status status = loam_gguf_read(&gguf, source, &engine->memory, error);
    if (status)
        return status;
    status = write_file(&packing, &gguf, error);
    loam_gguf_end(&gguf);
    return status;
}

/* SPDX-License-Identifier: MIT */
#include "format/gguf_write.h"

void loam_gguf_write_bytes(struct gguf_writer *writer, const void *data, size_t size)
{
    if (writer->status || size == 0)
        return;
    if (writer->write(writer->user, data, size) != 0)
        writer->status = loam_fail(writer->error, LOAM_IO,
                                   "the write function failed for %zu bytes at byte %llu", size,
                                   (unsigned long long)writer->position);
    writer->position += size;
}

void loam_gguf_write_padding(struct gguf_writer *writer, uint64_t alignment)
{
    static const unsigned char zeros[64];
    while (!writer->status && writer->position % alignment != 0) {
        uint64_t rest = alignment - writer->position % alignment;
        loam_gguf_write_bytes(writer, zeros, loam_min((size_t)rest, sizeof zeros));
    }
}

static void write_integer(struct gguf_writer *writer, uint64_t value, size_t bytes)
{
    unsigned char little[8];
    for (size_t i = 0; i < bytes; i++)
        little[i] = (unsigned char)(value >> 8 * i);
    loam_gguf_write_bytes(writer, little, bytes);
}

static void write_string(struct gguf_writer *writer, struct gguf_string text)
{
    write_integer(writer, text.length, 8);
    loam_gguf_write_bytes(writer, text.data, text.length);
}

void loam_gguf_write_preamble(struct gguf_writer *writer, uint64_t tensor_count,
                              uint64_t entry_count)
{
    loam_gguf_write_bytes(writer, "GGUF", 4);
    write_integer(writer, 3, 4);
    write_integer(writer, tensor_count, 8);
    write_integer(writer, entry_count, 8);
}

void loam_gguf_write_entry(struct gguf_writer *writer, const struct gguf_entry *entry)
{
    write_string(writer, entry->key);
    if (entry->is_array)
        write_integer(writer, GGUF_ARRAY, 4);
    write_integer(writer, entry->type, 4);
    if (entry->is_array)
        write_integer(writer, entry->count, 8);
    for (uint64_t i = 0; entry->strings && i < entry->count; i++)
        write_string(writer, entry->strings[i]);
    if (!entry->strings)
        loam_gguf_write_bytes(writer, entry->data,
                              (size_t)(entry->count * loam_gguf_type_bytes(entry->type)));
}

void loam_gguf_write_u32(struct gguf_writer *writer, const char *key, uint32_t value)
{
    write_string(writer, (struct gguf_string){.data = key, .length = strlen(key)});
    write_integer(writer, GGUF_U32, 4);
    write_integer(writer, value, 4);
}

void loam_gguf_write_text(struct gguf_writer *writer, const char *key, struct gguf_string value)
{
    write_string(writer, (struct gguf_string){.data = key, .length = strlen(key)});
    write_integer(writer, GGUF_STRING, 4);
    write_string(writer, value);
}

void loam_gguf_write_tensor(struct gguf_writer *writer, const struct gguf_tensor *tensor,
                            uint32_t type, uint64_t offset)
{
    write_string(writer, tensor->name);
    write_integer(writer, tensor->dimension_count, 4);
    for (uint32_t i = 0; i < tensor->dimension_count; i++)
        write_integer(writer, tensor->dimensions[i], 8);
    write_integer(writer, type, 4);
    write_integer(writer, offset, 8);
}

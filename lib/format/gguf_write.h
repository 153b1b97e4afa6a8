/* SPDX-License-Identifier: MIT */
/* Writing GGUF, version 3, from front to back. */
#ifndef LOAM_FORMAT_GGUF_WRITE_H
#define LOAM_FORMAT_GGUF_WRITE_H

#include "format/gguf.h"

/* A sink with the first failure: later calls do nothing. */
struct gguf_writer {
    loam_write_function write;
    void *user;
    uint64_t position; /* bytes written */
    loam_status status;
    loam_error *error;
};

void loam_gguf_write_bytes(struct gguf_writer *writer, const void *data, size_t size);

/* Zeros up to a multiple of `alignment`. */
void loam_gguf_write_padding(struct gguf_writer *writer, uint64_t alignment);

/* Magic and counts, first of all. */
void loam_gguf_write_preamble(struct gguf_writer *writer, uint64_t tensor_count,
                              uint64_t entry_count);

/* An entry as it was read, and one made here. */
void loam_gguf_write_entry(struct gguf_writer *writer, const struct gguf_entry *entry);
void loam_gguf_write_u32(struct gguf_writer *writer, const char *key, uint32_t value);
void loam_gguf_write_text(struct gguf_writer *writer, const char *key, struct gguf_string value);

/* What the header says of a tensor; offset counts from the end of the padded
 * header. */
void loam_gguf_write_tensor(struct gguf_writer *writer, const struct gguf_tensor *tensor,
                            uint32_t type, uint64_t offset);

#endif

/* SPDX-License-Identifier: MIT */
/* Bytes of a model file, from a path, a descriptor, memory or callbacks. */
#ifndef LOAM_BASE_SOURCE_H
#define LOAM_BASE_SOURCE_H

#include "base/error.h"

/* An open loam_source. Thread-compatible. */
struct source {
    int32_t kind;    /* LOAM_SOURCE_... */
    int descriptor;  /* PATH: ours, closed at the end; DESCRIPTOR: the caller's */
    uint64_t offset; /* of the file in the descriptor */
    uint64_t size;   /* of the file, in bytes; known for every kind */
    const unsigned char *data;
    int32_t (*read)(void *user, uint64_t offset, void *out, size_t size);
    void *user;
    char name[128]; /* for messages: the path's end or the caller's name, never empty */
};

/* Opens what `given` describes. Errors name the path. On failure *out needs no
 * end. */
loam_status loam_source_open(struct source *out, const loam_source *given, loam_error *error);
void loam_source_close(struct source *source);

/* Fills out[size] with the bytes from `offset`. A range beyond the end is
 * FORMAT ("ends early"); what the system refuses is IO. */
loam_status loam_source_read(struct source *source, uint64_t offset, void *out, size_t size,
                             loam_error *error);

/* A file's bytes in the address space. Read only; valid after the source is
 * closed. If the file is made shorter or its disk fails, reading the bytes
 * raises SIGBUS. */
struct source_map {
    const unsigned char *data; /* byte 0 of the source; NULL: nothing is mapped */
    void *start;
    size_t length;
};

/* Maps all of a PATH or DESCRIPTOR source. Where that is not possible, out's
 * data is NULL: then read. */
void loam_source_map(struct source_map *out, const struct source *source);
void loam_source_unmap(struct source_map *map);

#endif

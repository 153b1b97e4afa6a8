/* SPDX-License-Identifier: MIT */
/* Memory shared by buffers that are not alive at the same time. */
#ifndef LOAM_TENSOR_LAYOUT_H
#define LOAM_TENSOR_LAYOUT_H

#include "base/memory.h"

enum { NO_BUFFER = -1 };

/* Alive from moment `first` to moment `last`, both included. */
struct buffer {
    uint64_t bytes, offset;
    uint32_t first, last;
};

/* Buffers in ascending order of `first`. */
struct layout {
    struct buffer *buffers;
    size_t count, capacity;
    uint64_t bytes; /* of all, once placed */
};

/* Adds a buffer, alive at `now` alone as yet; NO_BUFFER without memory. */
int32_t loam_layout_add(struct layout *layout, struct memory *memory, uint64_t bytes, uint32_t now);

/* Keeps a buffer (or NO_BUFFER) alive until `now`. */
void loam_layout_keep(struct layout *layout, int32_t buffer, uint32_t now);

/* Gives each buffer the lowest place, a multiple of 64, that no buffer alive
 * at the same time has. */
void loam_layout_place(struct layout *layout);

void loam_layout_end(struct layout *layout, struct memory *memory);

#endif

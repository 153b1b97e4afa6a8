/* SPDX-License-Identifier: MIT */
#include "tensor/layout.h"

int32_t loam_layout_add(struct layout *layout, struct memory *memory, uint64_t bytes, uint32_t now)
{
    if (!loam_memory_grow(memory, (void **)&layout->buffers, &layout->capacity,
                          (uint64_t)layout->count + 1, sizeof *layout->buffers))
        return NO_BUFFER;
    layout->buffers[layout->count] =
        (struct buffer){.bytes = (bytes + 63) & ~(uint64_t)63, .first = now, .last = now};
    return (int32_t)layout->count++;
}

void loam_layout_keep(struct layout *layout, int32_t buffer, uint32_t now)
{
    if (buffer != NO_BUFFER && layout->buffers[buffer].last < now)
        layout->buffers[buffer].last = now;
}

/* Moves the buffer up past one earlier buffer that is in its way; false if
 * there is none. */
static bool move_up(struct buffer *buffer, const struct buffer *earlier, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct buffer *other = &earlier[i];
        if (other->last < buffer->first || other->offset + other->bytes <= buffer->offset ||
            other->offset >= buffer->offset + buffer->bytes)
            continue;
        buffer->offset = other->offset + other->bytes;
        return true;
    }
    return false;
}

void loam_layout_place(struct layout *layout)
{
    layout->bytes = 0;
    for (size_t i = 0; i < layout->count; i++) {
        struct buffer *buffer = &layout->buffers[i];
        buffer->offset = 0;
        while (move_up(buffer, layout->buffers, i))
            continue;
        layout->bytes = loam_max(layout->bytes, buffer->offset + buffer->bytes);
    }
}

void loam_layout_end(struct layout *layout, struct memory *memory)
{
    loam_memory_free(memory, layout->buffers);
    *layout = (struct layout){0};
}

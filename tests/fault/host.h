/* SPDX-License-Identifier: MIT */
/*
 * A host whose memory fails when told to. Every block is recorded: what comes
 * back must be a block that was given out, with the size and alignment it was
 * asked for. New blocks hold no zeros, and old ones are overwritten, so that
 * code which counts on either shows.
 */
#ifndef LOAM_TESTS_FAULT_HOST_H
#define LOAM_TESTS_FAULT_HOST_H

#include <loam/loam.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct host {
    atomic_long calls;       /* allocations asked for */
    long fail_from, fail_to; /* calls in this range fail; counted from 1 */
    atomic_long blocks;      /* given out and not come back */
    atomic_long wrong;       /* came back with another size, alignment or from nowhere */
};

/* Stands right before each block. */
struct host_record {
    void *base;
    size_t size, alignment;
    uint64_t mark;
};

#define HOST_MARK 0x6d616f6c6b636f6cull

static void *host_allocate(void *user, size_t size, size_t alignment)
{
    struct host *host = user;
    long call = atomic_fetch_add(&host->calls, 1) + 1;
    if (call >= host->fail_from && call <= host->fail_to)
        return NULL;
    if (alignment == 0 || alignment > 4096 || (alignment & (alignment - 1)) != 0) {
        atomic_fetch_add(&host->wrong, 1);
        return NULL;
    }
    char *base = malloc(size + alignment + sizeof(struct host_record));
    if (!base)
        return NULL;
    uintptr_t least = (uintptr_t)base + sizeof(struct host_record);
    char *block = base + sizeof(struct host_record) + (-least & (alignment - 1));
    struct host_record record = {base, size, alignment, HOST_MARK};
    memcpy(block - sizeof record, &record, sizeof record);
    memset(block, 0xA5, size);
    atomic_fetch_add(&host->blocks, 1);
    return block;
}

static void host_release(void *user, void *block, size_t size, size_t alignment)
{
    struct host *host = user;
    struct host_record record;
    if (!block)
        return;
    memcpy(&record, (char *)block - sizeof record, sizeof record);
    if (record.mark != HOST_MARK || record.size != size || record.alignment != alignment) {
        atomic_fetch_add(&host->wrong, 1);
        return;
    }
    memset((char *)block - sizeof record, 0x5A, sizeof record + size);
    free(record.base);
    atomic_fetch_sub(&host->blocks, 1);
}

static inline loam_allocator host_allocator(struct host *host)
{
    return (loam_allocator){.struct_size = sizeof(loam_allocator),
                            .user = host,
                            .allocate = host_allocate,
                            .release = host_release,
                            .allocate_large = host_allocate,
                            .release_large = host_release};
}

#endif

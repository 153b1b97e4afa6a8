/* SPDX-License-Identifier: MIT */
/*
 * backends/mock: a device that is none: for tests of everything that the CPU
 * alone can't show, and to copy for a new backend. It has memory of its own
 * whose addresses mean nothing on the host, lacks what it is told to lack, and
 * is done later than it was asked. It computes with the scalar CPU kernels, so
 * that any placement must give the bits of the CPU alone.
 * May include lib/tensor, lib/quant, lib/base and cpu/kernels.h; not part of
 * the installed library.
 *
 * mock.h: making one.
 */
#ifndef LOAM_BACKENDS_MOCK_MOCK_H
#define LOAM_BACKENDS_MOCK_MOCK_H

#include "tensor/backend.h"

struct mock_options {
    uint32_t missing; /* bit n: refuses operation n */
    uint32_t refused; /* of 256 nodes so many are refused whatever they do */
    uint64_t seed;    /* says which */
    double delay; /* seconds until it begins what was submitted; below 0: not before it is waited
                     for, or its queue is full */
};

/* What it did. */
struct mock_counts {
    uint64_t submitted; /* segments: done, given up because stop said so, or still to come */
    uint64_t segments, given_up;
    uint64_t nodes;
    uint64_t values_in, values_out;
    uint64_t pages_opened, pages_closed;
};

/* Makes a device, to be given to loam_engine_add_device of the engine whose
 * memory it takes.
 * [errors: MEMORY, THREAD] */
loam_status loam_mock_create(struct backend **out, struct memory *memory,
                             const struct mock_options *options, loam_error *error);

/* What it did so far. */
struct mock_counts loam_mock_counts(struct backend *backend);

#endif

/* SPDX-License-Identifier: MIT */
/* Engines with mock devices, and the placements that the tests go through. */
#ifndef LOAM_TESTS_CONFORMANCE_DEVICES_H
#define LOAM_TESTS_CONFORMANCE_DEVICES_H

#include "common.h"

#include "mock/mock.h"
#include "tensor/engine.h"
#include "tensor/plan.h"

#include <stdbool.h>

enum { DEVICES_AT_MOST = 2, MOCK_OPERATIONS = OP_OUTPUTS + 1 };

/* Not before it is waited for: as late as can be. */
#define LATE (-1.0)

/* Which devices stand beside the CPU, and what they lack. */
struct placement {
    int devices;
    struct mock_options options[DEVICES_AT_MOST];
};

static const struct placement cpu_alone;

/* How many combinations of placement and work were compared. */
static int combinations;

/* On failure *out is NULL and nothing is left. */
static inline loam_status devices_engine_with(loam_engine **out, const struct placement *placement,
                                              const loam_engine_options *options, loam_error *error)
{
    loam_status status = loam_engine_create(out, options, error);
    for (int i = 0; !status && i < placement->devices; i++) {
        struct backend *device;
        status = loam_mock_create(&device, &(*out)->memory, &placement->options[i], error);
        if (!status)
            status = loam_engine_add_device(*out, device, error);
    }
    if (status) {
        loam_engine_release(*out);
        *out = NULL;
    }
    return status;
}

static inline loam_engine *devices_engine(const struct placement *placement, int32_t threads)
{
    loam_engine_options options = {.struct_size = sizeof options, .threads = threads};
    loam_engine *engine = NULL;
    CHECK_OK(devices_engine_with(&engine, placement, &options, &test_error));
    return engine;
}

/* Of all devices together. */
static inline struct mock_counts devices_counts(const loam_engine *engine)
{
    struct mock_counts sum = {0};
    for (uint32_t i = 0; i < engine->device_count; i++) {
        struct mock_counts counts = loam_mock_counts(engine->devices[i]);
        sum.submitted += counts.submitted;
        sum.segments += counts.segments;
        sum.given_up += counts.given_up;
        sum.nodes += counts.nodes;
        sum.values_in += counts.values_in;
        sum.values_out += counts.values_out;
        sum.pages_opened += counts.pages_opened;
        sum.pages_closed += counts.pages_closed;
    }
    return sum;
}

static inline void devices_print(const struct placement *placement)
{
    for (int i = 0; i < placement->devices; i++)
        printf("# device %d: missing %#x, refused %u of 256, seed %llu, delay %g s\n", i,
               placement->options[i].missing, placement->options[i].refused,
               (unsigned long long)placement->options[i].seed, placement->options[i].delay);
}

/* Calls `run` with: all on a device, nothing on it, each operation missing,
 * each alone, and `random` placements on one device and on two. */
static inline void
devices_each_placement(int random, void (*run)(const struct placement *placement, void *context),
                       void *context)
{
    struct placement placement = {.devices = 1, .options = {{.delay = LATE}}};
    run(&placement, context);
    placement.options[0].delay = 1e-5;
    run(&placement, context);
    placement.options[0].missing = UINT32_MAX;
    run(&placement, context);
    for (int operation = OP_EMBED; operation < MOCK_OPERATIONS; operation++) {
        placement.options[0] = (struct mock_options){.missing = 1u << operation, .delay = LATE};
        run(&placement, context);
        placement.options[0].missing = ~placement.options[0].missing;
        run(&placement, context);
    }
    for (int i = 0; i < random; i++) {
        placement.options[0] = (struct mock_options){
            .refused = 40 + 35 * ((uint32_t)i % 5), .seed = (uint64_t)i, .delay = LATE};
        placement.devices = 1;
        run(&placement, context);
        placement.options[1] =
            (struct mock_options){.refused = 100, .seed = (uint64_t)i + 1000, .delay = 1e-5};
        placement.devices = 2;
        run(&placement, context);
    }
}

#endif

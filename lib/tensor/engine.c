/* SPDX-License-Identifier: MIT */
#include "tensor/engine.h"

loam_status loam_engine_check(const loam_engine *engine, loam_error *error)
{
    if (engine->process != loam_process_id())
        return loam_fail(error, LOAM_FORKED,
                         "the engine was made before fork: its threads are not in this process; "
                         "make a new engine here");
    return LOAM_OK;
}

loam_status loam_engine_enter(loam_engine *engine, loam_error *error)
{
    /* Before the lock, which a thread of the parent may hold forever here. */
    loam_status status = loam_engine_check(engine, error);
    if (status)
        return status;
    loam_lock_take(&engine->lock);
    return LOAM_OK;
}

void loam_engine_leave(loam_engine *engine)
{
    loam_lock_give(&engine->lock);
}

/* A table of a smaller size, or with a hole, is of another version. */
static bool is_complete(const struct backend_functions *f)
{
    return f->struct_size >= sizeof *f && f->name && f->refuses && f->weight_bytes &&
           f->upload_bytes && f->upload && f->release_weight && f->compile && f->measure &&
           f->allocate && f->submit && f->wait && f->release && f->destroy &&
           !f->page_open == !f->page_close;
}

loam_status loam_engine_add_device(loam_engine *engine, struct backend *device, loam_error *error)
{
    loam_status status = LOAM_OK;
    if (!is_complete(device->functions))
        status = loam_fail(error, LOAM_INVALID_ARGUMENT,
                           "the device's table of functions is not complete");
    else if (engine->device_count == LOAM_COUNT_OF(engine->devices))
        status =
            loam_fail(error, LOAM_STATE, "the engine has %u devices already", engine->device_count);
    if (status) {
        device->functions->destroy(device);
        return status;
    }
    engine->devices[engine->device_count++] = device;
    device->index = engine->device_count;
    return LOAM_OK;
}

void loam_engine_end_devices(loam_engine *engine)
{
    while (engine->device_count > 0) {
        struct backend *device = engine->devices[--engine->device_count];
        device->functions->destroy(device);
    }
}

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

/* SPDX-License-Identifier: MIT */
#include "api/api.h"

/* ---- generating ----------------------------------------------------------- */

static loam_status check_ready(const loam_session *session, loam_error *error)
{
    if (session->state == SESSION_READY)
        return LOAM_OK;
    return loam_fail(error, LOAM_STATE, "the session has %s; set a prompt",
                     session->state == SESSION_ENDED ? "stopped" : "no prompt");
}

static loam_status next(loam_event *event, loam_session *session, loam_error *error)
{
    loam_engine *engine = session->model->engine;
    loam_status status = check_ready(session, error);
    if (!status)
        status = loam_engine_enter(engine, error);
    if (status)
        return status;
    event->struct_size = sizeof *event;
    status = loam_session_step(event, &session, 1, error);
    loam_engine_leave(engine);
    return status ? status : event->status;
}

loam_status loam_session_next(loam_session *session, loam_event *out, loam_error *error)
{
    loam_event event = {0};
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_session_begin(session, error);
    if (status)
        return status;
    status = next(&event, session, error);
    if (!status)
        loam_struct_write(out, &event, sizeof event);
    loam_session_finish(session);
    return status;
}

static loam_status step(loam_event *out, loam_session *const *sessions, size_t count,
                        loam_error *error)
{
    loam_model *model = sessions[0]->model;
    size_t stride = out->struct_size;
    for (size_t i = 0; i < count; i++) {
        loam_status status = check_ready(sessions[i], error);
        if (status)
            return status;
    }
    loam_status status = loam_engine_enter(model->engine, error);
    if (status)
        return status;
    /* Messages of single sessions have no place to go: their status stays. */
    loam_error own = {.struct_size = sizeof own};
    loam_event *events = model->step.events;
    for (size_t i = 0; i < count; i++)
        events[i].struct_size = sizeof *events;
    status = loam_session_step(events, sessions, count, &own);
    for (size_t i = 0; !status && i < count; i++) {
        char *target = (char *)out + i * stride;
        memcpy(target, &stride, sizeof stride);
        loam_struct_write(target, &events[i], sizeof *events);
    }
    loam_engine_leave(model->engine);
    return status ? loam_fail(error, status, "%s", own.message) : LOAM_OK;
}

/* Begins calls on all sessions; returns how many began. */
static size_t begin_all(loam_session *const *sessions, size_t count, loam_status *status,
                        loam_error *error)
{
    for (size_t i = 0; i < count; i++) {
        *status = loam_session_begin(sessions[i], error);
        if (*status)
            return i;
        if (sessions[i]->model != sessions[0]->model) {
            *status = loam_fail(error, LOAM_INVALID_ARGUMENT,
                                "sessions[%zu] is of another model than sessions[0]", i);
            return i + 1;
        }
    }
    return count;
}

loam_status loam_step(loam_event *out, loam_session *const *sessions, size_t count,
                      loam_error *error)
{
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(sessions, "sessions", error);
    if (!status && count)
        status = loam_api_given(sessions[0], "sessions[0]", error);
    if (status)
        return status;
    if (count == 0 || count > sessions[0]->model->limits.max_sequences)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "count is %zu, expected 1 to max_step_sessions (%u)", count,
                         count ? sessions[0]->model->limits.max_sequences : 0);
    size_t begun = begin_all(sessions, count, &status, error);
    if (!status)
        status = step(out, sessions, count, error);
    for (size_t i = 0; i < begun; i++)
        loam_session_finish(sessions[i]);
    return status;
}

/* ---- evaluating ----------------------------------------------------------- */

static loam_status evaluate(loam_session *session, const int32_t *tokens, size_t count,
                            float *logits, size_t rows, loam_error *error)
{
    loam_engine *engine = session->model->engine;
    size_t before = session->count;
    if (rows > count || (rows && !logits))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         rows > count ? "rows is %zu, more than count (%zu)"
                                      : "logits is NULL, rows is %zu of %zu",
                         rows, count);
    loam_status status = loam_engine_check(engine, error);
    if (!status)
        status = loam_session_append(session, tokens, count, error);
    if (status)
        return status;
    status = loam_engine_enter(engine, error);
    if (!status) {
        status = loam_session_compute(session, logits, rows, error);
        loam_engine_leave(engine);
    }
    session->state = SESSION_IDLE;
    atomic_store_explicit(&session->cancelled, 0, memory_order_relaxed);
    if (status) {
        session->count = before;
        loam_session_go_back(session, before);
        session->has_logits = false;
    }
    return status;
}

loam_status loam_session_evaluate(loam_session *session, const int32_t *tokens, size_t count,
                                  float *logits, size_t rows, loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    status = evaluate(session, tokens, count, logits, rows, error);
    loam_session_finish(session);
    return status;
}

/* ---- looking -------------------------------------------------------------- */

loam_status loam_session_logits(const float **out, size_t *out_count, loam_session *session,
                                loam_error *error)
{
    loam_status status = loam_api_given(out, "out", error);
    if (!status)
        status = loam_api_given(out_count, "out_count", error);
    if (!status)
        status = loam_api_given(session, "session", error);
    if (status)
        return status;
    *out = NULL;
    *out_count = 0;
    if (!session->has_logits)
        return loam_fail(error, LOAM_STATE, "no token was computed since the content was set");
    *out = session->logits;
    *out_count = session->model->description.vocabulary;
    return LOAM_OK;
}

loam_status loam_session_tokens(const int32_t **out, size_t *out_count, loam_session *session,
                                loam_error *error)
{
    loam_status status = loam_api_given(out, "out", error);
    if (!status)
        status = loam_api_given(out_count, "out_count", error);
    if (!status)
        status = loam_api_given(session, "session", error);
    if (status)
        return status;
    *out = session->content;
    *out_count = session->count;
    return LOAM_OK;
}

loam_status loam_session_get_timings(loam_timings *out, loam_session *session, loam_error *error)
{
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(session, "session", error);
    if (!status)
        loam_struct_write(out, &session->timings, sizeof session->timings);
    return status;
}

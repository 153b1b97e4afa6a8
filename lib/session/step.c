/* SPDX-License-Identifier: MIT */
/*
 * The batch step: rows of many sessions in one pass over the weights. A
 * session is changed only after its rows are computed, so that a cancelled or
 * failed step leaves every session where it was.
 */
#include "session/session.h"

/* The sessions of one step. */
struct batch {
    loam_model *model;
    struct step_memory *memory;
    size_t count; /* active sessions */
    loam_step_descriptor step;
};

static int32_t any_cancelled(void *user)
{
    const struct batch *batch = user;
    for (size_t i = 0; i < batch->count; i++)
        if (atomic_load_explicit(&batch->memory->active[i]->cancelled, memory_order_relaxed))
            return 1;
    return 0;
}

static bool take_cancel(loam_session *session)
{
    return atomic_exchange_explicit(&session->cancelled, 0, memory_order_relaxed) != 0;
}

static void begin_batch(struct batch *batch, loam_model *model)
{
    *batch = (struct batch){.model = model, .memory = &model->step};
    batch->step = (loam_step_descriptor){.struct_size = sizeof batch->step,
                                         .sequences = model->step.sequences,
                                         .tokens = model->step.tokens,
                                         .output_rows = model->step.output_rows,
                                         .result = model->step.logits,
                                         .sequence_numeric = model->step.numeric,
                                         .stop = any_cancelled,
                                         .stop_user = NULL};
}

/* Adds the next `rows` tokens of a session, `outputs` of them (the last ones)
 * with logits. Its pages reach so far. */
static void add_rows(struct batch *batch, loam_session *session, size_t slot, size_t rows,
                     size_t outputs)
{
    struct step_memory *memory = batch->memory;
    loam_step_descriptor *step = &batch->step;
    memory->active[batch->count] = session;
    memory->slots[batch->count] = (uint32_t)slot;
    memory->sequences[batch->count++] =
        (loam_step_sequence){.first_row = step->rows,
                             .row_count = (uint32_t)rows,
                             .position = (uint32_t)session->computed,
                             .page_count = (uint32_t)session->pages.count,
                             .pages = session->pages.table,
                             .context = session->context_length};
    for (size_t i = 0; i < rows; i++) {
        memory->tokens[step->rows + i] = session->content[session->computed + i];
        memory->output_rows[step->rows + i] = i + outputs >= rows;
    }
    step->rows += (uint32_t)rows;
    step->sequence_count = (uint32_t)batch->count;
}

static loam_status execute(struct batch *batch, loam_error *error)
{
    batch->step.stop_user = batch;
    return loam_graph_execute(batch->model->graph, &batch->step, error);
}

static bool all_finite(const float *values, size_t count)
{
    /* Sums of exponents: an infinite or NaN has all exponent bits set. */
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & 0x7F800000u) == 0x7F800000u)
            return false;
    }
    return true;
}

static loam_status numeric_error(const loam_session *session, loam_error *error)
{
    return loam_fail(error, LOAM_NUMERIC,
                     "tokens from position %zu on gave a value that is infinite, not a number, or "
                     "beyond what the KV type can hold",
                     session->computed);
}

/* ---- evaluating one session ----------------------------------------------- */

loam_status loam_session_compute(loam_session *session, float *logits, size_t rows,
                                 loam_error *error)
{
    loam_model *model = session->model;
    size_t vocabulary = model->description.vocabulary;
    loam_status status = loam_pages_reserve(&session->pages, session->count, error);
    size_t first_output = session->count - rows;
    bool computes = session->computed < session->count;
    while (!status && session->computed < session->count) {
        size_t piece = loam_min(session->count - session->computed, model->limits.max_rows);
        size_t end = session->computed + piece, outputs = 0;
        if (end > first_output)
            outputs = loam_min(end - first_output, piece);
        bool own = rows == 0 && end == session->count; /* the last row for the session alone */
        struct batch batch;
        begin_batch(&batch, model);
        add_rows(&batch, session, 0, piece, own ? 1 : outputs);
        float *destination = own ? session->logits : logits;
        batch.step.observe = session->observe;
        batch.step.observe_user = session->observe_user;
        batch.step.result = destination ? destination : session->logits;
        status = execute(&batch, error);
        if (!status && (batch.memory->numeric[0] ||
                        !all_finite(batch.step.result, (own ? 1 : outputs) * vocabulary)))
            status = numeric_error(session, error);
        if (status)
            break;
        session->computed = end;
        if (outputs)
            logits += outputs * vocabulary;
    }
    if (!status && rows)
        memcpy(session->logits, logits - vocabulary, vocabulary * sizeof *logits);
    session->has_logits = !status && (session->has_logits || computes);
    return status;
}

/* ---- a step of many ------------------------------------------------------- */

static void clear_event(loam_event *event)
{
    size_t size = event->struct_size;
    *event = (loam_event){.struct_size = size, .token = -1, .text = ""};
}

static void fail_event(loam_event *event, loam_status status)
{
    event->type = LOAM_EVENT_STOP;
    event->stop_reason = LOAM_STOP_ERROR;
    event->status = status;
}

/* What needs no computing: stops that are due. True if the event is filled. */
static bool due_stop(loam_event *event, loam_session *session)
{
    bool reads_prompt = session->computed < session->prompt_count && session->generated == 0;
    if (take_cancel(session)) {
        if (session->generated == 0) /* the part of the prompt that was read */
            session->count = session->computed;
        loam_session_end(event, session, LOAM_STOP_CANCELLED);
    } else if (session->pending_stop)
        loam_session_end(event, session, session->pending_stop);
    else if (session->count >= session->context_length && !reads_prompt)
        loam_session_end(event, session, LOAM_STOP_CONTEXT_FULL);
    else
        return false;
    return true;
}

/* How many rows each session gets: one for each, then what is left of the
 * step in the order of the sessions. */
static size_t rows_for(const loam_session *session, size_t *spare)
{
    size_t pending = session->count - session->computed;
    size_t extra = loam_min(pending - 1, *spare);
    *spare -= extra;
    return 1 + extra;
}

/* After its rows were computed: progress or a token. */
static loam_status finish_rows(loam_event *event, loam_session *session, size_t rows,
                               const float *logits, loam_error *error)
{
    size_t vocabulary = session->model->description.vocabulary;
    if (session->computed + rows < session->count) {
        session->computed += rows;
        event->type = LOAM_EVENT_PROGRESS;
        event->done = (uint32_t)session->computed;
        event->total = (uint32_t)session->count;
        return LOAM_OK;
    }
    if (!all_finite(logits, vocabulary))
        return numeric_error(session, error);
    memcpy(session->logits, logits, vocabulary * sizeof *logits);
    session->computed += rows;
    session->has_logits = true;
    if (session->count >= session->context_length) {
        loam_session_end(event, session, LOAM_STOP_CONTEXT_FULL);
        return LOAM_OK;
    }
    loam_status status = loam_session_emit(event, session, error);
    if (status) /* the last row again next time, for its logits */
        session->computed = session->count - 1;
    return status;
}

/* Fills the batch with the sessions that have no event yet. */
static void gather(struct batch *batch, loam_event *events, loam_session *const *sessions,
                   size_t count, loam_error *error)
{
    size_t open = 0;
    for (size_t i = 0; i < count; i++)
        open += events[i].type == 0;
    size_t spare = batch->model->limits.max_rows - open;
    for (size_t i = 0; i < count; i++) {
        if (events[i].type != 0)
            continue;
        loam_session *session = sessions[i];
        size_t rows = rows_for(session, &spare);
        loam_status status = loam_pages_reserve(&session->pages, session->computed + rows, error);
        if (status)
            fail_event(&events[i], status);
        else
            add_rows(batch, session, i, rows, session->computed + rows == session->count);
    }
}

static void deliver(struct batch *batch, loam_event *events, double seconds, loam_error *error)
{
    size_t vocabulary = batch->model->description.vocabulary;
    const float *logits = batch->step.result;
    for (size_t i = 0; i < batch->count; i++) {
        loam_session *session = batch->memory->active[i];
        loam_event *event = &events[batch->memory->slots[i]];
        size_t rows = batch->memory->sequences[i].row_count;
        bool whole = session->computed + rows == session->count;
        bool first = session->generated == 0;
        loam_status status = batch->memory->numeric[i]
                                 ? numeric_error(session, error)
                                 : finish_rows(event, session, rows, logits, error);
        if (status)
            fail_event(event, status);
        else if (first)
            session->timings.prompt_seconds += seconds;
        else
            session->timings.generate_seconds += seconds;
        logits += whole ? vocabulary : 0;
    }
}

loam_status loam_session_step(loam_event *events, loam_session *const *sessions, size_t count,
                              loam_error *error)
{
    loam_model *model = sessions[0]->model;
    loam_status status;
    for (size_t i = 0; i < count; i++)
        clear_event(&events[i]);
    do { /* again without those that were cancelled in the middle */
        double start = loam_seconds();
        struct batch batch;
        for (size_t i = 0; i < count; i++)
            if (events[i].type == 0)
                due_stop(&events[i], sessions[i]);
        begin_batch(&batch, model);
        gather(&batch, events, sessions, count, error);
        if (batch.count == 0)
            return LOAM_OK;
        status = execute(&batch, error);
        if (status == LOAM_OK)
            deliver(&batch, events, loam_seconds() - start, error);
    } while (status == LOAM_CANCELLED);
    return status;
}

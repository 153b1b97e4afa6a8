/* SPDX-License-Identifier: MIT */
/* From logits to an event: choosing, stop rules, text in whole characters. */
#include "session/session.h"

void loam_session_reset_text(loam_session *session)
{
    session->utf8 = (struct utf8_stream){0};
    loam_stop_reset(session->rules.stops);
    session->pending_stop = LOAM_STOP_NONE;
    session->generated = 0;
    session->strip_space = false;
}

static bool is_among(const int32_t *ids, size_t count, int32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Why a token ends the generation, or NONE. */
static int32_t stop_of_token(const loam_session *session, int32_t token)
{
    const loam_tokenizer *tokenizer = session->model->tokenizer;
    if (is_among(session->rules.stop_tokens, session->rules.stop_token_count, token))
        return LOAM_STOP_TOKEN;
    if (session->filling && !session->rules.ignore_end &&
        is_among(session->fill_ids, FILL_TOKEN_COUNT, token))
        return LOAM_STOP_END;
    uint32_t ends = session->filling ? LOAM_TOKEN_END | LOAM_TOKEN_CONTROL : LOAM_TOKEN_END;
    if (tokenizer && !session->rules.ignore_end &&
        (uint32_t)token < loam_tokenizer_count(tokenizer->tokenizer) &&
        (loam_tokenizer_flags(tokenizer->tokenizer, token) & ends))
        return LOAM_STOP_END;
    return LOAM_STOP_NONE;
}

/* The token's characters that are whole now, in session->text: *length of
 * them. */
static loam_status text_of_token(loam_session *session, int32_t token, size_t *length,
                                 loam_error *error)
{
    const loam_tokenizer *handle = session->model->tokenizer;
    *length = 0;
    if (!handle || (uint32_t)token >= loam_tokenizer_count(handle->tokenizer))
        return LOAM_OK;
    bool special = session->rules.show_special;
    size_t bytes = loam_tokenizer_piece(NULL, 0, handle->tokenizer, token, special);
    /* The piece itself, then what may become of it. */
    uint64_t room = bytes + 3 * ((uint64_t)bytes + 4);
    if (!loam_memory_grow(&session->model->engine->memory, (void **)&session->text,
                          &session->text_capacity, room, 1))
        return loam_fail_memory(error, room);
    char *piece = session->text + session->text_capacity - bytes;
    loam_tokenizer_piece(piece, bytes, handle->tokenizer, token, special);
    if (session->strip_space && bytes) {
        session->strip_space = false;
        if (piece[0] == ' ') {
            piece++;
            bytes--;
        }
    }
    *length = loam_utf8_stream_push(&session->utf8, session->text, piece, bytes);
    return LOAM_OK;
}

static void fill_token_event(loam_event *event, const struct sample *sample, size_t position)
{
    event->type = LOAM_EVENT_TOKEN;
    event->token = sample->token;
    event->position = (uint32_t)position;
    event->log_probability = sample->log_probability;
    event->candidates = sample->candidates;
    event->candidate_count = sample->candidate_count;
}

/* Hands out text of the stop matcher from the session's own memory, with a NUL
 * behind it. */
static loam_status give_text(loam_event *event, loam_session *session, const char *text,
                             size_t length, loam_error *error)
{
    if (!loam_memory_grow(&session->model->engine->memory, (void **)&session->given,
                          &session->given_capacity, (uint64_t)length + 1, 1))
        return loam_fail_memory(error, (uint64_t)length + 1);
    if (length)
        memcpy(session->given, text, length);
    session->given[length] = 0;
    event->text = session->given;
    event->text_length = length;
    return LOAM_OK;
}

loam_status loam_session_emit(loam_event *event, loam_session *session, loam_error *error)
{
    struct sample sample;
    loam_status status = loam_sampler_choose(&sample, session->sampler, session->logits,
                                             session->content, session->count, error);
    if (!status)
        status = loam_session_append(session, &sample.token, 1, error);
    if (status)
        return status;
    session->generated++;
    session->timings.generated_tokens++;
    int32_t stop = stop_of_token(session, sample.token);
    if (stop) {
        loam_session_end(event, session, stop);
        event->token = sample.token;
        return LOAM_OK;
    }
    size_t length, certain_length = 0;
    const char *certain = NULL;
    bool matched = false;
    status = text_of_token(session, sample.token, &length, error);
    if (!status)
        status = loam_stop_push(&certain, &certain_length, &matched, session->rules.stops,
                                session->text, length, error);
    if (!status)
        status = give_text(event, session, certain, certain_length, error);
    if (status) { /* as if the token had not been chosen */
        session->count--;
        session->generated--;
        session->timings.generated_tokens--;
        return status;
    }
    fill_token_event(event, &sample, session->count - 1);
    if (matched)
        session->pending_stop = LOAM_STOP_STRING;
    else if (session->rules.max_tokens && session->generated >= session->rules.max_tokens)
        session->pending_stop = LOAM_STOP_LENGTH;
    return LOAM_OK;
}

void loam_session_end(loam_event *event, loam_session *session, int32_t reason)
{
    struct stop_matcher *stops = session->rules.stops;
    char tail[12];
    event->type = LOAM_EVENT_STOP;
    event->stop_reason = reason;
    event->token = -1;
    session->state = SESSION_ENDED;
    if (reason == LOAM_STOP_STRING)
        return;
    /* What is held goes out, and a character cut short behind it as U+FFFD.
     * There is room: configuring took it for the longest that can be held. */
    const char *held;
    size_t held_length, length = loam_utf8_stream_finish(&session->utf8, tail);
    loam_stop_finish(&held, &held_length, stops);
    if (held_length)
        memcpy(session->given, held, held_length);
    memcpy(session->given + held_length, tail, length);
    session->given[held_length + length] = 0;
    event->text = session->given;
    event->text_length = held_length + length;
}

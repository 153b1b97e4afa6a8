/* SPDX-License-Identifier: MIT */
/* One sequence: content, computed part, and how it goes on. */
#ifndef LOAM_SESSION_SESSION_H
#define LOAM_SESSION_SESSION_H

#include "cache/pages.h"
#include "cache/states.h"
#include "sample/sampler.h"
#include "session/model.h"
#include "session/stop.h"
#include "text/fill.h"

enum session_state {
    SESSION_IDLE,  /* no prompt, or a generation that was ended by a rewind */
    SESSION_READY, /* reading a prompt or generating */
    SESSION_ENDED  /* STOP was reported */
};

/* What the session does with its tokens: the fields of
 * loam_generation_options that are not the sampler's. */
struct rules {
    int32_t *stop_tokens;
    size_t stop_token_count;
    struct stop_matcher *stops;
    uint32_t max_tokens;
    bool ignore_end, show_special;
};

struct loam_session {
    loam_model *model;
    uint32_t context_length;
    enum session_state state;
    atomic_int cancelled;
    atomic_int in_use; /* a call is running */
    int32_t *content;  /* [count]: prompt and generated tokens */
    size_t count, capacity;
    size_t computed; /* content[0, computed) is in the pages and a state; computed <= count */
    struct pages pages;
    struct states states;
    float *logits; /* [vocabulary] after content[computed - 1] */
    bool has_logits;
    struct sampler *sampler;
    struct rules rules;
    int32_t pending_stop; /* LOAM_STOP_... to report next, or NONE */
    size_t prompt_count, generated;
    bool filling; /* until the next prompt control tokens and fill_ids end the generation */
    int32_t fill_ids[FILL_TOKEN_COUNT]; /* -1: none */
    bool strip_space;                   /* the next text loses one leading space */
    struct utf8_stream utf8;
    char *text; /* scratch for a token's text */
    size_t text_capacity;
    char *given; /* an event's text */
    size_t given_capacity;
    loam_timings timings;
    /* As of loam_step_descriptor, for the steps of loam_session_compute. */
    void (*observe)(void *user, const loam_observation *observation);
    void *observe_user;
};

/* ---- session.c: content ---- */

/* Makes the content tokens[count], keeping what is common. */
loam_status loam_session_set_content(loam_session *session, const int32_t *tokens, size_t count,
                                     loam_error *error);

/* Appends tokens to the content (not computed). */
loam_status loam_session_append(loam_session *session, const int32_t *tokens, size_t count,
                                loam_error *error);

/* What is computed behind content[0, count) is forgotten, and what was before
 * it as far back as a state was kept. */
void loam_session_go_back(loam_session *session, size_t count);

/* Marks the session as in a call; BUSY if it is in one. */
loam_status loam_session_begin(loam_session *session, loam_error *error);
void loam_session_finish(loam_session *session);

/* ---- emit.c: from logits to an event ---- */

/* Chooses a token from the session's logits and reports it. On failure the
 * content is unchanged. */
loam_status loam_session_emit(loam_event *event, loam_session *session, loam_error *error);

/* Reports STOP with what text is held, and ends the generation. */
void loam_session_end(loam_event *event, loam_session *session, int32_t reason);

/* Forgets text and counts of an earlier generation. */
void loam_session_reset_text(loam_session *session);

/* importance.c: see loam_model_importance. */
loam_status loam_importance_collect(loam_model *model, const int32_t *tokens, size_t count,
                                    const loam_importance_options *options,
                                    loam_write_function write, void *user, loam_error *error);

/* ---- step.c: computing ---- */

/* One step of sessions[count] (checked, in a call, engine entered): fills
 * events[count], statuses of single sessions within. */
loam_status loam_session_step(loam_event *events, loam_session *const *sessions, size_t count,
                              loam_error *error);

/* Computes the content up to its end; the last `rows` rows of logits go to
 * logits, the last one to the session as well. Engine entered. */
loam_status loam_session_compute(loam_session *session, float *logits, size_t rows,
                                 loam_error *error);

#endif

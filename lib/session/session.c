/* SPDX-License-Identifier: MIT */
/* Sessions: making them, setting what they hold and how they go on. */
#include "session/session.h"

static void free_rules(struct memory *memory, struct rules *rules)
{
    loam_memory_free(memory, rules->stop_tokens);
    loam_stop_destroy(rules->stops);
}

/* Room for what the stop rules can hold back, so that the end of a generation
 * needs no memory. */
static loam_status reserve_text(loam_session *session, const loam_generation_options *options,
                                loam_error *error)
{
    uint64_t bytes = 64;
    for (size_t i = 0; i < options->stop_string_count; i++) {
        const loam_string *string = &options->stop_strings[i];
        if (!loam_sum(&bytes, bytes, loam_length(string->data, string->length)))
            return loam_fail_memory(error, UINT64_MAX);
    }
    if (!loam_memory_grow(&session->model->engine->memory, (void **)&session->given,
                          &session->given_capacity, bytes, 1))
        return loam_fail_memory(error, bytes);
    return LOAM_OK;
}

static loam_status fill(loam_session *session, const loam_session_options *options,
                        loam_error *error)
{
    struct memory *memory = &session->model->engine->memory;
    uint32_t vocabulary = session->model->description.vocabulary;
    session->logits = loam_memory_get_large(memory, (uint64_t)vocabulary * sizeof(float));
    if (!session->logits)
        return loam_fail_memory(error, (uint64_t)vocabulary * sizeof(float));
    loam_status status = loam_sampler_create(&session->sampler, memory, vocabulary, error);
    if (!status)
        status = loam_stop_create(&session->rules.stops, memory, NULL, 0, error);
    if (!status)
        status = reserve_text(session, &(loam_generation_options){0}, error);
    if (!status && options->reserve)
        status = loam_pages_reserve(&session->pages, session->context_length, error);
    if (!status && options->reserve)
        status = loam_states_reserve(&session->states, error);
    session->pages.least = session->pages.count; /* what was reserved stays */
    return status;
}

static void destroy(loam_session *session)
{
    loam_model *model = session->model;
    struct memory *memory = &model->engine->memory;
    loam_pages_end(&session->pages);
    loam_states_end(&session->states);
    loam_sampler_destroy(session->sampler);
    free_rules(memory, &session->rules);
    loam_memory_free_large(memory, session->logits,
                           (uint64_t)model->description.vocabulary * sizeof(float));
    loam_memory_free(memory, session->content);
    loam_memory_free(memory, session->text);
    loam_memory_free(memory, session->given);
    loam_memory_free(memory, session);
    loam_model_release(model);
}

loam_status loam_session_create(loam_session **out, loam_model *model,
                                const loam_session_options *given, loam_error *error)
{
    loam_session_options options;
    if (!out || !model)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is NULL", out ? "model" : "out");
    *out = NULL;
    loam_status status =
        loam_struct_read(&options, sizeof options, given, "session options", error);
    if (status)
        return status;
    if (model->description.embedding_output)
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "the model gives embeddings, not logits: loam_model_embed");
    if (model->graph->position_limit && options.context_length > model->graph->position_limit)
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "session options: context_length is %u, but the model has learned %u "
                         "positions and no more",
                         options.context_length, model->graph->position_limit);
    struct memory *memory = &model->engine->memory;
    loam_session *session = loam_memory_get_zero(memory, 1, sizeof *session);
    if (!session)
        return loam_fail_memory(error, sizeof *session);
    session->model = loam_model_retain(model);
    session->context_length =
        options.context_length ? options.context_length : model->description.context_length;
    uint32_t limit = model->graph->position_limit; /* learned positions end somewhere */
    if (limit && options.context_length == 0)
        session->context_length = (uint32_t)loam_min(session->context_length, limit);
    atomic_init(&session->cancelled, 0);
    atomic_init(&session->in_use, 0);
    loam_pages_init(&session->pages, memory, model->graph, session->context_length);
    loam_states_init(&session->states, memory, model->graph);
    status = fill(session, &options, error);
    if (status) {
        destroy(session);
        return status;
    }
    *out = session;
    return LOAM_OK;
}

void loam_session_release(loam_session *session)
{
    if (session)
        destroy(session);
}

void loam_session_cancel(loam_session *session)
{
    if (session)
        atomic_store_explicit(&session->cancelled, 1, memory_order_relaxed);
}

loam_status loam_session_begin(loam_session *session, loam_error *error)
{
    if (!session)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "session is NULL");
    if (atomic_exchange_explicit(&session->in_use, 1, memory_order_acquire))
        return loam_fail(error, LOAM_BUSY, "the session is in another call on another thread");
    return LOAM_OK;
}

void loam_session_finish(loam_session *session)
{
    atomic_store_explicit(&session->in_use, 0, memory_order_release);
}

/* ---- configuring ---------------------------------------------------------- */

static loam_status make_rules(struct rules *out, loam_session *session,
                              const loam_generation_options *options, loam_error *error)
{
    struct memory *memory = &session->model->engine->memory;
    *out = (struct rules){.max_tokens = options->max_tokens,
                          .ignore_end = options->ignore_end != 0,
                          .show_special = options->show_special != 0};
    if ((options->stop_token_count && !options->stop_tokens) ||
        (options->stop_string_count && !options->stop_strings))
        return loam_fail(
            error, LOAM_INVALID_ARGUMENT,
            "generation options: stop_tokens or stop_strings is NULL, its count is not 0");
    for (size_t i = 0; i < options->stop_token_count; i++)
        if (options->stop_tokens[i] < 0 ||
            (uint32_t)options->stop_tokens[i] >= session->model->description.vocabulary)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "generation options: stop_tokens[%zu] is %d, expected 0 to %u", i,
                             (int)options->stop_tokens[i],
                             session->model->description.vocabulary - 1);
    if (options->stop_token_count) {
        out->stop_tokens = loam_memory_get(memory, options->stop_token_count, sizeof(int32_t));
        if (!out->stop_tokens)
            return loam_fail_memory(error, options->stop_token_count * sizeof(int32_t));
        memcpy(out->stop_tokens, options->stop_tokens, options->stop_token_count * sizeof(int32_t));
        out->stop_token_count = options->stop_token_count;
    }
    return loam_stop_create(&out->stops, memory, options->stop_strings, options->stop_string_count,
                            error);
}

static loam_status configure(loam_session *session, const loam_generation_options *given,
                             loam_error *error)
{
    struct memory *memory = &session->model->engine->memory;
    loam_generation_options options;
    struct rules rules;
    loam_status status =
        loam_struct_read(&options, sizeof options, given, "generation options", error);
    if (status)
        return status;
    status = make_rules(&rules, session, &options, error);
    if (!status)
        status = reserve_text(session, &options, error);
    if (!status) /* last, as it changes the session */
        status = loam_sampler_configure(session->sampler, &options, error);
    if (status) {
        free_rules(memory, &rules);
        return status;
    }
    free_rules(memory, &session->rules);
    session->rules = rules;
    return LOAM_OK;
}

loam_status loam_session_configure(loam_session *session, const loam_generation_options *options,
                                   loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    status = configure(session, options, error);
    loam_session_finish(session);
    return status;
}

/* ---- content -------------------------------------------------------------- */

static loam_status check_tokens(const loam_session *session, const int32_t *tokens, size_t count,
                                size_t before, loam_error *error)
{
    uint32_t vocabulary = session->model->description.vocabulary;
    if (count && !tokens)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "tokens is NULL");
    if (count > session->context_length - before)
        return loam_fail(
            error, LOAM_CONTEXT_FULL,
            "%zu tokens do not fit: the session's context holds %u, of which %zu are taken", count,
            session->context_length, before);
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= vocabulary)
            return loam_fail(error, LOAM_INVALID_ARGUMENT, "tokens[%zu] is %d, expected 0 to %u", i,
                             (int)tokens[i], vocabulary - 1);
    return LOAM_OK;
}

loam_status loam_session_append(loam_session *session, const int32_t *tokens, size_t count,
                                loam_error *error)
{
    loam_status status = check_tokens(session, tokens, count, session->count, error);
    if (status)
        return status;
    if (!loam_memory_grow(&session->model->engine->memory, (void **)&session->content,
                          &session->capacity, (uint64_t)session->count + count, sizeof *tokens))
        return loam_fail_memory(error, (session->count + count) * sizeof *tokens);
    if (count)
        memcpy(session->content + session->count, tokens, count * sizeof *tokens);
    session->count += count;
    return LOAM_OK;
}

void loam_session_go_back(loam_session *session, size_t count)
{
    session->computed =
        (size_t)loam_states_rewind(&session->states, loam_min(session->computed, count));
}

/* Whether nothing in the content shows as text. */
static bool shows_no_text(const loam_session *session)
{
    const loam_tokenizer *tokenizer = session->model->tokenizer;
    for (size_t i = 0; tokenizer && i < session->count; i++) {
        uint32_t id = (uint32_t)session->content[i];
        if (id < loam_tokenizer_count(tokenizer->tokenizer) &&
            !(loam_tokenizer_flags(tokenizer->tokenizer, (int32_t)id) & LOAM_TOKEN_CONTROL))
            return false;
    }
    return true;
}

loam_status loam_session_set_content(loam_session *session, const int32_t *tokens, size_t count,
                                     loam_error *error)
{
    if (count == 0)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "the prompt is empty: a model needs at least one token to continue");
    loam_status status = check_tokens(session, tokens, count, 0, error);
    if (status)
        return status;
    if (!loam_memory_grow(&session->model->engine->memory, (void **)&session->content,
                          &session->capacity, count, sizeof *tokens))
        return loam_fail_memory(error, count * sizeof *tokens);
    size_t common = 0;
    while (common < session->computed && common < count &&
           tokens[common] == session->content[common])
        common++;
    if (common == count) /* the last token is computed again, for its logits */
        common--;
    memmove(session->content, tokens, count * sizeof *tokens);
    session->count = session->prompt_count = count;
    loam_session_go_back(session, common);
    loam_pages_trim(&session->pages, count);
    session->has_logits = false;
    session->state = SESSION_READY;
    loam_session_reset_text(session);
    const loam_tokenizer *tokenizer = session->model->tokenizer;
    session->filling = false;
    session->strip_space =
        tokenizer && loam_tokenizer_strips_space(tokenizer->tokenizer) && shows_no_text(session);
    session->timings = (loam_timings){.prompt_tokens = (uint32_t)count,
                                      .kept_tokens = (uint32_t)session->computed};
    atomic_store_explicit(&session->cancelled, 0, memory_order_relaxed);
    return LOAM_OK;
}

loam_status loam_session_prompt_tokens(loam_session *session, const int32_t *tokens, size_t count,
                                       loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    status = loam_session_set_content(session, tokens, count, error);
    loam_session_finish(session);
    return status;
}

static loam_status prompt_text(loam_session *session, const char *text, size_t length,
                               loam_error *error)
{
    if (!session->model->tokenizer)
        return loam_fail(error, LOAM_STATE, "the model has no vocabulary: give it tokens");
    if (length && !text)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "text is NULL");
    struct memory *memory = &session->model->engine->memory;
    struct token_list list = {0};
    loam_status status = loam_tokenizer_append(&list, session->model->tokenizer->tokenizer, memory,
                                               text, length, LOAM_ENCODE_ADD_SPECIAL, error);
    if (!status)
        status = loam_session_set_content(session, list.ids, list.count, error);
    loam_token_list_end(&list, memory);
    return status;
}

loam_status loam_session_prompt(loam_session *session, const char *text, size_t text_length,
                                loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    status = prompt_text(session, text, loam_length(text, text_length), error);
    loam_session_finish(session);
    return status;
}

loam_status loam_session_rewind(loam_session *session, size_t count, loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    if (count > session->count) {
        status = loam_fail(error, LOAM_INVALID_ARGUMENT,
                           "count is %zu, the session holds %zu tokens", count, session->count);
    } else {
        session->has_logits = session->has_logits && count == session->computed;
        session->count = count;
        loam_session_go_back(session, count);
        session->state = SESSION_IDLE;
        loam_pages_trim(&session->pages, count);
        loam_session_reset_text(session);
    }
    loam_session_finish(session);
    return status;
}

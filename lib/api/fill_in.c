/* SPDX-License-Identifier: MIT */
/* Filling in the middle: the caller's structs checked and passed on. */
#include "api/api.h"
#include "text/fill.h"

static loam_status check_text(loam_string *text, const char *name, loam_error *error)
{
    text->length = loam_length(text->data, text->length);
    if (text->length == 0)
        text->data = NULL;
    return text->length ? loam_api_given(text->data, name, error) : LOAM_OK;
}

/* Copies the caller's struct, lengths resolved but for those of files. */
static loam_status read_request(loam_fill_in *out, const loam_fill_in *given, loam_error *error)
{
    loam_status status = loam_struct_read(out, sizeof *out, given, "loam_fill_in", error);
    if (!status)
        status = loam_api_given(given, "fill_in", error);
    if (!status)
        status = check_text(&out->prefix, "fill_in.prefix", error);
    if (!status)
        status = check_text(&out->suffix, "fill_in.suffix", error);
    if (!status)
        status = check_text(&out->path, "fill_in.path", error);
    if (!status)
        status = check_text(&out->repository, "fill_in.repository", error);
    if (!status && out->file_count)
        status = loam_api_given(out->files, "fill_in.files", error);
    if (!status && (out->until < LOAM_FILL_TO_END || out->until > LOAM_FILL_TO_BLOCK))
        status = loam_fail(error, LOAM_INVALID_ARGUMENT, "fill_in.until is %d, expected 0 to %d",
                           (int)out->until, LOAM_FILL_TO_BLOCK);
    return status;
}

/* The files with their lengths resolved, to be freed by the caller. */
static loam_status read_files(loam_fill_in_file **out, const loam_fill_in *request,
                              struct memory *memory, loam_error *error)
{
    loam_status status = LOAM_OK;
    *out = loam_memory_get(memory, request->file_count, sizeof **out);
    if (!*out)
        return loam_fail_memory(error, request->file_count * sizeof **out);
    for (size_t i = 0; !status && i < request->file_count; i++) {
        (*out)[i] = request->files[i];
        status = check_text(&(*out)[i].path, "fill_in.files[].path", error);
        if (!status)
            status = check_text(&(*out)[i].text, "fill_in.files[].text", error);
    }
    return status;
}

/* Appends the prompt; max_tokens 0 becomes `limit`. list->ids is the caller's
 * to free, also on failure. */
static loam_status append_fill_in(struct token_list *list, loam_fill_in_info *info,
                                  loam_tokenizer *tokenizer, const loam_fill_in *given,
                                  uint32_t limit, loam_error *error)
{
    struct memory *memory = &tokenizer->engine->memory;
    loam_fill_in request;
    loam_fill_in_info made = {0};
    loam_fill_in_file *files = NULL;
    loam_status status = info ? loam_struct_check(info, "info", error) : LOAM_OK;
    if (!status)
        status = read_request(&request, given, error);
    if (!status)
        status = read_files(&files, &request, memory, error);
    if (!status) {
        request.files = files;
        request.max_tokens = request.max_tokens ? request.max_tokens : limit;
        status = loam_fill_append(list, &made, tokenizer->tokenizer, memory, &request, error);
    }
    if (!status && info)
        loam_struct_write(info, &made, sizeof made);
    loam_memory_free(memory, files);
    return status;
}

loam_status loam_tokenizer_encode_fill_in(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                          loam_fill_in_info *info, loam_tokenizer *tokenizer,
                                          const loam_fill_in *fill_in, loam_error *error)
{
    struct token_list list = {0};
    loam_status status = loam_api_given(out_count, "out_count", error);
    if (status)
        return status;
    *out_count = 0;
    status = loam_api_given(tokenizer, "tokenizer", error);
    if (!status && capacity)
        status = loam_api_given(out_tokens, "out_tokens", error);
    if (status)
        return status;
    status = append_fill_in(&list, info, tokenizer, fill_in, 0, error);
    if (!status)
        status = loam_api_give_tokens(out_tokens, capacity, out_count, &list, error);
    loam_token_list_end(&list, &tokenizer->engine->memory);
    return status;
}

static loam_status prompt_fill_in(loam_session *session, loam_fill_in_info *info,
                                  const loam_fill_in *fill_in, loam_error *error)
{
    loam_tokenizer *tokenizer = session->model->tokenizer;
    struct token_list list = {0};
    if (!tokenizer)
        return loam_fail(error, LOAM_STATE, "the model has no vocabulary: give it tokens");
    uint32_t limit = session->context_length - session->context_length / 4;
    loam_status status = append_fill_in(&list, info, tokenizer, fill_in, limit, error);
    if (!status)
        status = loam_session_set_content(session, list.ids, list.count, error);
    loam_token_list_end(&list, &tokenizer->engine->memory);
    if (status)
        return status;
    struct fill_tokens tokens;
    session->filling = loam_fill_find(&tokens, tokenizer->tokenizer);
    memcpy(session->fill_ids, tokens.ids, sizeof tokens.ids);
    return LOAM_OK;
}

loam_status loam_session_fill_in(loam_session *session, loam_fill_in_info *info,
                                 const loam_fill_in *fill_in, loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    status = prompt_fill_in(session, info, fill_in, error);
    loam_session_finish(session);
    return status;
}

loam_status loam_fill_in_end(size_t *out_length, int32_t *out_ended, const loam_fill_in *fill_in,
                             const char *text, size_t text_length, loam_error *error)
{
    loam_fill_in request;
    loam_status status = loam_api_given(out_length, "out_length", error);
    if (!status)
        status = loam_api_given(out_ended, "out_ended", error);
    if (status)
        return status;
    *out_length = 0;
    *out_ended = 0;
    status = read_request(&request, fill_in, error);
    size_t length = loam_length(text, text_length);
    if (!status && length)
        status = loam_api_given(text, "text", error);
    if (status)
        return status;
    bool ended;
    *out_length = loam_fill_end(&ended, &request, text, length);
    *out_ended = ended;
    return LOAM_OK;
}

loam_status loam_tokenizer_get_fill_in(loam_fill_in_tokens *out, loam_tokenizer *tokenizer,
                                       loam_error *error)
{
    struct fill_tokens found;
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(tokenizer, "tokenizer", error);
    if (status)
        return status;
    if (!loam_fill_find(&found, tokenizer->tokenizer))
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "the vocabulary has no tokens for filling in: its model was not trained "
                         "for that");
    const loam_fill_in_tokens tokens = {.family = {found.family->name, strlen(found.family->name)},
                                        .prefix = found.ids[FILL_PREFIX],
                                        .suffix = found.ids[FILL_SUFFIX],
                                        .middle = found.ids[FILL_MIDDLE],
                                        .pad = found.ids[FILL_PAD],
                                        .repository = found.ids[FILL_REPOSITORY],
                                        .separator = found.ids[FILL_SEPARATOR],
                                        .end = found.ids[FILL_END],
                                        .suffix_first = found.family->suffix_first};
    loam_struct_write(out, &tokens, sizeof tokens);
    return LOAM_OK;
}

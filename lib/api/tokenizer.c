/* SPDX-License-Identifier: MIT */
#include "api/api.h"

loam_status loam_tokenizer_open(loam_tokenizer **out, loam_engine *engine, const loam_source *given,
                                loam_error *error)
{
    struct source source;
    struct gguf gguf;
    struct tokenizer *tokenizer = NULL;
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_api_given(engine, "engine", error);
    if (!status)
        status = loam_api_open_source(&source, given, error);
    if (status)
        return status;
    status = loam_gguf_read(&gguf, &source, &engine->memory, error);
    if (!status) {
        status = loam_tokenizer_create(&tokenizer, &gguf, &engine->memory, error);
        loam_gguf_end(&gguf);
        if (!status && !tokenizer)
            status =
                loam_fail(error, LOAM_FORMAT, "the file has no vocabulary (tokenizer.ggml.model)");
        if (status == LOAM_FORMAT || status == LOAM_UNSUPPORTED)
            loam_error_prefix(error, source.name, strlen(source.name));
    }
    loam_source_close(&source);
    return status ? status : loam_model_wrap_tokenizer(out, engine, tokenizer, error);
}

loam_status loam_model_tokenizer(loam_tokenizer **out, loam_model *model, loam_error *error)
{
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_api_given(model, "model", error);
    if (status)
        return status;
    if (!model->tokenizer)
        return loam_fail(error, LOAM_STATE, "the model has no vocabulary");
    *out = loam_tokenizer_retain(model->tokenizer);
    return LOAM_OK;
}

loam_status loam_api_give_tokens(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                 const struct token_list *list, loam_error *error)
{
    size_t copied = loam_min(list->count, capacity);
    if (copied)
        memcpy(out_tokens, list->ids, copied * sizeof *list->ids);
    *out_count = list->count;
    if (list->count > capacity)
        return loam_fail(error, LOAM_TOO_SMALL, "the text is %zu tokens, out_tokens holds %zu",
                         list->count, capacity);
    return LOAM_OK;
}

loam_status loam_tokenizer_encode(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                  loam_tokenizer *tokenizer, const char *text, size_t text_length,
                                  uint32_t flags, loam_error *error)
{
    loam_status status = loam_api_given(out_count, "out_count", error);
    if (status)
        return status;
    *out_count = 0;
    status = loam_api_given(tokenizer, "tokenizer", error);
    size_t length = loam_length(text, text_length);
    if (!status && length)
        status = loam_api_given(text, "text", error);
    if (!status && capacity)
        status = loam_api_given(out_tokens, "out_tokens", error);
    if (status)
        return status;
    struct memory *memory = &tokenizer->engine->memory;
    struct token_list list = {0};
    status = loam_tokenizer_append(&list, tokenizer->tokenizer, memory, text, length, flags, error);
    if (!status)
        status = loam_api_give_tokens(out_tokens, capacity, out_count, &list, error);
    loam_memory_free(memory, list.ids);
    return status;
}

/* Decodes into out[capacity]; returns the full length. */
static size_t decode(char *out, size_t capacity, const struct tokenizer *tokenizer,
                     const int32_t *tokens, size_t count, bool show_special)
{
    size_t length = 0;
    bool strip = loam_tokenizer_strips_space(tokenizer);
    for (size_t i = 0; i < count; i++) {
        loam_string piece = loam_tokenizer_piece_of(tokenizer, tokens[i], show_special);
        if (strip && piece.length) { /* only at the very beginning of the text */
            size_t drop = piece.data[0] == ' ';
            piece.data += drop;
            piece.length -= drop;
            strip = false;
        }
        if (piece.length && length < capacity)
            memcpy(out + length, piece.data, loam_min(piece.length, capacity - length));
        length += piece.length;
    }
    return length;
}

loam_status loam_tokenizer_decode(char *out_text, size_t capacity, size_t *out_length,
                                  loam_tokenizer *tokenizer, const int32_t *tokens, size_t count,
                                  uint32_t flags, loam_error *error)
{
    loam_status status = loam_api_given(out_length, "out_length", error);
    if (status)
        return status;
    *out_length = 0;
    status = loam_api_given(tokenizer, "tokenizer", error);
    if (!status && count)
        status = loam_api_given(tokens, "tokens", error);
    if (!status && capacity)
        status = loam_api_given(out_text, "out_text", error);
    if (status)
        return status;
    uint32_t limit = loam_tokenizer_count(tokenizer->tokenizer);
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= limit)
            return loam_fail(error, LOAM_INVALID_ARGUMENT, "tokens[%zu] is %d, expected 0 to %u", i,
                             (int)tokens[i], limit - 1);
    *out_length = decode(out_text, capacity, tokenizer->tokenizer, tokens, count,
                         (flags & LOAM_DECODE_SHOW_SPECIAL) != 0);
    if (*out_length > capacity)
        return loam_fail(error, LOAM_TOO_SMALL, "the text is %zu bytes, out_text holds %zu",
                         *out_length, capacity);
    return LOAM_OK;
}

loam_status loam_tokenizer_token(loam_token_info *out, loam_tokenizer *tokenizer, int32_t token,
                                 loam_error *error)
{
    loam_token_info info = {0};
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(tokenizer, "tokenizer", error);
    if (status)
        return status;
    uint32_t limit = loam_tokenizer_count(tokenizer->tokenizer);
    if (token < 0 || (uint32_t)token >= limit)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "token is %d, expected 0 to %u", (int)token,
                         limit - 1);
    loam_tokenizer_describe_token(&info, tokenizer->tokenizer, token);
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}

loam_status loam_tokenizer_get_info(loam_tokenizer_info *out, loam_tokenizer *tokenizer,
                                    loam_error *error)
{
    loam_tokenizer_info info = {0};
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(tokenizer, "tokenizer", error);
    if (status)
        return status;
    loam_tokenizer_describe(&info, tokenizer->tokenizer);
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}

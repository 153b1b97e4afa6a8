/* SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "base/json.h"
#include "text/document.h"

/* Whether the file begins as JSON does, white space aside. */
static loam_status sniff_json(bool *out, struct source *source, loam_error *error)
{
    char bytes[64];
    size_t size = (size_t)(source->size < sizeof bytes ? source->size : sizeof bytes), at = 0;
    loam_status status = loam_source_read(source, 0, bytes, size, error);
    while (!status && at < size && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r')))
        at++;
    *out = !status && at < size && bytes[at] == '{';
    return status;
}

/* The whole file goes to memory for the time of reading it. */
static loam_status read_json(struct tokenizer **out, struct source *source, struct memory *memory,
                             loam_error *error)
{
    if (source->size > JSON_MOST_BYTES)
        return loam_fail(error, LOAM_UNSUPPORTED, "has %llu bytes; supported of JSON: at most %d",
                         (unsigned long long)source->size, JSON_MOST_BYTES);
    char *text = loam_memory_get(memory, source->size, 1);
    if (!text)
        return loam_fail_memory(error, source->size);
    loam_status status = loam_source_read(source, 0, text, (size_t)source->size, error);
    if (!status)
        status = loam_tokenizer_json_create(out, text, (size_t)source->size, memory, error);
    loam_memory_free(memory, text);
    return status;
}

/* The file's name in front of messages about what it holds. */
static void prefix(loam_error *error, loam_status status, const struct source *source)
{
    if (status == LOAM_FORMAT || status == LOAM_UNSUPPORTED)
        loam_error_prefix(error, source->name, strlen(source->name));
}

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
    bool json;
    status = sniff_json(&json, &source, error);
    if (!status && json) {
        status = read_json(&tokenizer, &source, &engine->memory, error);
        prefix(error, status, &source);
    } else if (!status) {
        status = loam_gguf_read(&gguf, &source, &engine->memory, error);
        if (!status) {
            status = loam_tokenizer_create(&tokenizer, &gguf, &engine->memory, error);
            loam_gguf_end(&gguf);
            if (!status && !tokenizer)
                status = loam_fail(error, LOAM_FORMAT,
                                   "the file has no vocabulary (tokenizer.ggml.model)");
            prefix(error, status, &source);
        }
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
    if (copied && out_tokens != list->ids)
        memcpy(out_tokens, list->ids, copied * sizeof *list->ids);
    *out_count = list->count;
    if (list->count > capacity)
        return loam_fail(error, LOAM_TOO_SMALL, "the text is %zu tokens, out_tokens holds %zu",
                         list->count, capacity);
    return LOAM_OK;
}

/* All tokens of the text; the caller frees the list's ids. */
static loam_status encode(struct token_list *list, loam_tokenizer *tokenizer, const char *text,
                          size_t text_length, uint32_t flags, loam_error *error)
{
    size_t length = loam_length(text, text_length);
    loam_status status = loam_api_given(tokenizer, "tokenizer", error);
    if (!status && length)
        status = loam_api_given(text, "text", error);
    return status ? status
                  : loam_tokenizer_append(list, tokenizer->tokenizer, &tokenizer->engine->memory,
                                          text, length, flags, error);
}

loam_status loam_tokenizer_encode(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                  loam_tokenizer *tokenizer, const char *text, size_t text_length,
                                  uint32_t flags, loam_error *error)
{
    struct token_list list = {.ids = out_tokens, .capacity = capacity, .given = out_tokens};
    loam_status status = loam_api_given(out_count, "out_count", error);
    if (status)
        return status;
    *out_count = 0;
    if (capacity)
        status = loam_api_given(out_tokens, "out_tokens", error);
    if (!status)
        status = encode(&list, tokenizer, text, text_length, flags, error);
    if (!status)
        status = loam_api_give_tokens(out_tokens, capacity, out_count, &list, error);
    if (tokenizer)
        loam_token_list_end(&list, &tokenizer->engine->memory);
    return status;
}

loam_status loam_tokenizer_count_tokens(size_t *out, loam_tokenizer *tokenizer, const char *text,
                                        size_t text_length, uint32_t flags, loam_error *error)
{
    struct token_list list = {0};
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = 0;
    status = encode(&list, tokenizer, text, text_length, flags, error);
    if (!status)
        *out = list.count;
    if (tokenizer)
        loam_token_list_end(&list, &tokenizer->engine->memory);
    return status;
}

loam_status loam_tokenizer_split(loam_tokenizer *tokenizer, const char *text, size_t text_length,
                                 const loam_split_options *options, loam_error *error)
{
    loam_split_options all;
    size_t length = loam_length(text, text_length);
    loam_status status = loam_api_given(tokenizer, "tokenizer", error);
    if (!status && length)
        status = loam_api_given(text, "text", error);
    if (!status)
        status = loam_api_given(options, "options", error);
    if (!status)
        status = loam_struct_read(&all, sizeof all, options, "options", error);
    if (!status && !all.chunk)
        status = loam_fail(error, LOAM_INVALID_ARGUMENT, "options.chunk is NULL");
    return status ? status
                  : loam_document_split(tokenizer->tokenizer, &tokenizer->engine->memory, text,
                                        length, &all, error);
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

/* SPDX-License-Identifier: MIT */
/* Conversations to tokens: the template writes, the vocabulary encodes. */
#include "api/api.h"
#include "template/render.h"

struct conversation {
    loam_chat chat;
    loam_render_options render;
    loam_template *chat_template; /* a reference */
};

static loam_status give_template(struct conversation *out, loam_tokenizer *tokenizer,
                                 loam_error *error)
{
    out->chat_template = loam_template_retain(out->chat.chat_template);
    if (out->chat_template)
        return LOAM_OK;
    loam_string special = loam_tokenizer_tool_template(tokenizer->tokenizer);
    bool tools = out->chat.tools.data && loam_length(out->chat.tools.data, out->chat.tools.length);
    loam_status status = tools && special.length
                             ? loam_template_create(&out->chat_template, tokenizer->engine,
                                                    special.data, special.length, error)
                             : loam_tokenizer_template(&out->chat_template, tokenizer, error);
    if (status == LOAM_FORMAT || status == LOAM_UNSUPPORTED)
        loam_error_prefix(error, "tokenizer.chat_template", strlen("tokenizer.chat_template"));
    return status;
}

static loam_status read_conversation(struct conversation *out, loam_tokenizer *tokenizer,
                                     const loam_chat *given, loam_error *error)
{
    *out = (struct conversation){0};
    loam_status status = loam_struct_read(&out->chat, sizeof out->chat, given, "loam_chat", error);
    if (!status)
        status = loam_struct_read(&out->render, sizeof out->render, out->chat.render,
                                  "loam_render_options", error);
    if (!status)
        status = loam_api_given(given, "chat", error);
    if (!status)
        status = loam_api_given(out->chat.messages.data, "chat.messages", error);
    if (status)
        return status;
    if (!out->render.tokenizer)
        out->render.tokenizer = tokenizer;
    return give_template(out, tokenizer, error);
}

static loam_string or_else(loam_string given, const char *otherwise)
{
    size_t length = given.data ? loam_length(given.data, given.length) : 0;
    return length ? (loam_string){given.data, length} : (loam_string){otherwise, strlen(otherwise)};
}

/* As transformers' apply_chat_template: tools and documents that are not given
 * are none, not undefined, since templates compare them with none. */
static loam_status render(loam_rendering **out, const struct conversation *conversation,
                          loam_error *error)
{
    const loam_chat *chat = &conversation->chat;
    loam_string variables = or_else(chat->variables, "{}");
    loam_string tools = or_else(chat->tools, "");
    const struct render_part parts[] = {
        {.name = "messages", .json = or_else(chat->messages, ""), .is_list = true},
        {.name = "tools",
         .json = or_else(tools, "null"),
         .is_list = tools.length > 0,
         .fallback = tools.length == 0},
        {.name = "documents", .json = or_else((loam_string){0}, "null"), .fallback = true},
        {.name = "add_generation_prompt",
         .json = or_else((loam_string){0}, chat->no_answer ? "false" : "true")}};
    return loam_api_render(out, conversation->chat_template, variables.data, variables.length,
                           parts, LOAM_COUNT_OF(parts), &conversation->render, error);
}

/* A vocabulary that begins every text with a token has it here as well; most
 * templates write it themselves. */
static loam_status encode(struct token_list *list, loam_tokenizer *tokenizer,
                          loam_rendering *rendering, loam_error *error)
{
    struct memory *memory = &tokenizer->engine->memory;
    loam_rendering_info text = {.struct_size = sizeof text};
    loam_tokenizer_info vocabulary = {.struct_size = sizeof vocabulary};
    loam_status status = loam_rendering_get_info(&text, rendering, error);
    if (!status)
        status = loam_tokenizer_append_spans(list, tokenizer->tokenizer, memory, text.text.data,
                                             text.text.length, text.spans, text.span_count,
                                             LOAM_ENCODE_PARSE_SPECIAL, error);
    loam_tokenizer_describe(&vocabulary, tokenizer->tokenizer);
    if (status || !vocabulary.adds_begin || (list->count && list->ids[0] == vocabulary.begin_token))
        return status;
    if (!loam_token_list_grow(list, memory, (uint64_t)list->count + 1))
        return loam_fail_memory(error, (list->count + 1) * sizeof *list->ids);
    memmove(list->ids + 1, list->ids, list->count++ * sizeof *list->ids);
    list->ids[0] = vocabulary.begin_token;
    return LOAM_OK;
}

/* The tokens of a conversation; list->ids is the caller's to free, also on
 * failure. */
static loam_status append_chat(struct token_list *list, loam_tokenizer *tokenizer,
                               const loam_chat *given, loam_error *error)
{
    struct conversation conversation;
    loam_rendering *rendering = NULL;
    loam_status status = read_conversation(&conversation, tokenizer, given, error);
    if (!status)
        status = render(&rendering, &conversation, error);
    loam_template_release(conversation.chat_template);
    if (!status)
        status = encode(list, tokenizer, rendering, error);
    loam_rendering_release(rendering);
    return status;
}

loam_status loam_tokenizer_encode_chat(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                       loam_tokenizer *tokenizer, const loam_chat *chat,
                                       loam_error *error)
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
    status = append_chat(&list, tokenizer, chat, error);
    if (!status)
        status = loam_api_give_tokens(out_tokens, capacity, out_count, &list, error);
    loam_token_list_end(&list, &tokenizer->engine->memory);
    return status;
}

loam_status loam_tokenizer_count_chat(size_t *out_count, loam_tokenizer *tokenizer,
                                      const loam_chat *chat, loam_error *error)
{
    struct token_list list = {0};
    loam_status status = loam_api_given(out_count, "out_count", error);
    if (status)
        return status;
    *out_count = 0;
    status = loam_api_given(tokenizer, "tokenizer", error);
    if (status)
        return status;
    status = append_chat(&list, tokenizer, chat, error);
    if (!status)
        *out_count = list.count;
    loam_token_list_end(&list, &tokenizer->engine->memory);
    return status;
}

static loam_status prompt_chat(loam_session *session, const loam_chat *chat, loam_error *error)
{
    loam_tokenizer *tokenizer = session->model->tokenizer;
    struct token_list list = {0};
    if (!tokenizer)
        return loam_fail(error, LOAM_STATE, "the model has no vocabulary: give it tokens");
    loam_status status = append_chat(&list, tokenizer, chat, error);
    if (!status)
        status = loam_session_set_content(session, list.ids, list.count, error);
    loam_token_list_end(&list, &tokenizer->engine->memory);
    return status;
}

loam_status loam_session_chat(loam_session *session, const loam_chat *chat, loam_error *error)
{
    loam_status status = loam_session_begin(session, error);
    if (status)
        return status;
    status = prompt_chat(session, chat, error);
    loam_session_finish(session);
    return status;
}

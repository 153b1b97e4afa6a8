/* SPDX-License-Identifier: MIT */
/* loam chat: a conversation. On a terminal with prompts and a meter; from a
 * pipe each message of the input is answered in turn, and nothing else is
 * printed. */
#include "chat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int read_options(struct chat *chat, int count, char **arguments)
{
    const struct option options[] = {
        COMMON_OPTIONS(chat->common),
        {"--system", NULL, OPTION_TEXT, &chat->system, "TEXT", "what the system says first", 0, 0},
        {"--ctx", "-c", OPTION_INTEGER, &chat->context, "N",
         "tokens of context (default: the model's)", 1, 1 << 30},
        {"--drop-oldest", NULL, OPTION_FLAG, &chat->drop_oldest, NULL,
         "when the context is full, forget the oldest messages", 0, 0},
        {"--tokens", "-n", OPTION_INTEGER, &chat->tokens, "N",
         "tokens of an answer at most (default 0: no limit)", 0, 1 << 30},
        {"--temp", NULL, OPTION_NUMBER, &chat->temperature, "T",
         "temperature (default 0: the likeliest token always)", 0, 100},
        {"--top-k", NULL, OPTION_INTEGER, &chat->top_k, "K", "only the K likeliest", 0, 1 << 30},
        {"--top-p", NULL, OPTION_NUMBER, &chat->top_p, "P",
         "only the likeliest with this share together", 0, 1},
        {"--min-p", NULL, OPTION_NUMBER, &chat->min_p, "P",
         "only those with this share of the likeliest", 0, 1},
        {"--seed", "-s", OPTION_INTEGER, &chat->seed, "N", "of the random choice (default 0)", 0,
         1e15},
        {"--repeat-penalty", NULL, OPTION_NUMBER, &chat->repetition, "R",
         "repetition penalty (1: none)", 0, 100},
        {"--template", NULL, OPTION_TEXT, &chat->template_file, "FILE",
         "a chat template instead of the model's own", 0, 0},
        {"--tools", NULL, OPTION_TEXT, &chat->tools_file, "FILE", "JSON array of tools", 0, 0},
        {"--variables", NULL, OPTION_TEXT, &chat->variables, "JSON",
         "more variables of the template, as {\"enable_thinking\": false}", 0, 0},
        {"--special", NULL, OPTION_FLAG, &chat->special, NULL, "show control tokens", 0, 0},
    };
    size_t rest;
    return options_read(count, arguments, "chat [-m FILE] [OPTIONS]", options, COUNT_OF(options),
                        NULL, 0, &rest);
}

/* ---- opening ----------------------------------------------------------------------- */

static int open_template(struct chat *chat)
{
    char *text = NULL;
    size_t size;
    if (!chat->template_file) {
        loam_status status =
            loam_tokenizer_template(&chat->chat_template, chat->tokenizer, &chat->error);
        if (status == LOAM_STATE)
            return fail("the model has no chat template: it is a base model, which continues text "
                        "(loam run); --template FILE gives it one");
        return status ? fail_with(&chat->error) : EXIT_OK;
    }
    int code = read_file(&text, &size, chat->template_file);
    if (!code && loam_template_create(&chat->chat_template, chat->engine, text, size, &chat->error))
        code = fail_with(&chat->error);
    free(text);
    return code;
}

/* The time of the beginning stays, so that what was computed can be kept. */
static void note_time(struct chat *chat)
{
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts))
        strftime(chat->now, sizeof chat->now, "%Y-%m-%dT%H:%M:%S", &parts);
}

static int open_all(struct chat *chat)
{
    loam_session_options options = {.struct_size = sizeof options};
    loam_model_info info = {.struct_size = sizeof info};
    size_t size;
    options.context_length = (uint32_t)chat->context;
    int code = chat->tools_file ? read_file(&chat->tools, &size, chat->tools_file) : EXIT_OK;
    if (!code)
        code = open_engine(&chat->engine, &chat->common);
    if (!code)
        code = open_model(&chat->model, chat->engine, &chat->common, LOAM_KV_DEFAULT);
    if (!code && loam_model_tokenizer(&chat->tokenizer, chat->model, &chat->error))
        code = fail_with(&chat->error);
    if (!code)
        code = open_template(chat);
    if (code)
        return code;
    if (loam_session_create(&chat->session, chat->model, &options, &chat->error))
        return fail_with(&chat->error);
    loam_model_get_info(&info, chat->model, NULL);
    chat->context_length = options.context_length ? options.context_length : info.context_length;
    note_time(chat);
    code = chat_configure(chat);
    return code || !chat->system ? code : chat_set_system(chat, chat->system);
}

int chat_configure(struct chat *chat)
{
    loam_generation_options options = {.struct_size = sizeof options};
    options.temperature = (float)chat->temperature;
    options.top_k = (int32_t)chat->top_k;
    options.top_p = (float)chat->top_p;
    options.min_p = (float)chat->min_p;
    options.seed = (uint64_t)chat->seed;
    options.repetition_penalty = (float)chat->repetition;
    options.max_tokens = (uint32_t)chat->tokens;
    options.show_special = chat->special;
    return loam_session_configure(chat->session, &options, &chat->error) ? fail_with(&chat->error)
                                                                         : EXIT_OK;
}

int chat_set_system(struct chat *chat, const char *text)
{
    if (history_is(&chat->history, 0, "system"))
        history_drop(&chat->history, 0, 1);
    return text ? history_add(&chat->history, "system", text, strlen(text), 1) : EXIT_OK;
}

/* ---- answering ----------------------------------------------------------------------- */

/* The conversation for the library. chat->messages is malloc'ed: *json. */
static int describe(loam_chat *out, loam_render_options *render, char **json, struct chat *chat)
{
    *json = history_json(&chat->history);
    if (!*json)
        return fail("out of memory for the messages");
    render->struct_size = sizeof *render;
    render->now.data = chat->now;
    render->now.length = strlen(chat->now);
    out->struct_size = sizeof *out;
    out->messages.data = *json;
    out->messages.length = LOAM_NUL_TERMINATED;
    out->tools.data = chat->tools;
    out->tools.length = chat->tools ? LOAM_NUL_TERMINATED : 0;
    out->variables.data = chat->variables;
    out->variables.length = chat->variables ? LOAM_NUL_TERMINATED : 0;
    /* A template that the file has for tools is the library's to choose. */
    out->chat_template = chat->tools && !chat->template_file ? NULL : chat->chat_template;
    out->render = render;
    return EXIT_OK;
}

int chat_count(size_t *out, struct chat *chat)
{
    loam_chat conversation = {0};
    loam_render_options render = {0};
    char *json = NULL;
    int code = describe(&conversation, &render, &json, chat);
    if (!code && loam_tokenizer_count_chat(out, chat->tokenizer, &conversation, &chat->error)) {
        code = fail_with(&chat->error);
        code = code == EXIT_USAGE ? EXIT_FAILED : code;
    }
    free(json);
    return code;
}

/* Forgets the oldest exchanges until an eighth of the context is free. */
static int make_room(struct chat *chat)
{
    size_t count, dropped = 0, system = (size_t)history_is(&chat->history, 0, "system");
    int code;
    while (!(code = chat_count(&count, chat)) &&
           count > chat->context_length - chat->context_length / 8) {
        size_t end = system + 1; /* up to the next message of the user */
        while (end < chat->history.count && !history_is(&chat->history, end, "user"))
            end++;
        if (end >= chat->history.count)
            break; /* the last message stays */
        dropped += end - system;
        history_drop(&chat->history, system, end - system);
    }
    if (dropped)
        fprintf(stderr, "(the oldest %zu messages are forgotten: the context is full)\n", dropped);
    return code;
}

static int set_prompt(struct chat *chat)
{
    loam_chat conversation = {0};
    loam_render_options render = {0};
    char *json = NULL;
    int code = chat->drop_oldest ? make_room(chat) : EXIT_OK;
    if (!code)
        code = describe(&conversation, &render, &json, chat);
    if (!code) {
        loam_status status = loam_session_chat(chat->session, &conversation, &chat->error);
        if (status == LOAM_CONTEXT_FULL)
            code = fail("the context is full: %s. /undo or /clear makes room, --ctx N gives more, "
                        "--drop-oldest forgets the oldest messages",
                        chat->error.message);
        else if (status)
            code = fail_with(&chat->error) == EXIT_INTERRUPTED ? EXIT_INTERRUPTED : EXIT_FAILED;
    }
    free(json);
    return code;
}

struct answer {
    char *text;
    size_t length;
    int32_t stop;
};

static int stream(struct answer *answer, struct chat *chat)
{
    loam_event event = {.struct_size = sizeof event};
    while (event.type != LOAM_EVENT_STOP) {
        if (loam_session_next(chat->session, &event, &chat->error))
            return fail_with(&chat->error);
        char *grown = realloc(answer->text, answer->length + event.text_length + 1);
        if (!grown)
            return fail("out of memory for the answer");
        answer->text = grown;
        if (event.text_length)
            memcpy(grown + answer->length, event.text, event.text_length);
        answer->length += event.text_length;
        fwrite(event.text, 1, event.text_length, stdout);
        if (fflush(stdout) != 0)
            return finish_output();
    }
    answer->stop = event.stop_reason;
    if (answer->length == 0 || answer->text[answer->length - 1] != '\n')
        putchar('\n');
    return finish_output();
}

static void show_meter(const struct chat *chat, const struct answer *answer)
{
    const int32_t *tokens;
    size_t count = 0;
    loam_session_tokens(&tokens, &count, chat->session, NULL);
    if (answer->stop == LOAM_STOP_CONTEXT_FULL)
        fail("the context of %u tokens is full, the answer is cut short: /undo or /clear makes "
             "room, --ctx N gives more, --drop-oldest forgets the oldest messages",
             chat->context_length);
    else if (answer->stop == LOAM_STOP_LENGTH && chat->interactive)
        fprintf(stderr, "(cut short after %lld tokens: /set tokens 0)\n", chat->tokens);
    if (chat->interactive)
        fprintf(stderr, "[%zu of %u tokens, %.0f %%]\n", count, chat->context_length,
                100.0 * (double)count / chat->context_length);
}

int chat_answer(struct chat *chat)
{
    struct answer answer = {0};
    int code = set_prompt(chat);
    if (!code) {
        interrupt_watch(chat->session);
        code = stream(&answer, chat);
        interrupt_watch(NULL);
    }
    int signal_number = interrupt_take();
    if (signal_number && !code && (signal_number != SIGINT || !chat->interactive))
        code = EXIT_INTERRUPTED;
    if (answer.length && !code)
        code = history_add(&chat->history, "assistant", answer.text, answer.length, 0);
    else if (history_is(&chat->history, chat->history.count - 1, "user"))
        history_drop(&chat->history, chat->history.count - 1, 1); /* to no avail */
    if (!code && answer.stop == LOAM_STOP_CANCELLED)
        fprintf(stderr, answer.length ? "(stopped)\n" : "(stopped; your message is taken back)\n");
    if (!code)
        show_meter(chat, &answer);
    free(answer.text);
    return code;
}

/* ---- the conversation ---------------------------------------------------------------- */

static int take_message(struct chat *chat, char *text)
{
    if (text[strspn(text, " \t\n")] == 0)
        return EXIT_OK;
    if (text[0] == '/' && text[1] != '/')
        return chat_command(chat, text);
    text += text[0] == '/';
    int code = history_add(&chat->history, "user", text, strlen(text), 0);
    return code ? code : chat_answer(chat);
}

static int talk(struct chat *chat)
{
    int code = EXIT_OK, found = 0;
    char *text = NULL;
    if (chat->interactive)
        fputs("/help lists the commands; Ctrl-D ends.\n", stderr);
    while (!chat->ended && (found = input_read(&text, chat->interactive)) > 0) {
        code = take_message(chat, text);
        free(text);
        text = NULL;
        /* A person may go on after an error, a script is not to. */
        if (code == EXIT_INTERRUPTED || (code && !chat->interactive))
            return code;
        code = EXIT_OK;
    }
    if (chat->interactive && !chat->ended)
        fputc('\n', stderr);
    free(text);
    return found < 0 ? EXIT_FAILED : code;
}

int command_chat(int count, char **arguments)
{
    struct chat chat = {.error = {.struct_size = sizeof chat.error}};
    int code = read_options(&chat, count, arguments);
    if (code >= 0)
        return code;
    chat.interactive = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    interrupt_begin();
    code = open_all(&chat);
    if (!code)
        code = talk(&chat);
    history_drop(&chat.history, 0, chat.history.count);
    free(chat.history.items);
    free(chat.tools);
    loam_session_release(chat.session);
    loam_template_release(chat.chat_template);
    loam_tokenizer_release(chat.tokenizer);
    loam_model_release(chat.model);
    loam_engine_release(chat.engine);
    return code;
}

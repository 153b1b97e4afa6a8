/* SPDX-License-Identifier: MIT */
/* The commands of loam chat. */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

static int show_help(struct chat *chat, char *argument);

static int clear(struct chat *chat, char *argument)
{
    (void)argument;
    size_t kept = (size_t)history_is(&chat->history, 0, "system");
    history_drop(&chat->history, kept, chat->history.count - kept);
    return EXIT_OK;
}

static int set_system(struct chat *chat, char *argument)
{
    if (*argument)
        return chat_set_system(chat, argument);
    fprintf(stderr, "%s\n",
            history_is(&chat->history, 0, "system") ? chat->history.items[0].json : "(none)");
    return EXIT_OK;
}

/* The last message of the user and what follows it. */
static size_t last_exchange(const struct chat *chat)
{
    size_t at = chat->history.count;
    while (at > 0 && !history_is(&chat->history, at - 1, "user"))
        at--;
    return at > 0 ? at - 1 : chat->history.count;
}

static int undo(struct chat *chat, char *argument)
{
    size_t at = last_exchange(chat);
    (void)argument;
    if (at == chat->history.count)
        return fail("there is nothing to undo");
    history_drop(&chat->history, at, chat->history.count - at);
    return EXIT_OK;
}

static int retry(struct chat *chat, char *argument)
{
    size_t at = last_exchange(chat);
    (void)argument;
    if (at == chat->history.count)
        return fail("there is no answer to try again");
    history_drop(&chat->history, at + 1, chat->history.count - at - 1);
    if (!(chat->temperature > 0))
        fprintf(stderr, "(at temperature 0 an answer is always the same: /set temperature 0.7)\n");
    chat->seed++;
    int code = chat_configure(chat);
    return code ? code : chat_answer(chat);
}

static int write_json(FILE *out, void *context)
{
    fputs(context, out);
    fputc('\n', out);
    return EXIT_OK;
}

static int save(struct chat *chat, char *argument)
{
    char *json = history_json(&chat->history);
    if (!*argument || !json) {
        free(json);
        return fail(*argument ? "out of memory for the messages" : "/save: name a file");
    }
    int code = write_whole(argument, write_json, json);
    free(json);
    return code;
}

static int load(struct chat *chat, char *argument)
{
    struct history before = chat->history;
    char *text = NULL;
    size_t size, count;
    if (!*argument)
        return fail("/load: name a file");
    int code = read_file(&text, &size, argument);
    chat->history = (struct history){0};
    if (!code)
        code = history_read(&chat->history, text, size, argument);
    if (!code) /* the library reads it as well, and so does the template */
        code = chat_count(&count, chat);
    struct history *gone = code ? &chat->history : &before;
    history_drop(gone, 0, gone->count);
    free(gone->items);
    if (code)
        chat->history = before;
    else
        fprintf(stderr, "(%zu messages, %zu of %u tokens)\n", chat->history.count, count,
                chat->context_length);
    free(text);
    return code;
}

struct setting {
    const char *name;
    double *number;
    long long *integer;
    double most;
};

static int set_one(struct chat *chat, const struct setting *setting, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    double number = setting->number ? *setting->number : 0;
    long long integer = setting->integer ? *setting->integer : 0;
    if (end == text || *end || !(value >= 0 && value <= setting->most) ||
        (setting->integer && value != (double)(long long)value))
        return fail("/set %s: found \"%s\", expected %s from 0 to %g", setting->name, text,
                    setting->integer ? "an integer" : "a number", setting->most);
    if (setting->number)
        *setting->number = value;
    else
        *setting->integer = (long long)value;
    int code = chat_configure(chat);
    if (code && setting->number)
        *setting->number = number;
    else if (code)
        *setting->integer = integer;
    return code;
}

static int set(struct chat *chat, char *argument)
{
    const struct setting settings[] = {{"temperature", &chat->temperature, NULL, 100},
                                       {"top-k", NULL, &chat->top_k, 1 << 30},
                                       {"top-p", &chat->top_p, NULL, 1},
                                       {"min-p", &chat->min_p, NULL, 1},
                                       {"repeat-penalty", &chat->repetition, NULL, 100},
                                       {"seed", NULL, &chat->seed, 1e15},
                                       {"tokens", NULL, &chat->tokens, 1 << 30}};
    size_t length = strcspn(argument, " \t");
    const char *value = argument + length + strspn(argument + length, " \t");
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        const struct setting *setting = &settings[i];
        if (length == 0)
            fprintf(stderr, "%-15s %g\n", setting->name,
                    setting->number ? *setting->number : (double)*setting->integer);
        else if (strlen(setting->name) == length && memcmp(setting->name, argument, length) == 0)
            return set_one(chat, setting, value);
    }
    return length == 0 ? EXIT_OK
                       : fail("/set: there is no \"%.*s\"; /set lists all", (int)length, argument);
}

static int show_context(struct chat *chat, char *argument)
{
    size_t count;
    (void)argument;
    int code = chat_count(&count, chat);
    if (!code)
        fprintf(stderr, "%zu messages, %zu of %u tokens\n", chat->history.count, count,
                chat->context_length);
    return code;
}

static int quit(struct chat *chat, char *argument)
{
    (void)argument;
    chat->ended = 1;
    return EXIT_OK;
}

static const struct {
    const char *name, *argument, *help;
    int (*run)(struct chat *chat, char *argument);
} commands[] = {
    {"help", "", "this", show_help},
    {"clear", "", "forget all messages but the system's", clear},
    {"system", " TEXT", "what the system says; without TEXT: show it", set_system},
    {"undo", "", "take back the last message and its answer", undo},
    {"retry", "", "answer the last message again", retry},
    {"save", " FILE", "write the messages to a file, as JSON", save},
    {"load", " FILE", "go on with the messages of a file", load},
    {"set", " NAME VALUE", "change how answers are chosen; /set lists it", set},
    {"context", "", "how much of the context is used", show_context},
    {"quit", "", "end, as Ctrl-D does", quit},
};

static int show_help(struct chat *chat, char *argument)
{
    (void)chat;
    (void)argument;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        char left[40];
        snprintf(left, sizeof left, "/%s%s", commands[i].name, commands[i].argument);
        fprintf(stderr, "  %-18s %s\n", left, commands[i].help);
    }
    fputs(
        "A line that ends with \\ goes on in the next one; a message between \"\"\" and \"\"\" "
        "may\n"
        "have several. A message that begins with / is written with //. Ctrl-C stops an answer.\n",
        stderr);
    return EXIT_OK;
}

int chat_command(struct chat *chat, char *line)
{
    size_t length = strcspn(line + 1, " \t\n");
    char *argument = line + 1 + length + strspn(line + 1 + length, " \t");
    for (size_t end = strlen(argument); end > 0 && strchr(" \t", argument[end - 1]); end--)
        argument[end - 1] = 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strlen(commands[i].name) == length && memcmp(commands[i].name, line + 1, length) == 0)
            return commands[i].run(chat, argument);
    return fail("/%.*s: no such command; /help lists them", (int)(length < 60 ? length : 60),
                line + 1);
}

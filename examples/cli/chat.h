/* SPDX-License-Identifier: MIT */
/* loam chat: what its files share. */
#ifndef LOAM_CLI_CHAT_H
#define LOAM_CLI_CHAT_H

#include "cli.h"

/* ---- chat_history.c: the messages, as JSON ----------------------------------- */

struct message {
    char *role;
    char *json; /* the whole object */
};

struct history {
    struct message *items;
    size_t count, capacity;
};

/* Adds a message; puts it in front if first is not 0. Returns an exit code. */
int history_add(struct history *history, const char *role, const char *text, size_t length,
                int first);
void history_drop(struct history *history, size_t from, size_t count);
int history_is(const struct history *history, size_t index, const char *role);

/* All messages as an array, malloc'ed; NULL without memory. */
char *history_json(const struct history *history);

/* Reads an array of objects with roles; the former messages are dropped on
 * success. `name` is for messages. Returns an exit code. */
int history_read(struct history *history, const char *text, size_t size, const char *name);

/* ---- chat_input.c: what the user says ------------------------------------------ */

/* Reads a message of one or more lines: a line that ends with \ goes on in the
 * next one, and what stands between """ and """ is one message. 1: *out is
 * malloc'ed; 0: the input ended; -1: it could not be read. */
int input_read(char **out, int interactive);

/* ---- chat.c --------------------------------------------------------------------- */

struct chat {
    struct common common;
    const char *system, *template_file, *tools_file, *variables;
    long long context, tokens, top_k, seed;
    double temperature, top_p, min_p, repetition;
    int drop_oldest, special;
    int interactive; /* a person types: prompts and a meter are shown */
    int ended;
    struct history history;
    char *tools;
    char now[32];
    uint32_t context_length;
    loam_engine *engine;
    loam_model *model;
    loam_tokenizer *tokenizer;
    loam_template *chat_template;
    loam_session *session;
    loam_error error;
};

/* Passes the settings to the session; an exit code. */
int chat_configure(struct chat *chat);

/* Lets the model answer the last message. What was said to no avail is taken
 * back. An exit code. */
int chat_answer(struct chat *chat);

/* Tokens that the conversation takes with what the model would need to answer;
 * an exit code. */
int chat_count(size_t *out, struct chat *chat);

/* Sets, or with NULL drops, what the system says. */
int chat_set_system(struct chat *chat, const char *text);

/* ---- chat_commands.c ---------------------------------------------------------------- */

/* Does "/NAME ARGUMENT"; an exit code. */
int chat_command(struct chat *chat, char *line);

#endif

/* SPDX-License-Identifier: MIT */
/* A conversation as a list of JSON objects. Each is kept as it was given, so
 * that what a file says of calls and results is not lost. */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

static void free_message(struct message *message)
{
    free(message->role);
    free(message->json);
}

/* Takes over role and json, which may be NULL: out of memory. */
static int insert(struct history *history, size_t at, char *role, char *json)
{
    struct message message = {role, json};
    if (role && json && history->count == history->capacity) {
        size_t capacity = 2 * history->capacity + 16;
        struct message *grown = realloc(history->items, capacity * sizeof *grown);
        if (grown) {
            history->items = grown;
            history->capacity = capacity;
        }
    }
    if (!role || !json || history->count == history->capacity) {
        free_message(&message);
        return fail("out of memory for the messages");
    }
    memmove(history->items + at + 1, history->items + at,
            (history->count - at) * sizeof *history->items);
    history->items[at] = message;
    history->count++;
    return EXIT_OK;
}

static char *copy(const char *text, size_t length)
{
    char *out = malloc(length + 1);
    if (out) {
        memcpy(out, text, length);
        out[length] = 0;
    }
    return out;
}

int history_add(struct history *history, const char *role, const char *text, size_t length,
                int first)
{
    char *json = NULL;
    size_t size;
    FILE *stream = open_memstream(&json, &size);
    if (!stream)
        return fail("out of memory for a message");
    fputs("{\"role\": ", stream);
    json_text(stream, role, strlen(role));
    fputs(", \"content\": ", stream);
    json_text(stream, text, length);
    fputc('}', stream);
    if (fclose(stream) != 0) {
        free(json);
        json = NULL;
    }
    return insert(history, first ? 0 : history->count, copy(role, strlen(role)), json);
}

void history_drop(struct history *history, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++)
        free_message(&history->items[i]);
    if (count)
        memmove(history->items + from, history->items + from + count,
                (history->count - from - count) * sizeof *history->items);
    history->count -= count;
}

int history_is(const struct history *history, size_t index, const char *role)
{
    return index < history->count && strcmp(history->items[index].role, role) == 0;
}

char *history_json(const struct history *history)
{
    size_t size = 3;
    for (size_t i = 0; i < history->count; i++)
        size += strlen(history->items[i].json) + 2;
    char *out = malloc(size), *at = out;
    if (!out)
        return NULL;
    *at++ = '[';
    for (size_t i = 0; i < history->count; i++) {
        size_t length = strlen(history->items[i].json);
        if (i > 0) {
            *at++ = ',';
            *at++ = '\n';
        }
        memcpy(at, history->items[i].json, length);
        at += length;
    }
    *at++ = ']';
    *at = 0;
    return out;
}

/* ---- reading an array --------------------------------------------------------------- */

/* What has no bounds here is checked by the library, which reads it as well. */
static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Behind the string whose opening quote is at[0]; NULL: it has no end. */
static const char *skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++)
        at += *at == '\\' && at[1];
    return *at ? at + 1 : NULL;
}

/* Behind the object or array at at[0], and its role, if it says one; NULL: it
 * has no end. */
static const char *skip_object(const char *at, const char **role, size_t *role_length)
{
    int depth = 0;
    *role = NULL;
    while (*at) {
        const char *start = at;
        if (*at == '"') {
            at = skip_string(at);
            if (!at)
                return NULL;
            const char *value = skip_space(at);
            int is_role = depth == 1 && at - start == 6 && memcmp(start, "\"role\"", 6) == 0;
            value = is_role && *value == ':' ? skip_space(value + 1) : value;
            if (is_role && *value == '"' && skip_string(value)) {
                *role = value + 1;
                at = skip_string(value);
                *role_length = (size_t)(at - value) - 2;
            }
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
        if (depth == 0)
            return at;
    }
    return NULL;
}

static int read_messages(struct history *out, const char *text, const char *name)
{
    const char *at = skip_space(text), *role;
    size_t role_length = 0;
    if (*at != '[')
        return fail("%s: expected a JSON array of messages", name);
    at = skip_space(at + 1);
    while (*at == '{') {
        const char *end = skip_object(at, &role, &role_length);
        if (!end || !role)
            return fail("%s: message %zu %s", name, out->count + 1,
                        end ? "has no role" : "has no end");
        int code = insert(out, out->count, copy(role, role_length), copy(at, (size_t)(end - at)));
        if (code)
            return code;
        at = skip_space(end);
        if (*at != ',')
            break;
        at = skip_space(at + 1);
    }
    if (*at != ']' || *skip_space(at + 1))
        return fail("%s: expected a JSON array of messages", name);
    return EXIT_OK;
}

int history_read(struct history *history, const char *text, size_t size, const char *name)
{
    struct history read = {0};
    int code = strlen(text) == size ? read_messages(&read, text, name)
                                    : fail("%s: expected a JSON array of messages", name);
    struct history *gone = code ? &read : history;
    history_drop(gone, 0, gone->count);
    free(gone->items);
    if (!code)
        *history = read;
    return code;
}

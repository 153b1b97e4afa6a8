/* SPDX-License-Identifier: MIT */
/* Messages from standard input, of one or more lines. */
#include "chat.h"

#include <stdlib.h>
#include <string.h>

#define QUOTES "\"\"\""

/* One line without its newline; -1 at the end of the input. */
static long read_line(char **line, size_t *capacity, int interactive, const char *prompt)
{
    interrupt_wait(interactive ? "\n(Ctrl-C again ends the program)\n> " : NULL);
    if (interactive) {
        fputs(prompt, stderr);
        fflush(stderr);
    }
    long length = (long)getline(line, capacity, stdin);
    interrupt_wait_no_more();
    if (length > 0 && (*line)[length - 1] == '\n')
        (*line)[--length] = 0;
    if (length > 0 && (*line)[length - 1] == '\r')
        (*line)[--length] = 0;
    return length;
}

static int append(char **message, size_t *size, const char *text, size_t length)
{
    char *grown = realloc(*message, *size + length + 1);
    if (!grown)
        return 0;
    memcpy(grown + *size, text, length);
    *size += length;
    grown[*size] = 0;
    *message = grown;
    return 1;
}

/* Takes one line into the message. 1: the message is whole; 0: it goes on; -1: no
 * memory. */
static int take(char **message, size_t *size, int *quoted, char *line, size_t length)
{
    int goes_on = 0;
    if (!*quoted && !*message && strncmp(line, QUOTES, 3) == 0) {
        *quoted = 1;
        line += 3;
        length -= 3;
        if (length == 0) /* the text begins with the next line */
            return append(message, size, "", 0) ? 0 : -1;
    }
    if (*quoted && length >= 3 && memcmp(line + length - 3, QUOTES, 3) == 0) {
        *quoted = 0;
        length -= 3;
        if (length == 0 && *size > 0)
            --*size; /* the newline before closing quotes is none of the text */
    } else if (*quoted) {
        goes_on = 1;
    } else if (length > 0 && line[length - 1] == '\\') {
        goes_on = 1;
        length--;
    }
    if (!append(message, size, line, length) || (goes_on && !append(message, size, "\n", 1)))
        return -1;
    (*message)[*size] = 0;
    return !goes_on;
}

int input_read(char **out, int interactive)
{
    char *line = NULL, *message = NULL;
    size_t capacity = 0, size = 0;
    int quoted = 0, done = 0;
    long length;
    while (done == 0 &&
           (length = read_line(&line, &capacity, interactive, message ? ". " : "> ")) >= 0) {
        if (interrupt_take()) { /* Ctrl-C: what was typed before is gone */
            free(message);
            message = NULL;
            size = 0;
            quoted = 0;
        }
        done = take(&message, &size, &quoted, line, (size_t)length);
    }
    free(line);
    *out = message;
    if (done < 0 || ferror(stdin)) {
        fail(done < 0 ? "out of memory for a message" : "standard input: cannot read");
        return -1;
    }
    return message != NULL; /* the last one may lack its end */
}

/* SPDX-License-Identifier: MIT */
/* The loam program: what its commands share. Built on the public headers
 * alone, as any host application would be. */
#ifndef LOAM_CLI_H
#define LOAM_CLI_H

#include "model/builtin.h"

#include <loam/loam.h>

#include <stdio.h>

/* Exit codes. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* ---- options.c: the command line ------------------------------------------ */

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_INTEGER, OPTION_NUMBER, OPTION_BYTES, OPTION_LIST };

struct text_list {
    const char *items[64];
    size_t count;
};

/* One option of a command. `value` points to int (FLAG), const char * (TEXT),
 * long long (INTEGER), double (NUMBER), unsigned long long (BYTES) or struct
 * text_list (LIST). */
struct option {
    const char *name;  /* "--threads" */
    const char *brief; /* "-m", or NULL */
    enum option_kind kind;
    void *value;
    const char *argument, *help;
    double least, most; /* INTEGER, NUMBER */
};

/* Reads arguments; those that are no options go to rest[capacity]. Returns -1
 * to go on, or an exit code: help was printed, or an error. */
int options_read(int count, char **arguments, const char *usage, const struct option *options,
                 size_t option_count, const char **rest, size_t capacity, size_t *rest_count);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- open.c: engine and model --------------------------------------------- */

struct common {
    const char *model, *cpu, *kv;
    long long threads;
    unsigned long long memory_limit;
    int quiet;
    long long step_rows; /* tokens of a step; 0: the library's choice */
    long long step_sessions; /* sessions of a step, likewise */
};

/* The options that all computing commands have, for a table. */
#define COMMON_OPTIONS(common)                                                                       \
    {"--model", "-m", OPTION_TEXT, &(common).model, "FILE", "GGUF model file (default: one built in)", 0, 0}, \
    {"--threads", "-t", OPTION_INTEGER, &(common).threads, "N", "computing threads (default: all)", 0, 1024}, \
    {"--cpu", NULL, OPTION_TEXT, &(common).cpu, "LEVEL", "CPU level of loam --version (default: best)", 0, 0},           \
    {"--kv", NULL, OPTION_TEXT, &(common).kv, "TYPE", "keys and values: f32, f16, q8_0", 0, 0},      \
    {"--memory-limit", NULL, OPTION_BYTES, &(common).memory_limit, "BYTES", "most memory to hold (K, M, G)", 0, 0}

/* Prints "loam: " and the message, one line; returns EXIT_FAILED. */
int fail(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* The library's message, and the exit code for it. */
int fail_with(const loam_error *error);

/* Opens an engine, and with it a model: the file named, or the one built in.
 * On failure prints why and returns an exit code; EXIT_OK else. */
int open_engine(loam_engine **out, const struct common *common);
int open_model(loam_model **out, loam_engine *engine, const struct common *common, int32_t kv_type);
int open_tokenizer(loam_tokenizer **out, loam_engine *engine, const char *path);

/* The KV type of a name, `otherwise` for NULL, or -1. */
int32_t kv_type_of(const char *name, int32_t otherwise);

/* Reads a whole file, or standard input for "-". The block is malloc'ed. */
int read_file(char **out, size_t *out_size, const char *path);

/* Reads a file of little-endian int32. */
int read_ids(int32_t **out, size_t *out_count, const char *path);

/* Writes a file by fill(out, context), which returns an exit code: under a name
 * beside the final one, which it gets only when complete. A pipe or device is
 * written in place. */
int write_whole(const char *name, int (*fill)(FILE *out, void *context), void *context);

/* Whether both names are there and mean one file. */
int same_file(const char *a, const char *b);

/* Flushes standard output; a full disk or closed pipe is an error. */
int finish_output(void);

double seconds_now(void);

/* ---- interrupt.c: Ctrl-C -------------------------------------------------- */

/* From now on Ctrl-C cancels the session being watched; a second one ends the
 * program. Call before any thread is started. */
void interrupt_begin(void);
void interrupt_watch(loam_session *session); /* NULL: none */
int interrupt_happened(void);

/* While the program waits for input, Ctrl-C shows `text` the first time and
 * ends the program the second; NULL: the first. */
void interrupt_wait(const char *text);
void interrupt_wait_no_more(void);

/* The signal that came since the last call, or 0; it is forgotten, so that the
 * program may go on. */
int interrupt_take(void);

/* ---- json.c --------------------------------------------------------------- */

/* A JSON string, quotes included; invalid UTF-8 becomes U+FFFD. */
void json_text(FILE *out, const char *text, size_t length);

/* A number that JSON can hold; NaN and infinities are null. */
void json_number(FILE *out, double value);

/* ---- the commands --------------------------------------------------------- */

int command_run(int count, char **arguments);
int command_chat(int count, char **arguments);
int command_complete(int count, char **arguments);
int command_info(int count, char **arguments);
int command_tokens(int count, char **arguments);
int command_count(int count, char **arguments);
int command_split(int count, char **arguments);
int command_logits(int count, char **arguments);
int command_nll(int count, char **arguments);
int command_embed(int count, char **arguments);
int command_bench(int count, char **arguments);
int command_pack(int count, char **arguments);
int command_imatrix(int count, char **arguments);
int command_quantize(int count, char **arguments);
int command_template(int count, char **arguments);

#endif

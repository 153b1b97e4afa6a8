/* SPDX-License-Identifier: MIT */
/*
 * Large JSON texts, checked as a whole and then looked into: a list of nodes in
 * the order of the text. A node takes 16 bytes and at least one byte of text, so
 * memory stays a small multiple of it. Every node knows its place, for messages.
 */
#ifndef LOAM_BASE_JSON_H
#define LOAM_BASE_JSON_H

#include "base/error.h"
#include "base/memory.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_node {
    uint32_t start;  /* byte in the text; of strings the one behind the quote */
    uint32_t length; /* bytes of a string without quotes or of a number; items of an
                      * array, pairs of an object */
    uint32_t end;    /* the node behind this one and all that it holds */
    uint8_t kind;    /* enum json_kind */
    bool escaped;    /* a string with escapes */
};

/* Members of an object are a string and a value, one behind the other. Node 0
 * is the whole. The text must live as long. */
struct json {
    struct memory *memory;
    const char *text;
    size_t size;
    struct json_node *nodes;
    size_t count, capacity;
};

/* Texts of at most JSON_MOST_BYTES, nested at most JSON_DEPTH deep. Errors say
 * what was expected, line and byte. On failure *out needs no end.
 * [errors: MEMORY, FORMAT, UNSUPPORTED (a longer text)] */
enum { JSON_MOST_BYTES = 1 << 30, JSON_DEPTH = 64 };
loam_status loam_json_parse(struct json *out, const char *text, size_t size, struct memory *memory,
                            loam_error *error);
void loam_json_end(struct json *json);

/* "line L, byte B" of a node, into out. */
enum { JSON_PLACE = 64 };
const char *loam_json_place(char out[JSON_PLACE], const struct json *json,
                            const struct json_node *node);

/* What stands at a node: "a string". */
const char *loam_json_kind_name(const struct json_node *node);

/* Items of an array, or keys of an object, one after the other:
 *     for (node = loam_json_first(json, array); node; node = loam_json_next(json, array, node))
 * The value of a key is the node behind it. NULL at the end. */
const struct json_node *loam_json_first(const struct json *json, const struct json_node *container);
const struct json_node *loam_json_next(const struct json *json, const struct json_node *container,
                                       const struct json_node *node);

/* The value of the key, the first one if there are several, or NULL. */
const struct json_node *loam_json_member(const struct json *json, const struct json_node *object,
                                         const char *key);

/* Whether a string is that text. */
bool loam_json_is(const struct json *json, const struct json_node *node, const char *text);

/* Writes a string's bytes, escapes resolved, to out[node->length]; returns their
 * number. */
size_t loam_json_text(char *out, const struct json *json, const struct json_node *node);

/* The bytes of a string in the text itself, or resolved in the arena, with a
 * NUL behind them; false without memory. */
bool loam_json_keep(loam_string *out, const struct json *json, const struct json_node *node,
                    struct arena *arena);

double loam_json_number(const struct json *json, const struct json_node *node);

/* A whole number from 0 to `most`; false for anything else. */
bool loam_json_whole(uint32_t *out, const struct json *json, const struct json_node *node,
                     uint32_t most);

#endif

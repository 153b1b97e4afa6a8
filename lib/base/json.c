/* SPDX-License-Identifier: MIT */
/* One pass without recursion: open containers stand in a stack of their own. */
#include "base/json.h"

#include "base/json_text.h"
#include "base/number.h"
#include "base/utf8.h"

struct reader {
    struct json *json;
    size_t at;
    uint32_t open[JSON_DEPTH]; /* nodes of the containers around */
    size_t depth;
    loam_error *error;
};

static void place_of(const struct json *json, size_t at, unsigned *line)
{
    *line = 1;
    for (const char *p = json->text, *end = json->text + at;
         (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        ++*line;
}

static loam_status fail(const struct reader *r, size_t at, const char *expected)
{
    unsigned line;
    place_of(r->json, at, &line);
    if (at >= r->json->size)
        return loam_fail(r->error, LOAM_FORMAT, "line %u, byte %zu: the text ends, expected %s",
                         line, at, expected);
    return loam_fail(r->error, LOAM_FORMAT, "line %u, byte %zu: found \"%.*s\", expected %s", line,
                     at, (int)loam_min(r->json->size - at, 12), r->json->text + at, expected);
}

static void skip_space(struct reader *r)
{
    const char *text = r->json->text;
    while (r->at < r->json->size && (text[r->at] == ' ' || text[r->at] == '\n' ||
                                     text[r->at] == '\r' || text[r->at] == '\t'))
        r->at++;
}

static bool is_next(const struct reader *r, char c)
{
    return r->at < r->json->size && r->json->text[r->at] == c;
}

static loam_status add_node(struct reader *r, struct json_node node)
{
    struct json *json = r->json;
    if (json->count == json->capacity &&
        !loam_memory_grow(json->memory, (void **)&json->nodes, &json->capacity,
                          (uint64_t)json->count + 1, sizeof node))
        return loam_fail_memory(r->error, (json->count + 1) * sizeof node);
    node.end = (uint32_t)json->count + 1;
    json->nodes[json->count++] = node;
    return LOAM_OK;
}

/* ---- strings --------------------------------------------------------------- */

/* The position is at the opening quote. */
static loam_status read_string(struct reader *r)
{
    const char *text = r->json->text + ++r->at;
    size_t length = r->json->size - r->at, bytes;
    struct json_string string;
    if (!loam_json_text_scan(&string, text, length)) {
        r->at += string.length;
        return fail(r, r->at,
                    string.length == length ? "the end of a string"
                                            : "an escape for a control character");
    }
    for (size_t at = 0; string.escaped && at < string.length; at += bytes) {
        const char *slash = memchr(text + at, '\\', string.length - at);
        uint32_t c;
        if (!slash)
            break;
        at = (size_t)(slash - text);
        bytes = loam_json_text_escape(&c, slash, string.length - at);
        if (!bytes)
            return fail(r, r->at + at, "an escape of JSON");
    }
    struct json_node node = {.kind = JSON_STRING,
                             .start = (uint32_t)r->at,
                             .length = (uint32_t)string.length,
                             .escaped = string.escaped};
    r->at += string.length + 1;
    return add_node(r, node);
}

/* ---- other values ---------------------------------------------------------- */

static loam_status read_number(struct reader *r)
{
    size_t start = r->at, length;
    bool whole;
    enum json_number_fault fault =
        loam_json_text_number(&length, &whole, r->json->text + start, r->json->size - start);
    if (fault)
        return fail(r, start + length, fault == JSON_NUMBER_NONE ? "a JSON value" : "a digit");
    r->at += length;
    return add_node(r, (struct json_node){.kind = JSON_NUMBER,
                                          .start = (uint32_t)start,
                                          .length = (uint32_t)length});
}

static loam_status read_word(struct reader *r)
{
    static const char *const words[] = {"null", "false", "true"}; /* in the order of kinds */
    for (size_t i = 0; i < LOAM_COUNT_OF(words); i++) {
        size_t length = strlen(words[i]);
        if (r->json->size - r->at >= length &&
            memcmp(r->json->text + r->at, words[i], length) == 0) {
            r->at += length;
            return add_node(
                r, (struct json_node){.kind = (uint8_t)i, .start = (uint32_t)(r->at - length)});
        }
    }
    return fail(r, r->at, "a JSON value");
}

static loam_status read_value(struct reader *r)
{
    skip_space(r);
    if (r->at == r->json->size)
        return fail(r, r->at, "a JSON value");
    char c = r->json->text[r->at];
    if (c == '"')
        return read_string(r);
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r);
    if (c != '[' && c != '{')
        return read_word(r);
    if (r->depth == JSON_DEPTH)
        return loam_fail(r->error, LOAM_FORMAT, "byte %zu: lists and objects nest too deeply",
                         r->at);
    r->open[r->depth++] = (uint32_t)r->json->count;
    return add_node(r, (struct json_node){.kind = c == '[' ? JSON_ARRAY : JSON_OBJECT,
                                          .start = (uint32_t)r->at++});
}

static loam_status read_key(struct reader *r)
{
    skip_space(r);
    if (!is_next(r, '"'))
        return fail(r, r->at, "a key in quotes");
    loam_status status = read_string(r);
    if (status)
        return status;
    skip_space(r);
    if (!is_next(r, ':'))
        return fail(r, r->at, "':'");
    r->at++;
    return LOAM_OK;
}

/* Inside a container: closes it, or reads the next item. */
static loam_status read_item(struct reader *r)
{
    struct json_node *container = &r->json->nodes[r->open[r->depth - 1]];
    bool list = container->kind == JSON_ARRAY, first = container->length == 0;
    skip_space(r);
    if (is_next(r, list ? ']' : '}')) {
        r->at++;
        container->end = (uint32_t)r->json->count;
        r->depth--;
        return LOAM_OK;
    }
    if (!first && !is_next(r, ','))
        return fail(r, r->at, list ? "',' or ']'" : "',' or '}'");
    r->at += !first;
    container->length++;
    loam_status status = list ? LOAM_OK : read_key(r);
    return status ? status : read_value(r);
}

loam_status loam_json_parse(struct json *out, const char *text, size_t size, struct memory *memory,
                            loam_error *error)
{
    *out = (struct json){.memory = memory, .text = text, .size = size};
    struct reader r = {.json = out, .error = error};
    if (size > JSON_MOST_BYTES)
        return loam_fail(error, LOAM_UNSUPPORTED, "the text has %zu bytes; supported: at most %d",
                         size, JSON_MOST_BYTES);
    if (!loam_utf8_valid(text, size))
        return loam_fail(error, LOAM_FORMAT, "is not valid UTF-8");
    loam_status status = read_value(&r);
    while (!status && r.depth)
        status = read_item(&r);
    skip_space(&r);
    if (!status && r.at != size)
        status = fail(&r, r.at, "nothing behind the value");
    if (status)
        loam_json_end(out);
    return status;
}

void loam_json_end(struct json *json)
{
    loam_memory_free(json->memory, json->nodes);
    json->nodes = NULL;
    json->count = 0;
}

/* ---- looking into it ------------------------------------------------------- */

const char *loam_json_place(char out[JSON_PLACE], const struct json *json,
                            const struct json_node *node)
{
    loam_error place = {.struct_size = sizeof place};
    unsigned line;
    place_of(json, node->start, &line);
    loam_fail(&place, LOAM_FORMAT, "line %u, byte %u", line, (unsigned)node->start);
    size_t length = loam_min(strlen(place.message), JSON_PLACE - 1);
    memcpy(out, place.message, length);
    out[length] = 0;
    return out;
}

const char *loam_json_kind_name(const struct json_node *node)
{
    static const char *const names[] = {"null",     "false",    "true",     "a number",
                                        "a string", "an array", "an object"};
    return names[node->kind];
}

const struct json_node *loam_json_first(const struct json *json, const struct json_node *container)
{
    (void)json;
    return container->length && container->kind >= JSON_ARRAY ? container + 1 : NULL;
}

const struct json_node *loam_json_next(const struct json *json, const struct json_node *container,
                                       const struct json_node *node)
{
    const struct json_node *value = container->kind == JSON_OBJECT ? node + 1 : node;
    return value->end < container->end ? &json->nodes[value->end] : NULL;
}

const struct json_node *loam_json_member(const struct json *json, const struct json_node *object,
                                         const char *key)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    const struct json_node *node = loam_json_first(json, object);
    while (node && !loam_json_is(json, node, key))
        node = loam_json_next(json, object, node);
    return node ? node + 1 : NULL;
}

bool loam_json_is(const struct json *json, const struct json_node *node, const char *text)
{
    char bytes[128];
    size_t length = strlen(text);
    if (node->kind != JSON_STRING || node->length < length || node->length > sizeof bytes)
        return false;
    return loam_json_text(bytes, json, node) == length && memcmp(bytes, text, length) == 0;
}

size_t loam_json_text(char *out, const struct json *json, const struct json_node *node)
{
    const char *text = json->text + node->start;
    struct json_string string = {.length = node->length};
    size_t written = node->length;
    if (node->escaped)
        loam_json_text_resolve(out, &written, &string, text); /* read once already */
    else
        memcpy(out, text, node->length);
    return written;
}

bool loam_json_keep(loam_string *out, const struct json *json, const struct json_node *node,
                    struct arena *arena)
{
    char *room = loam_arena_get(arena, (uint64_t)node->length + 1, 1);
    if (!room)
        return false;
    size_t length = loam_json_text(room, json, node);
    room[length] = 0;
    *out = (loam_string){room, length};
    return true;
}

double loam_json_number(const struct json *json, const struct json_node *node)
{
    const char *text = json->text + node->start;
    bool negative = text[0] == '-';
    double value = 0;
    loam_number_read(&value, text + negative, node->length - negative);
    return negative ? -value : value;
}

bool loam_json_whole(uint32_t *out, const struct json *json, const struct json_node *node,
                     uint32_t most)
{
    uint64_t value = 0;
    if (node->kind != JSON_NUMBER || node->length > 10)
        return false;
    for (uint32_t i = 0; i < node->length; i++) {
        char c = json->text[node->start + i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (uint64_t)(c - '0');
    }
    *out = (uint32_t)value;
    return value <= most;
}

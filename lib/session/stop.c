/* SPDX-License-Identifier: MIT */
/*
 * All stop strings are matched at once by the automaton of Aho and Corasick
 * ("Efficient string matching", 1975): a tree of their bytes, in which each
 * node's fallback is the node of its longest proper suffix. The depth of the
 * present node is the length of the longest end of the stream that begins a
 * stop string: what must be held back.
 *
 * Stop strings are bytes and may begin inside a character; then what precedes
 * the held bytes would be a cut character. So the text given out ends early
 * enough to end with a whole one.
 */
#include "session/stop.h"

#include "base/utf8.h"

/* Node 0 is the root, which is nobody's child: 0 also says "none". */
struct node {
    uint32_t child, sibling, fallback;
    uint32_t depth;
    uint32_t match; /* length of the longest stop string that ends here; 0: none */
    unsigned char byte;
};

struct stop_matcher {
    struct memory *memory;
    struct node *nodes;
    uint32_t node_count;
    uint32_t present;
    char *text; /* [capacity]; of it [begin, end) is held */
    size_t begin, end, capacity;
};

static uint32_t find_child(const struct node *nodes, uint32_t parent, unsigned char byte)
{
    uint32_t child = nodes[parent].child;
    while (child && nodes[child].byte != byte)
        child = nodes[child].sibling;
    return child;
}

/* The node after `byte`. Each fallback undoes a depth that an earlier byte has
 * added: linear over the stream. */
static uint32_t advance(const struct node *nodes, uint32_t node, unsigned char byte)
{
    for (;;) {
        uint32_t child = find_child(nodes, node, byte);
        if (child || !node)
            return child;
        node = nodes[node].fallback;
    }
}

static void add_string(struct stop_matcher *matcher, const char *data, size_t length)
{
    struct node *nodes = matcher->nodes;
    uint32_t node = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)data[i];
        uint32_t child = find_child(nodes, node, byte);
        if (!child) {
            child = matcher->node_count++;
            nodes[child] = (struct node){
                .sibling = nodes[node].child, .depth = nodes[node].depth + 1, .byte = byte};
            nodes[node].child = child;
        }
        node = child;
    }
    nodes[node].match = nodes[node].depth;
}

/* Sets fallbacks, shallow nodes first. queue has room for every node. */
static void link_fallbacks(struct node *nodes, uint32_t *queue)
{
    uint32_t head = 0, tail = 0;
    queue[tail++] = 0;
    while (head < tail) {
        uint32_t parent = queue[head++];
        for (uint32_t child = nodes[parent].child; child; child = nodes[child].sibling) {
            if (parent)
                nodes[child].fallback = advance(nodes, nodes[parent].fallback, nodes[child].byte);
            if (!nodes[child].match)
                nodes[child].match = nodes[nodes[child].fallback].match;
            queue[tail++] = child;
        }
    }
}

static loam_status check_strings(uint64_t *out_total, const loam_string *strings, size_t count,
                                 loam_error *error)
{
    uint64_t total = 0;
    if (count && !strings)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "stop_strings is NULL, expected stop_string_count = %llu strings",
                         (unsigned long long)count);
    for (size_t i = 0; i < count; i++) {
        size_t length = loam_length(strings[i].data, strings[i].length);
        if (!length || !strings[i].data)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "stop_strings[%llu] is %s, expected at least one byte",
                             (unsigned long long)i, length ? "NULL" : "empty");
        if (!loam_sum(&total, total, length) || total >= UINT32_MAX)
            return loam_fail(error, LOAM_INVALID_ARGUMENT,
                             "stop_strings hold 4 GiB or more up to index %llu, expected less",
                             (unsigned long long)i);
    }
    *out_total = total;
    return LOAM_OK;
}

loam_status loam_stop_create(struct stop_matcher **out, struct memory *memory,
                             const loam_string *strings, size_t count, loam_error *error)
{
    *out = NULL;
    uint64_t total = 0;
    loam_status status = check_strings(&total, strings, count, error);
    if (status != LOAM_OK)
        return status;
    struct stop_matcher *matcher = loam_memory_get_zero(memory, 1, sizeof *matcher);
    struct node *nodes = loam_memory_get(memory, total + 1, sizeof *nodes);
    uint32_t *queue = loam_memory_get(memory, total + 1, sizeof *queue);
    if (!matcher || !nodes || !queue) {
        loam_memory_free(memory, matcher);
        loam_memory_free(memory, nodes);
        loam_memory_free(memory, queue);
        return loam_fail_memory(error, (total + 1) * (sizeof *nodes + sizeof *queue));
    }
    nodes[0] = (struct node){0};
    matcher->memory = memory;
    matcher->nodes = nodes;
    matcher->node_count = 1;
    for (size_t i = 0; i < count; i++)
        add_string(matcher, strings[i].data, loam_length(strings[i].data, strings[i].length));
    link_fallbacks(nodes, queue);
    loam_memory_free(memory, queue);
    *out = matcher;
    return LOAM_OK;
}

void loam_stop_destroy(struct stop_matcher *matcher)
{
    if (!matcher)
        return;
    loam_memory_free(matcher->memory, matcher->nodes);
    loam_memory_free(matcher->memory, matcher->text);
    loam_memory_free(matcher->memory, matcher);
}

void loam_stop_reset(struct stop_matcher *matcher)
{
    matcher->present = 0;
    matcher->begin = matcher->end = 0;
}

/* Makes room for `length` more bytes behind the held ones. These move to the
 * front only when at least as many have been given out, so that byte by byte
 * the moves stay linear in the stream. */
static bool make_room(struct stop_matcher *matcher, size_t length)
{
    size_t held = matcher->end - matcher->begin;
    bool moves = length > matcher->capacity - matcher->end && matcher->begin >= held;
    uint64_t wanted;
    if (!loam_sum(&wanted, moves ? held : matcher->end, length) ||
        !loam_memory_grow(matcher->memory, (void **)&matcher->text, &matcher->capacity, wanted, 1))
        return false;
    if (moves && held)
        memmove(matcher->text, matcher->text + matcher->begin, held);
    if (moves) {
        matcher->begin = 0;
        matcher->end = held;
    }
    return true;
}

/* How much of text[length] may be given out: not a character at its end that
 * goes on in text[end], or may go on since nothing is known of what follows. */
static size_t whole_characters(const char *text, size_t length, size_t end)
{
    size_t cut = loam_utf8_incomplete(text, length);
    if (!cut || length == end)
        return length - cut;
    uint32_t code_point;
    size_t character = loam_utf8_decode(&code_point, text + length - cut, end - (length - cut));
    return character > cut ? length - cut : length;
}

loam_status loam_stop_push(const char **out, size_t *out_length, bool *matched,
                           struct stop_matcher *matcher, const char *text, size_t length,
                           loam_error *error)
{
    *out = NULL;
    *out_length = 0;
    *matched = false;
    if (!make_room(matcher, length))
        return loam_fail_memory(error, length);
    if (length)
        memcpy(matcher->text + matcher->end, text, length);

    uint32_t match = 0;
    size_t position = matcher->end;
    size_t end = position + length;
    while (position < end && !match) {
        unsigned char byte = (unsigned char)matcher->text[position++];
        matcher->present = advance(matcher->nodes, matcher->present, byte);
        match = matcher->nodes[matcher->present].match;
    }
    if (!matcher->text) /* nothing was ever pushed */
        return LOAM_OK;

    const char *stream = matcher->text + matcher->begin;
    size_t total = position - matcher->begin;
    size_t held = match ? match : matcher->nodes[matcher->present].depth;
    *out = stream;
    *out_length = whole_characters(stream, total - held, total);
    *matched = match != 0;
    matcher->begin = match ? position : matcher->begin + *out_length;
    matcher->end = position;
    if (match) /* the next push begins a new stream */
        matcher->present = 0;
    return LOAM_OK;
}

void loam_stop_finish(const char **out, size_t *out_length, struct stop_matcher *matcher)
{
    *out_length = matcher->end - matcher->begin;
    *out = *out_length ? matcher->text + matcher->begin : NULL;
    loam_stop_reset(matcher);
}

/* SPDX-License-Identifier: MIT */
/* Values of the template language: Python's, as far as templates see them. */
#ifndef LOAM_TEMPLATE_VALUE_H
#define LOAM_TEMPLATE_VALUE_H

#include "base/base.h"

enum value_kind {
    VALUE_MISSING, /* an argument or variable that was not given; never seen by templates */
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_SEQUENCE,
    VALUE_MAPPING,
    VALUE_NAMESPACE,
    VALUE_FUNCTION, /* a global function */
    VALUE_METHOD,   /* a method with its object */
    VALUE_MACRO,
    VALUE_LOOP,
    VALUE_CYCLER,
    VALUE_JOINER,
    VALUE_MARK /* on the machine's stack: where a capture begins */
};

/* What an undefined value says when it is used. */
enum undefined_detail { UNDEFINED_NAME, UNDEFINED_ATTRIBUTE, UNDEFINED_PLAIN };

struct value {
    uint8_t kind;   /* enum value_kind */
    uint8_t detail; /* UNDEFINED: enum undefined_detail */
    uint8_t owner;  /* UNDEFINED_ATTRIBUTE: the kind of what lacks the attribute */
    bool from_data; /* numbers, booleans, none: they stood in the caller's data */
    union {
        int64_t integer;
        double number;
        bool boolean;
        struct text *text; /* STRING; UNDEFINED: the name, may be NULL */
        struct sequence *sequence;
        struct mapping *mapping; /* MAPPING, NAMESPACE */
        const struct native *native;
        struct method *method;
        struct macro *macro;
        struct loop *loop;
        struct cycler *cycler;
        struct joiner *joiner;
        size_t mark;
    };
};

/* A stretch of bytes of one origin, from the end of the one before. */
struct run {
    size_t end;
    bool from_data;
};

/* Immutable UTF-8, with the origin of each byte: the template's own text, or
 * the caller's data and what was made of it. */
struct text {
    const char *bytes;
    size_t length;
    const struct run *runs; /* [run_count], the last ending at length; NULL: one origin */
    size_t run_count;
    uint32_t hash;  /* 0: not known yet */
    bool from_data; /* if there are no runs */
    bool markup;    /* its HTML is escaped or declared safe */
    uint8_t width;  /* enum text_width */
};

enum text_width { WIDTH_UNKNOWN, WIDTH_ASCII, WIDTH_WIDE };

enum sequence_flavour {
    FLAVOUR_LIST,
    FLAVOUR_TUPLE,
    FLAVOUR_RANGE,
    FLAVOUR_GENERATOR, /* of map, select and the like: may be walked once */
    FLAVOUR_KEYS,
    FLAVOUR_VALUES,
    FLAVOUR_ITEMS
};

struct sequence {
    struct value *items;
    size_t count, capacity;
    uint8_t flavour;           /* enum sequence_flavour */
    bool from_data;            /* stood in the caller's data */
    bool consumed;             /* GENERATOR: was walked */
    bool group;                /* TUPLE of groupby: has .grouper and .list */
    int64_t start, stop, step; /* RANGE */
};

struct entry {
    struct value key, item;
};

/* In the order of insertion; nothing is ever taken out. */
struct mapping {
    struct entry *entries;
    size_t count, capacity;
    uint32_t *index; /* open hash table of entry + 1; NULL while the mapping is small */
    size_t index_size;
    bool from_data;
};

/* A method and its object. */
struct method {
    const struct native *native;
    struct value self;
};

struct cycler {
    struct sequence *items;
    size_t position;
};

struct joiner {
    struct text *separator;
    bool used;
};

static inline struct value value_none(void)
{
    return (struct value){.kind = VALUE_NONE};
}

static inline struct value value_boolean(bool boolean)
{
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

static inline struct value value_integer(int64_t integer)
{
    return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

static inline struct value value_float(double number)
{
    return (struct value){.kind = VALUE_FLOAT, .number = number};
}

static inline struct value value_text(struct text *text)
{
    return (struct value){.kind = VALUE_STRING, .text = text};
}

static inline struct value value_sequence(struct sequence *sequence)
{
    return (struct value){.kind = VALUE_SEQUENCE, .sequence = sequence};
}

static inline struct value value_mapping(struct mapping *mapping)
{
    return (struct value){.kind = VALUE_MAPPING, .mapping = mapping};
}

static inline bool value_is_number(struct value value)
{
    return value.kind >= VALUE_BOOLEAN && value.kind <= VALUE_FLOAT;
}

/* Booleans are integers, as in Python. */
static inline bool value_is_integer(struct value value)
{
    return value.kind == VALUE_BOOLEAN || value.kind == VALUE_INTEGER;
}

static inline int64_t value_to_integer(struct value value)
{
    return value.kind == VALUE_BOOLEAN ? value.boolean : value.integer;
}

static inline double value_to_float(struct value value)
{
    return value.kind == VALUE_FLOAT ? value.number : (double)value_to_integer(value);
}

#endif

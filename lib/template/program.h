/* SPDX-License-Identifier: MIT */
/* A compiled template: instructions for a stack machine. */
#ifndef LOAM_TEMPLATE_PROGRAM_H
#define LOAM_TEMPLATE_PROGRAM_H

#include "template/heap.h"
#include "template/native.h"

/* What an instruction does to the stack is written (before -- after). Jumps
 * are relative to the next instruction, so that code can be moved. */
enum opcode {
    DO_TEXT,            /* prints constants[operand] */
    DO_PRINT,           /* (value -- ) */
    DO_CONSTANT,        /* ( -- constants[operand]) */
    DO_UNDEFINED,       /* ( -- undefined) */
    DO_LOAD,            /* ( -- value) of symbols[operand] */
    DO_STORE,           /* (value -- ) */
    DO_STORE_ATTRIBUTE, /* (value -- ) to constants[operand] of the namespace symbols[count] */
    DO_UNPACK,          /* (sequence -- last ... first) of `count` */
    DO_ATTRIBUTE,       /* (value -- value.constants[operand]) */
    DO_SUBSCRIPT,       /* (value key -- value[key]) */
    DO_ITEM,            /* (value -- value[constants[operand]]), a text */
    DO_SLICE,           /* (value start stop step -- value) */
    DO_LIST,            /* (items -- list) of `operand` */
    DO_TUPLE,
    DO_MAPPING,   /* (key item ... -- mapping) of `operand` pairs */
    DO_BINARY,    /* (a b -- a op b); operand: enum binary */
    DO_SUM,       /* (values -- value) of `count`, by + or ~ from the left; operand: enum binary */
    DO_PRINT_SUM, /* (values -- ) the same, printed */
    DO_NEGATE,
    DO_POSITIVE,
    DO_NOT,
    DO_COMPARE,       /* (a b -- boolean); count: enum comparison */
    DO_COMPARE_CHAIN, /* (a b -- b) if it holds, else ( -- false) and jumps */
    DO_JUMP,
    DO_JUMP_IF_FALSE, /* (value -- ) */
    DO_AND,           /* keeps a false value and jumps, else drops it */
    DO_OR,
    DO_CALL,   /* (callee arguments keywords -- value); count positional, flags keywords */
    DO_FILTER, /* (value arguments keywords -- value) by loam_filters[operand] */
    DO_TEST,   /* likewise by loam_tests[operand] */
    DO_SCOPE_BEGIN,
    DO_SCOPE_END,
    DO_CAPTURE_BEGIN, /* ( -- mark) */
    DO_CAPTURE_END,   /* (mark -- text) */
    DO_LOOP_START,    /* (iterable -- ) */
    DO_LOOP_FILTER,   /* ( -- item), or jumps when all were looked at */
    DO_LOOP_KEEP,     /* (condition -- ), jumps */
    DO_LOOP_NEXT,     /* ( -- item), or jumps at the end */
    DO_LOOP_FINISH,   /* jumps over the else part if there was an item */
    DO_LOOP_END,
    DO_MACRO,             /* ( -- macro) macros[count], and jumps over its body */
    DO_PARAMETER_DEFAULT, /* jumps if the parameter symbols[count] was given */
    DO_RETURN,
    DO_END
};

enum binary {
    BINARY_ADD,
    BINARY_SUBTRACT,
    BINARY_MULTIPLY,
    BINARY_DIVIDE,
    BINARY_FLOOR_DIVIDE,
    BINARY_REMAINDER,
    BINARY_POWER,
    BINARY_CONCATENATE
};

enum comparison {
    COMPARE_EQUAL,
    COMPARE_UNEQUAL,
    COMPARE_LESS,
    COMPARE_LESS_EQUAL,
    COMPARE_GREATER,
    COMPARE_GREATER_EQUAL,
    COMPARE_IN,
    COMPARE_NOT_IN
};

struct instruction {
    uint8_t operation; /* enum opcode */
    uint8_t flags;
    uint16_t count;
    int32_t operand;
    uint32_t place; /* byte of the source */
};

/* A name of the template. */
struct symbol {
    const char *name;
    size_t length;
    const struct native *function; /* the global function of that name, or NULL */
};

struct macro_code {
    struct text *name;
    uint32_t *parameters; /* symbols */
    size_t count;
    bool takes_positional, takes_keywords, takes_caller; /* names of the body: varargs, ... */
};

struct program {
    struct heap heap; /* of everything here */
    const char *source;
    size_t source_length;
    struct instruction *code;
    size_t code_count, code_capacity;
    struct value *constants;
    size_t constant_count, constant_capacity;
    struct symbol *symbols;
    size_t symbol_count, symbol_capacity;
    uint32_t *symbol_index; /* open hash table of symbol + 1 */
    size_t symbol_index_size;
    struct macro_code *macros;
    size_t macro_count, macro_capacity;
    int32_t loop, caller, varargs, kwargs; /* symbols of these names */
};

/* Compiles text[length], which is copied. A program is immutable and may be
 * used by any number of threads.
 * [errors: MEMORY, FORMAT and UNSUPPORTED with line and column] */
loam_status loam_program_compile(struct program *out, struct memory *memory, const char *text,
                                 size_t length, loam_error *error);
void loam_program_end(struct program *program);

/* The symbol of that name, or -1. */
int32_t loam_program_find(const struct program *program, const char *name, size_t length);

/* The same, made if it is new; -1: out of memory. */
int32_t loam_program_symbol(struct program *program, const char *name, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions, as far as the published split patterns of tokenizers go:
 * literals, classes ([^\s\p{L}\p{N}], with one && [...]), groups, (?i:...),
 * alternatives, quantifiers greedy, lazy and (on one character) possessive,
 * look-ahead and look-behind at one character, $. The first alternative that matches wins, as
 * in Perl, not the longest.
 *
 * An expression is compiled to a finite automaton over classes of characters,
 * so that matching looks at each character once. Anything the compiler does not
 * know is an error, never a guess.
 */
#ifndef LOAM_TEXT_REGEX_H
#define LOAM_TEXT_REGEX_H

#include "base/error.h"
#include "base/memory.h"
#include "text/unicode.h"

/* ---- sets of characters ---- */

struct regex_range {
    uint32_t low, high;
};

struct regex_set {
    uint32_t categories; /* bit for each general category */
    uint32_t scripts;    /* bit for each script */
    bool space, not_space, negated;
    uint32_t first, count; /* of the ranges */
    int32_t also;          /* a set that members must be in as well, or -1 */
};

/* Of all expressions of a splitter. A signature has one bit for each set. */
enum { REGEX_SETS = 64, REGEX_CLASSES = 250 };

struct regex_sets {
    struct memory *memory;
    struct regex_set sets[REGEX_SETS];
    uint32_t count;
    struct regex_range *ranges;
    size_t range_count, range_capacity;
};

/* Characters that no set tells apart are one class. */
struct regex_classes {
    uint8_t ascii[128];
    uint16_t *pages;                     /* [0x110000 / 128]: of `table` */
    uint8_t *table;                      /* 128 classes a page */
    uint8_t none;                        /* of bytes that are no character */
    uint32_t count;                      /* with the class `count - 1` for the end of the text */
    uint64_t members[REGEX_CLASSES + 1]; /* of each class: the sets it is in */
};

/* The class of a code point, 0xFFFFFFFF for what is none. */
static inline uint8_t loam_regex_class(const struct regex_classes *classes, uint32_t c)
{
    return c < 0x110000 ? classes->table[(size_t)classes->pages[c >> 7] << 7 | (c & 127)]
                        : classes->none;
}

/* Classes of all characters under the sets, in the arena. */
loam_status loam_regex_classify(struct regex_classes *out, const struct regex_sets *sets,
                                struct arena *arena, loam_error *error);

/* ---- programs ---- */

enum regex_kind {
    REGEX_SET,    /* takes a character of the set */
    REGEX_LOOK,   /* the next character is of the set; negated: not, or there is none */
    REGEX_BEHIND, /* the same of the character before */
    REGEX_SPLIT,  /* goes on at a, and if that fails at b */
    REGEX_JUMP,   /* goes on at a */
    REGEX_MATCH
};

struct regex_op {
    uint8_t kind;
    bool negated;
    int16_t set;
    int32_t a, b; /* relative to this one */
};

enum { REGEX_OPS = 8192 };

struct regex_program {
    struct regex_sets *sets;
    bool oniguruma; /* Ruby's syntax: $ also before the end of a line, {n}+ not possessive */
    struct regex_op *ops;
    size_t count, capacity;
    struct regex_op *scratch; /* of the parser */
    size_t scratch_capacity;
};

/* Appends the expression to the program; its sets go to program->sets. The
 * caller frees ops and scratch, also on failure.
 * [errors: MEMORY, UNSUPPORTED (says what, and the byte in the expression)] */
loam_status loam_regex_parse(struct regex_program *program, const char *text, size_t length,
                             loam_error *error);

/* ---- automata ---- */

/* next[row + class] is the row of the next state times two, plus one if the
 * text up to before that character is a match. Row 0: no match can follow.
 * Where the expression looks behind its beginning, starts[class] is the row to
 * begin with by the character before; the last, `start`, if there is none. */
struct regex_automaton {
    const uint32_t *next;
    uint32_t start;
    const uint32_t *starts; /* [classes], or NULL: begins with `start` always */
};

loam_status loam_regex_compile(struct regex_automaton *out, const struct regex_program *program,
                               const struct regex_classes *classes, struct arena *arena,
                               loam_error *error);

/* ---- matching ---- */

/*
 * Where scans came to nothing: an automaton in that state at that place of the
 * text finds no match any more. An expression like "\\s*[\\n]|\\s" looks through
 * all white space for an end of line before it settles for one character; the
 * next match meets the first one's scan and stops. So time stays linear in
 * the text (Reps, "Maximal-munch tokenization in linear time", 1998).
 * Without memory it forgets, which costs time alone. Zero-initialised.
 */
struct regex_memo {
    struct memory *memory; /* NULL: remembers nothing */
    uint64_t *keys;        /* open hash table of place, automaton and state; 0: empty */
    size_t count, size;    /* size: a power of two */
    size_t begin;          /* scans begin here or later: what is known of earlier places may go */
};

void loam_regex_memo_end(struct regex_memo *memo);

/* Bytes of the match at text[at..end), 0 if there is none or an empty one; the
 * expression sees text from `begin` on.
 * `number` tells automata that share a memo apart; with one memo, `at` and `end`
 * may only be such that no character behind memo->begin was matched before. */
size_t loam_regex_match(const struct regex_automaton *automaton,
                        const struct regex_classes *classes, const char *text, size_t begin,
                        size_t at, size_t end, struct regex_memo *memo, uint32_t number);

#endif

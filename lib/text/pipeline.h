/* SPDX-License-Identifier: MIT */
/*
 * What a tokenizer.json says is done to a text before its model sees words: a
 * list of changes of the whole text (its normalizer), then a list of cuts (its
 * pre-tokenizer). Files whose lists amount to a splitter alone have no pipeline.
 */
#ifndef LOAM_TEXT_PIPELINE_H
#define LOAM_TEXT_PIPELINE_H

#include "text/charsmap.h"
#include "text/normal.h"
#include "text/split.h"

struct encoder;
struct token_list;

enum change_kind {
    CHANGE_FORM,       /* to a normalization form */
    CHANGE_LOWER,      /* to lower case, character by character */
    CHANGE_DROP,       /* characters of the categories go */
    CHANGE_CLEAN,      /* as BERT: control characters go, white space is a space */
    CHANGE_IDEOGRAPHS, /* as BERT: spaces around them */
    CHANGE_FRONT,      /* `to` in front of a text that is not empty */
    CHANGE_TEXT,       /* `from` becomes `to` */
    CHANGE_PATTERN,    /* what matches becomes `to` */
    CHANGE_MAP,        /* by SentencePiece's character map */
    CHANGE_STRIP       /* white space at the ends goes */
};

struct change {
    enum change_kind kind;
    enum normal_form form;
    uint32_t categories; /* DROP: bits */
    bool left, right;    /* STRIP */
    loam_string from, to;
    struct splitter *pattern; /* of one stage */
    struct charsmap map;
};

enum cut_kind {
    CUT_PATTERN,
    CUT_SPACE, /* a space in front of pieces that have none there */
    CUT_META   /* spaces become U+2581, one stands in front */
};

/* What becomes of a match, by the names of the file format. */
enum cut_keep { KEEP_ISOLATED, KEEP_REMOVED, KEEP_CONTIGUOUS, KEEP_PREVIOUS, KEEP_NEXT };

enum cut_front { FRONT_NEVER, FRONT_FIRST, FRONT_ALWAYS };

struct cut {
    enum cut_kind kind;
    enum cut_keep keep;
    bool on_bytes;            /* PATTERN: behind ByteLevel, sees a character for each byte */
    bool inverted;            /* what lies between matches counts as matches */
    const char *expression;   /* PATTERN */
    struct splitter *pattern; /* of it, one stage */
    enum cut_front front;     /* META */
};

enum { PIPELINE_STEPS = 16 };

struct pipeline {
    struct change changes[PIPELINE_STEPS];
    size_t change_count;
    struct cut cuts[PIPELINE_STEPS];
    size_t cut_count;
    bool bytes;        /* the cuts end in bytes */
    bool splits;       /* the tokenizer's splitter does what cuts there were */
    bool strips_space; /* of a decoded text one leading space */
};

struct pipeline_scratch;

/* Appends the tokens of a stretch between special tokens; `first`: it is the
 * beginning of the whole text. Time: linear. */
loam_status loam_pipeline_append(struct encoder *encoder, struct token_list *out, const char *text,
                                 size_t length, bool first, loam_error *error);

void loam_pipeline_scratch_end(struct encoder *encoder);

/* ---- change.c: one change of a text, appended to `out`; false without memory ---- */

bool loam_change_apply(struct text_buffer *out, struct normal_scratch *scratch,
                       const struct change *change, const char *text, size_t length);

/* ---- cut.c ---- */

struct piece {
    uint32_t start, length;
};

struct piece_list {
    struct memory *memory;
    struct piece *items;
    size_t count, capacity;
};

/* Cuts the pieces of a text. Where that changes it, the new text is appended to
 * `changed` and *is_changed set. Empty pieces are left out. */
bool loam_cut_apply(struct piece_list *out, struct text_buffer *changed, bool *is_changed,
                    const struct cut *cut, const char *text, const struct piece_list *pieces,
                    bool first);

#endif

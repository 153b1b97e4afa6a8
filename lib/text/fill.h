/* SPDX-License-Identifier: MIT */
/* Filling in the middle: the formats that families of models were trained with. */
#ifndef LOAM_TEXT_FILL_H
#define LOAM_TEXT_FILL_H

#include "text/tokenizer.h"

enum fill_token {
    FILL_PREFIX,
    FILL_SUFFIX,
    FILL_MIDDLE,
    FILL_PAD,
    FILL_REPOSITORY,
    FILL_SEPARATOR,
    FILL_END,
    FILL_TOKEN_COUNT
};

/* How the name of a file stands in a prompt. */
enum fill_path {
    FILL_PATH_COMMENT, /* "// PATH\n" at the beginning of the prefix: no token separates files */
    FILL_PATH_BEFORE,  /* separator, "PATH\n", then the token of the prefix */
    FILL_PATH_INSIDE   /* separator, the token of the prefix, "PATH\n" */
};

struct fill_family {
    const char *name;
    const char *texts[FILL_TOKEN_COUNT]; /* of its tokens; NULL: it has none */
    enum fill_path path;
    bool suffix_first;    /* suffix token, suffix, prefix token, prefix */
    bool needs_separator; /* is told from others by that token */
    bool newline;         /* behind the name of a repository, and behind a file that has none */
    bool comment_space;   /* between the comment sign and a path */
};

/* The family of a vocabulary, and its tokens' ids; -1: none. */
struct fill_tokens {
    const struct fill_family *family;
    int32_t ids[FILL_TOKEN_COUNT];
};

/* Finds them by the ids that the file names and the texts of tokens. False if
 * the vocabulary has none. Looks at every token: a millisecond. */
bool loam_fill_find(struct fill_tokens *out, const struct tokenizer *tokenizer);

/* The keys of a file for a token, under tokenizer.ggml: a newer and an older
 * name; NULL: there is none. */
const char *loam_fill_key(enum fill_token token, int which);

/* A prompt; fill_in: every field set, its lengths resolved, max_tokens 0: no
 * limit. On failure the list may hold a part.
 * [errors: MEMORY, UNSUPPORTED (no such tokens), CONTEXT_FULL] */
loam_status loam_fill_append(struct token_list *list, loam_fill_in_info *info,
                             const struct tokenizer *tokenizer, struct memory *memory,
                             const loam_fill_in *fill_in, loam_error *error);

/* See loam_fill_in_end; *ended: whether the text ends at the length returned. */
size_t loam_fill_end(bool *ended, const loam_fill_in *fill_in, const char *text, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Reading a tokenizer.json, the file format of Hugging Face's tokenizers: what
 * its parts share. What is not known is refused by its name: a tokenizer that
 * is nearly right would cost quality without a word.
 *
 *   tokenizer_json.c   the whole, added tokens, what stands around a text
 *   json_model.c       the vocabulary and its merges
 *   json_steps.c       normalizer, pre_tokenizer, decoder
 *   json_get.c         values of the kinds expected
 */
#ifndef LOAM_TEXT_TOKENIZER_JSON_H
#define LOAM_TEXT_TOKENIZER_JSON_H

#include "base/json.h"
#include "text/vocabulary.h"

struct json_load {
    struct json json;
    struct tokenizer *tokenizer;
    struct arena scratch; /* until the file is read */
    loam_error *error;
    const struct json_node *root;
};

/* ---- json_get.c ---- */

/* `path` names the place in the file: "model.vocab". Messages have it, line and
 * byte. The first says what is there and what was expected, the second that what
 * is there is not supported. */
loam_status loam_json_get_fail(const struct json_load *load, const struct json_node *node,
                               const char *path, const char *expected);
loam_status loam_json_get_refuse(const struct json_load *load, const struct json_node *node,
                                 const char *path, const char *what);

/* Fails unless `node` is an object without other keys than those named in
 * `keys`, with a space between. */
loam_status loam_json_get_keys(const struct json_load *load, const struct json_node *node,
                               const char *path, const char *keys);

/* Member `key` of an object. Absent or null: *out keeps its value. Members that
 * must be there are asked for by the _required forms. */
loam_status loam_json_get_bool(bool *out, const struct json_load *load,
                               const struct json_node *object, const char *path, const char *key);
/* Kept in the arena of the tokenizer. */
loam_status loam_json_get_text(loam_string *out, const struct json_load *load,
                               const struct json_node *object, const char *path, const char *key);
loam_status loam_json_get_id(uint32_t *out, const struct json_load *load,
                             const struct json_node *object, const char *path, const char *key);
loam_status loam_json_get_array(const struct json_node **out, const struct json_load *load,
                                const struct json_node *object, const char *path, const char *key);

/* Member "type", kept in the arena. */
loam_status loam_json_get_type(loam_string *out, const struct json_load *load,
                               const struct json_node *object, const char *path);

/* The member, NULL also for null. */
const struct json_node *loam_json_get_value(const struct json_load *load,
                                            const struct json_node *object, const char *key);

bool loam_json_get_equal(loam_string text, const char *other);

/* ---- json_steps.c ---- */

/* Reads normalizer, pre_tokenizer and decoder into a pipeline. *bytes: the
 * pre-tokenizer ends in bytes (ByteLevel). */
loam_status loam_json_steps_read(struct json_load *load, bool *bytes);

/* Compiles what was read, when the kind is known. */
loam_status loam_json_steps_finish(struct json_load *load, bool whole_words);

/* ---- json_model.c ---- */

/* Reads the model and added_tokens into the tokens, and indexes them. */
loam_status loam_json_model_read(struct json_load *load, bool bytes);

#endif

/* SPDX-License-Identifier: MIT */
/* The whole of a tokenizer.json. How texts are cut off or filled up (truncation,
 * padding) is the caller's business and not looked at. */
#include "text/tokenizer_json.h"
#include "text/tokenizer.h"

/* ---- what stands around a text --------------------------------------------- */

struct around {
    int32_t before, after; /* -1: none */
};

static loam_status put_one(struct json_load *load, const struct json_node *node, int32_t *place,
                           uint32_t id)
{
    if (id >= load->tokenizer->count)
        return loam_json_get_fail(load, node, "post_processor", "the id of a token");
    if (*place >= 0)
        return loam_json_get_refuse(load, node, "post_processor",
                                    "more than one token before or behind a text");
    *place = (int32_t)id;
    return LOAM_OK;
}

/* {"SpecialToken": {"id": "<s>"}}: its ids stand in special_tokens. */
static loam_status read_template_token(struct json_load *load, const struct json_node *processor,
                                       const struct json_node *item, int32_t *place)
{
    static const char *const path = "post_processor.special_tokens";
    const struct json *json = &load->json;
    const struct json_node *name = loam_json_member(json, item, "id"), *ids = NULL;
    char bytes[120];
    if (!name || name->kind != JSON_STRING || name->length >= sizeof bytes)
        return loam_json_get_fail(load, item, "post_processor.single", "the text of a token");
    bytes[loam_json_text(bytes, json, name)] = 0;
    const struct json_node *token =
        loam_json_get_value(load, loam_json_member(json, processor, "special_tokens"), bytes);
    if (!token)
        return loam_json_get_fail(load, name, "post_processor.single", "one of special_tokens");
    loam_status status = loam_json_get_array(&ids, load, token, path, "ids");
    if (!status && !ids)
        status = loam_json_get_fail(load, token, path, "an object with ids");
    for (const struct json_node *node = status ? NULL : loam_json_first(json, ids); !status && node;
         node = loam_json_next(json, ids, node)) {
        uint32_t id;
        status = loam_json_whole(&id, json, node, VOCABULARY_MAX_TOKENS - 1)
                     ? put_one(load, node, place, id)
                     : loam_json_get_fail(load, node, path, "an id");
    }
    return status;
}

static loam_status read_template(struct around *out, struct json_load *load,
                                 const struct json_node *node)
{
    static const char *const path = "post_processor.single";
    const struct json_node *single;
    bool behind = false;
    loam_status status =
        loam_json_get_keys(load, node, "post_processor", "type single pair special_tokens");
    if (!status)
        status = loam_json_get_array(&single, load, node, "post_processor", "single");
    if (status)
        return status;
    if (!single)
        return loam_json_get_fail(load, node, path, "an array");
    for (const struct json_node *item = loam_json_first(&load->json, single); !status && item;
         item = loam_json_next(&load->json, single, item)) {
        status = loam_json_get_keys(load, item, path, "SpecialToken Sequence");
        const struct json_node *token = loam_json_member(&load->json, item, "SpecialToken");
        if (!status && token)
            status = read_template_token(load, node, token, behind ? &out->after : &out->before);
        else if (!status && behind)
            status = loam_json_get_refuse(load, item, path, "a text twice");
        else
            behind = true;
    }
    return status;
}

/* "cls" and "sep", each a text and an id. */
static loam_status read_pair(struct json_load *load, const struct json_node *node, const char *key,
                             int32_t *place)
{
    const struct json_node *pair;
    uint32_t id;
    loam_status status = loam_json_get_array(&pair, load, node, "post_processor", key);
    if (status)
        return status;
    if (!pair || pair->length != 2 || pair[1].kind != JSON_STRING ||
        !loam_json_whole(&id, &load->json, pair + 2, VOCABULARY_MAX_TOKENS - 1))
        return loam_json_get_fail(load, pair ? pair : node, "post_processor", "a text and an id");
    return put_one(load, pair, place, id);
}

static loam_status read_processor(struct around *out, struct json_load *load,
                                  const struct json_node *node, loam_string type)
{
    bool bert = loam_json_get_equal(type, "BertProcessing");
    if (loam_json_get_equal(type, "ByteLevel"))
        return LOAM_OK; /* moves offsets only */
    if (loam_json_get_equal(type, "TemplateProcessing"))
        return read_template(out, load, node);
    if (!bert && !loam_json_get_equal(type, "RobertaProcessing"))
        return loam_json_get_refuse(load, loam_json_member(&load->json, node, "type"),
                                    "post_processor", "an unknown kind of step");
    loam_status status =
        loam_json_get_keys(load, node, "post_processor",
                           bert ? "type sep cls" : "type sep cls trim_offsets add_prefix_space");
    if (!status)
        status = read_pair(load, node, "cls", &out->before);
    return status ? status : read_pair(load, node, "sep", &out->after);
}

static loam_status read_processors(struct around *out, struct json_load *load,
                                   const struct json_node *node)
{
    loam_string type;
    const struct json_node *list;
    loam_status status = loam_json_get_type(&type, load, node, "post_processor");
    if (status || !loam_json_get_equal(type, "Sequence"))
        return status ? status : read_processor(out, load, node, type);
    status = loam_json_get_array(&list, load, node, "post_processor", "processors");
    for (const struct json_node *step = status || !list ? NULL : loam_json_first(&load->json, list);
         !status && step; step = loam_json_next(&load->json, list, step)) {
        status = loam_json_get_type(&type, load, step, "post_processor");
        if (!status)
            status = read_processor(out, load, step, type);
    }
    return status;
}

static loam_status read_around(struct json_load *load)
{
    struct tokenizer *t = load->tokenizer;
    struct around around = {-1, -1};
    const struct json_node *node = loam_json_get_value(load, load->root, "post_processor");
    loam_status status = node ? read_processors(&around, load, node) : LOAM_OK;
    bool separates = t->kind == TOKENIZER_WORDPIECE;
    t->begin = around.before;
    t->end = separates ? -1 : around.after;
    t->separator = separates ? around.after : -1;
    t->adds_begin = t->begin >= 0;
    t->adds_end = t->end >= 0;
    t->adds_separator = t->separator >= 0;
    loam_vocabulary_mark_by_name(t);
    if (t->end >= 0)
        t->tokens[t->end].flags |= LOAM_TOKEN_END;
    return status;
}

/* ---- the whole ------------------------------------------------------------- */

static loam_status fill(struct json_load *load)
{
    bool bytes = false;
    load->root = load->json.nodes;
    loam_status status = loam_json_get_keys(load, load->root, "the file",
                                            "version truncation padding added_tokens normalizer "
                                            "pre_tokenizer post_processor decoder model");
    if (!status)
        status = loam_json_steps_read(load, &bytes);
    if (!status)
        status = loam_json_model_read(load, bytes);
    if (!status)
        status = read_around(load);
    return status ? status : loam_special_build(load->tokenizer, load->error);
}

loam_status loam_tokenizer_json_create(struct tokenizer **out, const char *text, size_t size,
                                       struct memory *memory, loam_error *error)
{
    struct json_load load = {.error = error};
    *out = NULL;
    loam_status status = loam_json_parse(&load.json, text, size, memory, error);
    if (status)
        return status;
    load.tokenizer = loam_memory_get_zero(memory, 1, sizeof *load.tokenizer);
    if (!load.tokenizer) {
        loam_json_end(&load.json);
        return loam_fail_memory(error, sizeof *load.tokenizer);
    }
    load.tokenizer->memory = memory;
    loam_arena_init(&load.tokenizer->arena, memory);
    loam_arena_init(&load.scratch, memory);
    status = fill(&load);
    loam_arena_end(&load.scratch);
    loam_json_end(&load.json);
    if (status)
        loam_tokenizer_destroy(load.tokenizer);
    else
        *out = load.tokenizer;
    return status;
}

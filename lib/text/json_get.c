/* SPDX-License-Identifier: MIT */
#include "text/tokenizer_json.h"

/* What is there, in a few words. */
static loam_string shown(const struct json_load *load, const struct json_node *node)
{
    if (node->kind == JSON_STRING || node->kind == JSON_NUMBER)
        return (loam_string){load->json.text + node->start, node->length};
    const char *name = loam_json_kind_name(node);
    return (loam_string){name, strlen(name)};
}

loam_status loam_json_get_fail(const struct json_load *load, const struct json_node *node,
                               const char *path, const char *expected)
{
    char place[JSON_PLACE];
    loam_string found = shown(load, node);
    return loam_fail(load->error, LOAM_FORMAT, "%s: %s: found %.*s, expected %s",
                     loam_json_place(place, &load->json, node), path, LOAM_SHOWN(found.length),
                     found.data, expected);
}

loam_status loam_json_get_refuse(const struct json_load *load, const struct json_node *node,
                                 const char *path, const char *what)
{
    char place[JSON_PLACE];
    loam_string found = shown(load, node);
    return loam_fail(load->error, LOAM_UNSUPPORTED, "%s: %s: %.*s is not supported: %s",
                     loam_json_place(place, &load->json, node), path, LOAM_SHOWN(found.length),
                     found.data, what);
}

/* Whether one of the words is that text. */
static bool has_word(const char *words, const struct json_load *load, const struct json_node *key)
{
    char word[64];
    while (*words) {
        size_t length = 0;
        while (words[length] && words[length] != ' ')
            length++;
        memcpy(word, words, length);
        word[length] = 0;
        if (loam_json_is(&load->json, key, word))
            return true;
        words += length + (words[length] == ' ');
    }
    return false;
}

loam_status loam_json_get_keys(const struct json_load *load, const struct json_node *node,
                               const char *path, const char *keys)
{
    if (node->kind != JSON_OBJECT)
        return loam_json_get_fail(load, node, path, "an object");
    for (const struct json_node *key = loam_json_first(&load->json, node); key;
         key = loam_json_next(&load->json, node, key))
        if (!has_word(keys, load, key))
            return loam_json_get_refuse(load, key, path, "an unknown key");
    return LOAM_OK;
}

const struct json_node *loam_json_get_value(const struct json_load *load,
                                            const struct json_node *object, const char *key)
{
    const struct json_node *value = loam_json_member(&load->json, object, key);
    return value && value->kind != JSON_NULL ? value : NULL;
}

/* "path.key" into out. */
static const char *join(char out[128], const char *path, const char *key)
{
    size_t a = loam_min(strlen(path), 90), b = loam_min(strlen(key), 30), dot = a > 0;
    memcpy(out, path, a);
    out[a] = '.';
    memcpy(out + a + dot, key, b);
    out[a + dot + b] = 0;
    return out;
}

loam_status loam_json_get_bool(bool *out, const struct json_load *load,
                               const struct json_node *object, const char *path, const char *key)
{
    char name[128];
    const struct json_node *value = loam_json_get_value(load, object, key);
    if (!value)
        return LOAM_OK;
    if (value->kind != JSON_TRUE && value->kind != JSON_FALSE)
        return loam_json_get_fail(load, value, join(name, path, key), "true or false");
    *out = value->kind == JSON_TRUE;
    return LOAM_OK;
}

loam_status loam_json_get_text(loam_string *out, const struct json_load *load,
                               const struct json_node *object, const char *path, const char *key)
{
    char name[128];
    const struct json_node *value = loam_json_get_value(load, object, key);
    if (!value)
        return LOAM_OK;
    if (value->kind != JSON_STRING)
        return loam_json_get_fail(load, value, join(name, path, key), "a string");
    return loam_json_keep(out, &load->json, value, &load->tokenizer->arena)
               ? LOAM_OK
               : loam_fail_memory(load->error, value->length);
}

loam_status loam_json_get_id(uint32_t *out, const struct json_load *load,
                             const struct json_node *object, const char *path, const char *key)
{
    char name[128];
    const struct json_node *value = loam_json_get_value(load, object, key);
    if (!value)
        return LOAM_OK;
    return loam_json_whole(out, &load->json, value, VOCABULARY_MAX_TOKENS - 1)
               ? LOAM_OK
               : loam_json_get_fail(load, value, join(name, path, key),
                                    "a whole number less than 16777216");
}

loam_status loam_json_get_array(const struct json_node **out, const struct json_load *load,
                                const struct json_node *object, const char *path, const char *key)
{
    char name[128];
    const struct json_node *value = loam_json_get_value(load, object, key);
    if (value && value->kind != JSON_ARRAY)
        return loam_json_get_fail(load, value, join(name, path, key), "an array");
    *out = value;
    return LOAM_OK;
}

loam_status loam_json_get_type(loam_string *out, const struct json_load *load,
                               const struct json_node *object, const char *path)
{
    *out = (loam_string){"", 0};
    if (object->kind != JSON_OBJECT)
        return loam_json_get_fail(load, object, path, "an object");
    loam_status status = loam_json_get_text(out, load, object, path, "type");
    if (!status && out->length == 0)
        return loam_json_get_fail(load, object, path, "an object with a \"type\"");
    return status;
}

bool loam_json_get_equal(loam_string text, const char *other)
{
    return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

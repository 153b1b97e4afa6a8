/* SPDX-License-Identifier: MIT */
/* Published chat templates against the reference's output, byte for byte. */
#include "common.h"

#include <ctype.h>
#include <stdbool.h>

#define NOW "2026-01-15T09:30:45"

/* ---- as much JSON as the case files need ---------------------------------------- */

/* A value's text: [start, end). */
struct slice {
    const char *start, *end;
};

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* Behind the value at p; the files are valid JSON. */
static const char *skip_value(const char *p)
{
    int depth = 0;
    p = skip_space(p);
    do {
        if (*p == '"') {
            for (p++; *p && *p != '"'; p++)
                p += *p == '\\';
        }
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        p++;
        /* numbers and words end before these */
    } while (*p && (depth > 0 || !strchr(":,]} \n\t\r", *p)));
    return p;
}

/* The member of an object, or of nothing: start is NULL. */
static struct slice member(struct slice object, const char *name)
{
    struct slice found = {NULL, NULL};
    const char *p = object.start ? skip_space(object.start) + 1 : NULL;
    while (p && *(p = skip_space(p)) == '"') {
        const char *key = p + 1, *end = skip_value(p);
        const char *value = skip_space(skip_space(end) + 1);
        const char *after = skip_value(value);
        if (strlen(name) == (size_t)(end - 1 - key) && memcmp(key, name, strlen(name)) == 0) {
            found.start = value;
            found.end = after;
        }
        p = skip_space(after);
        p += *p == ',';
    }
    return found;
}

/* The next element of an array; *at begins at its '['. */
static struct slice element(const char **at)
{
    struct slice found = {NULL, NULL};
    const char *p = skip_space(*at + 1);
    if (*p == ']')
        return found;
    found.start = p;
    found.end = skip_value(p);
    *at = skip_space(found.end);
    if (**at == ']')
        --*at; /* the next call sees it */
    return found;
}

static size_t put_utf8(char *out, unsigned c)
{
    if (c < 0x80)
        return out[0] = (char)c, 1;
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
}

/* A string's characters, malloc'ed; NULL if the slice is none. */
static char *unquote(struct slice value, size_t *length)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    *length = 0;
    if (!value.start || *value.start != '"')
        return NULL;
    char *out = malloc((size_t)(value.end - value.start) + 1);
    for (const char *p = value.start + 1; out && *p != '"'; p++) {
        const char *escape = *p == '\\' ? strchr(from, p[1]) : NULL;
        if (*p != '\\') {
            out[(*length)++] = *p;
        } else if (escape) {
            out[(*length)++] = to[escape - from];
            p++;
        } else { /* \uXXXX, no surrogates in these files */
            char digits[5] = {p[2], p[3], p[4], p[5], 0};
            *length += put_utf8(out + *length, (unsigned)strtoul(digits, NULL, 16));
            p += 5;
        }
    }
    if (out)
        out[*length] = 0;
    return out;
}

/* ---- cases ------------------------------------------------------------------------ */

static int cases, failures, conversations;

/* For conversations; NULL without reference data. */
static loam_tokenizer *tokenizer;

static void complain(const char *where, const char *what, const char *got, const char *wanted)
{
    if (++failures <= 10)
        printf("# %s: %s\n#   got    %.300s\n#   wanted %.300s\n", where, what, got, wanted);
}

enum { ROOM = 1 << 16 };

/* A context taken apart, as loam_tokenizer_encode_chat wants it, gives the same
 * tokens, or fails in the same way. */
static void check_conversation(loam_template *compiled, loam_render_options options,
                               struct slice context, const char *where)
{
    loam_rendering *rendering = NULL;
    static int32_t wanted[ROOM], found[ROOM];
    struct slice messages = member(context, "messages"), tools = member(context, "tools"),
                 answer = member(context, "add_generation_prompt");
    loam_error error = {.struct_size = sizeof error};
    size_t wanted_count = 0, found_count = 0;
    loam_chat chat = {.struct_size = sizeof chat,
                      .messages = {messages.start, (size_t)(messages.end - messages.start)},
                      .variables = {context.start, (size_t)(context.end - context.start)},
                      .chat_template = compiled,
                      .render = &options,
                      .no_answer = !answer.start || *answer.start == 'f'};
    /* Tools that are not given are none, as in transformers, never undefined. */
    if (!tokenizer || !messages.start || *messages.start != '[' || !tools.start)
        return;
    options.tokenizer = tokenizer;
    if (tools.start && *tools.start == '[')
        chat.tools = (loam_string){tools.start, (size_t)(tools.end - tools.start)};
    loam_status chat_status =
        loam_tokenizer_encode_chat(found, ROOM, &found_count, tokenizer, &chat, &error);
    loam_status status =
        loam_template_render(&rendering, compiled, context.start,
                             (size_t)(context.end - context.start), &options, &error);
    conversations++;
    if (!status)
        CHECK_OK(loam_tokenizer_encode_rendering(wanted, ROOM, &wanted_count, tokenizer, rendering,
                                                 0, &test_error));
    if (chat_status != status)
        complain(where, "as a conversation", chat_status ? error.message : "success",
                 loam_status_name(status));
    else if (found_count != wanted_count ||
             memcmp(found, wanted, wanted_count * sizeof *wanted) != 0)
        complain(where, "as a conversation", "other tokens", "");
    loam_rendering_release(rendering);
}

/* Renders and compares with what the case says. */
static void check_case(loam_engine *engine, struct slice source, struct slice context,
                       struct slice one, const char *where)
{
    size_t length, expected_length, error_length, also_length, type_length;
    char *template_text = unquote(source, &length);
    char *expected = unquote(member(one, "expected"), &expected_length);
    char *message = unquote(member(one, "error"), &error_length);
    char *type = unquote(member(one, "error_type"), &type_length);
    char *also = unquote(member(one, "also_ok"), &also_length);
    loam_error error = {.struct_size = sizeof error};
    loam_render_options options = {.struct_size = sizeof options,
                                   .now = {NOW, LOAM_NUL_TERMINATED}};
    loam_rendering_info info = {.struct_size = sizeof info};
    loam_template *compiled = NULL;
    loam_rendering *rendering = NULL;
    loam_status status = loam_template_create(&compiled, engine, template_text, length, &error);
    if (!status)
        status = loam_template_render(&rendering, compiled, context.start,
                                      (size_t)(context.end - context.start), &options, &error);
    cases++;
    if (!status)
        loam_rendering_get_info(&info, rendering, NULL);
    const char *text = info.text.data ? info.text.data : "";
    bool is_expected = !status && expected && info.text.length == expected_length &&
                       memcmp(text, expected, expected_length) == 0;
    bool is_also =
        !status && also && info.text.length == also_length && memcmp(text, also, also_length) == 0;
    if (expected ? !is_expected : !status && !is_also)
        complain(where, status ? error.message : "other text", text,
                 expected  ? expected
                 : message ? message
                           : "");
    if (status && type && strcmp(type, "TemplateError") == 0 &&
        (status != LOAM_REFUSED || strcmp(error.message, message) != 0))
        complain(where, "another message", error.message, message);
    if (compiled)
        check_conversation(compiled, options, context, where);
    loam_rendering_release(rendering);
    loam_template_release(compiled);
    free(template_text);
    free(expected);
    free(message);
    free(type);
    free(also);
}

/* A file's text as a JSON string would be: check_case takes those. */
static char *quote(const unsigned char *text, size_t size)
{
    char *out = malloc(6 * size + 3), *p = out;
    if (!out)
        return NULL;
    *p++ = '"';
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\' || text[i] < 32)
            p += sprintf(p, "\\u%04x", text[i]);
        else
            *p++ = (char)text[i];
    }
    *p++ = '"';
    *p = 0;
    return out;
}

static void check_file(loam_engine *engine, const char *template_name, const char *cases_name)
{
    char name[512], where[600];
    size_t size;
    snprintf(name, sizeof name, "template/%s", template_name);
    unsigned char *text = test_read(test_data(name), &size);
    REQUIRE(text);
    char *quoted = quote(text, size);
    snprintf(name, sizeof name, "template/%s", cases_name);
    char *json = (char *)test_read(test_data(name), &size);
    REQUIRE(json && quoted);
    struct slice source = {quoted, quoted + strlen(quoted)};
    struct slice list = member((struct slice){json, json + size}, "cases");
    struct slice one;
    for (const char *at = list.start; (one = element(&at)).start;) {
        size_t length;
        char *label = unquote(member(one, "name"), &length);
        snprintf(where, sizeof where, "%s: %s", cases_name, label ? label : "?");
        check_case(engine, source, member(one, "context"), one, where);
        free(label);
    }
    free(json);
    free(quoted);
    free(text);
}

static void published_templates(void)
{
    size_t size;
    char *json = (char *)test_read(test_data("template/manifest.json"), &size);
    if (!json)
        SKIP("no reference data: template/manifest.json");
    loam_engine *engine = test_engine(1);
    loam_source source = {.struct_size = sizeof source,
                          .path = {test_data("tokenizer/gpt-2.gguf"), LOAM_NUL_TERMINATED}};
    if (source.path.data)
        CHECK_OK(loam_tokenizer_open(&tokenizer, engine, &source, &test_error));
    cases = failures = conversations = 0;
    struct slice one, list = {json, json + size};
    if (*skip_space(json) == '{') { /* {"templates": [...]} */
        const char *open = strchr(json, '[');
        REQUIRE(open);
        list.start = open;
    }
    for (const char *at = skip_space(list.start); (one = element(&at)).start;) {
        size_t length;
        char *template_name = unquote(member(one, "template_file"), &length);
        char *cases_name = unquote(member(one, "cases_file"), &length);
        if (template_name && cases_name)
            check_file(engine, template_name, cases_name);
        free(template_name);
        free(cases_name);
    }
    printf("# %d cases, %d wrong\n", cases, failures);
    CHECK_EQUAL(failures, 0);
    CHECK(cases >= 626);
    printf("# %d conversations\n", conversations);
    CHECK(conversations >= 580 || !tokenizer);
    loam_tokenizer_release(tokenizer);
    tokenizer = NULL;
    loam_engine_release(engine);
    free(json);
}

static void single_features(void)
{
    size_t size;
    char *json = (char *)test_read(test_data("template/units.json"), &size);
    if (!json)
        SKIP("no reference data: template/units.json");
    loam_engine *engine = test_engine(1);
    struct slice one, all = {json, json + size};
    struct slice context = member(all, "context"), list = member(all, "cases");
    cases = failures = 0;
    for (const char *at = list.start; (one = element(&at)).start;) {
        size_t length;
        char *where = unquote(member(one, "template"), &length);
        check_case(engine, member(one, "template"), context, one, where ? where : "?");
        free(where);
    }
    printf("# %d cases, %d wrong\n", cases, failures);
    CHECK_EQUAL(failures, 0);
    CHECK(cases >= 93);
    loam_engine_release(engine);
    free(json);
}

int main(void)
{
    RUN(published_templates);
    RUN(single_features);
    return test_end();
}

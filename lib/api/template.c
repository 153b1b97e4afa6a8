/* SPDX-License-Identifier: MIT */
/* Chat templates: compiling, rendering, and the tokens of what was rendered. */
#include "api/api.h"
#include "session/model.h"
#include "template/render.h"
#include "tensor/engine.h"

struct loam_template {
    atomic_uint references;
    loam_engine *engine;
    struct program program;
    _Atomic(struct heap_chunk *) spare; /* of the last rendering */
};

/* One block: the struct, the spans, the text and a NUL. */
struct loam_rendering {
    loam_engine *engine;
    loam_string text;
    loam_text_span *spans;
    size_t span_count;
};

enum { DEFAULT_STEPS = 50000000, DEFAULT_BYTES = 64 << 20, DEFAULT_DEPTH = 200 };

/* ---- templates --------------------------------------------------------------------------- */

static loam_status create(loam_template **out, loam_engine *engine, const char *text, size_t length,
                          loam_error *error)
{
    loam_template *made = loam_memory_get_zero(&engine->memory, 1, sizeof *made);
    if (!made)
        return loam_fail_memory(error, sizeof *made);
    loam_status status = loam_program_compile(&made->program, &engine->memory, text, length, error);
    if (status) {
        loam_memory_free(&engine->memory, made);
        return status;
    }
    atomic_init(&made->references, 1);
    atomic_init(&made->spare, NULL);
    made->engine = loam_engine_retain(engine);
    *out = made;
    return LOAM_OK;
}

loam_status loam_template_create(loam_template **out, loam_engine *engine, const char *text,
                                 size_t text_length, loam_error *error)
{
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    size_t length = loam_length(text, text_length);
    status = loam_api_given(engine, "engine", error);
    if (!status && length)
        status = loam_api_given(text, "text", error);
    return status ? status : create(out, engine, text, length, error);
}

loam_status loam_tokenizer_template(loam_template **out, loam_tokenizer *tokenizer,
                                    loam_error *error)
{
    loam_tokenizer_info info;
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_api_given(tokenizer, "tokenizer", error);
    if (status)
        return status;
    loam_tokenizer_describe(&info, tokenizer->tokenizer);
    if (info.chat_template.length == 0)
        return loam_fail(error, LOAM_STATE,
                         "the vocabulary has no chat template (tokenizer.chat_template)");
    return create(out, tokenizer->engine, info.chat_template.data, info.chat_template.length,
                  error);
}

loam_template *loam_template_retain(loam_template *chat_template)
{
    if (chat_template)
        atomic_fetch_add_explicit(&chat_template->references, 1, memory_order_relaxed);
    return chat_template;
}

void loam_template_release(loam_template *chat_template)
{
    if (!chat_template ||
        atomic_fetch_sub_explicit(&chat_template->references, 1, memory_order_acq_rel) != 1)
        return;
    loam_engine *engine = chat_template->engine;
    loam_heap_free_spare(&engine->memory, atomic_load(&chat_template->spare));
    loam_program_end(&chat_template->program);
    loam_memory_free(&engine->memory, chat_template);
    loam_engine_release(engine);
}

/* ---- options ----------------------------------------------------------------------------- */

static bool read_digits(const char *text, size_t count, int32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = 10 * *out + (text[i] - '0');
    }
    return true;
}

/* "2026-01-15T09:30:45" */
static bool read_time(struct template_time *out, const char *text, size_t length)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (length != 19 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') ||
        text[13] != ':' || text[16] != ':' || !read_digits(text, 4, &out->year) ||
        !read_digits(text + 5, 2, &out->month) || !read_digits(text + 8, 2, &out->day) ||
        !read_digits(text + 11, 2, &out->hour) || !read_digits(text + 14, 2, &out->minute) ||
        !read_digits(text + 17, 2, &out->second))
        return false;
    bool leap = out->year % 4 == 0 && (out->year % 100 != 0 || out->year % 400 == 0);
    return out->year >= 1 && out->month >= 1 && out->month <= 12 && out->day >= 1 &&
           out->day <= days[out->month - 1] + (leap && out->month == 2) && out->hour < 24 &&
           out->minute < 60 && out->second < 61;
}

static loam_status read_now(struct template_time *out, loam_string now, bool *given,
                            loam_error *error)
{
    size_t length = loam_length(now.data, now.length);
    *given = length > 0;
    if (length && !(now.data && read_time(out, now.data, length)))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "options.now: is \"%.*s\", expected a time as 2026-01-15T09:30:45",
                         now.data ? LOAM_SHOWN(length) : 0, now.data ? now.data : "");
    return LOAM_OK;
}

/* bos_token and eos_token; returns their number. */
static size_t read_variables(struct render_variable out[2], const loam_tokenizer *tokenizer)
{
    loam_tokenizer_info info;
    loam_token_info token;
    size_t count = 0;
    if (!tokenizer)
        return 0;
    loam_tokenizer_describe(&info, tokenizer->tokenizer);
    if (info.begin_token >= 0) {
        loam_tokenizer_describe_token(&token, tokenizer->tokenizer, info.begin_token);
        out[count++] = (struct render_variable){"bos_token", token.text};
    }
    if (info.end_token >= 0) {
        loam_tokenizer_describe_token(&token, tokenizer->tokenizer, info.end_token);
        out[count++] = (struct render_variable){"eos_token", token.text};
    }
    return count;
}

/* ---- renderings -------------------------------------------------------------------------- */

static loam_status keep(loam_rendering **out, loam_engine *engine, const struct rendered *rendered,
                        loam_error *error)
{
    uint64_t spans = (uint64_t)rendered->run_count * sizeof(loam_text_span);
    uint64_t bytes = sizeof(loam_rendering) + spans + rendered->length + 1;
    loam_rendering *kept = loam_memory_get(&engine->memory, bytes, 1);
    if (!kept)
        return loam_fail_memory(error, bytes);
    char *text = (char *)(kept + 1) + spans;
    memcpy(text, rendered->bytes, rendered->length + 1);
    *kept = (loam_rendering){.engine = loam_engine_retain(engine),
                             .text = {text, rendered->length},
                             .spans = (loam_text_span *)(kept + 1),
                             .span_count = rendered->run_count};
    for (size_t i = 0, start = 0; i < rendered->run_count; start = rendered->runs[i++].end)
        kept->spans[i] = (loam_text_span){.offset = start,
                                          .length = rendered->runs[i].end - start,
                                          .from_data = rendered->runs[i].from_data};
    *out = kept;
    return LOAM_OK;
}

loam_status loam_api_render(loam_rendering **out, loam_template *chat_template, const char *context,
                            size_t length, const struct render_part *parts, size_t part_count,
                            const loam_render_options *options, loam_error *error)
{
    struct render_variable variables[2];
    struct template_time time;
    struct rendered rendered;
    bool has_time;
    loam_status status = read_now(&time, options->now, &has_time, error);
    if (!status && options->trusted_count)
        status = loam_api_given(options->trusted, "options.trusted", error);
    if (status)
        return status;
    const struct render_options chosen = {
        .time = has_time ? &time : NULL,
        .steps = options->max_steps ? options->max_steps : DEFAULT_STEPS,
        .memory = options->max_bytes ? options->max_bytes : DEFAULT_BYTES,
        .calls = options->max_depth ? options->max_depth : DEFAULT_DEPTH,
        .trusted = options->trusted,
        .trusted_count = options->trusted_count,
        .variables = variables,
        .variable_count = read_variables(variables, options->tokenizer),
        .parts = parts,
        .part_count = part_count,
        .spare = atomic_exchange(&chat_template->spare, NULL)};
    loam_engine *engine = chat_template->engine;
    status = loam_render_run(&rendered, &chat_template->program, &engine->memory, context, length,
                             &chosen, error);
    if (!status) {
        status = keep(out, engine, &rendered, error);
        struct heap_chunk *spare = loam_render_end_keeping(&rendered);
        loam_heap_free_spare(&engine->memory, atomic_exchange(&chat_template->spare, spare));
    }
    return status;
}

loam_status loam_template_render(loam_rendering **out, loam_template *chat_template,
                                 const char *context, size_t context_length,
                                 const loam_render_options *given, loam_error *error)
{
    loam_render_options options;
    loam_status status = loam_api_given(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = loam_struct_read(&options, sizeof options, given, "loam_render_options", error);
    if (!status)
        status = loam_api_given(chat_template, "chat_template", error);
    if (!status)
        status = loam_api_given(context, "context", error);
    if (status)
        return status;
    return loam_api_render(out, chat_template, context, loam_length(context, context_length), NULL,
                           0, &options, error);
}

void loam_rendering_release(loam_rendering *rendering)
{
    if (!rendering)
        return;
    loam_engine *engine = rendering->engine;
    loam_memory_free(&engine->memory, rendering);
    loam_engine_release(engine);
}

loam_status loam_rendering_get_info(loam_rendering_info *out, loam_rendering *rendering,
                                    loam_error *error)
{
    loam_rendering_info info = {0};
    loam_status status = loam_struct_check(out, "out", error);
    if (!status)
        status = loam_api_given(rendering, "rendering", error);
    if (status)
        return status;
    info.text = rendering->text;
    info.spans = rendering->spans;
    info.span_count = rendering->span_count;
    loam_struct_write(out, &info, sizeof info);
    return LOAM_OK;
}

loam_status loam_tokenizer_encode_rendering(int32_t *out_tokens, size_t capacity, size_t *out_count,
                                            loam_tokenizer *tokenizer, loam_rendering *rendering,
                                            uint32_t flags, loam_error *error)
{
    loam_status status = loam_api_given(out_count, "out_count", error);
    if (status)
        return status;
    *out_count = 0;
    status = loam_api_given(tokenizer, "tokenizer", error);
    if (!status)
        status = loam_api_given(rendering, "rendering", error);
    if (!status && capacity)
        status = loam_api_given(out_tokens, "out_tokens", error);
    if (status)
        return status;
    struct memory *memory = &tokenizer->engine->memory;
    struct token_list list = {0};
    status = loam_tokenizer_append_spans(
        &list, tokenizer->tokenizer, memory, rendering->text.data, rendering->text.length,
        rendering->spans, rendering->span_count, flags | LOAM_ENCODE_PARSE_SPECIAL, error);
    if (!status)
        status = loam_api_give_tokens(out_tokens, capacity, out_count, &list, error);
    loam_token_list_end(&list, memory);
    return status;
}
